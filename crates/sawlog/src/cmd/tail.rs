//! `sawlog tail [QUERY]`: events as they arrive at the running node.

use std::io::{BufRead, BufWriter};

use anyhow::{Result, bail};
use clap::Args;
use sawlog_sys::Sys;

use super::DataArg;
use crate::reach;
use crate::records::{self, Form};

/// Follow events as they arrive
#[derive(Args)]
pub(crate) struct Tail {
    /// Only what this search (without pipes) keeps
    #[arg(default_value = "")]
    query: String,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataArg,
}

impl Tail {
    pub(crate) fn run(self) -> Result<()> {
        follow(&self.data, &[("query", self.query)], self.json)
    }
}

/// Prints what the running node sends of new records, until it ends.
pub(super) fn follow(data: &DataArg, query: &[(&str, String)], json: bool) -> Result<()> {
    let node = reach::need_running(&Sys::real(), data)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let form = Form::choose(json);
    let mut event = String::new();
    for line in node.get("/api/v1/tail", query)?.lines() {
        let line = line?;
        if let Some(name) = line.strip_prefix("event: ") {
            event = name.to_owned();
        } else if let Some(data) = line.strip_prefix("data: ") {
            match event.as_str() {
                "open" => {}
                "lag" => eprintln!("sawlog: this terminal is too slow, events were passed over: {data}"),
                _ => drop(records::print(format!("{data}\n").as_bytes(), form, &mut out)?),
            }
        } else if line.is_empty() {
            event.clear();
        }
    }
    bail!("the node ended the stream")
}
