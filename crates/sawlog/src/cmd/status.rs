//! `sawlog status`: what a running node says of its inputs, outputs and store.

use std::io::{Read, Write};

use anyhow::{Context, Result};
use clap::Args;
use sawlog_sys::Sys;
use serde_json::Value;

use super::DataArg;
use crate::{reach, terminal};

/// Show inputs, outputs and store of the running node
#[derive(Args)]
pub(crate) struct Status {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataArg,
}

impl Status {
    pub(crate) fn run(self) -> Result<()> {
        let mut text = String::new();
        let node = reach::need_running(&Sys::real(), &self.data.data)?;
        node.get("/api/v1/status", &[])?.read_to_string(&mut text)?;
        let mut out = std::io::stdout().lock();
        if self.json {
            return Ok(writeln!(out, "{}", text.trim_end())?);
        }
        let status: Value = serde_json::from_str(&text).context("the node's status is not JSON")?;
        let store = &status["store"];
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        writeln!(
            out,
            "store   {} records, {} raw in {} on disk, {} segments",
            terminal::count(number(&store["records"])),
            terminal::bytes(number(&store["raw_bytes"])),
            terminal::bytes(number(&store["stored_bytes"])),
            number(&store["segments"]),
        )?;
        for part in status["parts"].as_array().into_iter().flatten() {
            let word = |key: &str| part[key].as_str().unwrap_or_default();
            writeln!(
                out,
                "{:7} {:32} {:8} {:>14} records {:>10}",
                word("role"),
                terminal::visible(word("name")),
                word("state"),
                terminal::count(number(&part["records"])),
                terminal::bytes(number(&part["bytes"])),
            )?;
            if let Some(error) = part["last_error"].as_str() {
                writeln!(out, "        last error: {}", terminal::visible(error))?;
            }
        }
        Ok(())
    }
}
