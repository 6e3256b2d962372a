//! Fields between separators: LTSV, CSV and TSV as configured. Knows nothing of times and types.

use regex_automata::Input;
use regex_automata::meta::Regex;
use sawlog_model::{Kind, NameId, Slot};

use super::convert::make;
use super::fields::Unmatched;
use crate::format::line::{Line, Out};

/// `label:value` parts; what has no label is left out, and of a label that comes twice the last value counts.
pub(super) fn labelled(line: Line<'_>, cut: &[u8], label: &[u8], pattern: Option<&Regex>, out: &mut Out<'_>) {
    let text = line.bytes;
    let before = out.slots.len();
    let mut at = 0;
    while at <= text.len() && out.slots.len() - before < out.limits.fields {
        let (end, next) = next_cut(text, at, cut, pattern);
        if let Some(len) = memchr::memmem::find(&text[at..end], label)
            && let Some(name) = out.name(&text[at..at + len])
        {
            let had = out.slots[before..].iter().position(|slot| slot.name == name);
            if let Some(had) = had {
                out.slots.remove(before + had);
            }
            out.text(line, (at + len + label.len(), end), name);
        }
        at = next;
    }
}

/// Where the part begun at `at` ends, and where the next one begins.
fn next_cut(text: &[u8], at: usize, cut: &[u8], pattern: Option<&Regex>) -> (usize, usize) {
    let found = match pattern {
        Some(pattern) => pattern
            .search(&Input::new(text).span(at..text.len()))
            .filter(|found| !found.is_empty())
            .map(|found| (found.start(), found.end())),
        None => memchr::memmem::find(&text[at..], cut).map(|len| (at + len, at + len + cut.len())),
    };
    found.unwrap_or((text.len(), text.len() + 1))
}

/// Parts in the order of the keys; the last key has the rest, keys without a part are null.
pub(super) fn tsv(line: Line<'_>, cut: &[u8], keys: &[NameId], out: &mut Out<'_>) {
    let text = line.bytes;
    let mut at = if text.is_empty() { 1 } else { 0 };
    for (number, key) in keys.iter().enumerate() {
        if at > text.len() {
            out.slot(line, (text.len(), text.len()), *key, Kind::Null);
            continue;
        }
        let (end, next) = if number + 1 == keys.len() {
            (text.len(), text.len() + 1)
        } else {
            next_cut(text, at, cut, None)
        };
        out.text(line, (at, end), *key);
        at = next;
    }
}

/// Columns in the order of the keys, quoted where they must be; empty ones and those that are missing are null.
pub(super) fn csv(line: Line<'_>, cut: &[u8], keys: &[NameId], out: &mut Out<'_>) -> Result<(), Unmatched> {
    let text = line.bytes;
    if text.is_empty() {
        return Err(Unmatched);
    }
    let before = out.slots.len();
    let (mut at, mut number) = (0, 0);
    while at <= text.len() {
        let key = keys.get(number);
        number += 1;
        if text.get(at) == Some(&b'"') {
            let (close, doubled) = quoted(text, at + 1).ok_or(Unmatched)?;
            if let Some(key) = key {
                if doubled {
                    let value = undouble(&text[at + 1..close]);
                    let mut slot = Slot { start: 0, len: 0, name: *key, kind: Kind::Text, layout: 0 };
                    make(&mut slot, Kind::Text, &value, out);
                    out.slots.push(slot);
                } else {
                    out.text(line, (at + 1, close), *key);
                }
            }
            at = close + 1;
            if at < text.len() && !text[at..].starts_with(cut) {
                return Err(Unmatched);
            }
            at += cut.len();
            continue;
        }
        let (end, next) = next_cut(text, at, cut, None);
        if memchr::memchr(b'"', &text[at..end]).is_some() {
            return Err(Unmatched);
        }
        if let Some(key) = key {
            out.slot(line, (at, end), *key, if at == end { Kind::Null } else { Kind::Text });
        }
        at = next;
    }
    for key in keys.iter().skip(number) {
        out.slot(line, (text.len(), text.len()), *key, Kind::Null);
    }
    // What was made stands behind the line.
    out.slots[before..].sort_by_key(|slot| slot.start);
    Ok(())
}

/// The quote that ends the column whose text begins at `at`, and whether quotes are doubled in it.
fn quoted(text: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut doubled = false;
    loop {
        at += memchr::memchr(b'"', text.get(at..)?)?;
        if text.get(at + 1) != Some(&b'"') {
            return Some((at, doubled));
        }
        doubled = true;
        at += 2;
    }
}

fn undouble(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=at]);
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}
