//! Ten questions over one set each, beside ripgrep on the raw files and VictoriaLogs: whole commands for sawlog and
//! ripgrep, and requests to servers that run already for sawlog and VictoriaLogs.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Instant;

use anyhow::{Context, Result};

use super::import::Stored;
use super::{Bench, Cost, victoria, weight};
use crate::needs;

/// What is done with ripgrep's lines where the newest are asked for: those of the set begin with their times.
const NEWEST: &str = "| LC_ALL=C sort | tail -n 100";

/// Set, what is asked, in sawlog's words, as ripgrep's arguments (`None`: it cannot), and in LogsQL.
struct Question {
    set: &'static str,
    what: &'static str,
    sawlog: &'static str,
    rg: Option<&'static [&'static str]>,
    logsql: &'static str,
}

const QUESTIONS: &[Question] = &[
    Question {
        set: "iotdb",
        what: "count of a common word",
        sawlog: "flush | stats count() as n",
        rg: Some(&["-w", "-i", "-c", "flush"]),
        logsql: "i(flush) | stats count()",
    },
    Question {
        set: "iotdb",
        what: "count of a rare word",
        sawlog: "ReleaseQueryResource | stats count() as n",
        rg: Some(&["-w", "-c", "ReleaseQueryResource"]),
        logsql: "ReleaseQueryResource | stats count()",
    },
    Question {
        set: "iotdb",
        what: "a word that is nowhere",
        sawlog: "xyzzyplugh",
        rg: Some(&["-w", "xyzzyplugh"]),
        logsql: "xyzzyplugh",
    },
    Question {
        set: "iotdb",
        what: "newest 100 of a word",
        sawlog: "raft | limit 100",
        rg: Some(&["-w", "-i", "--no-filename", "raft"]),
        logsql: "raft | sort by (_time desc) limit 100",
    },
    Question {
        set: "iotdb",
        what: "count of a phrase",
        sawlog: "\"update pid\" | stats count() as n",
        rg: Some(&["-w", "-i", "-c", "update pid"]),
        logsql: "i(\"update pid\") | stats count()",
    },
    Question {
        set: "iotdb",
        what: "count of a regular expression",
        sawlog: "/raft.*timeout.*1[0-9]{3}/ | stats count() as n",
        rg: Some(&["-c", "raft.*timeout.*1[0-9]{3}"]),
        logsql: "~\"raft.*timeout.*1[0-9]{3}\" | stats count()",
    },
    Question {
        set: "iotdb",
        what: "count by level",
        sawlog: "* | stats count() as n by (level)",
        rg: None,
        logsql: "* | extract \" <level> \" | stats by (level) count()",
    },
    Question {
        set: "nginx",
        what: "count of an address",
        sawlog: "\"187.140.221.49\" | stats count() as n",
        rg: Some(&["-w", "-F", "-c", "187.140.221.49"]),
        logsql: "\"187.140.221.49\" | stats count()",
    },
    Question {
        set: "zeek",
        what: "lines with a field's value",
        sawlog: "id.orig_h:=10.47.2.100 | stats count() as n",
        rg: Some(&["-F", "-c", "\"id.orig_h\":\"10.47.2.100\""]),
        logsql: "\"id.orig_h\":=\"10.47.2.100\" | stats count()",
    },
    Question {
        set: "zeek",
        what: "ten most frequent values of a field",
        sawlog: "* | top 10 id.resp_p",
        rg: None,
        logsql: "* | top 10 by (id.resp_p)",
    },
];

/// Each question is asked so often.
const RUNS: u32 = 20;

/// Whether a question is about the set.
pub(super) fn ask(set: &str) -> bool {
    QUESTIONS.iter().any(|question| question.set == set)
}

pub(super) fn run(bench: &Bench, stores: &[Stored]) -> Result<()> {
    println!("\n### Queries, milliseconds of processor time / on the clock (mean of {RUNS})\n");
    println!(
        "| set | question | sawlog | sawlog over HTTP | rg | VictoriaLogs | sawlog / rg | over HTTP / rg | over HTTP / VictoriaLogs |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let rg = needs::has("rg");
    if !rg {
        eprintln!("LEFT OUT: rg is not on the PATH");
    }
    for stored in stores {
        let peer = stored.victoria.as_ref().map(|peer| victoria::Peer::start(&peer.folder)).transpose()?;
        let asked: Vec<&Question> = QUESTIONS.iter().filter(|question| question.set == stored.name).collect();
        let mut rows = Vec::new();
        for question in &asked {
            let (sawlog, data) = (bench.sawlog.to_string_lossy(), stored.sawlog.to_string_lossy());
            let ours = super::mean(RUNS, &[&sawlog, "search", question.sawlog, "--json", "--data", &data])?;
            let raw = stored.raw.to_string_lossy();
            let newest = if question.sawlog.ends_with("limit 100") { NEWEST } else { "" };
            let shell = format!("rg --no-ignore -a \"$@\" {newest}");
            let theirs = question.rg.filter(|_| rg).map(|arguments| {
                let search: &[&str] = if newest.is_empty() {
                    &["rg", "--no-ignore", "-a"]
                } else {
                    &["sh", "-c", &shell, "rg"]
                };
                super::mean(RUNS, &[search, arguments, &[&*raw]].concat())
            });
            let victoria = peer.as_ref().map(|peer| {
                let path = format!("/select/logsql/query?query={}", encoded(question.logsql));
                mean_of(|| peer.get(&path).map(drop), || peer.cpu())
            });
            rows.push((ours, theirs.transpose()?, victoria.transpose()?));
        }
        // The node has the directory for itself, so it comes last.
        let node = Node::start(&bench.sawlog, &stored.sawlog)?;
        for (question, (ours, theirs, victoria)) in asked.iter().zip(rows) {
            let path = format!("/api/v1/search?query={}", encoded(question.sawlog));
            let http = mean_of(|| node.get(&path).map(drop), || super::processor(node.id()))?;
            let both = |cost: Option<Cost>| {
                cost.map_or("–".to_owned(), |cost| {
                    format!("{:.1} / {:.0}", cost.cpu * 1e3, cost.wall * 1e3)
                })
            };
            let ratio = |a: Cost, b: Option<Cost>| {
                b.map_or("–".to_owned(), |b| format!("{:.2}", a.cpu / b.cpu.max(1e-4)))
            };
            println!(
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                stored.name,
                question.what,
                both(Some(ours)),
                both(Some(http)),
                both(theirs),
                both(victoria),
                ratio(ours, theirs),
                ratio(http, theirs),
                ratio(http, victoria)
            );
        }
    }
    Ok(())
}

/// A node over a directory; ended when dropped.
pub(super) struct Node {
    child: Child,
    address: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Node {
    /// Starts it and waits until it is ready.
    pub(super) fn start(program: &Path, data: &Path) -> Result<Node> {
        let mut command = Command::new(program);
        command.args(["run", "--http", "127.0.0.1:0", "--forward", "127.0.0.1:0", "--data"]).arg(data);
        let (child, line) = weight::ready(&mut command)?;
        let address = line.split_whitespace().find_map(|word| word.strip_prefix("http=http://"));
        Ok(Node { address: address.context("its address")?.to_owned(), child })
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The body of a GET.
    pub(super) fn get(&self, path: &str) -> Result<Vec<u8>> {
        super::get(&self.address, path)
    }
}

/// What a request costs a server that runs already, which favours it: one goes before that is not counted.
fn mean_of(ask: impl Fn() -> Result<()>, processor: impl Fn() -> Result<f64>) -> Result<Cost> {
    ask()?;
    let (before, start) = (processor()?, Instant::now());
    (0..RUNS).try_for_each(|_| ask())?;
    let runs = f64::from(RUNS);
    let (cpu, wall) = ((processor()? - before) / runs, start.elapsed().as_secs_f64() / runs);
    Ok(Cost { cpu, wall, resident: 0 })
}

/// For a URL.
pub(super) fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
