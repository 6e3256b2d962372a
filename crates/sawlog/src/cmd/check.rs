//! `sawlog check FILE`: everything that is wrong with a configuration, at once; with `--test` its tests.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Error, Result, bail};
use clap::Args;
use sawlog_pipeline::config::{self, Loaded};
use sawlog_sys::Sys;
use sawlog_wire::trial;

use super::DialectArg;
use crate::node::settings;
use crate::terminal;

/// Check a configuration without starting anything
#[derive(Args)]
pub(crate) struct Check {
    /// The configuration: sawlog's own, or Fluentd's or ik's
    #[arg(short, long, value_name = "FILE", default_value = "sawlog.toml")]
    config: PathBuf,
    #[command(flatten)]
    dialect: DialectArg,
    /// Run the tests of the configuration, or those of FILE (`[[test]]`); may be given several times
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    test: Option<Vec<PathBuf>>,
}

impl Check {
    pub(crate) fn run(self) -> Result<()> {
        let Loaded { config, notes } = settings::read(&Sys::real(), &self.config, self.dialect.compat)?;
        let mut out = std::io::stdout().lock();
        if !notes.is_empty() {
            writeln!(out, "{}", config::lines(&notes, true))?;
        }
        let colour = terminal::wants_colour();
        let tested = trial::check(
            &Sys::real(),
            &self.config,
            &config,
            self.test.as_deref(),
            &settings::PROTOCOLS,
            colour,
        )
        .map_err(Error::msg)?;
        if self.test.is_some() {
            let trial::Tested { text, count, failed } = tested;
            write!(out, "{text}")?;
            if failed > 0 {
                bail!("{failed} of {count} tests failed");
            }
            return Ok(writeln!(out, "{count} tests passed")?);
        }
        let (shown, inputs, outputs) = (self.config.display(), config.inputs.len(), config.outputs().len());
        Ok(writeln!(out, "{shown}: {inputs} inputs and {outputs} outputs, nothing wrong")?)
    }
}
