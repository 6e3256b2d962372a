//! A batch made of another's rows: left as they are, with fields added that are not part of the line, or rendered anew. Bytes
//! of rows that stay are copied only where new ones must stand beside them in one buffer.

use std::sync::Arc;

use bytes::Bytes;
use sawlog_model::value::{Slots, render_slots};
use sawlog_model::{Batch, Kind, Limits, Marks, NameId, Names, Nanos, Row, RowRef, Slot, Value};

/// The rows of a batch for which `keeps` holds, on the same buffer; the batch itself where that is all.
pub fn select(batch: &Arc<Batch>, mut keeps: impl FnMut(RowRef<'_>) -> bool) -> Arc<Batch> {
    let first_gone = batch.iter().position(|row| !keeps(row));
    let Some(first_gone) = first_gone else { return batch.clone() };
    let slots_end = if first_gone == 0 { 0 } else { batch.rows[first_gone - 1].slots_end };
    let mut rows = batch.rows[..first_gone].to_vec();
    let mut slots = batch.slots[..slots_end as usize].to_vec();
    for row in batch.iter().skip(first_gone + 1).filter(|row| keeps(*row)) {
        slots.extend_from_slice(row.slots());
        rows.push(Row { slots_end: slots.len() as u32, ..*row.row() });
    }
    let buffer = if rows.is_empty() { Bytes::new() } else { batch.buffer.clone() };
    Arc::new(Batch { buffer, rows, slots, ..without_rows(batch) })
}

fn without_rows(batch: &Batch) -> Batch {
    Batch {
        tenant: batch.tenant,
        source: batch.source.clone(),
        epoch: batch.epoch,
        context: batch.context.clone(),
        names: batch.names.clone(),
        ..Batch::default()
    }
}

/// Bytes that were put beside the rows' lines, and how to read them.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    start: u32,
    len: u32,
    kind: Kind,
}

/// Makes a batch of another's rows, which come in their order.
pub struct Rewriter<'b> {
    batch: &'b Batch,
    limits: &'b Limits,
    /// What stands behind the other batch's bytes.
    fresh: Vec<u8>,
    names: Arc<Names>,
    rows: Vec<Row>,
    slots: Vec<Slot>,
    /// Whether a row or slot stands in the other batch's bytes.
    uses_old: bool,
}

impl<'b> Rewriter<'b> {
    /// One with no rows yet.
    pub fn new(batch: &'b Batch, limits: &'b Limits) -> Self {
        Rewriter {
            batch,
            limits,
            fresh: Vec::new(),
            names: batch.names.clone(),
            rows: Vec::with_capacity(batch.rows.len()),
            slots: Vec::with_capacity(batch.slots.len()),
            uses_old: false,
        }
    }

    /// The id of a name, for [`Rewriter::add`].
    pub fn name(&mut self, name: &str) -> NameId {
        match self.names.find(name) {
            Some(id) => id,
            None => Arc::make_mut(&mut self.names).intern(name),
        }
    }

    /// Bytes that fit in the new batch besides those that are there: spans have 32 bits.
    fn room(&self) -> usize {
        (u32::MAX as usize).saturating_sub(self.batch.buffer.len() + self.fresh.len())
    }

    /// Where the next bytes will stand that are put beside the lines.
    pub fn end(&self) -> u32 {
        (self.batch.buffer.len() + self.fresh.len()) as u32
    }

    /// Puts a value beside the lines; `None` for one that no single slot can hold (a map with entries, bytes, a time), and
    /// where the batch is full.
    pub fn put(&mut self, value: &Value) -> Option<Piece> {
        let (kind, text) = match value {
            Value::Nil => (Kind::Null, "null".to_owned()),
            Value::Bool(flag) => (Kind::Bool, flag.to_string()),
            Value::Int(number) => (Kind::Number, number.to_string()),
            Value::UInt(number) => (Kind::Number, number.to_string()),
            Value::Float(number) if number.is_finite() => (Kind::Number, format!("{number:?}")),
            Value::Str(text) => return self.put_text(text.as_bytes()),
            Value::List(_) => (Kind::Json, json(value)?),
            Value::Map(entries) if entries.is_empty() => (Kind::Json, "{}".to_owned()),
            _ => return None,
        };
        self.put_bytes(kind, text.as_bytes())
    }

    /// Puts text beside the lines; `None` where the batch is full.
    pub fn put_text(&mut self, text: &[u8]) -> Option<Piece> {
        self.put_bytes(Kind::Text, text)
    }

    fn put_bytes(&mut self, kind: Kind, bytes: &[u8]) -> Option<Piece> {
        let start = self.end();
        if bytes.len() > self.room() {
            return None;
        }
        self.fresh.extend_from_slice(bytes);
        Some(Piece { start, len: bytes.len() as u32, kind })
    }

    /// A row as it is.
    pub fn keep(&mut self, row: RowRef<'_>) {
        self.add(row, row.row().time, &[]);
    }

    /// A row with another time and with fields more, which its record does not have.
    pub fn add(&mut self, row: RowRef<'_>, time: Nanos, fields: &[(NameId, Piece)]) {
        self.uses_old = true;
        self.slots.extend_from_slice(row.slots());
        self.slots.extend(fields.iter().map(|(name, piece)| Slot {
            start: piece.start,
            len: piece.len,
            name: *name,
            kind: piece.kind,
            layout: 0,
        }));
        self.rows.push(Row { time, slots_end: self.slots.len() as u32, ..*row.row() });
    }

    /// A row in whose line these fields were found; what is `made` stands at [`Rewriter::end`]. Fields that had been added stay,
    /// where that is asked for and no field of their name was found. `false` where the batch is full; the row is not in it then.
    pub fn parsed(
        &mut self,
        row: RowRef<'_>,
        time: Nanos,
        marks: Marks,
        found: &[Slot],
        made: &[u8],
        keeps_added: bool,
    ) -> bool {
        if made.len() > self.room() {
            return false;
        }
        self.uses_old = true;
        self.fresh.extend_from_slice(made);
        self.slots.extend_from_slice(found);
        let stays = |slot: &&Slot| keeps_added && found.iter().all(|other| other.name != slot.name);
        self.slots.extend(super::added(row).filter(stays));
        let of_row = Marks(row.row().marks.0 & (Marks::CONTINUES.0 | Marks::MADE.0));
        let slots_end = self.slots.len() as u32;
        self.rows.push(Row { time, slots_end, marks: of_row.with(marks), ..*row.row() });
        true
    }

    /// A row whose record is now `entries`: a line is rendered for it, and what was said of its first line no longer holds.
    /// `false` where the batch is full; the row is not in it then.
    pub fn replace(&mut self, row: RowRef<'_>, time: Nanos, entries: Vec<(Value, Value)>) -> bool {
        let (before, slots_before) = (self.fresh.len(), self.slots.len());
        let start = self.end();
        let slots = Slots::new("", self.limits, &mut self.names, &mut self.slots);
        render_slots(&Value::Map(entries), slots, &mut self.fresh);
        self.fresh.push(b'\n');
        let len = self.fresh.len() - before;
        if self.batch.buffer.len() + self.fresh.len() > u32::MAX as usize {
            self.fresh.truncate(before);
            self.slots.truncate(slots_before);
            return false;
        }
        let base = self.batch.buffer.len() as u32;
        self.slots[slots_before..].iter_mut().for_each(|slot| slot.start += base);
        let kept = Marks(row.row().marks.0 & Marks::NO_TIME.0);
        let time_known = time != row.row().time;
        let marks = if time_known { Marks::default() } else { kept };
        self.rows.push(Row {
            start,
            len: len as u32,
            time,
            slots_end: self.slots.len() as u32,
            marks: marks.with(Marks::MADE).with(Marks::MAP).with(Marks::JSON),
            ..*row.row()
        });
        true
    }

    /// The batch.
    pub fn finish(self) -> Arc<Batch> {
        let Rewriter { batch, fresh, names, mut rows, mut slots, uses_old, .. } = self;
        let buffer: Bytes = if rows.is_empty() {
            Bytes::new()
        } else if fresh.is_empty() {
            batch.buffer.clone()
        } else if uses_old {
            [&batch.buffer[..], &fresh].concat().into()
        } else {
            let base = batch.buffer.len() as u32;
            rows.iter_mut().for_each(|row| row.start -= base);
            slots.iter_mut().for_each(|slot| slot.start -= base);
            fresh.into()
        };
        Arc::new(Batch { buffer, names, rows, slots, ..without_rows(batch) })
    }
}

/// The JSON of a list; `None` where something in it is more than JSON has.
fn json(value: &Value) -> Option<String> {
    fn plain(value: &Value) -> bool {
        match value {
            Value::Float32(_) | Value::Bin(_) | Value::Time(_) | Value::Ext(..) => false,
            Value::Float(number) => number.is_finite(),
            Value::List(list) => list.iter().all(plain),
            Value::Map(entries) => {
                entries.iter().all(|(key, value)| matches!(key, Value::Str(_)) && plain(value))
            }
            _ => true,
        }
    }
    let mut out = Vec::new();
    super::write_plain(value, &mut out);
    plain(value).then(|| String::from_utf8(out).ok()).flatten()
}
