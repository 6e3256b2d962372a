//! `ik -c FILE`: runs a configuration as ik read it, where every `<match>` that fits gets the rows. Unlike the original it
//! ends with an error where the configuration is wrong.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use sawlog_pipeline::config::{self, Compat};
use sawlog_sys::Sys;

use super::flags::{self, Flag};
use super::{data, told};
use crate::background::Detach;
use crate::{known, launch};

const FLAGS: &[Flag] = &[
    Flag { name: "c", takes: true, help: "configuration (/etc/fluent/fluent.conf)" },
    Flag { name: "d", takes: false, help: "go on in the background" },
    Flag { name: "pid", takes: true, help: "file for the number of the process, with -d" },
];

/// What the original ended with after `-h`.
const USAGE_CODE: u8 = 255;

pub(super) fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    let given = flags::read(arguments, FLAGS)?;
    if given.get("help").is_some() {
        println!("ik [flags]\n{}", flags::usage(FLAGS));
        return Ok(ExitCode::from(USAGE_CODE));
    }
    let path = PathBuf::from(given.get("c").unwrap_or("/etc/fluent/fluent.conf"));
    let sys = Sys::real();
    let path = std::path::absolute(path)?;
    let read = || Ok(told(config::load(&sys, &path, known(), Some(Compat::Ik)))?.config);
    let detach = Detach {
        daemon: given.get("d") == Some("true"),
        pid: given.get("pid").map(PathBuf::from),
        log: None,
    };
    launch(sys.clone(), &read, data(), &detach)?;
    Ok(ExitCode::SUCCESS)
}
