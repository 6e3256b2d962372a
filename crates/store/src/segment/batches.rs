//! The rows of a group as batches: what compaction writes again. Knows nothing of how it is written.

use std::ops::Range;
use std::sync::Arc;

use sawlog_model::{Batch, NameId, Names, Row, Slot};

use super::GROUP_BYTES;
use super::group::Group;
use super::offsets::Steps;
use super::row::Taken;
use crate::StoreError;

/// Place for so many slots is made before they come.
const SLOTS: usize = 1 << 20;

impl Group {
    /// All rows as batches, one per source, epoch and context in the order of rows: what compaction writes again.
    ///
    /// # Errors
    /// As the disk says.
    pub fn batches(&self) -> Result<Vec<Batch>, StoreError> {
        let mut batches = Vec::new();
        let mut offsets = self.offset_steps()?;
        for run in &self.meta().runs {
            let end = (run.start + run.rows) as usize;
            let mut row = run.start as usize;
            while row < end {
                let context = self.context_id(row)?;
                let mut last = row + 1;
                while last < end && self.context_id(last)? == context {
                    last += 1;
                }
                batches.push(self.batch(run.source as usize, row..last, &mut offsets)?);
                row = last;
            }
        }
        Ok(batches)
    }

    fn batch(&self, source: usize, rows: Range<usize>, offsets: &mut Steps<'_>) -> Result<Batch, StoreError> {
        let (times, received) = (self.times()?, self.received()?);
        let mut batch = Batch {
            tenant: self.body.meta.tenant,
            source: self.body.sources[source].clone(),
            epoch: self.body.meta.sources[source].epoch,
            context: self.context(rows.start)?.clone(),
            rows: Vec::with_capacity(rows.len()),
            ..Batch::default()
        };
        let mut names = SlotNames::default();
        let mut taken = Taken::default();
        // Where rows are as long as others of the group, they fit. What a damaged segment says is not believed.
        let bytes = self.meta().raw_bytes.min(GROUP_BYTES) as usize / self.rows().max(1) * rows.len();
        taken.raw.reserve(bytes + bytes / 8);
        let slots: usize = rows.clone().map(|row| self.shape(row).slots.len()).sum();
        batch.slots.reserve(slots.min(SLOTS));
        let mut unprinted: Vec<usize> = Vec::new();
        for row in rows {
            let start = taken.raw.len();
            self.take_more(row, &mut taken)?;
            for (place, slot) in taken.slots.drain(..).enumerate() {
                if !slot.printed {
                    unprinted.push(batch.slots.len());
                }
                let name = names.id(place, &slot.name);
                let (start, len) = (slot.start as u32, slot.len as u32);
                batch.slots.push(Slot { start, len, name, kind: slot.kind, layout: slot.layout });
            }
            let len = taken.raw.len() - start;
            batch.rows.push(Row {
                start: start as u32,
                len: len as u32,
                offset: offsets.offset(row, len),
                time: times[row],
                received: received[row],
                slots_end: batch.slots.len() as u32,
                marks: self.shape(row).skeleton.marks,
            });
        }
        // Groups of many segments are in memory at a time.
        batch.slots.shrink_to_fit();
        let mut buffer = taken.raw;
        // A byte lies between, so that an empty unprinted slot does not touch the last row.
        buffer.push(0);
        for slot in unprinted {
            batch.slots[slot].start += buffer.len() as u32;
        }
        buffer.extend_from_slice(&taken.extra);
        buffer.shrink_to_fit();
        batch.buffer = buffer.into();
        batch.names = Arc::new(names.all);
        Ok(batch)
    }
}

/// The names of slots. Rows that follow each other mostly have the same ones in the same places.
#[derive(Default)]
struct SlotNames {
    all: Names,
    /// By the place of the slot, that of the row before.
    before: Vec<(Arc<str>, NameId)>,
}

impl SlotNames {
    fn id(&mut self, place: usize, name: &Arc<str>) -> NameId {
        if let Some((_, id)) = self.before.get(place).filter(|(before, _)| Arc::ptr_eq(before, name)) {
            return *id;
        }
        let id = self.all.intern(name);
        match self.before.get_mut(place) {
            Some(before) => *before = (name.clone(), id),
            None => self.before.push((name.clone(), id)),
        }
        id
    }
}
