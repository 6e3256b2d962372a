//! The agent as its users start it.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "a test looks at the real machine")]

mod background;
mod called;
mod check;
mod client;
mod fluent;

use std::path::Path;
use std::process::{Command, Output};

/// Runs the agent to its end.
fn agent(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sawlog-agent"))
        .current_dir(dir)
        .args(arguments)
        .output()
        .expect("the agent starts")
}
