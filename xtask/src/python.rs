//! The Python library in `clients/python`: its own tests, in a virtual environment with the frameworks it integrates with,
//! against a real `sawlog-agent`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::needs;
use crate::tally::Tally;

/// Runs pytest and takes over its counts.
pub fn run(root: &Path, tally: &mut Tally) -> Result<()> {
    let name = "the Python library's own tests";
    if !needs::has("python3") {
        tally.skip(name, "there is no python3");
        return Ok(());
    }
    let python = match environment(root) {
        Ok(python) => python,
        Err(error) => {
            tally.skip(name, &format!("its environment cannot be made: {error:#}"));
            return Ok(());
        }
    };
    needs::succeed(
        Command::new(env!("CARGO"))
            .args(["build", "--locked", "--package", "sawlog-agent"])
            .current_dir(root),
    )?;
    let mut pytest = Command::new(python);
    pytest.args(["-m", "pytest", "-q", "-rs", "--color=no", "-p", "no:cacheprovider"]);
    pytest.current_dir(root.join("clients/python")).stdin(Stdio::null()).stdout(Stdio::piped());
    pytest.env("SAWLOG_AGENT", root.join("target/debug/sawlog-agent"));
    let mut child = pytest.spawn().context("pytest")?;
    let output = child.stdout.take().context("output of pytest")?;
    let (mut counted, mut failures) = (0, 0);
    for line in BufReader::new(output).lines() {
        let line = line?;
        if let Some((name, why)) = read_skip(&line) {
            tally.skip(name, why);
            continue;
        }
        if let Some((passed, failed)) = read_counts(&line) {
            tally.add(passed, failed);
            counted += passed + failed;
            failures += failed;
        }
        println!("{line}");
    }
    if counted == 0 || (!child.wait()?.success() && failures == 0) {
        // What was not even begun has no counts of its own.
        tally.check(name, false);
    }
    Ok(())
}

/// A virtual environment with the library and what its tests need; made again when either list of needs changes.
fn environment(root: &Path) -> Result<PathBuf> {
    let library = root.join("clients/python");
    let requirements = library.join("tests/requirements.txt");
    let folder = root.join("target/clients-python-library");
    let python = folder.join("bin/python");
    let wanted =
        std::fs::read_to_string(&requirements)? + &std::fs::read_to_string(library.join("pyproject.toml"))?;
    let complete = folder.join(".complete");
    if std::fs::read_to_string(&complete).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    needs::succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    needs::succeed(pip.arg(&requirements).arg(&library))?;
    std::fs::write(complete, wanted)?;
    Ok(python)
}

/// Where and why, of `SKIPPED [1] tests/test_x.py:7: there is no y`.
fn read_skip(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.strip_prefix("SKIPPED [")?.split_once("] ")?;
    rest.split_once(": ")
}

/// Passed and failed, of `2 failed, 112 passed, 3 skipped, 1 error in 8.03s`.
fn read_counts(line: &str) -> Option<(usize, usize)> {
    let (counts, _) = line.rsplit_once(" in ")?;
    let (mut passed, mut failed, mut known) = (0, 0, false);
    for part in counts.split(", ") {
        let (number, what) = part.trim_matches('=').trim().split_once(' ')?;
        let number: usize = number.parse().ok()?;
        known |= matches!(what, "passed" | "failed" | "skipped");
        match what {
            "passed" => passed += number,
            "failed" | "error" | "errors" => failed += number,
            _ => {}
        }
    }
    known.then_some((passed, failed))
}
