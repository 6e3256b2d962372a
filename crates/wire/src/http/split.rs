//! JSON of a body to lines. Knows nothing of what is in them.

use sawlog_model::Limits;
use sawlog_model::value::{ValueError, parse_json};

use crate::format::is_object;

/// A body of JSON lines: the body itself, or the lines made of one JSON document.
pub(super) enum Lines {
    /// The body is lines already.
    AsSent,
    /// Its elements, each on a line of its own.
    Made(Vec<u8>),
}

/// The lines of a body of JSON: of a list its elements, of a single object that, of anything else the body's own lines.
/// Elements keep their bytes; only line breaks and blanks outside of strings are left out where an element has line breaks.
///
/// # Errors
/// [`ValueError`] for a list that is broken: its elements cannot be told apart.
pub(super) fn lines(body: &[u8], limits: &Limits) -> Result<Lines, ValueError> {
    let text = body.trim_ascii();
    match text.first() {
        Some(b'[') => {}
        // Most bodies are lines, and the first of them says so without a look at the rest.
        Some(b'{') if !is_one_object(text, limits) => return Ok(Lines::AsSent),
        Some(b'{') => {
            let mut out = Vec::with_capacity(text.len() + 1);
            put(text, &mut out);
            return Ok(Lines::Made(out));
        }
        _ => return Ok(Lines::AsSent),
    }
    match parse_json(text, &Limits { depth: limits.depth.saturating_add(1), ..*limits }) {
        Ok(_) => {}
        // Lines that are lists each.
        Err(ValueError::Syntax { wanted: "the end", .. }) => return Ok(Lines::AsSent),
        Err(error) => return Err(error),
    }
    let mut out = Vec::with_capacity(text.len() + 1);
    elements(&text[1..text.len() - 1], &mut |element| put(element, &mut out));
    Ok(Lines::Made(out))
}

/// Whether the text is one object over several lines.
fn is_one_object(text: &[u8], limits: &Limits) -> bool {
    let Some(end) = memchr::memchr(b'\n', text) else { return false };
    !is_object(&text[..end]) && parse_json(&text[..end], limits).is_err() && parse_json(text, limits).is_ok()
}

/// Calls `visit` with every element of what stands between the brackets of a valid list.
fn elements<'a>(inside: &'a [u8], visit: &mut dyn FnMut(&'a [u8])) {
    let (mut start, mut depth) = (0, 0usize);
    each_structural(inside, &mut |at, byte| match byte {
        b'{' | b'[' => depth += 1,
        b'}' | b']' => depth -= 1,
        b',' if depth == 0 => {
            visit(inside[start..at].trim_ascii());
            start = at + 1;
        }
        _ => {}
    });
    let last = inside[start..].trim_ascii();
    if !last.is_empty() {
        visit(last);
    }
}

/// Appends an element as one line.
fn put(element: &[u8], out: &mut Vec<u8>) {
    if memchr::memchr2(b'\n', b'\r', element).is_none() {
        out.extend_from_slice(element);
    } else {
        // Line breaks stand only outside of strings in valid JSON.
        let mut done = 0;
        each_structural(element, &mut |at, byte| {
            if byte.is_ascii_whitespace() {
                out.extend_from_slice(&element[done..at]);
                done = at + 1;
            }
        });
        out.extend_from_slice(&element[done..]);
    }
    out.push(b'\n');
}

/// Calls `visit` with every byte outside of strings, and where it stands.
fn each_structural(text: &[u8], visit: &mut dyn FnMut(usize, u8)) {
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        if *byte != b'"' {
            visit(at, *byte);
            at += 1;
            continue;
        }
        at += 1;
        while let Some(byte) = text.get(at) {
            at += 1 + usize::from(*byte == b'\\');
            if *byte == b'"' {
                break;
            }
        }
    }
}
