//! Texts that are kept by their parts come back byte for byte, and every question gets the answer that the rows themselves give.

use std::sync::Arc;

use sawlog_model::{Batch, Kind, Marks, Names, Predicate, Row, RowRef, Slot, Test, TimeRange};

use crate::segment::tests::{check_columns, check_round_trip, check_select, lines};
use crate::segment::{Effort, Segment, tag};

/// How rows hold the text.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in crate::segment) enum As {
    /// As a field of a JSON event.
    Event,
    /// As a field of a text line.
    Line,
}

fn odd(at: u64) -> u64 {
    at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33
}

const START: i64 = 1_786_236_989_000_000_000;

fn time_of(at: u64) -> i64 {
    START + at as i64 * 1_500_000_000
}

/// A line of a server's access log; quotes are escaped where it is a field of JSON.
fn access(at: u64, quote: &str) -> String {
    let words = ["alpha", "beta", "gamma", "delta", "omega", "kappa", "sigma", "caf\u{e9}", "m\u{fc}ll"];
    let word = |salt: u64| words[(odd(at * 31 + salt) % 9) as usize];
    let mut time = Vec::new();
    let layout = sawlog_model::time::read(b"09/Aug/2026:00:36:29 +0000").expect("a time").layout;
    layout.print(time_of(at), 3_600, &mut time);
    let time = String::from_utf8(time).expect("text");
    let client = format!("10.{}.7.{}", odd(at) % 5, odd(at) % 7);
    format!(
        "{client} - - [{time}] {quote}GET /{}/{}/{} HTTP/1.{}{quote} {} {} {quote}{}{quote} {quote}Agent/5.0 ({}; {}) {}{quote} {quote}{client}{quote}",
        word(1),
        word(2),
        odd(at) % 9_000,
        odd(at) % 2,
        200 + odd(at) % 4,
        odd(at) % 90_000,
        if at.is_multiple_of(3) { "-" } else { word(9) },
        word(4),
        word(5),
        word(6),
    )
}

/// A line of its error log.
fn failure(at: u64, quote: &str) -> String {
    let (number, what) = (odd(at), ["open()", "stat()", "read()"][(odd(at + 3) % 3) as usize]);
    let time = sawlog_model::time::rfc3339(time_of(at) / 1_000_000_000 * 1_000_000_000);
    format!(
        "{time} [error] {}#{}: *{at} {what} {quote}/srv/{number:x}{quote} failed, client: 10.9.8.{}",
        number % 9,
        number % 9,
        at % 7
    )
}

/// What stands among such lines.
fn strange(at: u64) -> String {
    let all = [
        "",
        "-",
        " - - [",
        "\\\" \\\"",
        "[",
        "10.1.7.3 - - [",
        "caf\\u00e9 \\u0041b",
        "\\",
        "a\\",
        "caf\u{e9}",
        "\\u00",
        "] \\\"GET ",
        "10.1.7.3 - - [09/Aug/2026:00:36:29 +0000] \\\"GET /x HTTP/1.1\\\" 200 5 \\\"-\\\" \\\"a\\\\\\\" \\\" \\\"10.1.7.3\\\"",
        "10.1.7.3 - - [09/Aug/2026:00:36:29 +0000] \\\"\\\" 200 5 \\\"\\\" \\\"\\\" \\\"\\\"",
        "10.1.7.3 - - [] \\\"GET \\\\\\\" HTTP/1.1\\\" x\\ 5 \\\"\\u005c\\\" \\\"\\n\\\" \\\"z\\\"",
        "10.1.7.3 - - [never] \\\"GET /a HTTP/1.0\\\" 200 - \\\"q\\\" \\\"Agent/5.0 (x; y) z\\\" \\\"10.1.7.3.4\\\"",
        "10.1.7.3.9 - - [09/Aug/2026:00:36:29 +0100] \\\"GET /a HTTP/1.0\\\" 200 7 \\\"q\\\" \\\"Agent\\\" \\\"-\\\"",
    ];
    all[(at % all.len() as u64) as usize].to_owned()
}

pub(in crate::segment) fn batch(count: u64, held: As, text: impl Fn(u64) -> String) -> Batch {
    let mut names = Names::default();
    let (message, host) = (names.intern("_msg"), names.intern("host"));
    let mut batch = lines(&[]);
    let mut buffer: Vec<u8> = Vec::new();
    for at in 0..count {
        let start = buffer.len();
        let around = match held {
            As::Event => ["{\"_msg\":\"", "\",\"host\":\"", "\"}\n"],
            As::Line => ["<", "> (", ")\n"],
        };
        let host_name = format!("web{}", odd(at) % 5);
        for (place, gap) in around.iter().enumerate() {
            buffer.extend_from_slice(gap.as_bytes());
            let (value, name) = match place {
                0 => (text(at), message),
                1 => (host_name.clone(), host),
                _ => break,
            };
            let kind = if held == As::Event && value.contains('\\') { Kind::JsonText } else { Kind::Text };
            let (start, len) = (buffer.len() as u32, value.len() as u32);
            batch.slots.push(Slot { start, len, name, kind, layout: 0 });
            buffer.extend_from_slice(value.as_bytes());
        }
        let time = time_of(at);
        let marks = if held == As::Event { Marks::JSON } else { Marks::default() };
        let (start, len, slots_end) = (start as u32, (buffer.len() - start) as u32, batch.slots.len() as u32);
        batch.rows.push(Row { start, len, offset: u64::from(start), time, received: time, slots_end, marks });
    }
    batch.buffer = buffer.into();
    batch.names = Arc::new(names);
    batch
}

/// Texts of several makes and of none, a few hundred of one after the other.
pub(in crate::segment) fn mixed(at: u64, quote: &str) -> String {
    match at {
        _ if at.is_multiple_of(41) => strange(at / 41),
        _ if at % 500 > 350 => failure(at, quote),
        _ => access(at, quote),
    }
}

fn is_cut(segment: &Segment) -> bool {
    segment.forms().iter().any(|(_, form)| *form == tag::PARTS)
}

const WORDS: &[&str] = &[
    "alpha",
    "Alpha",
    "lph",
    "GET",
    "HTTP",
    "HTTP/1.1",
    "10.3.7.2",
    "3.7.2",
    "10.3.7",
    "10.1.7.3",
    "1.7.3.9",
    "10.9.8.3",
    "200",
    "Aug",
    "2026",
    "0100",
    "error",
    "client",
    "failed, client",
    "failed",
    "gamma; delta",
    "GET /alpha",
    "/alpha/beta",
    "\" 200",
    "\" \"",
    "- -",
    "- - [",
    "[",
    "",
    " ",
    "-",
    "never",
    "Agent/5.0 (alpha",
    "caf\u{e9}",
    "caf",
    "ab",
    "nz",
    "u00e9",
    "absent",
    "web3",
    "\\",
    "\n",
    "m\u{fc}ll",
    "5.0",
    "z",
    "open() \"/srv",
    "*1701",
    "1701",
    "8901",
    "web3\"",
    "> (web3",
];

fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for word in WORDS {
        for fold in [false, true] {
            let text = if fold { word.to_lowercase() } else { (*word).to_owned() };
            tests.push(Test::Phrase { text: text.clone(), fold });
            tests.push(Test::Part { text, fold });
        }
        tests.push(Test::Is((*word).to_owned()));
    }
    for pattern in ["10.*alpha*", "*\" 200 *", "*alpha", "10.1.7.3*\"-\"", "*"] {
        tests.push(Test::Glob { pattern: pattern.to_owned(), fold: false });
    }
    for pattern in ["al(ph|f)a", "^10\\.3", "GET .*gamma.* HTTP/1\\.1", "[0-9]{5}", "\" \"-\" \"", "x$"] {
        tests.push(Test::regex(pattern, false).expect("an expression"));
    }
    tests.push(Test::Is(access(5, "\"")));
    tests.push(Test::Is(failure(1_380, "\"")));
    tests.push(Test::In(vec![access(7, "\""), "-".to_owned()]));
    tests.push(Test::Exists);
    tests
}

#[test]
fn texts_of_several_makes_come_back_and_are_found() {
    let dir = tempfile::tempdir().expect("a directory");
    for (held, effort) in [(As::Event, Effort::Cheap), (As::Line, Effort::Strong)] {
        let quote = if held == As::Event { "\\\"" } else { "\"" };
        let batch = batch(2_100, held, |at| mixed(at, quote));
        let rows: Vec<RowRef<'_>> = batch.iter().collect();
        let segment = check_round_trip(&rows, 600, effort, dir.path());
        assert!(is_cut(&segment), "{held:?}");
        check_columns(&segment, &rows);
        for test in tests() {
            check_select(&segment, &rows, &Predicate::Any(test.clone()), TimeRange::ALL);
            for field in ["_msg", "host"] {
                let field = Predicate::Field(field.to_owned(), test.clone());
                check_select(&segment, &rows, &field, TimeRange::ALL);
            }
        }
        let words = ["alpha", "gamma"].map(|word| {
            Predicate::Field("_msg".to_owned(), Test::Phrase { text: word.to_owned(), fold: true })
        });
        check_select(&segment, &rows, &Predicate::And(words.to_vec()), TimeRange::ALL);
        let range = TimeRange { start: time_of(1_000), end: time_of(1_100) };
        check_select(&segment, &rows, &Predicate::Not(Box::new(words[0].clone())), range);
    }
}

#[test]
fn a_field_that_repeats_another_comes_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut names = Names::default();
    let fields = ["_msg", "copy", "number"].map(|name| names.intern(name));
    let mut batch = lines(&[]);
    let mut buffer: Vec<u8> = Vec::new();
    for at in 0..2_000 {
        let start = buffer.len() as u32;
        // Not every row has the copy, and the number is led by what the text says.
        let text = access(at, "");
        let number = (odd(at) % 4).to_string();
        for (name, value) in fields.iter().zip([Some(&text), (at % 5 > 0).then_some(&text), Some(&number)]) {
            let Some(value) = value else { continue };
            let (start, len) = (buffer.len() as u32, value.len() as u32);
            batch.slots.push(Slot { start, len, name: *name, kind: Kind::Text, layout: 0 });
            buffer.extend_from_slice(value.as_bytes());
            buffer.push(b'\t');
        }
        let (len, slots_end, time) = (buffer.len() as u32 - start, batch.slots.len() as u32, time_of(at));
        let marks = Marks::default();
        batch.rows.push(Row { start, len, offset: u64::from(start), time, received: time, slots_end, marks });
    }
    batch.buffer = buffer.into();
    batch.names = Arc::new(names);
    let rows: Vec<RowRef<'_>> = batch.iter().collect();
    let segment = check_round_trip(&rows, 900, Effort::Cheap, dir.path());
    assert!(is_cut(&segment));
    for word in ["10.3.7.2", "alpha", "GET /alpha"] {
        let test = Test::Phrase { text: word.to_owned(), fold: true };
        check_select(&segment, &rows, &Predicate::Any(test.clone()), TimeRange::ALL);
        check_select(&segment, &rows, &Predicate::Field("copy".to_owned(), test), TimeRange::ALL);
    }
}
