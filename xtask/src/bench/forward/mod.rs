//! Forwarding: processor seconds per gigabyte of sender and receiver, memory, bytes on the wire, and whether every event
//! arrived. Agent to agent, as lines are and parsed, durably and in memory, beside Fluent Bit where there is one; then a minute
//! at rest, and from an agent to a store. Each figure is the median of three rounds, in each of which all have their turn.

mod agent;
mod fluent_bit;
mod idle;
mod relay;
mod store;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use self::agent::Agents;
use self::fluent_bit::Storage;
use super::process::Used;
use super::{Bench, files, mb};

/// Rounds that are measured. One before them counts the bytes on the wire, and brings the files into the page cache.
const ROUNDS: usize = 3;
/// Longest that one run may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Time between two looks at how many have arrived.
const LOOK: Duration = Duration::from_millis(100);

/// The lines of the nginx set, for those who read them by an expression. Both sides get the same.
const ACCESS: Lines = Lines::Parsed {
    expression: r#"^(?<remote>[^ ]*) \[(?<time>[^\]]*)\] "(?<method>[^ "]*) (?<path>[^ "]*) (?<protocol>[^ "]*)" (?<code>[^ ]*) (?<size>[^ ]*) "(?<referer>[^"]*)" "(?<agent>[^"]*)" "(?<client>[^"]*)"$"#,
    time: "%d/%b/%Y:%H:%M:%S %z",
};

/// What is forwarded: name, folder of the set, pattern below it, and what is done with lines.
const JOBS: &[(&str, &str, &str, Lines)] = &[
    ("iotdb, as it is", "iotdb", "**", Lines::AsTheyAre),
    ("nginx access, as it is", "nginx_m5it", "access.log*", Lines::AsTheyAre),
    ("nginx access, parsed", "nginx_m5it", "access.log*", ACCESS),
];

/// What is done with lines.
#[derive(Clone, Copy)]
enum Lines {
    /// Nothing.
    AsTheyAre,
    /// Their fields and their time are read.
    Parsed { expression: &'static str, time: &'static str },
}

/// What is to be forwarded.
struct Job<'a> {
    pattern: PathBuf,
    lines: &'a Lines,
    bytes: u64,
    events: u64,
}

/// Who forwards, and how.
enum Way {
    Ours(Agents),
    FluentBit(Storage),
}

/// What a run cost.
struct Measured {
    sender: Used,
    receiver: Used,
    /// Events that arrived; `None` where nobody can tell.
    arrived: Option<u64>,
    /// Bytes that the sender sent, where they were counted.
    wire: Option<u64>,
}

pub(super) fn run(bench: &Bench) -> Result<()> {
    println!("\n### Forwarding\n");
    println!("Processor seconds (user and system) per GB of raw lines; medians of {ROUNDS} rounds.");
    if fluent_bit::exists() {
        println!("{}.", fluent_bit::version()?);
    } else {
        eprintln!("SKIPPED Fluent Bit: no fluent-bit is on the PATH");
    }
    for (name, folder, pattern, lines) in JOBS {
        let folder = bench.logs.join(folder);
        let (bytes, events) = content(&folder, pattern)?;
        let job = Job { pattern: folder.join(pattern), lines, bytes, events };
        println!("\n{name}: {} MB, {events} events\n", mb(bytes));
        println!(
            "| way | sender | receiver | peak RSS MB, both | wire bytes per raw byte | events arrived |"
        );
        println!("|---|---|---|---|---|---|");
        measure_all(bench, &job)?;
    }
    idle::run(bench)?;
    store::run(bench)
}

/// All ways of a job, with the names that they have in the table.
fn ways(lines: &Lines) -> Vec<(&'static str, Way)> {
    let agents =
        |lane, compress| Agents { lane, compress, ack: true, in_memory: false, by_expression: false };
    let mut ways = vec![
        ("sawlog, durable, lane", Way::Ours(agents(true, "text"))),
        ("sawlog, durable, lane, lz4", Way::Ours(agents(true, "lz4"))),
        ("sawlog, durable, lane, zstd", Way::Ours(agents(true, "zstd"))),
        ("sawlog, durable, packed", Way::Ours(agents(false, "text"))),
    ];
    if matches!(lines, Lines::Parsed { .. }) {
        let by_expression = Agents { by_expression: true, ..agents(false, "text") };
        ways.push(("sawlog, durable, packed, by the expression", Way::Ours(by_expression)));
    }
    let in_memory = |lane, ack| Way::Ours(Agents { ack, in_memory: true, ..agents(lane, "text") });
    ways.push(("sawlog, in memory, lane", in_memory(true, true)));
    ways.push(("sawlog, in memory, packed, no ack", in_memory(false, false)));
    if fluent_bit::exists() {
        ways.push(("Fluent Bit, in memory, no ack", Way::FluentBit(Storage::Memory)));
        ways.push(("Fluent Bit, files, ack", Way::FluentBit(Storage::Files)));
    }
    ways
}

fn measure_all(bench: &Bench, job: &Job<'_>) -> Result<()> {
    let ways = ways(job.lines);
    let mut rounds: Vec<Vec<Measured>> = ways.iter().map(|_| Vec::new()).collect();
    for round in 0..=ROUNDS {
        for ((name, way), measured) in ways.iter().zip(&mut rounds) {
            let one = measure(bench, way, job, round == 0).with_context(|| (*name).to_owned())?;
            if matches!(way, Way::Ours(_)) && one.arrived != Some(job.events) {
                bail!("{name}: {:?} of {} events arrived", one.arrived, job.events);
            }
            measured.push(one);
        }
    }
    for ((name, _), measured) in ways.iter().zip(&rounds) {
        print(name, job, measured);
    }
    Ok(())
}

fn measure(bench: &Bench, way: &Way, job: &Job<'_>, relayed: bool) -> Result<Measured> {
    let scratch = fresh(bench)?;
    match way {
        Way::Ours(how) => agent::measure(&bench.agent, how, job, &scratch, relayed),
        Way::FluentBit(storage) => fluent_bit::measure(*storage, job, &scratch, relayed),
    }
}

/// An empty folder.
fn fresh(bench: &Bench) -> Result<PathBuf> {
    let scratch = bench.scratch.join("forward");
    if scratch.is_dir() {
        std::fs::remove_dir_all(&scratch)?;
    }
    std::fs::create_dir_all(&scratch)?;
    Ok(scratch)
}

fn print(name: &str, job: &Job<'_>, rounds: &[Measured]) {
    let [counted, rounds @ ..] = rounds else { return };
    let per = |of: fn(&Measured) -> f64| median(rounds, of) / (job.bytes as f64 / 1e9);
    let megabytes = |of: fn(&Measured) -> f64| median(rounds, of) / 1e6;
    let wire = counted.wire.map_or("–".to_owned(), |wire| format!("{:.3}", wire as f64 / job.bytes as f64));
    let arrived: Option<u64> = rounds.iter().map(|one| one.arrived).min().flatten();
    let arrived = match arrived {
        Some(arrived) if arrived == job.events => "all".to_owned(),
        Some(arrived) => arrived.to_string(),
        None => "–".to_owned(),
    };
    println!(
        "| {name} | {:.2} | {:.2} | {:.1}, {:.1} | {wire} | {arrived} |",
        per(|one| one.sender.cpu),
        per(|one| one.receiver.cpu),
        megabytes(|one| one.sender.resident as f64),
        megabytes(|one| one.receiver.resident as f64),
    );
}

fn median(rounds: &[Measured], of: fn(&Measured) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Bytes and lines of the files that a pattern of the jobs finds.
fn content(folder: &Path, pattern: &str) -> Result<(u64, u64)> {
    let start = pattern.trim_end_matches('*');
    let (mut bytes, mut lines) = (0, 0);
    for file in files(folder)? {
        if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start)) {
            let content = std::fs::read(&file)?;
            bytes += content.len() as u64;
            let open = content.last().is_some_and(|last| *last != b'\n');
            lines += content.iter().filter(|byte| **byte == b'\n').count() as u64 + u64::from(open);
        }
    }
    Ok((bytes, lines))
}
