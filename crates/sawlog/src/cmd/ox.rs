//! `sawlog ox PROGRAM`: BlueOx's programs, each with its own options; also under their own names, as links to this binary. `oxd`
//! is a node here, with a store and the page.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Error, Result};
use clap::Args;
use sawlog_sys::Sys;
use sawlog_wire::blueox::programs::daemon::Daemon;
use sawlog_wire::blueox::programs::{Failure, PROGRAMS};

use super::run;

/// Run a program of BlueOx: oxd, oxview, oxctl, oxstore, oxingest, oxstash, with its own options
#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Ox {
    /// The program and its arguments; `-h` behind the name tells its options
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PROGRAM")]
    words: Vec<String>,
}

impl Ox {
    pub(crate) fn run(self) -> ExitCode {
        let Some((name, arguments)) = self.words.split_first() else { return unknown("") };
        // `ox view` is `oxview`.
        let name = if name.starts_with("ox") { name.clone() } else { format!("ox{name}") };
        program(&name, arguments).unwrap_or_else(|| unknown(&name))
    }
}

fn unknown(name: &str) -> ExitCode {
    eprintln!(
        "sawlog ox: there is no program `{name}`, but oxd, oxview, oxctl, oxstore, oxingest and oxstash"
    );
    ExitCode::from(2)
}

/// Runs the program of the name that this process was called by; `None` where that is none of BlueOx's.
pub(crate) fn called() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let called = arguments.next()?;
    let name = Path::new(&called).file_name()?.to_str()?;
    let arguments: Vec<String> = arguments.map(|text| text.to_string_lossy().into_owned()).collect();
    program(name, &arguments)
}

fn program(name: &str, arguments: &[String]) -> Option<ExitCode> {
    if name == "oxd" {
        return Some(daemon(arguments));
    }
    let program = PROGRAMS.iter().find(|program| program.name == name)?;
    Some(ExitCode::from(program.run(arguments, &Sys::real())))
}

fn daemon(arguments: &[String]) -> ExitCode {
    let ended = match Daemon::read(arguments) {
        Ok(Some(daemon)) => start(daemon),
        Ok(None) => Ok(()),
        Err(Failure::Usage(words)) => {
            eprintln!("oxd: {words}");
            return ExitCode::from(2);
        }
        Err(failure) => Err(Error::msg(format!("{failure:?}"))),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("oxd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(daemon: Daemon) -> Result<()> {
    let sys = Sys::real();
    let data = std::path::absolute(daemon.data().unwrap_or_else(|| PathBuf::from("./sawlog-data")))?;
    let http = daemon.http().map(str::to_owned);
    let (own, place) = (sys.clone(), data.clone());
    let read = move || daemon.configuration(&own, &place).map_err(Error::msg);
    run::go_on(sys, data, http.as_deref(), Box::new(read))
}
