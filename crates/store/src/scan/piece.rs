//! What a scan reads, piece by piece: a segment, one of its row groups, a batch in memory. A piece is cheap until it is
//! opened; open, it is a list of the rows that are wanted. Knows nothing of how pieces are put in order.

use std::sync::Arc;

use sawlog_model::{Nanos, Predicate, RowRef, SourceId, TimeRange};
use sawlog_sys::task::Stop;

use crate::memtable::Entry;
use crate::scan::key::{Direction, Key};
use crate::segment::{Group, Segment};
use crate::{StoreError, handle::Handle};

/// What is wanted.
pub(crate) struct Wanted {
    pub range: TimeRange,
    pub predicate: Predicate,
    /// Asked when the reader no longer wants any.
    pub stop: Stop,
}

/// What was read so far.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counters {
    pub rows: u64,
    pub raw_bytes: u64,
}

/// Something to read.
pub(crate) enum Piece {
    /// A whole segment: it gives groups.
    Segment(Arc<Handle>),
    /// A row group.
    Group {
        handle: Arc<Handle>,
        segment: Arc<Segment>,
        group: usize,
        /// First row and rows, where only those are wanted.
        rows: Option<(u32, u32)>,
    },
    /// A batch.
    Memory(Arc<Entry>),
}

/// An open piece: the rows that are wanted.
pub(crate) struct Opened {
    pub rows: Rows,
    /// Indexes of the rows, the first `sorted` of them in order.
    order: Vec<u32>,
    sorted: usize,
    /// How many were taken.
    taken: usize,
}

/// Where the rows are.
pub(crate) enum Rows {
    /// In a row group.
    Group(Box<GroupRows>),
    /// In a batch.
    Memory(Arc<Entry>),
}

/// Rows of a row group.
pub(crate) struct GroupRows {
    pub handle: Arc<Handle>,
    pub group: Group,
    /// Only where they are put in order.
    keys: Option<GroupKeys>,
}

/// What orders the rows of a group.
pub(crate) struct GroupKeys {
    times: Arc<Vec<Nanos>>,
    /// First row, source and epoch of each run.
    runs: Vec<(u32, SourceId, u32)>,
}

impl Piece {
    /// The groups of a segment that may hold wanted rows; for one source only its runs.
    pub fn groups(
        handle: &Arc<Handle>,
        segment: &Arc<Segment>,
        wanted: &Wanted,
        source: Option<SourceId>,
    ) -> Vec<Piece> {
        let meta = segment.meta();
        let mut pieces = Vec::new();
        let mut push = |group, rows| {
            pieces.push(Piece::Group { handle: handle.clone(), segment: segment.clone(), group, rows });
        };
        for index in Piece::indexes(segment, wanted) {
            match source {
                None => push(index, None),
                Some(source) => meta.groups[index]
                    .runs
                    .iter()
                    .filter(|run| meta.sources[run.source as usize].source == source)
                    .for_each(|run| push(index, Some((run.start, run.rows)))),
            }
        }
        pieces
    }

    /// The groups of a segment with rows of these times.
    pub fn indexes(segment: &Segment, wanted: &Wanted) -> Vec<usize> {
        let groups = segment.meta().groups.iter().enumerate();
        let in_range = groups.filter(|(_, group)| wanted.range.overlaps(group.first_time, group.last_time));
        in_range.map(|(index, _)| index).collect()
    }

    /// Time of its last row; of a group, none.
    pub fn last_time(&self) -> Nanos {
        match self {
            Piece::Segment(handle) => handle.entry.last_time,
            Piece::Memory(entry) => entry.last_time,
            Piece::Group { .. } => Nanos::MIN,
        }
    }

    /// The key before which none of its rows comes; `None` where it can hold nothing.
    pub fn bound(&self, direction: Direction) -> Option<Key> {
        match self {
            Piece::Segment(handle) => {
                Some(Key::time_bound(direction, handle.entry.first_time, handle.entry.last_time))
            }
            Piece::Group { segment, group, rows, .. } => {
                let meta = &segment.meta().groups[*group];
                match (direction, rows) {
                    (Direction::Source, Some((start, _))) => {
                        let run = meta.runs.iter().find(|run| run.start == *start)?;
                        let epoch = segment.meta().sources[run.source as usize].epoch;
                        Some(Key::address_bound(epoch, run.first))
                    }
                    _ => Some(Key::time_bound(direction, meta.first_time, meta.last_time)),
                }
            }
            Piece::Memory(entry) => {
                let first = entry.batch.rows.first()?;
                Some(match direction {
                    Direction::Source => Key::address_bound(entry.batch.epoch, first.offset),
                    _ => Key::time_bound(direction, entry.first_time, entry.last_time),
                })
            }
        }
    }

    /// Opens a group or a batch; `None` where no row is wanted.
    ///
    /// # Errors
    /// [`StoreError`], after which the handle says what to do.
    pub fn open(
        self,
        wanted: &Wanted,
        direction: Option<Direction>,
        counters: &mut Counters,
    ) -> Result<Option<Opened>, StoreError> {
        let (rows, order) = match self {
            Piece::Segment(_) => return Ok(None),
            Piece::Memory(entry) => {
                counters.add(entry.batch.rows.len() as u64, entry.batch.raw_len());
                let order = wanted.rows_of(&entry).map(|row| row.index as u32).collect();
                (Rows::Memory(entry), order)
            }
            Piece::Group { handle, segment, group: index, rows } => {
                if !segment.may_keep(index, &wanted.predicate)?
                    || segment.has_no_such_number(index, &wanted.predicate)?
                {
                    return Ok(None);
                }
                let meta = &segment.meta().groups[index];
                counters.add(u64::from(meta.rows), meta.raw_bytes);
                let group = segment.group(index)?;
                let mut order = group.select(&wanted.predicate, wanted.range)?;
                if let Some((start, count)) = rows {
                    order.retain(|row| (start..start + count).contains(row));
                }
                let keys = match direction {
                    Some(_) if !order.is_empty() => Some(GroupKeys::read(&group, &segment, index)?),
                    _ => None,
                };
                (Rows::Group(Box::new(GroupRows { handle, group, keys })), order)
            }
        };
        // In a group and in a batch rows stand by address already.
        let sorted = if matches!(direction, None | Some(Direction::Source)) { order.len() } else { 0 };
        let opened = Opened { rows, order, sorted, taken: 0 };
        Ok((!opened.order.is_empty()).then_some(opened))
    }

    /// How many rows of a group or a batch are wanted.
    ///
    /// # Errors
    /// As [`Piece::open`].
    pub fn count(self, wanted: &Wanted, counters: &mut Counters) -> Result<u64, StoreError> {
        Ok(match self {
            Piece::Segment(_) => 0,
            Piece::Memory(entry) => {
                counters.add(entry.batch.rows.len() as u64, entry.batch.raw_len());
                wanted.rows_of(&entry).count() as u64
            }
            Piece::Group { segment, group, rows: None, .. } => {
                let counted = segment.count(group, &wanted.predicate, wanted.range)?;
                let meta = &segment.meta().groups[group];
                counters.add(u64::from(meta.rows), meta.raw_bytes);
                counted
            }
            piece => piece.open(wanted, None, counters)?.map_or(0, |opened| opened.order.len() as u64),
        })
    }
}

impl Wanted {
    /// The rows of a batch that are wanted.
    fn rows_of<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = RowRef<'a>> {
        entry.batch.iter().filter(|row| self.range.contains(row.row().time) && self.predicate.keeps(row))
    }
}

impl Counters {
    fn add(&mut self, rows: u64, raw_bytes: u64) {
        self.rows += rows;
        self.raw_bytes += raw_bytes;
    }
}

impl GroupKeys {
    fn read(group: &Group, segment: &Segment, index: usize) -> Result<GroupKeys, StoreError> {
        let meta = segment.meta();
        let runs = meta.groups[index].runs.iter().map(|run| {
            let source = &meta.sources[run.source as usize];
            (run.start, source.source, source.epoch)
        });
        Ok(GroupKeys { times: group.times()?, runs: runs.collect() })
    }

    fn key(&self, group: &Group, direction: Direction, row: u32) -> Result<Key, StoreError> {
        let run = self.runs.partition_point(|(start, _, _)| *start <= row).saturating_sub(1);
        let (_, source, epoch) = self.runs[run];
        let (time, offset) = (self.times[row as usize], group.offset(row as usize)?);
        Ok(Key::new(direction, time, source, epoch, offset))
    }
}

/// So many rows of a piece are put in order at first; the rest only when it is needed.
const FIRST_SORTED: usize = 512;

impl Opened {
    /// A group of which its rows are picked one by one.
    pub fn group(handle: &Arc<Handle>, group: Group) -> Opened {
        let rows = Rows::Group(Box::new(GroupRows { handle: handle.clone(), group, keys: None }));
        Opened { rows, order: Vec::new(), sorted: 0, taken: 0 }
    }

    /// A batch, in the same way.
    pub fn memory(entry: Arc<Entry>) -> Opened {
        Opened { rows: Rows::Memory(entry), order: Vec::new(), sorted: 0, taken: 0 }
    }

    /// The key of the next row; none at the end, and where the rest cannot be read because the segment is damaged, which is
    /// then reported.
    ///
    /// # Errors
    /// Where the disk failed in a way that may pass.
    pub fn head(&mut self, direction: Direction) -> Result<Option<Key>, StoreError> {
        if self.taken == self.sorted && self.taken < self.order.len() {
            self.sort_more(direction);
        }
        let Some(row) = self.order.get(self.taken).copied() else { return Ok(None) };
        match &self.rows {
            Rows::Group(rows) => {
                let Some(keys) = &rows.keys else { return Ok(None) };
                match keys.key(&rows.group, direction, row) {
                    Ok(key) => Ok(Some(key)),
                    Err(error) => rows.handle.quarantine(error).map(|()| None),
                }
            }
            Rows::Memory(entry) => {
                let address = entry.batch.row(row as usize).address();
                let time = entry.batch.rows[row as usize].time;
                Ok(Some(Key::new(direction, time, address.source, address.epoch, address.offset)))
            }
        }
    }

    /// Puts the next rows in order: a search that stops early never pays for all of them. Within a piece rows stand by
    /// address, so time and index decide.
    fn sort_more(&mut self, direction: Direction) {
        let rest = &mut self.order[self.sorted..];
        let time = |row: u32| match &self.rows {
            Rows::Group(rows) => rows.keys.as_ref().map_or(0, |keys| keys.times[row as usize]),
            Rows::Memory(entry) => entry.batch.rows[row as usize].time,
        };
        let compare = |a: &u32, b: &u32| {
            let ascending = (time(*a), *a).cmp(&(time(*b), *b));
            if direction == Direction::Newest { ascending.reverse() } else { ascending }
        };
        let mut part = rest.len();
        if self.sorted == 0 && part > 2 * FIRST_SORTED {
            part = FIRST_SORTED;
            rest.select_nth_unstable_by(part, compare);
        }
        rest[..part].sort_unstable_by(compare);
        self.sorted += part;
    }

    /// The rows that were not taken yet.
    pub fn rows_left(&self) -> &[u32] {
        &self.order[self.taken..]
    }

    /// Takes the next row.
    pub fn take(&mut self) -> Option<u32> {
        let row = *self.order.get(self.taken)?;
        self.taken += 1;
        Some(row)
    }
}
