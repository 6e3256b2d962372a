//! `sawlog store …`: looks at and tends a directory's store.

use std::io::Write;

use anyhow::Result;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use sawlog_store::{Options, Store};
use sawlog_sys::Sys;
use serde_json::json;

use super::DataArg;
use crate::node::local;
use crate::terminal;

/// Look at and tend the store of a directory
#[derive(Args)]
pub(crate) struct StoreCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Sizes and counts
    Stats {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: DataArg,
    },
    /// Write everything anew as few, small segments
    Compact {
        #[command(flatten)]
        data: DataArg,
    },
}

impl StoreCommand {
    pub(crate) fn run(self) -> Result<()> {
        match self.action {
            Action::Stats { json, data } => stats(&data, json),
            Action::Compact { data } => compact(&data),
        }
    }
}

fn stats(data: &DataArg, as_json: bool) -> Result<()> {
    let stats = local::open_for_reading(&Sys::real(), &data.data)?.stats();
    let mut out = std::io::stdout().lock();
    if as_json {
        let text = json!({
            "raw_bytes": stats.raw_bytes, "stored_bytes": stats.stored_bytes, "records": stats.records,
            "segments": stats.segments, "first_time": stats.first_time, "last_time": stats.last_time,
        });
        return Ok(writeln!(out, "{text}")?);
    }
    let share = 100.0 * stats.stored_bytes as f64 / stats.raw_bytes.max(1) as f64;
    writeln!(out, "records   {}", terminal::count(stats.records))?;
    writeln!(out, "raw       {}", terminal::bytes(stats.raw_bytes))?;
    writeln!(out, "stored    {} ({share:.1} % of raw)", terminal::bytes(stats.stored_bytes))?;
    writeln!(out, "segments  {}", stats.segments)?;
    if stats.records > 0 {
        let time = sawlog_model::time::rfc3339;
        writeln!(out, "times     {} to {}", time(stats.first_time), time(stats.last_time))?;
    }
    Ok(())
}

fn compact(data: &DataArg) -> Result<()> {
    let sys = Sys::real();
    let store = Store::open(&sys, &data.data, Options::default())?;
    let before = store.stats().stored_bytes;
    let bar = ProgressBar::new(store.stats().raw_bytes);
    bar.set_style(ProgressStyle::with_template(
        "{bar:30} {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left",
    )?);
    store.compact(&mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    let after = store.stats().stored_bytes;
    Ok(writeln!(std::io::stdout(), "{} before, {} now", terminal::bytes(before), terminal::bytes(after))?)
}
