//! Processes that are measured: what they have used so far, when they have come to rest, and how they are ended. Knows
//! nothing of what they do.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Longest that a process may take to start, or to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time between two looks at a process.
const LOOK: Duration = Duration::from_millis(50);
/// Without a tick of processor time for so long, processes are at rest.
const REST: Duration = Duration::from_millis(1000);

/// What a process has used.
#[derive(Clone, Copy, Default)]
pub(super) struct Used {
    /// Processor seconds, user and system.
    pub cpu: f64,
    /// Most memory that was resident, bytes.
    pub resident: u64,
}

/// What a process has done up to now.
pub(super) struct Activity {
    /// Memory that is resident now, bytes.
    pub resident: u64,
    /// How often its threads have gone to sleep.
    pub switches: u64,
    /// Processor time of the threads that live.
    pub cpu_nanos: u64,
}

/// A running process, whose output goes to files; killed when dropped.
pub(super) struct Process {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Process {
    /// Starts it; `name` names its files below `scratch`.
    pub(super) fn start(command: &mut Command, scratch: &Path, name: &str) -> Result<Process> {
        let (out, err) = (scratch.join(format!("{name}.out")), scratch.join(format!("{name}.err")));
        command.stdin(Stdio::null()).stdout(File::create(&out)?).stderr(File::create(&err)?);
        let child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
        Ok(Process { child, out, err })
    }

    /// What it has used so far.
    pub(super) fn used(&self) -> Result<Used> {
        used(self.child.id())
    }

    /// What it has done up to now, exactly enough for a process that rests.
    pub(super) fn activity(&self) -> Result<Activity> {
        let pid = self.child.id();
        let (mut switches, mut cpu_nanos) = (0, 0);
        for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            let task = task?.path();
            let status = std::fs::read_to_string(task.join("status"))?;
            switches += number_of(&status, "voluntary_ctxt_switches:")?;
            let spent = std::fs::read_to_string(task.join("schedstat"))?;
            cpu_nanos += spent.split_whitespace().next().context("schedstat")?.parse::<u64>()?;
        }
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        Ok(Activity { resident: number_of(&status, "VmRSS:")? * 1024, switches, cpu_nanos })
    }

    /// The first line that it prints, once it is whole.
    pub(super) fn first_line(&mut self) -> Result<String> {
        let start = Instant::now();
        loop {
            let text = std::fs::read_to_string(&self.out)?;
            if let Some((line, _)) = text.split_once('\n') {
                return Ok(line.to_owned());
            }
            if self.child.try_wait()?.is_some() || start.elapsed() > PATIENCE {
                bail!("it does not start: {}", std::fs::read_to_string(&self.err)?);
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Asks it to end, waits until it has, and gives what it printed to standard error.
    pub(super) fn end(mut self) -> Result<String> {
        if !end(&mut self.child)? {
            bail!("it had ended before: {}", std::fs::read_to_string(&self.err)?);
        }
        Ok(std::fs::read_to_string(&self.err)?)
    }
}

/// Asks a process to end and waits until it has; gives whether it ran.
pub(super) fn end(child: &mut Child) -> Result<bool> {
    if !Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?.success() {
        return Ok(false);
    }
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > PATIENCE {
            bail!("it does not end");
        }
        std::thread::sleep(LOOK);
    }
    Ok(true)
}

/// What a process has used so far.
pub(super) fn used(pid: u32) -> Result<Used> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(Used { cpu: super::processor(pid)?, resident: number_of(&status, "VmHWM:")? * 1024 })
}

/// What stands behind `name` in the first line of a node.
pub(super) fn word<'a>(line: &'a str, name: &str) -> Result<&'a str> {
    let mut words = line.split_whitespace();
    words.find_map(|word| word.strip_prefix(name)).with_context(|| format!("no {name} in {line:?}"))
}

/// The number in a line of a process's status.
fn number_of(status: &str, what: &'static str) -> Result<u64> {
    let line = status.lines().find(|line| line.starts_with(what)).context(what)?;
    Ok(line.split_whitespace().nth(1).context(what)?.parse()?)
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until both have worked and then rested for a second; at most `patience`.
pub(super) fn rest(one: &Process, other: &Process, patience: Duration) -> Result<(Used, Used)> {
    let start = Instant::now();
    let (mut last, mut since) = ((one.used()?, other.used()?), Instant::now());
    loop {
        std::thread::sleep(LOOK);
        let now = (one.used()?, other.used()?);
        if now.0.cpu + now.1.cpu > last.0.cpu + last.1.cpu {
            since = Instant::now();
        }
        last = now;
        if since.elapsed() >= REST {
            return Ok(last);
        }
        if start.elapsed() > patience {
            bail!("they do not come to rest");
        }
    }
}
