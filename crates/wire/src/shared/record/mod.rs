//! A row as the record that it is: the map that it came as, the fields that were found in it, or its line as `message`; in
//! each case with the fields that were added to it. Read here as values, as msgpack and as JSON; [`Accessor`] finds one field,
//! [`Rewriter`] makes a batch of changed rows. Knows nothing of who needs them.

mod accessor;
mod rewrite;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use sawlog_model::value::{escape, parse, parse_json, unescape};
use sawlog_model::{Batch, Kind, Limits, Marks, RowRef, Slot, Value, strip_terminator};

use super::msgpack;

pub use accessor::{Accessor, Bound};
pub use rewrite::{Piece, Rewriter, select};

/// Name of the field that holds the line of a row in which no fields were found.
pub const MESSAGE: &str = "message";

/// What every form for what JSON lacks begins with (`{"$bin":…}` and so on); a line without it is plain JSON.
static FORM: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"{\"$"));

/// Where the record of a row is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// The event came as a map, and the line is its rendering.
    Map,
    /// The line is a JSON object of its sender.
    Json,
    /// Fields were found in the line.
    Fields,
    /// The line is the only field.
    Line,
}

/// Where the record of a row is, as its marks say.
pub fn shape(row: RowRef<'_>) -> Shape {
    let marks = row.row().marks;
    let parsed = !marks.has(Marks::UNPARSED);
    let line = strip_terminator(row.raw());
    if marks.has(Marks::MAP) {
        return Shape::Map;
    }
    if parsed && marks.has(Marks::JSON) && line.trim_ascii_start().first() == Some(&b'{') {
        return Shape::Json;
    }
    if parsed && marks.has(Marks::TIME_TAKEN) {
        return Shape::Fields;
    }
    let found = |slot: &Slot| row.is_printed(slot) && slot.kind != Kind::Time;
    if parsed && row.slots().iter().any(found) { Shape::Fields } else { Shape::Line }
}

/// The fields of a row that are not part of its line.
pub fn added(row: RowRef<'_>) -> impl Iterator<Item = &Slot> + Clone {
    row.slots().iter().filter(move |slot| !row.is_printed(slot))
}

/// The slots that make up the record of a row of [`Shape::Fields`], in order; the text that its time was read from is none.
fn fields(row: RowRef<'_>) -> impl Iterator<Item = &Slot> + Clone {
    let taken = row.row().marks.has(Marks::TIME_TAKEN);
    row.slots().iter().filter(move |slot| slot.kind != Kind::Time || (!taken && !row.is_printed(slot)))
}

/// The fields of a row's line that are not part of its record.
fn taken(row: RowRef<'_>) -> impl Iterator<Item = &Slot> {
    let taken = row.row().marks.has(Marks::TIME_TAKEN);
    row.slots().iter().filter(move |slot| taken && slot.kind == Kind::Time)
}

/// The entries of the map that a row's line is; `None` where it is none.
fn line_entries(row: RowRef<'_>, shape: Shape, limits: &Limits) -> Option<Vec<(Value, Value)>> {
    let line = strip_terminator(row.raw());
    let value = match shape {
        Shape::Map => parse(line, limits).ok(),
        Shape::Json => parse_json(line, limits).ok(),
        Shape::Fields | Shape::Line => None,
    };
    let Some(Value::Map(mut entries)) = value else { return None };
    for slot in taken(row) {
        let key = name(row, slot);
        entries.retain(|(have, _)| have.as_str() != Some(key));
    }
    Some(entries)
}

/// The record of a row: its entries in order, types and all.
pub fn entries(row: RowRef<'_>, limits: &Limits) -> Vec<(Value, Value)> {
    let shape = shape(row);
    let entry = |slot: &Slot| (Value::Str(name(row, slot).to_owned()), value(row, slot, limits));
    if shape == Shape::Fields {
        return fields(row).map(entry).collect();
    }
    let mut entries = line_entries(row, shape, limits)
        .unwrap_or_else(|| vec![(Value::Str(MESSAGE.to_owned()), text(strip_terminator(row.raw())))]);
    for slot in added(row) {
        let (key, value) = entry(slot);
        set(&mut entries, key, value);
    }
    entries
}

/// Sets the value of `key`: that of the entry which has it, or of a new one at the end.
pub fn set(entries: &mut Vec<(Value, Value)>, key: Value, value: Value) {
    match entries.iter_mut().rev().find(|(have, _)| *have == key) {
        Some(entry) => entry.1 = value,
        None => entries.push((key, value)),
    }
}

/// Text, or bytes where it is not UTF-8.
pub fn text(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::Str(text.to_owned()),
        Err(_) => Value::Bin(bytes.to_vec()),
    }
}

fn name<'a>(row: RowRef<'a>, slot: &Slot) -> &'a str {
    row.batch.names.name(slot.name)
}

/// The value of a slot.
pub fn value(row: RowRef<'_>, slot: &Slot, limits: &Limits) -> Value {
    let bytes = row.slot(slot);
    match slot.kind {
        Kind::Text | Kind::Time => text(bytes),
        Kind::JsonText => text(&unescape(bytes.into())),
        Kind::Null => Value::Nil,
        Kind::Bool => Value::Bool(bytes == b"true"),
        // What was made may be of a kind that JSON lacks: a time.
        Kind::Json if !row.is_printed(slot) => parse(bytes, limits).unwrap_or_else(|_| text(bytes)),
        // A number that JSON does not know (leading zeros, hex) is text.
        Kind::Number | Kind::Json => parse_json(bytes, limits).unwrap_or_else(|_| text(bytes)),
    }
}

/// The tag of a batch's rows; where it has none, the path of its file with dots for slashes.
pub fn tag(batch: &Batch) -> Cow<'_, str> {
    if let Some(tag) = batch.context.get("_tag") {
        return Cow::Borrowed(tag);
    }
    let path = batch.context.get("_path").unwrap_or(&batch.source.facts.name);
    Cow::Owned(path.trim_matches('/').replace('/', "."))
}

/// Appends the record of a row as msgpack.
pub fn write_msgpack(row: RowRef<'_>, limits: &Limits, out: &mut Vec<u8>) {
    let shape = shape(row);
    let field = |slot: &Slot, out: &mut Vec<u8>| {
        msgpack::write_str(name(row, slot), out);
        match slot.kind {
            Kind::Text | Kind::Time => msgpack::write_text(row.slot(slot), out),
            Kind::JsonText => msgpack::write_text(&unescape(row.slot(slot).into()), out),
            _ => msgpack::write(&value(row, slot, limits), out),
        }
    };
    if shape == Shape::Fields {
        msgpack::write_map(fields(row).count(), out);
        return fields(row).for_each(|slot| field(slot, out));
    }
    if hides(row) {
        return msgpack::write(&Value::Map(entries(row, limits)), out);
    }
    let more = added(row);
    match line_entries(row, shape, limits) {
        Some(entries) => {
            msgpack::write_map(entries.len() + more.clone().count(), out);
            for (key, value) in &entries {
                msgpack::write(key, out);
                msgpack::write(value, out);
            }
        }
        None => {
            msgpack::write_map(1 + more.clone().count(), out);
            msgpack::write_str(MESSAGE, out);
            msgpack::write_text(strip_terminator(row.raw()), out);
        }
    }
    more.for_each(|slot| field(slot, out));
}

/// Whether the line has a field that the record has not: one by whose name another was added, so that both must not be
/// written, or the one that the time was taken from.
fn hides(row: RowRef<'_>) -> bool {
    taken(row).next().is_some()
        || added(row).any(|slot| {
            let same = |other: &Slot| other.name == slot.name && other.start != slot.start;
            row.slots().iter().any(same) || name(row, slot) == MESSAGE
        })
}

/// Appends the record of a row as compact JSON, as any reader of JSON knows it: what JSON lacks is written as [`write_plain`]
/// does. A line that is JSON is copied as it stands.
pub fn write_json(row: RowRef<'_>, limits: &Limits, out: &mut Vec<u8>) {
    let shape = shape(row);
    if shape == Shape::Fields {
        out.push(b'{');
        return json_fields(row, fields(row), true, out);
    }
    let line = strip_terminator(row.raw()).trim_ascii();
    let plain = match shape {
        Shape::Map => FORM.find(line).is_none(),
        Shape::Json => memchr::memchr2(b'\n', b'\r', line).is_none() && std::str::from_utf8(line).is_ok(),
        Shape::Fields | Shape::Line => false,
    };
    if plain
        && !hides(row)
        && let Some(open) = line.strip_suffix(b"}")
    {
        out.extend_from_slice(open);
        let empty = open.trim_ascii() == b"{";
        return json_fields(row, added(row), empty, out);
    }
    write_plain(&Value::Map(entries(row, limits)), out);
}

fn json_fields<'a>(row: RowRef<'a>, slots: impl Iterator<Item = &'a Slot>, first: bool, out: &mut Vec<u8>) {
    let mut first = first;
    for slot in slots {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        quote(name(row, slot).as_bytes(), out);
        out.push(b':');
        let bytes = row.slot(slot);
        match slot.kind {
            Kind::Text | Kind::Time => quote(bytes, out),
            Kind::JsonText if std::str::from_utf8(bytes).is_ok() => {
                out.push(b'"');
                out.extend_from_slice(bytes);
                out.push(b'"');
            }
            Kind::JsonText => quote(&unescape(bytes.into()), out),
            Kind::Null => out.extend_from_slice(b"null"),
            Kind::Bool => out.extend_from_slice(if bytes == b"true" { b"true" } else { b"false" }),
            Kind::Number if is_json_number(bytes) => out.extend_from_slice(bytes),
            Kind::Number => quote(bytes, out),
            Kind::Json => write_plain(&value(row, slot, &Limits::default()), out),
        }
    }
    out.push(b'}');
}

/// Appends a JSON string; what is not UTF-8 becomes U+FFFD.
pub fn quote(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    match std::str::from_utf8(bytes) {
        Ok(text) => escape(text, out),
        Err(_) => escape(&String::from_utf8_lossy(bytes), out),
    }
    out.push(b'"');
}

/// Whether the bytes are a number of JSON.
pub fn is_json_number(bytes: &[u8]) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    let mut rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', digits @ ..] => digits,
            digits => digits,
        };
        let count = digits(exponent);
        return count > 0 && count == exponent.len();
    }
    rest.is_empty()
}

/// Appends a value as JSON that everybody reads: bytes as text, times as seconds, extension types and what is no finite number
/// as null, keys that are not text as the text of their JSON. Recursive: values come from decoders, which bound their depth.
pub fn write_plain(value: &Value, out: &mut Vec<u8>) {
    let mut number = |text: String| out.extend_from_slice(text.as_bytes());
    match value {
        Value::Int(int) => number(int.to_string()),
        Value::UInt(int) => number(int.to_string()),
        Value::Float(float) if float.is_finite() => number(format!("{float:?}")),
        Value::Float32(float) if float.is_finite() => number(format!("{float:?}")),
        Value::Time(nanos) => number(nanos.div_euclid(sawlog_model::SECOND).to_string()),
        Value::Nil | Value::Float(_) | Value::Float32(_) | Value::Ext(..) => number("null".to_owned()),
        Value::Bool(flag) => number(flag.to_string()),
        Value::Str(text) => quote(text.as_bytes(), out),
        Value::Bin(bytes) => quote(bytes, out),
        Value::List(list) => {
            out.push(b'[');
            for (index, item) in list.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_plain(item, out);
            }
            out.push(b']');
        }
        Value::Map(entries) => {
            out.push(b'{');
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                quote(&plain_text(key), out);
                out.push(b':');
                write_plain(value, out);
            }
            out.push(b'}');
        }
    }
}

/// A value as text: nothing for nil, text and bytes as they are, anything else as [`write_plain`] gives it.
pub fn plain_text(value: &Value) -> Cow<'_, [u8]> {
    match value {
        Value::Nil => Cow::Borrowed(b""),
        Value::Str(text) => Cow::Borrowed(text.as_bytes()),
        Value::Bin(bytes) => Cow::Borrowed(bytes),
        other => {
            let mut out = Vec::new();
            write_plain(other, &mut out);
            Cow::Owned(out)
        }
    }
}
