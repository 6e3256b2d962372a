//! `cargo xtask soak encodings` and `cargo xtask fixtures`: tests of the store and of the journal that are run only when
//! somebody asks for them. Knows nothing of what they do.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Writes and reads back as many columns of each encoding as `--executions` says, values from `--seed` on, on two threads; prints
/// a line of Markdown for each: encoding, columns of it, columns in all, seconds.
pub fn encodings(root: &Path, arguments: &[String]) -> Result<bool> {
    let mut command = cargo(root, "sawlog-store", "segment::fuzz::tests::soak");
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let variable = match argument.as_str() {
            "encodings" => continue,
            "--executions" => "SAWLOG_EXECUTIONS",
            "--seed" => "SAWLOG_SEED",
            other => {
                bail!("there is no {other:?}; write: cargo xtask soak encodings [--executions N] [--seed N]")
            }
        };
        let value = arguments.next().with_context(|| format!("{argument} is a number"))?;
        command.env(variable, value);
    }
    succeeded(command.arg("--nocapture"))
}

/// Makes the fixtures of the formats of now.
pub fn fixtures(root: &Path) -> Result<bool> {
    for package in ["sawlog-store", "sawlog-journal"] {
        if !succeeded(&mut cargo(root, package, "tests::fixtures::make"))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// One ignored test in release.
fn cargo(root: &Path, package: &str, test: &str) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root).args([
        "test",
        "--release",
        "-p",
        package,
        "--lib",
        "--",
        "--ignored",
        "--exact",
    ]);
    command.arg(test);
    command
}

fn succeeded(command: &mut Command) -> Result<bool> {
    Ok(command.status().context("cannot run cargo")?.success())
}
