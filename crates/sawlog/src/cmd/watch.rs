//! `sawlog watch QUERY`: the answer to a query, asked again and again and drawn over itself.

use std::io::{BufRead, Write};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use sawlog_model::time::rfc3339;
use sawlog_pipeline::config::duration;
use sawlog_sys::{Sys, task};
use serde_json::{Value, json};

use super::DataArg;
use crate::reach::{self, Client};
use crate::records::{self, Form};
use crate::terminal;

/// Rows where nobody says how many and there is no terminal to fill.
const ROWS: usize = 50;
/// A node must not be asked without a pause.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

/// Ask the same again and again, and show the answer in place
#[derive(Args)]
pub(crate) struct Watch {
    /// A query, most often with pipes: `level:error | stats count() by (service)`
    #[arg(default_value = "")]
    query: String,
    /// Over the time from so long ago until now
    #[arg(long, value_name = "TIME", default_value = "15m")]
    since: String,
    /// Ask so often
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    interval: String,
    /// At most so many rows [default: as many as the terminal has, else 50]
    #[arg(long, value_name = "N")]
    rows: Option<usize>,
    /// End after so many answers instead of at Ctrl-C
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// One answer a line: {"time": …, "rows": […]}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataArg,
}

impl Watch {
    pub(crate) fn run(self) -> Result<()> {
        let sys = Sys::real();
        let interval = duration(&self.interval).and_then(|nanos| u64::try_from(nanos).ok());
        let interval =
            interval.with_context(|| format!("`{}` is no duration; write 500ms, 2s or 1m", self.interval))?;
        let interval = Duration::from_nanos(interval).max(LEAST_INTERVAL);
        let node = Arc::new(reach::need_running(&sys, &self.data)?);
        let runtime = task::runtime("watch", 1).context("cannot start threads")?;
        let ended = runtime.block_on(self.rounds(&sys, node, interval));
        // A question that is under way must not hold up the end.
        runtime.shutdown_background();
        ended
    }

    /// Asks and shows until the count is reached or the process is asked to end.
    async fn rounds(&self, sys: &Sys, node: Arc<Client>, interval: Duration) -> Result<()> {
        let mut end = pin!(task::asked_to_end());
        let mut round = 0;
        loop {
            let limit = self.limit();
            let given =
                [("query", self.query.clone()), ("start", self.since.clone()), ("report", "1".to_owned())];
            let asked = node.clone();
            let work = move || ask(&asked, &given, limit);
            let answer = tokio::select! {
                () = &mut end => return Ok(()),
                answer = tokio::task::spawn_blocking(work) => answer.context("the question was not asked")?,
            };
            let time = rfc3339(sys.clock.now());
            match answer {
                Ok(rows) => self.show(&time, &rows)?,
                Err(error) if round == 0 => return Err(error),
                // A node may be away for a while.
                Err(error) => eprintln!("sawlog: {time}: {error:#}"),
            }
            round += 1;
            if self.count.is_some_and(|count| round >= count) {
                return Ok(());
            }
            tokio::select! {
                () = &mut end => return Ok(()),
                () = tokio::time::sleep(interval) => {}
            }
        }
    }

    /// The terminal without the line at its top and the cursor's.
    fn limit(&self) -> usize {
        let fits = terminal::size().map_or(ROWS, |(_, height)| height.saturating_sub(3).max(1));
        self.rows.unwrap_or(fits)
    }

    fn show(&self, time: &str, rows: &[Value]) -> Result<()> {
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", json!({ "time": time, "rows": rows }))?;
        } else if let Some((width, _)) = terminal::size() {
            let head = format!("{time}  every {}  {}", self.interval, terminal::visible(&self.query));
            out.write_all(frame(&head, &report(rows)?, width).as_bytes())?;
        } else {
            writeln!(out, "# {time}")?;
            report(rows)?.iter().try_for_each(|line| writeln!(out, "{line}"))?;
        }
        Ok(out.flush()?)
    }
}

/// The rows of an answer, at most so many.
fn ask(node: &Client, given: &[(&str, String)], limit: usize) -> Result<Vec<Value>> {
    let mut query = given.to_vec();
    query.push(("limit", limit.to_string()));
    let mut rows = Vec::new();
    for line in node.get("/api/v1/search", &query)?.lines() {
        let row: Value =
            serde_json::from_str(&line.context("the answer broke off")?).context("a row is not JSON")?;
        let Some(end) = row.get("_report") else {
            rows.push(row);
            continue;
        };
        if let Some(error) = end["error"].as_str() {
            bail!("{error}");
        }
    }
    Ok(rows)
}

/// The lines of a report: records as `sawlog search` prints them, other rows as a table.
fn report(rows: &[Value]) -> Result<Vec<String>> {
    if !rows.iter().all(|row| row["_line"].is_string()) {
        return Ok(table(rows));
    }
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let mut out = Vec::new();
    records::print(lines.as_bytes(), Form::Text { colour: false }, &mut out)?;
    Ok(String::from_utf8_lossy(&out).lines().map(str::to_owned).collect())
}

/// Columns under their names, as wide as what is in them; numbers to the right.
fn table(rows: &[Value]) -> Vec<String> {
    let mut names: Vec<&str> = Vec::new();
    for key in rows.iter().filter_map(Value::as_object).flat_map(|row| row.keys()) {
        if !names.contains(&key.as_str()) {
            names.push(key);
        }
    }
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => terminal::visible(text),
        other => other.to_string(),
    };
    let columns: Vec<(bool, Vec<String>)> = names
        .iter()
        .map(|name| {
            let number = rows.iter().all(|row| row[*name].is_number() || row[*name].is_null());
            let cells = rows.iter().map(|row| text(&row[*name]));
            (number, std::iter::once(terminal::visible(name)).chain(cells).collect())
        })
        .collect();
    let line = |index: usize| {
        let cells = columns.iter().map(|(number, cells)| {
            let width = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or_default();
            if *number { format!("{:>width$}", cells[index]) } else { format!("{:width$}", cells[index]) }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    if names.is_empty() { Vec::new() } else { (0..=rows.len()).map(line).collect() }
}

/// What redraws the terminal: over what is there, line by line, so that nothing flickers, and away with what is left below.
fn frame(head: &str, lines: &[String], width: usize) -> String {
    let mut out = String::from("\x1b[H");
    for line in std::iter::once(head).chain(lines.iter().map(String::as_str)) {
        out.extend(line.chars().take(width));
        out.push_str("\x1b[K\r\n");
    }
    out.push_str("\x1b[J");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_a_table_with_numbers_to_the_right() {
        let rows =
            [json!({"service": "api", "n": 1200, "p99": 1.5}), json!({"service": "billing\u{1b}", "n": 7})];
        assert_eq!(table(&rows), ["service         n  p99", "api          1200  1.5", "billing\\x1b     7"]);
        assert!(table(&[]).is_empty());
    }

    #[test]
    fn records_are_printed_as_lines() {
        let rows = [json!({"_time": "2026-01-02T03:04:05Z", "_tag": "app", "_line": "hello"})];
        assert_eq!(report(&rows).unwrap(), ["2026-01-02T03:04:05Z app hello"]);
    }

    #[test]
    fn a_frame_is_drawn_over_the_last_and_cut_to_the_terminal() {
        let lines = ["0123456789".to_owned()];
        assert_eq!(frame("head", &lines, 5), "\x1b[Hhead\x1b[K\r\n01234\x1b[K\r\n\x1b[J");
    }
}
