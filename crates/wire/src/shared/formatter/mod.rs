//! Rows as text or bytes, by the kinds of Fluentd's `<format>`, with what `<inject>` adds: one file for each kind. Knows
//! nothing of where the bytes go.

pub(crate) mod blueox;
mod csv;
mod envelope;
mod gelf;
mod hash;
mod ik;
mod inject;
mod json;
mod logstash;
mod ltsv;
mod msgpack;
mod options;
mod out_file;
mod single_value;
mod stamped;
mod stdout;
#[cfg(test)]
mod tests;
mod tsv;

use std::borrow::Cow;

use sawlog_model::{Limits, RowRef, Value};
use sawlog_pipeline::{ConfigError, Options};

use self::inject::Inject;
use super::record::{self, Accessor};

pub use options::{FORMAT, INJECT, OPTIONS, from_fluent, from_fluent_with};

/// Writes events.
pub trait Format: Send + Sync {
    /// Appends one.
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>);
}

/// A kind of format: its name, what makes one, and what its bytes are called in HTTP.
struct Kind {
    name: &'static str,
    make: fn(&Options) -> Result<Box<dyn Format>, String>,
    content_type: &'static str,
}

/// All kinds.
const KINDS: &[Kind] = &[
    Kind { name: "json", make: json::make, content_type: "application/x-ndjson" },
    Kind { name: "ltsv", make: ltsv::make, content_type: "text/tab-separated-values" },
    Kind { name: "csv", make: csv::make, content_type: "text/csv" },
    Kind { name: "tsv", make: tsv::make, content_type: "text/tab-separated-values" },
    Kind { name: "msgpack", make: msgpack::make, content_type: "application/x-msgpack" },
    Kind { name: "blueox", make: blueox::make, content_type: "application/x-msgpack" },
    Kind { name: "out_file", make: out_file::make, content_type: "text/plain" },
    Kind { name: "single_value", make: single_value::make, content_type: "text/plain" },
    Kind { name: "hash", make: hash::make, content_type: "text/plain" },
    Kind { name: "ik", make: ik::make, content_type: "text/plain" },
    Kind { name: "stdout", make: stdout::make, content_type: "text/plain" },
    Kind { name: "logstash", make: logstash::version_1, content_type: "application/x-ndjson" },
    Kind { name: "logstash_v0", make: logstash::version_0, content_type: "application/x-ndjson" },
    Kind {
        name: "logstash_msgpack",
        make: logstash::version_1_msgpack,
        content_type: "application/x-msgpack",
    },
    Kind {
        name: "logstash_v0_msgpack",
        make: logstash::version_0_msgpack,
        content_type: "application/x-msgpack",
    },
    Kind { name: "gelf", make: gelf::make, content_type: "application/json" },
    Kind { name: "stamped", make: stamped::make, content_type: "text/plain" },
];

/// The format of that name.
fn make(name: &str, options: &Options) -> Result<Box<dyn Format>, String> {
    let names = || KINDS.iter().map(|kind| kind.name);
    let unknown =
        || format!("there is no format `{name}`{}", sawlog_pipeline::config::suggestion(name, names()));
    let kind = KINDS.iter().find(|kind| kind.name == name).ok_or_else(unknown)?;
    (kind.make)(options)
}

/// An event as a format sees it: a row, its tag, and the fields that are injected into its record.
pub struct Event<'a> {
    /// The row.
    pub row: RowRef<'a>,
    /// Its tag.
    pub tag: &'a str,
    injected: Vec<(&'a str, Value)>,
    limits: &'a Limits,
}

impl Event<'_> {
    /// The record, in order.
    fn entries(&self) -> Vec<(Value, Value)> {
        let mut entries = record::entries(self.row, self.limits);
        for (key, value) in &self.injected {
            record::set(&mut entries, Value::Str((*key).to_owned()), value.clone());
        }
        entries
    }

    /// Appends the record as JSON.
    fn json(&self, out: &mut Vec<u8>) {
        if self.injected.is_empty() {
            return record::write_json(self.row, self.limits, out);
        }
        record::write_plain(&Value::Map(self.entries()), out);
    }

    /// A field as text; `None` where it is absent or null.
    fn text(&self, key: &Accessor) -> Option<Cow<'_, [u8]>> {
        if let Some((_, value)) = self.injected.iter().find(|(name, _)| *name == key.name()) {
            return Some(Cow::Owned(record::plain_text(value).into_owned()));
        }
        let bound = key.of_batch(self.row.batch);
        match bound.value(self.row, self.limits)? {
            Value::Nil => None,
            _ => Some(bound.text(self.row, self.limits)),
        }
    }
}

/// A format with its injections.
pub struct Formatter {
    name: String,
    format: Box<dyn Format>,
    inject: Inject,
    limits: Limits,
}

impl Formatter {
    /// That of the options named `format.…` and `inject.…`; `default` where none is named.
    ///
    /// # Errors
    /// [`ConfigError`] where they cannot be.
    pub fn new(options: &Options, default: &str, limits: Limits) -> Result<Formatter, ConfigError> {
        let name = Some(options.text("format.type")).filter(|name| !name.is_empty()).unwrap_or(default);
        let format = make(name, options).map_err(|message| ConfigError(format!("`format`: {message}")))?;
        let inject = Inject::new(options).map_err(|message| ConfigError(format!("`inject`: {message}")))?;
        Ok(Formatter { name: name.to_owned(), format, inject, limits })
    }

    /// Appends a row.
    pub fn write(&self, row: RowRef<'_>, tag: &str, out: &mut Vec<u8>) {
        let injected = self.inject.fields(row, tag);
        self.format.write(&Event { row, tag, injected, limits: &self.limits }, out);
    }

    /// The name of its kind.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its bytes are called in HTTP.
    pub fn content_type(&self) -> &'static str {
        KINDS.iter().find(|kind| kind.name == self.name).map_or("text/plain", |kind| kind.content_type)
    }
}

/// What ends an event, as configured.
fn line_end(options: &Options) -> &'static [u8] {
    match (options.text("format.add_newline"), options.text("format.newline")) {
        ("false", _) => b"",
        (_, "crlf") => b"\r\n",
        _ => b"\n",
    }
}

/// A delimiter as configured: `\t` and `TAB` are a tab.
fn delimiter(options: &Options, default: &str) -> Vec<u8> {
    match options.text("format.delimiter") {
        "" => default.as_bytes().to_vec(),
        "\\t" | "TAB" => b"\t".to_vec(),
        other => other.as_bytes().to_vec(),
    }
}

/// The fields that `format.keys` names.
fn keys(options: &Options, kind: &str) -> Result<Vec<Accessor>, String> {
    let keys = options.list("format.keys");
    if keys.is_empty() {
        return Err(format!("the format `{kind}` needs `keys`"));
    }
    keys.iter().map(|key| Accessor::parse(key)).collect()
}
