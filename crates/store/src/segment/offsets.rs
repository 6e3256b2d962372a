//! Offsets of the rows of a group: most follow from the row before. Knows nothing of predicates.

use std::ops::Range;
use std::sync::OnceLock;

use super::cursor::{Cursor, Damage};
use super::group::{Group, once};
use super::{GroupMeta, SourceRun, ints, stream};
use crate::StoreError;

/// Of so many rows whose offsets follow from their lengths the first has its offset written, so that for one row only
/// these are put together.
pub(super) const STRETCH: usize = 512;

/// Where the stretches of a run begin, without its first.
pub(super) fn anchors(run: &SourceRun) -> impl Iterator<Item = usize> + use<> {
    let (start, rows) = (run.start as usize, run.rows as usize);
    (start..start + rows).step_by(STRETCH).skip(1)
}

/// How offsets follow from each other.
pub(super) struct Offsets {
    stretches: Vec<Stretch>,
    /// Rows whose offset is not what the rule says, and by how much.
    exceptions: Vec<(usize, u64)>,
}

/// Rows that follow from their first.
struct Stretch {
    start: usize,
    end: usize,
    first: u64,
    /// By the length of the row before, else by one.
    by_length: bool,
    offsets: OnceLock<Vec<u64>>,
}

impl Group {
    /// The offset of a row.
    ///
    /// # Errors
    /// As the disk says.
    pub fn offset(&self, row: usize) -> Result<u64, StoreError> {
        let offsets = self.offsets()?;
        let at = offsets.stretches.partition_point(|stretch| stretch.start <= row).saturating_sub(1);
        let missing = || self.body.damaged(Damage::Bytes("a row is in no run"));
        let stretch = offsets.stretches.get(at).ok_or_else(missing)?;
        let of_stretch = once(&stretch.offsets, || self.offsets_of(stretch, &offsets.exceptions))?;
        of_stretch.get(row - stretch.start).copied().ok_or_else(missing)
    }

    /// The first of these rows, all those of a run, that has the offset. Where stretches begin is known, so that the rows of only one
    /// are put together.
    ///
    /// # Errors
    /// As the disk says.
    pub(crate) fn row_at(&self, rows: Range<usize>, offset: u64) -> Result<Option<usize>, StoreError> {
        let offsets = self.offsets()?;
        let before = |row: usize| offsets.stretches.partition_point(|stretch| stretch.start < row);
        let run = &offsets.stretches[before(rows.start)..before(rows.end)];
        let (earlier, later) = run.split_at(run.partition_point(|stretch| stretch.first < offset));
        if let Some(stretch) = earlier.last() {
            let of_stretch = once(&stretch.offsets, || self.offsets_of(stretch, &offsets.exceptions))?;
            let place = of_stretch.partition_point(|have| *have < offset);
            if of_stretch.get(place) == Some(&offset) {
                return Ok(Some(stretch.start + place));
            }
        }
        Ok(later.first().filter(|stretch| stretch.first == offset).map(|stretch| stretch.start))
    }

    fn offsets(&self) -> Result<&Offsets, StoreError> {
        once(&self.offsets, || {
            let body = self.body.stream(stream::OFFSETS, self.number as u32 + 1)?;
            let mut head = Cursor::new(&self.heads.bytes()[self.heads.places().offsets..]);
            let offsets = Offsets::read(self.meta(), &mut head, &mut Cursor::new(&body));
            offsets.map_err(|damage| self.body.damaged(damage))
        })
    }

    fn offsets_of(&self, stretch: &Stretch, exceptions: &[(usize, u64)]) -> Result<Vec<u64>, StoreError> {
        let mut steps = Steps::over(std::slice::from_ref(stretch), exceptions);
        let mut offsets = Vec::with_capacity(stretch.end - stretch.start);
        let mut line = Vec::new();
        for row in stretch.start..stretch.end {
            if stretch.by_length {
                line.clear();
                self.render(row, &mut line)?;
            }
            offsets.push(steps.offset(row, line.len()));
        }
        Ok(offsets)
    }

    /// The offsets of all rows, for who puts each row together and so knows its length.
    pub(super) fn offset_steps(&self) -> Result<Steps<'_>, StoreError> {
        let offsets = self.offsets()?;
        Ok(Steps::over(&offsets.stretches, &offsets.exceptions))
    }
}

/// Goes from offset to offset, over rows one after the other.
pub(super) struct Steps<'a> {
    /// The stretches of the rows to come.
    later: &'a [Stretch],
    exceptions: &'a [(usize, u64)],
    next: u64,
    by_length: bool,
}

impl<'a> Steps<'a> {
    fn over(stretches: &'a [Stretch], exceptions: &'a [(usize, u64)]) -> Self {
        let start = stretches.first().map_or(0, |stretch| stretch.start);
        let before = exceptions.partition_point(|(at, _)| *at < start);
        Steps { later: stretches, exceptions: &exceptions[before..], next: 0, by_length: false }
    }

    /// The offset of `row`, which has so many bytes and comes after the row that was asked for before, or is the first.
    pub(super) fn offset(&mut self, row: usize, length: usize) -> u64 {
        if let Some((_, difference)) = self.exceptions.first().filter(|(at, _)| *at == row) {
            self.next = self.next.wrapping_add(*difference);
            self.exceptions = &self.exceptions[1..];
        }
        if let Some(stretch) = self.later.first().filter(|stretch| stretch.start == row) {
            (self.next, self.by_length) = (stretch.first, stretch.by_length);
            self.later = &self.later[1..];
        }
        let offset = self.next;
        let length = if self.by_length { length as u64 } else { 1 };
        self.next = offset.wrapping_add(length);
        offset
    }
}

impl Offsets {
    /// Passes over them.
    pub(super) fn skip(meta: &GroupMeta, head: &mut Cursor<'_>) -> Result<(), Damage> {
        let by_length = Offsets::by_length(meta, head)?;
        let count = head.varint()? as usize;
        ints::size(count, head)?;
        ints::size(count, head)?;
        ints::size(Offsets::anchors(meta, &by_length), head)?;
        Ok(())
    }

    fn by_length(meta: &GroupMeta, head: &mut Cursor<'_>) -> Result<Vec<bool>, Damage> {
        meta.runs.iter().map(|_| Ok(head.byte()? != 0)).collect()
    }

    /// How many offsets are written.
    fn anchors(meta: &GroupMeta, by_length: &[bool]) -> usize {
        meta.runs
            .iter()
            .zip(by_length)
            .filter(|(_, by_length)| **by_length)
            .map(|(run, _)| anchors(run).count())
            .sum()
    }

    fn read(meta: &GroupMeta, head: &mut Cursor<'_>, body: &mut Cursor<'_>) -> Result<Offsets, Damage> {
        let by_length = Offsets::by_length(meta, head)?;
        let count = head.varint()? as usize;
        if count > meta.rows as usize {
            return Err(Damage::Bytes("more offsets than rows"));
        }
        let at = ints::decode(count, head, body)?;
        let differences = ints::decode(count, head, body)?;
        let mut steps = ints::decode(Offsets::anchors(meta, &by_length), head, body)?.into_iter();
        let mut row = 0usize;
        let exceptions = at
            .into_iter()
            .zip(differences)
            .map(|(step, difference)| {
                row = row.wrapping_add(step as usize);
                (row, difference as u64)
            })
            .collect();
        let mut stretches = Vec::new();
        for (run, by_length) in meta.runs.iter().zip(by_length) {
            let end = (run.start + run.rows) as usize;
            let (mut start, mut first) = (run.start as usize, run.first);
            let mut push = |start, end, first| {
                stretches.push(Stretch { start, end, first, by_length, offsets: OnceLock::new() });
            };
            if by_length {
                for (anchor, step) in anchors(run).zip(&mut steps) {
                    push(start, anchor, first);
                    (start, first) = (anchor, first.wrapping_add(step as u64));
                }
            }
            push(start, end, first);
        }
        Ok(Offsets { stretches, exceptions })
    }
}
