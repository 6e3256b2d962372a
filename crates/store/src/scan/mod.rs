//! Reading: a scan pins segments and memtable under one lock and reads them piece by piece, as its reader asks. Knows
//! nothing of how segments or predicates work inside.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use sawlog_model::{Predicate, SourceId, Tenant, TimeRange};
use sawlog_sys::task::Stop;

use crate::engine::{Engine, lock};
use crate::segment::First;
use crate::{Column, Order, ScanRequest, StoreError, columns};

mod gather;
mod key;
mod merge;
mod pick;
mod piece;
mod tally;

use gather::{Pick, gather};
use key::Direction;
use merge::Merge;
use piece::{Counters, Opened, Piece, Wanted};
pub use tally::{CountBy, CountKey, Tally};

/// Rows of the first batch: somebody waits for it.
const FIRST_ROWS: usize = 256;
/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;
/// A batch of this many rows goes out rather than being mixed with rows of another group.
const ENOUGH_ROWS: usize = 2_048;
/// So many pieces are open at once, where each has few of the rows: an open one holds megabytes.
const MOST_OPEN: usize = 8;
/// A reader without the lock begins again when files vanish under it, so many times.
const PIN_ATTEMPTS: usize = 8;

/// Rows as they are found; dropping it stops the work.
pub struct Scan {
    columns: Vec<Column>,
    schema: SchemaRef,
    wanted: Wanted,
    /// Rows that are still to be given; shared by the parts of one request.
    left: Arc<AtomicUsize>,
    source: Source,
    counters: Counters,
    size: usize,
    ended: bool,
}

/// Where rows come from.
enum Source {
    /// In order.
    Ordered(Merge),
    /// As they come.
    Any(Any),
}

/// Pieces that several scans share, and what one of them has for itself.
struct Any {
    queue: Arc<Mutex<VecDeque<Piece>>>,
    /// How many scans share them.
    parts: usize,
    /// Groups of a segment that this one took as a whole.
    own: VecDeque<Piece>,
    open: Vec<Option<Opened>>,
}

impl Scan {
    /// Rows of segments whose index could not exclude them, so far, and raw bytes of their groups.
    pub fn read(&self) -> (u64, u64) {
        (self.counters.rows, self.counters.raw_bytes)
    }

    /// The columns with their types.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Ends the scan from another thread, though it may be far from its next row: [`Iterator::next`] gives `None` once
    /// the piece that is being searched is done (at most 64k rows).
    pub fn stopper(&self) -> Stop {
        self.wanted.stop.clone()
    }

    /// How many rows it gives, found with as little reading as that takes: without putting a row together, and where
    /// dictionaries and footers tell, without looking at rows at all. A scan that is stopped counts no further.
    ///
    /// # Errors
    /// As the disk says.
    pub fn count(mut self) -> Result<u64, StoreError> {
        let unlimited = self.left.load(Ordering::SeqCst) == usize::MAX;
        if !unlimited {
            return self.count_read();
        }
        let Source::Any(any) = &mut self.source else { return self.count_read() };
        let (wanted, counters) = (&self.wanted, &mut self.counters);
        let mut rows = any.whole_segments(wanted);
        while !wanted.stop.requested() {
            let (counted, more) = any.with_next(wanted, |piece| piece.count(wanted, counters).map(Some))?;
            if !more {
                break;
            }
            rows += counted.unwrap_or(0);
        }
        Ok(rows)
    }

    /// Counts the rows that it would give by the values of fields and by time; `None` where there are more than `most`
    /// different ones. Only a scan in [`Order::Any`] without a limit counts so: of another, `None`.
    ///
    /// # Errors
    /// As the disk says.
    pub fn tally(mut self, by: &[CountBy], most: usize) -> Result<Option<Tally>, StoreError> {
        let unlimited = self.left.load(Ordering::SeqCst) == usize::MAX;
        let Source::Any(any) = &mut self.source else { return Ok(None) };
        let (wanted, counters) = (&self.wanted, &mut self.counters);
        let mut all = Tally::default();
        while unlimited && !wanted.stop.requested() {
            let more = match any.next_segment(by) {
                Some(handle) => any.tally_segment(&handle, by, wanted, most, &mut all)?,
                None => any.tally_piece(by, wanted, counters, &mut all)?,
            };
            if all.different() > most {
                break;
            }
            if !more {
                return Ok(Some(all));
            }
        }
        Ok(None)
    }

    /// Counts as [`Scan::tally`] does, what was written last first, until more than `most` different keys were met, or so many
    /// pieces (row groups, batches in memory) were counted; and whether that was all. It is for fields of which nearly every
    /// row has another value.
    ///
    /// # Errors
    /// As the disk says.
    pub fn tally_last(
        mut self,
        by: &[CountBy],
        most: usize,
        pieces: usize,
    ) -> Result<(Tally, bool), StoreError> {
        let mut all = Tally::default();
        let Source::Any(any) = &mut self.source else { return Ok((all, false)) };
        let (wanted, counters) = (&self.wanted, &mut self.counters);
        lock(&any.queue).make_contiguous().sort_by_key(|piece| std::cmp::Reverse(piece.last_time()));
        let mut counted = 0;
        while !wanted.stop.requested() && counted < pieces {
            counted += 1;
            if !any.tally_piece(by, wanted, counters, &mut all)? {
                return Ok((all, true));
            }
            if all.different() > most {
                break;
            }
        }
        Ok((all, false))
    }

    /// What the integer of a field is at least (at most, where the least come first) in the first `rows` rows in the order of these
    /// integers, where segments tell it without looking at rows: nothing is left out that comes among those. The scan must want all
    /// rows that have the field. Rows in memory are not asked.
    ///
    /// # Errors
    /// As the disk says.
    pub fn bound(self, field: &str, least_first: bool, rows: u64) -> Result<Option<i64>, StoreError> {
        let Source::Any(any) = &self.source else { return Ok(None) };
        any.bound(field, First::new(least_first, rows), &self.wanted)
    }

    /// Counts rows by reading them.
    fn count_read(self) -> Result<u64, StoreError> {
        self.map(|batch| Ok(batch?.num_rows() as u64)).sum()
    }

    fn new(request: &ScanRequest, range: TimeRange, source: Source, left: Arc<AtomicUsize>) -> Scan {
        Scan {
            columns: request.columns.clone(),
            schema: columns::schema(&request.columns),
            wanted: Wanted { range, predicate: request.predicate.clone(), stop: Stop::default() },
            left,
            source,
            counters: Counters::default(),
            size: FIRST_ROWS,
            ended: false,
        }
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, StoreError> {
        loop {
            let want = self.size.min(self.left.load(Ordering::SeqCst));
            if want == 0 {
                return Ok(None);
            }
            let mut picks = match &mut self.source {
                Source::Ordered(merge) => merge.pick(want, &self.wanted, &mut self.counters)?,
                Source::Any(any) => any.pick(want, &self.wanted, &mut self.counters)?,
            };
            let Some(batch) = self.gather(&mut picks)? else {
                if picks.is_empty() {
                    return Ok(None);
                } else {
                    continue;
                };
            };
            let granted = self.grant(batch.num_rows());
            if granted == 0 {
                return Ok(None);
            }
            self.size = BATCH_ROWS;
            return Ok(Some(batch.slice(0, granted)));
        }
    }

    /// Takes rows off what is left: other parts of the request may have been faster.
    fn grant(&self, rows: usize) -> usize {
        let take = |left: usize| (left != usize::MAX).then(|| left.saturating_sub(rows));
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take) {
            Ok(left) => left.min(rows),
            Err(_unlimited) => rows,
        }
    }

    /// The columns of the picks, without those of segments that turn out to be damaged; `None` where no row is left.
    fn gather(&mut self, picks: &mut Vec<Pick>) -> Result<Option<RecordBatch>, StoreError> {
        let asked = picks.len();
        while !picks.is_empty() {
            let open = match &self.source {
                Source::Ordered(merge) => &merge.open,
                Source::Any(any) => &any.open,
            };
            let unread = match gather(open, picks, &self.columns, &self.schema) {
                Ok(batch) => return Ok(Some(batch)),
                Err(unread) => unread,
            };
            unread.handle.quarantine(unread.error)?;
            picks.retain(|(slot, _)| *slot != unread.slot);
            match &mut self.source {
                Source::Ordered(merge) => merge.drop_slot(unread.slot),
                Source::Any(any) => any.open[unread.slot] = None,
            }
        }
        // Tells the caller that there were rows, only not readable ones.
        picks.extend((asked > 0).then_some((0, 0)));
        Ok(None)
    }
}

impl Iterator for Scan {
    type Item = Result<RecordBatch, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_batch().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

impl Any {
    fn pick(
        &mut self,
        want: usize,
        wanted: &Wanted,
        counters: &mut Counters,
    ) -> Result<Vec<Pick>, StoreError> {
        // All but the last open piece are spent.
        let last = self.open.pop().flatten();
        self.open.clear();
        self.open.push(last);
        let mut picks: Vec<Pick> = Vec::new();
        loop {
            let slot = self.open.len() - 1;
            if let Some(opened) = &mut self.open[slot] {
                while picks.len() < want {
                    let Some(row) = opened.take() else { break };
                    picks.push((slot, row));
                }
            }
            if picks.len() >= want.min(ENOUGH_ROWS) || self.open.len() > MOST_OPEN && !picks.is_empty() {
                return Ok(picks);
            }
            if wanted.stop.requested() {
                return Ok(Vec::new());
            }
            let (opened, more) = self.with_next(wanted, |piece| piece.open(wanted, None, counters))?;
            if !more {
                return Ok(picks);
            }
            self.open.extend(opened.map(Some));
        }
    }

    /// Takes the segments of which all rows are wanted, and gives their rows: the catalogue knows them.
    fn whole_segments(&self, wanted: &Wanted) -> u64 {
        let mut rows = 0;
        if wanted.predicate == Predicate::All {
            lock(&self.queue).retain(|piece| {
                let Piece::Segment(handle) = piece else { return true };
                let entry = &handle.entry;
                let whole = !handle.is_damaged() && wanted.range.covers(entry.first_time, entry.last_time);
                rows += if whole { entry.rows } else { 0 };
                !whole
            });
        }
        rows
    }

    /// The next group or batch. While there is a segment for each part, a part takes one as a whole: its groups need the same
    /// index and share chunks, for which the parts would wait for each other. One of the last gives way to its groups under the
    /// queue's lock: another part that finds the queue empty may take it that nothing more will come.
    fn next_piece(&mut self, wanted: &Wanted) -> Result<Option<Piece>, StoreError> {
        loop {
            if let Some(piece) = self.own.pop_front() {
                return Ok(Some(piece));
            }
            let mut queue = lock(&self.queue);
            let Some(piece) = queue.pop_front() else { return Ok(None) };
            let Piece::Segment(handle) = &piece else { return Ok(Some(piece)) };
            if matches!(queue.get(self.parts - 1), Some(Piece::Segment(_))) {
                drop(queue);
                if let Some(segment) = handle.segment()? {
                    self.own.extend(Piece::groups(handle, &segment, wanted, None));
                }
            } else if let Some(segment) = handle.segment()? {
                let groups = Piece::groups(handle, &segment, wanted, None);
                groups.into_iter().rev().for_each(|piece| queue.push_front(piece));
            }
        }
    }

    /// What `work` makes of the next piece, and whether there was one. A piece that turns out to be damaged gives nothing.
    fn with_next<T>(
        &mut self,
        wanted: &Wanted,
        work: impl FnOnce(Piece) -> Result<Option<T>, StoreError>,
    ) -> Result<(Option<T>, bool), StoreError> {
        let Some(piece) = self.next_piece(wanted)? else { return Ok((None, false)) };
        let handle = match &piece {
            Piece::Group { handle, .. } => Some(handle.clone()),
            _ => None,
        };
        let made = match (work(piece), handle) {
            (Err(error), Some(handle)) => handle.quarantine(error).map(|()| None),
            (made, _) => made,
        };
        Ok((made?, true))
    }
}

impl Engine {
    /// Starts reading rows, in one scan, or where the order does not matter in up to `parts`.
    pub fn scan(&self, request: &ScanRequest, parts: usize) -> Result<Vec<Scan>, StoreError> {
        let mut range = request.range;
        range.start = range.start.max(self.horizon());
        let source = match request.order {
            Order::Source(id) => Some(id),
            _ => None,
        };
        let pieces = self.pin(request.tenant, range, source)?;
        let left = Arc::new(AtomicUsize::new(request.limit.unwrap_or(usize::MAX)));
        let Some(direction) = Direction::of(request.order) else {
            let queue = Arc::new(Mutex::new(VecDeque::from(pieces)));
            let parts = parts.max(1);
            let scans = (0..parts).map(|_| {
                let any = Any { queue: queue.clone(), parts, own: VecDeque::new(), open: Vec::new() };
                Scan::new(request, range, Source::Any(any), left.clone())
            });
            return Ok(scans.collect());
        };
        let merge = Merge::new(direction, source, pieces);
        Ok(vec![Scan::new(request, range, Source::Ordered(merge), left)])
    }

    /// What there is to read, of one moment.
    fn pin(
        &self,
        tenant: Tenant,
        range: TimeRange,
        source: Option<SourceId>,
    ) -> Result<Vec<Piece>, StoreError> {
        let mut attempt = 1;
        loop {
            self.refresh()?;
            let (segments, entries) = {
                let live = lock(&self.live);
                (live.segments.get(&tenant).cloned().unwrap_or_default(), live.memtable.entries(tenant))
            };
            let in_range = |first, last| range.overlaps(first, last);
            let handles: Vec<_> = segments
                .iter()
                .filter(|handle| in_range(handle.entry.first_time, handle.entry.last_time))
                .cloned()
                .collect();
            // The writer is another process that knows nothing of this scan: the files are opened before it may remove
            // them. One that is gone was merged into another, which the next manifest names.
            if self.options.read_only {
                let all_open =
                    handles.iter().try_fold(true, |all, handle| Ok(all & handle.segment()?.is_some()));
                if !all_open? && attempt < PIN_ATTEMPTS && lock(&self.catalogue).is_behind()? {
                    attempt += 1;
                    continue;
                }
            }
            let memory = entries.into_iter().filter(|entry| {
                in_range(entry.first_time, entry.last_time)
                    && source.is_none_or(|source| entry.batch.source.id == source)
            });
            return Ok(handles.into_iter().map(Piece::Segment).chain(memory.map(Piece::Memory)).collect());
        }
    }
}
