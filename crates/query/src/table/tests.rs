//! What conditions become.

use arrow::datatypes::DataType;
use datafusion::prelude::{Expr, col, lit};
use sawlog_model::{Compare, Predicate, Test, TimeRange};

use super::pushdown::{Pushed, pushed};
use crate::number::num;

fn time(nanos: i64) -> Expr {
    lit(datafusion::common::ScalarValue::TimestampNanosecond(Some(nanos), Some("UTC".into())))
}

fn rows(name: &str, test: Test) -> Option<Pushed> {
    Some(Pushed::Rows(Predicate::Field(name.into(), test)))
}

#[test]
fn times_are_taken_exactly() {
    let all = TimeRange::ALL;
    let cases = [
        (col("_time").gt_eq(time(5)), Some(TimeRange { start: 5, ..all })),
        (col("_time").gt(time(5)), Some(TimeRange { start: 6, ..all })),
        (col("_time").lt(time(5)), Some(TimeRange { end: 5, ..all })),
        (time(5).gt_eq(col("_time")), Some(TimeRange { end: 6, ..all })),
        (col("_time").eq(time(5)), Some(TimeRange { start: 5, end: 6 })),
        (col("_time").gt(time(1)).and(col("_time").lt(time(9))), Some(TimeRange { start: 2, end: 9 })),
        (col("_time").gt(time(i64::MAX)), None),
        (col("_received").gt(time(5)), None),
    ];
    for (condition, wanted) in cases {
        assert_eq!(pushed(&condition), wanted.map(Pushed::Time), "{condition}");
    }
}

#[test]
fn rows_are_at_least_those_that_sql_keeps() {
    let is = |text: &str| Test::Is(text.into());
    let part = |text: &str| Test::Part { text: text.into(), fold: false };
    let line = |test| Predicate::Field("_line".into(), test);
    let cases = [
        (col("a").eq(lit("x")), rows("a", is("x"))),
        (lit("x").eq(col("a")), rows("a", is("x"))),
        (col("a").eq(lit("[1]")), None),
        (col("a").not_eq(lit("x")), None),
        (col("_offset").eq(lit("5")), None),
        (
            col("a").in_list(vec![lit("x"), lit("y")], false),
            rows("a", Test::In(vec!["x".into(), "y".into()])),
        ),
        (col("a").in_list(vec![lit("x"), lit("y")], true), None),
        (col("a").is_not_null(), rows("a", Test::Exists)),
        (num(col("a")).is_not_null(), rows("a", Test::Exists)),
        (col("_line").like(lit("%x_y%")), Some(Pushed::Rows(line(part("x")).and(line(part("y")))))),
        (col("_line").like(lit("%")), None),
        (col("_line").not_like(lit("%x%")), None),
        (col("a").like(lit("%x%")), None),
        (num(col("a")).gt(lit(f64::INFINITY)), None),
    ];
    for (condition, wanted) in cases {
        assert_eq!(pushed(&condition), wanted, "{condition}");
    }
}

#[test]
fn numbers_leave_room_for_rounding() {
    let Some(Pushed::Rows(Predicate::Field(_, test))) = pushed(&num(col("a")).gt_eq(lit(0.1))) else {
        panic!()
    };
    // This is 0.1 to 64 bits.
    assert!(test.keeps_text(b"0.09999999999999999999"));
    assert!(!test.keeps_text(b"0.0999"));
    assert!(matches!(test, Test::Number(Compare::GreaterOrEqual, _)));
}

#[test]
fn the_schema_is_the_stores_but_for_nulls() {
    let schema = super::schema(&["_time".into(), "a".into()]);
    assert!(!schema.field(0).is_nullable() && schema.field(1).is_nullable());
    assert_eq!(schema.field(1).data_type(), &DataType::Utf8View);
}
