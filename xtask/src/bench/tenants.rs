//! What a tenant at its limits costs another: `calm` sends and asks at a steady pace, by itself and beside `loud`, which sends and
//! asks over many connections, at once again whatever it is answered. Both are given the same real lines first. Times count from
//! when a request was due, so that one that waits for the one before is not told to be quick.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::http::Http;
use super::process::{Process, word};
use super::{Bench, events};

/// Rounds of each kind, which take turns, and how long each is.
const ROUNDS: usize = 6;
const ROUND: Duration = Duration::from_secs(8);
/// What a round begins with and what is not counted of it.
const WARM: Duration = Duration::from_secs(1);

/// Bodies of a megabyte that each tenant has before.
const BEFORE: usize = 32;

/// Calm's pace: a body and a question so often, and how many lines of real logs a body has.
const BODY_EVERY: Duration = Duration::from_millis(20);
const ASK_EVERY: Duration = Duration::from_millis(50);
const LINES: usize = 50;

/// Calm's questions, in turn.
const QUESTIONS: [&str; 3] =
    ["query=GET&limit=20", "query=404%20OR%20500&limit=100", "query=GET%20%7C%20stats%20count()"];

/// What loud may, and over how many connections it sends and asks.
const LIMITS: [&str; 4] = ["--bytes-per-second", "1MiB", "--queries", "1"];
const SENDING: usize = 8;
const ASKING: usize = 4;

/// Loud's question: every line is looked at.
const HEAVY: &str = "query=%2F4%5B0-9%5D4.%2A%5Ba-z%5D%2B%2F%20%7C%20stats%20count()%20by%20(5m)";

/// The word after which the command is the sender that knows no limits.
pub(super) const HAMMER: &str = "hammer";

const NDJSON: &str = "application/x-ndjson";
const INGEST: &str = "/api/v1/ingest?tag=x";
const SEARCH: &str = "/api/v1/search?";

/// A node with both tenants, whose tokens these are.
struct House {
    node: Process,
    sawlog: PathBuf,
    data: PathBuf,
    address: String,
    calm: String,
    loud: String,
}

pub(super) fn run(bench: &Bench) -> Result<()> {
    let house = House::start(bench)?;
    let body = house.fill(&bench.logs.join(super::SETS[0].1))?;
    let mut took = [Took::default(), Took::default()];
    let mut hammered = Vec::new();
    for round in 0..2 * ROUNDS {
        let beside = round % 2 == 1;
        let hammer = beside.then(|| house.hammer()).transpose()?;
        thread::sleep(WARM);
        took[usize::from(beside)].add(house.calmly(&body)?);
        if let Some(hammer) = hammer {
            let said = String::from_utf8(hammer.wait_with_output()?.stdout)?;
            hammered.push(said.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?);
        }
    }
    house.node.end()?;
    let [mut alone, mut beside] = took;
    println!("\n### Tenants\n");
    println!(
        "| of the calm tenant | alone p50 ms | p99 | beside the loud one p50 | p99 | p99 to p99 alone |"
    );
    println!("|---|---|---|---|---|---|");
    let rows = [
        ("bodies", &mut alone.bodies, &mut beside.bodies),
        ("questions", &mut alone.questions, &mut beside.questions),
    ];
    for (name, alone, beside) in rows {
        let [one, other] = [alone, beside].map(|took| [50, 99].map(|part| millis(took, part)));
        let ratio = other[1] / one[1];
        println!(
            "| {name} | {:.2} | {:.2} | {:.2} | {:.2} | {ratio:.2} |",
            one[0], one[1], other[0], other[1]
        );
    }
    let seconds = hammered.len() as f64 * (ROUND + WARM).as_secs_f64();
    let rate = |at: usize| hammered.iter().filter_map(|counts| counts.get(at)).sum::<f64>() / seconds;
    println!(
        "\nThe loud one, a second: {:.0} bodies taken, {:.0} refused; {:.1} questions answered, {:.0} refused.",
        rate(0),
        rate(1),
        rate(2),
        rate(3)
    );
    Ok(())
}

/// How long requests took that were answered.
#[derive(Default)]
struct Took {
    bodies: Vec<Duration>,
    questions: Vec<Duration>,
}

impl Took {
    fn add(&mut self, other: Took) {
        self.bodies.extend(other.bodies);
        self.questions.extend(other.questions);
    }
}

/// The time that so many of a hundred took at most, milliseconds.
fn millis(took: &mut [Duration], part: usize) -> f64 {
    took.sort();
    took[took.len() * part / 100].as_secs_f64() * 1e3
}

impl House {
    fn start(bench: &Bench) -> Result<House> {
        let scratch = bench.scratch.join("tenants");
        std::fs::create_dir_all(&scratch)?;
        let (sawlog, data) = (bench.sawlog.clone(), scratch.join("data"));
        let mut tokens = Vec::new();
        for name in ["calm", "loud"] {
            command(&sawlog, &data, &["tenant", "add", name])?;
            tokens.push(command(&sawlog, &data, &["token", "add", "--tenant", name, "--role", "write"])?);
        }
        let [calm, loud] = tokens.try_into().ok().context("two tokens")?;
        let mut run = Command::new(&sawlog);
        run.args(["run", "--http", "127.0.0.1:0", "--syslog", "off", "--data"]).arg(&data);
        let mut node = Process::start(&mut run, &scratch, "node")?;
        let address = word(&node.first_line()?, "http=")?.trim_start_matches("http://").to_owned();
        Ok(House { node, sawlog, data, address, calm, loud })
    }

    /// Gives both their first lines, then loud its limits; the body that calm sends.
    fn fill(&self, logs: &Path) -> Result<Vec<u8>> {
        let mut tenants = [Http::open(&self.address, &self.calm)?, Http::open(&self.address, &self.loud)?];
        let (mut left, mut lines) = (BEFORE, Vec::new());
        events::each_body(logs, &mut events::plain(), |_, body| {
            if lines.is_empty() {
                lines = body.split_inclusive(|byte| *byte == b'\n').take(LINES).flatten().copied().collect();
            }
            if left > 0 {
                tenants.iter_mut().try_for_each(|http| http.post(INGEST, NDJSON, body))?;
            }
            left = left.saturating_sub(1);
            Ok(())
        })?;
        command(&self.sawlog, &self.data, &[&["tenant", "limit", "loud"], &LIMITS[..]].concat())?;
        Ok(lines)
    }

    /// A round of calm's pace.
    fn calmly(&self, body: &[u8]) -> Result<Took> {
        thread::scope(|scope| {
            let bodies = scope.spawn(|| {
                let mut http = Http::open(&self.address, &self.calm)?;
                paced(BODY_EVERY, |_| http.post(INGEST, NDJSON, body))
            });
            let questions = scope.spawn(|| {
                let mut http = Http::open(&self.address, &self.calm)?;
                paced(ASK_EVERY, |number| {
                    let path = format!("{SEARCH}{}", QUESTIONS[number % QUESTIONS.len()]);
                    let (status, answer) = http.ask("GET", &path, "", b"")?;
                    ensure!(status == 200, "{status} {}", String::from_utf8_lossy(&answer));
                    Ok(())
                })
            });
            let joined = |thread: thread::ScopedJoinHandle<'_, Result<Vec<Duration>>>| {
                thread.join().map_err(|_| anyhow::anyhow!("a thread of the measurement"))?
            };
            Ok(Took { bodies: joined(bodies)?, questions: joined(questions)? })
        })
    }

    /// Loud, in a process that takes no time of the processor that another could use.
    fn hammer(&self) -> Result<Child> {
        let mut command = Command::new("nice");
        command.args(["-n", "19"]).arg(std::env::current_exe()?).args(["bench", HAMMER]);
        command.args([&self.address, &self.loud]).stdout(Stdio::piped());
        command.spawn().context("nice")
    }
}

/// Runs a command of the node; what it prints.
fn command(sawlog: &Path, data: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(sawlog).args(arguments).arg("--data").arg(data).output()?;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Does something each `every` for the time of a round; how long after it was due each was done.
fn paced(every: Duration, mut once: impl FnMut(usize) -> Result<()>) -> Result<Vec<Duration>> {
    let start = Instant::now();
    let mut took = Vec::new();
    for number in 0.. {
        let due = every * number;
        if due >= ROUND {
            break;
        }
        thread::sleep(due.saturating_sub(start.elapsed()));
        once(number as usize)?;
        took.push(start.elapsed().saturating_sub(due));
    }
    Ok(took)
}

/// A request over a connection: status and body of its answer.
type Asking<'a> = dyn Fn(&mut Http) -> Result<(u16, Vec<u8>)> + Sync + 'a;

/// Sends and asks over many connections without heed to what it is told, for a round; prints how many bodies were taken and
/// refused, and how many questions.
pub(super) fn hammer(arguments: &[String]) -> Result<()> {
    let [address, token] = arguments else { anyhow::bail!("the address and a token") };
    let until = Instant::now() + WARM + ROUND;
    let line = "{\"_time\":\"2026-01-02T03:04:05Z\",\"_msg\":\"GET /loud/index.html 404 and on it goes\"}\n";
    let body = line.repeat(1_000).into_bytes();
    let counts: [AtomicU64; 4] = Default::default();
    let go_on = |count: &[AtomicU64], once: &Asking<'_>| {
        let mut http = Http::open(address, token).ok();
        while Instant::now() < until {
            match http.as_mut().map(once) {
                Some(Ok((200, _))) => count[0].fetch_add(1, Ordering::Relaxed),
                Some(Ok((429, _))) => count[1].fetch_add(1, Ordering::Relaxed),
                // The node may end connections of who does not listen.
                _ => {
                    http = Http::open(address, token).ok();
                    continue;
                }
            };
        }
    };
    let send = |http: &mut Http| http.ask("POST", INGEST, NDJSON, &body);
    let ask = |http: &mut Http| http.ask("GET", &format!("{SEARCH}{HEAVY}"), "", b"");
    thread::scope(|scope| {
        for _ in 0..SENDING {
            scope.spawn(|| go_on(&counts[..2], &send));
        }
        for _ in 0..ASKING {
            scope.spawn(|| go_on(&counts[2..], &ask));
        }
    });
    let counts = counts.each_ref().map(|count| count.load(Ordering::Relaxed).to_string());
    println!("{}", counts.join(" "));
    Ok(())
}
