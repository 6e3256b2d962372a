//! From an agent to a node that stores what it gets: the whole way, with the count of rows that the store says it has.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Bench, Lines, content, fresh, mb};
use crate::bench::process::{Process, Used, word};

/// Longest that one case may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// Longest wait between two looks at how many have arrived.
const LOOK: Duration = Duration::from_millis(200);

/// How it goes over the wire: name, whether as a lane, compression.
const WAYS: &[(&str, bool, &str)] =
    &[("lane", true, "text"), ("lane, zstd", true, "zstd"), ("packed", false, "text")];

/// Measures it, where the node has been built.
pub(super) fn run(bench: &Bench) -> Result<()> {
    if !bench.sawlog.is_file() {
        eprintln!(
            "SKIPPED forwarding to a store: there is no {}; `cargo xtask bench` builds it",
            bench.sawlog.display()
        );
        return Ok(());
    }
    println!("\nTo a node that stores, once\n");
    println!("| what | way | MB | events | sender | receiver | peak RSS MB, both | s |");
    println!("|---|---|---|---|---|---|---|---|");
    for (name, folder, pattern, lines) in super::JOBS {
        let folder = bench.logs.join(folder);
        let (bytes, events) = content(&folder, pattern)?;
        for (way, lane, compress) in WAYS {
            let start = Instant::now();
            let config = config(&folder.join(pattern), lines, *lane, compress);
            let (sender, receiver, arrived) = measure(bench, &config, events)?;
            let per = |used: Used| used.cpu / (bytes as f64 / 1e9);
            println!(
                "| {name} | {way} | {} | {arrived} of {events} | {:.2} | {:.2} | {}, {} | {:.1} |",
                mb(bytes),
                per(sender),
                per(receiver),
                mb(sender.resident),
                mb(receiver.resident),
                start.elapsed().as_secs_f64(),
            );
        }
    }
    Ok(())
}

/// The sender's; its receiver is to be put in.
fn config(pattern: &Path, lines: &Lines, lane: bool, compress: &str) -> String {
    let parse = if matches!(lines, Lines::AsTheyAre) { "parse.type = \"none\"\n" } else { "" };
    format!(
        "[[input]]\ntype = \"tail\"\npaths = [{:?}]\n{parse}\n[[output]]\ntype = \"forward\"\nlane = {lane}\n\
         compress = \"{compress}\"\n",
        pattern.to_string_lossy(),
    )
}

fn measure(bench: &Bench, config: &str, events: u64) -> Result<(Used, Used, u64)> {
    let scratch = fresh(bench)?;
    let mut command = Command::new(&bench.sawlog);
    command.args(["run", "--http", "127.0.0.1:0", "--forward", "127.0.0.1:0", "--data"]);
    let mut node = Process::start(command.arg(scratch.join("node")), &scratch, "node")?;
    let line = node.first_line()?;
    let file = scratch.join("agent.toml");
    std::fs::write(&file, format!("{config}to = \"{}\"\n", word(&line, "forward=")?))?;
    let mut command = Command::new(&bench.agent);
    command.arg("run").arg("-c").arg(&file).arg("--data").arg(scratch.join("agent"));
    let agent = Process::start(&mut command, &scratch, "agent")?;
    let arrived = wait_for(word(&line, "http=")?, events)?;
    Ok((agent.used()?, node.used()?, arrived))
}

/// Waits until so many rows are there, and gives how many there are.
fn wait_for(base: &str, events: u64) -> Result<u64> {
    let start = Instant::now();
    loop {
        let count = count(base)?;
        if count >= events || start.elapsed() > PATIENCE {
            return Ok(count);
        }
        std::thread::sleep(LOOK);
    }
}

/// Rows that the node's store has, as `/metrics` says: a query would cost it processor time.
fn count(base: &str) -> Result<u64> {
    let mut stream = TcpStream::connect(base.trim_start_matches("http://"))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let line = text.lines().find_map(|line| line.strip_prefix("sawlog_store_records "));
    Ok(line.context("the store's records")?.trim().parse()?)
}
