//! `sawlog status`: what a running node says of its inputs, outputs and store.

use std::io::{IsTerminal, Read, Write};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use sawlog_sys::{Sys, task};
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
        let node = reach::need_running(&Sys::real(), &self.data)?;
        if !self.json && std::io::stdout().is_terminal() {
            // Rates are of the time since it was asked last: of a second, for a person.
            node.get("/api/v1/status", &[])?;
            task::sleep(Duration::from_secs(1));
        }
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
        let parts = status["parts"].as_array().map_or(&[][..], Vec::as_slice);
        if out.is_terminal() { print_table(parts, &mut out) } else { print_plain(parts, &mut out) }
    }
}

/// What parts of every role have, and what outputs have beside it.
const NUMBERS: [&str; 4] = ["records", "bytes", "records_per_second", "bytes_per_second"];
const OF_OUTPUTS: [&str; 4] = ["queue_bytes", "lag_seconds", "retries", "dead"];

/// For a person: numbers are rounded, and what is 0 of an output's trouble is not in the way.
fn print_table(parts: &[Value], out: &mut impl Write) -> Result<()> {
    let mut rows = vec![
        [
            "",
            "",
            "state",
            "records/s",
            "bytes/s",
            "records",
            "bytes",
            "errors",
            "queue",
            "lag",
            "retries",
            "dead",
        ]
        .map(str::to_owned),
    ];
    for part in parts {
        let word = |key: &str| terminal::visible(part[key].as_str().unwrap_or_default());
        let number = |key: &str| part[key].as_u64().unwrap_or(0);
        let rate = |key: &str| part[key].as_f64().unwrap_or(0.0).round() as u64;
        let some = |count: u64, text: String| if count == 0 { String::new() } else { text };
        let errors = errors(part);
        let lag = part["lag_seconds"].as_f64().unwrap_or(0.0);
        rows.push([
            word("role"),
            word("name"),
            word("state"),
            terminal::count(rate("records_per_second")),
            terminal::bytes(rate("bytes_per_second")),
            terminal::count(number("records")),
            terminal::bytes(number("bytes")),
            some(errors, terminal::count(errors)),
            some(number("queue_bytes"), terminal::bytes(number("queue_bytes"))),
            if lag > 0.0 { format!("{lag:.1} s") } else { String::new() },
            some(number("retries"), terminal::count(number("retries"))),
            some(number("dead"), terminal::count(number("dead"))),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 12] = std::array::from_fn(width);
    let last_errors = std::iter::once(None).chain(parts.iter().map(|part| part["last_error"].as_str()));
    let best_efforts = std::iter::once(None).chain(parts.iter().map(|part| part["best_effort"].as_u64()));
    for ((row, error), best_effort) in rows.iter().zip(last_errors).zip(best_efforts) {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (text, width))| match column {
            0..=2 => format!("{text:width$}"),
            _ => format!("{text:>width$}"),
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        if let Some(error) = error {
            writeln!(out, "        last error: {}", terminal::visible(error))?;
        }
        if let Some(records) = best_effort {
            let records = terminal::count(records);
            writeln!(
                out,
                "        best effort: {records} records, which the other side does not acknowledge"
            )?;
        }
    }
    Ok(())
}

fn errors(part: &Value) -> u64 {
    part["errors"].as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
}

/// For a program: a line a part, tabs between, numbers as they are.
fn print_plain(parts: &[Value], out: &mut impl Write) -> Result<()> {
    for part in parts {
        let word = |key: &str| terminal::visible(part[key].as_str().unwrap_or_default()).replace('\t', " ");
        let mut line = vec![word("role"), word("name"), word("state")];
        line.extend(NUMBERS.map(|key| format!("{key}={}", part[key])));
        line.push(format!("errors={}", errors(part)));
        if part["role"] == "output" {
            line.extend(OF_OUTPUTS.map(|key| format!("{key}={}", part[key])));
        }
        if !part["best_effort"].is_null() {
            line.push(format!("best_effort={}", part["best_effort"]));
        }
        if !part["last_error"].is_null() {
            line.push(format!("last_error={}", word("last_error")));
        }
        writeln!(out, "{}", line.join("\t"))?;
    }
    Ok(())
}
