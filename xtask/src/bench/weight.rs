//! What sawlog weighs: size of the binaries, time to be ready, resident memory and wake-ups of an idle node, memory after
//! a query.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Bench, mb, processor};

/// Longest that a node may take to read a set.
const LOAD_PATIENCE: Duration = Duration::from_secs(120);

/// A node that spent no more seconds of processor time in two on the clock has nothing left to read.
const QUIET: f64 = 0.045;

pub(super) fn run(bench: &Bench) -> Result<()> {
    println!("\n### Weight\n");
    println!("| what | figure |");
    println!("|---|---|");
    for (name, path) in [("sawlog", &bench.sawlog), ("sawlog-agent", &bench.agent)] {
        println!("| {name}, stripped, MB | {} |", mb(path.metadata()?.len()));
    }
    let (set, _) = bench.sets[0];
    let data = bench.scratch.join(format!("sawlog-{set}"));
    node(&bench.sawlog, &data)?;
    load(&bench.sawlog, &bench.scratch.join("load"), &bench.logs.join("iotdb"))?;
    agent(&bench.agent, &bench.scratch.join("agent"))
}

fn node(program: &Path, data: &Path) -> Result<()> {
    let mut command = Command::new(program);
    command.args(["run", "--http", "127.0.0.1:0", "--forward", "127.0.0.1:0", "--data"]).arg(data);
    let start = Instant::now();
    let (mut child, line) = ready(&mut command)?;
    println!("| sawlog run, time to be ready, ms | {} |", start.elapsed().as_millis());
    std::thread::sleep(Duration::from_secs(5));
    idle("sawlog run", child.id())?;
    let http =
        line.split_whitespace().find_map(|word| word.strip_prefix("http=http://")).context("its address")?;
    let mut stream = std::net::TcpStream::connect(http)?;
    std::io::Write::write_all(
        &mut stream,
        b"GET /api/v1/search?query=*%20%7C%20stats%20count() HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    )?;
    std::io::copy(&mut stream, &mut std::io::sink())?;
    println!("| sawlog run, resident after a query, MB | {} |", mb(resident(child.id())?));
    child.kill()?;
    child.wait()?;
    Ok(())
}

/// A node that reads files from their beginning as fast as it can: the most memory that it ever held.
fn load(program: &Path, folder: &Path, logs: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let config = folder.join("sawlog.toml");
    let paths = logs.join("**").display().to_string();
    std::fs::write(
        &config,
        format!("[[input]]\ntype = \"tail\"\npaths = [\"{paths}\"]\nfrom_beginning = true\n"),
    )?;
    let mut command = Command::new(program);
    command.args(["run", "--http", "127.0.0.1:0", "-c"]).arg(&config).arg("--data").arg(folder.join("data"));
    let (mut child, _) = ready(&mut command)?;
    let began = Instant::now();
    let mut spent = processor(child.id())?;
    while began.elapsed() < LOAD_PATIENCE {
        std::thread::sleep(Duration::from_secs(2));
        let now = processor(child.id())?;
        if now - spent <= QUIET {
            break;
        }
        spent = now;
    }
    println!("| sawlog run, most resident while it reads the iotdb set, MB | {} |", mb(most(child.id())?));
    println!("| sawlog run, CPU s for that | {:.2} |", processor(child.id())?);
    child.kill()?;
    child.wait()?;
    Ok(())
}

fn agent(program: &Path, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("a.log"), "a line\n")?;
    let mut command = Command::new(program);
    command.arg("run").arg("--tail").arg(folder.join("*.log")).args(["--to", "127.0.0.1:9", "--data"]);
    let (mut child, _) = ready(command.arg(folder.join("data")))?;
    std::thread::sleep(Duration::from_secs(5));
    idle("sawlog-agent run", child.id())?;
    child.kill()?;
    child.wait()?;
    Ok(())
}

/// Starts a node and waits for its start line.
pub(super) fn ready(command: &mut Command) -> Result<(Child, String)> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("its output")?).read_line(&mut line)?;
    Ok((child, line))
}

fn idle(name: &str, pid: u32) -> Result<()> {
    println!("| {name}, idle, resident, MB | {} |", mb(resident(pid)?));
    let before = switches(pid)?;
    std::thread::sleep(Duration::from_secs(20));
    println!("| {name}, idle, wake-ups per second | {:.2} |", (switches(pid)? - before) as f64 / 20.0);
    Ok(())
}

/// Bytes of memory that a process has now.
pub(super) fn resident(pid: u32) -> Result<u64> {
    memory(pid, "VmRSS:")
}

/// Most bytes of memory that a process ever had.
pub(super) fn most(pid: u32) -> Result<u64> {
    memory(pid, "VmHWM:")
}

/// Bytes of a line of the process's status.
fn memory(pid: u32, what: &'static str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with(what)).context(what)?;
    Ok(line.split_whitespace().nth(1).context(what)?.parse::<u64>()? * 1024)
}

/// Voluntary switches of all threads: how often the process has gone to sleep.
fn switches(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = std::fs::read_to_string(task?.path().join("status"))?;
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"));
        sum += line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(sum)
}
