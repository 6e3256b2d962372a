//! What rows look like.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, NullArray, StringArray, StringViewArray,
    TimestampNanosecondArray, UInt64Array,
};
use arrow::record_batch::RecordBatch;

use super::write_ndjson;

fn written(columns: Vec<(&str, ArrayRef)>) -> Vec<String> {
    let mut out = Vec::new();
    write_ndjson(
        &RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap(),
        &mut out,
    );
    String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn values_keep_their_types() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("t", Arc::new(TimestampNanosecondArray::from(vec![Some(1_500_000_000), None]).with_timezone("UTC"))),
        ("i", Arc::new(Int64Array::from(vec![Some(-5), None]))),
        ("u", Arc::new(UInt64Array::from(vec![Some(u64::MAX), None]))),
        ("f", Arc::new(Float64Array::from(vec![Some(1.5), Some(f64::NAN)]))),
        ("w", Arc::new(Float64Array::from(vec![Some(3.0), Some(1e300)]))),
        ("z", Arc::new(Float64Array::from(vec![Some(1e-9), Some(f64::INFINITY)]))),
        ("b", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("s", Arc::new(StringArray::from(vec![Some("a\"\\\n\u{1}é"), None]))),
        ("x", Arc::new(BinaryArray::from(vec![Some(&b"ab"[..]), None]))),
        ("n", Arc::new(NullArray::new(2))),
    ];
    let wanted = [
        r#"{"t":"1970-01-01T00:00:01.500Z","i":-5,"u":18446744073709551615,"f":1.5,"w":3,"z":1e-9,"b":true,"s":"a\"\\\n\u0001é","x":"ab"}"#,
        r#"{"w":1e300}"#,
    ];
    assert_eq!(written(columns), wanted);
}

#[test]
fn fields_are_merged_into_the_record() {
    let fields = [
        r#"{"a":1,"_tag":"t","b":{"c":[1,"}"]},"_line":"not this","x\"y":"q\\","_host":"h","d":null}"#,
        "{}",
        "{\"l\":[1,\n2]}",
        r#"{"broken"#,
    ];
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("_offset", Arc::new(UInt64Array::from(vec![1, 2, 3, 4]))),
        ("_line", Arc::new(StringViewArray::from(vec!["one", "two", "three", "four"]))),
        ("_fields", Arc::new(StringViewArray::from(fields.to_vec()))),
    ];
    let lines = written(columns);
    assert_eq!(
        lines[0],
        r#"{"_offset":1,"_tag":"t","_host":"h","_line":"one","a":1,"b":{"c":[1,"}"]},"x\"y":"q\\","d":null}"#
    );
    assert_eq!(lines[1], r#"{"_offset":2,"_line":"two"}"#);
    assert_eq!(lines[2], r#"{"_offset":3,"_line":"three","l":[1, 2]}"#);
    assert!(lines[3].starts_with(r#"{"_offset":4,"_line":"four""#));
}

#[test]
fn rows_of_a_slice_are_its_own() {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let batch = RecordBatch::try_from_iter([("n", column)]).unwrap().slice(1, 1);
    let mut out = Vec::new();
    write_ndjson(&batch, &mut out);
    assert_eq!(out, b"{\"n\":2}\n");
}
