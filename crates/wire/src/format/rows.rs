//! From bytes to rows: cutting lines, giving each to the format, joining those that belong to one event. Knows nothing of
//! any format.

use memchr::memchr;
use sawlog_model::{Kind, Marks, Nanos, Row, Slot};

use super::line::{Line, Out, Part, Reading};
use super::parse::Unmatched;
use super::{BOM, More, Parsed, Parser};

/// Most lines that are joined to one event, and most bytes.
pub(super) const EVENT_LINES: usize = 1_000;
pub(super) const EVENT_BYTES: usize = 1 << 20;

/// Rows by which it is told how many there are in all: lists that grow step by step are copied again and again.
const LIKE_THESE: usize = 16;
/// Bytes of a row, and of a slot, of the buffer's at least where room is made ahead.
const FEW_BYTES: (usize, usize) = (32, 8);

/// Makes room for the rows of `all` bytes, where those so far are the first `done` of them.
fn make_room(parsed: &mut Parsed, done: usize, all: usize) {
    let rest = (all - done) as f64 / done as f64;
    let likely = |count: usize, bytes: usize| ((count as f64 * rest * 1.1) as usize).min(all / bytes);
    parsed.rows.reserve_exact(likely(parsed.rows.len(), FEW_BYTES.0));
    parsed.slots.reserve_exact(likely(parsed.slots.len(), FEW_BYTES.1));
}

/// The event that may still go on: the last row.
#[derive(Clone, Copy)]
struct Event {
    lines: usize,
    /// Whether the slots of the lines that are joined to it count.
    open: bool,
    /// The time of the row before it.
    last: Option<Nanos>,
}

/// A line as it stands in the buffer.
pub(super) struct Cut {
    /// Length with its terminator.
    pub len: usize,
    /// Length without.
    pub text: usize,
    /// Whether the limit cut it.
    pub cut: bool,
}

impl Parser {
    /// Rows of the chosen format.
    pub(super) fn rows(&mut self, buffer: &[u8], offset: u64, more: More) -> Parsed {
        let mut parsed = Parsed::default();
        let joins = match &self.chosen {
            Some((_, format)) => format.joins() && self.settings.multiline.unwrap_or(true),
            None => false,
        };
        let mut event: Option<Event> = None;
        let mut at = 0;
        while let Some(cut) = self.next_line(&buffer[at..], more) {
            let skip =
                if offset + at as u64 == 0 && buffer.starts_with(BOM) { BOM.len().min(cut.text) } else { 0 };
            let line = Line { bytes: &buffer[at + skip..at + cut.text], start: at + skip };
            let mut reading = self.read(line, &cut, buffer.len(), &mut parsed);
            let goes_on = joins && reading.part == Part::More && !cut.cut;
            let joined = match &mut event {
                Some(event) if goes_on => self.join(event, &reading, &cut, &mut parsed),
                _ => false,
            };
            if !joined {
                if goes_on && event.is_some() {
                    // The event before is full: this line is read as it would be if reading began with it.
                    reading = self.read_again(line, &cut, buffer.len(), &mut parsed);
                }
                let whole = joins && !cut.cut && !self.inside;
                event = whole.then_some(Event { lines: 1, open: reading.open, last: self.last });
                self.push(line, at, &cut, offset, reading, &mut parsed);
                self.inside = cut.cut;
            }
            at += cut.len;
            if parsed.rows.len() == LIKE_THESE {
                make_room(&mut parsed, at, buffer.len());
            }
        }
        // Rows wait in memory for long.
        parsed.rows.shrink_to_fit();
        parsed.slots.shrink_to_fit();
        parsed.consumed = at;
        if let (More::Yes, Some(event)) = (more, event) {
            self.hold_back(event, &mut parsed);
        }
        parsed
    }

    /// The next line, where there is a whole one or nothing more will come.
    #[inline]
    pub(super) fn next_line(&self, rest: &[u8], more: More) -> Option<Cut> {
        let longest = self.limits.event;
        match memchr(b'\n', &rest[..rest.len().min(longest)]) {
            Some(end) => {
                let text = end - usize::from(end > 0 && rest[end - 1] == b'\r');
                Some(Cut { len: end + 1, text, cut: false })
            }
            None if rest.len() > longest => Some(Cut { len: longest, text: longest, cut: true }),
            None if more == More::No && !rest.is_empty() => {
                Some(Cut { len: rest.len(), text: rest.len(), cut: false })
            }
            None => None,
        }
    }

    /// What the format says of a line; nothing of the later pieces of one that was cut.
    pub(super) fn read(&mut self, line: Line<'_>, cut: &Cut, base: usize, parsed: &mut Parsed) -> Reading {
        let Some((_, format)) = &mut self.chosen else { return Reading::UNPARSED };
        if self.inside {
            return Reading::event(None);
        }
        let mut out = Out {
            slots: &mut parsed.slots,
            names: &mut self.names,
            clock: &mut self.clock,
            limits: &self.limits,
            made: &mut parsed.made,
            base,
        };
        let mut reading = format.read(line, &mut out);
        if cut.cut {
            reading.marks = reading.marks.with(Marks::CONTINUES);
        }
        reading
    }

    /// Reads a line once more, as the first of an event.
    fn read_again(&mut self, line: Line<'_>, cut: &Cut, base: usize, parsed: &mut Parsed) -> Reading {
        let before = parsed.rows.last().map_or(0, |row| row.slots_end);
        parsed.slots.truncate(before as usize);
        if let Some((_, format)) = &mut self.chosen {
            format.again();
        }
        self.read(line, cut, base, parsed)
    }

    /// Adds a line to the event before it: its first slot goes on with the event's last, where both are free text, and
    /// its time is the event's where that has none. `false`, and the event marked as going on, where it is full.
    fn join(&mut self, event: &mut Event, reading: &Reading, cut: &Cut, parsed: &mut Parsed) -> bool {
        let [before @ .., row] = &mut parsed.rows[..] else { return false };
        if event.lines >= EVENT_LINES || row.len as usize + cut.len > EVENT_BYTES.min(self.limits.event) {
            row.marks = row.marks.with(Marks::CONTINUES);
            return false;
        }
        event.lines += 1;
        row.len += cut.len as u32;
        let own = row.slots_end as usize;
        if !event.open {
            parsed.slots.truncate(own);
            return true;
        }
        if let Some(first) = parsed.slots.get(own).copied() {
            let begin = before.last().map_or(0, |row| row.slots_end as usize);
            let goes_on =
                |last: &Slot| (last.name, last.kind, Kind::Text) == (first.name, first.kind, first.kind);
            if own > begin && goes_on(&parsed.slots[own - 1]) {
                let last = &mut parsed.slots[own - 1];
                last.len = first.start + first.len - last.start;
                parsed.slots.remove(own);
            }
            event.open = reading.open;
        }
        row.slots_end = parsed.slots.len() as u32;
        if let Some(time) = reading.time.filter(|_| row.marks.has(Marks::NO_TIME)) {
            row.time = time;
            row.marks = Marks(row.marks.0 & !Marks::NO_TIME.0);
            self.last = Some(time);
        }
        true
    }

    pub(super) fn push(
        &mut self,
        line: Line<'_>,
        at: usize,
        cut: &Cut,
        offset: u64,
        reading: Reading,
        parsed: &mut Parsed,
    ) {
        let mut marks = reading.marks;
        if self.settings.skip_empty && line.bytes.is_empty() && !self.inside {
            let slots = parsed.rows.last().map_or(0, |row| row.slots_end);
            return parsed.slots.truncate(slots as usize);
        }
        let too_long =
            self.settings.longest.is_some_and(|most| self.inside || cut.cut || line.bytes.len() > most);
        if too_long {
            let slots = parsed.rows.last().map_or(0, |row| row.slots_end);
            parsed.slots.truncate(slots as usize);
            parsed.dropped.0 += 1;
            parsed.dropped.1 = Some(line.start..line.start + line.bytes.len());
            return;
        }
        let unmatched = self.unmatched();
        if marks.has(Marks::UNPARSED) && !self.inside {
            match unmatched {
                Some(Unmatched::Drop) => {
                    parsed.dropped.0 += 1;
                    parsed.dropped.1 = Some(line.start..line.start + line.bytes.len());
                    return;
                }
                Some(Unmatched::Emit) => {
                    let name = self.name("unmatched_line");
                    let (start, len) = (line.start as u32, line.bytes.len() as u32);
                    parsed.slots.push(Slot { start, len, name, kind: Kind::Text, layout: 0 });
                    marks = Marks(marks.0 & !Marks::UNPARSED.0).with(Marks::TIME_TAKEN);
                }
                Some(Unmatched::Keep) | None => {}
            }
        }
        if self.inside {
            // The rest of a line that was cut: found as text, read by nobody.
            marks = if cut.cut { Marks::CONTINUES } else { Marks(0) };
        }
        let time = match reading.time {
            Some(time) => {
                self.last = Some(time);
                time
            }
            None => {
                marks = marks.with(Marks::NO_TIME);
                match unmatched {
                    // What is configured does not guess: such a row has the time of its reading.
                    Some(_) => self.settings.fallback,
                    None => self.last.unwrap_or(self.settings.fallback),
                }
            }
        };
        debug_assert!(line.start >= at);
        parsed.rows.push(Row {
            start: at as u32,
            len: cut.len as u32,
            offset: offset + at as u64,
            time,
            received: 0,
            slots_end: parsed.slots.len() as u32,
            marks,
        });
    }

    /// Takes back the last row: the next line may belong to it.
    fn hold_back(&mut self, event: Event, parsed: &mut Parsed) {
        if let Some(row) = parsed.rows.pop() {
            parsed.consumed = row.start as usize;
            let slots = parsed.rows.last().map_or(0, |row| row.slots_end);
            parsed.slots.truncate(slots as usize);
            self.last = event.last;
            if let Some((_, format)) = &mut self.chosen {
                format.again();
            }
        }
    }
}
