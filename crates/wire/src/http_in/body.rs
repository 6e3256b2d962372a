//! Bodies to events. Knows nothing of connections or sources.

use std::borrow::Cow;

use sawlog_model::value::parse_json;
use sawlog_model::{Limits, Nanos, Value};

use crate::shared::msgpack;

/// A second in nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// What a request holds.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Its events, each a map.
    pub events: Vec<Value>,
    /// The time that the request names.
    pub time: Option<Nanos>,
}

/// The events of a body of that type, or of the parameters `json` and `msgpack` in query and form.
///
/// # Errors
/// In words; nothing of the request is to be stored.
pub fn decode(content_type: &str, query: &str, body: &[u8], limits: &Limits) -> Result<Decoded, String> {
    let form = content_type == "application/x-www-form-urlencoded";
    let mut decoded = Decoded::default();
    let param = |name: &str| {
        parameter(query.as_bytes(), name).or_else(|| if form { parameter(body, name) } else { None })
    };
    decoded.time = param("time").and_then(|time| seconds(&time));
    let packed = param("msgpack");
    let json = param("json");
    match content_type {
        "application/json" => from_json(body, limits, &mut decoded.events)?,
        "application/msgpack" | "application/x-msgpack" => from_msgpack(body, limits, &mut decoded.events)?,
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
            let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            for line in lines.filter(|line| !line.is_empty()) {
                from_json(line, limits, &mut decoded.events)?;
            }
        }
        _ => match (packed, json) {
            (Some(packed), _) => from_msgpack(&packed, limits, &mut decoded.events)?,
            (None, Some(json)) => from_json(&json, limits, &mut decoded.events)?,
            (None, None) => {
                let types = "a parameter `json` or `msgpack`, or a body of application/json, application/x-ndjson or application/msgpack";
                return Err(format!("{types} is needed"));
            }
        },
    }
    Ok(decoded)
}

/// The bytes of a parameter. Those of msgpack need not be text, so that it is decoded here.
fn parameter<'a>(text: &'a [u8], name: &str) -> Option<Cow<'a, [u8]>> {
    let pairs = text.split(|byte| *byte == b'&');
    pairs
        .filter_map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            (pair[..at] == *name.as_bytes()).then(|| unquoted(&pair[at + 1..]))
        })
        .next()
}

/// `%20` and `+` resolved.
fn unquoted(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let digit = |at: usize| text.get(at).and_then(|byte| (*byte as char).to_digit(16));
    let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some(byte) = text.get(at) {
        let (put, used) = match (byte, digit(at + 1), digit(at + 2)) {
            (b'+', ..) => (b' ', 1),
            (b'%', Some(high), Some(low)) => ((high * 16 + low) as u8, 3),
            (other, ..) => (*other, 1),
        };
        out.push(put);
        at += used;
    }
    Cow::Owned(out)
}

fn from_json(text: &[u8], limits: &Limits, events: &mut Vec<Value>) -> Result<(), String> {
    let value = parse_json(text, limits).map_err(|error| format!("no JSON: {error}"))?;
    add(value, events)
}

fn from_msgpack(bytes: &[u8], limits: &Limits, events: &mut Vec<Value>) -> Result<(), String> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (value, len) = msgpack::value(rest, limits).map_err(|error| format!("no msgpack: {error}"))?;
        add(value, events)?;
        rest = &rest[len..];
    }
    Ok(())
}

/// A map is an event, a list several, null none.
fn add(value: Value, events: &mut Vec<Value>) -> Result<(), String> {
    let list = match value {
        Value::Nil => return Ok(()),
        Value::List(list) => list,
        other => vec![other],
    };
    for value in list {
        match value {
            Value::Map(_) => events.push(value),
            Value::Nil => {}
            _ => return Err("an event is no map".to_owned()),
        }
    }
    Ok(())
}

/// Seconds since 1970, also with a fraction; `None` for 0 and for what is no number: the time of arrival then.
fn seconds(text: &[u8]) -> Option<Nanos> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = format!("{fraction:0<9}");
    let nanos = digits.get(..9)?.parse::<i64>().ok()?;
    let time = whole.parse::<i64>().ok()?.checked_mul(SECOND)?.checked_add(nanos)?;
    (time > 0).then_some(time)
}
