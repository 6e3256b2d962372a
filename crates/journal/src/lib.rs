//! The one append-only log of a node: write-ahead log, spool and position store in the same checksummed frames. A frame
//! is acknowledged only after its bytes are on stable storage; writers share one fsync. Knows nothing of what a frame's
//! payload means.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use sawlog_sys::Sys;

/// A position in the journal, in bytes since its beginning; it only grows, also over trimming.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Lsn(pub u64);

/// What a frame is; the payload of each kind belongs to who wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum FrameKind {
    /// Rows ([`Lane`] says whose).
    Data = 1,
    /// An output's cursor or a source's position.
    Cursor = 2,
}

/// The lane of a data frame (design: lanes between nodes). All zero where the frame is of this node's own inputs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Lane {
    /// Producer: install id of the sender.
    pub producer: u128,
    /// Incarnation of the producer; an older one is refused.
    pub incarnation: u64,
    /// Sequence in the lane.
    pub sequence: u64,
}

/// A frame as read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it stands.
    pub lsn: Lsn,
    /// Where the next one stands.
    pub next: Lsn,
    /// What it is.
    pub kind: FrameKind,
    /// Whose it is.
    pub lane: Lane,
    /// Its payload.
    pub payload: Bytes,
}

/// Sizes.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// A file of the journal is closed and a new one begun at this size, bytes.
    pub file_bytes: u64,
    /// Appending blocks, then fails with [`JournalError::Full`], above this size, bytes.
    pub total_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options { file_bytes: 64 << 20, total_bytes: 8 << 30 }
    }
}

/// What recovery found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Frames kept.
    pub frames: u64,
    /// Bytes after the last good frame that were dropped (a torn append; never an acknowledged frame unless the disk lies).
    pub dropped_bytes: u64,
    /// In words, what was wrong there.
    pub reason: Option<String>,
}

/// The journal cannot do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// The disk said no. After a failed fsync the journal takes nothing more until it is opened again.
    #[error(
        "the journal in {dir} cannot be written: {source}; free space or mend the disk, input waits until then"
    )]
    Io { dir: String, source: Arc<std::io::Error> },
    /// The limit of bytes is reached.
    #[error("the journal is full ({0} bytes); outputs are behind")]
    Full(u64),
}

/// The journal of a node. Cheap to clone; all methods may be called from many threads.
#[derive(Clone)]
pub struct Journal {
    _inner: Arc<()>,
}

impl Journal {
    /// Opens or makes the journal in `dir`, keeps its longest good prefix and says what it dropped.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn open(_sys: &Sys, _dir: &Path, _options: Options) -> Result<(Journal, Recovered), JournalError> {
        todo!()
    }

    /// Appends a frame and waits until it is on stable storage. `make` gets the frame's position and gives the payload,
    /// so that addresses can be made from it.
    ///
    /// # Errors
    /// [`JournalError`]; the frame is then not acknowledged, but may be found at the next start.
    pub fn append(
        &self,
        _kind: FrameKind,
        _lane: Lane,
        _make: impl FnOnce(Lsn, &mut Vec<u8>),
    ) -> Result<Lsn, JournalError> {
        todo!()
    }

    /// Where the next frame will stand.
    pub fn end(&self) -> Lsn {
        todo!()
    }

    /// Oldest position that is kept.
    pub fn start(&self) -> Lsn {
        todo!()
    }

    /// Allows files that lie wholly below `lsn` to be removed.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn trim(&self, _lsn: Lsn) -> Result<(), JournalError> {
        todo!()
    }

    /// Reads frames from `from` (or from the oldest kept) up to the end, in order.
    pub fn read(&self, _from: Lsn) -> FrameIter {
        todo!()
    }
}

/// Frames in order; see [`Journal::read`].
pub struct FrameIter {}

impl Iterator for FrameIter {
    type Item = Result<Frame, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        todo!()
    }
}
