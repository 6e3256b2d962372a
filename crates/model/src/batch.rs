//! Rows as columnar views on one buffer. Nothing is copied per row: a row is spans of the buffer, times and marks.
//! Knows nothing of formats or of storage; formats fill it, outputs read it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::record::{FieldValue, Fields};
use crate::{Address, Context, Nanos, Source, Tenant};

/// Index into a batch's [`Names`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct NameId(pub u32);

/// Names of slots, each once. Grows only; parsers keep one across batches and share it by `Arc` (`Arc::make_mut` to
/// add), so that a name's id is the same in every batch of that parser.
#[derive(Clone, Debug, Default)]
pub struct Names {
    list: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, NameId>,
}

impl Names {
    /// The id of `name`, added where it is new.
    pub fn intern(&mut self, name: &str) -> NameId {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = NameId(self.list.len() as u32);
        let name: Arc<str> = name.into();
        self.list.push(name.clone());
        self.ids.insert(name, id);
        id
    }

    /// The id of `name` where it is known.
    pub fn find(&self, name: &str) -> Option<NameId> {
        self.ids.get(name).copied()
    }

    /// The name of `id`.
    ///
    /// # Panics
    /// Where the id is not of this table.
    pub fn name(&self, id: NameId) -> &Arc<str> {
        &self.list[id.0 as usize]
    }

    /// The name of `id` where there is one.
    pub fn get(&self, id: NameId) -> Option<&Arc<str>> {
        self.list.get(id.0 as usize)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All, in the order of their ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.list.iter()
    }
}

/// How the bytes of a slot are read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum Kind {
    /// The bytes are the value.
    #[default]
    Text = 0,
    /// The body of a JSON string, between the quotes, escapes and all.
    JsonText = 1,
    /// A number as written.
    Number = 2,
    /// `true` or `false`.
    Bool = 3,
    /// JSON `null`: the field is absent for every test but `field:null`.
    Null = 4,
    /// A JSON list or an empty map, whole. Tests look at the elements of a list.
    Json = 5,
    /// The text that `_time` was read from; [`Slot::layout`] says how. Printing the time in that layout usually gives
    /// the bytes back, so that a store need not keep them.
    Time = 6,
}

impl Kind {
    /// The kind of this number, as stored.
    pub fn from_u8(code: u8) -> Option<Kind> {
        [Kind::Text, Kind::JsonText, Kind::Number, Kind::Bool, Kind::Null, Kind::Json, Kind::Time]
            .into_iter()
            .find(|kind| *kind as u8 == code)
    }
}

/// A named part of a row. Slots of a row stand in the order of their bytes and do not overlap; a slot outside the
/// row's own span is unprinted: a field that a transform added, which is not part of the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    /// First byte, in the batch's buffer.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
    /// Name.
    pub name: NameId,
    /// How to read the bytes.
    pub kind: Kind,
    /// For [`Kind::Time`]: the number of a [`crate::time::Layout`]. Else 0.
    pub layout: u8,
}

/// Facts about a row, as bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Marks(pub u8);

impl Marks {
    /// The event was cut (by a timeout or a limit) and goes on in the next row of the source.
    pub const CONTINUES: Marks = Marks(1);
    /// `_time` is not of the line: it is that of the row before, the file's or `_received`.
    pub const NO_TIME: Marks = Marks(2);
    /// The line was re-rendered by a transform; its first bytes are gone.
    pub const MADE: Marks = Marks(4);
    /// The event came as a map; the line is its rendering ([`crate::value`]).
    pub const MAP: Marks = Marks(8);
    /// The line is a JSON object: its keys are not searched by bare words.
    pub const JSON: Marks = Marks(16);
    /// The line did not parse as its source's format and was kept whole.
    pub const UNPARSED: Marks = Marks(32);
    /// The field that `_time` was read from (its slot is of [`Kind::Time`]) is not part of the record, as the
    /// configuration of the parser says; it still stands in the line.
    pub const TIME_TAKEN: Marks = Marks(64);

    /// Whether all of `other` is set.
    pub fn has(self, other: Marks) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both.
    pub fn with(self, other: Marks) -> Marks {
        Marks(self.0 | other.0)
    }
}

/// One event: one or more whole lines with their terminators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// First byte, in the batch's buffer.
    pub start: u32,
    /// Length in bytes, terminators included.
    pub len: u32,
    /// Offset of the address.
    pub offset: u64,
    /// The event's time.
    pub time: Nanos,
    /// When sawlog got it.
    pub received: Nanos,
    /// End of the row's slots in [`Batch::slots`]; they begin where those of the row before end.
    pub slots_end: u32,
    /// Facts.
    pub marks: Marks,
}

/// Rows of one source, epoch and context, on one buffer of at most 4 GiB.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Whose rows.
    pub tenant: Tenant,
    /// Where from.
    pub source: Arc<Source>,
    /// Epoch of the source.
    pub epoch: u32,
    /// What holds for all rows.
    pub context: Arc<Context>,
    /// The bytes that all spans point into.
    pub buffer: Bytes,
    /// Names of the slots.
    pub names: Arc<Names>,
    /// Rows, in the order of the source.
    pub rows: Vec<Row>,
    /// Slots of all rows.
    pub slots: Vec<Slot>,
    /// Id of the token that they came with, whose limits hold for them; it is forgotten once they are taken.
    pub token: Option<Arc<str>>,
}

impl Batch {
    /// The row at `index`.
    pub fn row(&self, index: usize) -> RowRef<'_> {
        RowRef { batch: self, index }
    }

    /// All rows.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = RowRef<'_>> {
        (0..self.rows.len()).map(|index| self.row(index))
    }

    /// Bytes of raw lines.
    pub fn raw_len(&self) -> u64 {
        self.rows.iter().map(|row| u64::from(row.len)).sum()
    }

    /// Bytes of memory that it holds, roughly.
    pub fn weight(&self) -> usize {
        self.buffer.len()
            + self.rows.len() * std::mem::size_of::<Row>()
            + self.slots.len() * std::mem::size_of::<Slot>()
            + 256
    }

    /// Gives the rows the addresses that network records have: the journal position of their frame, then the index.
    pub fn address_by_journal(&mut self, frame: u64) {
        for (index, row) in self.rows.iter_mut().enumerate() {
            row.offset = frame + index as u64;
        }
    }
}

/// One row of a batch, with what it needs to be read.
#[derive(Clone, Copy, Debug)]
pub struct RowRef<'a> {
    /// The batch.
    pub batch: &'a Batch,
    /// Its index there.
    pub index: usize,
}

impl<'a> RowRef<'a> {
    /// Spans, times and marks.
    pub fn row(self) -> &'a Row {
        &self.batch.rows[self.index]
    }

    /// The row's bytes, terminators included.
    pub fn raw(self) -> &'a [u8] {
        let row = self.row();
        &self.batch.buffer[row.start as usize..][..row.len as usize]
    }

    /// Its slots.
    pub fn slots(self) -> &'a [Slot] {
        let start = if self.index == 0 { 0 } else { self.batch.rows[self.index - 1].slots_end };
        &self.batch.slots[start as usize..self.row().slots_end as usize]
    }

    /// The bytes of one of its slots.
    pub fn slot(self, slot: &Slot) -> &'a [u8] {
        &self.batch.buffer[slot.start as usize..][..slot.len as usize]
    }

    /// Whether the slot is part of the line.
    pub fn is_printed(self, slot: &Slot) -> bool {
        let row = self.row();
        slot.start >= row.start && slot.start + slot.len <= row.start + row.len
    }

    /// Its address.
    pub fn address(self) -> Address {
        Address { source: self.batch.source.id, epoch: self.batch.epoch, offset: self.row().offset }
    }
}

impl Fields for RowRef<'_> {
    fn raw(&self) -> &[u8] {
        (*self).raw()
    }

    fn time(&self) -> Nanos {
        self.row().time
    }

    fn received(&self) -> Nanos {
        self.row().received
    }

    fn address(&self) -> Address {
        (*self).address()
    }

    fn tenant(&self) -> Tenant {
        self.batch.tenant
    }

    fn marks(&self) -> Marks {
        self.row().marks
    }

    fn context(&self) -> &Context {
        &self.batch.context
    }

    fn each_slot(&self, visit: &mut dyn FnMut(&str, FieldValue<'_>, bool)) {
        for slot in self.slots() {
            let value = FieldValue::read(slot.kind, Cow::Borrowed(self.slot(slot)));
            visit(self.batch.names.name(slot.name), value, self.is_printed(slot));
        }
    }
}
