//! The embedded log store: rows go into a memtable that is searchable at once, from there into immutable segments, and a
//! chain of numbered manifests says which segments count and how far each source is stored. Answers [`Store::scan`].
//! Knows nothing of the journal's frames (it is told positions in it), of query languages or of networks.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use sawlog_model::{Address, Batch, KnownSource, Nanos, Position, Predicate, SourceId, Tenant, TimeRange};
use sawlog_sys::Sys;

pub mod catalogue;
mod columns;
mod compact;
mod engine;
mod error;
mod flush;
mod forget;
mod handle;
mod memory;
mod memtable;
mod repair;
mod retention;
mod scan;
pub mod segment;
mod shares;
mod stats;
#[cfg(test)]
mod tests;

pub use columns::{batch, data_type, schema};
pub use error::StoreError;
pub use memory::{Full, Held, Memory, Usage};
pub use scan::{CountBy, CountKey, Scan, Tally};
pub use shares::{Shares, Spill};

use engine::{Engine, lock};
use memtable::Memtable;

/// So long merges are begun in one call of [`Store::maintain`]: small ones, of very many tenants, would else take days.
const COMPACTING: Duration = Duration::from_secs(5);

/// Sizes and times of a store.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Memory that memtables, decoded blocks, compaction and questions share, bytes.
    pub memory: u64,
    /// Memtables together, active and frozen, bytes: at most half of the memory.
    pub memtable_bytes: usize,
    /// Opened without the directory's lock; nothing is written.
    pub read_only: bool,
    /// Rows older than this many nanoseconds go; 0 keeps all.
    pub retention: Nanos,
    /// Bytes of segments that may stay, the oldest go first; 0 keeps all.
    pub most_bytes: u64,
    /// The same for each tenant.
    pub most_tenant_bytes: u64,
    /// Raw bytes of a segment that compaction makes.
    pub segment_bytes: u64,
    /// Decoded blocks kept for further queries, bytes: at most a quarter of the memory.
    pub cache_bytes: usize,
    /// Bytes on disk for what questions cannot hold in memory; 0: they get none, and stop.
    pub spill_bytes: u64,
    /// Segments that stay open with what their footers say, beside those that scans read; a reader without the directory's lock
    /// keeps all of them.
    pub open_segments: usize,
    /// Only one question will be asked: nothing is kept for a second one.
    pub one_question: bool,
}

impl Options {
    /// Memory where nothing else is said, bytes.
    pub const MEMORY: u64 = 384 << 20;

    /// With so many bytes of memory, of which rows get a tenth and blocks a sixth.
    pub fn of_memory(memory: u64) -> Options {
        let (memtable_bytes, cache_bytes) = ((memory / 10) as usize, (memory / 6) as usize);
        Options { memory, memtable_bytes, cache_bytes, ..Options::default() }
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            memory: Options::MEMORY,
            memtable_bytes: (Options::MEMORY / 10) as usize,
            read_only: false,
            retention: 0,
            most_bytes: 0,
            most_tenant_bytes: 0,
            segment_bytes: 256 << 20,
            cache_bytes: (Options::MEMORY / 6) as usize,
            spill_bytes: 4 << 30,
            open_segments: 256,
            one_question: false,
        }
    }
}

/// How rows come to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From a file that can be read again; `position` is where the source stands after these rows.
    Replayable(Position),
    /// From a journal frame that stands at `at`, the next one at `next`. `position` where the rows are of a file (late
    /// journaling); rows below the committed position of the source are then dropped as already stored.
    Journal {
        /// Position of the frame.
        at: u64,
        /// Position of the frame after it; where more batches of the frame follow, `at` again: the cursor must not pass
        /// the frame before they are here.
        next: u64,
        /// Position of the source after these rows.
        position: Option<Position>,
    },
}

/// What a scan gives, by name. Sawlog's own: `_time` and `_received` (Timestamp(ns, "UTC")), `_offset` (UInt64), `_epoch`
/// (UInt32), `_raw` (Binary, terminators included), `_marks` (UInt8), `_fields` (Utf8View: all fields of the row and of
/// its context as one JSON object with dotted names, values typed as they were). Everything else, `_line`, `_source`,
/// `_tag`, `_host`, `_path` and the line's own fields, is Utf8View (bytes that are not UTF-8 replaced), NULL where absent.
pub type Column = String;

/// In which order rows come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// By (time, source, epoch, offset), last first.
    Newest,
    /// By (time, source, epoch, offset).
    Oldest,
    /// The rows of one source by (epoch, offset): the file as it was.
    Source(SourceId),
    /// As they come; cheapest.
    Any,
}

/// What to read.
#[derive(Clone, Debug)]
pub struct ScanRequest {
    /// Whose rows.
    pub tenant: Tenant,
    /// Which times.
    pub range: TimeRange,
    /// Which rows.
    pub predicate: Predicate,
    /// Which columns, in the order of the result's.
    pub columns: Vec<Column>,
    /// In which order.
    pub order: Order,
    /// At most so many rows.
    pub limit: Option<usize>,
}

/// A field's name, and in how many rows it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldCount {
    /// Dotted name.
    pub name: String,
    /// Rows that have it (an upper bound where a range cuts a row group).
    pub rows: u64,
}

/// Sizes of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Rows in segments and memtables.
    pub records: u64,
    /// Bytes of their lines.
    pub raw_bytes: u64,
    /// Bytes on disk: segments with their indexes, and manifests.
    pub stored_bytes: u64,
    /// Segments.
    pub segments: u64,
    /// Of these, the files that are open.
    pub open_segments: u64,
    /// What was read of segments since the store was opened.
    pub read: Read,
    /// Bytes of memory in memtables.
    pub memtable_bytes: u64,
    /// First and last time, 0 and 0 where there is no row.
    pub first_time: Nanos,
    /// Last time.
    pub last_time: Nanos,
    /// What was written by flushing since the store was opened.
    pub flushed: Written,
    /// What was written anew by compaction, deletion and repair since then: this beside what was flushed is how often a
    /// byte is written.
    pub rewritten: Written,
}

/// What was read of segments, by questions and by compaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Segments that were opened, each as often as it was.
    pub opened: u64,
    /// Bytes of files.
    pub bytes: u64,
    /// The same once they were unpacked.
    pub unpacked: u64,
    /// Columns of row groups that were read as values, one for each row.
    pub columns: u64,
    /// Of these, columns of text that is in no dictionary.
    pub texts: u64,
}

/// Bytes that went into segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Of lines.
    pub raw_bytes: u64,
    /// Of files.
    pub bytes: u64,
}

/// A segment, as the catalogue knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its number in the store.
    pub number: u64,
    /// Whose.
    pub tenant: Tenant,
    /// Its file.
    pub path: PathBuf,
    /// Written by compaction.
    pub strong: bool,
    /// Rows.
    pub rows: u64,
    /// Bytes of their lines.
    pub raw_bytes: u64,
    /// Bytes of the file.
    pub stored_bytes: u64,
    /// First time.
    pub first_time: Nanos,
    /// Last time.
    pub last_time: Nanos,
}

/// A segment that cannot be read.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which.
    pub segment: SegmentInfo,
    /// Why.
    pub error: StoreError,
}

/// What became of a damaged segment.
#[derive(Clone, Debug)]
pub struct Repaired {
    /// Which.
    pub segment: SegmentInfo,
    /// Why.
    pub error: StoreError,
    /// Rows that could not be read.
    pub lost: u64,
    /// Where its file is now, if there was one.
    pub aside: Option<PathBuf>,
}

/// The store of a node; cheap to clone.
#[derive(Clone)]
pub struct Store {
    engine: Arc<Engine>,
}

impl Store {
    /// Opens or makes the store in `dir`.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where another process writes to it, or what the disk says.
    pub fn open(sys: &Sys, dir: &Path, options: Options) -> Result<Store, StoreError> {
        Ok(Store { engine: Arc::new(Engine::open(sys, dir, options)?) })
    }

    /// Takes rows; they are searchable when it returns. Blocks while memtables are over their budget and being flushed.
    /// Frames of the journal, and batches within one, come in their order; the rows of a source in theirs, all to one
    /// tenant.
    ///
    /// A store that was opened read only takes rows, too, and never writes them: what a journal holds beyond the segments
    /// is looked at so.
    ///
    /// # Errors
    /// [`StoreError`] where a flush failed; the rows are then not taken.
    pub fn append(&self, batch: Arc<Batch>, origin: Origin) -> Result<(), StoreError> {
        let engine = &self.engine;
        let weight = batch.weight();
        loop {
            let budget = engine.rows_budget();
            let mut live = lock(&engine.live);
            let used = live.memtable.weight();
            // A batch larger than the budget is taken by itself; a reader has nowhere else to put what it is given.
            if used == 0 || used + weight <= budget || engine.options.read_only {
                live.memtable.append(batch, origin);
                if live.memtable.weight() > budget / 2 {
                    engine.filled.notify_all();
                }
                return Ok(());
            }
            drop(live);
            engine.make_room(weight)?;
        }
    }

    /// Says that the journal frame at `at` (the next one stands at `next`) holds rows of `tenant` that were appended as
    /// [`Origin::Replayable`] before: the cursor must not pass it until they are in a segment.
    pub fn journaled(&self, tenant: Tenant, at: u64, next: u64) {
        lock(&self.engine.live).memtable.journaled(tenant, at, next);
    }

    /// Journal position below which everything is in segments.
    pub fn cursor(&self) -> u64 {
        lock(&self.engine.live).memtable.cursor(&[])
    }

    /// All sources with their committed positions (those in segments, not in memtables).
    pub fn sources(&self) -> Vec<KnownSource> {
        self.engine.sources()
    }

    /// Epoch and offset up to which rows of a source are in segments.
    pub fn committed(&self, source: SourceId) -> Option<(u32, u64)> {
        self.engine.committed(source)
    }

    /// Writes all memtables to segments and commits.
    ///
    /// # Errors
    /// As the disk says.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.engine.flush(Memtable::tenants).map(|_| ())
    }

    /// Waits until memtables are half full, but at most for `time`: what the thread that calls [`Store::maintain`] does
    /// in between, so that rows are written while others come in.
    pub fn wait(&self, time: Duration) {
        let engine = &self.engine;
        let half = engine.options.memtable_bytes / 2;
        let live = lock(&engine.live);
        // Whether it was woken or the time passed, the caller does the same.
        drop(engine.filled.wait_timeout_while(live, time, |live| live.memtable.weight() <= half));
    }

    /// Flushes where memory or the journal's length ask for it, compacts, applies retention, removes dead files. To be
    /// called now and then from one thread; returns whether it did anything.
    ///
    /// # Errors
    /// As the disk says.
    pub fn maintain(&self, journal_bytes: u64) -> Result<bool, StoreError> {
        let engine = &self.engine;
        if engine.options.read_only {
            return Ok(false);
        }
        let budget = engine.options.memtable_bytes;
        let flushed = engine.flush(|memtable| {
            let mut tenants = Vec::new();
            if memtable.weight() > budget / 2 {
                tenants = memtable.heaviest(budget / 4);
            }
            // The journal must not outgrow the memory: its length is what a start has to read again.
            if journal_bytes > budget as u64 {
                tenants.extend(memtable.holding_frames_below(self.cursor_after(memtable, journal_bytes)));
            }
            tenants
        })?;
        let expired = engine.expire()?;
        // Merging takes long, and rows that come in fast should not wait for it.
        let compacted = !flushed && engine.compact_for(COMPACTING)?;
        let removed = engine.remove_dead(|_| false);
        Ok(flushed || expired || compacted || removed)
    }

    /// Where the cursor should get to, so that half of the journal can go.
    fn cursor_after(&self, memtable: &Memtable, journal_bytes: u64) -> u64 {
        memtable.cursor(&[]).saturating_add(journal_bytes / 2)
    }

    /// Compacts all there is with the strong codec. `progress` gets (raw bytes done, raw bytes in all).
    ///
    /// # Errors
    /// As the disk says.
    pub fn compact(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<(), StoreError> {
        self.engine.compact_all(progress)
    }

    /// Lets segments of single tenants take so many bytes, where that is not [`Options::most_tenant_bytes`]; the oldest go first.
    pub fn set_tenant_sizes(&self, sizes: std::collections::HashMap<Tenant, u64>) {
        self.engine.set_tenant_sizes(sizes);
    }

    /// Removes all of a tenant with its bytes: rows, files, and the sources that bear its number. Files that a scan has open go when it
    /// ends, and the directory the next time.
    ///
    /// # Errors
    /// As the disk says; it can be asked again.
    pub fn forget(&self, tenant: Tenant) -> Result<(), StoreError> {
        self.engine.forget(tenant)
    }

    /// The sources that rows of a tenant come from.
    ///
    /// # Errors
    /// As the disk says.
    pub fn sources_of(&self, tenant: Tenant) -> Result<std::collections::HashSet<SourceId>, StoreError> {
        self.engine.sources_of(tenant)
    }

    /// Tenants that have rows here.
    pub fn tenants(&self) -> Vec<Tenant> {
        self.engine.all_tenants()
    }

    /// Removes the rows of a tenant that the predicate keeps and whose time is in the range, with their bytes; returns how
    /// many. Scans that run go on with what they began with; rows that come in meanwhile may stay. Files of before are
    /// removed within ten seconds by [`Store::maintain`], or when the store is closed.
    ///
    /// # Errors
    /// As the disk says, or [`StoreError::Damaged`] where a segment that may hold such rows cannot be read; nothing is
    /// then removed.
    pub fn delete(&self, tenant: Tenant, range: TimeRange, predicate: &Predicate) -> Result<u64, StoreError> {
        self.engine.delete(tenant, range, predicate)
    }

    /// The time before which rows of a tenant that the predicate keeps must go, so that the others take at most so many
    /// bytes of segments; `None` where all may stay. A row counts as much as the others of its segment, and rows go by whole
    /// row groups, of which the newest stays in any case.
    ///
    /// # Errors
    /// As the disk says.
    pub fn cut_to_fit(
        &self,
        tenant: Tenant,
        predicate: &Predicate,
        most: u64,
    ) -> Result<Option<Nanos>, StoreError> {
        self.engine.cut_to_fit(tenant, predicate, most)
    }

    /// The segments that count, by tenant and time.
    pub fn segments(&self) -> Vec<SegmentInfo> {
        self.engine.segments()
    }

    /// What the bytes of a segment's file are spent on: columns by name and part, index, skeletons and the rest; largest
    /// first. Nothing where there is no such segment.
    ///
    /// # Errors
    /// As the disk says.
    pub fn sizes(&self, number: u64) -> Result<Vec<(String, f64)>, StoreError> {
        self.engine.sizes(number)
    }

    /// Reads every segment to its last byte and puts every row together; gives those that cannot be read so. `progress`
    /// gets (raw bytes done, raw bytes in all).
    ///
    /// # Errors
    /// Where the disk failed in a way that may pass.
    pub fn verify(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Vec<Fault>, StoreError> {
        self.engine.verify(progress)
    }

    /// Takes out of the store what [`Store::verify`] finds: rows that can be read are written anew, the damaged files go to
    /// the directory `quarantine`.
    ///
    /// # Errors
    /// As the disk says; the store is then as it was.
    pub fn repair(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Vec<Repaired>, StoreError> {
        self.engine.repair(progress)
    }

    /// Starts reading rows.
    ///
    /// # Errors
    /// As the disk says.
    pub fn scan(&self, request: &ScanRequest) -> Result<Scan, StoreError> {
        let mut scans = self.engine.scan(request, 1)?;
        Ok(scans.remove(0))
    }

    /// Splits an unordered scan into up to `parts` that together give each row once, for as many threads.
    ///
    /// # Errors
    /// As the disk says.
    pub fn scan_parts(&self, request: &ScanRequest, parts: usize) -> Result<Vec<Scan>, StoreError> {
        self.engine.scan(request, parts)
    }

    /// These columns of the rows at some addresses, whose times are in the range, in the order of the addresses; and for each row
    /// which of them it has. Rows that are gone are left out.
    ///
    /// # Errors
    /// As the disk says.
    pub fn rows_at(
        &self,
        tenant: Tenant,
        range: TimeRange,
        addresses: &[Address],
        columns: &[Column],
    ) -> Result<(Vec<u32>, RecordBatch), StoreError> {
        self.engine.rows_at(tenant, range, addresses, columns)
    }

    /// How many rows a predicate-free range has, where that is known without reading rows.
    pub fn count(&self, tenant: Tenant, range: TimeRange) -> Option<u64> {
        self.engine.count(tenant, range)
    }

    /// The fields that rows of the range have.
    ///
    /// # Errors
    /// As the disk says.
    pub fn fields(&self, tenant: Tenant, range: TimeRange) -> Result<Vec<FieldCount>, StoreError> {
        self.engine.fields(tenant, range)
    }

    /// Sizes.
    pub fn stats(&self) -> Stats {
        self.engine.stats(None)
    }

    /// Sizes of what a tenant has; the manifests, which are of all tenants, are in none of them.
    pub fn stats_of(&self, tenant: Tenant) -> Stats {
        self.engine.stats(Some(tenant))
    }

    /// The memory that everything shares, by who holds it.
    pub fn shares(&self) -> &Shares {
        &self.engine.shares
    }

    /// Where questions put what they cannot hold in memory.
    pub fn spill(&self) -> Spill {
        self.engine.spill()
    }

    /// Files that were found damaged since the store was opened and are passed over.
    pub fn damage(&self) -> Vec<StoreError> {
        self.engine.shelf.damage()
    }
}
