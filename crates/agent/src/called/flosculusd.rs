//! `flosculusd (-c FILE | --init)`: follows the files of a Flosculus ini, and sends their lines to a Fluentd. Unlike the
//! original it goes through rotations, reads zones, inherits the remote address, and can go to the background.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use sawlog_pipeline::config;
use sawlog_sys::Sys;

use super::{data, told};
use crate::background::Detach;
use crate::{known, launch};

/// What `--init` prints: a file to begin with.
const INIT: &str = "\
[flosculus]
remote_host = 127.0.0.1
remote_port = 24224

[log:/var/log/nginx/access.log]
tag = example.api.access
format = nginx
; remote_host = 127.0.0.1
; remote_port = 24224
";

/// Follows rotated log files, reads each line, and sends it to a Fluentd.
#[derive(Parser)]
#[command(name = "flosculusd", version, disable_version_flag = true)]
struct Flosculusd {
    /// The configuration
    #[arg(short, long, value_name = "FILE", required_unless_present = "init")]
    config: Option<PathBuf>,
    /// Print a configuration to begin with
    #[arg(long, conflicts_with = "config")]
    init: bool,
    /// Print the version
    #[arg(short, long, action = clap::ArgAction::Version)]
    version: (),
    #[command(flatten)]
    detach: Detach,
}

pub(super) fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    let given = Flosculusd::parse_from(std::iter::once("flosculusd".into()).chain(arguments));
    let Some(path) = given.config else {
        print!("{INIT}");
        return Ok(ExitCode::SUCCESS);
    };
    let sys = Sys::real();
    let path = std::path::absolute(path)?;
    let read = || Ok(told(config::load(&sys, &path, known(), None))?.config);
    launch(sys.clone(), &read, data(), &given.detach)?;
    Ok(ExitCode::SUCCESS)
}
