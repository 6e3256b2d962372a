//! `cargo xtask bench`: sawlog beside its peers on the same real logs, in one run, as Markdown for docs/benchmarks.md.
//! A peer that is not on the PATH is left out, loudly. Knows the peers only by their documented interfaces.

mod amqp;
mod events;
mod forward;
mod http;
mod import;
mod ingest;
mod load;
mod messages;
mod normalize;
mod peers;
mod process;
mod queries;
mod scale;
mod start;
mod tenants;
mod victoria;
mod weight;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};

use crate::needs;
use crate::tally::Tally;

/// The sets that are measured: name, and folder in the unpacked logs.
const SETS: &[(&str, &str)] = &[
    ("nginx", "nginx_m5it"),
    ("zanbil", "zanbil"),
    ("iotdb", "iotdb"),
    ("nezha", "nezha_docker_json"),
    ("spark", "spark_events"),
    ("zeek", "zeek"),
    ("windows", "otrf_windows_json"),
    ("wikiticker", "wikiticker"),
    ("postgres", "postgres"),
    ("mirage", "mirage_ci"),
    ("loghub", "loghub"),
    ("kafka", "kafka"),
];

/// What a run works with.
struct Bench {
    sawlog: PathBuf,
    agent: PathBuf,
    logs: PathBuf,
    scratch: PathBuf,
    sets: Vec<(&'static str, &'static str)>,
}

/// What can be measured by itself.
const PARTS: [&str; 10] =
    ["store", "queries", "weight", "forward", "normalize", "tenants", "load", "start", "amqp", "scale"];

/// Takes an option that is a number out of the names.
fn number<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    names: &mut Vec<String>,
    name: &str,
) -> Result<Option<T>> {
    let value = option(names, name)?;
    value
        .map(|value| value.parse().with_context(|| format!("{name} takes a number, not {value:?}")))
        .transpose()
}

/// Takes an option and its value out of the names.
fn option(names: &mut Vec<String>, option: &str) -> Result<Option<String>> {
    let Some(at) = names.iter().position(|name| name == option) else { return Ok(None) };
    let value = names.get(at + 1).with_context(|| format!("{option} takes a value"))?.clone();
    names.drain(at..at + 2);
    Ok(Some(value))
}

/// Builds for release (or takes what lies in the folder `SAWLOG_BINARIES`) and measures: of the named sets (all without names
/// of sets) the named parts (all without).
pub fn run(root: &Path, names: &[String]) -> Result<bool> {
    if names.first().is_some_and(|name| name == tenants::HAMMER) {
        tenants::hammer(&names[1..])?;
        return Ok(true);
    }
    let mut names = names.to_owned();
    let bytes = number(&mut names, "--gb")?.map(|gigabytes: f64| gigabytes * 1e9);
    let at_once = number(&mut names, "--at-once")?.unwrap_or(1);
    let segments = number(&mut names, "--segments")?.unwrap_or(start::SEGMENTS);
    let ask = option(&mut names, "--ask")?;
    let (parts, sets): (Vec<&str>, Vec<&str>) =
        names.iter().map(String::as_str).partition(|name| PARTS.contains(name));
    let sets: Vec<_> =
        SETS.iter().copied().filter(|(name, _)| sets.is_empty() || sets.contains(name)).collect();
    if sets.is_empty() {
        let known: Vec<_> = SETS.iter().map(|(name, _)| *name).collect();
        bail!("no such set or part; there are: {} {}", PARTS.join(" "), known.join(" "));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let binaries = match std::env::var_os("SAWLOG_BINARIES") {
        Some(folder) => PathBuf::from(folder),
        None => {
            build(root, &parts)?;
            target.join("release")
        }
    };
    let (sawlog, agent) = (binaries.join("sawlog"), binaries.join("sawlog-agent"));
    // What these make takes long and stays.
    if parts == ["start"] {
        start::run(&sawlog, &target.join("bench-start"), segments)?;
        return Ok(true);
    }
    if parts == ["scale"] {
        let logs = needs::real_logs(root, &mut Tally::default())?.context("benchmarks need the real logs")?;
        scale::run(&sawlog, &logs, target.join("bench-scale"), &root.join("docs"), bytes, ask.as_deref())?;
        return Ok(true);
    }
    let scratch = target.join("bench");
    if scratch.is_dir() {
        std::fs::remove_dir_all(&scratch)?;
    }
    std::fs::create_dir_all(&scratch)?;
    // It takes ten minutes, and only those who ask for it have the broker.
    if parts.contains(&"amqp") {
        amqp::run(root, &sawlog, &scratch)?;
    }
    if parts == ["amqp"] {
        return Ok(true);
    }
    let logs = needs::real_logs(root, &mut Tally::default())?.context("benchmarks need the real logs")?;
    let wanted = |part| parts.is_empty() || parts.contains(&part);
    let first = sets[0].0;
    let needed = |name| {
        wanted("store") || wanted("queries") && queries::ask(name) || wanted("weight") && name == first
    };
    let sets = sets.into_iter().filter(|(name, _)| needed(name)).collect();
    let bench = Bench { sawlog, agent, logs, scratch, sets };
    let stores = import::run(&bench, wanted("store"))?;
    if wanted("queries") {
        queries::run(&bench, &stores)?;
    }
    if wanted("forward") {
        forward::run(&bench)?;
    }
    if wanted("weight") {
        weight::run(&bench)?;
    }
    if wanted("normalize") {
        normalize::run(&bench)?;
    }
    if wanted("tenants") {
        tenants::run(&bench)?;
    }
    if wanted("load") {
        load::run(&bench, at_once)?;
    }
    Ok(true)
}

/// Builds what these parts measure.
fn build(root: &Path, parts: &[&str]) -> Result<()> {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--release", "--locked"]).current_dir(root);
    if parts == ["forward"] || parts == ["normalize"] {
        build.args(["-p", "sawlog-agent"]);
    }
    if matches!(parts, ["amqp" | "scale" | "tenants" | "load" | "start"]) {
        build.args(["-p", "sawlog"]);
    }
    needs::succeed(&mut build)
}

/// What a command cost.
#[derive(Clone, Copy, Default)]
struct Cost {
    /// Seconds of processor time, user and system.
    cpu: f64,
    /// Seconds on the clock.
    wall: f64,
    /// Most resident memory, bytes.
    resident: u64,
}

/// Runs a command to its end under GNU time; its output is thrown away.
fn cost(command: &[&str]) -> Result<Cost> {
    needs::debian(&["time"], &["time"])?;
    let report = std::env::temp_dir().join(format!("sawlog-bench-{}", std::process::id()));
    let mut time = Command::new("time");
    time.args(["-q", "-f", "%U %S %e %M", "-o"]).arg(&report).args(command);
    let status = time.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    // 1 is what grep and its like say when nothing was found.
    if !matches!(status.code(), Some(0 | 1)) {
        bail!("{command:?} ended with {status}");
    }
    let text = std::fs::read_to_string(&report)?;
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [user, system, wall, kilobytes] = numbers[..] else { bail!("time said {text:?}") };
    Ok(Cost { cpu: user + system, wall, resident: kilobytes as u64 * 1024 })
}

/// The mean of several runs of a command, one after the other. GNU time counts hundredths of a second, so that only the
/// sum of many runs says something.
fn mean(runs: u32, command: &[&str]) -> Result<Cost> {
    let loops = "runs=$1; shift; while [ $runs -gt 0 ]; do \"$@\"; runs=$((runs - 1)); done";
    let runs_word = runs.to_string();
    let all = cost(&[&["sh", "-c", loops, "sh", &*runs_word], command].concat())?;
    let runs = f64::from(runs);
    Ok(Cost { cpu: all.cpu / runs, wall: all.wall / runs, resident: all.resident })
}

/// Processor seconds of a process so far (fields 14 and 15 of /proc/PID/stat, in hundredths).
fn processor(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after = stat.rsplit(") ").next().context("stat")?;
    let ticks: Vec<f64> = after.split(' ').skip(11).take(2).filter_map(|word| word.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / 100.0)
}

/// The body of what a server of this machine answers. In HTTP 1.0 it comes as it is.
fn get(address: &str, path: &str) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let body = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .context("an answer without an end of its head")?
        + 4;
    let is_good = answer.get(8..10) == Some(b" 2");
    ensure!(is_good, "{}", String::from_utf8_lossy(&answer[..answer.len().min(1000)]));
    Ok(answer.split_off(body))
}

/// All files below a folder, sorted.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

/// Drops a folder's files from the page cache.
fn forget(folder: &Path) -> Result<()> {
    files(folder)?.iter().try_for_each(|file| forget_file(file))
}

fn forget_file(file: &Path) -> Result<()> {
    let mut dd = Command::new("dd");
    dd.arg(format!("if={}", file.display())).args(["iflag=nocache", "count=0", "status=none"]);
    needs::succeed(&mut dd)
}

/// Bytes of all files below a folder.
fn size(folder: &Path) -> Result<u64> {
    files(folder)?.iter().map(|file| Ok(file.metadata()?.len())).sum()
}

/// Megabytes with two digits.
fn mb(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / 1e6)
}
