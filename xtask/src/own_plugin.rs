//! Builds the example of a binary with plug-ins of its own, and runs it: what it sends to itself must be counted.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::tally::Tally;

/// Longest that the first events may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Builds it into a folder of its own below the workspace's target and runs it until it has counted some events.
pub fn run(root: &Path, tally: &mut Tally) -> Result<()> {
    let name = "an own binary with an own input and output (examples/own-plugin)";
    let example = root.join("examples/own-plugin");
    let target = root.join("target/own-plugin");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked"]).current_dir(&example).env("CARGO_TARGET_DIR", &target);
    if !build.status()?.success() {
        tally.check(name, false);
        return Ok(());
    }
    let folder = target.join("run");
    // What an earlier run left must not count.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    let mut child = Command::new(target.join("debug/own-plugin"))
        .args(["run", "-c"])
        .arg(example.join("beats.toml"))
        .current_dir(&folder)
        .stdout(Stdio::null())
        .spawn()?;
    let until = Instant::now() + PATIENCE;
    let mut counted = 0;
    while counted < 5 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
        let text = std::fs::read_to_string(folder.join("tally.txt")).unwrap_or_default();
        counted = text.trim().strip_prefix("heart ").and_then(|count| count.parse().ok()).unwrap_or(0);
    }
    child.kill()?;
    child.wait()?;
    tally.check(name, counted >= 5);
    Ok(())
}
