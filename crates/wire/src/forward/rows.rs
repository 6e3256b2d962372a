//! Events of messages to rows of a batch. Knows nothing of connections, sources or acknowledgements.

use std::sync::Arc;

use sawlog_model::value::{Line, Slots};
use sawlog_model::{Batch, Kind, Limits, Marks, Names, Nanos, Row, Slot};
use sawlog_pipeline::DecodeError;

use super::frame::broken;
use super::message::Event;
use crate::shared::msgpack;

/// Spans have 32 bits; a buffer stays well below that.
const BUFFER_MOST: usize = 1 << 30;

/// Name of the fields that v1.5's metadata become.
const METADATA: &str = "_metadata";

/// Rows under construction.
pub struct Rows {
    /// Lines, each followed by the bytes of its unprinted fields.
    pub buffer: Vec<u8>,
    /// Names of slots; those of the batches before, and new ones.
    pub names: Arc<Names>,
    /// Rows.
    pub rows: Vec<Row>,
    /// Their slots.
    pub slots: Vec<Slot>,
}

impl Rows {
    /// None yet; `names` are those of the batches before. Lines go to the end of `buffer`, which is empty, and there is room for
    /// so many rows.
    pub fn new(names: Arc<Names>, buffer: Vec<u8>, rows: usize) -> Self {
        Rows { buffer, names, rows: Vec::with_capacity(rows), slots: Vec::with_capacity(rows) }
    }

    /// Bytes of memory that they take.
    pub fn weight(&self) -> usize {
        self.buffer.len()
            + self.rows.len() * std::mem::size_of::<Row>()
            + self.slots.len() * std::mem::size_of::<Slot>()
    }

    /// Appends an event that came at `received`, with the `added` fields that are not part of its line.
    ///
    /// # Errors
    /// [`DecodeError`] where the rows become more than a message may.
    pub fn push(
        &mut self,
        event: &Event<'_>,
        received: Nanos,
        added: &[(&str, &str)],
        limits: &Limits,
    ) -> Result<(), DecodeError> {
        let start = self.buffer.len();
        let slots = Slots::new("", limits, &mut self.names, &mut self.slots);
        msgpack::line(event.record, &event.measured, &mut Line::with_slots(slots, &mut self.buffer))
            .map_err(|error| broken(error, 0))?;
        self.buffer.push(b'\n');
        let len = self.buffer.len() - start;
        if let Some((bytes, measured)) = &event.metadata {
            let slots = Slots::new(METADATA, limits, &mut self.names, &mut self.slots);
            msgpack::line(bytes, measured, &mut Line::with_slots(slots, &mut self.buffer))
                .map_err(|error| broken(error, 0))?;
        }
        for (name, value) in added {
            let name = Arc::make_mut(&mut self.names).intern(name);
            let start = self.buffer.len() as u32;
            self.buffer.extend_from_slice(value.as_bytes());
            self.slots.push(Slot { start, len: value.len() as u32, name, kind: Kind::Text, layout: 0 });
        }
        let mut marks = Marks::MAP.with(Marks::JSON);
        if event.time.is_none() {
            marks = marks.with(Marks::NO_TIME);
        }
        self.rows.push(Row {
            start: start as u32,
            len: len as u32,
            offset: self.rows.len() as u64,
            time: event.time.unwrap_or(received),
            received,
            slots_end: self.slots.len() as u32,
            marks,
        });
        let most = BUFFER_MOST.min(limits.message.saturating_mul(4));
        if self.weight() > most {
            let what = format!("the events of a message take more than {most} bytes");
            return Err(DecodeError { reason: "too_large", what, at: 0 });
        }
        Ok(())
    }
}

/// Whether the rows of both can stand in one batch: they are of one connection's stream, whose names only grow.
pub fn joins(first: &Batch, next: &Batch) -> bool {
    Arc::ptr_eq(&first.source, &next.source)
        && Arc::ptr_eq(&first.context, &next.context)
        && first.names.len() <= next.names.len()
}

/// One batch of several that [`joins`] allows: a journal frame says source, context and names once then, and not for every
/// message of a sender that packs nothing.
pub fn join(batches: Vec<Batch>) -> Batch {
    let mut buffer = Vec::with_capacity(batches.iter().map(|batch| batch.buffer.len()).sum());
    let (mut rows, mut slots): (Vec<Row>, Vec<Slot>) = Default::default();
    for batch in &batches {
        let (start, slots_before) = (buffer.len() as u32, slots.len() as u32);
        buffer.extend_from_slice(&batch.buffer);
        slots.extend(batch.slots.iter().map(|slot| Slot { start: slot.start + start, ..*slot }));
        rows.extend(batch.rows.iter().map(|row| Row {
            start: row.start + start,
            slots_end: row.slots_end + slots_before,
            ..*row
        }));
    }
    // The last one's names are those of all.
    Batch { buffer: buffer.into(), rows, slots, ..batches.into_iter().next_back().unwrap_or_default() }
}
