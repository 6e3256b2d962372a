//! What Check Point's devices write on disk: `name: value; `, up to the end or a byte.

use std::ops::Range;

use sawlog_model::Value;

use super::super::rule::Field;
use super::{Entries, byte_of, lossy, object, text_value};

pub(super) fn terminator(field: &Field) -> Result<Option<u8>, String> {
    byte_of(field, "terminator")
}

fn blanks(line: &[u8], at: usize) -> usize {
    at + line[at..].iter().take_while(|byte| **byte == b' ').count()
}

fn each(
    line: &[u8],
    at: usize,
    terminator: Option<u8>,
    mut found: impl FnMut(Range<usize>, Range<usize>),
) -> Option<usize> {
    let (mut end, mut count) = (at, 0);
    while end < line.len() {
        end = blanks(line, end);
        if end == line.len() {
            return (count > 0).then_some(end);
        }
        count += 1;
        if Some(line[end]) == terminator {
            break;
        }
        let colon = memchr::memchr(b':', &line[end..]).map(|len| end + len)?;
        if colon + 1 >= line.len() {
            return None;
        }
        let start = blanks(line, colon + 1);
        let close = memchr::memchr(b';', &line[start..]).map(|len| start + len)?;
        found(end..colon, start..close);
        end = close + 1;
    }
    Some(end)
}

pub(super) fn end(line: &[u8], at: usize, terminator: Option<u8>) -> Option<usize> {
    each(line, at, terminator, |_, _| {})
}

pub(super) fn value(line: &[u8], range: Range<usize>, terminator: Option<u8>) -> Value {
    let mut entries = Entries::new();
    each(line, range.start, terminator, |name, value| {
        entries.put(lossy(&line[name]), text_value(line, value));
    });
    object(entries)
}
