//! `sawlog reload`: the running node reads its configuration again.

use std::io::{Read, Write};

use anyhow::{Context, Result};
use clap::Args;
use sawlog_sys::Sys;
use serde_json::Value;

use super::DataArg;
use crate::reach;

/// Have the running node read its configuration again; one that is wrong changes nothing
#[derive(Args)]
pub(crate) struct Reload {
    #[command(flatten)]
    data: DataArg,
}

impl Reload {
    pub(crate) fn run(self) -> Result<()> {
        let mut text = String::new();
        let node = reach::need_running(&Sys::real(), &self.data)?;
        let mut answer = node
            .post("/api/v1/reload", &[])
            .context("the configuration was not read again; the one before still holds")?;
        answer.read_to_string(&mut text)?;
        let said: Value = serde_json::from_str(&text).context("the node's answer is not JSON")?;
        let mut out = std::io::stdout().lock();
        let changes = said["changes"].as_array().map_or(&[][..], Vec::as_slice);
        if changes.is_empty() {
            return Ok(writeln!(out, "nothing has changed")?);
        }
        for change in changes.iter().filter_map(Value::as_str) {
            writeln!(out, "{change}")?;
        }
        Ok(())
    }
}
