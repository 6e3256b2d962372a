//! Both versions of the envelope as one. Knows nothing of sockets.

use sawlog_model::{Nanos, Value, time};

use crate::shared::events::Opened;

/// What version 0 calls what.
const OLD: [(&str, &str); 5] = [
    ("@message", "message"),
    ("@tags", "tags"),
    ("@type", "type"),
    ("@source_host", "host"),
    ("@source_path", "path"),
];

/// The entries in the names of version 1, whatever version they came in, and the time of `@timestamp`.
pub(super) fn open(entries: Vec<(Value, Value)>) -> Opened {
    let time = find(&entries, "@timestamp").and_then(|value| read_time(value.as_str()?));
    let is_old = find(&entries, "@version").is_none()
        && ["@message", "@fields", "@source"].iter().any(|name| find(&entries, name).is_some());
    let mut out: Vec<(Value, Value)> = Vec::with_capacity(entries.len() + 1);
    if !is_old {
        let text = |(key, value): (Value, Value)| match (key.as_str(), value) {
            // Beaver writes it as a number.
            (Some("@version"), Value::Int(number)) => (key, Value::Str(number.to_string())),
            (_, value) => (key, value),
        };
        return (entries.into_iter().map(text).collect(), time);
    }
    let given: Vec<String> = entries.iter().filter_map(|(key, _)| Some(key.as_str()?.to_owned())).collect();
    let free = |name: &str| !given.iter().any(|have| have == name);
    for (key, value) in entries {
        let name = key.as_str().unwrap_or_default();
        match (OLD.iter().find(|(old, new)| *old == name && free(new)), value) {
            (Some((_, new)), value) => out.push((Value::Str((*new).to_owned()), value)),
            // The path says the same.
            (None, _) if name == "@source" => {}
            (None, Value::Map(fields)) if name == "@fields" => merge(fields, &free, &mut out),
            (None, value) => out.push((key, value)),
        }
    }
    out.push((Value::Str("@version".to_owned()), Value::Str("1".to_owned())));
    (out, time)
}

/// Fields go to the top; those whose name is taken stay where they were.
fn merge(fields: Vec<(Value, Value)>, free: &dyn Fn(&str) -> bool, out: &mut Vec<(Value, Value)>) {
    let is_free = |key: &Value| {
        key.as_str().is_some_and(|key| free(key) && !OLD.iter().any(|(old, new)| *new == key && !free(old)))
    };
    let (top, rest): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(key, _)| is_free(key));
    out.extend(top);
    if !rest.is_empty() {
        out.push((Value::Str("@fields".to_owned()), Value::Map(rest)));
    }
}

fn find<'a>(entries: &'a [(Value, Value)], name: &str) -> Option<&'a Value> {
    entries.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
}

/// ISO 8601; without a zone it is UTC.
fn read_time(text: &str) -> Option<Nanos> {
    time::read(text.as_bytes())?.time(0, 0)
}
