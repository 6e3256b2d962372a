//! Signs that stand between the parts of a text: spaces, commas, brackets, quotes. Knows nothing of frames.

/// What stands at a place of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    /// Nothing that parts anything.
    Other,
    Sign,
    Quote,
    /// A bracket that this byte closes.
    Opening(u8),
}

/// Signs that stand together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Run {
    pub(super) start: usize,
    pub(super) end: usize,
    /// What the last of them opens.
    pub(super) open: Option<u8>,
    /// So many bytes close what was open before.
    pub(super) close: usize,
}

/// What stands at `at`, and its length. Escapes are never divided.
fn what(text: &[u8], at: usize, json: bool) -> (What, usize) {
    match text[at] {
        b'\\' => match text.get(at + 1) {
            Some(b'"') if json => (What::Quote, 2),
            Some(_) => (What::Other, 2),
            None => (What::Other, 1),
        },
        b'"' if !json => (What::Quote, 1),
        b'[' => (What::Opening(b']'), 1),
        b'(' => (What::Opening(b')'), 1),
        b' ' | b'\t' | b',' | b';' | b'|' | b'=' | b')' | b']' | b'{' | b'}' | b'<' | b'>' => (What::Sign, 1),
        _ => (What::Other, 1),
    }
}

/// Whether the byte at `at` is behind an odd number of backslashes, so that it is part of an escape.
pub(super) fn is_escaped(text: &[u8], at: usize) -> bool {
    text[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The length of what closes `open` at `at`, if it does.
fn closes(text: &[u8], at: usize, open: u8, json: bool) -> Option<usize> {
    match what(text, at, json) {
        (What::Quote, len) if open == b'"' => Some(len),
        (What::Sign, 1) if text[at] == open => Some(1),
        _ => None,
    }
}

/// Whether signs begin at `at`: a colon is one of them only beside another.
fn begins(text: &[u8], at: usize, json: bool) -> bool {
    match what(text, at, json) {
        (What::Other, 1) if text[at] == b':' => {
            text.get(at + 1).is_some() && what(text, at + 1, json).0 != What::Other
        }
        (what, _) => what != What::Other,
    }
}

/// The first signs of the text, from `from` on; where something is `open`, those that close it. Spaces before a part are
/// part of it, so that padding makes no other signs; where `from` is not 0, a part is before it.
pub(super) fn run(text: &[u8], from: usize, open: Option<u8>, json: bool) -> Option<Run> {
    let mut at = from;
    if open.is_none() && from == 0 {
        at += text.get(from..)?.iter().take_while(|byte| **byte == b' ').count();
    }
    let mut close = 0;
    while at < text.len() {
        match open {
            Some(open) => {
                if let Some(len) = closes(text, at, open, json) {
                    close = len;
                    break;
                }
            }
            None if begins(text, at, json) => break,
            None => {}
        }
        at += what(text, at, json).1;
    }
    if at >= text.len() {
        return None;
    }
    let start = at;
    at += close;
    let mut opened = None;
    while at < text.len() && opened.is_none() {
        let (what, len) = what(text, at, json);
        match what {
            What::Quote => opened = Some(b'"'),
            What::Opening(close) => opened = Some(close),
            What::Sign if text[at] == b' ' && at > start && text[at - 1] == b' ' => break,
            What::Sign => {}
            What::Other if text[at] == b':' && (at > start || begins(text, at, json)) => {}
            What::Other => break,
        }
        at += len;
    }
    Some(Run { start, end: at, open: opened, close })
}
