//! One file that is followed, by its handle: whatever becomes of its name, what is written to it is read. Sees that it
//! was truncated or written anew. Knows nothing of directories or of how a file is recognised after a restart.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sawlog_model::{KnownSource, SourceId};
use sawlog_sys::{File, Metadata};

use super::cutter::Cutter;
use super::delivery::{Delivery, Stopped};
use super::mark::{ANCHOR, Anchor, Mark};
use crate::format::More;

/// Bytes read at once: they stay in the processor's cache until they are on their way.
const CHUNK: usize = 256 << 10;
/// Bytes read of one file before others have their turn.
const TURN: usize = 8 << 20;
/// What a limit of bytes is counted over.
const SECOND: Duration = Duration::from_secs(1);

/// A followed file.
pub(crate) struct Follower {
    pub path: PathBuf,
    file: Arc<dyn File>,
    cutter: Cutter,
    /// After so long without a new byte, lines are given that are held back; zero: never.
    quiet: Duration,
    /// Most bytes that are read in a second; 0: as many as there are.
    rate: u64,
    /// When the second under way began, and the bytes that were read in it.
    spent: (Duration, u64),
    /// When reading goes on, where there is more than may be read now.
    pub resume_at: Option<Duration>,
    /// When lines that are held back are to be given.
    pub quiet_at: Option<Duration>,
    /// Since when the file has had no name, or no new byte without one.
    pub unlinked_since: Option<Duration>,
}

/// How reading ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Read {
    /// So many bytes were read.
    Bytes {
        /// How many.
        read: usize,
        /// There is more.
        more: bool,
        /// The file has no name.
        unlinked: bool,
    },
    /// The file no longer has the bytes that were read: it is to be restarted.
    Truncated,
}

/// Fills as much of `into` as the file has at `offset`.
pub(crate) fn read_full(file: &dyn File, into: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < into.len() {
        match file.read_at(&mut into[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// The bytes before `offset`, at most [`ANCHOR`].
fn before(file: &dyn File, offset: u64) -> io::Result<Vec<u8>> {
    let len = offset.min(ANCHOR as u64);
    let mut bytes = vec![0; len as usize];
    let read = read_full(file, &mut bytes, offset - len)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// The bytes before the mark where the file still has them; `None` where it was truncated or written anew.
pub(crate) fn verify(file: &dyn File, len: u64, mark: &Mark) -> io::Result<Option<Vec<u8>>> {
    if len < mark.offset {
        return Ok(None);
    }
    let bytes = before(file, mark.offset)?;
    Ok((Anchor::of(&bytes) == mark.anchor || mark.offset == 0).then_some(bytes))
}

impl Follower {
    /// `rate` is the most bytes that are read in a second, or 0.
    pub(crate) fn new(
        path: PathBuf,
        file: Arc<dyn File>,
        cutter: Cutter,
        quiet: Duration,
        rate: u64,
    ) -> Self {
        let spent = (Duration::ZERO, 0);
        Follower {
            path,
            file,
            cutter,
            quiet,
            rate,
            spent,
            resume_at: None,
            quiet_at: None,
            unlinked_since: None,
        }
    }

    pub(crate) fn source(&self) -> SourceId {
        self.cutter.origin.source.id
    }

    pub(crate) fn file(&self) -> &dyn File {
        &*self.file
    }

    pub(crate) fn mark(&self) -> &Mark {
        self.cutter.mark()
    }

    pub(crate) fn known(&self) -> KnownSource {
        self.cutter.known()
    }

    /// Forgets an unfinished line that is read elsewhere.
    pub(crate) fn drop_held(&mut self) {
        self.cutter.drop_held();
    }

    /// Whether the file no longer has the bytes that were read.
    pub(crate) fn is_truncated(&self) -> io::Result<bool> {
        Ok(verify(&*self.file, self.metadata()?.len, self.cutter.mark())?.is_none())
    }

    /// Bytes that the file has behind those that were read.
    pub(crate) fn backlog(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len.saturating_sub(self.cutter.end()))
    }

    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    /// The file has another name now.
    pub(crate) fn renamed(&mut self, path: PathBuf) {
        let mut source = (*self.cutter.origin.source).clone();
        source.facts.path = path.display().to_string();
        self.cutter.origin.source = Arc::new(source);
        self.path = path;
    }

    /// Bytes that may be read now.
    fn room(&mut self, now: Duration) -> u64 {
        if self.rate == 0 {
            return u64::MAX;
        }
        if self.spent.1 == 0 || now >= self.spent.0 + SECOND {
            self.spent = (now, 0);
        }
        self.rate.saturating_sub(self.spent.1)
    }

    /// Reads what has come, up to a turn's bytes, and to what may be read in a second.
    ///
    /// # Errors
    /// What the system says inside, or that the node stops.
    pub(crate) fn read(&mut self, delivery: &Delivery) -> Result<io::Result<Read>, Stopped> {
        let metadata = match self.file.metadata() {
            Ok(metadata) => metadata,
            Err(error) => return Ok(Err(error)),
        };
        match self.has_same_bytes(metadata.len) {
            Ok(true) => {}
            Ok(false) => return Ok(Ok(Read::Truncated)),
            Err(error) => return Ok(Err(error)),
        }
        self.cutter.set_written(metadata.modified);
        let room = self.room(delivery.monotonic());
        let len = metadata.len.min(self.cutter.end().saturating_add(room));
        let mut read = 0;
        while read < TURN && self.cutter.end() < len {
            match self.read_chunk(len, delivery)? {
                Ok(0) => break,
                Ok(bytes) => read += bytes,
                Err(error) => return Ok(Err(error)),
            }
        }
        self.spent.1 = self.spent.1.saturating_add(read as u64);
        let waits = self.cutter.end() >= len && len < metadata.len;
        self.resume_at = waits.then(|| self.spent.0 + SECOND);
        // What lines go on with may be there already.
        let holds = !self.quiet.is_zero() && !waits && self.cutter.holds_lines();
        self.quiet_at = holds.then(|| delivery.monotonic() + self.quiet);
        let more = read >= TURN;
        if !more {
            self.cutter.shrink();
            delivery.buffers.rest();
        }
        Ok(Ok(Read::Bytes { read, more, unlinked: metadata.links == 0 }))
    }

    /// Whether the file, of this length, still has the bytes that were read; forgets such as are no rows yet and are gone.
    fn has_same_bytes(&mut self, len: u64) -> io::Result<bool> {
        if !self.cutter.held().is_empty() && len >= self.cutter.end() {
            let tail = self.cutter.tail();
            let mut now = vec![0; tail.len()];
            let read = read_full(&*self.file, &mut now, self.cutter.end() - tail.len() as u64)?;
            if now[..read] == *tail {
                return Ok(true);
            }
        }
        let offset = self.cutter.mark().offset;
        if len < offset || before(&*self.file, offset)? != self.cutter.last() {
            return Ok(false);
        }
        self.cutter.drop_held();
        Ok(true)
    }

    /// Ends the epoch, with an unfinished line where there is one, and makes the next one known before any of its bytes
    /// is delivered.
    pub(crate) fn restart(&mut self, delivery: &Delivery) -> Result<(), Stopped> {
        self.give_held(delivery, More::No)?;
        delivery.settle(self.source())?;
        self.cutter.begin_epoch();
        delivery.record(vec![self.cutter.known()])
    }

    fn read_chunk(&mut self, len: u64, delivery: &Delivery) -> Result<io::Result<usize>, Stopped> {
        let held = self.cutter.held().clone();
        let end = self.cutter.end();
        // What is held of a very long line doubles, so that copying it stays in proportion.
        let size = len.saturating_sub(end).min(CHUNK.max(held.len()) as u64) as usize;
        let mut buffer = delivery.buffers.take(held.len() + size);
        buffer[..held.len()].copy_from_slice(&held);
        let read = match read_full(&*self.file, &mut buffer[held.len()..], end) {
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        let batch = self.cutter.cut(buffer.freeze(held.len() + read), More::Yes, delivery.now());
        // Before the rows that follow them are anywhere.
        delivery.tell(&mut self.cutter);
        delivery.offer(batch, self.cutter.mark().position())?;
        Ok(Ok(read))
    }

    /// Gives lines that were held back, for want of others.
    pub(crate) fn give_held(&mut self, delivery: &Delivery, more: More) -> Result<(), Stopped> {
        self.quiet_at = None;
        if self.cutter.held().is_empty() {
            return Ok(());
        }
        let batch = self.cutter.cut(self.cutter.held().clone(), more, delivery.now());
        delivery.tell(&mut self.cutter);
        delivery.offer(batch, self.cutter.mark().position())?;
        self.cutter.shrink();
        Ok(())
    }

    /// Gives what is left and makes all of it durable: nothing more comes of this file.
    pub(crate) fn finish(&mut self, delivery: &Delivery) -> Result<(), Stopped> {
        self.give_held(delivery, More::No)?;
        delivery.settle(self.source())?;
        self.cutter.set_done();
        delivery.record(vec![self.cutter.known()])
    }
}
