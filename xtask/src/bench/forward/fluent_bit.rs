//! Fluent Bit as sender and receiver: its configurations, and how a run of both is measured. Knows it by its documented
//! interfaces only.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use super::relay::Relay;
use super::{Job, Lines, Measured, PATIENCE};
use crate::bench::process::Process;
use crate::needs;

/// How it keeps what it has not sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Storage {
    /// In memory, as it does unless told otherwise; nothing is acknowledged.
    Memory,
    /// In files that it maps and syncs (`storage.sync full`), positions in a database with `db.sync full`; the receiver
    /// acknowledges.
    Files,
}

/// Whether there is one.
pub(super) fn exists() -> bool {
    needs::has("fluent-bit")
}

/// Its version, in its own words.
pub(super) fn version() -> Result<String> {
    let said = Command::new("fluent-bit").arg("--version").output()?.stdout;
    Ok(String::from_utf8_lossy(&said).lines().next().unwrap_or_default().to_owned())
}

/// Forwards the job's files from one Fluent Bit to another, which drops the records. With `relayed` the bytes are counted on
/// their way.
pub(super) fn measure(storage: Storage, job: &Job<'_>, scratch: &Path, relayed: bool) -> Result<Measured> {
    let (port, status) = (free_port()?, free_port()?);
    let receiver = start(&receiver(storage, scratch, port, status), scratch, "receiver")?;
    let status = SocketAddr::from(([127, 0, 0, 1], status));
    wait_until(|| Ok(received(status).is_some()))?;
    let relay = if relayed { Some(Relay::start(SocketAddr::from(([127, 0, 0, 1], port)))?) } else { None };
    let to = relay.as_ref().map_or(port, |relay| relay.address.port());
    if let Lines::Parsed { expression, time } = job.lines {
        let parser = format!(
            "[PARSER]\n    name lines\n    format regex\n    regex {expression}\n    time_key time\n    time_format {time}\n"
        );
        std::fs::write(scratch.join("parsers.conf"), parser)?;
    }
    let sender = start(&sender(storage, job, scratch, to), scratch, "sender")?;
    wait_until(|| Ok(received(status).is_some_and(|count| count >= job.events)))?;
    let (sent, used) = (sender.used()?, receiver.used()?);
    let (arrived, wire) = (received(status), relay.map(|relay| relay.sent()));
    // They are killed: an orderly end takes each five seconds.
    drop((sender, receiver));
    Ok(Measured { sender: sent, receiver: used, arrived, wire })
}

/// A port that nobody has now: it cannot be asked to choose one and tell.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Waits until it is so, or no longer: what has not arrived by then shows in the figures.
fn wait_until(mut is: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !is()? && start.elapsed() < PATIENCE {
        std::thread::sleep(super::LOOK);
    }
    Ok(())
}

fn start(config: &str, scratch: &Path, name: &str) -> Result<Process> {
    let file = scratch.join(format!("{name}.conf"));
    std::fs::write(&file, config)?;
    Process::start(Command::new("fluent-bit").arg("-q").arg("-c").arg(&file), scratch, name)
}

/// The part of both configurations that says how chunks are kept.
fn service(storage: Storage, folder: &Path) -> String {
    let kept = match storage {
        Storage::Memory => String::new(),
        Storage::Files => format!("    storage.path {}\n    storage.sync full\n", folder.display()),
    };
    format!("[SERVICE]\n    flush 1\n    log_level error\n{kept}")
}

/// What an input says of it.
fn kept(storage: Storage) -> &'static str {
    if storage == Storage::Files { "    storage.type filesystem\n" } else { "" }
}

fn receiver(storage: Storage, scratch: &Path, port: u16, status: u16) -> String {
    format!(
        "{}    http_server on\n    http_listen 127.0.0.1\n    http_port {status}\n[INPUT]\n    name forward\n    listen 127.0.0.1\n    \
         port {port}\n{}[OUTPUT]\n    name null\n    match *\n",
        service(storage, &scratch.join("receiver-chunks")),
        kept(storage),
    )
}

fn sender(storage: Storage, job: &Job<'_>, scratch: &Path, port: u16) -> String {
    let mut config = service(storage, &scratch.join("sender-chunks"));
    let parsed = matches!(job.lines, Lines::Parsed { .. });
    if parsed {
        config += &format!("    parsers_file {}\n", scratch.join("parsers.conf").display());
    }
    // `**` is not known to it; the files stand one folder below.
    let pattern = job.pattern.to_string_lossy().replace("**", "*/*");
    config +=
        &format!("[INPUT]\n    name tail\n    path {pattern}\n    read_from_head on\n{}", kept(storage));
    if parsed {
        config += "    parser lines\n";
    }
    let mut output =
        format!("[OUTPUT]\n    name forward\n    match *\n    host 127.0.0.1\n    port {port}\n");
    if storage == Storage::Files {
        config += &format!("    db {}\n    db.sync full\n", scratch.join("tail.db").display());
        output += "    require_ack_response on\n";
    }
    config + &output
}

/// Records that the receiver's input has taken, as its metrics say.
fn received(status: SocketAddr) -> Option<u64> {
    let mut stream = TcpStream::connect(status).ok()?;
    let asked = b"GET /api/v1/metrics/prometheus HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(asked).ok()?;
    let mut text = String::new();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(2))).ok()?;
    // The connection may stay open behind a whole answer.
    let _ = stream.read_to_string(&mut text);
    let lines = text.lines().filter(|line| line.starts_with("fluentbit_input_records_total"));
    let line = lines.into_iter().find(|line| line.contains("forward"))?;
    line.split_whitespace().nth(1).context("a count").ok()?.parse().ok()
}
