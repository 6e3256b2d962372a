//! Our agent as sender and receiver: its configurations, and how a run of both is measured. Knows nothing of its peers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::relay::Relay;
use super::{Job, Measured, PATIENCE};
use crate::bench::process::{self, Process};

/// How the agents are configured.
pub(super) struct Agents {
    /// For another sawlog (rows keep their addresses, exactly once), or Fluentd's protocol.
    pub lane: bool,
    /// `text`, `lz4`, `zstd` or `gzip`.
    pub compress: &'static str,
    /// Whether the sender waits for acknowledgements.
    pub ack: bool,
    /// Journals stand in memory: what is fsynced there is as safe as what a peer holds in memory.
    pub in_memory: bool,
    /// Lines are read by the job's regular expression, and not by what knows their format.
    pub by_expression: bool,
}

/// Forwards the job's files from one agent to another, which drops the rows once they are journaled. With `relayed` the
/// bytes are counted on their way.
pub(super) fn measure(
    agent: &Path,
    how: &Agents,
    job: &Job<'_>,
    scratch: &Path,
    relayed: bool,
) -> Result<Measured> {
    let data = if how.in_memory { memory()? } else { scratch.to_owned() };
    let result = run(agent, how, job, scratch, &data, relayed);
    if how.in_memory {
        std::fs::remove_dir_all(&data)?;
    }
    result
}

/// A new folder in memory.
fn memory() -> Result<PathBuf> {
    let folder = Path::new("/dev/shm").join(format!("sawlog-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).context("no folder in memory, /dev/shm")?;
    Ok(folder)
}

/// A sender and its receiver.
pub(super) struct Pair {
    pub sender: Process,
    pub receiver: Process,
    relay: Option<Relay>,
}

fn run(
    agent: &Path,
    how: &Agents,
    job: &Job<'_>,
    scratch: &Path,
    data: &Path,
    relayed: bool,
) -> Result<Measured> {
    let Pair { sender, receiver, relay } = start_pair(agent, how, job, scratch, data, relayed)?;
    let (sent, received) = process::rest(&sender, &receiver, PATIENCE)?;
    sender.end()?;
    let arrived = taken(&receiver.end()?);
    let wire = relay.map(|relay| relay.sent());
    Ok(Measured { sender: sent, receiver: received, arrived, wire })
}

/// Starts both.
pub(super) fn start_pair(
    agent: &Path,
    how: &Agents,
    job: &Job<'_>,
    scratch: &Path,
    data: &Path,
    relayed: bool,
) -> Result<Pair> {
    let config = "[[input]]\ntype = \"forward\"\nlisten = \"127.0.0.1:0\"\n\n[[output]]\ntype = \"null\"\n";
    let mut receiver = start(agent, config, scratch, data, "receiver")?;
    let line = receiver.first_line()?;
    let listens = line.split_whitespace().find_map(|word| word.strip_prefix("forward="));
    let to: SocketAddr = listens.context("the receiver's address")?.parse()?;
    let relay = if relayed { Some(Relay::start(to)?) } else { None };
    let to = relay.as_ref().map_or(to, |relay| relay.address);
    let config = sender(how, job, to);
    let mut sender = start(agent, &config, scratch, data, "sender")?;
    sender.first_line()?;
    Ok(Pair { sender, receiver, relay })
}

fn start(agent: &Path, config: &str, scratch: &Path, data: &Path, name: &str) -> Result<Process> {
    let file = scratch.join(format!("{name}.toml"));
    std::fs::write(&file, config)?;
    let mut command = Command::new(agent);
    command.arg("run").arg("-c").arg(&file).arg("--data").arg(data.join(name));
    Process::start(&mut command, scratch, name)
}

fn sender(how: &Agents, job: &Job<'_>, to: SocketAddr) -> String {
    let parse = match job.lines {
        super::Lines::AsTheyAre => "parse.type = \"none\"\n".to_owned(),
        super::Lines::Parsed { expression, time } if how.by_expression => {
            format!(
                "parse.type = \"regexp\"\nparse.expression = '{expression}'\nparse.time_format = \"{time}\"\n"
            )
        }
        super::Lines::Parsed { .. } => String::new(),
    };
    format!(
        "[[input]]\ntype = \"tail\"\npaths = [{:?}]\n{parse}\n[[output]]\ntype = \"forward\"\nto = \"{to}\"\nlane = {}\n\
         compress = \"{}\"\nack = {}\n",
        job.pattern.to_string_lossy(),
        how.lane,
        how.compress,
        how.ack,
    )
}

/// Rows that the receiver took, as it says at its end.
fn taken(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains("ended"))?;
    let (_, rest) = line.split_once("forward")?;
    let (_, count) = rest.split_once('=')?;
    count.split_whitespace().next()?.parse().ok()
}
