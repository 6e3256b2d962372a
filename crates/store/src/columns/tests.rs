//! Columns say what the row says.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, StringViewArray, UInt64Array};
use sawlog_model::{Address, Context, Marks, Record, SourceId, Tenant};

use super::*;

fn record(fields: Vec<(&str, FieldValue<'static>)>) -> Record {
    Record {
        raw: b"a line\r\n".to_vec(),
        time: 1_000_000_000,
        received: 2_000_000_000,
        address: Address { source: SourceId(5), epoch: 2, offset: 77 },
        tenant: Tenant(3),
        marks: Marks::JSON,
        context: Arc::new(Context::new([("_host", "web1"), ("status", "from context")])),
        fields: fields.into_iter().map(|(name, value)| (name.into(), value, true)).collect(),
    }
}

fn text(value: &str) -> FieldValue<'static> {
    FieldValue::Text(Cow::Owned(value.as_bytes().to_vec()))
}

fn number(value: &str) -> FieldValue<'static> {
    FieldValue::Number(Cow::Owned(value.as_bytes().to_vec()))
}

fn column(name: &str, row: &Record) -> Option<String> {
    let array = arrays(&[name.to_owned()], std::slice::from_ref(row)).remove(0);
    let array = array.as_any().downcast_ref::<StringViewArray>().expect("text");
    array.is_valid(0).then(|| array.value(0).to_owned())
}

#[test]
fn types_are_as_promised() {
    let names: Vec<String> =
        ["_time", "_received", "_offset", "_epoch", "_raw", "_marks", "_fields", "_line", "x"]
            .map(String::from)
            .to_vec();
    let arrays = arrays(&names, &[record(vec![])]);
    for (array, field) in arrays.iter().zip(schema(&names).fields()) {
        assert_eq!(array.data_type(), field.data_type(), "{}", field.name());
        assert_eq!(array.len(), 1);
    }
    let offsets = arrays[2].as_any().downcast_ref::<UInt64Array>().expect("numbers");
    assert_eq!(offsets.value(0), 77);
}

#[test]
fn the_last_of_a_name_counts_and_null_is_null() {
    let row = record(vec![("a", text("1")), ("a", text("2")), ("b", text("x")), ("b", FieldValue::Null)]);
    assert_eq!(column("a", &row).as_deref(), Some("2"));
    assert_eq!(column("b", &row), None);
    assert_eq!(column("c", &row), None);
}

#[test]
fn the_line_wins_over_the_context_and_sawlogs_own() {
    let row = record(vec![("status", text("mine")), ("_line", text("not the line"))]);
    assert_eq!(column("status", &row).as_deref(), Some("mine"));
    assert_eq!(column("_line", &row).as_deref(), Some("not the line"));
    assert_eq!(column("_line", &record(vec![])).as_deref(), Some("a line"));
    assert_eq!(column("_host", &row).as_deref(), Some("web1"));
    assert_eq!(column("_tenant", &row).as_deref(), Some("3"));
}

#[test]
fn all_fields_are_one_object_with_their_types() {
    let row = record(vec![
        ("n", number("1.50")),
        ("odd", number("007")),
        ("t", text("say \"hi\"\n\u{1}")),
        ("yes", FieldValue::Bool(true)),
        ("nothing", FieldValue::Null),
        ("list", FieldValue::Json(Cow::Borrowed(b"[1,{\"a\":2}]"))),
        ("n", number("-2e+3")),
    ]);
    let expected = r#"{"n":-2e+3,"odd":"007","t":"say \"hi\"\n\u0001","yes":true,"nothing":null,"list":[1,{"a":2}],"_host":"web1","status":"from context"}"#;
    assert_eq!(column("_fields", &row).as_deref(), Some(expected));
}

#[test]
fn numbers_as_json_writes_them() {
    for yes in ["0", "-0", "10", "1.0", "1e5", "1E-5", "-12.50e+07"] {
        assert!(is_json_number(yes.as_bytes()), "{yes}");
    }
    for no in ["", "-", "01", "1.", ".5", "+1", "1e", "1e+", "0x1", "1 ", "NaN", "1_0"] {
        assert!(!is_json_number(no.as_bytes()), "{no}");
    }
}
