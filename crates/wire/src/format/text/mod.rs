//! Text lines with a time near their start, as logging libraries write them: time, level, thread, logger, message in any
//! of the usual orders. It is also what is used where nothing else is known; then a line is its message.

mod dialect;
mod head;

use std::sync::Arc;

use sawlog_model::time::{Stamp, read, read_epoch};
use sawlog_model::{NameId, Names};

use self::dialect::PREFIX_KEYS;
use super::line::{Format, Line, Out, Part, Reading};

/// A part of a line.
type Span = (usize, usize);

/// How far into a line a time is looked for before anything is known of the source.
const REACH: usize = 100;

/// Where lines of a source have their time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Habit {
    /// Whether it is a count since 1970 that stands in the word of this number.
    epoch_word: Option<u8>,
    /// The last place at which a time may begin.
    reach: u16,
    /// Whether so many lines have a time that one without belongs to the line before.
    timed: bool,
}

impl Default for Habit {
    fn default() -> Self {
        Habit { epoch_word: None, reach: REACH as u16, timed: false }
    }
}

impl Habit {
    /// What the first lines of a source show.
    pub fn learn(lines: &[&[u8]]) -> Self {
        let lines: Vec<&[u8]> = lines.iter().copied().filter(|line| !line.trim_ascii().is_empty()).collect();
        let mut places: Vec<usize> =
            lines.iter().filter_map(|line| dated(line, REACH)).map(|(at, _)| at).collect();
        places.sort_unstable();
        // A few lines may quote a time in their middle; the others show where it belongs.
        let usual = places.get(places.len().saturating_sub(1) * 9 / 10).copied();
        let varied = places.first() != usual.as_ref();
        let reach = usual.map_or(REACH, |place| place + if varied { 16 } else { 0 });
        let words = if places.len() * 2 > lines.len() { 2 } else { 8 };
        let epoch_word = (0..words).find(|word| {
            let have = lines.iter().filter(|line| epoch(line, *word).is_some()).count();
            have * 10 > lines.len() * 9
        });
        let times = if epoch_word.is_some() { lines.len() } else { places.len() };
        Habit { epoch_word, reach: reach as u16, timed: times >= 2 && times * 20 >= lines.len() }
    }

    /// Where the time of the line stands, and what it says.
    #[inline]
    pub fn find(&self, line: &[u8]) -> Option<(usize, Stamp)> {
        match self.epoch_word {
            Some(word) => epoch(line, word),
            None => dated(line, usize::from(self.reach)),
        }
    }
}

/// The first date and time that begins a word at `reach` or before. Blanks before it do not count.
#[inline]
fn dated(line: &[u8], reach: usize) -> Option<(usize, Stamp)> {
    let indent = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    if indent > 0 {
        return read(&line[indent..]).map(|stamp| (indent, stamp));
    }
    if matches!(line, [b'I' | b'W' | b'E' | b'F' | b'D', b'0'..=b'9', ..])
        && let Some(stamp) = read(&line[1..])
    {
        return Some((1, stamp));
    }
    let (mut at, mut begins) = (0, true);
    while at <= reach && at < line.len() {
        let byte = line[at];
        if begins
            && (byte.is_ascii_digit() || byte.is_ascii_uppercase())
            && let Some(stamp) = read(&line[at..])
        {
            return Some((at, stamp));
        }
        if byte == 0x1b {
            at += colour_len(&line[at..]);
            begins = true;
            continue;
        }
        begins = !byte.is_ascii_alphanumeric();
        at += 1;
    }
    None
}

/// The length of a terminal's escape sequence at the start of `text`, at least 1.
fn colour_len(text: &[u8]) -> usize {
    if text.get(1) != Some(&b'[') {
        return 1;
    }
    2 + text[2..].iter().position(|byte| byte.is_ascii_alphabetic()).map_or(0, |at| at + 1)
}

/// The count since 1970 in the word of this number, where there is one.
fn epoch(line: &[u8], word: u8) -> Option<(usize, Stamp)> {
    let mut at = 0;
    for _ in 0..word {
        at += memchr::memchr(b' ', line.get(at..)?)? + 1;
    }
    at += usize::from(matches!(line.get(at), Some(b'[' | b'(')));
    let stamp = read_epoch(line.get(at..)?)?;
    let glued = line.get(at + stamp.len).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    (!glued).then_some((at, stamp))
}

/// Whether a line goes on with what the line before began, whatever its source: indented, or as stack traces do.
fn continues(line: &[u8]) -> bool {
    const STARTS: [&[u8]; 5] = [b"at ", b"Caused by:", b"Traceback (most recent", b"... ", b"File \""];
    match line.first() {
        None | Some(b' ' | b'\t' | b'}' | b')' | b']') => true,
        Some(b'a' | b'C' | b'T' | b'.' | b'F') => STARTS.iter().any(|start| line.starts_with(start)),
        _ => false,
    }
}

/// Names of the slots of a text line.
#[derive(Clone, Copy)]
pub(super) struct Slots {
    pub time: NameId,
    pub level: NameId,
    pub thread: NameId,
    pub logger: NameId,
    pub pid: NameId,
    pub tid: NameId,
    pub message: NameId,
    /// What PostgreSQL's prefix may say.
    pub prefix: [NameId; PREFIX_KEYS.len()],
}

/// Reads text lines.
pub(super) struct Text {
    habit: Habit,
    slots: Slots,
}

impl Text {
    pub fn new(names: &mut Names, habit: Habit) -> Self {
        let slots = Slots {
            time: names.intern("time"),
            level: names.intern("level"),
            thread: names.intern("thread"),
            logger: names.intern("logger"),
            pid: names.intern("pid"),
            tid: names.intern("tid"),
            message: names.intern("message"),
            prefix: PREFIX_KEYS.map(|(_, name)| names.intern(name)),
        };
        Text { habit, slots }
    }
}

impl Format for Text {
    fn read(&mut self, line: Line<'_>, out: &mut Out<'_>) -> Reading {
        let before = out.slots.len();
        let time = self.habit.find(line.bytes).and_then(|(at, stamp)| {
            let time = out.stamp(line, at, &stamp, self.slots.time);
            time.map(|time| (time, at, at + stamp.len + stamp.tail))
        });
        let Some((time, at, behind)) = time else {
            out.slots.truncate(before);
            if !line.bytes.is_empty() {
                out.text(line, (0, line.bytes.len()), self.slots.message);
            }
            let part = if self.habit.timed || continues(line.bytes) { Part::More } else { Part::Event };
            return Reading { part, open: true, ..Reading::event(None) };
        };
        head::note(line, at, behind, &self.slots, out);
        Reading { open: true, ..Reading::event(Some(time)) }
    }

    fn joins(&self) -> bool {
        true
    }

    fn save(&self, state: &mut Vec<u8>) {
        state.push(u8::from(self.habit.timed));
        state.push(self.habit.epoch_word.map_or(u8::MAX, |word| word));
        state.extend_from_slice(&self.habit.reach.to_le_bytes());
    }

    fn restore(&mut self, state: &[u8], _names: &mut Arc<Names>, _most: usize) {
        if let [timed, word, low, high] = *state {
            self.habit = Habit {
                timed: timed == 1,
                epoch_word: (word != u8::MAX).then_some(word),
                reach: u16::from_le_bytes([low, high]),
            };
        }
    }
}
