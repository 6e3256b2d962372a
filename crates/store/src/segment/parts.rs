//! Takes the texts of columns apart into parts that are columns of their own, where a sample says that this is worth it: the
//! writing half of [`super::framed`]. Knows nothing of how columns are encoded.

use std::collections::BTreeMap;

use sawlog_model::{Kind, Nanos};
use xxhash_rust::xxh3::xxh3_64;

use super::ahead;
use super::cursor::{put_bytes, put_varint};
use super::dissect::Values;
use super::encode::{Bodies, Copied, sample};
use super::fields::{FieldTable, Role};
use super::frame::Frame;
use super::tag;

#[cfg(test)]
pub(super) mod tests;
mod trial;

/// Fewer values are not worth a look.
const FEWEST: usize = 256;
/// Values of a sample.
const SAMPLE: usize = 512;
/// A column that is a smaller share of its row group is left whole.
const WORTH_A_LOOK: u64 = 16;
/// Shorter texts, on average, are left whole.
const SHORTEST: usize = 24;
/// Longer ones are.
const LONGEST: usize = 16 << 10;
/// One in so many of a sample must be of a make for it to be learned, and of a known one for a column to be cut.
const WORTH_A_FRAME: usize = 10;
/// Of fewer texts of a sample no frame is learned.
const FEW: usize = 32;
/// Most frames of a column, and most columns of parts of a segment.
const MOST_FRAMES: usize = 16;
const MOST_COLUMNS: usize = 512;

/// A frame with the columns of its parts.
pub(super) struct Known {
    pub(super) frame: Frame,
    pub(super) columns: Vec<u32>,
    /// The parts of the values of a row group that have it, and their rows. They are copied: each column is gone through several
    /// times, and in the rows they are far apart.
    pub(super) parts: Vec<Copied>,
    pub(super) rows: Vec<u32>,
}

impl Known {
    pub(super) fn new(frame: Frame, columns: Vec<u32>) -> Known {
        let parts = columns.iter().map(|_| Copied::default()).collect();
        Known { frame, columns, parts, rows: Vec::new() }
    }

    fn clear(&mut self) {
        self.parts.iter_mut().for_each(Copied::clear);
        self.rows.clear();
    }

    fn push(&mut self, value: &[u8], row: u32, spans: &[(u32, u32)]) {
        for (part, (start, end)) in self.parts.iter_mut().zip(spans) {
            part.push(&value[*start as usize..*end as usize]);
        }
        self.rows.push(row);
    }
}

/// The frames of a column; the first is that of any text.
#[derive(Default)]
struct OfColumn {
    frames: Vec<Known>,
    /// How often nothing was learned, and for how many row groups nothing is tried again.
    failed: u32,
    wait: u32,
}

/// The frames of the columns of a segment while it is written.
#[derive(Default)]
pub(super) struct Frames {
    of_columns: BTreeMap<u32, OfColumn>,
    columns: usize,
}

/// A column of a row group whose values were cut.
pub(super) struct Framed {
    /// Literals and columns of the frames that values have.
    frames: Vec<(Vec<Vec<u8>>, Vec<u32>)>,
    /// The frame of each value.
    codes: Vec<i64>,
}

impl Framed {
    /// The head and the codes of the column.
    pub(super) fn put(&self, out: &mut Bodies) {
        out.head.extend_from_slice(&[0, tag::PARTS]);
        put_varint(&mut out.head, self.frames.len() as u64);
        for (literals, columns) in &self.frames {
            put_varint(&mut out.head, columns.len() as u64);
            put_bytes(&mut out.head, &literals[0]);
            for (literal, column) in literals[1..].iter().zip(columns) {
                put_varint(&mut out.head, u64::from(*column));
                put_bytes(&mut out.head, literal);
            }
        }
        if self.frames.len() > 1 {
            out.integers(&self.codes);
        }
    }
}

/// The columns of parts, each with the first of those beside which it stands.
pub(super) fn families(framed: &BTreeMap<u32, Framed>) -> BTreeMap<u32, u32> {
    let frames = framed.values().flat_map(|framed| &framed.frames);
    let families = frames.flat_map(|(_, columns)| columns.iter().map(|column| (*column, columns[0])));
    families.collect()
}

impl Frames {
    /// Cuts the columns of a row group that are better cut; their values are no longer in `values`, their parts are handed out by
    /// [`Frames::lend`].
    pub(super) fn cut(
        &mut self,
        fields: &mut FieldTable,
        values: &mut Values<'_>,
        times: &[Nanos],
        raw_bytes: u64,
    ) -> BTreeMap<u32, Framed> {
        let mut framed = BTreeMap::new();
        for number in 0..values.columns.len() as u32 {
            let Role::Field(kind @ (Kind::Text | Kind::JsonText)) = fields.list()[number as usize].role
            else {
                continue;
            };
            let (list, rows) = (&values.columns[number as usize], &values.rows[number as usize]);
            let column = trial::Column { kind, values: list, rows, times };
            if !is_long(list, raw_bytes) || !self.know(number, &column, fields) {
                continue;
            }
            let list = std::mem::take(&mut values.columns[number as usize]);
            let rows = std::mem::take(&mut values.rows[number as usize]);
            if let Some(known) = self.of_columns.get_mut(&number) {
                framed.insert(number, cut_all(&mut known.frames, &list, &rows, kind == Kind::JsonText));
            }
        }
        framed
    }

    /// Adds the parts of columns that were cut to the columns of the row group.
    pub(super) fn lend<'a>(&'a self, framed: &BTreeMap<u32, Framed>, values: &mut Values<'a>) {
        let known = framed.keys().filter_map(|column| self.of_columns.get(column));
        let known = known.flat_map(|known| &known.frames);
        for Known { columns, parts, rows, .. } in known.filter(|known| !known.rows.is_empty()) {
            for (column, part) in columns.iter().zip(parts) {
                let column = *column as usize;
                if values.columns.len() <= column {
                    values.columns.resize_with(column + 1, Vec::new);
                    values.rows.resize_with(column + 1, Vec::new);
                }
                values.columns[column] = part.values();
                values.rows[column].clone_from(rows);
            }
        }
    }

    /// Learns the makes of texts that are not known; gives whether many have a known one.
    fn know(&mut self, number: u32, column: &trial::Column<'_>, fields: &mut FieldTable) -> bool {
        let known = self.of_columns.entry(number).or_default();
        let json = column.kind == Kind::JsonText;
        let mut strange: Vec<&[u8]> = sample(column.values, SAMPLE).collect();
        let all = strange.len();
        for Known { frame, .. } in known.frames.iter().skip(1) {
            strange.retain(|text| !frame.is_of(text, json));
        }
        let is_many = |texts: usize| texts * WORTH_A_FRAME > all;
        let mut are_known = all - strange.len();
        if is_many(strange.len()) && known.may_learn() {
            let before = known.frames.len();
            let room = MOST_COLUMNS.saturating_sub(self.columns);
            let (texts, columns) = known.learn(strange, json, fields.list().len() as u32, room, is_many);
            if known.frames.len() > before && column.is_smaller_in_parts(&mut known.frames) {
                are_known += texts;
                self.columns += columns as usize;
                for _ in 0..columns {
                    fields.add_part(number, column.kind);
                }
            } else {
                known.frames.truncate(before);
                known.fail();
            }
        }
        is_many(are_known)
    }
}

impl OfColumn {
    /// Learns frames of texts of which none is known, most of them first; their columns follow from `next` on. Gives how many of
    /// the texts have one, and how many columns there are.
    fn learn(
        &mut self,
        mut texts: Vec<&[u8]>,
        json: bool,
        next: u32,
        room: usize,
        is_many: impl Fn(usize) -> bool,
    ) -> (usize, u32) {
        let (all, mut end) = (texts.len(), next);
        while is_many(texts.len()) && texts.len() >= FEW && self.frames.len() < MOST_FRAMES {
            let Some(frame) = Frame::learn(&texts, json) else { break };
            let parts = frame.literals().len() as u32 - 1;
            let rest: Vec<&[u8]> = texts.iter().copied().filter(|text| !frame.is_of(text, json)).collect();
            if !is_many(texts.len() - rest.len()) || (end + parts - next) as usize >= room {
                break;
            }
            if self.frames.is_empty() {
                self.frames.push(Known::new(Frame::whole(), vec![end]));
                end += 1;
            }
            self.frames.push(Known::new(frame, (end..end + parts).collect()));
            end += parts;
            texts = rest;
        }
        (all - texts.len(), end - next)
    }

    /// Whether it is time for another look: after each that was for nothing it is longer until the next.
    fn may_learn(&mut self) -> bool {
        self.wait = self.wait.saturating_sub(1);
        self.wait == 0
    }

    fn fail(&mut self) {
        self.failed = (self.failed + 1).min(5);
        self.wait = 1 << self.failed;
    }
}

/// Whether the values are many, long and mostly different, and much of the row group.
fn is_long(list: &[&[u8]], raw_bytes: u64) -> bool {
    if list.len() < FEWEST {
        return false;
    }
    let bytes: usize = sample(list, SAMPLE).map(<[u8]>::len).sum();
    let picked = sample(list, SAMPLE).len();
    let all = (bytes * (list.len() / picked)) as u64;
    if bytes < picked * SHORTEST || bytes > picked * LONGEST || all * WORTH_A_LOOK < raw_bytes {
        return false;
    }
    let mut hashes: Vec<u64> = sample(list, SAMPLE).map(xxh3_64).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes.len() * 2 > picked
}

/// Finds the frame of each value and keeps its parts. The frame of the value before is tried first; that of any text is the last.
pub(super) fn cut_all(known: &mut [Known], list: &[&[u8]], rows: &[u32], json: bool) -> Framed {
    known.iter_mut().for_each(Known::clear);
    let mut codes = Vec::with_capacity(list.len());
    let mut spans = Vec::new();
    let mut last = 0;
    for (index, (value, row)) in list.iter().zip(rows).enumerate() {
        if index.is_multiple_of(ahead::AHEAD) {
            ahead::fetch(list[index..].iter().take(ahead::AHEAD).copied());
        }
        let others = (1..known.len()).filter(|code| *code != last);
        let mut order = (last > 0).then_some(last).into_iter().chain(others);
        let found = order.find(|code| {
            spans.clear();
            known[*code].frame.cut(value, json, &mut spans)
        });
        match found {
            Some(code) => last = code,
            None => {
                spans.clear();
                spans.push((0, value.len() as u32));
            }
        }
        known[found.unwrap_or(0)].push(value, *row, &spans);
        codes.push(found.unwrap_or(0) as i64);
    }
    let mut numbers = vec![0; known.len()];
    let mut frames = Vec::new();
    for (number, known) in numbers.iter_mut().zip(&*known).filter(|(_, known)| !known.rows.is_empty()) {
        *number = frames.len() as i64;
        frames.push((known.frame.literals(), known.columns.clone()));
    }
    codes.iter_mut().for_each(|code| *code = numbers[*code as usize]);
    Framed { frames, codes }
}
