//! Forwarding: processor seconds per gigabyte of sender and receiver, memory, bytes on the wire, and whether every event
//! arrived. Files to a receiver that stores them, as they are and parsed; beside Fluent Bit where there is one.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Bench, files, mb};
use crate::needs;

/// What is forwarded: name, folder of the set, pattern below it, and options of the tail.
const CASES: &[(&str, &str, &str, &str)] = &[
    ("iotdb, as it is", "iotdb", "**", "[input.parse]\ntype = \"none\"\n"),
    ("nginx access, parsed", "nginx_m5it", "access.log*", ""),
];

/// How it goes over the wire: name, whether as a lane, compression.
const WAYS: &[(&str, bool, &str)] = &[
    ("lane", true, "text"),
    ("lane, zstd", true, "zstd"),
    ("lane, gzip", true, "gzip"),
    ("packed", false, "text"),
    ("packed, zstd", false, "zstd"),
];

/// Longest that one case may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Longest wait between two looks at how many have arrived.
const LOOK: Duration = Duration::from_millis(200);

pub(super) fn run(bench: &Bench) -> Result<()> {
    println!("\n### Forwarding\n");
    println!(
        "Every message is acknowledged after the receiver's fsync (Fluent Bit: from memory). CPU seconds per GB of raw \
         lines; the receiver stores them."
    );
    println!(
        "\n| what | way | MB | events | sender CPU s/GB | receiver CPU s/GB | peak RSS MB, both | MB on the wire | s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (name, folder, pattern, tail) in CASES {
        let folder = bench.logs.join(folder);
        let (bytes, lines) = content(&folder, pattern)?;
        for (way, lane, compress) in WAYS {
            let case = Case { tail, lane: *lane, compress, pattern: folder.join(pattern) };
            let measured = case.measure(bench, lines)?;
            print(name, way, bytes, &measured);
        }
        match fluent_bit(&folder.join(pattern))? {
            Some(measured) => print(name, "Fluent Bit, ack", bytes, &measured),
            None => eprintln!("SKIPPED Fluent Bit: it is not on the PATH"),
        }
    }
    Ok(())
}

/// What a case cost.
struct Measured {
    sender: Used,
    receiver: Used,
    wire: u64,
    wall: f64,
    /// Events that arrived; `None` where nobody can tell.
    arrived: Option<u64>,
}

/// What a process used.
#[derive(Clone, Copy, Default)]
struct Used {
    cpu: f64,
    resident: u64,
}

fn print(name: &str, way: &str, bytes: u64, measured: &Measured) {
    let per = |used: &Used| used.cpu / (bytes as f64 / 1e9);
    println!(
        "| {name} | {way} | {} | {} | {:.2} | {:.2} | {}, {} | {} | {:.1} |",
        mb(bytes),
        measured.arrived.map_or("–".to_owned(), |arrived| arrived.to_string()),
        per(&measured.sender),
        per(&measured.receiver),
        mb(measured.sender.resident),
        mb(measured.receiver.resident),
        mb(measured.wire),
        measured.wall
    );
}

/// Bytes and lines of the files that a pattern of the cases finds.
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

struct Case<'a> {
    tail: &'a str,
    lane: bool,
    compress: &'a str,
    pattern: PathBuf,
}

impl Case<'_> {
    fn measure(&self, bench: &Bench, events: u64) -> Result<Measured> {
        let scratch = bench.scratch.join("forward");
        if scratch.is_dir() {
            std::fs::remove_dir_all(&scratch)?;
        }
        std::fs::create_dir_all(&scratch)?;
        let mut node = Command::new(&bench.sawlog);
        node.args(["run", "--http", "127.0.0.1:0", "--forward", "127.0.0.1:0", "--data"]);
        let node = Node::start(node.arg(scratch.join("node")))?;
        let config = scratch.join("agent.toml");
        std::fs::write(
            &config,
            format!(
                "[[input]]\ntype = \"tail\"\npaths = {:?}\n{}\n[[output]]\ntype = \"forward\"\nto = \"{}\"\nlane = {}\n\
                 compress = \"{}\"\n",
                self.pattern.to_string_lossy(),
                self.tail,
                node.word("forward=")?,
                self.lane,
                self.compress
            ),
        )?;
        let (wire, start) = (on_the_wire()?, Instant::now());
        let mut agent = Command::new(&bench.agent);
        let agent =
            Node::start(agent.arg("run").arg("-c").arg(&config).arg("--data").arg(scratch.join("agent")))?;
        let arrived = node.wait_for(events)?;
        let wall = start.elapsed().as_secs_f64();
        let (sender, receiver) = (used(agent.child.id())?, used(node.child.id())?);
        if arrived != events {
            bail!("{arrived} of {events} events arrived");
        }
        Ok(Measured { sender, receiver, wire: on_the_wire()? - wire, wall, arrived: Some(arrived) })
    }
}

/// A process that says in its first line where it listens.
struct Node {
    child: Child,
    line: String,
    /// Kept open: who prints into a pipe that is closed ends.
    _output: BufReader<ChildStdout>,
}

impl Node {
    fn start(command: &mut Command) -> Result<Node> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut output = BufReader::new(child.stdout.take().context("its output")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        Ok(Node { child, line, _output: output })
    }

    /// What stands behind `name` in its first line.
    fn word(&self, name: &str) -> Result<&str> {
        let mut words = self.line.split_whitespace();
        words
            .find_map(|word| word.strip_prefix(name))
            .with_context(|| format!("no {name} in {:?}", self.line))
    }

    /// Waits until so many rows are there, and gives how many there are.
    fn wait_for(&self, events: u64) -> Result<u64> {
        let start = Instant::now();
        let base = self.word("http=")?;
        loop {
            let count = count(base)?;
            if count >= events || start.elapsed() > PATIENCE {
                return Ok(count);
            }
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Rows that the node's store has, as `/metrics` says: a query would cost it processor time.
fn count(base: &str) -> Result<u64> {
    let mut stream = std::net::TcpStream::connect(base.trim_start_matches("http://"))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let line = text.lines().find_map(|line| line.strip_prefix("sawlog_store_records "));
    Ok(line.context("the store's records")?.trim().parse()?)
}

/// Processor time and most memory of a running process.
fn used(pid: u32) -> Result<Used> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<f64>().ok()).sum();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("VmHWM")?;
    let kilobytes: u64 = line.split_whitespace().nth(1).context("VmHWM")?.parse()?;
    Ok(Used { cpu: ticks / 100.0, resident: kilobytes * 1024 })
}

/// Bytes that have gone over the loopback, heads of packets included.
fn on_the_wire() -> Result<u64> {
    Ok(std::fs::read_to_string("/sys/class/net/lo/statistics/tx_bytes")?.trim().parse()?)
}

/// Fluent Bit to Fluent Bit, which drops what it got; `None` where it is not installed.
fn fluent_bit(pattern: &Path) -> Result<Option<Measured>> {
    if !needs::has("fluent-bit") {
        return Ok(None);
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let port = format!("port={port}");
    let mut receiver = Command::new("fluent-bit");
    receiver.args(["-q", "-f", "1", "-i", "forward", "-p", &port, "-o", "null"]);
    let mut receiver = receiver.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    std::thread::sleep(Duration::from_secs(1));
    let path = format!("path={}", pattern.to_string_lossy().replace("**", "*/*"));
    let (wire, before) = (on_the_wire()?, used(receiver.id())?);
    let sent = super::cost(&[
        "fluent-bit",
        "-q",
        "-f",
        "1",
        "-i",
        "tail",
        "-p",
        &path,
        "-p",
        "read_from_head=on",
        "-p",
        "exit_on_eof=on",
        "-o",
        "forward",
        "-p",
        "host=127.0.0.1",
        "-p",
        &port,
        "-p",
        "require_ack_response=on",
    ])?;
    let after = used(receiver.id())?;
    receiver.kill()?;
    receiver.wait()?;
    Ok(Some(Measured {
        sender: Used { cpu: sent.cpu, resident: sent.resident },
        receiver: Used { cpu: after.cpu - before.cpu, resident: after.resident },
        wire: on_the_wire()? - wire,
        wall: sent.wall,
        arrived: None,
    }))
}
