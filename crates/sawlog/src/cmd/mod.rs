//! The commands, one file each: its arguments as a struct, and what it does as `run`.

use std::path::{Path, PathBuf};

use clap::Args;
use sawlog_pipeline::config::Compat;

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod convert;
pub(crate) mod dead;
pub(crate) mod events;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod logger;
pub(crate) mod man;
pub(crate) mod ox;
pub(crate) mod reload;
pub(crate) mod run;
pub(crate) mod search;
pub(crate) mod shutdown;
pub(crate) mod sql;
pub(crate) mod status;
pub(crate) mod store;
pub(crate) mod tail;
pub(crate) mod tap;
pub(crate) mod tenant;
pub(crate) mod token;
pub(crate) mod watch;

/// Where the data lie; every command that works on a directory takes it.
#[derive(Args, Clone)]
pub(crate) struct DataArg {
    /// Directory of the data; a node that runs on it is asked over HTTP
    #[arg(long, value_name = "DIR", default_value = "./sawlog-data", env = "SAWLOG_DATA_DIR")]
    pub(crate) data: PathBuf,
}

impl DataArg {
    /// Whether nobody named a directory.
    pub(crate) fn is_default(&self) -> bool {
        self.data == Path::new("./sawlog-data")
    }
}

/// How a configuration that is not sawlog's own is read.
#[derive(Args, Clone)]
pub(crate) struct DialectArg {
    /// Read a Fluentd configuration as `fluentd`, `fluentd-v0` (the syntax of v0.10) or `ik` does
    #[arg(long, value_name = "WHOSE")]
    pub(crate) compat: Option<Compat>,
}
