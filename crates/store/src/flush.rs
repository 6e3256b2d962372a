//! From memtables to segments: which tenants, in which order their rows, and the one commit that makes rows and
//! positions stored together. Knows nothing of how a segment encodes rows.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sawlog_model::{Nanos, RowRef, Tenant};
use sawlog_sys::{Fs, Open, task};

use crate::StoreError;
use crate::catalogue::SegmentEntry;
use crate::engine::{Engine, lock};
use crate::handle::{Handle, open_segment};
use crate::memtable::{Frozen, Memtable, change_of};
use crate::segment::{Effort, Finished, GROUP_BYTES, GROUP_ROWS, SegmentWriter};

/// A tenant with at most so many bytes of rows in memory is small: its rows may be written beside those of others.
const SMALL: usize = 1 << 20;
/// So many small tenants are worth threads.
const MANY: usize = 32;
/// So many of them are written at a time then.
const AT_ONCE: usize = 4;

/// The order of rows in a row group.
pub(crate) fn by_address(a: &RowRef<'_>, b: &RowRef<'_>) -> std::cmp::Ordering {
    a.address().cmp(&b.address())
}

/// The total order of rows.
fn by_time(a: &RowRef<'_>, b: &RowRef<'_>) -> std::cmp::Ordering {
    a.row().time.cmp(&b.row().time).then_with(|| by_address(a, b))
}

/// From when a row's age counts: a wrong clock at the sender must not keep it for ever.
pub(crate) fn age_from(row: &RowRef<'_>) -> Nanos {
    let row = row.row();
    row.time.min(row.received)
}

impl Engine {
    /// Writes the memtables of the tenants that `choose` names; returns whether there were rows or positions to write.
    /// Where it fails nothing is lost: the rows stay in memory and the next attempt writes new files.
    pub fn flush(&self, choose: impl FnOnce(&Memtable) -> Vec<Tenant>) -> Result<bool, StoreError> {
        if self.options.read_only {
            return Err(StoreError::ReadOnly);
        }
        let _one_at_a_time = lock(&self.flushing);
        let (frozen, cursor) = {
            let live = lock(&self.live);
            let frozen = live.memtable.freeze(&choose(&live.memtable));
            let cursor = live.memtable.cursor(&frozen);
            (frozen, cursor)
        };
        if frozen.is_empty() {
            return Ok(false);
        }
        let added = self.write_frozen(&frozen)?;
        let mut change = change_of(&frozen);
        change.cursor = cursor;
        self.commit(change, added, |memtable| memtable.stored(&frozen))?;
        Ok(true)
    }

    /// Segments of the rows of each tenant, which no commit names yet. Very many small ones are written several at a time: each
    /// takes two syncs, and those of one moment cost the disk hardly more than one.
    fn write_frozen(&self, frozen: &[Frozen]) -> Result<Vec<Arc<Handle>>, StoreError> {
        let (small, large): (Vec<&Frozen>, Vec<&Frozen>) =
            frozen.iter().partition(|frozen| frozen.weight() <= SMALL);
        let write = |frozen: &&Frozen| {
            let rows: Vec<RowRef<'_>> = frozen.entries.iter().flat_map(|entry| entry.batch.iter()).collect();
            let mut added = Vec::new();
            let written = self.write_rows(frozen.tenant, rows, &mut added);
            (added, written)
        };
        let threads = if small.len() < MANY { 1 } else { AT_ONCE };
        let (small, write) = (&small, &write);
        let share = |first| move || small.iter().skip(first).step_by(threads).map(write).collect::<Vec<_>>();
        let shares = task::together("flush", (0..threads).map(share).collect());
        let shares = shares.map_err(|error| StoreError::io(&self.shelf.dir, error))?;
        let done = shares.into_iter().flat_map(|share| share.expect("a share of a flush panicked"));
        let done: Vec<_> = done.chain(large.iter().map(write)).collect();
        let (added, written): (Vec<_>, Vec<_>) = done.into_iter().unzip();
        let added: Vec<Arc<Handle>> = added.into_iter().flatten().collect();
        match written.into_iter().collect::<Result<(), StoreError>>() {
            Ok(()) => Ok(added),
            Err(error) => {
                self.discard(added);
                Err(error)
            }
        }
    }

    /// Flushes until a batch of `weight` bytes has room, or there is nothing left to flush.
    pub fn make_room(&self, weight: usize) -> Result<(), StoreError> {
        let budget = self.rows_budget();
        self.flush(|memtable| {
            // Somebody else may have made room while this thread waited for its turn.
            if memtable.weight() + weight <= budget { Vec::new() } else { memtable.heaviest(budget / 2) }
        })?;
        Ok(())
    }

    /// Sorts rows by time, cuts them into groups and writes them to as many segments as they need.
    fn write_rows(
        &self,
        tenant: Tenant,
        mut rows: Vec<RowRef<'_>>,
        added: &mut Vec<Arc<Handle>>,
    ) -> Result<(), StoreError> {
        // Stable, since that is the faster one on rows that came nearly in order.
        rows.sort_by(by_time);
        let mut rest = &mut rows[..];
        while !rest.is_empty() {
            let mut output = self.begin_segment(tenant, Effort::Cheap, Rows::New)?;
            while !rest.is_empty() && output.raw_bytes < self.options.segment_bytes {
                let (group, after) = rest.split_at_mut(group_len(rest));
                output.add(group);
                rest = after;
            }
            added.push(self.write_segment(output)?);
        }
        Ok(())
    }

    /// Begins a segment under a number of its own.
    pub fn begin_segment(&self, tenant: Tenant, effort: Effort, origin: Rows) -> Result<Output, StoreError> {
        let number = self.next_segment.fetch_add(1, Ordering::SeqCst);
        let (fs, path) = (&self.sys.fs, self.shelf.path(tenant, number));
        let opened =
            fs.create_dir_all(&self.shelf.tenant_dir(tenant)).and_then(|()| fs.open(&path, Open::New));
        let file = opened.map_err(|error| StoreError::io(&path, error))?;
        let draft = Draft { fs: fs.clone(), path, number, kept: false };
        let writer = SegmentWriter::new(tenant, effort, file);
        Ok(Output { tenant, effort, draft, writer, newest: Nanos::MIN, origin, raw_bytes: 0, rows: 0 })
    }

    /// Makes a segment durable. It does not count before a commit names it.
    pub fn write_segment(&self, output: Output) -> Result<Arc<Handle>, StoreError> {
        let Output { tenant, effort, mut draft, writer, newest, origin, .. } = output;
        let finished = writer.finish().and_then(|finished| {
            self.sys.fs.sync_dir(&self.shelf.tenant_dir(tenant))?;
            Ok(finished)
        });
        let Finished { bytes, meta } = finished.map_err(|error| StoreError::io(&draft.path, error))?;
        let entry = SegmentEntry {
            number: draft.number,
            tenant,
            strong: effort == Effort::Strong,
            rows: meta.rows,
            raw_bytes: meta.raw_bytes,
            stored_bytes: bytes,
            first_time: meta.first_time,
            last_time: meta.last_time,
            newest,
        };
        self.note_written(origin, &entry);
        // What was written is read back before anything relies on it.
        let segment = open_segment(&self.shelf, &draft.path, &entry, &self.shelf.cache)?;
        draft.kept = true;
        Ok(Handle::open(&self.shelf, entry, segment))
    }

    fn note_written(&self, origin: Rows, entry: &SegmentEntry) {
        let mut written = lock(&self.written);
        let of_sort = if origin == Rows::Anew { &mut written.1 } else { &mut written.0 };
        of_sort.raw_bytes += entry.raw_bytes;
        of_sort.bytes += entry.stored_bytes;
    }

    /// Removes segments that no commit was asked to name.
    pub fn discard(&self, segments: Vec<Arc<Handle>>) {
        for handle in segments {
            // Left where it is, it is removed at the next start.
            let _ = self.sys.fs.unlink(&handle.path());
        }
    }
}

/// Where the rows of a segment come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rows {
    /// From memory.
    New,
    /// From other segments.
    Anew,
}

/// The file of a segment in the making, gone with it if nobody keeps it.
struct Draft {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    number: u64,
    kept: bool,
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            // Left where it is, it is removed at the next start.
            let _ = self.fs.unlink(&self.path);
        }
    }
}

/// A segment in the making.
pub(crate) struct Output {
    tenant: Tenant,
    effort: Effort,
    draft: Draft,
    writer: SegmentWriter,
    newest: Nanos,
    origin: Rows,
    /// Bytes of lines so far.
    pub raw_bytes: u64,
    /// Rows so far.
    pub rows: u64,
}

impl Output {
    /// Adds rows that fit a group; groups come in the order of time.
    pub fn add(&mut self, group: &mut [RowRef<'_>]) {
        group.sort_by(by_address);
        self.writer.add_group(group);
        self.rows += group.len() as u64;
        self.raw_bytes += group.iter().map(|row| u64::from(row.row().len)).sum::<u64>();
        self.newest = group.iter().map(age_from).max().unwrap_or(Nanos::MIN).max(self.newest);
    }
}

/// How many of these rows make the next group: at least one.
fn group_len(rows: &[RowRef<'_>]) -> usize {
    let mut bytes = 0;
    let fits = rows.iter().take(GROUP_ROWS).take_while(|row| {
        bytes += u64::from(row.row().len);
        bytes <= GROUP_BYTES
    });
    fits.count().max(1)
}
