//! The embedded log store: rows go into a memtable that is searchable at once, from there into immutable segments, and a
//! chain of numbered manifests says which segments count and how far each source is stored. Answers [`Store::scan`].
//! Knows nothing of the journal's frames (it is told positions in it), of query languages or of networks.

use std::path::Path;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use sawlog_model::{Batch, KnownSource, Nanos, Position, Predicate, SourceId, Tenant, TimeRange};
use sawlog_sys::Sys;

pub mod segment;

/// Sizes and times of a store.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Memtables together, active and frozen, bytes.
    pub memtable_bytes: usize,
    /// Opened without the directory's lock; nothing is written.
    pub read_only: bool,
    /// Rows older than this many nanoseconds go; 0 keeps all.
    pub retention: Nanos,
    /// Raw bytes of a segment that compaction makes.
    pub segment_bytes: u64,
    /// Decoded blocks kept for further queries, bytes.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            memtable_bytes: 64 << 20,
            read_only: false,
            retention: 0,
            segment_bytes: 256 << 20,
            cache_bytes: 64 << 20,
        }
    }
}

/// The store cannot do what was asked. The text names file and remedy.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The disk said no.
    #[error("{path}: {source}")]
    Io { path: String, source: Arc<std::io::Error> },
    /// Another process has the directory.
    #[error("{0} is in use by another sawlog; stop it, or ask it over HTTP")]
    Locked(String),
    /// A file is not what it should be.
    #[error("{path} is damaged: {reason}")]
    Damaged { path: String, reason: String },
    /// Written by a format that this version does not read.
    #[error(
        "{path} has format {found}, this sawlog reads {known}; import the logs again into a new directory"
    )]
    Format { path: String, found: u32, known: u32 },
    /// The store was opened read only.
    #[error("this store was opened read only")]
    ReadOnly,
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
        /// Position of the frame after it.
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

/// Rows as they are found; dropping it stops the work.
pub struct Scan {
    _inner: (),
}

impl Scan {
    /// Rows of segments whose index could not exclude them, so far, and raw bytes of their groups.
    pub fn read(&self) -> (u64, u64) {
        todo!()
    }
}

impl Iterator for Scan {
    type Item = Result<RecordBatch, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        todo!()
    }
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
    /// Bytes of memory in memtables.
    pub memtable_bytes: u64,
    /// First and last time, 0 and 0 where there is no row.
    pub first_time: Nanos,
    /// Last time.
    pub last_time: Nanos,
}

/// The store of a node; cheap to clone.
#[derive(Clone)]
pub struct Store {
    _inner: Arc<()>,
}

impl Store {
    /// Opens or makes the store in `dir`.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where another process writes to it, or what the disk says.
    pub fn open(_sys: &Sys, _dir: &Path, _options: Options) -> Result<Store, StoreError> {
        todo!()
    }

    /// Takes rows; they are searchable when it returns. Blocks while memtables are over their budget and being flushed.
    ///
    /// # Errors
    /// [`StoreError`] where a flush failed; the rows are then not taken.
    pub fn append(&self, _batch: Arc<Batch>, _origin: Origin) -> Result<(), StoreError> {
        todo!()
    }

    /// Says that the journal frame at `at` (the next one stands at `next`) holds rows of `tenant` that were appended as
    /// [`Origin::Replayable`] before: the cursor must not pass it until they are in a segment.
    pub fn journaled(&self, _tenant: Tenant, _at: u64, _next: u64) {
        todo!()
    }

    /// Journal position below which everything is in segments.
    pub fn cursor(&self) -> u64 {
        todo!()
    }

    /// All sources with their committed positions (those in segments, not in memtables).
    pub fn sources(&self) -> Vec<KnownSource> {
        todo!()
    }

    /// Writes all memtables to segments and commits.
    ///
    /// # Errors
    /// As the disk says.
    pub fn flush(&self) -> Result<(), StoreError> {
        todo!()
    }

    /// Flushes where memory or the journal's length ask for it, compacts, applies retention, removes dead files. To be
    /// called now and then from one thread; returns whether it did anything.
    ///
    /// # Errors
    /// As the disk says.
    pub fn maintain(&self, _journal_bytes: u64) -> Result<bool, StoreError> {
        todo!()
    }

    /// Compacts all there is with the strong codec. `progress` gets (raw bytes done, raw bytes in all).
    ///
    /// # Errors
    /// As the disk says.
    pub fn compact(&self, _progress: &mut dyn FnMut(u64, u64)) -> Result<(), StoreError> {
        todo!()
    }

    /// Starts reading rows.
    ///
    /// # Errors
    /// As the disk says.
    pub fn scan(&self, _request: &ScanRequest) -> Result<Scan, StoreError> {
        todo!()
    }

    /// Splits an unordered scan into up to `parts` that together give each row once, for as many threads.
    ///
    /// # Errors
    /// As the disk says.
    pub fn scan_parts(&self, _request: &ScanRequest, _parts: usize) -> Result<Vec<Scan>, StoreError> {
        todo!()
    }

    /// How many rows a predicate-free range has, where that is known without reading rows.
    pub fn count(&self, _tenant: Tenant, _range: TimeRange) -> Option<u64> {
        todo!()
    }

    /// The fields that rows of the range have.
    ///
    /// # Errors
    /// As the disk says.
    pub fn fields(&self, _tenant: Tenant, _range: TimeRange) -> Result<Vec<FieldCount>, StoreError> {
        todo!()
    }

    /// Sizes.
    pub fn stats(&self) -> Stats {
        todo!()
    }
}
