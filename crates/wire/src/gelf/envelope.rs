//! The names in which a message is stored, and its time. Knows nothing of sockets.

use sawlog_model::{Nanos, Value};

use crate::shared::events::Opened;

/// In a second.
const NANOS: Nanos = 1_000_000_000;

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

/// Seconds since 1970 with decimals, to the digit; some senders write it as text.
fn read_time(value: &Value) -> Option<Nanos> {
    let text = match value {
        Value::Int(seconds) => return seconds.checked_mul(NANOS),
        // The fewest digits that mean this number are those that the sender wrote, as far as a float holds them.
        Value::Float(seconds) => seconds.to_string(),
        Value::Str(text) => text.clone(),
        _ => return None,
    };
    let (sign, digits) = text.strip_prefix('-').map_or((1, text.as_str()), |digits| (-1, digits));
    let (seconds, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let number =
        |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?;
    let seconds: Nanos = number(seconds)?;
    // What is finer than a nanosecond is cut off.
    let nanos: Nanos = number(format!("{fraction:0<9}").get(..9)?)?;
    seconds.checked_mul(NANOS)?.checked_add(nanos)?.checked_mul(sign)
}
