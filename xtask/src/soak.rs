//! `cargo xtask soak encodings` and `cargo xtask fixtures`: tests of the store and of the journal that do more where they are
//! asked to. Knows nothing of what they do.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Writes and reads back as many columns of each encoding (or of those that `--only` names, with commas between) as
/// `--executions` says, values from `--seed` on, on two threads; prints a line of Markdown for each: encoding, columns of it,
/// columns in all, seconds. What is done is noted in `target/soak.SEED`: a run that was stopped goes on from there.
pub fn encodings(root: &Path, arguments: &[String]) -> Result<bool> {
    let mut command =
        cargo(root, "sawlog-store", "segment::fuzz::tests::every_encoding_gives_back_what_was_written");
    command.env("SAWLOG_EXECUTIONS", "100000");
    let mut seed = "1";
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let variable = match argument.as_str() {
            "encodings" => continue,
            "--executions" => "SAWLOG_EXECUTIONS",
            "--seed" => "SAWLOG_SEED",
            "--only" => "SAWLOG_ONLY",
            other => bail!("there is no {other:?}; see: cargo xtask"),
        };
        let value = arguments.next().with_context(|| format!("{argument} wants a value"))?;
        if argument == "--seed" {
            seed = value;
        }
        command.env(variable, value);
    }
    command.env("SAWLOG_KEEP", root.join("target").join(format!("soak.{seed}")));
    succeeded(command.arg("--nocapture"))
}

/// Makes the fixtures of the formats of now.
pub fn fixtures(root: &Path) -> Result<bool> {
    let fixtures = [
        ("sawlog-store", "tests::fixtures::what_is_written_now_has_the_rows_of_the_fixture"),
        ("sawlog-journal", "tests::fixtures::what_is_written_now_is_what_the_fixture_has"),
    ];
    for (package, test) in fixtures {
        if !succeeded(cargo(root, package, test).env("SAWLOG_FIXTURES", "1"))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// One test in release.
fn cargo(root: &Path, package: &str, test: &str) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root).args(["test", "--release", "-p", package, "--lib", "--", "--exact"]);
    command.arg(test);
    command
}

fn succeeded(command: &mut Command) -> Result<bool> {
    Ok(command.status().context("cannot run cargo")?.success())
}
