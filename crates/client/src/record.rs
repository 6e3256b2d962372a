//! An event as an entry of the forward protocol: its time, and its record as MessagePack. Knows nothing of queues and
//! connections.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rmp::encode;

use crate::value::{Key, Value};

/// A value that lies deeper is left out: receivers bound the depth, too.
const DEPTH_MOST: usize = 64;

/// The id that all events of a tree share.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Id {
    /// Four bytes of time and twelve of chance, sent in hex: it sorts by time.
    Made(u128),
    /// What the program gave.
    Given(std::sync::Arc<Value>),
}

/// An event that is over, as a recorder gets it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished<'a> {
    /// The full name.
    pub name: &'a str,
    pub(crate) id: &'a Id,
    /// The id of this event.
    pub span: u64,
    /// The id of the event around it.
    pub parent: Option<u64>,
    /// When it began.
    pub start: SystemTime,
    /// When it ended; not before its start, whatever the clock did.
    pub end: SystemTime,
    /// What was written into it.
    pub body: &'a [(Key, Value)],
}

impl Finished<'_> {
    /// The id of the tree as it is sent.
    pub fn id(&self) -> Value {
        self.id.value()
    }
}

impl Id {
    pub(crate) fn value(&self) -> Value {
        match self {
            Id::Made(number) => {
                let mut digits = Vec::with_capacity(32);
                write_hex(&mut digits, *number, 32);
                Value::from(String::from_utf8_lossy(&digits).into_owned())
            }
            Id::Given(value) => value.as_ref().clone(),
        }
    }
}

/// Writes `[time, record]` of an event.
pub(crate) fn write_entry(out: &mut Vec<u8>, event: &Finished<'_>, host: &str, pid: u32) {
    out.push(0x92);
    write_time(out, event.end);
    write_map_head(out, if event.parent.is_some() { 9 } else { 8 });
    write_text(out, "type");
    write_text(out, event.name);
    write_text(out, "id");
    match event.id {
        Id::Made(number) => {
            sure(encode::write_str_len(out, 32));
            write_hex(out, *number, 32);
        }
        Id::Given(value) => write(out, value, 0),
    }
    write_text(out, "span");
    write_span(out, event.span);
    if let Some(parent) = event.parent {
        write_text(out, "parent");
        write_span(out, parent);
    }
    write_text(out, "host");
    write_text(out, host);
    write_text(out, "pid");
    write_int(out, pid.into());
    write_text(out, "start");
    write_float(out, seconds(event.start).as_secs_f64());
    write_text(out, "end");
    write_float(out, seconds(event.end).as_secs_f64());
    write_text(out, "body");
    write_map(out, event.body, 0);
}

/// Time since 1970; a clock that stands before it says 1970.
fn seconds(at: SystemTime) -> Duration {
    at.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The EventTime of the forward protocol, whose seconds end in 2106.
fn write_time(out: &mut Vec<u8>, at: SystemTime) {
    let at = seconds(at);
    out.extend_from_slice(&[0xd7, 0]);
    out.extend_from_slice(&(at.as_secs() as u32).to_be_bytes());
    out.extend_from_slice(&at.subsec_nanos().to_be_bytes());
}

fn write_span(out: &mut Vec<u8>, span: u64) {
    sure(encode::write_str_len(out, 16));
    write_hex(out, span.into(), 16);
}

/// The last digits of a number. Formatting with the standard library would take longer than all the rest of an event.
fn write_hex(out: &mut Vec<u8>, number: u128, digits: u32) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend((0..digits).rev().map(|place| DIGITS[(number >> (place * 4)) as usize & 15]));
}

fn write(out: &mut Vec<u8>, value: &Value, depth: usize) {
    match value {
        Value::Null => sure(encode::write_nil(out)),
        Value::Bool(truth) => sure(encode::write_bool(out, *truth)),
        Value::Int(number) => write_int(out, *number),
        Value::UInt(number) => sure(encode::write_uint(out, *number)),
        Value::Float(number) => write_float(out, *number),
        Value::Text(text) => write_text(out, text),
        Value::Bytes(bytes) => sure(encode::write_bin(out, bytes)),
        Value::List(_) | Value::Map(_) if depth >= DEPTH_MOST => sure(encode::write_nil(out)),
        Value::List(list) => {
            sure(encode::write_array_len(out, list.len() as u32));
            list.iter().for_each(|value| write(out, value, depth + 1));
        }
        Value::Map(map) => write_map(out, map, depth + 1),
    }
}

fn write_map(out: &mut Vec<u8>, map: &[(Key, Value)], depth: usize) {
    write_map_head(out, map.len() as u32);
    for (key, value) in map {
        write_text(out, key);
        write(out, value, depth + 1);
    }
}

fn write_map_head(out: &mut Vec<u8>, length: u32) {
    sure(encode::write_map_len(out, length));
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    sure(encode::write_str(out, text));
}

fn write_int(out: &mut Vec<u8>, number: i64) {
    sure(encode::write_sint(out, number));
}

fn write_float(out: &mut Vec<u8>, number: f64) {
    sure(encode::write_f64(out, number));
}

/// What writing into memory gives, which cannot fail.
pub(crate) fn sure<T, E: std::fmt::Debug>(result: Result<T, E>) {
    debug_assert!(result.is_ok(), "memory takes every byte");
}
