//! A segment: the immutable file that rows end in. Folders mirror the bytes (docs/format.md). Knows nothing of
//! manifests, memtables or other segments.

use std::sync::Arc;

use arrow::array::ArrayRef;
use sawlog_model::{Batch, Nanos, Predicate, Record, RowRef, SourceId, Tenant, TimeRange};
use sawlog_sys::File;

use crate::{FieldCount, StoreError};

/// Most rows of a row group.
pub const GROUP_ROWS: usize = 65_536;
/// Most raw bytes of a row group (a single longer row has one of its own).
pub const GROUP_BYTES: u64 = 8 << 20;

/// How hard the encoder tries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effort {
    /// At flush: fast.
    Cheap,
    /// At compaction: small.
    Strong,
}

/// A stretch of one source in a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceRange {
    /// The source.
    pub source: SourceId,
    /// Its name at the time of writing.
    pub name: String,
    /// Epoch.
    pub epoch: u32,
    /// Offset of the first row.
    pub first: u64,
    /// Offset of the last row.
    pub last: u64,
    /// Rows.
    pub rows: u64,
}

/// What is known of a row group without opening it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupMeta {
    /// Rows.
    pub rows: u32,
    /// Bytes of their lines.
    pub raw_bytes: u64,
    /// First time.
    pub first_time: Nanos,
    /// Last time.
    pub last_time: Nanos,
    /// Sources (indexes into [`SegmentMeta::sources`]) with first row, rows, first and last offset, in the order of rows.
    pub runs: Vec<SourceRun>,
}

/// The rows of one source and epoch in a group: they stand together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SourceRun {
    /// Index into [`SegmentMeta::sources`].
    pub source: u32,
    /// First row.
    pub start: u32,
    /// Rows.
    pub rows: u32,
    /// Offset of the first row.
    pub first: u64,
    /// Offset of the last row.
    pub last: u64,
}

/// What is known of a segment: its footer without the index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentMeta {
    /// Whose.
    pub tenant: Tenant,
    /// Rows.
    pub rows: u64,
    /// Bytes of their lines.
    pub raw_bytes: u64,
    /// First time.
    pub first_time: Nanos,
    /// Last time.
    pub last_time: Nanos,
    /// Written by compaction with the strong codec.
    pub strong: bool,
    /// Sources.
    pub sources: Vec<SourceRange>,
    /// Row groups, in the order of time.
    pub groups: Vec<GroupMeta>,
    /// Fields with counts.
    pub fields: Vec<FieldCount>,
}

/// A segment as bytes.
pub struct Encoded {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// What its footer says.
    pub meta: SegmentMeta,
}

/// Makes a segment, one row group after the other.
pub struct SegmentWriter {}

impl SegmentWriter {
    /// A writer for rows of one tenant.
    pub fn new(_tenant: Tenant, _effort: Effort) -> Self {
        todo!()
    }

    /// Adds a row group: at most [`GROUP_ROWS`] rows and [`GROUP_BYTES`], sorted by (source, epoch, offset). Groups come in
    /// the order of time.
    pub fn add_group(&mut self, _rows: &[RowRef<'_>]) {
        todo!()
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        todo!()
    }

    /// Ends the file.
    pub fn finish(self) -> Encoded {
        todo!()
    }
}

/// Decoded blocks that queries share, within a budget.
pub struct Cache {}

impl Cache {
    /// A cache of this many bytes.
    pub fn new(_bytes: usize) -> Self {
        todo!()
    }
}

/// An open segment.
pub struct Segment {}

impl Segment {
    /// Reads the footer.
    ///
    /// # Errors
    /// [`StoreError`] where the file is not a segment, is damaged or of another format.
    pub fn open(_file: Arc<dyn File>, _path: &str, _cache: Arc<Cache>) -> Result<Segment, StoreError> {
        todo!()
    }

    /// What its footer says.
    pub fn meta(&self) -> &SegmentMeta {
        todo!()
    }

    /// Whether rows of the group may be kept, as far as the index knows.
    ///
    /// # Errors
    /// As the disk says.
    pub fn may_keep(&self, _group: usize, _predicate: &Predicate) -> Result<bool, StoreError> {
        todo!()
    }

    /// Opens a group; its columns are read when they are asked for.
    ///
    /// # Errors
    /// As the disk says.
    pub fn group(&self, _index: usize) -> Result<Group, StoreError> {
        todo!()
    }
}

/// An open row group.
pub struct Group {}

impl Group {
    /// The rows that the predicate keeps and whose time is in the range, ascending: exactly those for which
    /// [`Predicate::keeps`] holds.
    ///
    /// # Errors
    /// As the disk says.
    pub fn select(&self, _predicate: &Predicate, _range: TimeRange) -> Result<Vec<u32>, StoreError> {
        todo!()
    }

    /// Times of all rows.
    ///
    /// # Errors
    /// As the disk says.
    pub fn times(&self) -> Result<Arc<Vec<Nanos>>, StoreError> {
        todo!()
    }

    /// Offsets of all rows.
    ///
    /// # Errors
    /// As the disk says.
    pub fn offsets(&self) -> Result<Arc<Vec<u64>>, StoreError> {
        todo!()
    }

    /// The columns (see [`crate::Column`]) of these rows, in the order of `rows` (any order).
    ///
    /// # Errors
    /// As the disk says.
    pub fn columns(&self, _names: &[String], _rows: &[u32]) -> Result<Vec<ArrayRef>, StoreError> {
        todo!()
    }

    /// One row.
    ///
    /// # Errors
    /// As the disk says.
    pub fn record(&self, _row: u32) -> Result<Record, StoreError> {
        todo!()
    }

    /// All rows as batches, one per source, epoch and context in the order of rows: what compaction writes again.
    ///
    /// # Errors
    /// As the disk says.
    pub fn batches(&self) -> Result<Vec<Batch>, StoreError> {
        todo!()
    }
}
