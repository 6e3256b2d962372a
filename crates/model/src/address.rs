//! Where a row stands: its source, the epoch of that source and the byte offset in it. An address never changes and
//! within one source only grows, so a duplicate is recognised without a window. Knows nothing of how a file is found
//! again after it was renamed: that is matching on [`SourceFacts`], done where files are followed.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

/// 128 random bits minted when a source is first seen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SourceId(pub u128);

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceId({self})")
    }
}

impl FromStr for SourceId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(SourceId)
    }
}

/// The address of a row. The order of addresses is the order in which the source was written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Address {
    /// The source.
    pub source: SourceId,
    /// Counts the times that the source began again from nothing (truncated, rewritten).
    pub epoch: u32,
    /// For a file: the offset in bytes of the row's first byte. For what came over a network: the position of the
    /// journal frame plus the row's index in it.
    pub offset: u64,
}

/// What a source is known by. Matching on these may improve; the [`SourceId`] stays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SourceFacts {
    /// What people call it: the path of a file at first sight, or `forward:TAG@HOST` and the like.
    pub name: String,
    /// Where it stands now, if that differs (a rotated file keeps its source and gets a new path).
    pub path: String,
    /// File system id; 0 where it is not a file.
    pub filesystem: u64,
    /// Inode; 0 where it is not a file.
    pub inode: u64,
    /// What tells a reused inode from the old one: hash of the file handle (it holds the inode's generation), or 0.
    pub generation: u64,
    /// Birth time in nanoseconds, or 0.
    pub birth: i64,
}

/// A source: its id and the facts, passed along with every batch so that whoever commits a position commits these too.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// What it is recognised by.
    pub facts: SourceFacts,
}

/// How far a source has been read. `resume` is opaque to everyone but the input that wrote it (running hash of the
/// epoch's bytes, anchor of the last ones, format state); at most [`Position::RESUME_LIMIT`] bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Position {
    /// Epoch.
    pub epoch: u32,
    /// Offset of the first byte not yet read.
    pub offset: u64,
    /// What the input needs to go on from here.
    pub resume: Bytes,
}

impl Position {
    /// Most bytes that `resume` may have.
    pub const RESUME_LIMIT: usize = 8 * 1024;

    /// The part that orders positions of one source.
    pub fn mark(&self) -> (u32, u64) {
        (self.epoch, self.offset)
    }
}

/// A source that an output knows, with the position up to which it holds the source's rows for good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownSource {
    /// The source.
    pub source: Source,
    /// Its committed position.
    pub position: Position,
}
