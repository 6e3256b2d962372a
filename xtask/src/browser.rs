//! The page in a real Chromium against a real node: `crates/server/ui-tests/run.mjs` drives it, and `tsc` checks the
//! types of its modules.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::needs;
use crate::node::Node;
use crate::tally::Tally;

/// Checks types, then drives the page; the driver's last line is `N passed, N failed`.
pub fn run(root: &Path, node: &Node, tally: &mut Tally) -> Result<()> {
    let folder = root.join("crates/server/ui-tests");
    if !needs::has("npm") {
        tally.skip("the page in Chromium", "there is no npm");
        return Ok(());
    }
    needs::debian(&["chromium"], &["chromium"])?;
    needs::succeed(
        Command::new("npm").args(["ci", "--silent", "--no-audit", "--no-fund"]).current_dir(&folder),
    )?;
    let types = Command::new("npx")
        .args(["tsc", "--project", "../ui/tsconfig.json"])
        .current_dir(&folder)
        .status()?;
    tally.check("types of the page's modules (tsc)", types.success());
    let mut driver = Command::new("node");
    driver.arg("run.mjs").arg(&node.http).arg(root.join("target/screenshots")).current_dir(&folder);
    driver.env("SAWLOG_FOLLOWED", &node.followed);
    let output = driver.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("node run.mjs")?;
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    for skipped in text.lines().filter_map(|line| line.strip_prefix("SKIPPED ")) {
        let (name, why) = skipped.split_once(": ").unwrap_or((skipped, ""));
        tally.skip(name, why);
    }
    let counts = text.lines().rev().find_map(read_counts);
    match counts {
        Some((passed, failed)) => tally.add(passed, failed),
        None => tally.check("the page in Chromium gives its counts", false),
    }
    Ok(())
}

/// The numbers of `N passed, N failed`.
fn read_counts(line: &str) -> Option<(usize, usize)> {
    let (passed, rest) = line.split_once(" passed, ")?;
    Some((passed.trim().parse().ok()?, rest.split(' ').next()?.parse().ok()?))
}
