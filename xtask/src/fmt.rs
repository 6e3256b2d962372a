//! Formatting by `rustfmt` over every tracked file, since `cargo fmt` does not see modules that a macro declares.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// Formats, or with `check` only tells whether all is formatted.
pub fn run(root: &Path, check: bool) -> Result<bool> {
    let listed =
        Command::new("git").args(["ls-files", "*.rs"]).current_dir(root).output().context("git ls-files")?;
    let files = String::from_utf8(listed.stdout)?;
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.current_dir(root).args(["--edition", "2024"]);
    if check {
        rustfmt.arg("--check");
    }
    let present = files.lines().filter(|file| root.join(file).is_file());
    Ok(rustfmt.args(present).status().context("rustfmt (rustup component add rustfmt)")?.success())
}
