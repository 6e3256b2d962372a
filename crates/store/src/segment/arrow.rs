//! Columns of a row group as Arrow arrays, for the rows that a query kept. Knows nothing of predicates.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, StringViewArray, StringViewBuilder, TimestampNanosecondArray, UInt8Array,
    UInt32Array, UInt64Array,
};
use sawlog_model::{FieldValue, Fields, strip_terminator};

use super::column::Column;
use super::group::Group;
use super::row::Taken;
use crate::StoreError;

impl Group {
    /// The columns (see [`crate::Column`]) of these rows, in the order of `rows` (any order).
    ///
    /// # Errors
    /// As the disk says.
    pub fn columns(&self, names: &[String], rows: &[u32]) -> Result<Vec<ArrayRef>, StoreError> {
        names.iter().map(|name| self.array(name, rows)).collect()
    }

    fn array(&self, name: &str, rows: &[u32]) -> Result<ArrayRef, StoreError> {
        let each = || rows.iter().map(|row| *row as usize);
        match name {
            "_time" => {
                let times = self.times()?;
                let times: TimestampNanosecondArray = each().map(|row| Some(times[row])).collect();
                Ok(Arc::new(times.with_timezone("UTC")))
            }
            "_received" => {
                let received = self.received()?;
                let received: TimestampNanosecondArray = each().map(|row| Some(received[row])).collect();
                Ok(Arc::new(received.with_timezone("UTC")))
            }
            "_offset" => {
                let offsets = each().map(|row| self.offset(row)).collect::<Result<Vec<u64>, _>>()?;
                Ok(Arc::new(UInt64Array::from(offsets)))
            }
            "_epoch" => {
                let epochs = each().map(|row| Ok(self.address(row, false)?.epoch));
                Ok(Arc::new(UInt32Array::from(epochs.collect::<Result<Vec<u32>, StoreError>>()?)))
            }
            "_marks" => {
                let marks = each().map(|row| self.shape(row).skeleton.marks.0);
                Ok(Arc::new(UInt8Array::from_iter_values(marks)))
            }
            "_raw" => {
                let mut raw = BinaryBuilder::new();
                let mut line = Vec::new();
                for row in each() {
                    line.clear();
                    self.render(row, &mut line)?;
                    raw.append_value(&line);
                }
                Ok(Arc::new(raw.finish()))
            }
            "_fields" => self.all_fields(rows),
            _ => self.field_array(name, rows),
        }
    }

    /// A field by its name: the line's, the context's, or one that is computed.
    fn field_array(&self, name: &str, rows: &[u32]) -> Result<ArrayRef, StoreError> {
        let places = self.last_named(name);
        if let Some(array) = self.dictionary_array(&places, rows)? {
            return Ok(array);
        }
        let mut array = StringViewBuilder::with_capacity(rows.len());
        let mut bytes = Vec::new();
        let mut taken = Taken::default();
        for row in rows.iter().map(|row| *row as usize) {
            let code = self.codes[row] as usize;
            if let Some((column, which)) = places[code] {
                let kind = self.body.fields[column as usize].role.kind();
                let values = self.values(column)?;
                bytes.clear();
                self.append(values, values.start(row) + which as usize, &mut bytes)?;
                append(&mut array, &FieldValue::read(kind, bytes.as_slice().into()));
            } else if name == "_line" && !self.shapes[code].skeleton.whole {
                bytes.clear();
                self.render(row, &mut bytes)?;
                array.append_value(String::from_utf8_lossy(strip_terminator(&bytes)));
            } else if self.shapes[code].skeleton.whole {
                self.take(row, &mut taken)?;
                match self.view(row, &taken, name == "_offset")?.field(name) {
                    Some(value) => append(&mut array, &value),
                    None => array.append_null(),
                }
            } else {
                self.append_own(name, row, &mut array)?;
            }
        }
        Ok(Arc::new(array.finish()))
    }

    /// Appends a field of the context, or a computed one that needs no line.
    fn append_own(&self, name: &str, row: usize, array: &mut StringViewBuilder) -> Result<(), StoreError> {
        if let Some(value) = self.context(row)?.get(name) {
            array.append_value(value);
            return Ok(());
        }
        match name {
            "_source" => array.append_value(self.address(row, false)?.source.to_string()),
            "_tenant" => array.append_value(self.body.meta.tenant.0.to_string()),
            _ => array.append_null(),
        }
        Ok(())
    }

    /// The array of a column that is a dictionary (or a constant) in all rows: its entries are made once.
    fn dictionary_array(
        &self,
        places: &[Option<(u32, u32)>],
        rows: &[u32],
    ) -> Result<Option<ArrayRef>, StoreError> {
        let Some(Some((column, which))) = places.first().copied() else { return Ok(None) };
        if places.iter().any(|place| *place != Some((column, which))) {
            return Ok(None);
        }
        let kind = self.body.fields[column as usize].role.kind();
        let values = self.values(column)?;
        let mut entries = StringViewBuilder::new();
        let codes: UInt32Array = match &*values.column {
            Column::Constant { value, .. } => {
                append(&mut entries, &FieldValue::read(kind, value.as_ref().into()));
                UInt32Array::from(vec![0; rows.len()])
            }
            Column::Dictionary { entries: strings, codes } if strings.len() <= rows.len() => {
                (0..strings.len()).for_each(|index| {
                    append(&mut entries, &FieldValue::read(kind, strings.get(index).into()))
                });
                let code = |row: &u32| codes[values.start(*row as usize) + which as usize];
                UInt32Array::from_iter_values(rows.iter().map(code))
            }
            _ => return Ok(None),
        };
        let entries: StringViewArray = entries.finish();
        Ok(arrow::compute::take(&entries, &codes, None).ok())
    }

    /// [`crate::Column`] `_fields`.
    fn all_fields(&self, rows: &[u32]) -> Result<ArrayRef, StoreError> {
        let mut array = StringViewBuilder::with_capacity(rows.len());
        let mut taken = Taken::default();
        for row in rows.iter().map(|row| *row as usize) {
            self.take(row, &mut taken)?;
            let context = self.context(row)?;
            // The last of a name is the value, and stands where the first stood.
            let mut places: BTreeMap<String, usize> = BTreeMap::new();
            let mut fields: Vec<(String, String)> = Vec::new();
            let mut put = |name: &str, value: String| match places.get(name) {
                Some(at) => fields[*at].1 = value,
                None => {
                    places.insert(name.to_owned(), fields.len());
                    fields.push((name.to_owned(), value));
                }
            };
            taken.each_slot(&mut |name, value, _| put(name, json(&value)));
            let own: Vec<(&str, &str)> = context.iter().collect();
            for (name, value) in own {
                let shadowed = has_slot(&taken, name);
                if !shadowed {
                    put(name, quote(value));
                }
            }
            let body: Vec<String> =
                fields.iter().map(|(name, value)| format!("{}:{value}", quote(name))).collect();
            array.append_value(format!("{{{}}}", body.join(",")));
        }
        Ok(Arc::new(array.finish()))
    }
}

fn has_slot(taken: &Taken, wanted: &str) -> bool {
    let mut found = false;
    taken.each_slot(&mut |name, _, _| found |= name == wanted);
    found
}

/// Appends the text of a value; null where it is JSON null.
fn append(array: &mut StringViewBuilder, value: &FieldValue<'_>) {
    match value.text() {
        Some(text) => array.append_value(String::from_utf8_lossy(text)),
        None => array.append_null(),
    }
}

/// A value as JSON.
fn json(value: &FieldValue<'_>) -> String {
    match value {
        FieldValue::Null => "null".to_owned(),
        FieldValue::Bool(value) => value.to_string(),
        FieldValue::Number(number) if is_json_number(number) => String::from_utf8_lossy(number).into_owned(),
        FieldValue::Json(json) => String::from_utf8_lossy(json).into_owned(),
        FieldValue::Text(text) | FieldValue::Number(text) => quote(&String::from_utf8_lossy(text)),
    }
}

/// A text as a JSON string.
fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// Whether JSON allows a number to be written so: `-` digits without a leading zero, fraction, exponent.
fn is_json_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    let mut rest = &rest[whole..];
    if let Some(part) = rest.strip_prefix(b".") {
        let count = digits(part);
        if count == 0 {
            return false;
        }
        rest = &part[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent =
            exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-")).unwrap_or(exponent);
        let count = digits(exponent);
        return count > 0 && count == exponent.len();
    }
    rest.is_empty()
}
