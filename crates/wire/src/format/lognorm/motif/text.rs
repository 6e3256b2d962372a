//! Words, numbers, quoted text, JSON.

use std::ops::Range;

use sawlog_model::{Limits, Value};

use super::{is_blank, json as read_json};

pub(super) fn whitespace(line: &[u8], at: usize) -> Option<usize> {
    let count = line[at..].iter().take_while(|byte| is_blank(**byte)).count();
    (count > 0).then_some(at + count)
}

pub(super) fn word(line: &[u8], at: usize) -> Option<usize> {
    let len = memchr::memchr(b' ', &line[at..]).unwrap_or(line.len() - at);
    (len > 0).then_some(at + len)
}

pub(super) fn alpha(line: &[u8], at: usize) -> Option<usize> {
    let count = line[at..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    (count > 0).then_some(at + count)
}

pub(super) fn rest(line: &[u8], _at: usize) -> Option<usize> {
    Some(line.len())
}

pub(super) fn quoted(line: &[u8], at: usize) -> Option<usize> {
    if line.get(at) != Some(&b'"') {
        return None;
    }
    memchr::memchr(b'"', &line[at + 1..]).map(|len| at + len + 2)
}

pub(super) fn perhaps_quoted(line: &[u8], at: usize) -> Option<usize> {
    if line.get(at) == Some(&b'"') { quoted(line, at) } else { word(line, at) }
}

#[inline]
pub(super) fn digits(line: &[u8], at: usize) -> Option<usize> {
    let count = line[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0).then_some(at + count)
}

pub(super) fn number(line: &[u8], at: usize, most: i64) -> Option<usize> {
    let end = digits(line, at)?;
    (most <= 0 || !exceeds(&line[at..end], most.unsigned_abs(), 10)).then_some(end)
}

pub(super) fn hex(line: &[u8], at: usize, most: u64) -> Option<usize> {
    if !line[at..].starts_with(b"0x") {
        return None;
    }
    let count = line[at + 2..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let end = at + 2 + count;
    let ends = line.get(end).is_some_and(|byte| is_blank(*byte));
    (ends && !(most > 0 && exceeds(&line[at + 2..end], most, 16))).then_some(end)
}

/// Whether the digits are of a larger number.
fn exceeds(digits: &[u8], most: u64, base: u32) -> bool {
    let mut value: u64 = 0;
    for digit in digits {
        let digit = u64::from(char::from(*digit).to_digit(base).unwrap_or(0));
        let Some(next) = value.checked_mul(u64::from(base)).and_then(|value| value.checked_add(digit)) else {
            return true;
        };
        value = next;
        if value > most {
            return true;
        }
    }
    false
}

/// The digits as a number; those that are too many as text.
pub(super) fn whole(digits: &[u8], base: u32) -> Value {
    let text = std::str::from_utf8(digits).unwrap_or_default();
    match i64::from_str_radix(text, base) {
        Ok(number) => Value::Int(number),
        Err(_) if text.is_empty() => Value::Int(0),
        Err(_) => Value::Str(text.to_owned()),
    }
}

pub(super) fn float(line: &[u8], at: usize) -> Option<usize> {
    let start = at + usize::from(line.get(at) == Some(&b'-'));
    let mut has_point = false;
    let count = line[start..]
        .iter()
        .take_while(|byte| match byte {
            b'.' => !std::mem::replace(&mut has_point, true),
            byte => byte.is_ascii_digit(),
        })
        .count();
    (start + count > at).then_some(start + count)
}

pub(super) fn fraction(text: &[u8]) -> Value {
    let text = std::str::from_utf8(text).unwrap_or_default();
    // As JSON writes numbers, so that the text stays what it was.
    match sawlog_model::value::parse_json(text.as_bytes(), &Limits::default()) {
        Ok(number @ (Value::Int(_) | Value::UInt(_) | Value::Float(_))) => number,
        _ => match text.parse::<f64>() {
            Ok(number) => Value::Float(number),
            Err(_) => Value::Float(0.0),
        },
    }
}

/// The place behind an object or a list of JSON, as far as brackets and strings tell.
pub(in super::super) fn json_end(text: &[u8], from: usize, depth_most: usize) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, from);
    while at < text.len() {
        match text[at] {
            b'{' | b'[' => {
                depth += 1;
                if depth > depth_most {
                    return None;
                }
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            b'"' => {
                at += 1;
                while at < text.len() && text[at] != b'"' {
                    at += 1 + usize::from(text[at] == b'\\');
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// An object of JSON without the blanks behind it.
fn object(line: &[u8], at: usize) -> Option<usize> {
    if line.get(at) != Some(&b'{') {
        return None;
    }
    let limits = Limits::default();
    let end = json_end(line, at, limits.depth)?;
    sawlog_model::value::parse_json(&line[at..end], &limits).ok()?;
    Some(end)
}

pub(super) fn json(line: &[u8], at: usize) -> Option<usize> {
    let end = object(line, at)?;
    Some(whitespace(line, end).unwrap_or(end))
}

pub(super) fn json_value(line: &[u8], range: Range<usize>) -> Value {
    read_json(line[range].trim_ascii_end())
}

pub(super) fn cee(line: &[u8], at: usize) -> Option<usize> {
    let from = line[at..].starts_with(b"@cee:").then_some(at + 5)?;
    let from = whitespace(line, from).unwrap_or(from);
    json(line, from).filter(|end| *end == line.len())
}

pub(super) fn cee_value(line: &[u8], range: Range<usize>) -> Value {
    read_json(line[range.start + 5..range.end].trim_ascii())
}
