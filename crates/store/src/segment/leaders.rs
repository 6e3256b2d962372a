//! Finds, for a column that is to be written, one that was written before and says much about it: one that is nearly
//! equal, or one whose codes lead its own ([`super::follow`]). Tries are made on a stretch of the group, with the
//! compressor itself as the judge. Knows nothing of how values become codes.

use std::cell::RefCell;

use sawlog_model::Kind;
use zstd::bulk::Compressor;

use super::cursor::put_varint;
use super::encode::Input;
use super::follow::{self, Leader};
use super::ints;

/// Codes of the stretch on which candidates are judged.
const STRETCH: usize = 16_384;
/// Codes of the shorter one on which they are chosen.
const GLANCE: usize = 3_072;
/// Candidates that are judged.
const JUDGED: usize = 3;
/// After so many groups leaders are looked for anew.
const REMEMBERED: u32 = 6;
/// A leader that is itself led, and so on, makes reading slow.
const DEEPEST: u8 = 2;
/// A column that takes fewer bits per code by itself is left alone, so that reading it stays simple.
const WORTH_BITS: f64 = 0.4;
/// A leader must save so much of the bytes.
const WORTH_SHARE: f64 = 0.85;

/// What the last search found for a column.
#[derive(Default)]
pub(super) struct Memory {
    leader: Option<Option<Choice>>,
    groups: u32,
}

/// Who leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Choice {
    Before,
    Column(u32),
}

/// Columns of a row group that were written already.
#[derive(Default)]
pub(super) struct Leaders<'a> {
    rows: usize,
    coded: Vec<Coded>,
    valued: Vec<Valued<'a>>,
    /// Made for the first try and kept: its tables are larger than what is tried.
    judge: RefCell<Option<Compressor<'static>>>,
}

struct Valued<'a> {
    column: u32,
    family: u32,
    kind: Kind,
    rows: &'a [u32],
    values: &'a [&'a [u8]],
}

struct Coded {
    column: u32,
    family: u32,
    /// A number for the code of each row; the last for rows that have none.
    by_row: Vec<u32>,
    count: usize,
    depth: u8,
}

/// How the codes of a column are written.
pub(super) enum Led {
    Alone,
    By { leader: u64, symbols: Vec<u8>, exceptions: Vec<i64>, depth: u8 },
}

impl Led {
    /// Who leads: 0 nobody, 1 the code before, else a column's number plus 2.
    pub(super) fn put_leader(&self, head: &mut Vec<u8>) {
        match self {
            Led::Alone => head.push(0),
            Led::By { leader, .. } => put_varint(head, *leader),
        }
    }

    pub(super) fn put(&self, codes: &[i64], head: &mut Vec<u8>, body: &mut Vec<u8>) {
        match self {
            Led::Alone => ints::encode(codes, head, body),
            Led::By { symbols, exceptions, .. } => {
                body.extend_from_slice(symbols);
                ints::encode(exceptions, head, body);
            }
        }
    }

    /// How long the chain of leaders is.
    pub(super) fn depth(&self) -> u8 {
        match self {
            Led::Alone => 0,
            Led::By { depth, .. } => *depth,
        }
    }
}

impl<'a> Leaders<'a> {
    pub(super) fn new(rows: usize) -> Self {
        Leaders { rows, ..Leaders::default() }
    }

    /// Bytes that the integers take, compressed.
    fn size(&self, values: &[i64]) -> usize {
        let (mut head, mut body) = (Vec::new(), Vec::new());
        ints::encode(values, &mut head, &mut body);
        head.len() + self.compressed(&body)
    }

    fn compressed(&self, bytes: &[u8]) -> usize {
        let mut judge = self.judge.borrow_mut();
        let judge = judge.get_or_insert_default();
        let packed = judge.set_compression_level(1).and_then(|()| judge.compress(bytes));
        packed.map_or(bytes.len(), |packed| packed.len().min(bytes.len()))
    }

    /// Says how a column was written, so that it can lead others.
    pub(super) fn add(&mut self, input: &Input<'a>, codes: &[i64], depth: u8) {
        if depth >= DEEPEST {
            return;
        }
        let (numbers, count) = follow::number(codes.iter().copied());
        let mut by_row = vec![count as u32; self.rows];
        for (row, number) in input.rows.iter().zip(numbers).rev() {
            by_row[*row as usize] = number;
        }
        let (column, family) = (input.number, input.family);
        self.coded.push(Coded { column, family, by_row, count: count + 1, depth });
    }

    /// Says which values a column has, so that others can be equal to it.
    pub(super) fn add_values(&mut self, input: &Input<'a>) {
        let (column, kind, rows, values) = (input.number, input.kind, input.rows, input.values);
        self.valued.push(Valued { column, family: input.family, kind, rows, values });
    }

    /// A column that has nearly the same values in the same rows.
    pub(super) fn equal(&self, input: &Input<'a>) -> Option<(u32, &'a [&'a [u8]])> {
        let count = input.values.len();
        if count < 32 {
            return None;
        }
        self.valued.iter().find_map(|Valued { column, family, kind, rows, values }| {
            if !stands_beside(*family, input) || rows.len() != count || *kind != input.kind {
                return None;
            }
            let step = count.div_ceil(64);
            let picked = || (0..count).step_by(step);
            let differ = picked().filter(|place| values[*place] != input.values[*place]);
            if differ.take(picked().len() / 4 + 1).count() * 4 > picked().len() || *rows != input.rows {
                return None;
            }
            let same = values.iter().zip(input.values).filter(|(have, value)| have == value).count();
            (same * 4 >= count * 3).then_some((*column, *values))
        })
    }

    /// How to write the codes of a column.
    pub(super) fn lead(&self, input: &Input<'a>, codes: &[i64], memory: &mut Memory) -> Led {
        if codes.len() < 256 {
            return Led::Alone;
        }
        let stretch = &codes[..codes.len().min(STRETCH)];
        let alone = self.size(stretch);
        if (alone as f64) * 8.0 < stretch.len() as f64 * WORTH_BITS {
            return Led::Alone;
        }
        memory.groups += 1;
        let again = memory.groups.is_multiple_of(REMEMBERED);
        let choice = match memory.leader {
            Some(choice) if !again => choice.filter(|choice| {
                self.judge(*choice, input, stretch)
                    .is_some_and(|led| (led as f64) < alone as f64 * WORTH_SHARE)
            }),
            _ => self.search(input, stretch, alone),
        };
        if memory.leader.is_none() || choice.is_some() || again {
            memory.leader = Some(choice);
        }
        choice.map_or(Led::Alone, |choice| self.led(choice, input, codes).unwrap_or(Led::Alone))
    }

    fn search(&self, input: &Input<'a>, stretch: &[i64], alone: usize) -> Option<Choice> {
        let beside = self.coded.iter().filter(|coded| stands_beside(coded.family, input));
        let columns = beside.map(|coded| Choice::Column(coded.column));
        let glance = &stretch[..stretch.len().min(GLANCE)];
        let mut candidates: Vec<(usize, Choice)> = columns
            .chain([Choice::Before])
            .filter_map(|choice| {
                let (_, exceptions) = self.follow(choice, input, glance)?;
                Some((exceptions.len(), choice))
            })
            .filter(|(exceptions, _)| exceptions * 10 < glance.len() * 8)
            .collect();
        candidates.sort_by_key(|(exceptions, _)| *exceptions);
        candidates.truncate(JUDGED);
        let judged = candidates
            .into_iter()
            .filter_map(|(_, choice)| Some((self.judge(choice, input, stretch)?, choice)));
        let (size, choice) = judged.min_by_key(|(size, _)| *size)?;
        ((size as f64) < alone as f64 * WORTH_SHARE).then_some(choice)
    }

    /// Bytes that the codes take behind this leader.
    fn judge(&self, choice: Choice, input: &Input<'a>, stretch: &[i64]) -> Option<usize> {
        let (symbols, exceptions) = self.follow(choice, input, stretch)?;
        Some(self.compressed(&symbols) + self.size(&exceptions))
    }

    fn led(&self, choice: Choice, input: &Input<'a>, codes: &[i64]) -> Option<Led> {
        let (symbols, exceptions) = self.follow(choice, input, codes)?;
        let (leader, depth) = match choice {
            Choice::Before => (1, 1),
            Choice::Column(column) => (u64::from(column) + 2, self.coded(column)?.depth + 1),
        };
        Some(Led::By { leader, symbols, exceptions, depth })
    }

    fn follow(&self, choice: Choice, input: &Input<'a>, codes: &[i64]) -> Option<(Vec<u8>, Vec<i64>)> {
        match choice {
            Choice::Before => Some(follow::encode(codes, Leader::Before)),
            Choice::Column(column) => {
                let coded = self.coded(column)?;
                let leaders: Vec<u32> =
                    input.rows[..codes.len()].iter().map(|row| coded.by_row[*row as usize]).collect();
                Some(follow::encode(codes, Leader::Codes(&leaders, coded.count)))
            }
        }
    }

    fn coded(&self, column: u32) -> Option<&Coded> {
        self.coded.iter().find(|coded| coded.column == column)
    }
}

/// Whether a column may say something about the one that is written. Parts say something only about those beside them: nothing
/// else can be read without putting the values together.
fn stands_beside(family: u32, input: &Input<'_>) -> bool {
    family == 0 || family == input.family
}
