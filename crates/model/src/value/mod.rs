//! Events that came as maps, and the line that stands for one: compact JSON, keys in arrival order, with `{"$…": …}`
//! forms for what JSON lacks (docs/format.md lists them). Reading the line back gives the same value, types and all.

use std::borrow::Cow;

mod form;
mod parse;
mod render;
#[cfg(test)]
mod tests;

pub use form::is_name as is_form_name;
pub use parse::{ValueError, parse, parse_json};
pub use render::{Key, Line, Slots, Whole, escape, escape_bytes, render, render_slots};

/// A value as msgpack, JSON and the application-event clients know it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// nil
    Nil,
    /// bool
    Bool(bool),
    /// A whole number that fits i64.
    Int(i64),
    /// A whole number above `i64::MAX`.
    UInt(u64),
    /// A float of 64 bits (any bit pattern).
    Float(f64),
    /// A float of 32 bits.
    Float32(f32),
    /// Text.
    Str(String),
    /// Bytes; also a "string" that is not UTF-8.
    Bin(Vec<u8>),
    /// A time in nanoseconds UTC (Fluentd's EventTime).
    Time(i64),
    /// An extension type with its bytes.
    Ext(i8, Vec<u8>),
    /// A list.
    List(Vec<Value>),
    /// A map in arrival order; keys may be any value and may repeat.
    Map(Vec<(Value, Value)>),
}

impl Value {
    /// The text, where it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The value of `key` in a map; the last one where it comes twice.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let Value::Map(entries) = self else { return None };
        entries.iter().rev().find(|(have, _)| have.as_str() == Some(key)).map(|(_, value)| value)
    }

    /// Whether both are the same in type and bits: as `==`, but that a NaN is the same as itself and 0.0 is not -0.0.
    pub fn same(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
            (Value::Float32(a), Value::Float32(b)) => a.to_bits() == b.to_bits(),
            (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            (Value::Map(a), Value::Map(b)) => {
                let pairs = || a.iter().zip(b);
                a.len() == b.len() && pairs().all(|((ka, va), (kb, vb))| ka.same(kb) && va.same(vb))
            }
            _ => self == other,
        }
    }
}

/// Resolves the escapes of a JSON string's body. Without a backslash the bytes come back as they are; an escape that is
/// not one is kept as written.
pub fn unescape(bytes: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', &bytes).is_none() {
        return bytes;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest: &[u8] = &bytes;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let used = unescape_one(rest, &mut out);
        rest = &rest[used..];
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

/// Resolves the escape at the start of `text` into `out`; returns how many bytes it took.
fn unescape_one(text: &[u8], out: &mut Vec<u8>) -> usize {
    let plain = match text.get(1) {
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'r') => b'\r',
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
        Some(b'u') => return unescape_unicode(text, out),
        _ => {
            out.push(b'\\');
            return 1;
        }
    };
    out.push(plain);
    2
}

/// `\uXXXX`, or two of them that make one character.
fn unescape_unicode(text: &[u8], out: &mut Vec<u8>) -> usize {
    let unit = |at: usize| -> Option<u32> {
        let hex = text.get(at..at + 6)?;
        if &hex[..2] != b"\\u" || !hex[2..].iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        u32::from_str_radix(std::str::from_utf8(&hex[2..]).ok()?, 16).ok()
    };
    let (code, used) = match (unit(0), unit(6)) {
        (Some(high @ 0xD800..=0xDBFF), Some(low @ 0xDC00..=0xDFFF)) => {
            (0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00), 12)
        }
        (Some(code), _) => (code, 6),
        (None, _) => {
            out.push(b'\\');
            return 1;
        }
    };
    match char::from_u32(code) {
        Some(character) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        None => out.extend_from_slice(&text[..used]),
    }
    used
}
