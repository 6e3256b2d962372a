//! `sawlog check FILE`: everything that is wrong with a configuration, at once.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use sawlog_pipeline::config::{self, Loaded};
use sawlog_sys::Sys;

use super::DialectArg;
use crate::node::settings;

/// Check a configuration without starting anything
#[derive(Args)]
pub(crate) struct Check {
    /// The configuration: sawlog's own, or Fluentd's or ik's
    #[arg(short, long, value_name = "FILE", default_value = "sawlog.toml")]
    config: PathBuf,
    #[command(flatten)]
    dialect: DialectArg,
}

impl Check {
    pub(crate) fn run(self) -> Result<()> {
        let Loaded { config, notes } = settings::read(&Sys::real(), &self.config, self.dialect.compat)?;
        let mut out = std::io::stdout().lock();
        if !notes.is_empty() {
            writeln!(out, "{}", config::lines(&notes, true))?;
        }
        let (shown, inputs, outputs) = (self.config.display(), config.inputs.len(), config.outputs().len());
        Ok(writeln!(out, "{shown}: {inputs} inputs and {outputs} outputs, nothing wrong")?)
    }
}
