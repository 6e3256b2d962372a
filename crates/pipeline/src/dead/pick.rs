//! Some rows of a batch as a batch of their own, with no more bytes than they need: what is kept for long must not hold the
//! rest of its buffer. Knows nothing of why they are picked.

use sawlog_model::{Batch, RowRef, Slot};

use crate::graph::without_rows;

/// The rows that `keep` says yes to.
pub(crate) fn pick(batch: &Batch, keep: impl Fn(RowRef<'_>) -> bool) -> Batch {
    let mut picked = Batch { names: batch.names.clone(), ..without_rows(batch) };
    let mut buffer = Vec::new();
    for row in batch.iter().filter(|row| keep(*row)) {
        let (from, to) = (row.row().start, buffer.len() as u32);
        buffer.extend_from_slice(row.raw());
        for slot in row.slots() {
            let start = match row.is_printed(slot) {
                true => slot.start - from + to,
                false => {
                    let start = buffer.len() as u32;
                    buffer.extend_from_slice(row.slot(slot));
                    start
                }
            };
            picked.slots.push(Slot { start, ..*slot });
        }
        let slots_end = picked.slots.len() as u32;
        picked.rows.push(sawlog_model::Row { start: to, slots_end, ..*row.row() });
    }
    picked.buffer = buffer.into();
    picked
}
