//! The commands, one file each: its arguments as a struct, and what it does as `run`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use sawlog_pipeline::config::Compat;

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod convert;
pub(crate) mod dead;
pub(crate) mod events;
pub(crate) mod export;
pub(crate) mod import;
mod limits;
pub(crate) mod logger;
pub(crate) mod man;
pub(crate) mod normalize;
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
pub(crate) mod user;
pub(crate) mod watch;

/// Where the data lie; every command that works on a directory takes it.
#[derive(Args, Clone)]
pub(crate) struct DataArg {
    /// Directory of the data; a node that runs on it is asked over HTTP
    #[arg(long, value_name = "DIR", default_value = "./sawlog-data", env = "SAWLOG_DATA_DIR")]
    pub(crate) data: PathBuf,
    /// Ask the node at this address instead, http:// or https://, with the token that SAWLOG_TOKEN holds
    #[arg(long, value_name = "URL", env = "SAWLOG_NODE")]
    pub(crate) node: Option<String>,
    /// PEM file of the CA that its certificate must be of; without, those that the system believes
    #[arg(long, value_name = "FILE", env = "SAWLOG_CA")]
    pub(crate) ca: Option<PathBuf>,
}

impl DataArg {
    /// That of a command that reads the directory.
    pub(crate) fn directory(&self) -> Result<&Path> {
        match &self.node {
            None => Ok(&self.data),
            Some(node) => bail!("this needs the directory of the data; {node} cannot give it"),
        }
    }

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
