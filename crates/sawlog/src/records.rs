//! Records on their way to a person or a program: lines of JSON as they are, or as text with time, source and line. It
//! does not matter whether a node sent them or this process found them.

use std::io::{BufRead, Write};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::terminal::{self, colour};

/// How records are printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A JSON object a line, as it came.
    Json,
    /// Time, source and line.
    Text {
        /// With colours.
        colour: bool,
    },
}

impl Form {
    /// JSON where asked for, else text in colours where the terminal wants them.
    pub(crate) fn choose(json: bool) -> Form {
        if json { Form::Json } else { Form::Text { colour: terminal::wants_colour() } }
    }
}

/// Prints every line of `records`; returns how many.
pub(crate) fn print(mut records: impl BufRead, form: Form, out: &mut impl Write) -> Result<u64> {
    let mut line = Vec::new();
    let mut count = 0;
    loop {
        line.clear();
        if records.read_until(b'\n', &mut line).context("the answer broke off")? == 0 {
            return Ok(count);
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        // A node ends its answer with a report, which tells whether it failed halfway.
        if line.starts_with(b"{\"_report\":") {
            let said: Value = serde_json::from_slice(&line)?;
            match said["_report"]["error"].as_str() {
                Some(error) => bail!("{error} {}", said["_report"]["remedy"].as_str().unwrap_or_default()),
                None => continue,
            }
        }
        count += 1;
        match form {
            Form::Json => out.write_all(&line)?,
            Form::Text { colour } => print_text(&line, colour, out)?,
        }
        out.flush()?;
    }
}

fn print_text(line: &[u8], coloured: bool, out: &mut impl Write) -> Result<()> {
    let record: Value = serde_json::from_slice(line).context("a record is not JSON")?;
    let Some(text) = record["_line"].as_str() else {
        return print_pairs(&record, out);
    };
    let word = |key: &str| record[key].as_str().unwrap_or_default();
    let origin = ["_path", "_tag", "_source"].into_iter().map(word).find(|word| !word.is_empty());
    let origin = terminal::visible(origin.unwrap_or_default());
    let name = origin.rsplit('/').next().unwrap_or_default();
    let level = record["level"].as_str().unwrap_or_default().to_ascii_lowercase();
    let (faint, end) = if coloured { (colour::FAINT, colour::END) } else { ("", "") };
    let tint = match level.as_str() {
        _ if !coloured => "",
        "error" | "err" | "fatal" | "critical" | "severe" => colour::ERROR,
        "warn" | "warning" => colour::WARNING,
        _ => "",
    };
    for (index, part) in text.split('\n').enumerate() {
        let shown = terminal::visible(part.strip_suffix('\r').unwrap_or(part));
        let close = if tint.is_empty() { "" } else { end };
        if index == 0 {
            writeln!(out, "{faint}{} {name}{end} {tint}{shown}{close}", word("_time"))?;
        } else {
            writeln!(out, "{tint}{shown}{close}")?;
        }
    }
    Ok(())
}

/// A row of an aggregate: its columns by name.
fn print_pairs(record: &Value, out: &mut impl Write) -> Result<()> {
    let pairs = record.as_object().into_iter().flatten().map(|(name, value)| match value {
        Value::String(text) => format!("{name}={}", terminal::visible(text)),
        other => format!("{name}={other}"),
    });
    Ok(writeln!(out, "{}", pairs.collect::<Vec<_>>().join("  "))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_a_record_as_time_name_and_line_without_its_escapes() {
        let line = br#"{"_time":"2026-01-02T03:04:05Z","_path":"/var/log/app.log","_line":"a \u001b[31mb"}"#;
        let mut out = Vec::new();
        print(&line[..], Form::Text { colour: false }, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "2026-01-02T03:04:05Z app.log a \\x1b[31mb\n");
    }

    #[test]
    fn an_answer_that_breaks_off_is_an_error() {
        let mut out = Vec::new();
        let lines = b"{\"_line\":\"a\",\"_time\":\"t\"}\n{\"_report\":{\"error\":\"out of memory\"}}\n";
        let error = print(&lines[..], Form::Json, &mut out).unwrap_err();
        assert_eq!(error.to_string().trim(), "out of memory");
    }
}
