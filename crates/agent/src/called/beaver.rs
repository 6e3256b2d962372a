//! `beaver`, with its flags, which go over what the configuration says.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use sawlog_pipeline::config;
use sawlog_sys::Sys;

use super::{data, told};
use crate::background::Detach;
use crate::{known, launch};

/// Follows files and ships their lines.
#[derive(Parser)]
#[command(name = "beaver", version, disable_version_flag = true)]
struct Beaver {
    /// The configuration
    #[arg(short, long, value_name = "FILE")]
    configfile: Option<PathBuf>,
    /// Directory of further sections [default: /etc/beaver/conf.d]
    #[arg(short = 'C', long, value_name = "DIR")]
    confd_path: Option<String>,
    /// Told for the original's sake; everything that matters is always said
    #[arg(short, long)]
    debug: bool,
    /// Go on in the background
    #[arg(short = 'D', long, requires = "pid")]
    daemonize: bool,
    /// Files to follow, also patterns; over --path
    #[arg(short, long, value_name = "FILE", num_args = 1..)]
    files: Vec<String>,
    /// How lines are written
    #[arg(short = 'F', long, value_enum)]
    format: Option<Format>,
    /// Name of this machine, as events bear it
    #[arg(short = 'H', long, value_name = "NAME")]
    hostname: Option<String>,
    /// Whether zmq binds or connects
    #[arg(short, long, value_name = "bind|connect")]
    mode: Option<String>,
    /// In the background, what would have gone to standard error
    #[arg(short = 'l', long, value_name = "FILE")]
    logfile: Option<PathBuf>,
    /// For the transport stdout: write to this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<String>,
    /// Directory whose *.log are followed where nothing else is named
    #[arg(short, long, value_name = "DIR")]
    path: Option<String>,
    /// File for the number of the process
    #[arg(short = 'P', long, value_name = "FILE")]
    pid: Option<PathBuf>,
    /// Where to: stdout, or a transport that the configuration describes
    #[arg(short, long, value_name = "NAME")]
    transport: Option<String>,
    /// Print the version
    #[arg(short, long, action = clap::ArgAction::Version)]
    version: (),
    /// Use the full name of this machine
    #[arg(long)]
    fqdn: bool,
    /// Size at which the original rotated its own log
    #[arg(long, value_name = "BYTES")]
    max_bytes: Option<u64>,
    /// How many of its own logs the original kept
    #[arg(long, value_name = "COUNT")]
    backup_count: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Json,
    Msgpack,
    Raw,
    Rawjson,
    String,
    Gelf,
}

pub(super) fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    let given = Beaver::parse_from(std::iter::once("beaver".into()).chain(arguments));
    let sys = Sys::real();
    let over = given.over();
    let file = given.configfile.map(std::path::absolute).transpose()?;
    let read = || Ok(told(config::load_beaver(&sys, file.as_deref(), &over, known()))?.config);
    let detach = Detach { daemon: given.daemonize, pid: given.pid, log: given.logfile };
    launch(sys.clone(), &read, data(), &detach)?;
    Ok(ExitCode::SUCCESS)
}

impl Beaver {
    /// The keys of `[beaver]` that the flags mean.
    fn over(&self) -> Vec<(&'static str, String)> {
        let format = self.format.and_then(|format| format.to_possible_value());
        let files = (!self.files.is_empty()).then(|| self.files.join(","));
        [
            ("confd_path", self.confd_path.clone()),
            ("files", files),
            ("format", format.map(|format| format.get_name().to_owned())),
            ("hostname", self.hostname.clone()),
            ("output", self.output.clone()),
            ("path", self.path.clone()),
            ("transport", self.transport.clone()),
            ("fqdn", self.fqdn.then(|| "1".to_owned())),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
    }
}
