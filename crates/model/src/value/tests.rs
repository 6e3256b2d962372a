//! Lines of values: what they look like, and that they give the value back.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{Kind, Limits, Names};

fn line(value: &Value) -> String {
    let mut out = Vec::new();
    render(value, &mut out);
    String::from_utf8(out).expect("a line of a value is text")
}

fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (text(key), value)).collect())
}

fn json(line: &str) -> Result<Value, ValueError> {
    parse_json(line.as_bytes(), &Limits::default())
}

/// Every kind of value with the line that docs/format.md gives for it.
#[test]
fn lines_are_as_documented() {
    let cases = [
        (Value::Nil, "null"),
        (Value::Bool(true), "true"),
        (Value::Int(1), "1"),
        (Value::Float(1.0), "1.0"),
        (Value::Float(1e300), "1e300"),
        (Value::Float(-0.0), "-0.0"),
        (Value::UInt(u64::MAX), "18446744073709551615"),
        (Value::Float(f64::from_bits(form::NAN_64)), r#"{"$f64":"NaN"}"#),
        (Value::Float(f64::from_bits(0xfff8_0000_0000_0001)), r#"{"$f64":"fff8000000000001"}"#),
        (Value::Float(f64::NEG_INFINITY), r#"{"$f64":"-inf"}"#),
        (Value::Float32(1.5), r#"{"$f32":1.5}"#),
        (Value::Float32(0.1), r#"{"$f32":0.1}"#),
        (Value::Float32(f32::INFINITY), r#"{"$f32":"inf"}"#),
        (text("a\"\\\n\u{1}é/"), r#""a\"\\\n\u0001é/""#),
        (Value::Bin(vec![0xff, 0]), r#"{"$bin":"/wA="}"#),
        (Value::Time(1_441_588_984_250_000_000), r#"{"$time":"1441588984250000000"}"#),
        (Value::Ext(-1, vec![1, 2]), r#"{"$ext":[-1,"AQI="]}"#),
        (Value::List(vec![Value::Int(1), text("x")]), r#"[1,"x"]"#),
        (Value::Map(vec![]), "{}"),
        (map([("a", Value::Int(1)), ("a", Value::Nil)]), r#"{"a":1,"a":null}"#),
        (Value::Map(vec![(Value::Int(1), text("x"))]), r#"{"$map":[[1,"x"]]}"#),
        (map([("$bin", text("/wA="))]), r#"{"$map":[["$bin","/wA="]]}"#),
        (map([("$bin", text("/wA=")), ("b", Value::Nil)]), r#"{"$bin":"/wA=","b":null}"#),
        (map([("$other", Value::Int(1))]), r#"{"$other":1}"#),
    ];
    for (value, wanted) in cases {
        assert_eq!(line(&value), wanted);
        let back = parse(wanted.as_bytes(), &Limits::default()).expect(wanted);
        assert!(back.same(&value), "{wanted} read as {back:?}");
    }
}

#[test]
fn json_of_a_sender_has_no_forms() {
    assert_eq!(json(r#"{"$bin":"/wA="}"#), Ok(map([("$bin", text("/wA="))])));
    assert_eq!(json(" [ 1 , -2.5e1 , \"\\u00e9\\ud83d\\ude00\" ] \n"), {
        Ok(Value::List(vec![Value::Int(1), Value::Float(-25.0), text("é😀")]))
    });
    assert_eq!(json("18446744073709551616"), Ok(Value::Float(18_446_744_073_709_551_616.0)));
    assert_eq!(
        parse_json(b"\"\xff\"", &Limits::default()),
        Ok(Value::Bin(vec![0xff])),
        "text that is not UTF-8 is kept"
    );
}

#[test]
fn what_is_not_json_is_refused() {
    let wrong = [
        "",
        "{",
        "[1,",
        "[1,]",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{1:1}",
        "01",
        "1.",
        "-",
        "+1",
        ".5",
        "1e",
        "nul",
        "\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\n\"",
        "1 2",
        "{} {}",
        "[1}",
        "{\"a\":1]",
    ];
    for text in wrong {
        assert!(matches!(json(text), Err(ValueError::Syntax { .. })), "{text} was read");
    }
}

#[test]
fn depth_is_bounded_without_recursion() {
    let limits = Limits { depth: 10, ..Limits::default() };
    let nested = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
    assert!(parse_json(&nested(10), &limits).is_ok());
    assert_eq!(parse_json(&nested(11), &limits), Err(ValueError::Deep(10)));
    assert_eq!(parse_json(&vec![b'['; 10_000_000], &limits), Err(ValueError::Deep(10)));
    let mut value = Value::Map(vec![]);
    for _ in 1..10 {
        value = Value::Map(vec![(Value::Int(1), value)]);
    }
    assert_eq!(parse(line(&value).as_bytes(), &limits), Ok(value), "pairs take three levels of JSON each");
}

#[test]
fn slots_are_the_fields() {
    let value = map([
        ("a", Value::Int(1)),
        ("b", map([("c", text("x\ny")), ("d", Value::List(vec![Value::Int(1), map([("e", Value::Nil)])]))])),
        ("", map([("n", Value::Nil), ("t", Value::Bool(true)), ("m", Value::Map(vec![]))])),
        ("f", Value::Float32(1.5)),
        ("g", Value::Bin(vec![0xff])),
        ("h", Value::Time(5)),
        ("i", Value::Map(vec![(Value::Int(1), Value::Int(2))])),
        ("a", Value::Int(2)),
    ]);
    let (mut out, mut slots, mut names) = (b"before".to_vec(), Vec::new(), Arc::new(Names::default()));
    render_slots(&value, Slots::new("", &Limits::default(), &mut names, &mut slots), &mut out);
    assert_eq!(std::str::from_utf8(&out[6..]), Ok(line(&value).as_str()));
    let found: Vec<_> = slots
        .iter()
        .map(|slot| {
            let bytes = &out[slot.start as usize..][..slot.len as usize];
            (&**names.name(slot.name), std::str::from_utf8(bytes).expect("text"), slot.kind)
        })
        .collect();
    let wanted = [
        ("a", "1", Kind::Number),
        ("b.c", "x\\ny", Kind::JsonText),
        ("b.d", r#"[1,{"e":null}]"#, Kind::Json),
        (".n", "null", Kind::Null),
        (".t", "true", Kind::Bool),
        (".m", "{}", Kind::Json),
        ("f", "1.5", Kind::Number),
        ("g", "/w==", Kind::JsonText),
        ("h", "5", Kind::Number),
        ("i", r#"{"$map":[[1,2]]}"#, Kind::Json),
        ("a", "2", Kind::Number),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn slots_are_bounded() {
    let value = map([("a", Value::Int(1)), ("b", Value::Int(2)), ("c", Value::Int(3))]);
    let run = |limits: Limits| {
        let (mut out, mut slots, mut names) = (Vec::new(), Vec::new(), Arc::new(Names::default()));
        render_slots(&value, Slots::new("p", &limits, &mut names, &mut slots), &mut out);
        assert_eq!(out, br#"{"a":1,"b":2,"c":3}"#);
        names.iter().map(|name| name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(run(Limits::default()), ["p.a", "p.b", "p.c"]);
    assert_eq!(run(Limits { fields: 2, ..Limits::default() }), ["p.a", "p.b"]);
    assert_eq!(run(Limits { names: 1, ..Limits::default() }), ["p.a"]);
}

/// Any value, the kinds that are only lawful in part (whole numbers above `i64::MAX`) made lawful.
fn any_value() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("$bin".to_owned()),
        Just("$map".to_owned()),
        Just("$f64".to_owned()),
        Just("$time".to_owned()),
        "[a-c]{0,2}",
        any::<String>()
    ];
    let scalar = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (0..=i64::MAX as u64).prop_map(|over| Value::UInt(over + i64::MAX as u64 + 1)),
        any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))),
        any::<u32>().prop_map(|bits| Value::Float32(f32::from_bits(bits))),
        name.clone().prop_map(Value::Str),
        any::<Vec<u8>>().prop_map(Value::Bin),
        any::<i64>().prop_map(Value::Time),
        (any::<i8>(), any::<Vec<u8>>()).prop_map(|(kind, bytes)| Value::Ext(kind, bytes)),
    ];
    scalar.prop_recursive(6, 64, 6, move |inner| {
        let key = prop_oneof![8 => name.clone().prop_map(Value::Str), 1 => inner.clone()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            prop::collection::vec((key, inner), 0..5).prop_map(Value::Map),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_line_gives_the_value_back(value in any_value()) {
        let written = line(&value);
        prop_assert!(!written.bytes().any(|byte| byte < 0x20));
        let back = parse(written.as_bytes(), &Limits::default()).expect("its own line");
        prop_assert!(back.same(&value), "{} read as {:?}", written, back);
        prop_assert_eq!(line(&back), written);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>(), value in any_value(), at in any::<usize>(), flip in 1u8..) {
        let _ = parse(&bytes, &Limits::default());
        let mut damaged = line(&value).into_bytes();
        let at = at % damaged.len();
        damaged[at] ^= flip;
        // What is read from damaged bytes is a value like any other: it has a line that gives it back.
        if let Ok(value) = parse(&damaged, &Limits::default()) {
            let again = parse(line(&value).as_bytes(), &Limits::default());
            prop_assert!(again.is_ok_and(|again| again.same(&value)));
        }
    }
}

#[test]
fn what_must_be_escaped_is_found_wherever_it_stands() {
    for special in ["\"", "\\", "\0", "\u{1f}", "\n"] {
        for len in 0..70 {
            for at in 0..=len {
                let text = format!(
                    "{}{special}{}",
                    "é !#[]~\u{7f}".repeat(8).chars().take(at).collect::<String>(),
                    "x".repeat(len - at)
                );
                let mut out = Vec::new();
                super::escape(&text, &mut out);
                let line = [b"\"".as_slice(), &out, b"\""].concat();
                assert_eq!(
                    super::parse(&line, &Limits::default()).unwrap(),
                    Value::Str(text),
                    "{special:?} {len} {at}"
                );
            }
        }
    }
    let mut out = Vec::new();
    super::escape(&"plain é\u{80}\u{ff}~ !#[]".repeat(9), &mut out);
    assert!(!out.contains(&b'\\'));
}
