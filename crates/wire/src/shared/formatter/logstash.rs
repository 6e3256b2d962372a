//! Events of Logstash, of version 1 and 0, as JSON or msgpack, in the fields that Beaver gave them; what the record says goes
//! before what the envelope would.

use sawlog_model::Value;
use sawlog_model::{Limits, RowRef};
use sawlog_pipeline::Options;

use super::envelope::{Envelope, text};
use super::{Event, Format, line_end};
use crate::shared::msgpack;
use crate::shared::record::{self, MESSAGE, Shape};

struct Logstash {
    envelope: Envelope,
    fields: fn(&Envelope, &Event<'_>) -> Vec<(Value, Value)>,
    /// What ends a line of JSON; `None` for msgpack.
    end: Option<&'static [u8]>,
}

pub(super) fn version_1(options: &Options) -> Result<Box<dyn Format>, String> {
    Ok(Box::new(Logstash {
        envelope: Envelope::new()?,
        fields: version_1_fields,
        end: Some(line_end(options)),
    }))
}

pub(super) fn version_0(options: &Options) -> Result<Box<dyn Format>, String> {
    Ok(Box::new(Logstash {
        envelope: Envelope::new()?,
        fields: version_0_fields,
        end: Some(line_end(options)),
    }))
}

pub(super) fn version_1_msgpack(_: &Options) -> Result<Box<dyn Format>, String> {
    Ok(Box::new(Logstash { envelope: Envelope::new()?, fields: version_1_fields, end: None }))
}

pub(super) fn version_0_msgpack(_: &Options) -> Result<Box<dyn Format>, String> {
    Ok(Box::new(Logstash { envelope: Envelope::new()?, fields: version_0_fields, end: None }))
}

impl Format for Logstash {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        let fields = Value::Map((self.fields)(&self.envelope, event));
        match self.end {
            Some(end) => {
                record::write_plain(&fields, out);
                out.extend_from_slice(end);
            }
            None => msgpack::write(&fields, out),
        }
    }
}

fn pair(name: &str, value: Value) -> (Value, Value) {
    (text(name), value)
}

fn version_1_fields(envelope: &Envelope, event: &Event<'_>) -> Vec<(Value, Value)> {
    let mut fields = vec![
        pair("@version", Value::Int(1)),
        pair("@timestamp", text(&envelope.time(event))),
        pair("host", text(envelope.host(event))),
        pair("file", text(envelope.file(event))),
        pair(MESSAGE, text("")),
        pair("type", text(event.tag)),
        pair("tags", Value::List(Vec::new())),
    ];
    for (key, value) in event.entries() {
        record::set(&mut fields, key, value);
    }
    fields
}

fn version_0_fields(envelope: &Envelope, event: &Event<'_>) -> Vec<(Value, Value)> {
    let (mut message, mut tags) = (text(""), Value::List(Vec::new()));
    let (mut inner, mut own) = (Vec::new(), Vec::new());
    let shape = record::shape(event.row);
    // A line that was read as one field, `message`, is a line all the same.
    let (is_line, is_text) = (shape == Shape::Line, matches!(shape, Shape::Line | Shape::Fields));
    for (key, value) in event.entries() {
        match key.as_str() {
            Some("tags") => tags = value,
            Some(MESSAGE) if is_text => message = value,
            Some(name) if is_line || is_added(event.row, name) => inner.push((key, value)),
            _ => own.push((key, value)),
        }
    }
    let file = envelope.file(event);
    let mut fields = vec![
        pair("@source", Value::Str(format!("file://{file}"))),
        pair("@type", text(event.tag)),
        pair("@tags", tags),
        pair("@fields", Value::Map(inner)),
        pair("@timestamp", text(&envelope.time(event))),
        pair("@source_host", text(envelope.host(event))),
        pair("@source_path", text(file)),
        pair("@message", message),
    ];
    for (key, value) in own {
        record::set(&mut fields, key, value);
    }
    fields
}

/// Whether a field was added to the row beside its line.
fn is_added(row: RowRef<'_>, name: &str) -> bool {
    record::added(row).any(|slot| **row.batch.names.name(slot.name) == *name)
}

/// The line, or the field that stands for it.
pub(super) fn message(row: RowRef<'_>, limits: &Limits) -> Vec<u8> {
    let entries = record::entries(row, limits);
    let message = entries.iter().find(|(key, _)| key.as_str() == Some(MESSAGE));
    match message {
        Some((_, value)) => record::plain_text(value).into_owned(),
        None => sawlog_model::strip_terminator(row.raw()).to_vec(),
    }
}
