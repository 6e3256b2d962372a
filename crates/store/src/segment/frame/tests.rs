//! Frames of lines as servers write them.

use super::*;

/// The frame of so many lines, and the parts of one of them.
fn learned(lines: &[String], json: bool) -> Option<Vec<String>> {
    let texts: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    let frame = Frame::learn(&texts, json)?;
    let mut spans = Vec::new();
    assert!(frame.cut(texts[0], json, &mut spans), "the first line is of the frame");
    Some(spans.iter().map(|(start, end)| lines[0][*start as usize..*end as usize].to_owned()).collect())
}

/// Numbers that look like none.
fn odd(at: u64) -> u64 {
    at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

fn access(at: u64, quote: &str) -> String {
    let words = ["alpha", "beta", "gamma", "delta", "omega", "kappa", "sigma"];
    let word = |salt: u64| words[(odd(at * 31 + salt) % 7) as usize];
    format!(
        "10.{}.7.{} - - [09/Aug/2026:00:36:{:02} +0000] {quote}GET /{}/{}/{} HTTP/1.{}{quote} 200 {} {quote}-{quote} {quote}Agent/5.0 ({}; {}) {}{quote}",
        odd(at) % 200,
        odd(at + 1) % 200,
        at % 60,
        word(1),
        word(2),
        word(3),
        odd(at) % 2,
        odd(at) % 90_000,
        word(4),
        word(5),
        word(6),
    )
}

#[test]
fn an_access_log_is_cut_at_its_quotes_and_spaces() {
    for (quote, json) in [("\"", false), ("\\\"", true)] {
        let lines: Vec<String> = (0..512).map(|at| access(at, quote)).collect();
        let parts = learned(&lines, json).expect("a frame");
        assert!(parts.contains(&"09/Aug/2026:00:36:00 +0000".to_owned()), "{parts:?}");
        assert!(parts.contains(&"200".to_owned()), "{parts:?}");
        assert!(parts.iter().any(|part| part.starts_with("Agent/5.0")), "{parts:?}");
        assert!(parts.iter().any(|part| part.contains("/sigma/") && !part.contains("200")), "{parts:?}");
    }
}

#[test]
fn messages_of_words_are_not_cut() {
    let messages =
        ["closing the session of user", "cannot open the file for", "took a long time to answer to"];
    let line = |at: u64| format!("{} client {}", messages[(odd(at) % 3) as usize], odd(at + 5));
    let lines: Vec<String> = (0..512).map(line).collect();
    assert_eq!(learned(&lines, false), None);
}
