//! Group commit: many threads append, one at a time leads. Frames are encoded in order into the batch that fills; the
//! leader takes the batch, writes it and waits for the disk, while the next batch fills. So the fsync in flight is the
//! batching window, there is no timer, and an idle journal writes at once. Knows nothing of how a batch gets to disk.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use sawlog_sys::{Fs, Lock};

use crate::format::{self, FILE_HEADER, FRAME_HEADER, MAX_BODY, MAX_POSITION};
use crate::gather::{At, Gathered, Payload};
use crate::writer::Writer;
use crate::{FrameKind, JournalError, Lane, Lsn};

/// A batch takes no more frames above this size, bytes; who comes then waits for the next one.
const BATCH_BYTES: usize = 8 << 20;
/// A larger buffer is not kept for the next batch, bytes.
const SPARE_BYTES: usize = 256 << 10;

pub(crate) struct Inner {
    pub fs: Arc<dyn Fs>,
    pub dir: PathBuf,
    pub total_bytes: u64,
    pub state: Mutex<State>,
    /// Told when a batch begins to fill.
    pub room: Condvar,
    pub writer: Mutex<Writer>,
    /// Held while files are removed.
    pub trimming: Mutex<()>,
    /// Keeps other processes out.
    pub _lock: Option<Box<dyn Lock>>,
}

pub(crate) struct State {
    /// First positions of the files, oldest first.
    files: VecDeque<Lsn>,
    /// Below it nothing is wanted any more.
    trimmed: Lsn,
    /// End of what is on stable storage.
    durable: Lsn,
    /// Where the next frame will stand.
    next: Lsn,
    filling: Batch,
    /// Whether a batch is on its way to the disk.
    leading: bool,
    /// An empty buffer for the next batch.
    spare: Vec<u8>,
}

/// A file to read.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// Position of its first frame.
    pub first: Lsn,
    /// Position up to which its frames are durable, or belong to the next file.
    pub limit: Lsn,
    /// Whether no file is after it.
    pub is_last: bool,
}

struct Batch {
    /// Room for a file's header, then frames.
    bytes: Gathered,
    outcome: Arc<Outcome>,
}

/// What became of a batch, for those whose frames are in it.
#[derive(Default)]
struct Outcome {
    result: OnceLock<Result<(), JournalError>>,
    /// Told when there is a result, or when one of them shall lead.
    turn: Condvar,
}

impl Batch {
    fn new(buffer: Vec<u8>) -> Self {
        let mut bytes = Gathered::new(buffer);
        bytes.own().resize(FILE_HEADER, 0);
        Batch { bytes, outcome: Arc::default() }
    }

    fn is_empty(&self) -> bool {
        self.bytes.len() == FILE_HEADER
    }
}

impl State {
    pub(crate) fn new(files: VecDeque<Lsn>, end: Lsn) -> Self {
        State {
            trimmed: files.front().copied().unwrap_or(end),
            files,
            durable: end,
            next: end,
            filling: Batch::new(Vec::new()),
            leading: false,
            spare: Vec::new(),
        }
    }

    fn removable(&self, lsn: Lsn) -> Option<Lsn> {
        let next = *self.files.get(1)?;
        (next <= lsn && next < self.durable).then_some(self.files[0])
    }
}

/// Takes an unfinished frame off the batch again, also where making its payload panicked.
struct Undo<'a> {
    bytes: &'a mut Gathered,
    keep: At,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        self.bytes.truncate(self.keep);
    }
}

/// The lock of `mutex`, also after a panic elsewhere: nothing here is left half done by one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condition.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    pub(crate) fn failed(&self, error: io::Error) -> JournalError {
        JournalError::Io { dir: self.dir.display().to_string(), source: Arc::new(error) }
    }

    pub(crate) fn start(&self) -> Lsn {
        let state = lock(&self.state);
        state.files.front().copied().unwrap_or(state.durable)
    }

    pub(crate) fn end(&self) -> Lsn {
        lock(&self.state).durable
    }

    /// Where to read the frame at `at`, which is moved to the oldest one that is kept; `None` at the end.
    pub(crate) fn place(&self, at: &mut Lsn) -> Option<Place> {
        let state = lock(&self.state);
        *at = (*at).max(*state.files.front()?);
        let after = state.files.partition_point(|first| first <= at);
        let next = state.files.get(after);
        let limit = next.map_or(state.durable, |next| state.durable.min(*next));
        (*at < limit).then(|| Place { first: state.files[after - 1], limit, is_last: next.is_none() })
    }

    pub(crate) fn append(
        &self,
        kind: FrameKind,
        lane: Lane,
        make: impl FnOnce(Lsn, &mut Payload<'_>),
    ) -> Result<Lsn, JournalError> {
        let mut state = lock(&self.state);
        while state.filling.bytes.len() > BATCH_BYTES {
            state = wait(&self.room, state);
        }
        let lsn = self.enqueue(&mut state, kind, &lane, make)?;
        let outcome = Arc::clone(&state.filling.outcome);
        loop {
            if let Some(result) = outcome.result.get() {
                return result.clone().map(|()| lsn);
            }
            state = if state.leading { wait(&outcome.turn, state) } else { self.lead(state) };
        }
    }

    /// Encodes a frame at the end of the batch that fills.
    fn enqueue(
        &self,
        state: &mut State,
        kind: FrameKind,
        lane: &Lane,
        make: impl FnOnce(Lsn, &mut Payload<'_>),
    ) -> Result<Lsn, JournalError> {
        let lsn = state.next;
        let (keep, before) = (state.filling.bytes.end(), state.filling.bytes.len());
        let mut undo = Undo { bytes: &mut state.filling.bytes, keep };
        format::begin_frame(undo.bytes.own(), kind, lane);
        let payload = undo.bytes.len();
        make(lsn, &mut Payload(undo.bytes));
        assert!(undo.bytes.len() >= payload, "the maker of a payload only adds to the buffer");

        let len = undo.bytes.len() - before;
        if len - FRAME_HEADER > MAX_BODY {
            let said = format!("a frame of {len} bytes is larger than a journal takes ({MAX_BODY})");
            return Err(self.failed(io::Error::new(io::ErrorKind::InvalidInput, said)));
        }
        if lsn.0 > MAX_POSITION {
            let said = "the journal is at its last position; move its directory away";
            return Err(self.failed(io::Error::new(io::ErrorKind::InvalidData, said)));
        }
        let next = Lsn(lsn.0 + len as u64);
        let used = next.0 - state.trimmed.0;
        if used > self.allowed(kind) {
            return Err(JournalError::Full(self.total_bytes));
        }
        format::seal_frame(undo.bytes, keep, len, lsn);
        undo.keep = undo.bytes.end();
        state.next = next;
        Ok(lsn)
    }

    /// Bytes that may be in use after a frame of that kind. Cursors may go a little over, so that outputs can report
    /// what they have done, and the journal be trimmed, when rows have filled it.
    fn allowed(&self, kind: FrameKind) -> u64 {
        match kind {
            FrameKind::Data => self.total_bytes,
            FrameKind::Cursor => self.total_bytes.saturating_add(self.total_bytes / 16),
        }
    }

    /// Takes the batch that fills to the disk and tells those who wait for it.
    fn lead<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.leading = true;
        let spare = std::mem::take(&mut state.spare);
        let mut batch = std::mem::replace(&mut state.filling, Batch::new(spare));
        let (first, end) = (state.durable, state.next);
        drop(state);
        self.room.notify_all();

        let written = lock(&self.writer).commit(&mut batch.bytes, first);

        let mut state = lock(&self.state);
        state.leading = false;
        let result = match written {
            Ok(begun) => {
                if begun && state.files.back() != Some(&first) {
                    state.files.push_back(first);
                }
                state.durable = end;
                Ok(())
            }
            Err(error) => {
                let error = self.failed(error);
                self.refuse_filling(&mut state, &error);
                Err(error)
            }
        };
        let _ = batch.outcome.result.set(result);
        batch.outcome.turn.notify_all();
        if !state.filling.is_empty() {
            state.filling.outcome.turn.notify_one();
        }
        let buffer = batch.bytes.into_buffer();
        if buffer.capacity() <= SPARE_BYTES {
            state.spare = buffer;
        }
        state
    }

    /// The frames that came after those of a failed batch have positions that the journal will give to others now.
    fn refuse_filling(&self, state: &mut State, error: &JournalError) {
        state.next = state.durable;
        if !state.filling.is_empty() {
            let refused = std::mem::replace(&mut state.filling, Batch::new(Vec::new()));
            let _ = refused.outcome.result.set(Err(error.clone()));
            refused.outcome.turn.notify_all();
            self.room.notify_all();
        }
    }

    /// Removes the files wholly below `lsn`, oldest first and each durably before the next, so that what is left after
    /// a crash has no hole. The last file with a durable frame stays: it carries the position over a restart.
    pub(crate) fn leave_file(&self) {
        lock(&self.writer).leave();
    }

    pub(crate) fn trim(&self, lsn: Lsn) -> Result<(), JournalError> {
        let _alone = lock(&self.trimming);
        let mut state = lock(&self.state);
        state.trimmed = state.trimmed.max(lsn.min(state.durable));
        while let Some(oldest) = state.removable(lsn) {
            drop(state);
            match self.fs.unlink(&format::file_path(&self.dir, oldest)) {
                // A trim that failed to make its removal durable comes here again.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.failed(error)),
                _ => {}
            }
            self.fs.sync_dir(&self.dir).map_err(|error| self.failed(error))?;
            state = lock(&self.state);
            state.files.pop_front();
        }
        Ok(())
    }
}
