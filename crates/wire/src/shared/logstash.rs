//! Logstash's events: both versions of their envelope as one, and what senders get wrong in it. Knows nothing of sockets
//! and brokers.

use sawlog_model::{Nanos, Value, time};

use super::events::Opened;
use crate::format::zone::Clock;

/// What version 0 calls what.
const OLD: [(&str, &str); 5] = [
    ("@message", "message"),
    ("@tags", "tags"),
    ("@type", "type"),
    ("@source_host", "host"),
    ("@source_path", "path"),
];

/// The entries in the names of version 1, whatever version they came in, and the time of `@timestamp`.
pub fn open(entries: Vec<(Value, Value)>) -> Opened {
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

/// The zone in which senders write the local time that they label with UTC's `Z` (logcollect does).
#[derive(Clone, Debug)]
pub struct LocalTime(Clock);

impl LocalTime {
    /// A zone by its IANA name, as `+02:00`, or `local` for this machine's. `None` where there is no such zone.
    pub fn new(zone: &str) -> Option<Self> {
        Clock::new(Some(zone), 0).ok().map(LocalTime)
    }

    /// Writes UTC to the `@timestamp` of an event, and gives it. One that names another zone than `Z` is right as it is.
    pub fn mend(&mut self, entries: &mut [(Value, Value)]) -> Option<Nanos> {
        let (_, value) = entries.iter_mut().find(|(key, _)| key.as_str() == Some("@timestamp"))?;
        let text = value.as_str()?;
        let stamp = time::read(text.as_bytes())?;
        if !text.ends_with('Z') {
            return stamp.time(0, 0);
        }
        let time = stamp.at(self.0.instant(stamp.wall(0)?, None))?;
        *value = Value::Str(time::rfc3339(time));
        Some(time)
    }
}

fn find<'a>(entries: &'a [(Value, Value)], name: &str) -> Option<&'a Value> {
    entries.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
}

/// ISO 8601; without a zone it is UTC.
fn read_time(text: &str) -> Option<Nanos> {
    time::read(text.as_bytes())?.time(0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_that_is_labelled_z_becomes_utc() {
        let mut zone = LocalTime::new("Europe/Berlin").expect("a zone");
        let mut mended = |text: &str| {
            let mut entries = vec![
                (Value::Str("@timestamp".to_owned()), Value::Str(text.to_owned())),
                (Value::Int(1), Value::Nil),
            ];
            let time = zone.mend(&mut entries);
            (
                time.map(time::rfc3339).unwrap_or_default(),
                entries[0].1.as_str().unwrap_or_default().to_owned(),
            )
        };
        let same = |text: &str| (text.to_owned(), text.to_owned());
        assert_eq!(mended("2026-11-20T23:51:56.703375Z"), same("2026-11-20T22:51:56.703375Z"));
        assert_eq!(mended("2026-07-01T00:30:00.000001Z"), same("2026-06-30T22:30:00.000001Z"), "in summer");
        let other = "2026-11-20T23:51:56.703+03:00";
        assert_eq!(mended(other), ("2026-11-20T20:51:56.703Z".to_owned(), other.to_owned()));
        assert_eq!(mended("soon"), (String::new(), "soon".to_owned()));
        assert!(LocalTime::new("Europe/Atlantis").is_none());
    }
}
