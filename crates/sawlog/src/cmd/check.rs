//! `sawlog check FILE`: everything that is wrong with a configuration, at once.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use sawlog_sys::Sys;

use crate::node::settings;

/// Check a configuration without starting anything
#[derive(Args)]
pub(crate) struct Check {
    /// The configuration
    #[arg(short, long, value_name = "FILE", default_value = "sawlog.toml")]
    config: PathBuf,
}

impl Check {
    pub(crate) fn run(self) -> Result<()> {
        let config = settings::read(&Sys::real(), &self.config)?;
        let (inputs, outputs) = (config.inputs.len(), config.outputs().len());
        Ok(writeln!(
            std::io::stdout(),
            "{}: {inputs} inputs and {outputs} outputs, nothing wrong",
            self.config.display()
        )?)
    }
}
