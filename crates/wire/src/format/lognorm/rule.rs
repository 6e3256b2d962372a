//! What a rule says: runs of text and fields, in each of the ways that fields are written. Knows nothing of lines.

use sawlog_model::value::parse_json;
use sawlog_model::{Limits, Value};

use super::graph::Builder;
use super::source::{Text, Wrong};

/// What a field is called and what it is like.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub kind: String,
    /// `None`: it is matched and dropped.
    pub name: Option<String>,
    pub priority: Option<i64>,
    /// Its other parameters.
    pub parameters: Vec<(String, Value)>,
}

impl Field {
    /// A run of text.
    pub fn literal(text: &[u8]) -> Field {
        // Text is bytes: what is not UTF-8 is kept by its own parameter.
        let parameters = vec![("text".to_owned(), Value::Bin(text.to_vec()))];
        Field { kind: "literal".to_owned(), name: None, priority: None, parameters }
    }

    pub fn parameter(&self, name: &str) -> Option<&Value> {
        self.parameters.iter().rev().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Adds a description behind a node, and gives the node at its end.
pub(super) fn add(builder: &mut Builder, text: &Text, root: u32, version: u8) -> Result<u32, Wrong> {
    let bytes = &text.bytes;
    let (mut node, mut at) = (root, 0);
    while at < bytes.len() {
        let (literal, next) = literal(bytes, at);
        for byte in unescape(&literal) {
            node = builder
                .add_field(node, &Field::literal(&[byte]), version)
                .map_err(|message| (text.place(at), message))?;
        }
        at = next;
        if at < bytes.len() {
            let (field, next) =
                field(bytes, at, version).map_err(|(at, message)| (text.place(at), message))?;
            node = builder.add(node, &field, version).map_err(|message| (text.place(at), message))?;
            at = next;
        }
    }
    Ok(node)
}

/// The same where nobody wrote it so; version 1.
pub(super) fn add_bytes(builder: &mut Builder, bytes: &[u8], root: u32) -> Result<u32, String> {
    add(builder, &Text::made(bytes), root, 1).map_err(|(_, message)| message)
}

/// Text up to a field.
fn literal(bytes: &[u8], from: usize) -> (Vec<u8>, usize) {
    let (mut out, mut at) = (Vec::new(), from);
    while at < bytes.len() {
        if bytes[at] == b'%' {
            match bytes.get(at + 1) {
                Some(b'%') => at += 1,
                Some(_) => break,
                None => return (out, bytes.len()),
            }
        }
        out.push(bytes[at]);
        at += 1;
    }
    (out, at)
}

/// What backslashes stand for.
pub(super) fn unescape(bytes: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let next = bytes.get(at + 1).copied();
        if bytes[at] != b'\\' || next.is_none() {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        at += 2;
        match next {
            Some(b'0') => out.push(0),
            Some(b'a') => out.push(7),
            Some(b'b') => out.push(8),
            Some(b'f') => out.push(12),
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(b't') => out.push(b'\t'),
            Some(same @ (b'\'' | b'"' | b'?' | b'\\')) => out.push(same),
            Some(b'x') => {
                let digits = bytes.get(at..at + 2).and_then(|digits| std::str::from_utf8(digits).ok());
                match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                    Some(byte) => {
                        out.push(byte);
                        at += 2;
                    }
                    None => out.extend_from_slice(b"\\x"),
                }
            }
            Some(other) => out.extend_from_slice(&[b'\\', other]),
            None => {}
        }
    }
    out
}

/// A field as a configuration of JSON, whichever way it was written, and the place behind it.
fn field(bytes: &[u8], at: usize, version: u8) -> Result<(Value, usize), (usize, String)> {
    let mut from = at + 1;
    while bytes.get(from).is_some_and(u8::is_ascii_whitespace) {
        from += 1;
    }
    if version == 2 && matches!(bytes.get(from), Some(b'{' | b'[')) {
        let (value, end) = json(bytes, from)?;
        if bytes.get(end) != Some(&b'%') {
            return Err((end, "behind the JSON of a field stands %".to_owned()));
        }
        return Ok((value, end + 1));
    }
    let colon = bytes[from..].iter().position(|byte| *byte == b':').map(|len| from + len);
    let Some(colon) = colon.filter(|colon| *colon > from) else {
        return Err((at, "a field is written as %NAME:TYPE%".to_owned()));
    };
    let ends = |byte: &u8| matches!(byte, b':' | b'%') || (version == 2 && *byte == b'{');
    let Some(end) = bytes[colon + 1..].iter().position(ends).map(|len| colon + 1 + len) else {
        return Err((at, "a field is not closed by %".to_owned()));
    };
    let text = |from: usize, to: usize| Value::Str(String::from_utf8_lossy(&bytes[from..to]).into_owned());
    let key = |name: &str| Value::Str(name.to_owned());
    let kind = String::from_utf8_lossy(&bytes[colon + 1..end]).trim_end().to_owned();
    let mut entries = vec![(key("name"), text(from, colon)), (key("type"), Value::Str(kind))];
    let (mut at, mut more) = (end, Vec::new());
    if bytes[at] == b'{' {
        let (value, end) = json(bytes, at)?;
        if let Value::Map(entries) = value {
            more = entries;
        }
        at = end;
    }
    if bytes.get(at) != Some(&b'%') {
        let extra = at + 1;
        let end = bytes.get(extra..).and_then(|rest| rest.iter().position(|byte| *byte == b'%'));
        let Some(end) = end.map(|len| extra + len) else {
            return Err((at, "a field is not closed by %".to_owned()));
        };
        let kind = entries.last().and_then(|(_, kind)| kind.as_str()).unwrap_or_default();
        if version == 1 && super::motif::is_nested(kind) {
            // What it is made of is told apart before backslashes are read.
            entries.push((key("raw"), Value::Bin(bytes[extra..end].to_vec())));
        }
        let mut extra = unescape(&bytes[extra..end]);
        extra.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b' ');
        let extra = String::from_utf8(extra).map_or_else(|error| Value::Bin(error.into_bytes()), Value::Str);
        entries.push((key("extradata"), extra));
        at = end;
    }
    entries.extend(more);
    Ok((Value::Map(entries), at + 1))
}

/// The JSON that begins at a place, and the place behind it and the blanks that follow.
fn json(bytes: &[u8], from: usize) -> Result<(Value, usize), (usize, String)> {
    let limits = Limits::default();
    let end = super::motif::json_end(bytes, from, limits.depth);
    let end = end.ok_or_else(|| (from, "the JSON of a field is not closed".to_owned()))?;
    let value = parse_json(&bytes[from..end], &limits).map_err(|error| (from, error.to_string()))?;
    let blanks = bytes[end..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    Ok((value, end + blanks))
}
