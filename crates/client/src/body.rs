//! Writing into the body of an event by dotted keys. Knows nothing of contexts.

use crate::value::{Key, Value};

/// The values of an event by name, in the order in which they came.
pub(crate) type Body = Vec<(Key, Value)>;

/// Why a value could not be written.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("a number may stand only at the end of a key")]
    NumberWithin,
    #[error("there is no map on the way")]
    NoMap,
    #[error("there is no such place in the list")]
    NoPlace,
    #[error("there is no list")]
    NoList,
    #[error("there is no number")]
    NoNumber,
}

/// Sets the value at `key`.
pub(crate) fn set(body: &mut Body, key: Key, value: Value) -> Result<(), Refused> {
    *place(body, key)? = value;
    Ok(())
}

/// Puts values into the map at `key`, which is made where there is none.
pub(crate) fn merge(body: &mut Body, key: Key, values: Body) -> Result<(), Refused> {
    let place = place(body, key)?;
    if !matches!(place, Value::Map(_)) {
        *place = Value::Map(Vec::new());
    }
    let Value::Map(map) = place else { return Err(Refused::NoMap) };
    for (key, value) in values {
        *entry(map, key) = value;
    }
    Ok(())
}

/// Appends to the list at `key`, which is made where there is none.
pub(crate) fn append(body: &mut Body, key: Key, value: Value) -> Result<(), Refused> {
    match place(body, key)? {
        Value::List(list) => list.push(value),
        place @ Value::Null => *place = Value::List(vec![value]),
        _ => return Err(Refused::NoList),
    }
    Ok(())
}

/// Adds to the number at `key`, 0 where there is none.
pub(crate) fn add(body: &mut Body, key: Key, value: &Value) -> Result<(), Refused> {
    let place = place(body, key)?;
    let before = if *place == Value::Null { &Value::Int(0) } else { &*place };
    *place = before.plus(value).ok_or(Refused::NoNumber)?;
    Ok(())
}

/// Where the value of `key` stands; what is missing on the way is made.
fn place(body: &mut Body, key: Key) -> Result<&mut Value, Refused> {
    if !key.contains('.') {
        return Ok(entry(body, key));
    }
    let mut parts = key.split('.').peekable();
    let first = parts.next().unwrap_or_default();
    if is_number(first) {
        return Err(Refused::NumberWithin);
    }
    let mut at = entry(body, Key::Owned(first.to_owned()));
    while let Some(part) = parts.next() {
        if parts.peek().is_some() && is_number(part) {
            return Err(Refused::NumberWithin);
        }
        if *at == Value::Null {
            *at = Value::Map(Vec::new());
        }
        at = match at {
            Value::Map(map) => entry(map, Key::Owned(part.to_owned())),
            Value::List(list) => {
                let index = part.parse::<usize>().map_err(|_| Refused::NoPlace)?;
                list.get_mut(index).ok_or(Refused::NoPlace)?
            }
            _ => return Err(Refused::NoMap),
        };
    }
    Ok(at)
}

fn is_number(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// The value of one name; `Null` is put there where it is new.
fn entry(map: &mut Body, key: Key) -> &mut Value {
    let index = map.iter().position(|(name, _)| *name == key).unwrap_or_else(|| {
        map.push((key, Value::Null));
        map.len() - 1
    });
    &mut map[index].1
}
