//! JSON lines: each line an object. Nested keys are dotted names, a list is one slot, so is an empty map; the row's time
//! is that of the likeliest key. A line that is not an object is kept whole.

mod keys;
mod scan;

use sawlog_model::time::{Layout, read, read_epoch};
use sawlog_model::{Kind, Marks, Nanos, Slot};

use self::keys::{Keys, NEVER, NONE, Place};
use self::scan::{Invalid, blanks, nested, number, string, word};
use super::line::{Format, Line, Out, Reading};

/// Reads JSON lines.
pub(super) struct Json {
    keys: Keys,
    /// Objects that are open around the one being read.
    open: Vec<Place>,
    /// Slots that may hold the row's time, with their rank.
    times: Vec<(u8, usize)>,
    /// Whether the row's time is looked for.
    timed: bool,
}

impl Json {
    pub fn new() -> Self {
        Json { keys: Keys::new(), open: Vec::new(), times: Vec::new(), timed: true }
    }

    /// One that leaves the time to others.
    pub fn plain() -> Self {
        Json { timed: false, ..Json::new() }
    }

    /// Notes the slots of the object that `line` is.
    fn object(&mut self, line: Line<'_>, out: &mut Out<'_>) -> Result<(), Invalid> {
        let text = line.bytes;
        let most = out.slots.len() + out.limits.fields;
        let mut place = self.keys.root();
        self.open.clear();
        let mut at = blanks(text, 0);
        if text.get(at) != Some(&b'{') {
            return Err(Invalid);
        }
        at = blanks(text, at + 1);
        if text.get(at) == Some(&b'}') {
            return end(text, at + 1);
        }
        loop {
            if text.get(at) != Some(&b'"') {
                return Err(Invalid);
            }
            let close = string(text, at + 1)?;
            let edge = self.keys.find(&mut place, &text[at + 1..close], out.names, out.limits.names);
            at = blanks(text, close + 1);
            if text.get(at) != Some(&b':') {
                return Err(Invalid);
            }
            at = blanks(text, at + 1);
            if text.get(at) == Some(&b'{') && self.open.len() + 1 < out.limits.depth {
                let first = blanks(text, at + 1);
                if text.get(first) != Some(&b'}') {
                    self.open.push(place);
                    place = self.keys.below(edge, out.names);
                    at = first;
                    continue;
                }
            }
            let (kind, span, behind) = value(text, at)?;
            if edge != NONE && out.slots.len() < most {
                self.note(line, out, edge, kind, span);
            }
            at = blanks(text, behind);
            loop {
                match text.get(at) {
                    Some(b',') => break,
                    Some(b'}') => match self.open.pop() {
                        Some(around) => {
                            place = around;
                            at = blanks(text, at + 1);
                        }
                        None => return end(text, at + 1),
                    },
                    _ => return Err(Invalid),
                }
            }
            at = blanks(text, at + 1);
        }
    }

    #[inline]
    fn note(&mut self, line: Line<'_>, out: &mut Out<'_>, edge: u32, kind: Kind, (from, to): (usize, usize)) {
        let Some((name, rank)) = self.keys.name(edge) else { return };
        if self.timed && rank != NEVER && matches!(kind, Kind::JsonText | Kind::Number) {
            self.times.push((rank, out.slots.len()));
        }
        let (start, len) = ((line.start + from) as u32, (to - from) as u32);
        out.slots.push(Slot { start, len, name, kind, layout: 0 });
    }

    /// The time of the likeliest slot that holds one.
    fn time(&mut self, line: Line<'_>, out: &mut Out<'_>) -> Option<Nanos> {
        self.times.sort_unstable();
        self.times.iter().find_map(|(_, index)| {
            let slot = out.slots[*index];
            let from = slot.start as usize - line.start;
            let text = &line.bytes[from..from + slot.len as usize];
            let number = slot.kind == Kind::Number;
            let stamp = if number { read_epoch(text) } else { read(text).or_else(|| read_epoch(text)) }?;
            let whole = stamp.len == text.len();
            // 1970 to the nanosecond is what programs write that have no time.
            let time = out
                .clock
                .time(&stamp)
                .filter(|time| *time != 0 && (whole || rest_is_harmless(&text[stamp.len..])))?;
            // A quoted count stays text; a date that the layout covers in part would lose its rest.
            let count = !number && text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
            if whole && stamp.layout != Layout(0) && !count {
                let slot = &mut out.slots[*index];
                (slot.kind, slot.layout) = (Kind::Time, stamp.layout.0);
            }
            Some(time)
        })
    }
}

/// Whether what follows a time leaves it one: digits of a finer fraction, or words behind a blank (a zone's name).
fn rest_is_harmless(rest: &[u8]) -> bool {
    matches!(rest, [b' ', ..]) || (rest[0] == b'.' && rest[1..].iter().all(u8::is_ascii_digit))
}

/// Kind, span and the place behind the value at `at`. The span of a string is what stands between its quotes.
#[inline]
fn value(text: &[u8], at: usize) -> Result<(Kind, (usize, usize), usize), Invalid> {
    let (kind, end) = match text.get(at) {
        Some(b'"') => {
            let close = string(text, at + 1)?;
            return Ok((Kind::JsonText, (at + 1, close), close + 1));
        }
        Some(b'-' | b'0'..=b'9') => (Kind::Number, number(text, at)?),
        Some(b'[' | b'{') => (Kind::Json, nested(text, at)?),
        Some(b'n') => (Kind::Null, word(text, at)?),
        _ => (Kind::Bool, word(text, at)?),
    };
    Ok((kind, (at, end), end))
}

/// Nothing but blanks may follow.
fn end(text: &[u8], at: usize) -> Result<(), Invalid> {
    if blanks(text, at) == text.len() { Ok(()) } else { Err(Invalid) }
}

impl Format for Json {
    fn read(&mut self, line: Line<'_>, out: &mut Out<'_>) -> Reading {
        let before = out.slots.len();
        self.times.clear();
        if self.object(line, out).is_err() {
            out.slots.truncate(before);
            return Reading::UNPARSED;
        }
        if !self.timed {
            return Reading { marks: Marks::JSON, ..Reading::event(None) };
        }
        let time = self.time(line, out).or_else(|| within_records(line.bytes, out));
        Reading { marks: Marks::JSON, ..Reading::event(time) }
    }
}

/// The time of the first of the events that a CloudTrail document holds, a whole list of them in its one line.
fn within_records(text: &[u8], out: &mut Out<'_>) -> Option<Nanos> {
    const KEY: &[u8] = b"\"eventTime\":\"";
    let records = text.strip_prefix(b"{\"Records\":[")?;
    let at = memchr::memmem::find(records, KEY)? + KEY.len();
    out.clock.time(&read(&records[at..])?)
}

/// Whether the line is a JSON object.
pub(crate) fn is_object(line: &[u8]) -> bool {
    let at = blanks(line, 0);
    line.get(at) == Some(&b'{') && nested(line, at).is_ok_and(|behind| blanks(line, behind) == line.len())
}
