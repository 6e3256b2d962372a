//! The reference meaning, case by case.

use std::borrow::Cow;
use std::sync::Arc;

use super::*;
use crate::{Address, Context, Record, SourceId, Tenant};

fn record(raw: &str, marks: Marks, fields: &[(&str, FieldValue<'static>, bool)]) -> Record {
    Record {
        raw: raw.as_bytes().to_vec(),
        time: 1_700_000_000_000_000_000,
        received: 1_700_000_001_000_000_000,
        address: Address { source: SourceId(7), epoch: 2, offset: 40 },
        tenant: Tenant(3),
        marks,
        context: Arc::new(Context::new([("_tag", "app.web"), ("_host", "Anna")])),
        fields: fields
            .iter()
            .map(|(name, value, printed)| (Arc::from(*name), value.clone(), *printed))
            .collect(),
    }
}

fn text(value: &str) -> FieldValue<'static> {
    FieldValue::Text(Cow::Owned(value.as_bytes().to_vec()))
}

fn number(value: &str) -> FieldValue<'static> {
    FieldValue::Number(Cow::Owned(value.as_bytes().to_vec()))
}

fn json(value: &str) -> FieldValue<'static> {
    FieldValue::Json(Cow::Owned(value.as_bytes().to_vec()))
}

fn phrase(text: &str, fold: bool) -> Test {
    Test::Phrase { text: text.into(), fold }
}

fn part(text: &str, fold: bool) -> Test {
    Test::Part { text: text.into(), fold }
}

fn glob(pattern: &str, fold: bool) -> Test {
    Test::Glob { pattern: pattern.into(), fold }
}

fn is(text: &str) -> Test {
    Test::Is(text.into())
}

#[test]
fn texts_pass_as_the_table_says() {
    let network = |text: &str, bits| Test::Network(text.parse().unwrap(), bits);
    let compare = |compare, text: &str| Test::Number(compare, text.into());
    let cases: Vec<(Test, &str, bool)> = vec![
        (phrase("timeout", true), "Read TIMEOUT after 5s", true),
        (phrase("timeout", false), "Read TIMEOUT after 5s", false),
        (phrase("time", true), "Read TIMEOUT after 5s", false),
        (phrase("timeout after", true), "Read TIMEOUT after 5s", true),
        (phrase("10.0.0.1", false), "from 10.0.0.1:80", true),
        (phrase("10.0.0.1", false), "from 10.0.0.11:80", false),
        (phrase("größe", true), "Die GRÖSSE, die GRÖßE", true),
        (phrase("öß", true), "GRÖßE", true),
        (phrase("größe", true), "die GRÖSSE", false),
        (phrase("größe", true), "xgröße größer", false),
        (phrase("größe", false), "die GRÖßE", false),
        (phrase("σ", true), "ς", true),
        (part("time", true), "Read TIMEOUT", true),
        (part("time", false), "Read TIMEOUT", false),
        (part("ÜB", true), "drüber", true),
        (part("", false), "", true),
        (is("1"), "1.0", true),
        (is("1"), "01e0", true),
        (is("1"), "1.0.0", false),
        (is("9007199254740993"), "9007199254740992", false),
        (is("a"), "A", false),
        (is(""), "", true),
        (is(""), "0", false),
        (Test::In(vec!["a".into(), "2".into()]), "2.00", true),
        (Test::In(vec![]), "2", false),
        (glob("*.png", true), "/a/B.PNG", true),
        (glob("*.png", false), "/a/B.PNG", false),
        (glob("/a/*", false), "/a/", true),
        (glob("a*b*c", false), "a-b-bc", true),
        (glob("a*b*c", false), "a-c-b", false),
        (glob("ab*bc", false), "abc", false),
        (glob("*", false), "", true),
        (glob("abc", false), "abcd", false),
        (glob("*ü*", true), "xÜx", true),
        (glob("*ü", true), "xÜ", true),
        (Test::regex("^/v[0-9]+/", false).unwrap(), "/v2/x", true),
        (Test::regex("ERROR", true).unwrap(), "an error", true),
        (compare(Compare::GreaterOrEqual, "500"), "500.0", true),
        (compare(Compare::Greater, "500"), "5e2", false),
        (compare(Compare::Less, "-1"), "-1.0000000000000000000001", true),
        (compare(Compare::LessOrEqual, "0"), "-0.0", true),
        (compare(Compare::Less, "5"), "abc", false),
        (compare(Compare::Less, "5"), "", false),
        (compare(Compare::Less, "5"), " 4", false),
        (network("10.0.0.0", 8), "10.255.0.1", true),
        (network("10.0.0.0", 8), "11.0.0.1", false),
        (network("10.0.0.0", 8), "::ffff:10.1.1.1", true),
        (network("0.0.0.0", 0), "1.2.3.4", true),
        (network("0.0.0.0", 0), "::1", false),
        (network("1.2.3.4", 32), "1.2.3.5", false),
        (network("fe80::", 10), "febf::1", true),
        (network("fe80::", 10), "fec0::1", false),
        (network("10.0.0.0", 8), "10.0.0.1 ", false),
        (Test::Exists, "", true),
        (Test::Null, "null", false),
    ];
    for (test, text, kept) in cases {
        assert_eq!(test.keeps_text(text.as_bytes()), kept, "{test:?} of {text:?}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_searched_too() {
    assert!(phrase("größe", true).keeps_text(b"\xff\xc3GR\xc3\x96\xc3\x9fE\xc3"));
    assert!(part("ab", true).keeps_text(b"\xffAB"));
    assert!(Test::regex("b+", false).unwrap().keeps_text(b"\xffab"));
}

#[test]
fn values_pass_as_the_table_says() {
    let cases = [
        (is("a"), json(r#"["b","\u0061"]"#), true),
        (is("b"), json(r#"["a",["b"]]"#), true),
        (is("b,c"), json(r#"["a","b,c"]"#), true),
        (is("]"), json(r#"["a","\"]","]"]"#), true),
        (is("1"), json("[ 2 , 1.0 ]"), true),
        (is("true"), json("[true]"), true),
        (is("null"), json("[null]"), false),
        (is(r#"["a"]"#), json(r#"["a"]"#), false),
        (part("x", false), json(r#"[{"x":[1,2]},3]"#), true),
        (is("2"), json(r#"[{"x":[1,2]},3]"#), false),
        (is("3"), json(r#"[{"x":[1,2]},3]"#), true),
        (is("{}"), json("{}"), true),
        (is("a"), json("[]"), false),
        (Test::Exists, json("[]"), true),
        (Test::Exists, json("[null]"), true),
        (Test::Null, json("[null]"), false),
        (Test::Null, FieldValue::Null, true),
        (Test::Exists, FieldValue::Null, false),
        (is("null"), FieldValue::Null, false),
        (phrase("true", true), FieldValue::Bool(true), true),
        (is("false"), FieldValue::Bool(true), false),
        (Test::Number(Compare::Greater, "4".into()), text("5"), true),
        (Test::Number(Compare::Greater, "4".into()), number("5e-1"), false),
    ];
    for (test, value, kept) in cases {
        assert_eq!(test.keeps_value(&value), kept, "{test:?} of {value:?}");
    }
}

#[test]
fn lists_that_are_cut_do_not_panic() {
    let list = br#"["a\"",{"b":"}"},[1,"#;
    for end in 0..list.len() {
        let mut cut = list[..end].to_vec();
        elements(&cut);
        cut.push(b']');
        elements(&cut);
    }
    assert_eq!(elements(b"x"), None);
}

#[test]
fn any_looks_at_line_or_values_and_tag() {
    let plain = record(
        "GET /index size=5\r\n",
        Marks::default(),
        &[("size", number("5"), true), ("geo", text("Berlin"), false)],
    );
    let map = record(
        r#"{"msg":"disk full","nested":{"code":17},"gone":null}"#,
        Marks::JSON,
        &[
            ("msg", text("disk full"), true),
            ("nested.code", number("17"), true),
            ("gone", FieldValue::Null, true),
            ("geo", text("Berlin"), false),
        ],
    );
    let cases = [
        (&plain, "size", true),
        (&plain, "index size=5", true),
        (&plain, "berlin", true),
        (&plain, "geo", false),
        (&plain, "web", true),
        (&plain, "anna", false),
        (&map, "disk", true),
        (&map, "msg", false),
        (&map, "17", true),
        (&map, "null", false),
        (&map, "full nested", false),
        (&map, "berlin", true),
        (&map, "app.web", true),
    ];
    for (row, word, kept) in cases {
        assert_eq!(Predicate::Any(phrase(word, true)).keeps(row), kept, "{word:?} in {:?}", row.raw);
    }
    let as_map = Record { marks: Marks::MAP, ..map };
    assert!(!Predicate::Any(phrase("msg", true)).keeps(&as_map));
}

#[test]
fn fields_are_the_lines_then_the_contexts() {
    let row = record(
        "a b\n",
        Marks::default(),
        &[
            ("user.name", text("eve"), true),
            ("user.name", text("bob"), true),
            ("_host", text("own"), true),
            ("gone", FieldValue::Null, true),
            ("empty", text(""), true),
        ],
    );
    let field = |name: &str, test| Predicate::Field(name.into(), test);
    let cases = [
        (field("user.name", is("bob")), true),
        (field("user.name", is("eve")), false),
        (field("_host", is("own")), true),
        (field("_tag", glob("app.*", false)), true),
        (field("_line", is("a b")), true),
        (field("_offset", is("40")), true),
        (field("_epoch", is("2")), true),
        (field("_tenant", is("3")), true),
        (field("_time", glob("2023-11-14T*", false)), true),
        (field("_source", is(&SourceId(7).to_string())), true),
        (field("gone", Test::Null), true),
        (field("gone", Test::Exists), false),
        (field("gone", is("")), false),
        (field("empty", Test::Exists), true),
        (field("empty", is("")), true),
        (field("absent", Test::Exists), false),
        (field("absent", Test::Null), false),
        (Predicate::Not(Box::new(field("absent", is("a")))), true),
        (Predicate::And(vec![]), true),
        (Predicate::Or(vec![]), false),
    ];
    for (predicate, kept) in cases {
        assert_eq!(predicate.keeps(&row), kept, "{predicate:?}");
    }
}

#[test]
fn and_does_not_nest() {
    let field = |name: &str| Predicate::Field(name.into(), Test::Exists);
    assert_eq!(Predicate::All.and(field("a")), field("a"));
    assert_eq!(field("a").and(Predicate::All), field("a"));
    let both = field("a").and(field("b"));
    assert_eq!(both.and(field("c")), Predicate::And(vec![field("a"), field("b"), field("c")]));
}

#[test]
fn decimals_order_as_numbers() {
    let sorted = [
        "-1e3",
        "-999.5",
        "-0.1",
        "-1e-20",
        "0",
        "1e-20",
        "0.05",
        ".5",
        "00.51",
        "1",
        "1.5",
        "9.99e0",
        "10",
        "1e2",
        "123456789012345678901234567890",
        "123456789012345678901234567891",
        "1e300",
        "1e400",
    ];
    for (at, a) in sorted.iter().enumerate() {
        for (other, b) in sorted.iter().enumerate() {
            let (a, b) = (Decimal::parse(a.as_bytes()).unwrap(), Decimal::parse(b.as_bytes()).unwrap());
            assert_eq!(a.cmp(&b), at.cmp(&other), "{a:?} {b:?}");
        }
    }
    for same in [["0", "-0.000"], ["1", "+1."], ["120", "1.2e2"], ["0.00012", "12E-5"], ["100", "00100.0"]] {
        let [a, b] = same.map(|text| Decimal::parse(text.as_bytes()).unwrap());
        assert_eq!(a, b);
    }
    for none in [
        "",
        "-",
        ".",
        "e5",
        "1e",
        "1e+",
        "1_000",
        "0x10",
        "NaN",
        "inf",
        "1 ",
        "--1",
        "1e99999999999999999999",
    ] {
        assert!(Decimal::parse(none.as_bytes()).is_none(), "{none:?}");
    }
}

#[test]
fn folding_joins_the_same_letters_as_the_regex_crate() {
    let cased: Vec<char> = ('\u{80}'..=char::MAX)
        .filter(|c| c.to_lowercase().next() != Some(*c) || c.to_uppercase().next() != Some(*c))
        .collect();
    assert!(cased.len() > 2_000);
    // The two may be of different Unicode versions.
    let unknown = regex::Regex::new(r"\p{Cn}").unwrap();
    for c in cased.into_iter().filter(|c| !unknown.is_match(&c.to_string())) {
        let forms: String = c.to_lowercase().chain(c.to_uppercase()).chain([c, 'ı', 'k', 'ß']).collect();
        let regex = regex::Regex::new(&format!("^(?i:{})$", regex::escape(&c.to_string()))).unwrap();
        for form in forms.chars().filter(|form| !unknown.is_match(&form.to_string())) {
            let own = find_folded(form.to_string().as_bytes(), &c.to_string()).is_some();
            assert_eq!(own, regex.is_match(&form.to_string()), "{c:?} and {form:?}");
        }
    }
}
