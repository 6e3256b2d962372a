//! The program of leaf nodes: follows files, takes events, parses and forwards them, with a journal that holds what the
//! other end has not acknowledged. No store, no queries, no web server. A library, so that a binary with protocols of its
//! own is one line: [`main`].

mod background;
mod called;
mod control;
mod node;
mod operate;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::OnceLock;

use anyhow::{Context, Error, Result, bail};
use clap::{Args, Parser, Subcommand};
use sawlog_pipeline::config::{self, Compat, Config, Known, Loaded};
use sawlog_pipeline::{Protocol, wiring};
use sawlog_sys::Sys;
use sawlog_wire::format::lognorm::{self, Which};
use sawlog_wire::trial;

use crate::background::Goes;

/// The protocols that this program speaks, once [`main`] has been told its own.
static PROTOCOLS: OnceLock<Vec<&'static Protocol>> = OnceLock::new();

fn protocols() -> &'static [&'static Protocol] {
    PROTOCOLS.get().map_or(sawlog_wire::PROTOCOLS, Vec::as_slice)
}

/// What a configuration may name.
fn known() -> Known<'static> {
    Known { protocols: protocols(), settings: wiring::SETTINGS }
}

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
    Check(Check),
    /// Print a configuration of Fluentd, ik, Flosculus or Beaver as sawlog.toml; differences go to standard error
    Convert(Convert),
    /// Show inputs and outputs of the running agent, as JSON
    Status(operate::DataArg),
    /// Show records as they pass the running agent; what is too much to show is passed over and counted
    Tap(operate::Tap),
    /// Have the running agent read its configuration again; one that is wrong changes nothing
    Reload(operate::DataArg),
    /// Show, replay or drop rows that outputs refused
    Dead(operate::Dead),
    /// Read lines from standard input by a rule base of liblognorm; write what they are, one JSON object a line
    Normalize(Normalize),
}

#[derive(Args)]
struct Normalize {
    /// The rule base, of version 1 or 2
    #[arg(short, long, value_name = "FILE")]
    rulebase: PathBuf,
}

#[derive(Args)]
struct Check {
    /// The configuration: sawlog's own, or Fluentd's or ik's
    #[arg(short, long, value_name = "FILE", default_value = "sawlog.toml")]
    config: PathBuf,
    #[command(flatten)]
    dialect: Dialect,
    /// Run the tests of the configuration, or those of FILE (`[[test]]`); may be given several times
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    test: Option<Vec<PathBuf>>,
}

#[derive(Args)]
struct Convert {
    /// The configuration
    file: PathBuf,
    #[command(flatten)]
    dialect: Dialect,
}

/// How a configuration that is not sawlog's own is read.
#[derive(Args)]
struct Dialect {
    /// Read a Fluentd configuration as `fluentd`, `fluentd-v0` (the syntax of v0.10) or `ik` does
    #[arg(long, value_name = "WHOSE")]
    compat: Option<Compat>,
}

#[derive(Args)]
struct Run {
    /// Follow files: a path or pattern, such as '/var/log/**/*.log'; may be given several times
    #[arg(long, value_name = "GLOB")]
    tail: Vec<String>,
    /// Forward to this sawlog, HOST:PORT
    #[arg(long, value_name = "ADDR")]
    to: Option<String>,
    /// Configuration: sawlog's own, or Fluentd's or ik's
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    dialect: Dialect,
    /// Directory of the journal
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    detach: background::Detach,
}

/// Runs the program with its command line, with protocols of its own beside those that every agent has. To be called once, as
/// all that a binary's `main` does.
pub fn main(own: &[&'static Protocol]) -> ExitCode {
    // The first call decides; there is no second one in a program.
    let _ = PROTOCOLS.set([sawlog_wire::PROTOCOLS, own].concat());
    if let Some(ended) = called::run() {
        return ended;
    }
    let result = match Cli::parse().command {
        Command::Run(run) => start(run),
        Command::Check(check) => self::check(&check),
        Command::Convert(convert) => self::convert(&convert),
        Command::Status(data) => operate::status(&data),
        Command::Tap(tap) => tap.run(),
        Command::Reload(data) => operate::reload(&data),
        Command::Dead(dead) => dead.run(),
        Command::Normalize(Normalize { rulebase }) => {
            lognorm::stdin(&Sys::real(), &rulebase, Which::All).map_err(anyhow::Error::from)
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output may stop when it has seen enough: that is no failure.
        Err(error) if operate::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sawlog-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(mut run: Run) -> Result<()> {
    let sys = Sys::real();
    // It is read again at SIGHUP; the background has another working directory.
    run.config = run.config.map(std::path::absolute).transpose()?;
    launch(sys.clone(), &|| run.configuration(&sys), run.data.clone(), &run.detach)
}

/// Runs a node, here or in the background; `read` reads its configuration, at the start and again at SIGHUP.
fn launch(
    sys: Sys,
    read: &dyn Fn() -> Result<Config>,
    data: Option<PathBuf>,
    detach: &background::Detach,
) -> Result<()> {
    let config = read()?;
    let given = data.or_else(|| config.settings.get("data").map(PathBuf::from));
    let data = given.unwrap_or_else(|| PathBuf::from("./sawlog-data"));
    sys.fs.create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
    match detach.go(&data)? {
        Goes::On(background) => node::run(sys, &data, config, read, background),
        Goes::Away => Ok(()),
    }
}

impl Run {
    /// What the file says, and the command line beside it.
    fn configuration(&self, sys: &Sys) -> Result<Config> {
        let mut config = match &self.config {
            Some(path) => read(sys, path, &self.dialect)?.config,
            None => Config::default(),
        };
        if !self.tail.is_empty() {
            let section = wiring::section(&sawlog_wire::tail::PROTOCOL, &[("paths", self.tail.clone())]);
            config.inputs.push(section.map_err(Error::msg)?);
        }
        if let Some(to) = &self.to {
            let section = wiring::section(&sawlog_wire::forward::PROTOCOL, &[("to", vec![to.clone()])]);
            config.push_output(section.map_err(Error::msg)?);
        }
        if config.inputs.is_empty() || config.outputs().is_empty() {
            bail!(
                "nothing to do: name files with --tail and a receiver with --to, or both in a configuration"
            );
        }
        Ok(config)
    }
}

/// Tells everything that is wrong, and what is worth knowing; runs tests where that is asked for.
fn check(check: &Check) -> Result<()> {
    let sys = Sys::real();
    let Loaded { config, notes } = read(&sys, &check.config, &check.dialect)?;
    if !notes.is_empty() {
        println!("{}", config::lines(&notes, true));
    }
    let colour =
        std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let tested = trial::check(&sys, &check.config, &config, check.test.as_deref(), protocols(), colour);
    let trial::Tested { text, count, failed } = tested.map_err(Error::msg)?;
    if check.test.is_some() {
        print!("{text}");
        if failed > 0 {
            bail!("{failed} of {count} tests failed");
        }
        println!("{count} tests passed");
        return Ok(());
    }
    let (shown, inputs, outputs) = (check.config.display(), config.inputs.len(), config.outputs().len());
    println!("{shown}: {inputs} inputs and {outputs} outputs, nothing wrong");
    Ok(())
}

fn convert(convert: &Convert) -> Result<()> {
    let Loaded { config, notes } = read(&Sys::real(), &convert.file, &convert.dialect)?;
    if !notes.is_empty() {
        eprintln!("{}", config::lines(&notes, true));
    }
    print!("{}", config::write(&config, known()));
    Ok(())
}

fn read(sys: &Sys, path: &std::path::Path, dialect: &Dialect) -> Result<Loaded> {
    config::load(sys, path, known(), dialect.compat).map_err(|found| Error::msg(config::lines(&found, true)))
}
