//! Heads of text lines that have their own ways: PostgreSQL's free prefix and severity, MongoDB's and Android's letter for
//! the level. Knows nothing of the usual heads; see `head`.

use memchr::{memchr, memmem};

use super::super::level::level_len;
use super::Span;

/// How far behind the time PostgreSQL's severity is looked for.
const PREFIX: usize = 400;

/// What PostgreSQL writes after its prefix, whatever that is: `LOG:  message`, with two blanks. Gives the severity and
/// where the message begins.
pub(super) fn postgres(text: &[u8], from: usize) -> Option<(Span, usize)> {
    let until = text.len().min(from + PREFIX);
    let mut at = from;
    while let Some(colon) = memmem::find(text.get(at..until)?, b":  ") {
        let colon = at + colon;
        let letters = text[from..colon].iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let word = &text[colon - letters..colon];
        if word.first().is_some_and(u8::is_ascii_uppercase) && level_len(word) == word.len() {
            return Some(((colon - letters, colon), colon + 3));
        }
        at = colon + 3;
    }
    None
}

/// The next `key=value` of PostgreSQL's prefix between `from` and `to` that people commonly put there: which of the names
/// in [`PREFIX_KEYS`], its value, and the place behind.
pub(super) fn prefix_pair(text: &[u8], mut from: usize, to: usize) -> Option<(usize, Span, usize)> {
    while from < to {
        let equals = from + memchr(b'=', &text[from..to])?;
        let letters = text[from..equals].iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let end = text[equals..to]
            .iter()
            .position(|byte| matches!(byte, b',' | b' ' | b')'))
            .map_or(to, |len| equals + len);
        let key = &text[equals - letters..equals];
        if let Some(which) =
            PREFIX_KEYS.iter().position(|(keys, _)| keys.iter().any(|have| have.as_bytes() == key))
        {
            return Some((which, (equals + 1, end), end));
        }
        from = end.max(equals + 1);
    }
    None
}

/// Keys of the prefix, and what their values are named.
pub(super) const PREFIX_KEYS: [(&[&str], &str); 5] = [
    (&["user", "usr", "u"], "user"),
    (&["db", "database", "d"], "db"),
    (&["app", "appli", "application"], "app"),
    (&["client", "remote", "c"], "client"),
    (&["host", "h"], "host"),
];

/// What stands behind a level of one letter.
pub(super) struct Lettered {
    pub level: Span,
    pub logger: Option<Span>,
    pub thread: Option<Span>,
    pub message: usize,
}

/// `I CONTROL  [main] message` as MongoDB before 4.4 writes it.
pub(super) fn mongodb(text: &[u8], at: usize) -> Option<Lettered> {
    let level = letter(text, at)?;
    let from = blanks(text, at + 1);
    let len = text[from..]
        .iter()
        .take_while(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'-'))
        .count();
    let open = blanks(text, from + len);
    if len == 0 || text.get(open) != Some(&b'[') {
        return None;
    }
    let close = open + memchr(b']', &text[open..])?;
    let logger = (&text[from..from + len] != b"-").then_some((from, from + len));
    Some(Lettered { level, logger, thread: Some((open + 1, close)), message: blanks(text, close + 1) })
}

/// `D WindowManager: message` as Android writes it behind process and thread.
pub(super) fn android(text: &[u8], at: usize) -> Option<Lettered> {
    let level = letter(text, at)?;
    let from = at + 2;
    let colon = from + memmem::find(&text[from..text.len().min(from + 80)], b": ")?;
    let padding = text[from..colon].iter().rev().take_while(|byte| **byte == b' ').count();
    let logger = (from < colon - padding).then_some((from, colon - padding));
    Some(Lettered { level, logger, thread: None, message: colon + 2 })
}

fn letter(text: &[u8], at: usize) -> Option<Span> {
    let lettered = matches!(text.get(at)?, b'V' | b'D' | b'I' | b'W' | b'E' | b'F' | b'A');
    (lettered && text.get(at + 1) == Some(&b' ')).then_some((at, at + 1))
}

fn blanks(text: &[u8], at: usize) -> usize {
    at + text.get(at..).map_or(0, |rest| rest.iter().take_while(|byte| **byte == b' ').count())
}
