//! Values of ours as VRL has them, and back. What a program left alone comes back as it was, type and all, also where VRL has no
//! such type; maps keep the order of their keys. Knows nothing of rows.

use std::borrow::Cow;
use std::collections::HashMap;

use chrono::DateTime;
use sawlog_model::{Nanos, Value as Ours};
use sawlog_wire::shared::record::plain_text;
use vrl::prelude::NotNan;
use vrl::value::{KeyString, ObjectMap, Value};

/// Entries of a map in their order.
pub(super) type Entries = Vec<(Ours, Ours)>;

/// A map as VRL has it: of keys that come twice the last one counts.
pub(super) fn object(entries: &[(Ours, Ours)]) -> ObjectMap {
    entries.iter().map(|(name, value)| (KeyString::from(key(name).as_ref()), to_vrl(value))).collect()
}

/// The name of a key; one that is no text is written as JSON.
fn key(key: &Ours) -> Cow<'_, str> {
    match key {
        Ours::Str(text) => Cow::Borrowed(text),
        other => Cow::Owned(String::from_utf8_lossy(&plain_text(other)).into_owned()),
    }
}

fn to_vrl(value: &Ours) -> Value {
    match value {
        Ours::Nil => Value::Null,
        Ours::Bool(flag) => Value::Boolean(*flag),
        Ours::Int(number) => Value::Integer(*number),
        // VRL's numbers end here; the digits are exact.
        Ours::UInt(number) => Value::from(number.to_string()),
        Ours::Float(number) => NotNan::new(*number).map_or(Value::Null, Value::Float),
        Ours::Float32(number) => NotNan::new(f64::from(*number)).map_or(Value::Null, Value::Float),
        Ours::Str(text) => Value::from(text.as_str()),
        Ours::Bin(bytes) | Ours::Ext(_, bytes) => Value::Bytes(bytes.clone().into()),
        Ours::Time(nanos) => time(*nanos),
        Ours::List(list) => Value::Array(list.iter().map(to_vrl).collect()),
        Ours::Map(entries) => Value::Object(object(entries)),
    }
}

/// A time as VRL has it.
pub(super) fn time(nanos: Nanos) -> Value {
    Value::Timestamp(DateTime::from_timestamp_nanos(nanos))
}

/// A value of VRL; `before` is what stood in its place.
fn to_ours(value: Value, before: Option<&Ours>) -> Ours {
    if let Some(before) = before
        && is(before, &value)
    {
        return before.clone();
    }
    match value {
        Value::Null => Ours::Nil,
        Value::Boolean(flag) => Ours::Bool(flag),
        Value::Integer(number) => Ours::Int(number),
        Value::Float(number) => Ours::Float(number.into_inner()),
        Value::String(text) => Ours::Str(text.to_string()),
        Value::Bytes(bytes) => match String::from_utf8(bytes.into()) {
            Ok(text) => Ours::Str(text),
            Err(error) => Ours::Bin(error.into_bytes()),
        },
        Value::Regex(regex) => Ours::Str(regex.to_string()),
        Value::Timestamp(time) => match time.timestamp_nanos_opt() {
            Some(nanos) => Ours::Time(nanos),
            // Years before 1677 and behind 2262.
            None => Ours::Str(time.to_rfc3339()),
        },
        Value::Array(list) => {
            let old: &[Ours] = match before {
                Some(Ours::List(old)) => old,
                _ => &[],
            };
            let item = |(index, item)| to_ours(item, old.get(index));
            Ours::List(list.into_iter().enumerate().map(item).collect())
        }
        Value::Object(object) => match before {
            Some(Ours::Map(old)) => Ours::Map(entries(object, old)),
            _ => Ours::Map(entries(object, &[])),
        },
    }
}

/// The entries of a map of VRL: keys that were there `before` stand in their order, then new ones by name.
pub(super) fn entries(mut object: ObjectMap, before: &[(Ours, Ours)]) -> Entries {
    let last: HashMap<Cow<'_, str>, usize> =
        before.iter().enumerate().map(|(index, (name, _))| (key(name), index)).collect();
    let mut entries = Vec::with_capacity(object.len());
    for (index, (name, value)) in before.iter().enumerate() {
        let text = key(name);
        if last.get(&text) != Some(&index) {
            continue;
        }
        if let Some(now) = object.remove(text.as_ref()) {
            entries.push((name.clone(), to_ours(now, Some(value))));
        }
    }
    entries.extend(object.into_iter().map(|(name, value)| (Ours::Str(name.into()), to_ours(value, None))));
    entries
}

/// Whether a map of ours is this one of VRL.
pub(super) fn is_object(entries: &[(Ours, Ours)], object: &ObjectMap) -> bool {
    // A map with a key twice is longer than what VRL has of it.
    if entries.len() == object.len() {
        return entries
            .iter()
            .all(|(name, value)| object.get(key(name).as_ref()).is_some_and(|now| is(value, now)));
    }
    entries.len() > object.len() && self::object(entries) == *object
}

/// Whether VRL has this value of ours so.
fn is(ours: &Ours, vrl: &Value) -> bool {
    match (ours, vrl) {
        (Ours::Bool(ours), Value::Boolean(vrl)) => ours == vrl,
        (Ours::Int(ours), Value::Integer(vrl)) => ours == vrl,
        (Ours::UInt(ours), Value::String(vrl)) => ours.to_string() == **vrl,
        (Ours::Nil, Value::Null) => true,
        (Ours::Float(ours), Value::Null) => ours.is_nan(),
        (Ours::Float32(ours), Value::Null) => ours.is_nan(),
        (Ours::Float(ours), Value::Float(vrl)) => ours.to_bits() == vrl.to_bits(),
        (Ours::Float32(ours), Value::Float(vrl)) => f64::from(*ours).to_bits() == vrl.to_bits(),
        (Ours::Str(ours), Value::String(vrl)) => ours[..] == **vrl,
        // Functions give what is text as bytes.
        (Ours::Str(ours), Value::Bytes(vrl)) => ours.as_bytes() == &vrl[..],
        (Ours::Bin(ours) | Ours::Ext(_, ours), Value::Bytes(vrl)) => ours[..] == vrl[..],
        (Ours::Time(ours), Value::Timestamp(vrl)) => Some(*ours) == vrl.timestamp_nanos_opt(),
        (Ours::List(ours), Value::Array(vrl)) => {
            ours.len() == vrl.len() && ours.iter().zip(vrl).all(|(ours, vrl)| is(ours, vrl))
        }
        (Ours::Map(ours), Value::Object(vrl)) => is_object(ours, vrl),
        _ => false,
    }
}

/// Bytes that a record takes, roughly.
pub(super) fn weight(entries: &[(Ours, Ours)]) -> usize {
    fn of(value: &Ours) -> usize {
        match value {
            Ours::Str(text) => text.len() + 2,
            Ours::Bin(bytes) | Ours::Ext(_, bytes) => bytes.len(),
            Ours::List(list) => list.iter().map(|item| of(item) + 1).sum::<usize>() + 2,
            Ours::Map(entries) => weight(entries),
            _ => 8,
        }
    }
    entries.iter().map(|(name, value)| of(name) + of(value) + 2).sum::<usize>() + 2
}
