//! What came to outputs beside what a test says should: whether both are the same, and how they differ, in lines for people.
//! Knows nothing of how the rows came there.

use std::fmt::Write as _;

use sawlog_model::{Address, Limits, Nanos, Value, time, value};
use sawlog_pipeline::config::cases::{Case, Expected};
use sawlog_pipeline::wiring::Passed;

use crate::shared::record;

/// A line about a test that failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Line {
    /// What the next lines are about.
    About(String),
    /// The same in both.
    Same(String),
    /// Expected, and not there.
    Missing(String),
    /// There, and not expected.
    Extra(String),
}

/// A row that came to an output.
struct Delivered {
    output: String,
    address: Address,
    tag: String,
    time: Nanos,
    record: Value,
}

/// How what came out differs from what the test says; nothing where it does not.
pub(super) fn differences(case: &Case, passed: &Passed, limits: &Limits) -> Vec<Line> {
    let mut delivered = delivered(passed, limits);
    if case.expect.iter().all(|expected| expected.output.is_none()) {
        merge(&mut delivered);
    }
    let mut missing: Vec<&Expected> = Vec::new();
    for expected in &case.expect {
        match delivered.iter().position(|row| is(row, expected)) {
            Some(at) => drop(delivered.remove(at)),
            None => missing.push(expected),
        }
    }
    let mut lines = Vec::new();
    if missing.is_empty() && delivered.is_empty() {
        return lines;
    }
    let mut left = delivered.into_iter();
    for expected in missing {
        match left.next() {
            Some(row) => pair(expected, &row, &mut lines),
            None => {
                lines.push(Line::About(format!("did not come{}", at_output(expected))));
                lines
                    .extend(shown(expected).into_iter().map(|(key, text)| Line::Missing(key + ": " + &text)));
            }
        }
    }
    for row in left {
        lines.push(Line::About(format!("was not expected, at output `{}`", row.output)));
        lines.extend(all_of(&row).into_iter().map(|(key, text)| Line::Extra(key + ": " + &text)));
    }
    lines.extend(passed.errors.iter().map(|error| Line::About(error.clone())));
    if passed.unmatched {
        lines.push(Line::About("some rows come to the end of the steps and go to no output".to_owned()));
    }
    lines
}

fn at_output(expected: &Expected) -> String {
    expected.output.as_ref().map(|output| format!(", at output `{output}`")).unwrap_or_default()
}

fn delivered(passed: &Passed, limits: &Limits) -> Vec<Delivered> {
    let mut all = Vec::new();
    for (output, batch) in &passed.rows {
        let tag = record::tag(batch).into_owned();
        all.extend(batch.iter().map(|row| Delivered {
            output: output.to_string(),
            address: row.address(),
            tag: tag.clone(),
            time: row.row().time,
            record: Value::Map(record::entries(row, limits)),
        }));
    }
    all
}

/// A row that came alike to several outputs counts once.
fn merge(rows: &mut Vec<Delivered>) {
    let mut kept: Vec<Delivered> = Vec::new();
    for row in rows.drain(..) {
        let same = |have: &Delivered| {
            have.address == row.address
                && have.tag == row.tag
                && have.time == row.time
                && have.record.same(&row.record)
        };
        if !kept.iter().any(same) {
            kept.push(row);
        }
    }
    *rows = kept;
}

fn is(row: &Delivered, expected: &Expected) -> bool {
    same(&row.record, &expected.record)
        && expected.tag.as_ref().is_none_or(|tag| *tag == row.tag)
        && expected.time.is_none_or(|time| time == row.time)
        && expected.output.as_ref().is_none_or(|output| *output == row.output)
}

/// Whether both are the same in type and bits, whatever the order of keys.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Map(entries), Value::Map(others)) => {
            let found = |key: &Value| others.iter().find(|(have, _)| have.same(key)).map(|(_, value)| value);
            entries.len() == others.len()
                && entries.iter().all(|(key, value)| found(key).is_some_and(|other| same(value, other)))
        }
        (Value::List(list), Value::List(others)) => {
            list.len() == others.len() && list.iter().zip(others).all(|(one, other)| same(one, other))
        }
        _ => one.same(other),
    }
}

/// Two rows side by side: what is the same stands once.
fn pair(expected: &Expected, row: &Delivered, lines: &mut Vec<Line>) {
    lines.push(Line::About(format!("differs, at output `{}`", row.output)));
    if let Some(output) = expected.output.as_ref().filter(|output| **output != row.output) {
        lines.push(Line::About(format!("expected at output `{output}`")));
    }
    let mut there = all_of(row);
    // A tag or time that the test says nothing of is not part of the comparison.
    there.retain(|(key, _)| {
        (key != "(tag)" || expected.tag.is_some()) && (key != "(time)" || expected.time.is_some())
    });
    for (key, text) in shown(expected) {
        let found = there.iter().position(|(have, _)| *have == key).map(|at| there.remove(at).1);
        match found {
            Some(other) if other == text => lines.push(Line::Same(format!("{key}: {text}"))),
            found => {
                lines.push(Line::Missing(format!("{key}: {text}")));
                lines.extend(found.map(|other| Line::Extra(format!("{key}: {other}"))));
            }
        }
    }
    lines.extend(there.into_iter().map(|(key, text)| Line::Extra(format!("{key}: {text}"))));
}

fn shown(expected: &Expected) -> Vec<(String, String)> {
    facts(expected.tag.as_deref(), expected.time, &expected.record)
}

fn all_of(row: &Delivered) -> Vec<(String, String)> {
    facts(Some(&row.tag), Some(row.time), &row.record)
}

/// Tag, time and fields, each as text.
fn facts(tag: Option<&str>, at: Option<Nanos>, record: &Value) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    facts.extend(tag.map(|tag| ("(tag)".to_owned(), tag.escape_debug().to_string())));
    facts.extend(at.map(|at| ("(time)".to_owned(), time::rfc3339(at))));
    if let Value::Map(entries) = record {
        facts.extend(entries.iter().map(|(key, value)| (name(key), sorted(value))));
    }
    facts
}

fn name(key: &Value) -> String {
    match key {
        Value::Str(text) => text.escape_debug().to_string(),
        other => rendered(other),
    }
}

/// A value as JSON with its keys in order, so that the same values are the same text.
fn sorted(value: &Value) -> String {
    fn sort(value: &Value) -> Value {
        match value {
            Value::Map(entries) => {
                let mut entries: Vec<_> =
                    entries.iter().map(|(key, value)| (key.clone(), sort(value))).collect();
                entries.sort_by_cached_key(|(key, _)| rendered(key));
                Value::Map(entries)
            }
            Value::List(list) => Value::List(list.iter().map(sort).collect()),
            other => other.clone(),
        }
    }
    rendered(&sort(value))
}

fn rendered(value: &Value) -> String {
    let mut out = Vec::new();
    value::render(value, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Colours, for a terminal.
pub(super) struct Paint {
    good: &'static str,
    bad: &'static str,
    end: &'static str,
}

impl Paint {
    pub(super) fn new(colour: bool) -> Self {
        match colour {
            true => Paint { good: "\x1b[32m", bad: "\x1b[31m", end: "\x1b[0m" },
            false => Paint { good: "", bad: "", end: "" },
        }
    }

    pub(super) fn passed(&self, name: &str) -> String {
        format!("{}ok{}    {name}\n", self.good, self.end)
    }

    pub(super) fn failed(&self, name: &str, place: &str) -> String {
        format!("{}FAIL{}  {name} ({place})\n", self.bad, self.end)
    }

    pub(super) fn line(&self, line: &Line) -> String {
        let mut text = String::new();
        let _ = match line {
            Line::About(about) => writeln!(text, "      {about}"),
            Line::Same(same) => writeln!(text, "        {same}"),
            Line::Missing(missing) => writeln!(text, "      {}- {missing}{}", self.bad, self.end),
            Line::Extra(extra) => writeln!(text, "      {}+ {extra}{}", self.good, self.end),
        };
        text
    }
}
