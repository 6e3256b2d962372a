//! Arrow arrays from rows, as [`crate::Column`] promises them. Knows nothing of where rows come from: anything that
//! implements [`Fields`] will do.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, StringViewBuilder, TimestampNanosecondArray, UInt8Array, UInt32Array,
    UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use sawlog_model::{FieldValue, Fields};

use crate::Column;

#[cfg(test)]
mod tests;

/// The type that a column has.
pub fn data_type(name: &str) -> DataType {
    match name {
        "_time" | "_received" => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        "_offset" => DataType::UInt64,
        "_epoch" => DataType::UInt32,
        "_marks" => DataType::UInt8,
        "_raw" => DataType::Binary,
        _ => DataType::Utf8View,
    }
}

/// The schema of a scan of these columns; all may be NULL.
pub fn schema(columns: &[Column]) -> SchemaRef {
    let fields: Vec<Field> = columns.iter().map(|name| Field::new(name, data_type(name), true)).collect();
    Arc::new(Schema::new(fields))
}

/// Rows that are in no store (yet), as a scan of these columns would give them.
pub fn batch<F: Fields>(columns: &[Column], rows: &[F]) -> RecordBatch {
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(schema(columns), arrays(columns, rows), &options)
        .expect("arrays are of the types that the schema says")
}

/// The columns of these rows.
pub(crate) fn arrays<F: Fields>(columns: &[Column], rows: &[F]) -> Vec<ArrayRef> {
    let texts: Vec<&str> = columns.iter().map(String::as_str).filter(|name| is_text(name)).collect();
    let mut text_arrays = text_columns(&texts, rows).into_iter();
    columns
        .iter()
        .map(|name| match name.as_str() {
            "_fields" => fields_column(rows),
            name if is_text(name) => text_arrays.next().expect("one array for each text column"),
            name => own_column(name, rows),
        })
        .collect()
}

fn is_text(name: &str) -> bool {
    data_type(name) == DataType::Utf8View && name != "_fields"
}

/// One of sawlog's own columns that are not text.
fn own_column<F: Fields>(name: &str, rows: &[F]) -> ArrayRef {
    let times = |time: &dyn Fn(&F) -> i64| -> ArrayRef {
        Arc::new(TimestampNanosecondArray::from_iter_values(rows.iter().map(time)).with_timezone("UTC"))
    };
    match name {
        "_time" => times(&|row| row.time()),
        "_received" => times(&|row| row.received()),
        "_offset" => Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.address().offset))),
        "_epoch" => Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.address().epoch))),
        "_marks" => Arc::new(UInt8Array::from_iter_values(rows.iter().map(|row| row.marks().0))),
        _ => {
            let bytes = rows.iter().map(|row| row.raw().len()).sum();
            let mut raw = BinaryBuilder::with_capacity(rows.len(), bytes);
            rows.iter().for_each(|row| raw.append_value(row.raw()));
            Arc::new(raw.finish())
        }
    }
}

/// The value of a field while the slots of a row are gone through.
#[derive(Default)]
struct Found {
    /// The row has it.
    present: bool,
    /// It has a text (is not JSON null).
    valued: bool,
    text: Vec<u8>,
}

impl Found {
    fn set(&mut self, value: &FieldValue<'_>) {
        self.present = true;
        self.valued = false;
        self.text.clear();
        if let Some(text) = value.text() {
            self.valued = true;
            self.text.extend_from_slice(text);
        }
    }
}

/// Fields as text, in one pass over each row's slots.
fn text_columns<F: Fields>(names: &[&str], rows: &[F]) -> Vec<ArrayRef> {
    let mut builders: Vec<StringViewBuilder> = names.iter().map(|_| StringViewBuilder::new()).collect();
    let mut found: Vec<Found> = names.iter().map(|_| Found::default()).collect();
    for row in rows {
        found.iter_mut().for_each(|found| (found.present, found.valued) = (false, false));
        row.each_slot(&mut |name, value, _| {
            for (want, found) in names.iter().zip(&mut found) {
                if *want == name {
                    found.set(&value);
                }
            }
        });
        for ((name, found), builder) in names.iter().zip(&mut found).zip(&mut builders) {
            if !found.present && *name == "_line" {
                builder.append_value(String::from_utf8_lossy(row.line()));
                continue;
            }
            if !found.present
                && let Some(value) = row.own_field(name)
            {
                found.set(&value);
            }
            match found.valued {
                true => builder.append_value(String::from_utf8_lossy(&found.text)),
                false => builder.append_null(),
            }
        }
    }
    builders.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect()
}

fn fields_column<F: Fields>(rows: &[F]) -> ArrayRef {
    let mut builder = StringViewBuilder::new();
    let mut json = Vec::new();
    for row in rows {
        json.clear();
        put_fields(row, &mut json);
        builder.append_value(String::from_utf8_lossy(&json));
    }
    Arc::new(builder.finish())
}

/// Appends all fields of a row, then those of its context that the row itself does not have, as one JSON object with
/// dotted names. Where a name comes twice, the last is the value. Bytes that are not UTF-8 are kept.
pub(crate) fn put_fields(row: &dyn Fields, out: &mut Vec<u8>) {
    let mut list: Vec<(String, FieldValue<'static>)> = Vec::new();
    let mut index: HashMap<String, usize> = HashMap::new();
    row.each_slot(&mut |name, value, _| match index.get(name) {
        Some(at) => list[*at].1 = value.into_owned(),
        None => {
            index.insert(name.to_owned(), list.len());
            list.push((name.to_owned(), value.into_owned()));
        }
    });
    out.push(b'{');
    let mut first = true;
    let mut put_name = |name: &str, out: &mut Vec<u8>| {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        put_json_text(name.as_bytes(), out);
        out.push(b':');
    };
    for (name, value) in &list {
        put_name(name, out);
        put_json_value(value, out);
    }
    for (name, value) in row.context().iter().filter(|(name, _)| !index.contains_key(*name)) {
        put_name(name, out);
        put_json_text(value.as_bytes(), out);
    }
    out.push(b'}');
}

fn put_json_value(value: &FieldValue<'_>, out: &mut Vec<u8>) {
    match value {
        FieldValue::Text(text) => put_json_text(text, out),
        FieldValue::Number(text) if is_json_number(text) => out.extend_from_slice(text),
        // Such as `007` or `1_000`: written as it is, it would break the object.
        FieldValue::Number(text) => put_json_text(text, out),
        FieldValue::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        FieldValue::Null => out.extend_from_slice(b"null"),
        FieldValue::Json(text) => out.extend_from_slice(text),
    }
}

/// Appends a text in quotes, escaped where JSON asks for it.
pub(crate) fn put_json_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
}

/// Whether the text is a number as JSON writes them.
pub(crate) fn is_json_number(text: &[u8]) -> bool {
    fn digits(text: &[u8]) -> Option<&[u8]> {
        let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count > 0).then(|| &text[count..])
    }
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let after_whole = match text.strip_prefix(b"0") {
        Some(rest) => Some(rest),
        None => digits(text),
    };
    let Some(rest) = after_whole else { return false };
    let rest = match rest.strip_prefix(b".") {
        Some(fraction) => match digits(fraction) {
            Some(rest) => rest,
            None => return false,
        },
        None => rest,
    };
    match rest.split_first() {
        None => true,
        Some((b'e' | b'E', exponent)) => {
            let exponent = exponent.strip_prefix(b"+").or(exponent.strip_prefix(b"-")).unwrap_or(exponent);
            digits(exponent).is_some_and(<[u8]>::is_empty)
        }
        Some(_) => false,
    }
}
