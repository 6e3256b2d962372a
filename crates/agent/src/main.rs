//! The binary of leaf nodes: follows files, takes events, parses and forwards them, with a journal that holds what the
//! other end has not acknowledged. No store, no queries, no web server.

mod background;
mod node;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Error, Result, bail};
use clap::{Args, Parser, Subcommand};
use sawlog_pipeline::config::{self, Config};
use sawlog_pipeline::{Protocol, wiring};
use sawlog_sys::Sys;

use crate::background::Goes;

/// The protocols that this binary speaks.
const PROTOCOLS: &[&Protocol] = &[
    &sawlog_wire::tail::PROTOCOL,
    &sawlog_wire::forward::PROTOCOL,
    &sawlog_wire::stdout::PROTOCOL,
    &sawlog_wire::filter::grep::PROTOCOL,
    &sawlog_wire::filter::record_transformer::PROTOCOL,
];

/// Follows log files and forwards them, losing and doubling nothing.
#[derive(Parser)]
#[command(name = "sawlog-agent", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Follow files and forward them
    Run(Run),
    /// Check a configuration without starting anything
    Check {
        /// The configuration
        #[arg(short, long, value_name = "FILE", default_value = "sawlog.toml")]
        config: PathBuf,
    },
}

#[derive(Args)]
struct Run {
    /// Follow files: a path or pattern, such as '/var/log/**/*.log'; may be given several times
    #[arg(long, value_name = "GLOB")]
    tail: Vec<String>,
    /// Forward to this sawlog, HOST:PORT
    #[arg(long, value_name = "ADDR")]
    to: Option<String>,
    /// Configuration, as for sawlog itself
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory of the journal
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    detach: background::Detach,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(run) => start(run),
        Command::Check { config } => {
            read(&Sys::real(), &config).map(|_| println!("{}: nothing wrong", config.display()))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sawlog-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(run: Run) -> Result<()> {
    let sys = Sys::real();
    let mut config = match &run.config {
        Some(path) => read(&sys, path)?,
        None => Config::default(),
    };
    if !run.tail.is_empty() {
        let section = wiring::section(&sawlog_wire::tail::PROTOCOL, &[("paths", run.tail)]);
        config.inputs.push(section.map_err(Error::msg)?);
    }
    if let Some(to) = run.to {
        let section = wiring::section(&sawlog_wire::forward::PROTOCOL, &[("to", vec![to])]);
        config.push_output(section.map_err(Error::msg)?);
    }
    if config.inputs.is_empty() || config.outputs().is_empty() {
        bail!("nothing to do: name files with --tail and a receiver with --to, or both in a configuration");
    }
    let given = run.data.or_else(|| config.settings.get("data").map(PathBuf::from));
    let data = given.unwrap_or_else(|| PathBuf::from("./sawlog-data"));
    sys.fs.create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
    match run.detach.go(&data)? {
        Goes::On(background) => node::run(sys, &data, &config, background),
        Goes::Away => Ok(()),
    }
}

fn read(sys: &Sys, path: &std::path::Path) -> Result<Config> {
    config::read_file(sys, path, PROTOCOLS, wiring::SETTINGS).map_err(Error::msg)
}
