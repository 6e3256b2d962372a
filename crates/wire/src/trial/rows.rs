//! Rows as an input would make them of what a test gives. Knows nothing of where they go.

use std::sync::Arc;

use bytes::Bytes;
use sawlog_model::{Batch, Context, Limits, Marks, Nanos, Row, Source, SourceFacts, SourceId, Value, value};
use sawlog_pipeline::Options;
use sawlog_pipeline::config::Section;
use sawlog_pipeline::config::cases::{Case, Given};

use crate::format::parse::Spec;
use crate::format::{More, Parser, Settings};
use crate::tail;

/// Inputs that read lines, beside `tail`; the others read messages.
const OF_LINES: &[&str] = &["tcp", "udp", "unix", "exec"];

/// The rows of a test, for the input that it names.
///
/// # Errors
/// In words, where the input reads no lines.
pub(super) fn make(
    case: &Case,
    input: Option<&Section>,
    now: Nanos,
    limits: Limits,
) -> Result<Batch, String> {
    let time = case.time.unwrap_or(now);
    let mut batch = match &case.rows {
        Given::Records(records) => of_records(records, time, &limits),
        Given::Lines(text) => {
            let mut text = text.clone();
            if !text.ends_with('\n') {
                text.push('\n');
            }
            of_lines(text.into(), case, input, time, limits)?
        }
    };
    let path = case.path.as_deref().unwrap_or_default();
    batch.source = Arc::new(Source {
        id: SourceId(1),
        facts: SourceFacts { name: path.to_owned(), ..SourceFacts::default() },
    });
    batch.context = Arc::new(context(case, input, path)?);
    batch.rows.iter_mut().for_each(|row| row.received = now);
    Ok(batch)
}

/// What is said of all rows: as the input would, with what the test says over it.
fn context(case: &Case, input: Option<&Section>, path: &str) -> Result<Context, String> {
    let mut context = match input {
        Some(section) if section.kind == tail::PROTOCOL.name => line_options(&section.options)?.context(path),
        Some(section) => match section.options.text("tag") {
            "" => Context::new([("_tag", section.kind.as_str())]),
            tag => Context::new([("_tag", tag)]),
        },
        None => Context::default(),
    };
    for (name, value) in [("_tag", &case.tag), ("_host", &case.host), ("_path", &case.path)] {
        if let Some(value) = value {
            context.set(name, value.as_str());
        }
    }
    Ok(context)
}

fn line_options(options: &Options) -> Result<tail::LineOptions, String> {
    tail::line_options(options).map_err(|error| error.to_string())
}

/// A row for each record, as for events that come as maps.
fn of_records(records: &[Value], time: Nanos, limits: &Limits) -> Batch {
    let mut batch = Batch::default();
    let mut buffer = Vec::new();
    for record in records {
        let start = buffer.len();
        let slots = value::Slots::new("", limits, &mut batch.names, &mut batch.slots);
        value::render_slots(record, slots, &mut buffer);
        buffer.push(b'\n');
        batch.rows.push(Row {
            start: start as u32,
            len: (buffer.len() - start) as u32,
            offset: start as u64,
            time,
            received: time,
            slots_end: batch.slots.len() as u32,
            marks: Marks::MAP.with(Marks::JSON),
        });
    }
    batch.buffer = buffer.into();
    batch
}

/// The rows that the input reads from lines; without one each line is a row in which nothing is found.
fn of_lines(
    text: Bytes,
    case: &Case,
    input: Option<&Section>,
    time: Nanos,
    limits: Limits,
) -> Result<Batch, String> {
    let mut path_key = String::new();
    let settings = match input {
        None => None,
        Some(section) if section.kind == tail::PROTOCOL.name => {
            let options = line_options(&section.options)?;
            path_key.clone_from(&options.path_key);
            Some(options.settings(time, time))
        }
        Some(section) if OF_LINES.contains(&section.kind.as_str()) => {
            let spec = Spec::from_options(&section.options).map_err(|error| error.to_string())?;
            let settings = Settings { reference: time, fallback: time, ..Settings::default() };
            (!spec.is_auto()).then_some(Settings { parse: Some(spec), ..settings })
        }
        Some(section) => {
            return Err(format!("`{}` reads messages and not lines; give the test a `record`", section.kind));
        }
    };
    let Some(settings) = settings else { return Ok(plain(text, time)) };
    let mut parser = Parser::new(settings, limits);
    let mut parsed = parser.parse(&text, 0, More::No);
    if !path_key.is_empty() {
        let name = parser.name(&path_key);
        let path = case.path.clone().unwrap_or_default();
        parsed.add_field(text.len(), name, path.as_bytes());
    }
    let buffer = parsed.whole(text);
    Ok(Batch { buffer, names: parser.names(), rows: parsed.rows, slots: parsed.slots, ..Batch::default() })
}

fn plain(text: Bytes, time: Nanos) -> Batch {
    let mut rows = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let len = line.len() as u32;
        let offset = u64::from(start);
        rows.push(Row { start, len, offset, time, received: time, slots_end: 0, marks: Marks::default() });
        start += len;
    }
    Batch { buffer: text, rows, ..Batch::default() }
}
