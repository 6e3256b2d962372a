//! What texts mean, and what is said of those that mean nothing.

use sawlog_model::time::SECOND;
use sawlog_model::{Compare, Predicate, Test, TimeRange};

use super::*;

/// 2026-11-20T12:00:00Z.
const NOW: Nanos = 1_795_176_000 * SECOND;

fn word(text: &str) -> Predicate {
    Predicate::Any(Test::Phrase { text: text.into(), fold: !text.chars().any(char::is_uppercase) })
}

fn field(name: &str, test: Test) -> Predicate {
    Predicate::Field(name.into(), test)
}

fn phrase(name: &str, text: &str) -> Predicate {
    field(name, Test::Phrase { text: text.into(), fold: !text.chars().any(char::is_uppercase) })
}

fn number(name: &str, compare: Compare, text: &str) -> Predicate {
    field(name, Test::Number(compare, text.into()))
}

fn not(one: Predicate) -> Predicate {
    Predicate::Not(Box::new(one))
}

fn glob(name: &str, pattern: &str, fold: bool) -> Predicate {
    field(name, Test::Glob { pattern: pattern.into(), fold })
}

fn regex(name: &str, pattern: &str) -> Predicate {
    field(name, Test::regex(pattern, false).unwrap())
}

fn network(name: &str, address: &str, bits: u8) -> Predicate {
    field(name, Test::Network(address.parse().unwrap(), bits))
}

fn listed(name: &str, values: &[&str]) -> Predicate {
    field(name, Test::In(values.iter().map(|value| (*value).to_owned()).collect()))
}

fn terms() -> Vec<(&'static str, Predicate)> {
    let is = |name: &str, text: &str| field(name, Test::Is(text.into()));
    vec![
        ("", Predicate::All),
        ("  * ", Predicate::All),
        ("**", Predicate::All),
        ("\"\"", Predicate::All),
        ("timeout", word("timeout")),
        ("Timeout", word("Timeout")),
        ("GRÖSSE", word("GRÖSSE")),
        ("größe", word("größe")),
        ("\"connection reset\"", word("connection reset")),
        (r#""say \"x\" \\ \d""#, word(r#"say "x" \ \d"#)),
        (r"a\ b\:c\*d\e", word(r"a b:c*d\e")),
        ("foo-bar", word("foo-bar")),
        ("[error]", word("[error]")),
        ("key=value", word("key=value")),
        ("or and not", Predicate::And(vec![word("or"), word("and"), word("not")])),
        ("ORDER", word("ORDER")),
        ("host:web1", phrase("host", "web1")),
        ("host:\"Web 1\"", phrase("host", "Web 1")),
        ("\"my field\":x", phrase("my field", "x")),
        ("user.name:x", phrase("user.name", "x")),
        ("._x:y", phrase("._x", "y")),
        ("msg:a:b", phrase("msg", "a:b")),
        ("http://host/x", word("http://host/x")),
        ("std::io", word("std::io")),
        ("10:02:17", word("10:02:17")),
        ("error:", word("error:")),
        ("error: disk", Predicate::And(vec![word("error:"), word("disk")])),
        ("(error:)", word("error:")),
        ("status:=500", is("status", "500")),
        ("msg:=\"a b\"", is("msg", "a b")),
        ("msg:=a*", is("msg", "a*")),
        ("msg:=", is("msg", "")),
        ("msg:\"\"", is("msg", "")),
        ("status:>=500", number("status", Compare::GreaterOrEqual, "500")),
        ("status:> -1.5e3", number("status", Compare::Greater, "-1.5e3")),
        ("a:<1 b:<=2", number("a", Compare::Less, "1").and(number("b", Compare::LessOrEqual, "2"))),
        (
            "size:[1, 1.5]",
            number("size", Compare::GreaterOrEqual, "1").and(number("size", Compare::LessOrEqual, "1.5")),
        ),
        ("size:[1,2)", number("size", Compare::GreaterOrEqual, "1").and(number("size", Compare::Less, "2"))),
        ("level:in(error, \"big warn\",3)", listed("level", &["error", "big warn", "3"])),
        ("level:inside", phrase("level", "inside")),
        ("user:*", field("user", Test::Exists)),
        ("user:null", field("user", Test::Null)),
        ("user:\"null\"", phrase("user", "null")),
        ("user:Null", phrase("user", "Null")),
        (r"path:/^\/v2\//", regex("path", "^/v2/")),
        (r"path:/\d+\.png/ x", regex("path", r"\d+\.png").and(word("x"))),
        ("path:/var/log", phrase("path", "/var/log")),
        ("/time(out)? \\d/", regex("_line", "(?m)time(out)? \\d")),
        ("/var/log/x", word("/var/log/x")),
        ("/", word("/")),
        ("(/a b/)", regex("_line", "(?m)a b")),
        ("*part*", field("_line", Test::Part { text: "part".into(), fold: true })),
        ("*Part*", field("_line", Test::Part { text: "Part".into(), fold: false })),
        ("path:*.png", glob("path", "*.png", true)),
        ("path:/A/*", glob("path", "/A/*", false)),
        (r"a:x\**", regex("a", r"(?si)^x\*(?-u:.)*$")),
        ("ip:10.0.0.0/8", network("ip", "10.0.0.0", 8)),
        ("ip:fe80::/10", network("ip", "fe80::", 10)),
        ("ip:10.0.0.1", phrase("ip", "10.0.0.1")),
        ("path:a/8", phrase("path", "a/8")),
        ("a b", Predicate::And(vec![word("a"), word("b")])),
        ("a AND b", Predicate::And(vec![word("a"), word("b")])),
        ("a OR b c", Predicate::Or(vec![word("a"), word("b").and(word("c"))])),
        ("(a OR b) c", Predicate::And(vec![Predicate::Or(vec![word("a"), word("b")]), word("c")])),
        ("-a", not(word("a"))),
        ("!a", not(word("a"))),
        ("NOT a b", not(word("a")).and(word("b"))),
        ("NOT -a", word("a")),
        ("-(a OR b)", not(Predicate::Or(vec![word("a"), word("b")]))),
        ("-level:debug", not(phrase("level", "debug"))),
        ("a - b", Predicate::And(vec![word("a"), word("-"), word("b")])),
        ("level:(error OR Warn)", Predicate::Or(vec![phrase("level", "error"), phrase("level", "Warn")])),
        ("level:-a", phrase("level", "-a")),
        ("n:(>=1 -5)", number("n", Compare::GreaterOrEqual, "1").and(not(phrase("n", "5")))),
        (
            r#"timeout service:api -level:debug status:>=500 "connection reset" path:*.png"#,
            Predicate::And(vec![
                word("timeout"),
                phrase("service", "api"),
                not(phrase("level", "debug")),
                number("status", Compare::GreaterOrEqual, "500"),
                word("connection reset"),
                glob("path", "*.png", true),
            ]),
        ),
    ]
}

#[test]
fn searches_mean_what_the_table_says() {
    for (text, wanted) in terms() {
        let (found, range) = predicate(text, NOW).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((found, range), (wanted, TimeRange::ALL), "{text}");
    }
}

#[test]
fn words_with_stars_match_words() {
    let cases = [
        ("time*", "a TIMEOUT b", true),
        ("time*", "overtime", false),
        ("*out", "a timeout!", true),
        ("*out", "outer", false),
        ("t*t", "timeout", true),
        ("t*t", "time out", false),
        ("Time*", "timeout", false),
        ("/api*", "x/api2", true),
        ("größ*", "die GRÖßte", true),
    ];
    for (query, text, kept) in cases {
        let (Predicate::Any(test), _) = predicate(query, NOW).unwrap() else { panic!("{query}") };
        assert_eq!(test.keeps_text(text.as_bytes()), kept, "{query} in {text}");
    }
}

#[test]
fn an_expression_sees_each_line_of_an_event() {
    let (Predicate::Field(name, test), _) = predicate("/^at /", NOW).unwrap() else { panic!() };
    assert_eq!(name, "_line");
    assert!(test.keeps_text(b"Error\nat main"));
}

#[test]
fn times_narrow_the_range() {
    let at = |text: &str| time::moment(text, NOW).unwrap().start;
    let all = TimeRange::ALL;
    let cases = [
        ("_time:5m", TimeRange { start: NOW - 300 * SECOND, ..all }),
        ("_time:1h30m a", TimeRange { start: NOW - 5_400 * SECOND, ..all }),
        ("_time:2026-11-20", TimeRange { start: at("2026-11-20"), end: at("2026-11-21") }),
        ("_time:2026-12", TimeRange { start: at("2026-12-01"), end: at("2027-01-01") }),
        (
            "_time:2026-11-20T10:02",
            TimeRange { start: at("2026-11-20T10:02:00Z"), end: at("2026-11-20T10:03:00Z") },
        ),
        ("_time:[2026-11-01, 2026-11-02]", TimeRange { start: at("2026-11-01"), end: at("2026-11-03") }),
        ("_time:[2026-11-01, 2026-11-02)", TimeRange { start: at("2026-11-01"), end: at("2026-11-02") }),
        ("_time:[2h, now)", TimeRange { start: NOW - 7_200 * SECOND, end: NOW }),
        ("_time:[now-2h, -1h)", TimeRange { start: NOW - 7_200 * SECOND, end: NOW - 3_600 * SECOND }),
        ("_time:>=2026-11-20", TimeRange { start: at("2026-11-20"), ..all }),
        ("_time:>2026-11-20", TimeRange { start: at("2026-11-21"), ..all }),
        (
            "_time:<2026-11-20 _time:>=2026-11-19",
            TimeRange { start: at("2026-11-19"), end: at("2026-11-20") },
        ),
        ("_time:<=2026-11-20", TimeRange { end: at("2026-11-21"), ..all }),
        ("_time:\"2026-11-20 10:02:17\"", TimeRange { start: at("1795168937"), end: at("1795168938") }),
        ("_time:*", all),
    ];
    for (text, wanted) in cases {
        assert_eq!(predicate(text, NOW).unwrap().1, wanted, "{text}");
    }
}

#[test]
fn moments_are_spans() {
    let cases = [
        ("1970-01-01", 0, 86_400),
        ("2024-02-29T23:59:59Z", 1_709_251_199, 1),
        ("2026-11-20T12:00:00+02:00", 1_795_168_800, 1),
        ("2026-11-20T12:00-0530", 1_795_195_800, 60),
        ("1795176000", 1_795_176_000, 1),
    ];
    for (text, start, len) in cases {
        let span = time::moment(text, NOW).unwrap_or_else(|| panic!("{text}"));
        assert_eq!((span.start, span.end - span.start), (start * SECOND, len * SECOND), "{text}");
    }
    let fraction = time::moment("1970-01-01T00:00:00.25Z", NOW).unwrap();
    assert_eq!((fraction.start, fraction.end), (250_000_000, 260_000_000));
    for wrong in [
        "",
        "x",
        "2026",
        "2026-13",
        "2026-02-30",
        "2026-11-20T25:00",
        "2026-11-20T10",
        "2026-11T10:00",
        "5",
        "5x",
        "m",
        "-",
        "now-",
        "2026-11-20T10:02:17.1234567890",
        "2026-11-20T10:02+99:00",
        "99999999999999",
        "999999999-01-01",
        "0s",
        "2026-1é-01",
        "2026-11-20T10:02:00+é",
    ] {
        assert_eq!(time::moment(wrong, NOW), None, "{wrong}");
    }
}

#[test]
fn errors_point_at_the_place_and_say_the_remedy() {
    let cases = [
        ("a )", 2, 3, "no `(`"),
        ("(a", 0, 1, "never closed"),
        ("a (b (c) d", 2, 3, "never closed"),
        ("a \"b", 2, 4, "never closed"),
        ("a OR", 4, 4, "term is missing"),
        ("OR a", 0, 2, "term is missing"),
        ("a AND", 2, 5, "term is missing"),
        ("AND a", 0, 3, "missing before"),
        ("()", 1, 1, "term is missing"),
        ("a NOT", 2, 5, "not wanted is missing"),
        ("n:>x", 2, 4, "numbers are compared"),
        ("n:[1, x]", 2, 7, "numbers are compared"),
        ("n:[1 2]", 5, 7, "`[from, to]`"),
        ("n:[1, 2", 7, 7, "`[from, to]`"),
        ("n:in(a b)", 7, 8, "comma"),
        ("n:in()", 2, 6, "value is missing"),
        ("n:in(a", 6, 6, "comma"),
        ("ip:10.0.0.0/33", 3, 14, "/32"),
        ("/a(/", 0, 4, "unclosed group"),
        ("_time:soon", 6, 10, "no time"),
        ("a OR _time:5m", 5, 13, "narrows"),
        ("(_time:5m)", 1, 9, "narrows"),
        ("-_time:5m", 1, 9, "narrows"),
        ("a |", 3, 3, "a pipe is missing"),
        ("a | stat count()", 4, 8, "did you mean `stats`"),
        ("a | frobnicate", 4, 14, "there are fields, filter"),
        ("a | stats", 9, 9, "count()"),
        ("a | stats sum()", 10, 15, "needs a field"),
        ("a | stats frob(x)", 10, 14, "count_distinct"),
        ("a | stats count() count()", 18, 24, "between pipes"),
        ("a | stats count(), count()", 19, 26, "two results"),
        ("a | stats count() by (5m, 1m)", 26, 28, "grouped by `_time` already"),
        ("a | stats max(x) as h by h", 10, 26, "both a key"),
        ("a | limit x", 10, 11, "from 1 on"),
        ("a | limit 0", 10, 11, "from 1 on"),
        ("a | top 5", 9, 9, "a field is missing"),
        ("a | stats count() | sort host", 20, 29, "leaves count"),
        ("a | stats count() by h | filter error", 25, 37, "no column `_line`"),
        ("a | limit 5 | filter b", 14, 22, "before `limit`"),
        ("a | rename b as c", 4, 17, "behind `fields`"),
        ("a | filter _time:5m", 11, 19, "narrows"),
        ("größe | x:", 10, 11, "there is no pipe"),
    ];
    for (text, start, end, part) in cases {
        match parse(text, NOW) {
            Err(QueryError::Syntax { start: from, end: to, message }) => {
                assert!(message.contains(part), "{text}: {message}");
                assert_eq!((from, to), (start, end), "{text}: {message}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn a_filter_of_whole_rows_is_part_of_the_search() {
    let query = parse("a | sort b | filter c d:1 | stats count()", NOW).unwrap();
    assert_eq!(query.predicate, Predicate::And(vec![word("a"), word("c"), phrase("d", "1")]));
    assert_eq!(query.pipes.len(), 2);
    let query = parse("a | stats count() as n by h | filter n:>1", NOW).unwrap();
    assert_eq!((query.predicate, query.pipes.len()), (word("a"), 2));
}

#[test]
fn query_bombs_are_refused() {
    let bombs = [
        "(".repeat(60_000),
        format!("{}a", "(".repeat(60_000)),
        "a ".repeat(30_000),
        "a OR ".repeat(12_000),
        "NOT ".repeat(16_000),
        "x".repeat(100_000),
        "/(((a{99}){99}){99})/".into(),
        "/\\w{90}\\w{90}/ ".repeat(17),
        format!("n:in({})", "a,".repeat(30_000)),
        "a | limit 1 ".repeat(70),
        "|".repeat(60_000),
        "a:".repeat(30_000) + "(",
    ];
    for bomb in bombs {
        assert!(parse(&bomb, NOW).is_err(), "{}", &bomb[..40]);
    }
    assert!(parse(&format!("{}a", "-".repeat(60_000)), NOW).is_ok());
    assert!(parse(&format!("{}a{}", "(".repeat(60), ")".repeat(60)), NOW).is_ok());
}

#[test]
fn no_text_makes_the_parser_panic() {
    let pieces = [
        "a", "(", ")", "\"", ":", "[", "]", ",", "|", "/", "*", "\\", "-", " ", "é", "in(", "_time:", "OR",
        "by", "stats ", "5m", "=", ">",
    ];
    let mut seed = 1_u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..8 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[(seed >> 33) as usize % pieces.len()]);
        }
        if let Err(QueryError::Syntax { start, end, message }) = parse(&text, NOW) {
            assert!(start <= end && end <= text.len(), "{text:?}: {start} {end} {message}");
            assert!(
                text.is_char_boundary(start) && text.is_char_boundary(end),
                "{text:?}: {start} {end} {message}"
            );
        }
    }
}
