//! `sawlog convert FILE`: a configuration of Fluentd, ik, Flosculus or Beaver as `sawlog.toml`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use sawlog_pipeline::config;
use sawlog_sys::Sys;

use super::DialectArg;
use crate::node::settings;

/// Print a configuration of Fluentd, ik, Flosculus or Beaver as sawlog.toml; differences go to standard error
#[derive(Args)]
pub(crate) struct Convert {
    /// The configuration
    file: PathBuf,
    #[command(flatten)]
    dialect: DialectArg,
}

impl Convert {
    pub(crate) fn run(self) -> Result<()> {
        let loaded = settings::read(&Sys::real(), &self.file, self.dialect.compat)?;
        if !loaded.notes.is_empty() {
            eprintln!("{}", config::lines(&loaded.notes, true));
        }
        Ok(std::io::stdout().write_all(settings::text(&loaded.config).as_bytes())?)
    }
}
