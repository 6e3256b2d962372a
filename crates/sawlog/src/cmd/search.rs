//! `sawlog search QUERY`: asks the running node, or reads the directory where none runs.

use std::io::{BufReader, BufWriter};
use std::path::PathBuf;

use anyhow::{Error, Result, bail};
use clap::Args;
use sawlog_sys::Sys;
use sawlog_wire::format::lognorm;

use super::DataArg;
use crate::node::local::{self, Question};
use crate::reach;
use crate::records::{self, Form};

/// Find events, newest first
#[derive(Args)]
pub(crate) struct Search {
    /// Words, "phrases", field:value, pipes (docs/query.md); without one, everything
    #[arg(default_value = "")]
    query: String,
    /// From this time on: RFC 3339, or how long ago (`2h`, `30m`, `7d`)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// A rule base of liblognorm, for `| normalize NAME` where the file is NAME.rulebase, .rb or .db; may be given several
    /// times. A running node has its own (`rulebases` in its configuration)
    #[arg(long, value_name = "FILE")]
    rulebase: Vec<PathBuf>,
    #[command(flatten)]
    data: DataArg,
}

impl Search {
    pub(crate) fn run(self) -> Result<()> {
        let sys = Sys::real();
        let mut out = BufWriter::new(std::io::stdout().lock());
        let form = Form::choose(self.json);
        if let Some(node) = reach::running(&sys, &self.data)? {
            if !self.rulebase.is_empty() {
                bail!(
                    "a node runs on {}, which reads by the rule bases of its configuration (`rulebases`), not by files of \
                     others; pipe its answer to `sawlog normalize` instead",
                    self.data.data.display()
                );
            }
            let limit = self.limit.map(|limit| limit.to_string());
            let given = [("start", self.since), ("end", self.until), ("limit", limit)];
            let mut query = vec![("query", self.query), ("report", "1".to_owned())];
            query.extend(given.into_iter().filter_map(|(name, value)| Some((name, value?))));
            records::print(node.get("/api/v1/search", &query)?, form, &mut out)?;
            return Ok(());
        }
        let normalizers = lognorm::files(&sys, &self.rulebase).map_err(Error::msg)?;
        let question = Question::Search {
            query: self.query,
            since: self.since,
            until: self.until,
            limit: self.limit,
            normalizers,
        };
        let answer = local::ask(&sys, &self.data.data, question)?;
        records::print(BufReader::new(answer), form, &mut out)?;
        Ok(())
    }
}
