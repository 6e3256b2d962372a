//! Counts what passed, failed and was skipped, and closes with the one line that says so. A skip is loud, and in CI it
//! must stand in `.ci/allowed-skips`.

use std::path::Path;

use anyhow::Result;

/// The counts of a run.
#[derive(Default)]
pub struct Tally {
    passed: usize,
    failed: usize,
    skipped: Vec<String>,
}

impl Tally {
    /// Counts one check by its outcome.
    pub fn check(&mut self, name: &str, passed: bool) {
        println!("{} {name}", if passed { "ok  " } else { "FAIL" });
        self.add(usize::from(passed), usize::from(!passed));
    }

    /// Counts many.
    pub fn add(&mut self, passed: usize, failed: usize) {
        self.passed += passed;
        self.failed += failed;
    }

    /// Counts one as skipped, loudly.
    pub fn skip(&mut self, name: &str, why: &str) {
        println!("SKIPPED {name}: {why}");
        self.skipped.push(name.to_owned());
    }

    /// Prints the closing line; `true` where nothing failed and, in CI, nothing was skipped that may not be.
    pub fn close(mut self, root: &Path) -> Result<bool> {
        if std::env::var_os("CI").is_some() {
            let allowed = std::fs::read_to_string(root.join(".ci/allowed-skips")).unwrap_or_default();
            let allowed: Vec<&str> = allowed.lines().filter(|line| !line.starts_with('#')).collect();
            let forbidden: Vec<String> =
                self.skipped.iter().filter(|name| !allowed.contains(&name.as_str())).cloned().collect();
            for name in forbidden {
                println!("FAIL skipped in CI, though not in .ci/allowed-skips: {name}");
                self.failed += 1;
            }
        }
        println!("\n{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped.len());
        Ok(self.failed == 0)
    }
}
