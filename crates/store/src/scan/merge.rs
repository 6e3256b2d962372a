//! Rows in order: pieces wait by the least key they can hold, are opened when that may be the next one, and give their
//! rows as long as no other piece has an earlier one. Knows nothing of columns.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use sawlog_model::SourceId;

use super::FIRST_ROWS;
use super::gather::Pick;
use super::key::{Direction, Key};
use super::piece::{Counters, Opened, Piece, Wanted};
use crate::StoreError;
use crate::handle::Handle;

/// A piece that is not open yet.
struct Pending {
    bound: Key,
    /// Tells pieces of the same bound apart.
    number: usize,
    piece: Piece,
}

impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        (self.bound, self.number) == (other.bound, other.number)
    }
}

impl Eq for Pending {}

impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pending {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.bound, self.number).cmp(&(other.bound, other.number))
    }
}

/// Pieces on their way to be one sequence of rows.
pub(crate) struct Merge {
    direction: Direction,
    source: Option<SourceId>,
    pending: BinaryHeap<Reverse<Pending>>,
    numbered: usize,
    /// Open pieces; a slot is emptied when its rows are taken and gathered.
    pub open: Vec<Option<Opened>>,
    heads: BinaryHeap<Reverse<(Key, usize)>>,
    spent: Vec<usize>,
    /// Pieces opened so far.
    opened: usize,
}

/// Rows that were found go out when so many more pieces were opened without filling a batch: where hits are rare,
/// somebody sees the first ones while the rest is searched.
const PATIENCE: usize = 32;
const FIRST_PATIENCE: usize = 4;

impl Merge {
    pub fn new(direction: Direction, source: Option<SourceId>, pieces: Vec<Piece>) -> Merge {
        let mut merge = Merge {
            direction,
            source,
            pending: BinaryHeap::new(),
            numbered: 0,
            open: Vec::new(),
            heads: BinaryHeap::new(),
            spent: Vec::new(),
            opened: 0,
        };
        pieces.into_iter().for_each(|piece| merge.wait(piece));
        merge
    }

    fn wait(&mut self, piece: Piece) {
        if let Some(bound) = piece.bound(self.direction) {
            self.numbered += 1;
            self.pending.push(Reverse(Pending { bound, number: self.numbered, piece }));
        }
    }

    /// The next rows, up to `want` of them; none at the end.
    pub fn pick(
        &mut self,
        want: usize,
        wanted: &Wanted,
        counters: &mut Counters,
    ) -> Result<Vec<Pick>, StoreError> {
        for slot in self.spent.drain(..) {
            self.open[slot] = None;
        }
        let mut picks = Vec::new();
        let patience = self.opened + if want > FIRST_ROWS { PATIENCE } else { FIRST_PATIENCE };
        while picks.len() < want && (picks.is_empty() || self.opened < patience) {
            self.open_next(wanted, counters)?;
            if wanted.stop.requested() {
                return Ok(Vec::new());
            }
            let Some(Reverse((_, slot))) = self.heads.pop() else { break };
            self.take_run(slot, want, &mut picks)?;
        }
        Ok(picks)
    }

    /// Opens every piece that may hold the next row.
    fn open_next(&mut self, wanted: &Wanted, counters: &mut Counters) -> Result<(), StoreError> {
        while let Some(Reverse(first)) = self.pending.peek() {
            let is_ahead = self.heads.peek().is_some_and(|Reverse((key, _))| *key < first.bound);
            if is_ahead || wanted.stop.requested() {
                break;
            }
            let Some(Reverse(Pending { piece, .. })) = self.pending.pop() else { break };
            self.opened += 1;
            match piece {
                Piece::Segment(handle) => {
                    if let Some(segment) = handle.segment()? {
                        let groups = Piece::groups(&handle, &segment, wanted, self.source);
                        groups.into_iter().for_each(|piece| self.wait(piece));
                    }
                }
                Piece::Group { ref handle, .. } => {
                    let handle = handle.clone();
                    let opened = piece.open(wanted, Some(self.direction), counters);
                    self.admit(opened, Some(handle))?;
                }
                Piece::Memory(_) => {
                    let opened = piece.open(wanted, Some(self.direction), counters);
                    self.admit(opened, None)?;
                }
            }
        }
        Ok(())
    }

    fn admit(
        &mut self,
        opened: Result<Option<Opened>, StoreError>,
        handle: Option<Arc<Handle>>,
    ) -> Result<(), StoreError> {
        let mut opened = match (opened, handle) {
            (Ok(Some(opened)), _) => opened,
            (Ok(None), _) => return Ok(()),
            (Err(error), Some(handle)) => return handle.quarantine(error),
            (Err(error), None) => return Err(error),
        };
        let Some(key) = opened.head(self.direction)? else { return Ok(()) };
        let slot = self.open.iter().position(Option::is_none).unwrap_or(self.open.len());
        if slot == self.open.len() {
            self.open.push(None);
        }
        self.open[slot] = Some(opened);
        self.heads.push(Reverse((key, slot)));
        Ok(())
    }

    /// Takes rows of one open piece as long as nobody else has an earlier one.
    fn take_run(&mut self, slot: usize, want: usize, picks: &mut Vec<Pick>) -> Result<(), StoreError> {
        let other = self.heads.peek().map(|Reverse((key, _))| *key);
        let waiting = self.pending.peek().map(|Reverse(pending)| pending.bound);
        let stop = match (other, waiting) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let Some(opened) = &mut self.open[slot] else { return Ok(()) };
        while let Some(row) = opened.take() {
            picks.push((slot, row));
            match opened.head(self.direction)? {
                None => break,
                Some(key) if picks.len() >= want || stop.is_some_and(|stop| key >= stop) => {
                    self.heads.push(Reverse((key, slot)));
                    return Ok(());
                }
                Some(_) => {}
            }
        }
        self.spent.push(slot);
        Ok(())
    }

    /// Forgets an open piece whose columns could not be read.
    pub fn drop_slot(&mut self, slot: usize) {
        self.open[slot] = None;
        self.heads.retain(|Reverse((_, have))| *have != slot);
    }
}
