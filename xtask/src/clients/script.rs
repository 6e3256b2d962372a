//! Runs a script of clients and counts what it tells: a line `ok`, `FAIL` or `SKIPPED` for each check. Knows nothing of what
//! they check.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::tally::Tally;

/// Runs it, passing its output through. One that ends badly without a failed check, or without any check, is a failure of
/// that name itself.
pub(super) fn run(name: &str, script: &mut Command, tally: &mut Tally) -> Result<()> {
    let mut child = script.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context(name.to_owned())?;
    let output = child.stdout.take().context("output of a script")?;
    let (mut told, mut failed) = (0, 0);
    for line in BufReader::new(output).lines() {
        let line = line?;
        if let Some((name, why)) = line.strip_prefix("SKIPPED ").and_then(|rest| rest.rsplit_once(": ")) {
            tally.skip(name, why);
            told += 1;
            continue;
        }
        println!("{line}");
        let (passed, failure) = (line.starts_with("ok  "), line.starts_with("FAIL"));
        tally.add(usize::from(passed), usize::from(failure));
        told += usize::from(passed || failure);
        failed += usize::from(failure);
    }
    let success = child.wait()?.success();
    if told == 0 || (!success && failed == 0) {
        tally.check(name, false);
    }
    Ok(())
}
