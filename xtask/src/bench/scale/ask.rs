//! One question to one of the peers: what it answers, and what that costs with nothing in memory and once it was asked before.
//! Knows nothing of what is asked.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::questions::{NEWEST, Question};
use crate::bench::queries::{Node, encoded};
use crate::bench::{Cost, cost, forget, victoria};
use crate::needs;

/// A question is asked again until so long has passed.
const ENOUGH: Duration = Duration::from_secs(1);
/// At most so often.
const RUNS: u32 = 40;
/// With nothing in memory it is asked so often, as one time differs from the next by half; the middle one counts.
const COLD_RUNS: usize = 5;
/// Unless that takes longer.
const COLD_ENOUGH: Duration = Duration::from_secs(10);
/// What took longer is not asked again.
const LONG: Duration = Duration::from_secs(10);
/// What VictoriaLogs says when it gives up.
const TOO_LONG: &str = "couldn't be executed in";

/// Rows of an answer, as far as they are compared.
pub(super) type Answer = Vec<Vec<String>>;

/// What a question cost one of the peers, and its answer.
pub(super) struct Asked {
    pub(super) answer: Option<Answer>,
    pub(super) cold: Cost,
    pub(super) warm: Cost,
    /// Bytes that were read from files when it was cold.
    pub(super) read: u64,
}

/// Who is asked.
pub(super) struct Peers<'a> {
    pub(super) sawlog: &'a Path,
    pub(super) store: &'a Path,
    pub(super) victoria: Option<&'a Path>,
    pub(super) raw: &'a Path,
}

impl Peers<'_> {
    /// A node and VictoriaLogs, where it is there, over HTTP. With nothing in memory they are asked by turns, so that what slows the
    /// machine for a while slows both.
    pub(super) fn servers(&self, question: &Question) -> Result<(Asked, Option<Asked>)> {
        let start = Instant::now();
        let (mut node, mut peer) = (self.node(question, true)?, self.victoria(question, true)?);
        let (mut of_node, mut of_peer) =
            (vec![node.cold], Vec::from_iter(peer.as_ref().map(|peer| peer.cold)));
        while of_node.len() < COLD_RUNS && start.elapsed() < COLD_ENOUGH {
            of_node.push(self.node(question, false)?.cold);
            if peer.is_some() {
                of_peer.extend(self.victoria(question, false)?.map(|peer| peer.cold));
            }
        }
        node.cold = middle(&of_node);
        if let Some(peer) = &mut peer {
            peer.cold = middle(&of_peer);
        }
        Ok((node, peer))
    }

    /// A node that was just started, and where `warm` says so, asked again.
    fn node(&self, question: &Question, warm: bool) -> Result<Asked> {
        forget(self.store)?;
        let node = Node::start(self.sawlog, self.store)?;
        let path = format!("/api/v1/search?query={}", encoded(question.sawlog));
        served(question, node.id(), warm, &|| node.get(&path))
    }

    /// The same of VictoriaLogs; `None` where it is not there, or gives up.
    fn victoria(&self, question: &Question, warm: bool) -> Result<Option<Asked>> {
        let Some(folder) = self.victoria else { return Ok(None) };
        forget(folder)?;
        let peer = victoria::Peer::start(folder)?;
        let path = format!("/select/logsql/query?query={}", encoded(question.logsql));
        match served(question, peer.id(), warm, &|| peer.get(&path)) {
            Err(error) if error.to_string().contains(TOO_LONG) => {
                eprintln!("VictoriaLogs, {}: {error:#}", question.what);
                Ok(None)
            }
            asked => asked.map(Some),
        }
    }

    /// The command, over the directory.
    pub(super) fn command(&self, question: &Question) -> Result<Asked> {
        let (program, store) = (self.sawlog.to_string_lossy(), self.store.to_string_lossy());
        let command = [&*program, "search", question.sawlog, "--json", "--data", &*store];
        let cold = cold_command(&command, self.store)?;
        let output = Command::new(command[0]).args(&command[1..]).output()?;
        let answer = Some(rows(question, &output.stdout)?);
        Ok(Asked { answer, cold, warm: repeated(&command)?, read: 0 })
    }

    /// ripgrep: with its files dropped from the page cache, then from it; `None` where it cannot answer.
    pub(super) fn rg(&self, question: &Question) -> Result<Option<Asked>> {
        if question.rg.is_empty() || !needs::has("rg") {
            return Ok(None);
        }
        let raw = self.raw.to_string_lossy();
        let counts = question.same == ["n"];
        let shell = match counts {
            true => "rg --no-ignore -a --no-filename -c \"$@\"".to_owned(),
            false => format!("rg --no-ignore -a --no-filename \"$@\" {NEWEST}"),
        };
        let command = [&["sh", "-c", &*shell, "rg"], question.rg, &[&*raw]].concat();
        let cold = cold_command(&command, self.raw)?;
        let output = Command::new(command[0]).args(&command[1..]).output()?;
        let sum = || -> Result<u64> {
            String::from_utf8(output.stdout)?.lines().map(|line| Ok(line.parse::<u64>()?)).sum()
        };
        let answer = if counts { Some(vec![vec![sum()?.to_string()]]) } else { None };
        Ok(Some(Asked { answer, cold, warm: repeated(&command)?, read: 0 }))
    }
}

/// Asks a server that was just started, and then again, where `warm` says so.
fn served(question: &Question, pid: u32, warm: bool, ask: &dyn Fn() -> Result<Vec<u8>>) -> Result<Asked> {
    let (before, read, start) = (processor(pid)?, bytes_read(pid)?, Instant::now());
    let answer = ask()?;
    let cold = Cost { cpu: processor(pid)? - before, wall: start.elapsed().as_secs_f64(), resident: 0 };
    let read = bytes_read(pid)? - read;
    let answer = Some(rows(question, &answer)?);
    if !warm || start.elapsed() > LONG {
        return Ok(Asked { answer, cold, warm: cold, read });
    }
    let (before, start) = (processor(pid)?, Instant::now());
    let mut runs = 0;
    while runs == 0 || runs < RUNS && start.elapsed() < ENOUGH {
        ask()?;
        runs += 1;
    }
    let runs = f64::from(runs);
    let warm = Cost {
        cpu: (processor(pid)? - before) / runs,
        wall: start.elapsed().as_secs_f64() / runs,
        resident: 0,
    };
    Ok(Asked { answer, cold, warm, read })
}

/// Runs a command again and again, each time without its files in memory.
fn cold_command(command: &[&str], files: &Path) -> Result<Cost> {
    let (start, mut costs) = (Instant::now(), Vec::new());
    while costs.is_empty() || costs.len() < COLD_RUNS && start.elapsed() < COLD_ENOUGH {
        forget(files)?;
        costs.push(cost(command)?);
    }
    Ok(middle(&costs))
}

/// The middle one of some, by processor time and by the clock.
fn middle(costs: &[Cost]) -> Cost {
    let of = |what: fn(&Cost) -> f64| {
        let mut all: Vec<f64> = costs.iter().map(what).collect();
        all.sort_by(f64::total_cmp);
        all[(all.len() - 1) / 2]
    };
    Cost { cpu: of(|cost| cost.cpu), wall: of(|cost| cost.wall), resident: 0 }
}

/// The mean of a command that is run again and again.
fn repeated(command: &[&str]) -> Result<Cost> {
    let first = cost(command)?;
    if first.wall > ENOUGH.as_secs_f64() {
        return Ok(first);
    }
    let runs = (ENOUGH.as_secs_f64() / first.wall.max(1e-3)) as u32;
    crate::bench::mean(runs.clamp(1, RUNS), command)
}

/// Processor seconds of a process so far, those of threads that ended left aside.
fn processor(pid: u32) -> Result<f64> {
    let mut nanos = 0.0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end meanwhile.
        let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else { continue };
        nanos += text.split(' ').next().and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0);
    }
    Ok(nanos / 1e9)
}

/// Bytes that a process has read.
fn bytes_read(pid: u32) -> Result<u64> {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io"))?;
    let line = io.lines().find_map(|line| line.strip_prefix("rchar: ")).context("rchar")?;
    Ok(line.parse()?)
}

/// The rows of an answer in JSON lines, as far as the question compares them, sorted.
fn rows(question: &Question, answer: &[u8]) -> Result<Answer> {
    let mut rows = Answer::new();
    for line in answer.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        let object: serde_json::Value = serde_json::from_slice(line)?;
        ensure!(object.get("error").is_none(), "{}", String::from_utf8_lossy(line));
        let value = |name: &&str| match object.get(name) {
            None | Some(serde_json::Value::Null) => String::new(),
            Some(serde_json::Value::String(text)) if *name == "_time" => plain_time(text),
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        rows.push(question.same.iter().map(value).collect());
    }
    rows.sort();
    Ok(rows)
}

/// A time without zeros at its end.
fn plain_time(text: &str) -> String {
    let text = text.trim_end_matches('Z');
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}
