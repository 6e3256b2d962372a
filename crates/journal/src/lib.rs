//! The one append-only log of a node: write-ahead log, spool and position store in the same checksummed frames. A frame
//! is acknowledged only after its bytes are on stable storage; writers share one fsync. Knows nothing of what a frame's
//! payload means.

mod format;
pub mod fuzz;
mod gather;
mod group;
mod reader;
mod recovery;
mod scan;
mod writer;

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use bytes::Bytes;
use sawlog_sys::{Fs, Lock, Open, Sys};

pub use crate::gather::Payload;
use crate::group::{Inner, State};
pub use crate::reader::FrameIter;
use crate::recovery::Found;
use crate::writer::Writer;

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
    /// A file of the journal is closed and a new one begun at this size, bytes; at most a quarter of `total_bytes` is
    /// taken.
    pub file_bytes: u64,
    /// Appending rows fails with [`JournalError::Full`] when more bytes than this were not yet allowed to be trimmed.
    /// Cursors may go a sixteenth over. The directory may be larger by one file, which is removed whole.
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
    /// Frames kept in the last file; those before it were whole when it was begun and are not read at the start.
    pub frames: u64,
    /// Bytes after the last good frame that were dropped (a torn append; never an acknowledged frame unless the disk lies).
    pub dropped_bytes: u64,
    /// In words, what was wrong there.
    pub reason: Option<String>,
}

/// The journal cannot do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// The disk said no. Nothing acknowledged is lost; the next append tries again in a new file.
    #[error("the journal in {dir} failed: {source}; free space or mend the disk, input waits until then")]
    Io {
        /// Where the journal is.
        dir: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The limit of bytes is reached: append again when outputs have caught up and the journal was trimmed.
    #[error("the journal is full ({0} bytes); outputs are behind")]
    Full(u64),
}

impl JournalError {
    /// Whether another process holds the directory; it may let go of it.
    pub fn is_held(&self) -> bool {
        matches!(self, JournalError::Io { source, .. } if source.kind() == io::ErrorKind::WouldBlock)
    }
}

/// The journal of a node. Cheap to clone; all methods may be called from many threads.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

impl Journal {
    /// Opens or makes the journal in `dir`, keeps its longest good prefix and says what it dropped.
    ///
    /// # Errors
    /// [`JournalError::Io`]; with `WouldBlock` inside where another process has the journal, `Unsupported` where its
    /// format is another one.
    pub fn open(sys: &Sys, dir: &Path, options: Options) -> Result<(Journal, Recovered), JournalError> {
        Self::open_files(sys, dir, options)
            .map_err(|error| JournalError::Io { dir: dir.display().to_string(), source: Arc::new(error) })
    }

    fn open_files(sys: &Sys, dir: &Path, options: Options) -> io::Result<(Journal, Recovered)> {
        let fs = Arc::clone(&sys.fs);
        fs.create_dir_all(dir)?;
        let lock = fs.lock(&dir.join("lock"))?.ok_or_else(|| {
            io::Error::new(io::ErrorKind::WouldBlock, "another process uses this directory")
        })?;
        let found = recovery::recover(&*fs, dir, Open::Write)?;
        Ok((Journal { inner: Arc::new(Self::inner(fs, dir, options, &found, Some(lock))) }, found.recovered))
    }

    fn inner(
        fs: Arc<dyn Fs>,
        dir: &Path,
        options: Options,
        found: &Found,
        lock: Option<Box<dyn Lock>>,
    ) -> Inner {
        let file_bytes = options.file_bytes.min(options.total_bytes / 4);
        Inner {
            writer: Mutex::new(Writer::new(Arc::clone(&fs), dir.to_owned(), file_bytes)),
            fs,
            dir: dir.to_owned(),
            total_bytes: options.total_bytes,
            state: Mutex::new(State::new(found.files.clone(), found.end)),
            room: Condvar::new(),
            trimming: Mutex::new(()),
            _lock: lock,
        }
    }

    /// Reads the frames of a journal that another process may be writing, as far as they are good now. Takes no lock
    /// and changes nothing.
    ///
    /// # Errors
    /// As [`Journal::open`], but for the lock.
    pub fn read_only(sys: &Sys, dir: &Path) -> Result<FrameIter, JournalError> {
        let found = recovery::recover(&*sys.fs, dir, Open::Read)
            .map_err(|error| JournalError::Io { dir: dir.display().to_string(), source: Arc::new(error) })?;
        let inner = Self::inner(Arc::clone(&sys.fs), dir, Options::default(), &found, None);
        Ok(FrameIter::new(Arc::new(inner), Lsn::default()))
    }

    /// Appends a frame and waits until it is on stable storage. `make` gets the frame's position and adds the payload
    /// to the end of the buffer, which holds other frames too, so that addresses can be made from the position. It is
    /// called under the lock of the journal: it must not call the journal, and should only copy.
    ///
    /// # Errors
    /// [`JournalError`]; the frame is then not acknowledged and its position may be given to another, but it may be
    /// found at the next start.
    pub fn append(
        &self,
        kind: FrameKind,
        lane: Lane,
        make: impl FnOnce(Lsn, &mut Vec<u8>),
    ) -> Result<Lsn, JournalError> {
        self.append_shared(kind, lane, |lsn, payload| make(lsn, payload.bytes()))
    }

    /// As [`Journal::append`], for payloads of which others own a large part: that goes to the disk from where it is.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn append_shared(
        &self,
        kind: FrameKind,
        lane: Lane,
        make: impl FnOnce(Lsn, &mut Payload<'_>),
    ) -> Result<Lsn, JournalError> {
        self.inner.append(kind, lane, make)
    }

    /// End of what is on stable storage, where the next frame will stand when no append is under way.
    pub fn end(&self) -> Lsn {
        self.inner.end()
    }

    /// Oldest position that is kept.
    pub fn start(&self) -> Lsn {
        self.inner.start()
    }

    /// Allows files that lie wholly below `lsn` to be removed, with the cursors in them. Whatever says that nothing
    /// below `lsn` is wanted must be durable before.
    ///
    /// # Errors
    /// [`JournalError::Io`]; some of the files may be gone, and it can be called again.
    pub fn trim(&self, lsn: Lsn) -> Result<(), JournalError> {
        self.inner.trim(lsn)
    }

    /// Lets the next frame stand in a new file, so that [`Journal::trim`] can then remove all that stands before it.
    pub fn leave_file(&self) {
        self.inner.leave_file();
    }

    /// Reads the durable frames from `from`, a position that the journal gave out (or from the oldest kept where that
    /// is later), in order.
    pub fn read(&self, from: Lsn) -> FrameIter {
        FrameIter::new(Arc::clone(&self.inner), from)
    }
}
