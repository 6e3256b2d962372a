//! Cutting off rows of a batch that are already stored. Knows nothing of where the mark comes from.

use sawlog_model::{Batch, Marks, Row};

/// How far a source is stored: epoch and offset of the first byte that is not.
pub(crate) type Mark = (u32, u64);

/// What of a batch is new.
pub(crate) enum Trimmed {
    /// All of it.
    Whole,
    /// Nothing.
    Nothing,
    /// These rows.
    Part(Batch),
}

/// Says which rows of `batch`, after which its source stands at `end`, lie at or after `mark`. A row that begins before
/// the mark and goes on after it is cut there, if its bytes are the source's own and a line ends there: an event may
/// have been cut at another line the last time it was read.
pub(crate) fn trim(batch: &Batch, end: Mark, mark: Mark) -> Trimmed {
    let (epoch, offset) = mark;
    if batch.epoch > epoch
        || batch.rows.first().is_none_or(|row| row.offset >= offset) && batch.epoch == epoch
    {
        return Trimmed::Whole;
    }
    if batch.epoch < epoch {
        return Trimmed::Nothing;
    }
    let mut kept = Batch { rows: Vec::new(), slots: Vec::new(), ..batch.clone() };
    for (index, row) in batch.rows.iter().enumerate() {
        let cut = if row.offset >= offset {
            Some(0)
        } else {
            let next = match batch.rows.get(index + 1) {
                Some(next) => next.offset,
                None if end.0 == batch.epoch => end.1,
                None => u64::MAX,
            };
            part_after(batch, row, next, offset)
        };
        if let Some(cut) = cut {
            keep(batch, index, cut, &mut kept);
        }
    }
    if kept.rows.is_empty() { Trimmed::Nothing } else { Trimmed::Part(kept) }
}

/// How many bytes to cut off the front of a row that begins before `mark`; `None` where nothing of it is new. `next` is
/// where what follows begins.
fn part_after(batch: &Batch, row: &Row, next: u64, mark: u64) -> Option<u32> {
    // A rendered line and one in another encoding have lengths of their own: where what follows begins at the mark or
    // before, the row ends there, whatever its length.
    let row_end = row.offset.saturating_add(u64::from(row.len)).min(next);
    if row.marks.has(Marks::MADE) || row_end <= mark {
        return None;
    }
    let cut = (mark - row.offset) as u32;
    (batch.buffer[(row.start + cut - 1) as usize] == b'\n').then_some(cut)
}

/// Copies a row without its first `cut` bytes and the slots in them.
fn keep(batch: &Batch, index: usize, cut: u32, kept: &mut Batch) {
    let from = batch.row(index);
    let mut row = *from.row();
    row.start += cut;
    row.len -= cut;
    row.offset += u64::from(cut);
    let was = *from.row();
    kept.slots
        .extend(from.slots().iter().filter(|slot| !(was.start..row.start).contains(&slot.start)).copied());
    row.slots_end = kept.slots.len() as u32;
    kept.rows.push(row);
}
