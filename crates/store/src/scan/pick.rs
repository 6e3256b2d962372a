//! Rows by their addresses: what a question has found out about rows by a few of their columns, and wants to see of those that are
//! left. Knows nothing of why these.

use arrow::array::UInt32Array;
use arrow::compute::{concat_batches, take_record_batch};
use arrow::record_batch::RecordBatch;
use sawlog_model::{Address, Predicate, Tenant, TimeRange};
use sawlog_sys::task::Stop;

use super::gather::{Pick, gather};
use super::piece::{Opened, Piece, Wanted};
use crate::engine::Engine;
use crate::segment::{Group, Segment};
use crate::{Column, StoreError, columns};

/// Which of the asked-for addresses a row has, and which row of its piece it is.
type Found = Vec<(u32, u32)>;

impl Engine {
    /// The columns of the rows at these addresses, whose times are in the range, in the order of the addresses; and for each row
    /// which of them it has. Rows that are gone are left out.
    pub fn rows_at(
        &self,
        tenant: Tenant,
        range: TimeRange,
        addresses: &[Address],
        names: &[Column],
    ) -> Result<(Vec<u32>, RecordBatch), StoreError> {
        let mut sorted: Vec<(Address, u32)> = addresses.iter().copied().zip(0..).collect();
        sorted.sort_unstable();
        let wanted = Wanted { range, predicate: Predicate::All, stop: Stop::default() };
        let schema = columns::schema(names);
        let (mut which, mut batches) = (Vec::new(), Vec::new());
        let mut add = |found: Found, opened: Opened| {
            let picks: Vec<Pick> = found.iter().map(|(_, row)| (0, *row)).collect();
            let batch = gather(&[Some(opened)], &picks, names, &schema).map_err(|unread| unread.error)?;
            which.extend(found.iter().map(|(at, _)| *at));
            batches.push(batch);
            Ok::<(), StoreError>(())
        };
        for piece in self.pin(tenant, range, None)? {
            let handle = match piece {
                Piece::Memory(entry) => {
                    let at = |row: u32| Ok(entry.batch.row(row as usize).address());
                    let found = among(&sorted, 0..entry.batch.rows.len() as u32, at)?;
                    if !found.is_empty() {
                        add(found, Opened::memory(entry))?;
                    }
                    continue;
                }
                Piece::Segment(handle) => handle,
                Piece::Group { .. } => continue,
            };
            let Some(segment) = handle.segment()? else { continue };
            for index in Piece::indexes(&segment, &wanted) {
                let open = || {
                    let (found, group) = in_group(&sorted, &segment, index)?;
                    match group {
                        Some(group) if !found.is_empty() => Ok(Some((found, group))),
                        _ => Ok(None),
                    }
                };
                let added = match open() {
                    Ok(Some((found, group))) => add(found, Opened::group(&handle, group)),
                    Ok(None) => Ok(()),
                    Err(error) => Err(error),
                };
                if let Err(error) = added {
                    handle.quarantine(error)?;
                    break;
                }
            }
        }
        in_order(which, concat_batches(&schema, &batches))
    }
}

/// Puts rows in the order of the addresses that they have.
fn in_order(
    which: Vec<u32>,
    rows: Result<RecordBatch, arrow::error::ArrowError>,
) -> Result<(Vec<u32>, RecordBatch), StoreError> {
    let mut order: Vec<u32> = (0..which.len() as u32).collect();
    order.sort_unstable_by_key(|row| which[*row as usize]);
    let taken = rows.and_then(|rows| take_record_batch(&rows, &UInt32Array::from(order.clone())));
    let rows = taken.expect("every part gives the columns with the types of the schema");
    Ok((order.into_iter().map(|row| which[row as usize]).collect(), rows))
}

/// Of rows that stand by address those that are wanted.
fn among(
    sorted: &[(Address, u32)],
    rows: std::ops::Range<u32>,
    address: impl Fn(u32) -> Result<Address, StoreError>,
) -> Result<Found, StoreError> {
    let mut found = Found::new();
    if rows.is_empty() {
        return Ok(found);
    }
    let (first, last) = (address(rows.start)?, address(rows.end - 1)?);
    let start = sorted.partition_point(|(wanted, _)| *wanted < first);
    let mut from = rows.start;
    for (wanted, which) in sorted[start..].iter().take_while(|(wanted, _)| *wanted <= last) {
        let (mut low, mut high) = (from, rows.end);
        while low < high {
            let middle = low + (high - low) / 2;
            if address(middle)? < *wanted { low = middle + 1 } else { high = middle }
        }
        from = low;
        if low < rows.end && address(low)? == *wanted {
            found.push((*which, low));
        }
    }
    Ok(found)
}

/// The wanted rows of a group; it is opened only where it may have some.
fn in_group(
    sorted: &[(Address, u32)],
    segment: &Segment,
    index: usize,
) -> Result<(Found, Option<Group>), StoreError> {
    let meta = segment.meta();
    let (mut found, mut group) = (Found::new(), None);
    for run in &meta.groups[index].runs {
        let source = &meta.sources[run.source as usize];
        let at = |offset| Address { source: source.source, epoch: source.epoch, offset };
        let start = sorted.partition_point(|(wanted, _)| *wanted < at(run.first));
        if sorted.get(start).is_none_or(|(wanted, _)| *wanted > at(run.last)) {
            continue;
        }
        let group = match &mut group {
            Some(group) => &*group,
            none => &*none.insert(segment.group(index)?),
        };
        let wanted = sorted[start..].iter().take_while(|(wanted, _)| *wanted <= at(run.last));
        for (wanted, which) in wanted {
            let rows = run.start as usize..(run.start + run.rows) as usize;
            found.extend(group.row_at(rows, wanted.offset)?.map(|row| (*which, row as u32)));
        }
    }
    Ok((found, group))
}
