//! Runs the Rust tests of the whole workspace and reads their counts.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::tally::Tally;

/// `cargo test --workspace`, passing its output through.
pub fn run(root: &Path, data: Option<&Path>, tally: &mut Tally) -> Result<()> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["test", "--workspace", "--locked", "--no-fail-fast", "--", "--show-output"])
        .current_dir(root)
        .stdout(Stdio::piped());
    if let Some(data) = data {
        cargo.env("SAWLOG_DATA", data);
    }
    let mut child = cargo.spawn().context("cargo test")?;
    let output = child.stdout.take().context("output of cargo test")?;
    let mut counted = 0;
    for line in BufReader::new(output).lines() {
        let line = line?;
        if let Some((passed, failed, ignored)) = read_result(&line) {
            tally.add(passed, failed);
            counted += passed + failed;
            for _ in 0..ignored {
                tally.skip("an ignored Rust test", "its attribute says so");
            }
        } else if let Some(rest) = line.trim_start().strip_prefix("SKIPPED ") {
            let (name, why) = rest.split_once(": ").unwrap_or((rest, ""));
            tally.skip(name, why);
            continue;
        }
        println!("{line}");
    }
    let success = child.wait()?.success();
    if !success || counted == 0 {
        // A test binary that did not build or crashed has no counts of its own.
        tally.check("cargo test ends well", success && counted > 0);
    }
    Ok(())
}

/// The numbers of `test result: ok. 4 passed; 0 failed; 0 ignored; …`.
fn read_result(line: &str) -> Option<(usize, usize, usize)> {
    let rest = line.strip_prefix("test result: ")?;
    let number = |word: &str| -> Option<usize> {
        let at = rest.find(word)?;
        rest[..at].trim_end().rsplit(' ').next()?.parse().ok()
    };
    Some((number("passed")?, number("failed")?, number("ignored")?))
}
