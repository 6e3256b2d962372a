//! The agent under the names of the programs that it replaces: each takes the flags that its original takes, verbatim. The
//! names are links to the agent, made by its package. Knows nothing of what a configuration means.

mod beaver;
mod flags;
mod flosculusd;
mod ik;
mod ikb;
mod oxd;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Error, Result};
use sawlog_pipeline::config::{self, Finding, Loaded};
use sawlog_sys::Sys;
use sawlog_wire::blueox::programs::PROGRAMS as PROGRAMS_OF_BLUEOX;

/// A program that the agent can be called as.
struct Program {
    name: &'static str,
    /// Takes the arguments after the name.
    run: fn(Vec<OsString>) -> Result<ExitCode>,
}

const PROGRAMS: &[Program] = &[
    Program { name: "beaver", run: beaver::run },
    Program { name: "flosculusd", run: flosculusd::run },
    Program { name: "ik", run: ik::run },
    Program { name: "ikb", run: ikb::run },
    Program { name: "oxd", run: oxd::run },
];

/// Runs the program of the name that this process was called by; `None` where that is none of them.
pub(crate) fn run() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let called = arguments.next()?;
    let name = Path::new(&called).file_name()?;
    if let Some(program) = PROGRAMS_OF_BLUEOX.iter().find(|program| name == program.name) {
        let arguments: Vec<String> = arguments.map(|text| text.to_string_lossy().into_owned()).collect();
        return Some(ExitCode::from(program.run(&arguments, &Sys::real())));
    }
    let program = PROGRAMS.iter().find(|program| name == program.name)?;
    let ended = (program.run)(arguments.collect());
    Some(ended.unwrap_or_else(|error| {
        eprintln!("{}: {error:#}", program.name);
        ExitCode::FAILURE
    }))
}

/// The directory of the data, for programs whose flags do not name one: what systemd gives the service, else one below the
/// current directory.
fn data() -> Option<std::path::PathBuf> {
    std::env::var_os("STATE_DIRECTORY").map(Into::into)
}

/// What was loaded, its notes told on standard error.
fn told(loaded: Result<Loaded, Vec<Finding>>) -> Result<Loaded> {
    let loaded = loaded.map_err(|found| Error::msg(config::lines(&found, true)))?;
    if !loaded.notes.is_empty() {
        eprintln!("{}", config::lines(&loaded.notes, true));
    }
    Ok(loaded)
}
