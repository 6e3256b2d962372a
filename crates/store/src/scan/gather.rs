//! From picked rows to one record batch: each piece gives the columns of its rows at once, then they are put in the
//! order of the picks. Knows nothing of how rows were picked.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::compute::interleave;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use sawlog_model::RowRef;

use super::piece::{Opened, Rows};
use crate::{Column, StoreError, columns, handle::Handle};

/// A row: the open piece, and its index there.
pub(crate) type Pick = (usize, u32);

/// A piece could not be read.
pub(crate) struct Unread {
    /// The piece.
    pub slot: usize,
    /// Its segment.
    pub handle: Arc<Handle>,
    /// Why.
    pub error: StoreError,
}

/// The columns of the picked rows, in the order of the picks.
pub(crate) fn gather(
    open: &[Option<Opened>],
    picks: &[Pick],
    names: &[Column],
    schema: &SchemaRef,
) -> Result<RecordBatch, Box<Unread>> {
    let mut parts = Parts::default();
    let mut indices: Vec<(usize, usize)> = Vec::with_capacity(picks.len());
    for (slot, row) in picks {
        match &open[*slot] {
            Some(Opened { rows: Rows::Memory(entry), .. }) => {
                let part = parts.memory_part();
                parts.memory.push(entry.batch.row(*row as usize));
                indices.push((part, parts.memory.len() - 1));
            }
            Some(Opened { rows: Rows::Group(_), .. }) => {
                let part = parts.group_part(*slot);
                parts.groups[part].1.push(*row);
                indices.push((part, parts.groups[part].1.len() - 1));
            }
            None => {}
        }
    }
    let mut columns: Vec<Vec<ArrayRef>> = Vec::with_capacity(parts.groups.len());
    for (slot, rows) in &parts.groups {
        let Some(slot) = slot else {
            columns.push(columns::arrays(names, &parts.memory));
            continue;
        };
        let Some(Opened { rows: Rows::Group(of), .. }) = &open[*slot] else { continue };
        let unread = |error| Box::new(Unread { slot: *slot, handle: of.handle.clone(), error });
        columns.push(if names.is_empty() {
            Vec::new()
        } else {
            of.group.columns(names, rows).map_err(unread)?
        });
    }
    let arrays = match columns.len() {
        0 => columns::arrays::<RowRef<'_>>(names, &[]),
        1 => columns.swap_remove(0),
        _ => (0..names.len()).map(|at| mix(&columns, at, &indices)).collect(),
    };
    let options = RecordBatchOptions::new().with_row_count(Some(indices.len()));
    let batch = RecordBatch::try_new_with_options(schema.clone(), arrays, &options);
    Ok(batch.expect("every part gives the columns with the types of the schema"))
}

fn mix(columns: &[Vec<ArrayRef>], at: usize, indices: &[(usize, usize)]) -> ArrayRef {
    let arrays: Vec<&dyn Array> = columns.iter().map(|part| part[at].as_ref()).collect();
    interleave(&arrays, indices).expect("every part gives the columns with the types of the schema")
}

/// Rows by the piece that gives their columns; all rows in memory are one part.
#[derive(Default)]
struct Parts<'a> {
    /// Slot (`None`: memory) and rows.
    groups: Vec<(Option<usize>, Vec<u32>)>,
    by_slot: HashMap<Option<usize>, usize>,
    memory: Vec<RowRef<'a>>,
}

impl Parts<'_> {
    fn memory_part(&mut self) -> usize {
        self.part(None)
    }

    fn group_part(&mut self, slot: usize) -> usize {
        self.part(Some(slot))
    }

    fn part(&mut self, slot: Option<usize>) -> usize {
        *self.by_slot.entry(slot).or_insert_with(|| {
            self.groups.push((slot, Vec::new()));
            self.groups.len() - 1
        })
    }
}
