//! `sawlog tap [TAG-PATTERN]`: records as the pipeline of the running node accepts them, by tag.

use anyhow::Result;
use clap::Args;

use super::{DataArg, tail};

/// Show records as they pass the pipeline; what is too much to show is passed over and counted
#[derive(Args)]
pub(crate) struct Tap {
    /// Only tags that fit, as in configurations: 'app.*', '{app,web}.**'
    #[arg(value_name = "TAG-PATTERN", default_value = "**")]
    tags: String,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Most records a second; 0 for all
    #[arg(long, value_name = "N", default_value_t = 2000)]
    rate: u64,
    #[command(flatten)]
    data: DataArg,
}

impl Tap {
    pub(crate) fn run(self) -> Result<()> {
        let mut query = vec![("rate", self.rate.to_string())];
        if self.tags != "**" {
            query.push(("tag", self.tags));
        }
        tail::follow(&self.data, &query, self.json)
    }
}
