//! logfmt: `ts=… level=info msg="words with blanks"`, keys and values of one line.

use sawlog_model::time::{Layout, read, read_epoch};
use sawlog_model::{Kind, Nanos};

use super::access::closing_quote;
use super::line::{Format, Line, Out, Reading};

/// Keys that hold the time, the best first.
const TIMES: [&str; 6] = ["ts", "time", "timestamp", "@timestamp", "t", "date"];

/// Reads logfmt lines.
#[derive(Default)]
pub(super) struct Logfmt;

/// One pair: key, value without quotes, whether it had any.
struct Pair {
    key: (usize, usize),
    value: (usize, usize),
    quoted: bool,
}

/// The pair at `at`, and the place behind it.
#[inline]
fn pair(text: &[u8], at: usize) -> Option<(Pair, usize)> {
    let rest = &text[at..];
    let len = rest.iter().position(|byte| matches!(byte, b'=' | b' ' | b'"'))?;
    let named =
        rest[len] == b'=' && len > 0 && (rest[0].is_ascii_alphabetic() || matches!(rest[0], b'_' | b'@'));
    if !named {
        return None;
    }
    let from = at + len + 1;
    let (value, quoted, end) = if text.get(from) == Some(&b'"') {
        let close = closing_quote(text, from + 1)?;
        ((from + 1, close), true, close + 1)
    } else {
        let end = memchr::memchr(b' ', &text[from..]).map_or(text.len(), |len| from + len);
        ((from, end), false, end)
    };
    matches!(text.get(end), None | Some(b' ')).then_some((Pair { key: (at, at + len), value, quoted }, end))
}

impl Logfmt {
    /// Notes the slots; `None` where the line has anything but pairs.
    fn fields(&self, line: Line<'_>, out: &mut Out<'_>) -> Option<Option<Nanos>> {
        let text = line.bytes;
        let most = out.slots.len() + out.limits.fields;
        let mut best: Option<(usize, usize)> = None;
        let mut at = 0;
        loop {
            at += text[at..].iter().take_while(|byte| **byte == b' ').count();
            if at == text.len() {
                break;
            }
            let (pair, behind) = pair(text, at)?;
            at = behind;
            if out.slots.len() >= most {
                continue;
            }
            let key = &text[pair.key.0..pair.key.1];
            let Some(name) = out.name(key) else { continue };
            if let Some(rank) = TIMES.iter().position(|have| have.as_bytes() == key)
                && best.is_none_or(|(have, _)| rank < have)
            {
                best = Some((rank, out.slots.len()));
            }
            if pair.quoted {
                out.slot(line, pair.value, name, Kind::JsonText);
            } else {
                out.number(line, pair.value, name);
            }
        }
        Some(best.and_then(|(_, index)| time(line, index, out)))
    }
}

/// The time in the slot of this index, which is then marked as holding it.
fn time(line: Line<'_>, index: usize, out: &mut Out<'_>) -> Option<Nanos> {
    let slot = out.slots[index];
    let from = slot.start as usize - line.start;
    let text = &line.bytes[from..from + slot.len as usize];
    let stamp = read(text).or_else(|| read_epoch(text))?;
    let time = out.clock.time(&stamp)?;
    if stamp.len == text.len() && stamp.layout != Layout(0) {
        let slot = &mut out.slots[index];
        (slot.kind, slot.layout) = (Kind::Time, stamp.layout.0);
    }
    Some(time)
}

impl Format for Logfmt {
    fn read(&mut self, line: Line<'_>, out: &mut Out<'_>) -> Reading {
        let before = out.slots.len();
        match self.fields(line, out) {
            Some(time) => Reading::event(time),
            None => {
                out.slots.truncate(before);
                Reading::UNPARSED
            }
        }
    }
}

/// Whether the line is pairs and nothing else, at least two.
pub(super) fn is_logfmt(text: &[u8]) -> bool {
    let (mut at, mut count) = (0, 0);
    loop {
        at += text[at..].iter().take_while(|byte| **byte == b' ').count();
        if at == text.len() {
            return count >= 2;
        }
        match pair(text, at) {
            Some((_, behind)) => (at, count) = (behind, count + 1),
            None => return false,
        }
    }
}
