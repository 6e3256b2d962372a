//! The names in which a message is stored, and its time. Knows nothing of sockets.

use sawlog_model::{Nanos, Value};

use crate::shared::events::Opened;

/// Entries without the underscore in front of extra fields, `short_message` as `message` (as Graylog stores it), and the
/// time of `timestamp`. A name that is taken stays as it came.
pub(super) fn open(entries: Vec<(Value, Value)>) -> Opened {
    let given: Vec<String> = entries.iter().filter_map(|(key, _)| Some(key.as_str()?.to_owned())).collect();
    let taken = |name: &str| given.iter().any(|have| have == name);
    let time = entries.iter().rev().find(|(key, _)| key.as_str() == Some("timestamp"));
    let time = time.and_then(|(_, value)| read_time(value));
    let renamed = |(key, value): (Value, Value)| {
        let name = match key.as_str() {
            Some("short_message") if !taken("message") && !taken("_message") => Some("message"),
            Some(name) => name.strip_prefix('_').filter(|name| !name.is_empty() && !taken(name)),
            None => None,
        };
        match name {
            Some(name) => (Value::Str(name.to_owned()), value),
            None => (key, value),
        }
    };
    (entries.into_iter().map(renamed).collect(), time)
}

/// Seconds since 1970 with decimals, to the microsecond; some senders write it as text.
fn read_time(value: &Value) -> Option<Nanos> {
    let seconds = match value {
        Value::Int(seconds) => return seconds.checked_mul(1_000_000_000),
        Value::Float(seconds) => *seconds,
        Value::Str(text) => text.parse().ok()?,
        _ => return None,
    };
    let micros = (seconds * 1e6).round();
    (micros.abs() < 9e15).then(|| micros as i64 * 1_000)
}
