//! Rows of one batch that come to an output on several ways, as one batch again: an output is given each batch once, so that
//! what it numbers and positions by stays the same whatever the configuration. Knows nothing of routes.

use std::sync::Arc;

use sawlog_model::{Batch, Kind, Row, Slot};

/// The batch without its rows: what is left is whose and where from.
pub(crate) fn without_rows(batch: &Batch) -> Batch {
    Batch {
        tenant: batch.tenant,
        source: batch.source.clone(),
        epoch: batch.epoch,
        context: batch.context.clone(),
        ..Batch::default()
    }
}

/// All rows in the order of their addresses, each once. The context is that of the first part; where another part's differs,
/// its rows get the difference as fields.
pub(super) fn merge(parts: &[Arc<Batch>]) -> Batch {
    let Some(first) = parts.first() else { return Batch::default() };
    let mut names = (*first.names).clone();
    let mut buffer = Vec::new();
    let mut rows: Vec<(Row, Vec<Slot>)> = Vec::new();
    let mut copied: Vec<(&Arc<Batch>, u32)> = Vec::new();
    for part in parts {
        // What a filter lets through and what it failed on mostly stand on the same buffer.
        let is_copied = |(have, _): &&(&Arc<Batch>, u32)| {
            have.buffer.as_ptr() == part.buffer.as_ptr() && have.buffer.len() == part.buffer.len()
        };
        let base = copied.iter().find(is_copied).map_or(buffer.len() as u32, |(_, base)| *base);
        if base as usize == buffer.len() {
            buffer.extend_from_slice(&part.buffer);
            copied.push((part, base));
        }
        let ids: Vec<_> = part.names.iter().map(|name| names.intern(name)).collect();
        let mut own = Vec::new();
        for (name, value) in
            part.context.iter().filter(|(name, value)| first.context.get(name) != Some(value))
        {
            let (start, len) = (buffer.len() as u32, value.len() as u32);
            buffer.extend_from_slice(value.as_bytes());
            own.push(Slot { start, len, name: names.intern(name), kind: Kind::Text, layout: 0 });
        }
        for row in part.iter() {
            let moved =
                |slot: &Slot| Slot { start: slot.start + base, name: ids[slot.name.0 as usize], ..*slot };
            let slots = row.slots().iter().map(moved).chain(own.iter().copied()).collect();
            rows.push((Row { start: row.row().start + base, ..*row.row() }, slots));
        }
    }
    rows.sort_by_key(|(row, _)| row.offset);
    rows.dedup_by_key(|(row, _)| row.offset);
    let mut merged = Batch { buffer: buffer.into(), names: Arc::new(names), ..without_rows(first) };
    for (mut row, slots) in rows {
        merged.slots.extend(slots);
        row.slots_end = merged.slots.len() as u32;
        merged.rows.push(row);
    }
    merged
}
