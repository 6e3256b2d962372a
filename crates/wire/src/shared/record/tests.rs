//! Rows of every shape as records.

use std::sync::Arc;

use sawlog_model::{Batch, Context, Fields, Kind, Limits, Marks, Names, Row, Slot, Value, value};

use super::*;
use crate::testing::rows;

const LIMITS: Limits = Limits { event: 1 << 20, message: 1 << 20, depth: 64, fields: 200, names: 200 };

fn json(row: RowRef<'_>) -> String {
    let mut out = Vec::new();
    write_json(row, &LIMITS, &mut out);
    String::from_utf8(out).unwrap()
}

/// A batch with one row of each shape, each with an added field `x`.
fn shapes() -> Batch {
    let mut batch = Batch { context: Arc::new(Context::new([("_tag", "a.b")])), ..Batch::default() };
    let mut names = Names::default();
    let (user, code, time, x) =
        (names.intern("user"), names.intern("code"), names.intern("time"), names.intern("x"));
    batch.names = Arc::new(names);
    let mut buffer = Vec::new();
    let map = b"{\"user\":\"b\\\"ob\",\"t\":{\"$time\":\"1500000000\"}}\n";
    type Part = (u32, u32, NameIdOf, Kind);
    let lines: [(&[u8], Marks, &[Part]); 4] = [
        (map, Marks::MAP.with(Marks::JSON), &[(9, 5, NameIdOf(0), Kind::JsonText)]),
        (b"{ \"code\": 007e1 }\n", Marks::JSON, &[]),
        (
            b"12:00 bob 007\n",
            Marks(0),
            &[
                (0, 5, NameIdOf(2), Kind::Time),
                (6, 3, NameIdOf(0), Kind::Text),
                (10, 3, NameIdOf(1), Kind::Number),
            ],
        ),
        (b"plain \xff text\r\n", Marks(0), &[]),
    ];
    for (line, marks, slots) in lines {
        let start = buffer.len() as u32;
        buffer.extend_from_slice(line);
        for (at, len, name, kind) in slots {
            let name = [user, code, time][name.0];
            batch.slots.push(Slot { start: start + at, len: *len, name, kind: *kind, layout: 0 });
        }
        let end = buffer.len() as u32;
        buffer.extend_from_slice(b"1.5");
        batch.slots.push(Slot { start: end, len: 3, name: x, kind: Kind::Number, layout: 0 });
        let slots_end = batch.slots.len() as u32;
        let len = line.len() as u32;
        batch.rows.push(Row { start, len, offset: u64::from(start), time: 7, received: 8, slots_end, marks });
    }
    batch.buffer = buffer.into();
    batch
}

#[derive(Clone, Copy)]
struct NameIdOf(usize);

#[test]
fn a_row_of_any_shape_is_a_record() {
    let batch = shapes();
    let shapes: Vec<_> = batch.iter().map(shape).collect();
    assert_eq!(shapes, [Shape::Map, Shape::Json, Shape::Fields, Shape::Line]);
    let texts: Vec<_> = batch.iter().map(json).collect();
    assert_eq!(
        texts[0], r#"{"user":"b\"ob","t":1,"x":1.5}"#,
        "a time is whole seconds, as Fluentd writes it"
    );
    assert_eq!(texts[1], r#"{ "code": 007e1 ,"x":1.5}"#, "JSON stays as its sender wrote it");
    assert_eq!(texts[2], r#"{"user":"bob","code":"007","x":1.5}"#, "what is no number of JSON is text");
    assert_eq!(texts[3], "{\"message\":\"plain \u{fffd} text\",\"x\":1.5}");
    let typed = entries(batch.row(0), &LIMITS);
    assert!(typed[1].1.same(&Value::Time(1_500_000_000)), "{typed:?}");
    assert!(typed[2].1.same(&Value::Float(1.5)));
    for row in batch.iter().filter(|row| row.index != 1) {
        let mut packed = Vec::new();
        write_msgpack(row, &LIMITS, &mut packed);
        let (back, _) = msgpack::value(&packed, &LIMITS).unwrap();
        let direct = Value::Map(entries(row, &LIMITS));
        // An EventTime is written in its own type, so it comes back as one.
        assert!(back.same(&direct), "{back:?} is not {direct:?}");
    }
    assert_eq!(tag(&batch), "a.b");
}

#[test]
fn an_added_field_takes_the_place_of_the_lines() {
    let mut batch = shapes();
    let user = batch.names.find("user").unwrap();
    for slot in batch.slots.iter_mut().filter(|slot| slot.len == 3 && slot.kind == Kind::Number) {
        slot.name = user;
    }
    assert_eq!(json(batch.row(0)), r#"{"user":1.5,"t":1}"#);
    let mut packed = Vec::new();
    write_msgpack(batch.row(0), &LIMITS, &mut packed);
    let (back, _) = msgpack::value(&packed, &LIMITS).unwrap();
    assert!(back.same(&Value::Map(entries(batch.row(0), &LIMITS))), "{back:?}");
}

#[test]
fn accessors_find_fields_of_any_depth() {
    let batch = rows("a.b", &[r#"{"a":{"b":[1,{"c":"x\ny"}],"d e":true},"f":null,"g.h":2}"#]);
    let row = batch.row(0);
    for (accessor, text, is) in [
        ("$.a.b[0]", "1", Some(Value::Int(1))),
        ("$.a.b[-1].c", "x\ny", Some(Value::Str("x\ny".into()))),
        ("$['a']['d e']", "true", Some(Value::Bool(true))),
        ("$[\"a\"][\"b\"][1]['c']", "x\ny", Some(Value::Str("x\ny".into()))),
        ("$.a.b[7]", "", None),
        ("f", "", Some(Value::Nil)),
        ("g.h", "2", Some(Value::Int(2))),
        ("none", "", None),
        ("$.none.b", "", None),
        ("$.a.b", r#"[1,{"c":"x\ny"}]"#, None),
        ("a", r#"{"b":[1,{"c":"x\ny"}],"d e":true}"#, None),
    ] {
        let parsed = Accessor::parse(accessor).unwrap();
        let bound = parsed.of_batch(&batch);
        assert_eq!(String::from_utf8_lossy(&bound.text(row, &LIMITS)), text, "{accessor}");
        if is.is_some() || text.is_empty() {
            assert_eq!(bound.value(row, &LIMITS), is, "{accessor}");
            assert_eq!(bound.value(row, &LIMITS).as_ref(), parsed_find(&parsed, row).as_ref(), "{accessor}");
        }
    }
    for wrong in ["$.", "$.a b", "$['a", "$[a]", "$[0]", "$['a']b", "$.a[", "$.a..b"] {
        assert!(Accessor::parse(wrong).is_err(), "{wrong}");
    }
}

fn parsed_find(accessor: &Accessor, row: RowRef<'_>) -> Option<Value> {
    // `g.h` is one key there and a path here: fields are known by their dotted names.
    accessor.find(&entries(row, &LIMITS)).cloned()
}

#[test]
fn accessors_of_lines_and_parsed_fields() {
    let batch = shapes();
    let text = |name: &str, index: usize| {
        let accessor = Accessor::parse(name).unwrap();
        let text = accessor.of_batch(&batch).text(batch.row(index), &LIMITS).into_owned();
        String::from_utf8_lossy(&text).into_owned()
    };
    assert_eq!(text("message", 3), "plain \u{fffd} text");
    assert_eq!(text("message", 2), "");
    assert_eq!((text("code", 2), text("time", 2), text("x", 3)), ("007".into(), String::new(), "1.5".into()));
    assert_eq!(text("user", 0), "b\"ob");
    let typed = Accessor::parse("t").unwrap();
    assert_eq!(typed.of_batch(&batch).value(batch.row(0), &LIMITS), Some(Value::Time(1_500_000_000)));
}

#[test]
fn fields_are_removed_wherever_they_are() {
    for (accessor, left) in [
        ("a", r#"{"c":[1,2]}"#),
        ("$.a.b", r#"{"a":{"d":2},"c":[1,2]}"#),
        ("$.c[0]", r#"{"a":{"b":1,"d":2},"c":[2]}"#),
        ("$.c[5]", r#"{"a":{"b":1,"d":2},"c":[1,2]}"#),
        ("$.x.y", r#"{"a":{"b":1,"d":2},"c":[1,2]}"#),
    ] {
        let Value::Map(mut entries) =
            value::parse_json(br#"{"a":{"b":1,"d":2},"c":[1,2]}"#, &LIMITS).unwrap()
        else {
            panic!()
        };
        Accessor::parse(accessor).unwrap().remove(&mut entries);
        let mut out = Vec::new();
        write_plain(&Value::Map(entries), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), left, "{accessor}");
    }
}

#[test]
fn a_selection_copies_spans_and_not_bytes() {
    let batch = Arc::new(shapes());
    assert!(Arc::ptr_eq(&select(&batch, |_| true), &batch));
    let some = select(&batch, |row| row.index % 2 == 1);
    assert_eq!(some.buffer.as_ptr(), batch.buffer.as_ptr());
    let texts: Vec<_> = some.iter().map(json).collect();
    assert_eq!(texts, [json(batch.row(1)), json(batch.row(3))]);
    assert_eq!(some.row(1).address(), batch.row(3).address());
    let none = select(&batch, |_| false);
    assert!(none.rows.is_empty() && none.slots.is_empty() && none.buffer.is_empty());
}

#[test]
fn rows_are_kept_added_to_and_rendered_anew_in_one_batch() {
    let batch = shapes();
    let mut rewriter = Rewriter::new(&batch, &LIMITS);
    let name = rewriter.name("host");
    let piece = rewriter.put(&Value::Str("h\"1".into())).unwrap();
    rewriter.keep(batch.row(0));
    rewriter.add(batch.row(2), 99, &[(name, piece)]);
    assert!(rewriter.replace(batch.row(3), 7, vec![(Value::Str("k".into()), Value::Bin(vec![0xff]))]));
    let made = rewriter.finish();
    assert_eq!(made.row(0).raw(), batch.row(0).raw());
    assert_eq!(json(made.row(1)), r#"{"user":"bob","code":"007","x":1.5,"host":"h\"1"}"#);
    assert_eq!((made.row(1).row().time, made.row(1).row().marks), (99, Marks(0)));
    assert_eq!(made.row(2).raw(), b"{\"k\":{\"$bin\":\"/w==\"}}\n");
    assert!(made.row(2).row().marks.has(Marks::MADE) && made.row(2).row().marks.has(Marks::MAP));
    assert_eq!(made.row(2).address(), batch.row(3).address());
    assert_eq!(made.row(2).field("k").unwrap().text(), Some(&b"/w=="[..]));
    assert_eq!(made.context, batch.context);

    let mut rewriter = Rewriter::new(&batch, &LIMITS);
    assert!(rewriter.replace(batch.row(1), 7, vec![(Value::Str("k".into()), Value::Int(1))]));
    let made = rewriter.finish();
    assert_eq!(&made.buffer[..], b"{\"k\":1}\n", "nothing of the old bytes is kept where no row needs them");
    assert_eq!(made.row(0).field("k").unwrap().text(), Some(&b"1"[..]));
}
