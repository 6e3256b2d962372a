//! The project's own chores: `cargo xtask fmt`, `cargo xtask test`, `cargo xtask bench`. Knows nothing of how sawlog works
//! inside; it builds it, starts it and looks at it from outside.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a build tool works on the real machine"
)]

mod bench;
mod browser;
mod clients;
mod dist;
mod fmt;
mod needs;
mod node;
mod own_plugin;
mod python;
mod rust_tests;
mod servers;
mod soak;
mod tally;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
cargo xtask fmt [--check]     format every tracked Rust file
cargo xtask test [--fast]     install what the tests need, run all tests, close with the counts
                              (--fast: only the Rust tests)
cargo xtask soak encodings [--executions N] [--seed N] [--only NAME,NAME]
                              write and read back so many columns of each encoding, in release; one that was stopped goes on
cargo xtask fixtures          make the stores that the tests of old formats open; a frozen one stays as it is
cargo xtask dist              the agent as a static executable and as a Debian package
cargo xtask bench [PART…] [SET…]
                              measure against the peers that are installed; prints Markdown (parts: store, queries,
                              weight, forward, normalize, tenants, load [--at-once N], and three that are only run when they are
                              named: amqp: ten minutes of events from RabbitMQ; start [--segments N]: ready over many segments;
                              scale [--gb N] [--ask NAMES]: questions over gigabytes; the last two by themselves)";

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let root = root()?;
    match arguments.first().map(String::as_str) {
        Some("fmt") => fmt::run(&root, arguments.iter().any(|argument| argument == "--check")),
        Some("test") => test(&root, arguments.iter().any(|argument| argument == "--fast")),
        Some("soak") => soak::encodings(&root, &arguments[1..]),
        Some("fixtures") => soak::fixtures(&root),
        Some("dist") => dist::run(&root),
        Some("bench") => bench::run(&root, &arguments[1..]),
        _ => bail!("what to do?\n{USAGE}"),
    }
}

/// The folder of the workspace, whatever folder the command was given in.
fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here.parent().context("xtask has no parent folder")?.to_owned())
}

/// Everything that is tested, in one run that closes with the counts.
fn test(root: &Path, fast: bool) -> Result<bool> {
    let mut tally = tally::Tally::default();
    let data = needs::real_logs(root, &mut tally)?;
    tally.check("every tracked Rust file is formatted", fmt::run(root, true)?);
    if let Err(error) = needs::rabbitmq() {
        println!("no RabbitMQ, whose tests will say that they are skipped: {error:#}");
    }
    if let Err(error) = needs::debian(&["redis-server"], &["redis-server"]) {
        println!("no Redis, whose tests will say that they are skipped: {error:#}");
    }
    if let Err(error) = needs::debian(&["lognormalizer"], &["liblognorm-utils"]) {
        println!("no lognormalizer, beside which rule bases are tested: {error:#}");
    }
    rust_tests::run(root, data.as_deref(), &mut tally)?;
    if !fast {
        python::run(root, &mut tally)?;
        own_plugin::run(root, &mut tally)?;
        clients::run(root, &mut tally)?;
        let node = node::Node::start(root, "browser")?;
        browser::run(root, &node, &mut tally)?;
        node.stop()?;
    }
    tally.close(root)
}
