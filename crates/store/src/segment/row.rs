//! Rows of a group put together again, with their slots. Knows nothing of predicates or of Arrow.

use std::sync::Arc;

use sawlog_model::{Address, Context, FieldValue, Fields, Kind, Marks, Nanos, Record, Tenant};

use super::cursor::{Cursor, Damage};
use super::fields::Role;
use super::group::Group;
use super::shape::Shape;
use super::skeleton::Item;
use crate::StoreError;

/// A row put together, or several, one behind the other: buffers are kept between rows.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) raw: Vec<u8>,
    /// Bytes of unprinted slots.
    pub(super) extra: Vec<u8>,
    pub(super) slots: Vec<TakenSlot>,
}

pub(super) struct TakenSlot {
    pub(super) name: Arc<str>,
    pub(super) kind: Kind,
    pub(super) layout: u8,
    pub(super) printed: bool,
    pub(super) start: usize,
    pub(super) len: usize,
}

impl Taken {
    fn clear(&mut self) {
        self.raw.clear();
        self.extra.clear();
        self.slots.clear();
    }

    fn slot_bytes(&self, slot: &TakenSlot) -> &[u8] {
        let from = if slot.printed { &self.raw } else { &self.extra };
        &from[slot.start..slot.start + slot.len]
    }

    /// Calls `visit` with each slot's name, value and whether it is printed.
    pub(super) fn each_slot(&self, visit: &mut dyn FnMut(&str, FieldValue<'_>, bool)) {
        for slot in &self.slots {
            visit(&slot.name, FieldValue::read(slot.kind, self.slot_bytes(slot).into()), slot.printed);
        }
    }
}

/// A row as predicates see it.
pub(super) struct RowView<'a> {
    pub(super) taken: &'a Taken,
    pub(super) time: Nanos,
    pub(super) received: Nanos,
    pub(super) address: Address,
    pub(super) tenant: Tenant,
    pub(super) marks: Marks,
    pub(super) context: &'a Context,
}

impl Fields for RowView<'_> {
    fn raw(&self) -> &[u8] {
        &self.taken.raw
    }

    fn time(&self) -> Nanos {
        self.time
    }

    fn received(&self) -> Nanos {
        self.received
    }

    fn address(&self) -> Address {
        self.address
    }

    fn tenant(&self) -> Tenant {
        self.tenant
    }

    fn marks(&self) -> Marks {
        self.marks
    }

    fn context(&self) -> &Context {
        self.context
    }

    fn each_slot(&self, visit: &mut dyn FnMut(&str, FieldValue<'_>, bool)) {
        self.taken.each_slot(visit);
    }
}

impl Group {
    /// The skeleton of a row.
    pub(super) fn shape(&self, row: usize) -> &Shape {
        &self.shapes[self.codes[row] as usize]
    }

    /// Puts a row's line together, at the end of `out`.
    pub(super) fn render(&self, row: usize, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let shape = self.shape(row);
        let mut slots = shape.slots.iter();
        for item in &shape.skeleton.items {
            match item {
                Item::Literal(text) => out.extend_from_slice(text),
                Item::Slot { .. } => {
                    let Some(slot) = slots.next() else { break };
                    if slot.printed {
                        let values = self.values(slot.column)?;
                        self.append(values, values.start(row) + slot.which as usize, out)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts a row together, with its slots.
    pub(super) fn take(&self, row: usize, into: &mut Taken) -> Result<(), StoreError> {
        into.clear();
        self.take_more(row, into)
    }

    /// Puts a row together behind those that stand there.
    pub(super) fn take_more(&self, row: usize, into: &mut Taken) -> Result<(), StoreError> {
        let shape = self.shape(row);
        if shape.skeleton.whole {
            return self.take_whole(row, shape, into);
        }
        let mut slots = shape.slots.iter();
        for item in &shape.skeleton.items {
            let Item::Slot { column, printed } = item else {
                if let Item::Literal(text) = item {
                    into.raw.extend_from_slice(text);
                }
                continue;
            };
            let Some(slot) = slots.next() else { break };
            let values = self.values(*column)?;
            let to = if *printed { &mut into.raw } else { &mut into.extra };
            let start = to.len();
            self.append(values, values.start(row) + slot.which as usize, to)?;
            let len = to.len() - start;
            let field = &self.body.fields[*column as usize];
            if let Role::Field(kind) = field.role {
                let (name, layout) = (field.name.clone(), field.layout);
                into.slots.push(TakenSlot { name, kind, layout, printed: *printed, start, len });
            }
        }
        Ok(())
    }

    fn take_whole(&self, row: usize, shape: &Shape, into: &mut Taken) -> Result<(), StoreError> {
        let (mut rest, start) = (Vec::new(), into.raw.len());
        for slot in &shape.slots {
            let values = self.values(slot.column)?;
            let out = if slot.printed { &mut into.raw } else { &mut rest };
            self.append(values, values.start(row) + slot.which as usize, out)?;
        }
        into.read_rest(&rest, start).map_err(|damage| self.body.damaged(damage))
    }

    /// The address of a row; without its offset where that is not wanted.
    pub(super) fn address(&self, row: usize, with_offset: bool) -> Result<Address, StoreError> {
        let runs = &self.meta().runs;
        let at = runs.partition_point(|run| run.start as usize <= row).saturating_sub(1);
        let range = &self.body.meta.sources[runs[at].source as usize];
        let offset = if with_offset { self.offset(row)? } else { 0 };
        Ok(Address { source: range.source, epoch: range.epoch, offset })
    }

    /// A row that was put together, as predicates see it.
    pub(super) fn view<'a>(
        &'a self,
        row: usize,
        taken: &'a Taken,
        with_offset: bool,
    ) -> Result<RowView<'a>, StoreError> {
        Ok(RowView {
            taken,
            time: self.times()?[row],
            received: self.received()?[row],
            address: self.address(row, with_offset)?,
            tenant: self.body.meta.tenant,
            marks: self.shape(row).skeleton.marks,
            context: self.context(row)?,
        })
    }

    /// One row.
    ///
    /// # Errors
    /// As the disk says.
    pub fn record(&self, row: u32) -> Result<Record, StoreError> {
        let row = row as usize;
        let mut taken = Taken::default();
        self.take(row, &mut taken)?;
        let view = self.view(row, &taken, true)?;
        let fields = taken
            .slots
            .iter()
            .map(|slot| {
                let value = FieldValue::read(slot.kind, taken.slot_bytes(slot).into()).into_owned();
                (slot.name.clone(), value, slot.printed)
            })
            .collect();
        Ok(Record {
            raw: taken.raw.clone(),
            time: view.time,
            received: view.received,
            address: view.address,
            tenant: view.tenant,
            marks: view.marks,
            context: self.context(row)?.clone(),
            fields,
        })
    }
}

impl Taken {
    /// Reads the slots of a row that is kept whole and begins at `row`.
    fn read_rest(&mut self, rest: &[u8], row: usize) -> Result<(), Damage> {
        let mut cursor = Cursor::new(rest);
        while cursor.remaining() > 0 {
            let name = cursor.text()?.into();
            let kind =
                Kind::from_u8(cursor.byte()?).ok_or(Damage::Bytes("a slot has a kind that is not known"))?;
            let layout = cursor.byte()?;
            let printed = cursor.byte()? != 0;
            let (start, len) = if printed {
                let (start, len) = (row + cursor.u32()? as usize, cursor.u32()? as usize);
                if start + len > self.raw.len() {
                    return Err(Damage::Bytes("a slot reaches over the end of its row"));
                }
                (start, len)
            } else {
                let bytes = cursor.bytes()?;
                self.extra.extend_from_slice(bytes);
                (self.extra.len() - bytes.len(), bytes.len())
            };
            self.slots.push(TakenSlot { name, kind, layout, printed, start, len });
        }
        Ok(())
    }
}
