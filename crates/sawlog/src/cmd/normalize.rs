//! `sawlog normalize`: lines from standard input as a rule base reads them, in the place of `lognormalizer`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use sawlog_sys::Sys;
use sawlog_wire::format::lognorm::{self, Which};

/// Read lines from standard input by a rule base of liblognorm; write what they are, one JSON object a line
#[derive(Args)]
pub(crate) struct Normalize {
    /// The rule base, of version 1 or 2
    #[arg(short, long, value_name = "FILE")]
    rulebase: PathBuf,
    /// Only lines that are of a rule
    #[arg(short = 'p', long, conflicts_with = "others")]
    normalized: bool,
    /// Only lines that are of none
    #[arg(short = 'P', long)]
    others: bool,
}

impl Normalize {
    pub(crate) fn run(self) -> Result<()> {
        let which = match (self.normalized, self.others) {
            (true, _) => Which::Normalized,
            (_, true) => Which::Others,
            _ => Which::All,
        };
        Ok(lognorm::stdin(&Sys::real(), &self.rulebase, which)?)
    }
}
