//! msgpack to a value.

use sawlog_model::{Limits, Value};

use super::item::{Item, Reader};
use super::{MsgpackError, measure};

/// The value at the start of `bytes`, and its length. Text that is not UTF-8 becomes [`Value::Bin`], and an EventTime a
/// [`Value::Time`].
///
/// # Errors
/// [`MsgpackError`].
pub fn value(bytes: &[u8], limits: &Limits) -> Result<(Value, usize), MsgpackError> {
    let measured = measure(bytes, limits)?;
    let mut reader = Reader::new(&bytes[..measured.len]);
    Ok((read(&mut reader)?, measured.len))
}

/// Recursive: what is read was measured, so its depth is bounded.
fn read(reader: &mut Reader<'_>) -> Result<Value, MsgpackError> {
    Ok(match reader.item()? {
        Item::Nil => Value::Nil,
        Item::Bool(value) => Value::Bool(value),
        Item::Int(number) => Value::Int(number),
        Item::UInt(number) => Value::UInt(number),
        Item::F32(number) => Value::Float32(number),
        Item::F64(number) => Value::Float(number),
        Item::Str(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Str(text.to_owned()),
            Err(_) => Value::Bin(bytes.to_vec()),
        },
        Item::Bin(bytes) => Value::Bin(bytes.to_vec()),
        Item::Ext(kind, bytes) => match event_time(kind, bytes) {
            Some(nanos) => Value::Time(nanos),
            None => Value::Ext(kind, bytes.to_vec()),
        },
        Item::List(count) => {
            let mut list = Vec::new();
            for _ in 0..count {
                list.push(read(reader)?);
            }
            Value::List(list)
        }
        Item::Map(count) => {
            let mut entries = Vec::new();
            for _ in 0..count {
                let key = read(reader)?;
                entries.push((key, read(reader)?));
            }
            Value::Map(entries)
        }
    })
}

/// The nanoseconds of an EventTime: extension type 0 of u32 seconds and u32 nanoseconds, big-endian. One whose
/// nanoseconds make a second is none, so that writing a time gives back the bytes that were read.
pub(crate) fn event_time(kind: i8, bytes: &[u8]) -> Option<i64> {
    let (0, [s0, s1, s2, s3, n0, n1, n2, n3]) = (kind, bytes) else { return None };
    let seconds = u32::from_be_bytes([*s0, *s1, *s2, *s3]);
    let nanos = u32::from_be_bytes([*n0, *n1, *n2, *n3]);
    (nanos < 1_000_000_000).then(|| i64::from(seconds) * sawlog_model::time::SECOND + i64::from(nanos))
}
