//! A row that stands in no answer yet, as the JSON that a search would give for it.

use sawlog_model::{FieldValue, Fields, time};
use serde_json::{Map, Value};

/// The row as an object: `_time`, `_source`, `_epoch`, `_offset`, `_line`, its fields, and of its context what the row
/// does not say itself. Where a name comes twice the last field is the value, as in a search.
pub(crate) fn json(row: &dyn Fields) -> Value {
    let address = row.address();
    let mut object = Map::new();
    object.insert("_time".into(), time::rfc3339(row.time()).into());
    object.insert("_source".into(), address.source.to_string().into());
    object.insert("_epoch".into(), address.epoch.into());
    object.insert("_offset".into(), address.offset.into());
    object.insert("_line".into(), text(row.line()));
    row.each_slot(&mut |name, value, _| {
        if let Some(value) = typed(&value) {
            object.insert(name.to_owned(), value);
        }
    });
    for (name, value) in row.context().iter() {
        object.entry(name).or_insert_with(|| value.into());
    }
    Value::Object(object)
}

fn text(bytes: &[u8]) -> Value {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// The value with its type; `None` for null. What only looks like a number or a list stays text.
fn typed(value: &FieldValue<'_>) -> Option<Value> {
    Some(match value {
        FieldValue::Null => return None,
        FieldValue::Bool(value) => Value::Bool(*value),
        FieldValue::Text(bytes) => text(bytes),
        FieldValue::Number(bytes) | FieldValue::Json(bytes) => {
            serde_json::from_slice(bytes).unwrap_or_else(|_| text(bytes))
        }
    })
}
