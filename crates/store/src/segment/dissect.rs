//! Takes rows apart: which skeleton each has, and the values that go to the columns. Knows nothing of how these are
//! written.

use std::collections::HashMap;
use std::sync::Arc;

use sawlog_model::{Kind, Marks, Names, RowRef, Slot, strip_terminator, token};

use super::ahead::{AHEAD, fetch};
use super::cursor::{put_bytes, put_varint};
use super::fields::{FieldTable, Role};
use super::interner::Interner;
use super::skeleton::{Outline, Skeleton};
use super::tokens;

/// Most skeletons; further rows are kept whole.
const MOST_SKELETONS: usize = 65_536;
/// A gap between slots of a text line that is longer, or has a digit, is a value and not part of the skeleton.
const LONGEST_GAP: usize = 40;
/// From so many columns on, a row that would add more than [`NEW_NAMES`] is kept whole: names of that sort (a map whose
/// keys are paths) do not come again, and would use up the columns.
const FEW_NAMES: usize = 500;
const NEW_NAMES: usize = 40;
/// Most names that are counted for rows kept whole.
const LOOSE_NAMES: usize = 20_000;

/// Values of one row group, by column.
#[derive(Default)]
pub(super) struct Values<'a> {
    pub(super) columns: Vec<Vec<&'a [u8]>>,
    /// The row of each of them.
    pub(super) rows: Vec<Vec<u32>>,
    /// Slots of rows that are kept whole.
    pub(super) rest: Vec<Vec<u8>>,
    /// What has its words indexed beside those of the columns: unprinted values of rows kept whole, and see
    /// [`note_words`].
    pub(super) loose: Vec<(Kind, &'a [u8])>,
    /// Lines in which an address may run over the edge of a slot.
    pub(super) dotted: Vec<&'a [u8]>,
}

impl<'a> Values<'a> {
    /// Makes room for so many values of each column, but no more than rows.
    fn reserve(&mut self, lengths: &[usize], rows: usize) {
        self.columns = lengths.iter().map(|len| Vec::with_capacity(*len.min(&rows))).collect();
        self.rows = lengths.iter().map(|len| Vec::with_capacity(*len.min(&rows))).collect();
    }

    fn push(&mut self, column: u32, row: usize, value: &'a [u8]) {
        let column = column as usize;
        if column >= self.columns.len() {
            self.columns.resize_with(column + 1, Vec::new);
            self.rows.resize_with(column + 1, Vec::new);
        }
        self.columns[column].push(value);
        self.rows[column].push(row as u32);
    }
}

/// Columns of the names of the batch that the last row was of.
#[derive(Default)]
struct NameCache {
    names: usize,
    /// Layout and column, by name and kind.
    columns: Vec<Option<(u8, u32)>>,
}

impl NameCache {
    fn of_names(&mut self, names: &Arc<Names>) {
        let names = Arc::as_ptr(names) as usize;
        if self.names != names {
            self.names = names;
            self.columns.clear();
        }
    }

    fn get(&self, slot: &Slot) -> Option<u32> {
        let (layout, column) = (*self.columns.get(NameCache::place(slot))?)?;
        (layout == layout_of(slot)).then_some(column)
    }

    fn put(&mut self, slot: &Slot, column: u32) {
        let place = NameCache::place(slot);
        if place >= self.columns.len() {
            self.columns.resize(place + 1, None);
        }
        self.columns[place] = Some((layout_of(slot), column));
    }

    fn place(slot: &Slot) -> usize {
        slot.name.0 as usize * 8 + slot.kind as usize
    }
}

/// The row before, where all that another row needs to be taken apart alike is that it has the same slots and the same
/// bytes between them.
#[derive(Default)]
struct Last {
    /// The address of its names; 0 where nothing is known.
    names: usize,
    marks: Marks,
    shape: u32,
    /// Slots, with the end of the bytes before each.
    slots: Vec<(Slot, usize)>,
    columns: Vec<u32>,
    /// The bytes before, between and behind slots.
    gaps: Vec<u8>,
}

impl Last {
    fn forget(&mut self) {
        self.names = 0;
    }

    /// Remembers a row of which all slots are printed and all that is between them is literal, if no token can run over
    /// an edge of a slot, whatever the slot holds.
    fn remember(&mut self, row: RowRef<'_>, shape: u32, columns: &[u32]) {
        self.forget();
        self.slots.clear();
        self.gaps.clear();
        let (raw, start) = (row.raw(), row.row().start);
        let closed =
            |byte: Option<&u8>| byte.is_none_or(|byte| !token::is_token_byte(*byte) && *byte != b'.');
        let mut at = 0usize;
        for slot in row.slots() {
            let (from, to) = ((slot.start - start) as usize, (slot.start - start + slot.len) as usize);
            let gap = &raw[at..from];
            if !closed(gap.last()) || !self.slots.is_empty() && (gap.is_empty() || !closed(gap.first())) {
                return;
            }
            self.gaps.extend_from_slice(gap);
            self.slots.push((*slot, self.gaps.len()));
            at = to;
        }
        if !closed(raw.get(at)) {
            return;
        }
        self.gaps.extend_from_slice(&raw[at..]);
        self.columns.clear();
        self.columns.extend_from_slice(columns);
        (self.names, self.marks, self.shape) =
            (Arc::as_ptr(&row.batch.names) as usize, row.row().marks, shape);
    }

    /// Whether the row is taken apart as this one was.
    fn is_like(&self, row: RowRef<'_>) -> bool {
        let (slots, whole) = (row.slots(), row.row());
        let same_head = self.names == Arc::as_ptr(&row.batch.names) as usize
            && self.marks == whole.marks
            && self.slots.len() == slots.len();
        if !same_head {
            return false;
        }
        let raw = row.raw();
        let (mut at, mut gap) = (0usize, 0usize);
        for (slot, (have, gap_end)) in slots.iter().zip(&self.slots) {
            let from = slot.start.wrapping_sub(whole.start) as usize;
            let same = (slot.name, slot.kind, layout_of(slot)) == (have.name, have.kind, layout_of(have))
                && raw.get(at..from) == Some(&self.gaps[gap..*gap_end]);
            if !same || raw.len() - from < slot.len as usize {
                return false;
            }
            (at, gap) = (from + slot.len as usize, *gap_end);
        }
        raw[at..] == self.gaps[gap..]
    }
}

/// Only times have a layout.
fn layout_of(slot: &Slot) -> u8 {
    if slot.kind == Kind::Time { slot.layout } else { 0 }
}

/// Skeletons and columns of a segment while it is written.
#[derive(Default)]
pub(super) struct Dissector {
    pub(super) fields: FieldTable,
    pub(super) skeletons: Interner,
    skeleton_columns: Vec<Vec<u32>>,
    skeleton_rows: Vec<u64>,
    /// Rows of each field that is in rows kept whole.
    loose_fields: HashMap<Arc<str>, u64>,
    /// How many values each column had in the last group: the next one mostly has about as many.
    lately: Vec<usize>,
}

impl Dissector {
    /// In how many rows each field is, null not counted.
    pub(super) fn field_counts(&self) -> HashMap<Arc<str>, u64> {
        let mut counts = self.loose_fields.clone();
        let mut names: Vec<Arc<str>> = Vec::new();
        for (columns, rows) in self.skeleton_columns.iter().zip(&self.skeleton_rows) {
            names.clear();
            for column in columns {
                let field = &self.fields.list()[*column as usize];
                if matches!(field.role, Role::Field(kind) if kind != Kind::Null)
                    && !names.contains(&field.name)
                {
                    names.push(field.name.clone());
                }
            }
            for name in &names {
                *counts.entry(name.clone()).or_default() += rows;
            }
        }
        counts
    }

    /// Finds the skeleton of each row and hands its values to their columns.
    pub(super) fn group<'a>(&mut self, rows: &[RowRef<'a>], values: &mut Values<'a>) -> Vec<i64> {
        let mut outline = Outline::default();
        let mut found: Vec<(u32, &'a [u8])> = Vec::new();
        let mut names = NameCache::default();
        let mut columns = Vec::new();
        let mut shapes = Vec::with_capacity(rows.len());
        let mut last = Last::default();
        values.reserve(&self.lately, rows.len());
        for (index, row) in rows.iter().enumerate() {
            if index.is_multiple_of(AHEAD) {
                fetch(rows[index..].iter().take(AHEAD).map(|row| row.raw()));
            }
            if last.is_like(*row) {
                for (slot, column) in row.slots().iter().zip(&last.columns) {
                    values.push(*column, index, row.slot(slot));
                }
                self.count_shape(last.shape);
                note_words(*row, false, values);
                shapes.push(i64::from(last.shape));
                continue;
            }
            found.clear();
            let fits = self.outline(*row, &mut names, &mut columns, &mut outline, &mut found);
            let known = if !fits {
                None
            } else if self.skeletons.len() >= MOST_SKELETONS {
                self.skeletons.find(&outline.bytes)
            } else {
                Some(self.skeletons.intern(&outline.bytes).0)
            };
            match known {
                // Neither text of a gap nor a slot that is not printed.
                Some(shape) if outline.printed == found.len() && found.len() == columns.len() => {
                    last.remember(*row, shape, &columns);
                }
                _ => last.forget(),
            }
            let shape = known.unwrap_or_else(|| self.keep_whole(*row, &mut outline, &mut found, values));
            self.count_shape(shape);
            note_words(*row, outline.is_glued(), values);
            values.dotted.extend(outline.dotted.then(|| row.raw()));
            for (column, value) in &found {
                values.push(*column, index, value);
            }
            shapes.push(i64::from(shape));
        }
        self.lately.clear();
        self.lately.extend(values.rows.iter().map(Vec::len));
        shapes
    }

    /// Adds the literal words of text lines to those of the group.
    pub(super) fn add_literals(&self, shapes: &[i64], tokens: &mut tokens::Tokens) {
        let mut shapes = shapes.to_vec();
        shapes.sort_unstable();
        shapes.dedup();
        let tokens = tokens.of_kind(Kind::Text);
        for shape in shapes {
            let bytes = bytes::Bytes::copy_from_slice(self.skeletons.get(shape as u32));
            let Ok(skeleton) = Skeleton::read(&bytes, usize::MAX) else { continue };
            if !skeleton.is_by_value() {
                skeleton.literals().for_each(|literal| tokens.add(literal));
            }
        }
    }

    fn count_shape(&mut self, shape: u32) {
        let shape = shape as usize;
        if shape >= self.skeleton_columns.len() {
            let bytes = bytes::Bytes::copy_from_slice(self.skeletons.get(shape as u32));
            let columns = Skeleton::read(&bytes, usize::MAX).map(|skeleton| skeleton.columns().collect());
            self.skeleton_columns.push(columns.unwrap_or_default());
            self.skeleton_rows.push(0);
        }
        self.skeleton_rows[shape] += 1;
    }

    /// Writes the row's skeleton to `outline` and its values to `found`; `false` where it has to be kept whole.
    fn outline<'a>(
        &mut self,
        row: RowRef<'a>,
        names: &mut NameCache,
        columns: &mut Vec<u32>,
        outline: &mut Outline,
        found: &mut Vec<(u32, &'a [u8])>,
    ) -> bool {
        let raw = row.raw();
        let (start, marks) = (row.row().start, row.row().marks);
        let literal_gaps = marks.has(Marks::JSON) || marks.has(Marks::MAP);
        outline.begin(marks);
        let mut at = 0usize;
        if !self.columns_of(row, names, columns) {
            return false;
        }
        for (slot, &column) in row.slots().iter().zip(&*columns) {
            if !row.is_printed(slot) {
                outline.slot(column, false);
                found.push((column, row.slot(slot)));
                continue;
            }
            let (from, to) = ((slot.start - start) as usize, (slot.start - start + slot.len) as usize);
            if from < at {
                return false;
            }
            self.gap(&raw[at..from], literal_gaps, outline, found);
            if is_glued(raw, from) || is_glued(raw, to) {
                outline.glued();
            }
            outline.dotted |= is_dotted(raw, from) || is_dotted(raw, to);
            outline.slot(column, true);
            found.push((column, &raw[from..to]));
            at = to;
        }
        let line = strip_terminator(raw).len().max(at);
        self.gap(&raw[at..line], literal_gaps, outline, found);
        outline.literal(&raw[line..]);
        true
    }

    /// Text between slots.
    fn gap<'a>(
        &mut self,
        text: &'a [u8],
        literal: bool,
        outline: &mut Outline,
        found: &mut Vec<(u32, &'a [u8])>,
    ) {
        if literal || (text.len() <= LONGEST_GAP && !text.iter().any(u8::is_ascii_digit)) {
            outline.literal(text);
        } else if let Some(column) = self.fields.intern("", Role::Line, 0) {
            outline.slot(column, true);
            found.push((column, text));
        }
    }

    /// The columns of the row's slots, into `into`; `false` where there are too many names.
    fn columns_of(&mut self, row: RowRef<'_>, names: &mut NameCache, into: &mut Vec<u32>) -> bool {
        into.clear();
        names.of_names(&row.batch.names);
        let room = if self.fields.list().len() < FEW_NAMES { usize::MAX } else { NEW_NAMES };
        if row.slots().len() > room {
            let unknown = |slot: &&Slot| {
                let name = row.batch.names.name(slot.name);
                names.get(slot).is_none() && !self.fields.knows(name, Role::Field(slot.kind), layout_of(slot))
            };
            if row.slots().iter().filter(unknown).count() > room {
                return false;
            }
        }
        for slot in row.slots() {
            let column = names.get(slot).or_else(|| {
                let name = row.batch.names.name(slot.name);
                let column = self.fields.intern(name, Role::Field(slot.kind), layout_of(slot))?;
                names.put(slot, column);
                Some(column)
            });
            match column {
                Some(column) => into.push(column),
                None => return false,
            }
        }
        true
    }

    /// Keeps a row as its raw bytes and a list of its slots.
    fn keep_whole<'a>(
        &mut self,
        row: RowRef<'a>,
        outline: &mut Outline,
        found: &mut Vec<(u32, &'a [u8])>,
        values: &mut Values<'a>,
    ) -> u32 {
        found.clear();
        outline.begin(row.row().marks);
        outline.whole();
        let raw = self.fields.intern("", Role::Raw, 0).unwrap_or_default();
        let rest = self.fields.intern("", Role::Rest, 0).unwrap_or_default();
        outline.slot(raw, true);
        outline.slot(rest, false);
        found.extend([(raw, row.raw()), (rest, &[][..])]);
        let mut slots = Vec::new();
        let mut named = Vec::new();
        for slot in row.slots() {
            put_bytes(&mut slots, row.batch.names.name(slot.name).as_bytes());
            slots.extend_from_slice(&[slot.kind as u8, slot.layout, u8::from(row.is_printed(slot))]);
            if row.is_printed(slot) {
                put_varint(&mut slots, u64::from(slot.start - row.row().start));
                put_varint(&mut slots, u64::from(slot.len));
            } else {
                put_bytes(&mut slots, row.slot(slot));
                values.loose.push((slot.kind, row.slot(slot)));
            }
            let name = row.batch.names.name(slot.name);
            let room = self.loose_fields.len() < LOOSE_NAMES;
            if room && slot.kind != Kind::Null && !named.contains(&name) {
                named.push(name);
                *self.loose_fields.entry(name.clone()).or_default() += 1;
            }
        }
        values.rest.push(slots);
        self.skeletons.intern(&outline.bytes).0
    }
}

/// Has words of a text line indexed that those of its values do not give: of values that are escaped, as they are
/// written; and all of them where tokens run over the edges of slots.
fn note_words<'a>(row: RowRef<'a>, glued: bool, values: &mut Values<'a>) {
    let marks = row.row().marks;
    if marks.has(Marks::JSON) || marks.has(Marks::MAP) {
        return;
    }
    if glued {
        values.loose.push((Kind::Text, row.raw()));
        return;
    }
    for slot in row.slots().iter().filter(|slot| slot.kind == Kind::JsonText && row.is_printed(slot)) {
        if memchr::memchr(b'\\', row.slot(slot)).is_some() {
            values.loose.push((Kind::Text, row.slot(slot)));
        }
    }
}

/// Whether a token runs over this place.
fn is_glued(raw: &[u8], at: usize) -> bool {
    at > 0 && at < raw.len() && token::is_token_byte(raw[at - 1]) && token::is_token_byte(raw[at])
}

/// Whether an address may run over this place.
fn is_dotted(raw: &[u8], at: usize) -> bool {
    let pair = |a: u8, b: u8| a == b'.' && b.is_ascii_digit() || a.is_ascii_digit() && b == b'.';
    at > 0 && at < raw.len() && pair(raw[at - 1], raw[at])
}
