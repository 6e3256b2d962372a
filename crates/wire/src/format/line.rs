//! What one format is: a reader of single lines that notes slots and tells the line's time. Knows nothing of buffers, of
//! joining lines or of choosing a format.

use std::sync::Arc;

use sawlog_model::time::{Layout, Stamp, read};
use sawlog_model::{Kind, Limits, Marks, NameId, Names, Nanos, Slot};

use super::zone::Clock;

/// A line without its terminator, and where it begins in the buffer.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub bytes: &'a [u8],
    pub start: usize,
}

/// Whether a line begins an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    /// It is one, or begins one.
    Event,
    /// It belongs to the event before it, where lines are joined.
    More,
}

/// What a line says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub time: Option<Nanos>,
    pub marks: Marks,
    pub part: Part,
    /// Whether the lines joined to this one go on with its free text, which is then its last slot.
    pub open: bool,
}

impl Reading {
    /// A line that could not be read.
    pub const UNPARSED: Reading =
        Reading { time: None, marks: Marks::UNPARSED, part: Part::Event, open: false };

    /// An event with this time.
    pub fn event(time: Option<Nanos>) -> Self {
        Reading { time, marks: Marks(0), part: Part::Event, open: false }
    }
}

/// Reads lines of one format. What it learns from lines (a header) is its state.
pub(super) trait Format: Send + Sync {
    /// Notes the slots of a line in `out`.
    fn read(&mut self, line: Line<'_>, out: &mut Out<'_>) -> Reading;

    /// Whether lines of this format may be joined to events.
    fn joins(&self) -> bool {
        false
    }

    /// Appends what later lines are read by; at most 3 KiB.
    fn save(&self, _state: &mut Vec<u8>) {}

    /// Takes what [`Format::save`] gave; names that it needs are added to `names`, up to `most`.
    fn restore(&mut self, _state: &[u8], _names: &mut Arc<Names>, _most: usize) {}

    /// The lines of the last event will be read again, from its first.
    fn again(&mut self) {}

    /// Takes another reference for times without a year, where it has a clock of its own.
    fn refer(&mut self, _reference: Nanos) {}

    /// Whether a line is the first of a text, where lines are gathered to texts. `last` is the line before it, where that
    /// belongs to a text that may go on.
    fn begins(&mut self, _text: &[u8], _last: Option<&[u8]>) -> bool {
        true
    }
}

/// Where a format notes what it finds.
pub(super) struct Out<'a> {
    pub slots: &'a mut Vec<Slot>,
    pub names: &'a mut Arc<Names>,
    pub clock: &'a mut Clock,
    pub limits: &'a Limits,
    /// Values that do not stand in the lines as they are; they lie behind the buffer.
    pub made: &'a mut Vec<u8>,
    /// Where the buffer ends.
    pub base: usize,
}

impl Out<'_> {
    /// The id of a name that a line gives; `None` where it is not text or there are too many.
    pub fn name(&mut self, name: &[u8]) -> Option<NameId> {
        let name = std::str::from_utf8(name).ok()?;
        let room = self.names.len() < self.limits.names;
        self.names.find(name).or_else(|| room.then(|| Arc::make_mut(self.names).intern(name)))
    }

    /// Notes `line[from..to]` as a slot.
    pub fn slot(&mut self, line: Line<'_>, (from, to): (usize, usize), name: NameId, kind: Kind) {
        debug_assert!(from <= to && to <= line.bytes.len());
        let (start, len) = ((line.start + from) as u32, (to - from) as u32);
        self.slots.push(Slot { start, len, name, kind, layout: 0 });
    }

    /// Notes text.
    pub fn text(&mut self, line: Line<'_>, span: (usize, usize), name: NameId) {
        self.slot(line, span, name, Kind::Text);
    }

    /// Notes a number where it is one, else text.
    pub fn number(&mut self, line: Line<'_>, span: (usize, usize), name: NameId) {
        let kind = if is_number(&line.bytes[span.0..span.1]) { Kind::Number } else { Kind::Text };
        self.slot(line, span, name, kind);
    }

    /// Notes the stamp that begins at `at`, and gives its time.
    pub fn stamp(&mut self, line: Line<'_>, at: usize, stamp: &Stamp, name: NameId) -> Option<Nanos> {
        let time = self.clock.time(stamp);
        let printable = time.is_some() && stamp.layout != Layout(0);
        let (start, len) = ((line.start + at) as u32, stamp.len as u32);
        let kind = if printable { Kind::Time } else { Kind::Text };
        self.slots.push(Slot { start, len, name, kind, layout: if printable { stamp.layout.0 } else { 0 } });
        time
    }

    /// Reads the stamp at `at`, notes it, and gives its time and the place behind it. `None`, and nothing noted, where
    /// there is none.
    pub fn read_stamp(&mut self, line: Line<'_>, at: usize, name: NameId) -> Option<(Nanos, usize)> {
        let stamp = read(line.bytes.get(at..)?)?;
        let before = self.slots.len();
        let Some(time) = self.stamp(line, at, &stamp, name) else {
            self.slots.truncate(before);
            return None;
        };
        Some((time, at + stamp.len))
    }
}

/// Whether the bytes are a number as JSON writes it.
pub(super) fn is_number(bytes: &[u8]) -> bool {
    let digits = |at: usize| bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits(at);
    if whole == 0 || (whole > 1 && bytes[at] == b'0') {
        return false;
    }
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return false;
        }
        at += 1 + fraction;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = bytes.get(at..).map_or(0, |_| digits(at));
        if exponent == 0 {
            return false;
        }
        at += exponent;
    }
    at == bytes.len()
}
