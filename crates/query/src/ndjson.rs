//! Rows as lines of JSON. Records have sawlog's own names first, then the line, then the fields as they were typed.
//! Knows nothing of queries.

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StringViewArray,
    TimestampNanosecondArray, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::record_batch::RecordBatch;

/// Names of sawlog's own that stand before the line in a record.
const BEFORE_LINE: [&str; 3] = ["_tag", "_host", "_path"];

/// Whole numbers beyond this are not all there in 64 bits of float; they keep their exponent.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// Appends the rows of a batch as lines of JSON: `_time` as RFC 3339, `_fields` merged in, NULLs left out.
pub fn write_ndjson(batch: &RecordBatch, out: &mut Vec<u8>) {
    let schema = batch.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let columns: Vec<Column<'_>> =
        names.iter().zip(batch.columns()).map(|(name, values)| Column::new(name, values)).collect();
    let fields = columns.iter().find_map(|column| match &column.values {
        Values::Fields(fields) => Some(fields),
        _ => None,
    });
    for row in 0..batch.num_rows() {
        out.push(b'{');
        let start = out.len();
        let members: Vec<(&[u8], &[u8])> =
            fields.map_or_else(Vec::new, |fields| members(fields.value(row).as_bytes()));
        for column in &columns {
            if column.name == "_line" {
                put_members(&members, out, start, |name| {
                    BEFORE_LINE.contains(&name) && !names.contains(&name)
                });
            }
            column.put(row, out, start);
        }
        let has_line = names.contains(&"_line");
        put_members(&members, out, start, |name| {
            !(names.contains(&name) || has_line && BEFORE_LINE.contains(&name))
        });
        out.extend_from_slice(b"}\n");
    }
}

struct Column<'a> {
    name: &'a str,
    /// The name with quotes and colon.
    key: Vec<u8>,
    values: Values,
}

enum Values {
    Fields(StringViewArray),
    Text(StringViewArray),
    Time(TimestampNanosecondArray),
    Int(Int64Array),
    UInt(UInt64Array),
    Float(Float64Array),
    Bool(BooleanArray),
    Nothing,
}

impl Values {
    /// The values in one of a few types, into which all others can be cast without loss.
    fn new(name: &str, values: &ArrayRef) -> Values {
        let to = match values.data_type() {
            DataType::Null => return Values::Nothing,
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
                DataType::Timestamp(TimeUnit::Nanosecond, None)
            }
            DataType::Boolean => DataType::Boolean,
            DataType::UInt64 => DataType::UInt64,
            of if of.is_integer() => DataType::Int64,
            of if of.is_floating() || of.is_decimal() => DataType::Float64,
            _ => DataType::Utf8View,
        };
        let Ok(values) = cast(values, &to) else { return Values::Nothing };
        match to {
            DataType::Timestamp(..) => Values::Time(values.as_primitive().clone()),
            DataType::Boolean => Values::Bool(values.as_boolean().clone()),
            DataType::UInt64 => Values::UInt(values.as_primitive().clone()),
            DataType::Int64 => Values::Int(values.as_primitive().clone()),
            DataType::Float64 => Values::Float(values.as_primitive().clone()),
            _ if name == "_fields" => Values::Fields(values.as_string_view().clone()),
            _ => Values::Text(values.as_string_view().clone()),
        }
    }
}

impl<'a> Column<'a> {
    fn new(name: &'a str, values: &ArrayRef) -> Self {
        let mut key = Vec::new();
        put_text(name.as_bytes(), &mut key);
        key.push(b':');
        Column { name, key, values: Values::new(name, values) }
    }

    /// Appends name and value where there is one.
    fn put(&self, row: usize, out: &mut Vec<u8>, start: usize) {
        let valid = match &self.values {
            Values::Text(values) => values.is_valid(row),
            Values::Time(values) => values.is_valid(row),
            Values::Int(values) => values.is_valid(row),
            Values::UInt(values) => values.is_valid(row),
            Values::Float(values) => values.is_valid(row) && values.value(row).is_finite(),
            Values::Bool(values) => values.is_valid(row),
            Values::Fields(_) | Values::Nothing => false,
        };
        if !valid {
            return;
        }
        put_comma(out, start);
        out.extend_from_slice(&self.key);
        match &self.values {
            Values::Text(values) => put_text(values.value(row).as_bytes(), out),
            Values::Time(values) => put_text(sawlog_model::time::rfc3339(values.value(row)).as_bytes(), out),
            Values::Int(values) => put_display(values.value(row), out),
            Values::UInt(values) => put_display(values.value(row), out),
            Values::Float(values) => put_float(values.value(row), out),
            Values::Bool(values) => put_display(values.value(row), out),
            Values::Fields(_) | Values::Nothing => {}
        }
    }
}

fn put_comma(out: &mut Vec<u8>, start: usize) {
    if out.len() > start {
        out.push(b',');
    }
}

fn put_display(value: impl std::fmt::Display, out: &mut Vec<u8>) {
    use std::io::Write;
    // Writing to memory does not fail.
    let _ = write!(out, "{value}");
}

/// A sum of whole numbers is printed as one.
fn put_float(value: f64, out: &mut Vec<u8>) {
    if value.fract() == 0.0 && value.abs() < WHOLE {
        put_display(value as i64, out);
    } else if value.abs() < 1e-5 || value.abs() >= WHOLE {
        put_display(format_args!("{value:e}"), out);
    } else {
        put_display(value, out);
    }
}

/// Appends a text in quotes, escaped where JSON asks for it.
fn put_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut done = 0;
    for (at, byte) in text.iter().enumerate() {
        let escaped: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..0x20 => b"",
            _ => continue,
        };
        out.extend_from_slice(&text[done..at]);
        done = at + 1;
        match escaped {
            b"" => put_display(format_args!("\\u{byte:04x}"), out),
            escaped => out.extend_from_slice(escaped),
        }
    }
    out.extend_from_slice(&text[done..]);
    out.push(b'"');
}

/// Appends the members whose names are wanted.
fn put_members(members: &[(&[u8], &[u8])], out: &mut Vec<u8>, start: usize, wanted: impl Fn(&str) -> bool) {
    for (name, value) in members {
        if !std::str::from_utf8(name).is_ok_and(&wanted) {
            continue;
        }
        put_comma(out, start);
        out.push(b'"');
        out.extend_from_slice(name);
        out.extend_from_slice(b"\":");
        // A list or map of a line that went over several lines may hold line ends between its values.
        match memchr::memchr2(b'\n', b'\r', value) {
            None => out.extend_from_slice(value),
            Some(_) => {
                out.extend(value.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }))
            }
        }
    }
}

/// The members of an object as the store prints it: names without their quotes, values as written.
fn members(object: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut found = Vec::new();
    let mut at = 1;
    while object.get(at) == Some(&b'"') {
        let name_end = string_end(object, at);
        let value_start = (name_end + 2).min(object.len());
        let value_end = value_end(object, value_start);
        found.push((&object[at + 1..name_end.max(at + 1)], &object[value_start..value_end]));
        at = value_end + 1;
    }
    found
}

/// The index of the quote that ends the string begun at `at`.
fn string_end(text: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at.min(text.len() - 1)
}

/// Where the value begun at `at` ends: before the comma or brace behind it.
fn value_end(text: &[u8], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = at;
    while at < text.len() {
        match text[at] {
            b'"' => at = string_end(text, at),
            b'{' | b'[' => depth += 1,
            b',' | b'}' if depth == 0 => return at,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    text.len()
}

#[cfg(test)]
mod tests;
