//! Pairs of names and values: lists of them, what iptables writes, ArcSight's common event format.

use std::ops::Range;

use sawlog_model::Value;

use super::super::rule::Field;
use super::{Entries, byte_of, is_blank, lossy, object, text_value};

/// A list of pairs.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Pairs {
    /// Between pairs; else blanks.
    separator: Option<u8>,
    /// Between a name and its value; else `=`.
    assignator: Option<u8>,
    /// Nothing of it is said: then there are no quotes, and pairs must stand up to the end of the line.
    plain: bool,
}

/// Where name and value of a pair stand, and where it ends.
type Pair = (Range<usize>, Range<usize>, usize);

impl Pairs {
    pub fn new(field: &Field) -> Result<Pairs, String> {
        let separator = byte_of(field, "separator")?;
        let extra = byte_of(field, "extradata")?;
        let (separator, assignator) = (separator.or(extra), byte_of(field, "assignator")?);
        Ok(Pairs { separator, assignator, plain: separator.is_none() && assignator.is_none() })
    }

    fn separates(self, byte: u8) -> bool {
        self.separator.map_or(is_blank(byte), |separator| byte == separator)
    }

    fn pair(self, line: &[u8], at: usize) -> Option<Pair> {
        let names = |byte: &u8| match self.assignator {
            Some(assignator) => *byte != assignator,
            None => byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'),
        };
        let name = at..at + line[at..].iter().take_while(|byte| names(byte)).count();
        if name.is_empty() || line.get(name.end) != Some(&self.assignator.unwrap_or(b'=')) {
            return None;
        }
        let from = name.end + 1;
        let quote = line.get(from).copied();
        let quote = quote.filter(|quote| matches!(quote, b'"' | b'\'') && !self.plain);
        let start = from + usize::from(quote.is_some());
        let mut escaped = false;
        let len = line[start..].iter().position(|byte| {
            let ends = match quote {
                Some(quote) => *byte == quote,
                None => self.separates(*byte),
            };
            let ends = ends && (self.plain || !escaped);
            escaped = *byte == b'\\' && !escaped;
            ends
        });
        match (len, quote) {
            (Some(len), Some(_)) => Some((name, start..start + len, start + len + 1)),
            (None, Some(_)) => None,
            (len, None) => {
                let end = len.map_or(line.len(), |len| start + len);
                Some((name, start..end, end))
            }
        }
    }

    fn each(self, line: &[u8], at: usize, mut found: impl FnMut(Range<usize>, Range<usize>)) -> usize {
        let mut end = at;
        while end < line.len() {
            let Some((name, value, next)) = self.pair(line, end) else { break };
            found(name, value);
            end = next;
            if line.get(end).is_some_and(|byte| !self.separates(*byte)) {
                break;
            }
            end += line[end..].iter().take_while(|byte| self.separates(**byte)).count();
        }
        end
    }

    pub fn end(self, line: &[u8], at: usize) -> Option<usize> {
        Some(self.each(line, at, |_, _| {})).filter(|end| *end == line.len() || !self.plain)
    }

    /// Where names and values stand; of one name the last.
    pub fn list(self, line: &[u8], at: usize) -> Vec<(&[u8], Range<usize>)> {
        let mut list = Entries::new();
        self.each(line, at, |name, value| list.put(&line[name], value));
        list.into_list()
    }

    pub fn value(self, line: &[u8], range: Range<usize>) -> Value {
        let list = self.list(line, range.start).into_iter();
        Value::Map(list.map(|(name, value)| (Value::Str(lossy(name)), text_value(line, value))).collect())
    }
}

/// A pair, or a lone name, of iptables.
fn flag(line: &[u8], at: usize) -> Option<(Range<usize>, Option<Range<usize>>, usize)> {
    let name = at..at + line[at..].iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    if name.is_empty() {
        return None;
    }
    match line.get(name.end) {
        None | Some(b' ') => Some((name.clone(), None, name.end)),
        Some(b'=') => {
            let from = name.end + 1;
            let end = from + line[from..].iter().take_while(|byte| !is_blank(**byte)).count();
            Some((name, Some(from..end), end))
        }
        Some(_) => None,
    }
}

pub(super) fn iptables(line: &[u8], at: usize) -> Option<usize> {
    let (mut end, mut count) = (at, 0);
    while end < line.len() {
        (_, _, end) = flag(line, end)?;
        count += 1;
        end += usize::from(line.get(end) == Some(&b' '));
    }
    (count >= 2).then_some(end)
}

pub(super) fn iptables_value(line: &[u8], range: Range<usize>) -> Value {
    let (mut entries, mut at) = (Entries::new(), range.start);
    while at < line.len() {
        let Some((name, value, end)) = flag(line, at) else { break };
        entries.put(lossy(&line[name]), value.map_or(Value::Nil, |value| text_value(line, value)));
        at = end + line[end..].iter().take_while(|byte| is_blank(**byte)).count();
    }
    object(entries)
}

/// Version 1 takes whatever stands up to the end.
pub(super) fn iptables_v1(line: &[u8], at: usize) -> Option<usize> {
    (at < line.len()).then_some(line.len())
}

pub(super) fn iptables_v1_value(line: &[u8], range: Range<usize>) -> Value {
    let mut entries = Entries::new();
    // Behind blanks at the end liblognorm sees one more name, an empty one.
    let last = line[range.clone()].last().filter(|byte| is_blank(**byte)).map(|_| &b""[..]);
    let words = line[range].split(|byte| is_blank(*byte)).filter(|word| !word.is_empty());
    for word in words.chain(last) {
        let equal = word.iter().position(|byte| *byte == b'=');
        let (name, value) = match equal {
            Some(equal) => (&word[..equal], &word[equal + 1..]),
            None => (word, &b"[*PRESENT*]"[..]),
        };
        entries.put(lossy(name), Value::Str(lossy(value)));
    }
    object(entries)
}

/// Names of the fields of the head of an event of ArcSight's.
const HEAD: [&str; 6] = ["DeviceVendor", "DeviceProduct", "DeviceVersion", "SignatureID", "Name", "Severity"];

/// A field of the head, up to a bar, and the place behind.
fn head(line: &[u8], at: usize) -> Option<(Range<usize>, usize)> {
    let mut end = at;
    loop {
        match line.get(end)? {
            b'|' => return Some((at..end, end + 1)),
            b'\\' => {
                if !matches!(line.get(end + 1)?, b'\\' | b'|') {
                    return None;
                }
                end += 2;
            }
            _ => end += 1,
        }
    }
}

/// The value of an extension, which may have blanks in it: it ends before the last word before the next `=`.
fn extension(line: &[u8], at: usize) -> Option<usize> {
    let (mut last_word, mut blank) = (0, false);
    let mut end = at;
    while end < line.len() {
        match line[end] {
            b'=' => return Some(if last_word == 0 { end } else { last_word - 1 }),
            b'\\' => {
                if let Some(next) = line.get(end + 1)
                    && !matches!(next, b'=' | b'\\' | b'r' | b'n' | b'/')
                {
                    return None;
                }
                end += 1;
            }
            b' ' => blank = true,
            _ => {
                if std::mem::take(&mut blank) {
                    last_word = end;
                }
            }
        }
        end += 1;
    }
    Some(line.len())
}

fn extensions(line: &[u8], at: usize, mut found: impl FnMut(Range<usize>, Range<usize>)) -> Option<()> {
    let mut end = at;
    while end < line.len() {
        end += line[end..].iter().take_while(|byte| **byte == b' ').count();
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
        let name = end..end + line[end..].iter().take_while(|byte| is_name(byte)).count();
        if line.get(name.end) != Some(&b'=') {
            return None;
        }
        let value = name.end + 1..extension(line, name.end + 1)?;
        end = value.end + 1;
        found(name, value);
    }
    Some(())
}

/// The fields of the head, and where the extensions begin.
fn cef_head(line: &[u8], at: usize) -> Option<(Vec<Range<usize>>, usize)> {
    if line.len() < at + 17 || !line[at..].starts_with(b"CEF:0|") {
        return None;
    }
    let (mut fields, mut end) = (Vec::new(), at + 6);
    for _ in HEAD {
        let (field, next) = head(line, end)?;
        fields.push(field);
        end = next;
    }
    end += line[end..].iter().take_while(|byte| **byte == b' ').count();
    Some((fields, end))
}

pub(super) fn cef(line: &[u8], at: usize) -> Option<usize> {
    let (_, from) = cef_head(line, at)?;
    extensions(line, from, |_, _| {})?;
    Some(line.len())
}

pub(super) fn cef_value(line: &[u8], range: Range<usize>) -> Value {
    let Some((fields, from)) = cef_head(line, range.start) else { return Value::Nil };
    let text = |bytes: Vec<u8>| Value::Str(lossy(&bytes));
    let mut entries: Vec<(Value, Value)> = Vec::new();
    for (name, field) in HEAD.iter().zip(fields) {
        entries.push((Value::Str((*name).to_owned()), text(unescaped(&line[field], |byte| byte))));
    }
    let mut more = Entries::new();
    extensions(line, from, |name, value| {
        let value = &line[value.start.min(line.len())..value.end.min(line.len())];
        let plain = |byte| match byte {
            b'n' => b'\n',
            b'r' => b'\r',
            other => other,
        };
        more.put(lossy(&line[name]), text(unescaped(value, plain)));
    });
    entries.push((Value::Str("Extensions".to_owned()), object(more)));
    Value::Map(entries)
}

/// Text without its backslashes.
fn unescaped(bytes: &[u8], plain: fn(u8) -> u8) -> Vec<u8> {
    let (mut out, mut bytes) = (Vec::new(), bytes.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => out.extend(bytes.next().map(|byte| plain(*byte))),
            byte => out.push(*byte),
        }
    }
    out
}
