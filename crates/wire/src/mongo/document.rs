//! Rows as documents: the record with its time, tag and host, and an id that is the same whenever the row is sent. Knows nothing of
//! how they are sent.

use std::borrow::Cow;

use sawlog_model::time::{read, read_epoch};
use sawlog_model::{Batch, Limits, RowRef, SECOND, Value};
use sawlog_pipeline::{ConfigError, Env, Options};
use xxhash_rust::xxh3::xxh3_64;

use super::bson::{self, Keys};
use crate::shared::record::{self, Accessor, tag};

/// Longest document that servers take, bytes.
pub(super) const DOCUMENT_MOST: usize = 16 << 20;

/// The field that is a document's id.
const ID: &str = "_id";

/// How rows become documents.
pub(super) struct Documents {
    keys: Keys,
    /// Whether documents get an id.
    with_id: bool,
    host: Option<(String, String)>,
    tag_key: Option<String>,
    time_key: Option<String>,
    dates: Vec<Accessor>,
    /// Whether texts of those may be numbers.
    numbers: bool,
    /// Keeps apart the ids of two outputs that write to one collection.
    name: String,
    limits: Limits,
}

/// [`Documents`] of one batch.
pub(super) struct Writer<'a> {
    of: &'a Documents,
    tag: Cow<'a, str>,
    /// What tells the source of the rows and this output from others.
    mark: u64,
}

impl Documents {
    pub fn new(options: &Options, env: &Env) -> Result<Documents, ConfigError> {
        let text = |name: &str| options.text(name).to_owned();
        let given = |name: &str| Some(text(name)).filter(|text| !text.is_empty());
        let dates = options.list("date_keys").iter().filter(|key| !key.is_empty());
        let dates = dates.map(|key| Accessor::parse(key)).collect::<Result<_, _>>();
        let host = given("hostname").unwrap_or_else(sawlog_sys::host_name);
        Ok(Documents {
            keys: Keys { dot: given("replace_dot_in_key_with"), dollar: given("replace_dollar_in_key_with") },
            with_id: options.flag("id_of_address"),
            host: given("hostname_key").map(|key| (key, host)),
            tag_key: options.flag("include_tag_key").then(|| text("tag_key")),
            time_key: options.flag("include_time_key").then(|| text("time_key")),
            dates: dates.map_err(|message| ConfigError(format!("`date_keys`: {message}")))?,
            numbers: options.flag("parse_string_number_date"),
            name: env.name.to_string(),
            limits: env.limits,
        })
    }

    pub fn of_batch<'a>(&'a self, batch: &'a Batch) -> Writer<'a> {
        let mut facts = self.name.as_bytes().to_vec();
        facts.push(0);
        facts.extend_from_slice(&batch.source.id.0.to_le_bytes());
        facts.extend_from_slice(&batch.epoch.to_le_bytes());
        Writer { of: self, tag: tag(batch), mark: xxh3_64(&facts) }
    }
}

impl Writer<'_> {
    /// Appends the document of a row. Whether its record says its id itself.
    ///
    /// # Errors
    /// In words, where it can be none.
    pub fn write(&self, row: RowRef<'_>, out: &mut Vec<u8>) -> Result<bool, String> {
        let (of, start) = (self.of, out.len());
        let mut entries = record::entries(row, &of.limits);
        let mut set = |key: &String, value: Value| record::set(&mut entries, Value::Str(key.clone()), value);
        if let Some((key, name)) = &of.host {
            set(key, Value::Str(name.clone()));
        }
        if let Some(key) = &of.tag_key {
            set(key, Value::Str(self.tag.clone().into_owned()));
        }
        if let Some(key) = &of.time_key {
            set(key, Value::Time(row.row().time));
        }
        for date in &of.dates {
            if let Some(value) = date.find_mut(&mut entries) {
                *value = of.date(value, row);
            }
        }
        let has_own = entries.iter().any(|(key, _)| key.as_str() == Some(ID));
        let id = (of.with_id && !has_own).then(|| self.id(row.row().offset));
        bson::write(id.as_ref(), &entries, &of.keys, out)?;
        match out.len() - start {
            len if len > DOCUMENT_MOST => {
                Err(format!("the document has {len} bytes; servers take at most {DOCUMENT_MOST}"))
            }
            _ => Ok(has_own),
        }
    }

    /// A UUID of its maker's own layout (version 8, RFC 9562): the source first, so that documents of one stand together in the
    /// index of ids, then the place in it.
    fn id(&self, offset: u64) -> [u8; 16] {
        let [high, low] = [self.mark, offset];
        let high = (high & !0xf000) | 0x8000;
        let low = (low & (u64::MAX >> 2)) | (1 << 63);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&high.to_be_bytes());
        id[8..].copy_from_slice(&low.to_be_bytes());
        id
    }
}

impl Documents {
    /// What a field says as a time; nil where that is none.
    fn date(&self, value: &Value, row: RowRef<'_>) -> Value {
        let whole = |number: i64| {
            // As JavaScript counts, or in seconds.
            let unit = if number > 9_999_999_999 { SECOND / 1000 } else { SECOND };
            number.checked_mul(unit)
        };
        let parts = |seconds: f64| {
            seconds.is_finite().then_some(((seconds * 1e6).round() as i64).saturating_mul(1000))
        };
        let stamp = |text: &str| {
            let stamp = match read(text.as_bytes()) {
                None if self.numbers => read_epoch(text.as_bytes()),
                stamp => stamp,
            };
            stamp?.time(0, row.row().received)
        };
        let time = match value {
            Value::Time(nanos) => Some(*nanos),
            Value::Int(number) => whole(*number),
            Value::Float(seconds) => parts(*seconds),
            Value::Float32(seconds) => parts((*seconds).into()),
            Value::Str(text) => match text.parse() {
                Ok(number) if self.numbers => whole(number),
                _ => stamp(text),
            },
            _ => None,
        };
        time.map_or(Value::Nil, Value::Time)
    }
}
