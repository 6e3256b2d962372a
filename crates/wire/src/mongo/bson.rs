//! Documents as MongoDB writes them (BSON): records to documents, and documents that servers send to values. Knows nothing of what
//! they say.

use std::borrow::Cow;
use std::collections::HashMap;

use sawlog_model::Value;

use crate::shared::record::plain_text;

/// Deepest that documents may be in one another: what servers take.
pub(super) const DEPTH: usize = 100;

const FLOAT: u8 = 0x01;
const TEXT: u8 = 0x02;
const DOCUMENT: u8 = 0x03;
const LIST: u8 = 0x04;
const BINARY: u8 = 0x05;
const OBJECT_ID: u8 = 0x07;
const BOOL: u8 = 0x08;
const DATE: u8 = 0x09;
const NULL: u8 = 0x0a;
const INT_32: u8 = 0x10;
const STAMP: u8 = 0x11;
const INT_64: u8 = 0x12;
const DECIMAL: u8 = 0x13;

/// Subtype of bytes that are nothing but bytes.
const PLAIN: u8 = 0x00;
/// Subtype of a UUID.
const UUID: u8 = 0x04;
/// Subtype of bytes that only their users know.
const OF_USERS: u8 = 0x80;

/// What becomes of keys.
#[derive(Default)]
pub(super) struct Keys {
    /// What stands for their dots.
    pub dot: Option<String>,
    /// What stands for a dollar at their beginning.
    pub dollar: Option<String>,
}

impl Keys {
    fn write<'a>(&self, key: &'a Value) -> Result<Cow<'a, str>, String> {
        let mut text = match plain_text(key) {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        };
        if let Some(dot) = self.dot.as_ref().filter(|_| text.contains('.')) {
            text = Cow::Owned(text.replace('.', dot));
        }
        if let (Some(dollar), Some(rest)) = (&self.dollar, text.strip_prefix('$')) {
            text = Cow::Owned(format!("{dollar}{rest}"));
        }
        if text.contains('\0') {
            return Err(format!("the key {text:?} has a zero byte in it, which no document can have"));
        }
        Ok(text)
    }
}

/// Appends a document; of entries with one key the last one.
///
/// # Errors
/// In words, where it can be none.
pub(super) fn write(
    id: Option<&[u8; 16]>,
    entries: &[(Value, Value)],
    keys: &Keys,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    framed(out, |out| {
        if let Some(id) = id {
            named(BINARY, "_id", out);
            binary(UUID, &[], id, out);
        }
        map(entries, keys, DEPTH - 1, out)
    })
}

/// Appends a document with its length before it and its end behind it.
fn framed(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<(), String>) -> Result<(), String> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out)?;
    out.push(0);
    let len = length(out.len() - start)?;
    out[start..start + 4].copy_from_slice(&len);
    Ok(())
}

fn length(len: usize) -> Result<[u8; 4], String> {
    i32::try_from(len).map(i32::to_le_bytes).map_err(|_| "it is longer than any document can be".to_owned())
}

fn named(kind: u8, key: &str, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(key.as_bytes());
    out.push(0);
}

fn binary(subtype: u8, before: &[u8], bytes: &[u8], out: &mut Vec<u8>) {
    // What is longer is refused with the document that it is in.
    let len = u32::try_from(before.len() + bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out.push(subtype);
    out.extend_from_slice(before);
    out.extend_from_slice(bytes);
}

fn map(entries: &[(Value, Value)], keys: &Keys, depth: usize, out: &mut Vec<u8>) -> Result<(), String> {
    let names = entries.iter().map(|(key, _)| keys.write(key)).collect::<Result<Vec<_>, _>>()?;
    let last: HashMap<&str, usize> = names.iter().enumerate().map(|(at, name)| (&**name, at)).collect();
    for (at, (name, (_, value))) in names.iter().zip(entries).enumerate() {
        if last.len() == names.len() || last.get(&**name) == Some(&at) {
            element(name, value, keys, depth, out)?;
        }
    }
    Ok(())
}

fn element(key: &str, value: &Value, keys: &Keys, depth: usize, out: &mut Vec<u8>) -> Result<(), String> {
    let mut fixed = |kind: u8, bytes: &[u8]| {
        named(kind, key, out);
        out.extend_from_slice(bytes);
    };
    match value {
        Value::Nil => fixed(NULL, &[]),
        Value::Bool(flag) => fixed(BOOL, &[u8::from(*flag)]),
        Value::Int(int) => fixed(INT_64, &int.to_le_bytes()),
        Value::UInt(int) => match i64::try_from(*int) {
            Ok(int) => fixed(INT_64, &int.to_le_bytes()),
            Err(_) => fixed(DECIMAL, &decimal(*int)),
        },
        Value::Float(float) => fixed(FLOAT, &float.to_le_bytes()),
        Value::Float32(float) => fixed(FLOAT, &f64::from(*float).to_le_bytes()),
        Value::Time(nanos) => fixed(DATE, &nanos.div_euclid(1_000_000).to_le_bytes()),
        Value::Str(text) => {
            fixed(TEXT, &length(text.len() + 1)?);
            out.extend_from_slice(text.as_bytes());
            out.push(0);
        }
        Value::Bin(bytes) => {
            named(BINARY, key, out);
            binary(PLAIN, &[], bytes, out);
        }
        Value::Ext(kind, bytes) => {
            named(BINARY, key, out);
            binary(OF_USERS, &kind.to_le_bytes(), bytes, out);
        }
        Value::List(_) | Value::Map(_) if depth == 0 => {
            return Err(format!("lists and maps are in one another more than {DEPTH} deep"));
        }
        Value::List(items) => {
            named(LIST, key, out);
            let write = |(at, item): (usize, &Value), out: &mut Vec<u8>| {
                element(&at.to_string(), item, keys, depth - 1, out)
            };
            return framed(out, |out| items.iter().enumerate().try_for_each(|item| write(item, out)));
        }
        Value::Map(entries) => {
            named(DOCUMENT, key, out);
            return framed(out, |out| map(entries, keys, depth - 1, out));
        }
    }
    Ok(())
}

/// A whole number as a decimal of 34 digits: the number, and the exponent 0 above it.
fn decimal(int: u64) -> [u8; 16] {
    const EXPONENT_0: u128 = 6176 << 113;
    (EXPONENT_0 | u128::from(int)).to_le_bytes()
}

/// Reads one document that is all of `bytes`: its entries. Times that only servers use come as numbers, ids of objects as bytes.
///
/// # Errors
/// In words, where it is none, or of types that no answer has.
pub(super) fn read(bytes: &[u8]) -> Result<Value, String> {
    let mut cursor = Cursor(bytes);
    let document = cursor.document(DEPTH, false)?;
    if cursor.0.is_empty() { Ok(document) } else { Err(wrong()) }
}

fn wrong() -> String {
    "it does not answer as MongoDB does".to_owned()
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or_else(wrong)?;
        self.0 = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| wrong())
    }

    fn length(&mut self) -> Result<usize, String> {
        usize::try_from(i32::from_le_bytes(self.fixed()?)).map_err(|_| wrong())
    }

    fn name(&mut self) -> Result<&'a str, String> {
        let end = memchr::memchr(0, self.0).ok_or_else(wrong)?;
        let name = std::str::from_utf8(self.take(end)?).map_err(|_| wrong())?;
        self.take(1)?;
        Ok(name)
    }

    fn document(&mut self, depth: usize, list: bool) -> Result<Value, String> {
        let (Some(len), Some(deeper)) = (self.length()?.checked_sub(4), depth.checked_sub(1)) else {
            return Err(wrong());
        };
        let mut inside = Cursor(self.take(len)?);
        let (mut items, mut entries) = (Vec::new(), Vec::new());
        loop {
            let [kind] = inside.fixed()?;
            if kind == 0 {
                break;
            }
            let name = inside.name()?;
            let value = inside.value(kind, deeper)?;
            if list {
                items.push(value);
            } else {
                entries.push((Value::Str(name.to_owned()), value));
            }
        }
        if !inside.0.is_empty() {
            return Err(wrong());
        }
        Ok(if list { Value::List(items) } else { Value::Map(entries) })
    }

    fn value(&mut self, kind: u8, depth: usize) -> Result<Value, String> {
        Ok(match kind {
            FLOAT => Value::Float(f64::from_le_bytes(self.fixed()?)),
            TEXT => {
                let len = self.length()?.checked_sub(1).ok_or_else(wrong)?;
                let text = String::from_utf8_lossy(self.take(len)?).into_owned();
                if self.fixed()? != [0] {
                    return Err(wrong());
                }
                Value::Str(text)
            }
            DOCUMENT => self.document(depth, false)?,
            LIST => self.document(depth, true)?,
            BINARY => {
                let len = self.length()?;
                self.take(1)?;
                Value::Bin(self.take(len)?.to_vec())
            }
            OBJECT_ID => Value::Bin(self.take(12)?.to_vec()),
            DECIMAL => Value::Bin(self.take(16)?.to_vec()),
            BOOL => Value::Bool(self.fixed()? != [0]),
            DATE => Value::Time(i64::from_le_bytes(self.fixed()?).saturating_mul(1_000_000)),
            NULL => Value::Nil,
            INT_32 => Value::Int(i32::from_le_bytes(self.fixed()?).into()),
            STAMP | INT_64 => Value::Int(i64::from_le_bytes(self.fixed()?)),
            _ => return Err(wrong()),
        })
    }
}
