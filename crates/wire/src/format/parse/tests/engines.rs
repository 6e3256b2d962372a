//! A lowered expression gives what the general engine gives.

use proptest::prelude::*;

use super::super::expression::{Expression, Searcher};

/// Expressions as people configure them, and some that turn back a lot.
const EXPRESSIONS: &[&str] = &[
    r#"^(?<remote>[^ ]*) (?<host>[^ ]*) (?<user>[^ ]*) \[(?<time>[^\]]*)\] "(?<method>\S+)(?: +(?<path>[^\"]*?)(?: +\S*)?)?" (?<code>[^ ]*) (?<size>[^ ]*)(?: "(?<referer>[^\"]*)" "(?<agent>[^\"]*)")?$"#,
    r"^(?<time>[^ ]*\s*[^ ]* [^ ]*) (?<host>[^ ]*) (?<ident>[^ :\[]*)(?:\[(?<pid>[0-9]+)\])?(?:[^:]*:)? *(?<message>.*)$",
    r"(?<a>a+)(?<b>[ab]*?)(?<c>b?)",
    r"(?<a>.*)b(?<b>.*)b",
    r"(?<a>[ab]{2,4})(?<b>c|cc|)(?<c>[^a]*)$",
    r"(?:(?<x>a)|(?<y>b)|(?<z>c ))+(?<rest>.*?)c$",
    r"(?<q>\d+)(?:\.(?<r>\d+))?(?: (?<s>[a-c]+))*",
    r#""(?<a>(?:[^"\\]|\\.)*)" (?<b>(?:[^"]|\\.)*?)""#,
    r"a(?<x>b??)(?<y>b*?)c",
    r"(?<outer>a(?<inner>b+)c)(?<k>\s*)",
    r"\A(?<a>[^a]*)a|(?<b>c+)\z",
    r"(?i:(?<a>AB))(?<n>.{2})",
    r"^(?<first>[^ \n]+)\n(?<second>.*)$",
];

fn same(text: &[u8]) {
    for expression in EXPRESSIONS {
        let (mut one, mut other) = (Searcher::default(), Searcher::default());
        let compiled = Expression::new(expression, false).unwrap();
        assert!(compiled.is_lowered(), "{expression}");
        let lowered = compiled.search(text, &mut one);
        let general = compiled.search_generally(text, &mut other);
        let shown = String::from_utf8_lossy(text);
        assert_eq!(lowered, general, "{expression} on {shown:?}");
        for (name, number) in compiled.groups.iter().filter(|_| lowered) {
            let (a, b) = (compiled.group(*number, &one), compiled.group(*number, &other));
            assert_eq!(a, b, "{name} of {expression} on {shown:?}");
        }
    }
}

#[test]
fn on_lines_as_they_are() {
    for line in [
        r#"127.0.0.1 - - [03/Dec/2013:16:29:19 +0700] "GET /favicon.ico HTTP/1.1" 404 198 "-" "Mozilla/5.0 (X11)""#,
        r#"1.2.3.4 - frank [x] "-" 400 0 "-" "-""#,
        r#"1.2.3.4 - frank [x] "GET" 400 0"#,
        r#"1.2.3.4 - frank [x] "GET /a b c HTTP/1.1" 200 5 "r" "a""#,
        r#"1.2.3.4 - frank [x] "GET  /a  HTTP/1.0" 200 5"#,
        r#"1.2.3.4 - frank [x] "GET /a" b" 200 5"#,
        "Jan  3 12:00:01 host app[12]: some words: more",
        "",
        "a\nb c\n",
    ] {
        same(line.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn on_texts_of_few_letters(text in "[abc \"\\[\\]0-2.:\\\\\n]{0,24}") {
        same(text.as_bytes());
    }

    #[test]
    fn on_damaged_lines(cuts in prop::collection::vec((0usize..110, prop::sample::select(b" \"[]ab:-/".to_vec())), 0..6)) {
        let mut line =
            br#"127.0.0.1 - - [03/Dec/2013:16:29:19 +0700] "GET /favicon.ico HTTP/1.1" 404 198 "-" "Mozilla/5.0 (X11)""#.to_vec();
        for (at, byte) in cuts {
            let at = at.min(line.len() - 1);
            line[at] = byte;
        }
        same(&line);
    }
}

#[test]
fn a_search_that_turns_back_too_often_is_given_to_the_general_engine() {
    let expression = Expression::new("(?<a>a*)(?<b>a*)(?<c>a*)(?<d>a*)b$", false).unwrap();
    assert!(expression.is_lowered());
    let text = "a".repeat(3_000);
    let mut searcher = Searcher::default();
    assert!(!expression.search(text.as_bytes(), &mut searcher));
    assert!(expression.search(format!("{text}b").as_bytes(), &mut searcher));
    assert_eq!(expression.group(1, &searcher), Some((0, 3_000)));
}

#[test]
fn what_is_not_lowered_is_searched_all_the_same() {
    let expression = Expression::new(r"\b(?<word>\w+)\b (?<x>(?:a*)*)", false).unwrap();
    assert!(!expression.is_lowered());
    let mut searcher = Searcher::default();
    assert!(expression.search(b"- one aa", &mut searcher));
    assert_eq!(expression.group(1, &searcher), Some((2, 5)));
}

#[test]
fn on_lines_of_real_logs() {
    let Some(data) = std::env::var_os("SAWLOG_DATA") else {
        println!("SKIPPED on_lines_of_real_logs: SAWLOG_DATA names no directory of unpacked logs");
        return;
    };
    let sys = sawlog_sys::Sys::real();
    let (mut lines, mut matched) = (0, 0);
    for set in ["zanbil", "nginx_m5it", "tomcat_japanese"] {
        for entry in sys.fs.list(&std::path::Path::new(&data).join(set)).unwrap_or_default() {
            let Ok(bytes) = sys.fs.read(&entry.path) else { continue };
            for expression in &EXPRESSIONS[..2] {
                let compiled = Expression::new(expression, false).unwrap();
                let (mut one, mut other) = (Searcher::default(), Searcher::default());
                for line in bytes.split(|byte| *byte == b'\n').step_by(37) {
                    let found = compiled.search(line, &mut one);
                    assert_eq!(found, compiled.search_generally(line, &mut other));
                    for (_, number) in compiled.groups.iter().filter(|_| found) {
                        assert_eq!(compiled.group(*number, &one), compiled.group(*number, &other));
                    }
                    (lines, matched) = (lines + 1, matched + u32::from(found));
                }
            }
        }
    }
    assert!(lines == 0 || matched > 0, "none of {lines} lines matches");
}
