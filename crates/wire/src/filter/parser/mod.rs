//! Parses a field of each row, by a configured parser. Where the field is the whole line, the line stays and gets fields.
//! Knows nothing of routes, nor of how texts are parsed.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use sawlog_model::{Batch, Limits, NameId, Nanos, Row, RowRef, Slot, Value, strip_terminator};
use sawlog_pipeline::config::{ElementReader, FluentForm, Role};
use sawlog_pipeline::{
    ConfigError, Env, Failed, Filter, Filtered, Opt, OptKind, Options, Protocol, opt, options,
};
use sawlog_sys::Sys;

use crate::format::parse::{self, Spec, Text, TextReader};
use crate::shared::record::{Accessor, Bound, MESSAGE, Rewriter, Shape, entries, select, set, shape};

/// The filter.
pub const PROTOCOL: Protocol = Protocol {
    name: "parser",
    summary: "Parses a field of each row.",
    options: options![OWN, parse::OPTIONS],
    filter: Some(make),
    fluent: &[FluentForm { role: Role::Filter, names: &["parser"], read: from_fluent }],
    ..Protocol::EMPTY
};

const OWN: &[Opt] = &[
    opt("key_name", OptKind::Text, MESSAGE, "The field; a record accessor."),
    opt(
        "reserve_data",
        OptKind::Bool,
        "false",
        "Keep the fields that the row has, and rows that do not match.",
    ),
    opt("reserve_time", OptKind::Bool, "false", "Keep the row's time."),
    opt(
        "remove_key_name_field",
        OptKind::Bool,
        "false",
        "With `reserve_data`: not the field itself, where it matched.",
    ),
    opt("replace_invalid_sequence", OptKind::Bool, "false", "Read `?` for bytes that are not UTF-8."),
    opt("inject_key_prefix", OptKind::Text, "", "Put before every name that is found."),
    opt("hash_value_field", OptKind::Text, "", "Put what is found into this one field, as a map."),
    opt(
        "emit_invalid_record_to_error",
        OptKind::Bool,
        "true",
        "Rows that do not match go to the label @ERROR.",
    ),
];

fn from_fluent(reader: &mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)> {
    let key = reader.required("key_name");
    if let Err(message) = Accessor::parse(key) {
        reader.wrong("key_name", &message);
    }
    let mut options = vec![("key_name", vec![key.to_owned()])];
    for key in ["inject_key_prefix", "hash_value_field"] {
        options.extend(reader.text(key).map(|text| (key, vec![text.to_owned()])));
    }
    for key in [
        "reserve_data",
        "reserve_time",
        "remove_key_name_field",
        "replace_invalid_sequence",
        "emit_invalid_record_to_error",
    ] {
        options.extend(reader.flag(key).map(|flag| (key, vec![flag.to_string()])));
    }
    reader
        .without_effect(&["suppress_parse_error_log", "ignore_key_not_exist"], "nothing is logged for a row");
    let parse = parse::from_fluent(reader);
    if parse.is_empty() {
        reader.wrong("@type", "this <filter> needs a <parse> inside");
    }
    options.extend(parse);
    options
}

struct ParserFilter {
    key: Accessor,
    reserve_data: bool,
    reserve_time: bool,
    remove_key: bool,
    scrub: bool,
    prefix: String,
    field: String,
    tell: bool,
    spec: Spec,
    /// Readers that nobody uses now.
    readers: Mutex<Vec<TextReader>>,
    sys: Sys,
    limits: Limits,
}

fn make(options: &Options, env: &Env) -> Result<Box<dyn Filter>, ConfigError> {
    let spec = Spec::from_options(options)?;
    if spec.is_auto() {
        return Err(ConfigError("it needs `parse.type`".to_owned()));
    }
    Ok(Box::new(ParserFilter {
        key: Accessor::parse(options.text("key_name")).map_err(ConfigError)?,
        reserve_data: options.flag("reserve_data"),
        reserve_time: options.flag("reserve_time"),
        remove_key: options.flag("remove_key_name_field"),
        scrub: options.flag("replace_invalid_sequence"),
        prefix: options.text("inject_key_prefix").to_owned(),
        field: options.text("hash_value_field").to_owned(),
        tell: options.flag("emit_invalid_record_to_error"),
        spec,
        readers: Mutex::default(),
        sys: env.sys.clone(),
        limits: env.limits,
    }))
}

/// The filter at work on one batch.
struct Work<'a> {
    filter: &'a ParserFilter,
    reader: &'a mut TextReader,
    rewriter: Rewriter<'a>,
    key: Bound<'a>,
    /// The reader's names in the new batch.
    names: Vec<NameId>,
    slots: Vec<Slot>,
    made: Vec<u8>,
    failed: Vec<usize>,
    detail: String,
}

impl ParserFilter {
    fn reader(&self) -> Option<TextReader> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reference = self.sys.clock.now();
        match idle {
            Some(mut reader) => {
                reader.refer(reference);
                Some(reader)
            }
            None => self.spec.reader(None, reference, self.limits),
        }
    }

    /// Whether the line of a row can stay and get the fields that are found in it.
    fn keeps_line(&self, row: RowRef<'_>) -> bool {
        shape(row) == Shape::Line
            && self.key.name() == MESSAGE
            && self.prefix.is_empty()
            && self.field.is_empty()
            && (!self.reserve_data || self.remove_key)
            && !(self.scrub && std::str::from_utf8(row.raw()).is_err())
    }
}

impl Work<'_> {
    fn row(&mut self, row: RowRef<'_>) {
        if self.filter.keeps_line(row) {
            return self.line(row);
        }
        let value = self.key.value(row, &self.filter.limits).filter(|value| *value != Value::Nil);
        if value.is_none() {
            return self.unmatched(row, &format!("{} does not exist", self.filter.key.name()));
        }
        let mut text = self.key.text(row, &self.filter.limits);
        if self.filter.scrub && std::str::from_utf8(&text).is_err() {
            text = String::from_utf8_lossy(&text).replace('\u{fffd}', "?").into_bytes().into();
        }
        let (slots, made) = (&mut self.slots, &mut self.made);
        slots.clear();
        made.clear();
        let Some(read) = self.reader.read(&text, 0, text.len(), slots, made) else {
            return self.unmatched(row, &format!("no match in `{}`", shortened(&text)));
        };
        let time = read.time.filter(|_| !self.filter.reserve_time).unwrap_or(row.row().time);
        let found = self.found(&text, &read);
        let mut record = self.kept(row);
        if self.filter.remove_key {
            self.filter.key.remove(&mut record);
        }
        self.put(found, &mut record);
        self.replace(row, time, record);
    }

    /// A row whose line is the text: it stays, with the fields that were found in it.
    fn line(&mut self, row: RowRef<'_>) {
        let text = strip_terminator(row.raw());
        let (start, base) = (row.row().start as usize, self.rewriter.end() as usize);
        self.slots.clear();
        self.made.clear();
        let Some(read) = self.reader.read(text, start, base, &mut self.slots, &mut self.made) else {
            return self.unmatched(row, &format!("no match in `{}`", shortened(text)));
        };
        for name in self.reader.names().iter().skip(self.names.len()) {
            self.names.push(self.rewriter.name(name));
        }
        self.slots.iter_mut().for_each(|slot| slot.name = self.names[slot.name.0 as usize]);
        let time = read.time.filter(|_| !self.filter.reserve_time).unwrap_or(row.row().time);
        if !self.rewriter.parsed(row, time, read.marks, &self.slots, &self.made, self.filter.reserve_data) {
            self.fail(row, "a batch would take more than 4 GiB");
        }
    }

    /// The entries of what was read.
    fn found(&self, text: &[u8], read: &Text) -> Vec<(Value, Value)> {
        let slots_end = self.slots.len() as u32;
        let time = read.time.unwrap_or(0);
        let len = text.len() as u32;
        let row = Row { start: 0, len, offset: 0, time, received: time, slots_end, marks: read.marks };
        let batch = Batch {
            buffer: [text, &self.made].concat().into(),
            names: self.reader.names().clone(),
            rows: vec![row],
            slots: self.slots.clone(),
            ..Batch::default()
        };
        entries(batch.row(0), &self.filter.limits)
    }

    /// What the new record has of the old one.
    fn kept(&self, row: RowRef<'_>) -> Vec<(Value, Value)> {
        if self.filter.reserve_data { entries(row, &self.filter.limits) } else { Vec::new() }
    }

    fn put(&self, found: Vec<(Value, Value)>, record: &mut Vec<(Value, Value)>) {
        let named = |(key, value): (Value, Value)| match key {
            Value::Str(key) => (Value::Str(format!("{}{key}", self.filter.prefix)), value),
            other => (other, value),
        };
        let found: Vec<_> = found.into_iter().map(named).collect();
        if self.filter.field.is_empty() {
            found.into_iter().for_each(|(key, value)| set(record, key, value));
        } else {
            set(record, Value::Str(self.filter.field.clone()), Value::Map(found));
        }
    }

    /// A row that is not of the form.
    fn unmatched(&mut self, row: RowRef<'_>, detail: &str) {
        if self.filter.tell {
            self.fail(row, detail);
        }
        if !self.filter.reserve_data {
            return;
        }
        if self.filter.field.is_empty() {
            return self.rewriter.keep(row);
        }
        let mut record = self.kept(row);
        self.put(Vec::new(), &mut record);
        self.replace(row, row.row().time, record);
    }

    fn replace(&mut self, row: RowRef<'_>, time: Nanos, record: Vec<(Value, Value)>) {
        if !self.rewriter.replace(row, time, record) {
            self.fail(row, "a batch would take more than 4 GiB");
        }
    }

    fn fail(&mut self, row: RowRef<'_>, detail: &str) {
        self.failed.push(row.index);
        detail.clone_into(&mut self.detail);
    }
}

/// The beginning of a text, for people.
fn shortened(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(200)]);
    text.chars().take(100).collect()
}

impl Filter for ParserFilter {
    fn apply(&self, batch: Arc<Batch>) -> Filtered {
        let Some(mut reader) = self.reader() else { return batch.into() };
        let mut work = Work {
            filter: self,
            reader: &mut reader,
            rewriter: Rewriter::new(&batch, &self.limits),
            key: self.key.of_batch(&batch),
            names: Vec::new(),
            slots: Vec::new(),
            made: Vec::new(),
            failed: Vec::new(),
            detail: String::new(),
        };
        batch.iter().for_each(|row| work.row(row));
        let Work { rewriter, failed, detail, .. } = work;
        let new = rewriter.finish();
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        let failed = (!failed.is_empty()).then(|| Failed {
            batch: select(&batch, |row| failed.binary_search(&row.index).is_ok()),
            reason: "unparsed",
            detail,
        });
        Filtered { batch: new, failed, told: Vec::new() }
    }
}
