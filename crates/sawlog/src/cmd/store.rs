//! `sawlog store …`: looks at and tends a directory's store.

use std::io::Write;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use sawlog_store::{Options, Store};
use sawlog_sys::Sys;
use serde_json::json;

use super::DataArg;
use crate::node::local;
use crate::{reach, terminal};

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
    /// Write everything anew as few, small segments, with what is only in the journal of a node that ended
    Compact {
        #[command(flatten)]
        data: DataArg,
    },
    /// List the segments, or say what the bytes of one are spent on
    Inspect {
        /// The number of a segment
        #[arg(long, value_name = "NUMBER")]
        segment: Option<u64>,
        #[command(flatten)]
        data: DataArg,
    },
    /// Read every segment to its last byte
    Verify {
        #[command(flatten)]
        data: DataArg,
    },
    /// Set damaged segments aside and keep of their rows what can be read
    Repair {
        #[command(flatten)]
        data: DataArg,
    },
    /// Remove the events that a search finds, with their bytes
    Delete {
        /// Words, "phrases", field:value (docs/query.md), no pipes; `*` is everything
        query: String,
        /// From this time on: RFC 3339, or how long ago (`2h`, `30m`, `7d`)
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Before this time
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        #[command(flatten)]
        data: DataArg,
    },
}

impl StoreCommand {
    pub(crate) fn run(self) -> Result<()> {
        match self.action {
            Action::Stats { json, data } => stats(&data, json),
            Action::Compact { data } => compact(&data),
            Action::Inspect { segment, data } => inspect(&data, segment),
            Action::Verify { data } => verify(&data),
            Action::Repair { data } => repair(&data),
            Action::Delete { query, since, until, data } => delete(&data, query, since, until),
        }
    }
}

fn inspect(data: &DataArg, segment: Option<u64>) -> Result<()> {
    let store = local::open_segments(&Sys::real(), &data.data)?;
    let mut out = std::io::stdout().lock();
    if let Some(number) = segment {
        let sizes = store.sizes(number)?;
        if sizes.is_empty() {
            bail!("there is no segment {number}; `sawlog store inspect` lists them");
        }
        for (what, bytes) in sizes {
            writeln!(out, "{bytes:>12.0}  {what}")?;
        }
        return Ok(());
    }
    let time = sawlog_model::time::rfc3339;
    writeln!(out, "tenant  segment  written by      rows        raw     stored  times")?;
    for segment in store.segments() {
        let by = if segment.strong { "compaction" } else { "flush" };
        writeln!(
            out,
            "{:<6}  {:>7}  {by:<10}  {:>9}  {:>9}  {:>9}  {} to {}",
            segment.tenant.to_string(),
            segment.number,
            segment.rows,
            terminal::bytes(segment.raw_bytes),
            terminal::bytes(segment.stored_bytes),
            time(segment.first_time),
            time(segment.last_time),
        )?;
    }
    Ok(())
}

fn verify(data: &DataArg) -> Result<()> {
    let store = local::open_segments(&Sys::real(), &data.data)?;
    let bar = progress(store.stats().raw_bytes)?;
    let faults = store.verify(&mut |done, all| show(&bar, done, all))?;
    bar.finish_and_clear();
    let mut out = std::io::stdout().lock();
    for fault in &faults {
        writeln!(out, "{}; it has {} events", fault.error, terminal::count(fault.segment.rows))?;
    }
    let (damaged, all) = (faults.len(), store.stats().segments);
    if damaged > 0 {
        bail!("{damaged} of {all} segments are damaged; `sawlog store repair` keeps what can be read");
    }
    Ok(writeln!(out, "all {all} segments can be read")?)
}

fn repair(data: &DataArg) -> Result<()> {
    let store = Store::open(&Sys::real(), &data.data, Options::default())?;
    let bar = progress(store.stats().raw_bytes)?;
    let repaired = store.repair(&mut |done, all| show(&bar, done, all))?;
    bar.finish_and_clear();
    let mut out = std::io::stdout().lock();
    for one in &repaired {
        let (lost, rows) = (terminal::count(one.lost), terminal::count(one.segment.rows));
        write!(out, "{}; {lost} of {rows} events are lost", one.error)?;
        match &one.aside {
            Some(aside) => writeln!(out, "; the file is now {}", aside.display())?,
            None => writeln!(out)?,
        }
    }
    Ok(writeln!(out, "{} segments repaired", repaired.len())?)
}

fn delete(data: &DataArg, query: String, since: Option<String>, until: Option<String>) -> Result<()> {
    let sys = Sys::real();
    let mut out = std::io::stdout();
    if let Some(node) = reach::running(&sys, data)? {
        let given = [("query", Some(query)), ("start", since), ("end", until)];
        let given: Vec<_> = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let said: serde_json::Value = serde_json::from_reader(node.post("/api/v1/delete", &given)?)?;
        return Ok(writeln!(out, "{} events deleted", said["deleted"])?);
    }
    let deleted = local::delete(&sys, &data.data, &query, since, until)?;
    Ok(writeln!(out, "{deleted} events deleted")?)
}

fn progress(all: u64) -> Result<ProgressBar> {
    let bar = ProgressBar::new(all);
    bar.set_style(ProgressStyle::with_template(
        "{bar:30} {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left",
    )?);
    Ok(bar)
}

fn show(bar: &ProgressBar, done: u64, all: u64) {
    bar.set_length(all);
    bar.set_position(done);
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
    let store = local::open_whole(&Sys::real(), &data.data)?;
    let before = store.stats().stored_bytes;
    let bar = progress(store.stats().raw_bytes)?;
    store.compact(&mut |done, all| show(&bar, done, all))?;
    bar.finish_and_clear();
    let after = store.stats().stored_bytes;
    Ok(writeln!(std::io::stdout(), "{} before, {} now", terminal::bytes(before), terminal::bytes(after))?)
}
