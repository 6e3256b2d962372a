//! A segment: the immutable file that rows end in. Folders mirror the bytes (docs/format.md). Knows nothing of
//! manifests, memtables or other segments.

mod ahead;
mod arrow;
mod batches;
mod bits;
mod cache;
mod chunk;
mod column;
mod counted;
mod counts;
mod cursor;
mod decode;
mod dissect;
mod edges;
mod encode;
mod fields;
mod follow;
mod footer;
mod frame;
mod framed;
pub mod fuzz;
mod group;
mod hashes;
mod heads;
mod in_parts;
mod in_templates;
mod index;
mod interner;
mod ints;
mod lately;
mod leaders;
mod literal;
mod load;
mod most;
mod needle;
mod offsets;
mod out;
mod parts;
mod printing;
mod reader;
mod remembered;
mod row;
mod select;
mod shape;
mod sift;
mod skeleton;
mod steps;
mod stream;
pub(crate) mod tag;
mod tally;
mod template;
#[cfg(test)]
mod tests;
mod texts;
mod times;
mod tokens;
mod variables;
mod writer;

use std::sync::Arc;

use sawlog_model::{Nanos, Predicate, SourceId, Tenant, Test, TimeRange};
use sawlog_sys::File;

pub use self::cache::Cache;
use self::fields::Role;
#[cfg(test)]
pub(crate) use self::footer::VERSION;
pub use self::group::Group;
use self::heads::Heads;
pub(crate) use self::most::First;
use self::reader::Body;
pub(crate) use self::steps::rounded;
pub(crate) use self::texts::TextCounts;
pub use self::writer::SegmentWriter;

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

/// A segment that was written.
pub struct Finished {
    /// Bytes of the file.
    pub bytes: u64,
    /// What its footer says.
    pub meta: SegmentMeta,
}

/// An open segment.
pub struct Segment {
    body: Arc<Body>,
}

impl Segment {
    /// Reads the footer.
    ///
    /// # Errors
    /// [`StoreError`] where the file is not a segment, is damaged or of another format.
    pub fn open(file: Arc<dyn File>, path: &str, cache: Arc<Cache>) -> Result<Segment, StoreError> {
        Ok(Segment { body: Arc::new(Body::open(file, path, cache)?) })
    }

    /// What its footer says.
    pub fn meta(&self) -> &SegmentMeta {
        &self.body.meta
    }

    /// What the bytes of the file are spent on: columns by name and part, index, skeletons and the rest; largest first.
    pub fn sizes(&self) -> Vec<(String, f64)> {
        self.body.sizes()
    }

    /// The leader and the form of each column of each group.
    #[cfg(test)]
    pub(crate) fn forms(&self) -> Vec<(u64, u8)> {
        let groups = 0..self.body.meta.groups.len();
        groups.flat_map(|group| Heads::open(self.body.clone(), group).expect("heads").forms()).collect()
    }

    /// Whether rows of the group may be kept, as far as the index knows.
    ///
    /// # Errors
    /// As the disk says.
    pub fn may_keep(&self, group: usize, predicate: &Predicate) -> Result<bool, StoreError> {
        self.body.may_keep(group, predicate)
    }

    /// How many rows of the group the predicate keeps, of those whose time is in the range.
    ///
    /// # Errors
    /// As the disk says.
    pub fn count(&self, index: usize, predicate: &Predicate, range: TimeRange) -> Result<u64, StoreError> {
        let Some(meta) = self.body.meta.groups.get(index) else { return Ok(0) };
        if *predicate == Predicate::All && range.covers(meta.first_time, meta.last_time) {
            return Ok(u64::from(meta.rows));
        }
        if !self.may_keep(index, predicate)? {
            return Ok(0);
        }
        if !range.covers(meta.first_time, meta.last_time) {
            return self.group(index)?.count(predicate, range);
        }
        self.body.counted.get_or(predicate, index, || {
            let heads = Heads::open(self.body.clone(), index)?;
            match heads.count(predicate)? {
                Some(counted) => Ok(counted),
                None => Group::open(heads)?.count(predicate, range),
            }
        })
    }

    /// Whether a condition on the numbers of a field is known to keep no row of the group, of those that must all hold.
    ///
    /// # Errors
    /// As the disk says.
    pub(crate) fn has_no_such_number(&self, index: usize, predicate: &Predicate) -> Result<bool, StoreError> {
        match predicate {
            Predicate::And(all) => {
                for one in all {
                    if self.has_no_such_number(index, one)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Predicate::Field(_, Test::Number(..)) => {
                Ok(Heads::open(self.body.clone(), index)?.count(predicate)? == Some(0))
            }
            _ => Ok(false),
        }
    }

    /// Whether a row may have a field, as far as the footer tells.
    pub(crate) fn may_have(&self, field: &str) -> bool {
        // Fields of sawlog's own may be said by the source.
        field.starts_with('_')
            || self.body.fields.iter().any(|known| known.role == Role::Rest || *known.name == *field)
            || self.body.contexts.iter().any(|context| context.get(field).is_some())
    }

    /// Reads every byte of the file and puts every row together.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn verify(&self) -> Result<(), StoreError> {
        self.body.verify_chunks()?;
        for index in 0..self.body.meta.groups.len() {
            self.group(index)?.batches()?;
        }
        Ok(())
    }

    /// Opens a group; its columns are read when they are asked for.
    ///
    /// # Errors
    /// As the disk says.
    pub fn group(&self, index: usize) -> Result<Group, StoreError> {
        Group::open(Heads::open(self.body.clone(), index)?)
    }
}
