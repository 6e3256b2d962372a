//! `oxd`: collects the events of BlueOx's clients, shows them as a stream, writes them to files, forwards them. Unlike the
//! original it queues on disk what the other end has not taken, and says so where the other end cannot tell.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Error, Result, bail};
use sawlog_sys::Sys;
use sawlog_wire::blueox::programs::Failure;
use sawlog_wire::blueox::programs::daemon::Daemon;

use super::data;
use crate::background::Detach;
use crate::launch;

pub(super) fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    let arguments: Vec<String> = arguments.iter().map(|text| text.to_string_lossy().into_owned()).collect();
    let daemon = match Daemon::read(&arguments) {
        Ok(Some(daemon)) => daemon,
        Ok(None) | Err(Failure::Unread) => return Ok(ExitCode::SUCCESS),
        Err(Failure::Usage(words)) => {
            eprintln!("oxd: {words}");
            return Ok(ExitCode::from(2));
        }
        Err(Failure::Failed(words)) => bail!(words),
    };
    let sys = Sys::real();
    let data = daemon.data().or_else(data).unwrap_or_else(|| PathBuf::from("./sawlog-data"));
    let data = std::path::absolute(data)?;
    let read = || daemon.configuration(&sys, &data).map_err(Error::msg);
    launch(sys.clone(), &read, Some(data.clone()), &Detach::default())?;
    Ok(ExitCode::SUCCESS)
}
