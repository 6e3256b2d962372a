//! Takes the texts of columns apart into parts that are columns of their own, where a sample says that this is worth it: the
//! writing half of [`super::framed`]. Knows nothing of how columns are encoded.

use std::collections::BTreeMap;

use sawlog_model::Kind;
use xxhash_rust::xxh3::xxh3_64;

use super::cursor::{put_bytes, put_varint};
use super::dissect::Values;
use super::encode::{Bodies, sample};
use super::fields::{FieldTable, Role};
use super::frame::Frame;
use super::tag;

#[cfg(test)]
pub(super) mod tests;

/// Fewer values are not worth a look.
const FEWEST: usize = 256;
/// Values of a sample.
const SAMPLE: usize = 512;
/// Shorter texts, on average, are left whole.
const SHORTEST: usize = 24;
/// Longer ones are.
const LONGEST: usize = 16 << 10;
/// One in so many of a sample must be of a make for it to be learned, and of a known one for a column to be cut.
const WORTH_A_FRAME: usize = 10;
/// Fewer values of a row group than this are not cut.
const FEW: usize = 32;
/// Most frames of a column, and most columns of parts of a segment.
const MOST_FRAMES: usize = 16;
const MOST_COLUMNS: usize = 512;

/// A frame with the columns of its parts.
struct Known {
    frame: Frame,
    columns: Vec<u32>,
}

/// The frames of the columns of a segment while it is written.
#[derive(Default)]
pub(super) struct Frames {
    of_columns: BTreeMap<u32, Vec<Known>>,
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

/// Where values of a column are cut.
#[derive(Default)]
struct Cuts {
    /// The frame of each value.
    codes: Vec<u32>,
    /// How many values have each frame.
    counts: Vec<usize>,
    /// Begin and end of the parts, one value after the other.
    spans: Vec<(u32, u32)>,
}

impl Frames {
    /// Cuts the columns of a row group that are better cut; their parts are further columns of `values`.
    pub(super) fn cut<'a>(
        &mut self,
        fields: &mut FieldTable,
        values: &mut Values<'a>,
    ) -> BTreeMap<u32, Framed> {
        let mut framed = BTreeMap::new();
        for column in 0..values.columns.len() as u32 {
            let Role::Field(kind @ (Kind::Text | Kind::JsonText)) = fields.list()[column as usize].role
            else {
                continue;
            };
            let list = &values.columns[column as usize];
            if !is_long(list) || !self.know(column, kind, list, fields) {
                continue;
            }
            let Some(known) = self.of_columns.get(&column) else { continue };
            let cuts = cut_all(known, list, kind == Kind::JsonText);
            framed.insert(column, hand_out(column, known, &cuts, values));
        }
        framed
    }

    /// Learns the makes of texts that are not known; gives whether many have a known one.
    fn know(&mut self, column: u32, kind: Kind, list: &[&[u8]], fields: &mut FieldTable) -> bool {
        let known = self.of_columns.entry(column).or_default();
        let json = kind == Kind::JsonText;
        let mut spans = Vec::new();
        let mut is_of = |frame: &Frame, text: &[u8]| {
            spans.clear();
            frame.cut(text, json, &mut spans)
        };
        let mut strange: Vec<&[u8]> = sample(list, SAMPLE).collect();
        let all = strange.len();
        for Known { frame, .. } in known.iter().filter(|known| known.columns.len() > 1) {
            strange.retain(|text| !is_of(frame, text));
        }
        while strange.len() * WORTH_A_FRAME > all && strange.len() >= FEW && known.len() < MOST_FRAMES {
            let Some(frame) = Frame::learn(&strange, json) else { break };
            let parts = frame.literals().len() - 1;
            let before = strange.len();
            strange.retain(|text| !is_of(&frame, text));
            if (before - strange.len()) * WORTH_A_FRAME < all || self.columns + parts + 1 > MOST_COLUMNS {
                break;
            }
            if known.is_empty() {
                let whole = fields.add_part(column, kind);
                known.push(Known { frame: Frame::whole(), columns: vec![whole] });
                self.columns += 1;
            }
            self.columns += parts;
            let columns = (0..parts).map(|_| fields.add_part(column, kind)).collect();
            known.push(Known { frame, columns });
        }
        (all - strange.len()) * WORTH_A_FRAME > all
    }
}

/// Whether the values are many, long and mostly different.
fn is_long(list: &[&[u8]]) -> bool {
    if list.len() < FEWEST {
        return false;
    }
    let bytes: usize = sample(list, SAMPLE).map(<[u8]>::len).sum();
    let picked = sample(list, SAMPLE).len();
    if bytes < picked * SHORTEST || bytes > picked * LONGEST {
        return false;
    }
    let mut hashes: Vec<u64> = sample(list, SAMPLE).map(xxh3_64).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes.len() * 2 > picked
}

/// Finds the frame of each value. That of the one before is tried first, the whole value is the last.
fn cut_all(known: &[Known], list: &[&[u8]], json: bool) -> Cuts {
    let mut cuts = Cuts { counts: vec![0; known.len()], ..Cuts::default() };
    cuts.codes.reserve(list.len());
    let mut last = 0;
    for value in list {
        let start = cuts.spans.len();
        let others = (1..known.len()).filter(|code| *code != last);
        let order = (last > 0).then_some(last).into_iter().chain(others);
        let mut found = 0;
        for code in order {
            if known[code].frame.cut(value, json, &mut cuts.spans) {
                found = code;
                break;
            }
            cuts.spans.truncate(start);
        }
        if found == 0 {
            cuts.spans.push((0, value.len() as u32));
        } else {
            last = found;
        }
        cuts.codes.push(found as u32);
        cuts.counts[found] += 1;
    }
    cuts
}

/// Hands the parts to their columns.
fn hand_out<'a>(column: u32, known: &[Known], cuts: &Cuts, values: &mut Values<'a>) -> Framed {
    let list = std::mem::take(&mut values.columns[column as usize]);
    let rows = std::mem::take(&mut values.rows[column as usize]);
    // Values of a frame that few have stay whole.
    let used: Vec<bool> = (0..known.len()).map(|code| code > 0 && cuts.counts[code] >= FEW).collect();
    let needs_whole = (0..known.len()).any(|code| !used[code] && cuts.counts[code] > 0);
    let mut frames = Vec::new();
    let mut numbers = vec![0i64; known.len()];
    for (code, Known { frame, columns }) in known.iter().enumerate() {
        if used[code] || code == 0 && needs_whole {
            numbers[code] = frames.len() as i64;
            frames.push((frame.literals(), columns.clone()));
        }
    }
    for Known { columns, .. } in known {
        let last = columns.iter().copied().max().unwrap_or(0) as usize;
        if values.columns.len() <= last {
            values.columns.resize_with(last + 1, Vec::new);
            values.rows.resize_with(last + 1, Vec::new);
        }
    }
    let mut codes = Vec::with_capacity(list.len());
    let mut at = 0;
    for ((value, row), code) in list.iter().zip(&rows).zip(&cuts.codes) {
        let code = *code as usize;
        let columns = &known[code].columns;
        let spans = &cuts.spans[at..at + columns.len()];
        at += columns.len();
        if used[code] {
            for (column, (start, end)) in columns.iter().zip(spans) {
                values.columns[*column as usize].push(&value[*start as usize..*end as usize]);
                values.rows[*column as usize].push(*row);
            }
        } else {
            let whole = known[0].columns[0] as usize;
            values.columns[whole].push(value);
            values.rows[whole].push(*row);
        }
        codes.push(numbers[if used[code] { code } else { 0 }]);
    }
    Framed { frames, codes }
}
