//! The rows of a group as batches: what compaction writes again. Knows nothing of how it is written.

use std::sync::Arc;

use sawlog_model::{Batch, NameId, Names, Row, Slot};

use super::group::Group;
use super::row::Taken;
use crate::StoreError;

impl Group {
    /// All rows as batches, one per source, epoch and context in the order of rows: what compaction writes again.
    ///
    /// # Errors
    /// As the disk says.
    pub fn batches(&self) -> Result<Vec<Batch>, StoreError> {
        let mut batches = Vec::new();
        for run in &self.meta().runs {
            let end = (run.start + run.rows) as usize;
            let mut row = run.start as usize;
            while row < end {
                let context = self.context_id(row)?;
                let mut last = row + 1;
                while last < end && self.context_id(last)? == context {
                    last += 1;
                }
                batches.push(self.batch(run.source as usize, row..last)?);
                row = last;
            }
        }
        Ok(batches)
    }

    fn batch(&self, source: usize, rows: std::ops::Range<usize>) -> Result<Batch, StoreError> {
        let (times, received) = (self.times()?, self.received()?);
        let mut batch = Batch {
            tenant: self.body.meta.tenant,
            source: self.body.sources[source].clone(),
            epoch: self.body.meta.sources[source].epoch,
            context: self.context(rows.start)?.clone(),
            ..Batch::default()
        };
        let mut names = Names::default();
        let mut taken = Taken::default();
        let (mut buffer, mut extra) = (Vec::new(), Vec::new());
        let mut unprinted: Vec<usize> = Vec::new();
        for row in rows {
            self.take(row, &mut taken)?;
            let start = buffer.len();
            for slot in &taken.slots {
                let from = if slot.printed {
                    start + slot.start
                } else {
                    unprinted.push(batch.slots.len());
                    extra.len() + slot.start
                };
                let name: NameId = names.intern(&slot.name);
                let (start, len) = (from as u32, slot.len as u32);
                batch.slots.push(Slot { start, len, name, kind: slot.kind, layout: slot.layout });
            }
            buffer.extend_from_slice(&taken.raw);
            extra.extend_from_slice(&taken.extra);
            batch.rows.push(Row {
                start: start as u32,
                len: taken.raw.len() as u32,
                offset: self.offset(row)?,
                time: times[row],
                received: received[row],
                slots_end: batch.slots.len() as u32,
                marks: self.shapes[self.codes[row] as usize].skeleton.marks,
            });
        }
        // Groups of many segments are in memory at a time.
        batch.rows.shrink_to_fit();
        batch.slots.shrink_to_fit();
        // A byte lies between, so that an empty unprinted slot does not touch the last row.
        buffer.push(0);
        for slot in unprinted {
            batch.slots[slot].start += buffer.len() as u32;
        }
        buffer.extend_from_slice(&extra);
        buffer.shrink_to_fit();
        batch.buffer = buffer.into();
        batch.names = Arc::new(names);
        Ok(batch)
    }
}
