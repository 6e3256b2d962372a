//! Events as BlueOx's files hold them: maps of old msgpack, nothing between. What is no event becomes the body of one.

use sawlog_model::{Limits, RowRef, SECOND, Value};
use sawlog_pipeline::Options;

use super::{Event, Format};
use crate::shared::{msgpack, record};

struct Blueox;

pub(super) fn make(_options: &Options) -> Result<Box<dyn Format>, String> {
    Ok(Box::new(Blueox))
}

impl Format for Blueox {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        let mut entries = self::event(event.row, event.limits);
        for (key, value) in &event.injected {
            record::set(&mut entries, Value::Str((*key).to_owned()), value.clone());
        }
        msgpack::write_old(&Value::Map(entries), out);
    }
}

/// The entries of a row's event: of the map that it came as where that is one; else of one of the row's tag, time and host,
/// whose body is its record.
pub fn event(row: RowRef<'_>, limits: &Limits) -> Vec<(Value, Value)> {
    let record = record::entries(row, limits);
    let is_event = matches!(find(&record, "type"), Some(Value::Str(_) | Value::Bin(_)))
        && matches!(find(&record, "end"), Some(Value::Float(_) | Value::Int(_)))
        && find(&record, "body").is_some();
    if is_event {
        return record;
    }
    let time = Value::Float(row.row().time as f64 / 1e9);
    let tag = record::tag(row.batch).into_owned();
    let host = row.batch.context.get("_host").unwrap_or_default().to_owned();
    // The first four bytes are seconds, as in the ids that clients make; the rest says which row it is.
    let seconds = u32::try_from(row.row().time.div_euclid(SECOND)).unwrap_or_default();
    let mut address = row.batch.source.id.0.to_le_bytes().to_vec();
    address.extend_from_slice(&row.batch.epoch.to_le_bytes());
    address.extend_from_slice(&row.row().offset.to_le_bytes());
    let id = format!("{seconds:08x}{:024x}", xxhash_rust::xxh3::xxh3_128(&address) >> 32);
    let entry = |key: &str, value: Value| (Value::Str(key.to_owned()), value);
    vec![
        entry("id", Value::Str(id)),
        entry("type", Value::Str(tag)),
        entry("host", Value::Str(host)),
        entry("pid", Value::Int(0)),
        entry("start", time.clone()),
        entry("end", time),
        entry("body", Value::Map(record)),
    ]
}

/// The value of an entry.
pub fn find<'a>(entries: &'a [(Value, Value)], name: &str) -> Option<&'a Value> {
    entries.iter().rev().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
}
