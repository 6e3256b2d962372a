//! Rows gathered in files of an output's own (chunks) until they are handed on whole: sorted by span of time, tag and fields,
//! fsynced and recorded with the position that they reach, so that neither the end of the process nor a loss of power loses or
//! doubles one. Knows nothing of what a whole chunk becomes: that is a [`Sink`]'s.

mod output;
pub(crate) mod pack;
pub(crate) mod state;
#[cfg(test)]
mod tests;
mod worker;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sawlog_model::{Batch, KnownSource, Limits, Nanos, RowRef, SECOND, SourceId};
use sawlog_pipeline::{Failing, Lsn, Origin, OutputError};
use sawlog_sys::task::{self, Thread};
use sawlog_sys::{File, Lock, Open, Sys};

use super::placeholders::{Key, Keys};
use state::Durable;

pub use output::{BUFFER, ChunkedOutput, Times, buffer, directory, letters};

/// How often what was written is fsynced and recorded, while something is.
const RECORD_EVERY: Duration = Duration::from_millis(500);
/// The same where nothing was written and only positions moved.
const RECORD_POSITIONS_EVERY: Duration = Duration::from_secs(5);
/// So many bytes are recorded at once.
const RECORD_BYTES: u64 = 16 << 20;
/// Longest and shortest wait before a chunk that its sink did not take is given to it again.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Most open files.
const HANDLES_MOST: usize = 256;
/// Most chunks that rows are added to; above it the oldest is closed before its time.
const OPEN_MOST: usize = 4096;
/// With so many chunks that the sink does not take, no more rows are.
const CLOSED_MOST: usize = 64;
/// Offsets of zones are whole quarters of an hour.
const QUARTER: Nanos = 900 * SECOND;

/// How rows are gathered.
pub struct Settings {
    /// Directory of the chunks; nobody else's.
    pub dir: PathBuf,
    /// What tells chunks apart.
    pub keys: Keys,
    /// After the end of its span of time a chunk waits so long for late rows.
    pub wait: Nanos,
    /// A chunk is closed at this age.
    pub age: Option<Duration>,
    /// A chunk is closed before it has more bytes.
    pub limit: u64,
    /// Permissions of its files.
    pub mode: Option<u32>,
}

/// A whole chunk; all of it is on stable storage.
pub struct Whole<'a> {
    /// Its id.
    pub id: &'a str,
    /// What its rows have in common.
    pub key: &'a Key,
    /// Its file.
    pub path: PathBuf,
    /// Bytes in it.
    pub len: u64,
}

impl Whole<'_> {
    /// A file beside its own that goes when the chunk goes.
    pub fn beside(&self, end: &str) -> PathBuf {
        self.path.with_extension(end)
    }
}

/// Takes whole chunks.
pub trait Sink: Send + Sync {
    /// Takes a chunk; may be asked again about one that it took, where a crash kept that from being recorded.
    ///
    /// # Errors
    /// In words; it is asked again later.
    fn deliver(&self, chunk: &Whole<'_>, keys: &Keys) -> Result<(), String>;

    /// Whether chunks of this key can ever be delivered. Rows that want one that cannot are refused, and are in none.
    ///
    /// # Errors
    /// In words.
    fn admits(&self, _keys: &Keys, _key: &Key) -> Result<(), String> {
        Ok(())
    }
    /// A chunk was begun.
    fn begun(&self, _id: &str, _key: &Key, _path: &Path, _keys: &Keys) {}
}

/// A chunk that rows are added to, or that waits for its sink.
struct Chunk {
    id: String,
    file: Option<Arc<dyn File>>,
    len: u64,
    since: Duration,
    used: u64,
    /// Written and not fsynced.
    unsynced: bool,
}

#[derive(Default)]
struct State {
    open: HashMap<Key, Chunk>,
    closed: Vec<(Key, Chunk)>,
    known: HashMap<SourceId, KnownSource>,
    cursor: Lsn,
    /// A part of a journal frame was taken: its rows must not be recorded before the rest came.
    in_frame: bool,
    /// Positions moved since the last record, and whether bytes were written.
    moved: bool,
    written: u64,
    /// A file was made whose name is not on stable storage.
    made: bool,
    recorded_at: Duration,
    recorded_cursor: Lsn,
    recorded: Arc<HashMap<SourceId, KnownSource>>,
    last_id: u64,
    uses: u64,
    /// Why nothing can be taken any more.
    broken: Option<String>,
    /// How the sink takes nothing now.
    failing: Option<Refusing>,
    stopping: bool,
}

/// A sink that takes nothing.
struct Refusing {
    /// Since when, on the monotonic clock; how often in a row, and why at last.
    failing: Failing,
    /// When it is asked again, and how long after the time before that is.
    again: Duration,
    wait: Duration,
}

/// What must be on stable storage before a record of it.
struct Unsynced {
    /// Names of new files.
    made: bool,
    /// Chunks that were written, with their files where these are open.
    files: Vec<(String, Option<Arc<dyn File>>)>,
}

struct Shared {
    sys: Sys,
    settings: Settings,
    sink: Box<dyn Sink>,
    limits: Limits,
    state: Mutex<State>,
    wake: Condvar,
    /// What is on stable storage; held by who changes that.
    durable: Mutex<Durable>,
    _lock: Box<dyn Lock>,
}

/// The chunks of one output.
pub struct Chunks {
    shared: Arc<Shared>,
    thread: Option<Thread<()>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Chunks {
    /// Goes on with what is in the directory; a thread of its own records and hands on.
    ///
    /// # Errors
    /// In words, where the directory cannot be used.
    pub fn start(
        sys: &Sys,
        settings: Settings,
        sink: Box<dyn Sink>,
        limits: Limits,
    ) -> Result<Chunks, String> {
        let mut chunks = Chunks::open(sys, settings, sink, limits)?;
        let shared = chunks.shared.clone();
        let thread = task::spawn("chunks", move || shared.run());
        chunks.thread = Some(thread.map_err(|error| format!("no thread for chunks: {error}"))?);
        Ok(chunks)
    }

    /// The same without a thread: nothing happens but in [`Chunks::record`].
    ///
    /// # Errors
    /// As [`Chunks::start`].
    pub fn open(
        sys: &Sys,
        settings: Settings,
        sink: Box<dyn Sink>,
        limits: Limits,
    ) -> Result<Chunks, String> {
        let dir = settings.dir.clone();
        let failed = |error: io::Error| format!("{}: {error}", dir.display());
        sys.fs.create_dir_all(&dir).map_err(failed)?;
        let in_use = || format!("{} is in use by another output or process", dir.display());
        let held = sys.fs.lock(&dir.join("lock")).map_err(failed)?.ok_or_else(in_use)?;
        let durable = Durable::read(sys, &dir).map_err(failed)?;
        let state = recover(sys, &settings, &durable).map_err(failed)?;
        let shared = Shared {
            sys: sys.clone(),
            settings,
            sink,
            limits,
            state: Mutex::new(state),
            wake: Condvar::new(),
            durable: Mutex::new(durable),
            _lock: held,
        };
        Ok(Chunks { shared: Arc::new(shared), thread: None })
    }

    /// Takes the rows of a batch, each as `write` writes it.
    ///
    /// # Errors
    /// [`OutputError::Later`] where they cannot be written, or too much waits for the sink; nothing of the batch is kept then.
    pub fn take(
        &self,
        batch: &Batch,
        origin: Origin,
        write: impl FnMut(RowRef<'_>, &mut Vec<u8>),
    ) -> Result<(), OutputError> {
        let shared = &self.shared;
        let Split { parts, refused, reason } = shared.split(batch, write);
        let mut state = lock(&shared.state);
        state.admits()?;
        let (frame, position) = match origin {
            // All of it comes again from the journal, and what can be kept is kept then: else a crash before that would double it.
            Origin::Replayable(_) if !refused.is_empty() => return Err(OutputError::Refused(reason)),
            Origin::Replayable(position) => (None, Some(position)),
            // This frame is through when what it refused is a dead letter, which is told by asking once more without rows.
            Origin::Journal { at, .. } if !refused.is_empty() => (Some((at, at)), None),
            Origin::Journal { at, next, position } => (Some((at, next)), position),
        };
        let idle = !state.moved && state.written == 0;
        shared.append(&mut state, parts).map_err(|error| OutputError::Later(error.to_string()))?;
        if let Some(position) = position {
            let known = KnownSource { source: (*batch.source).clone(), position };
            state.known.insert(known.source.id, known);
        }
        state.moved = true;
        if let Some((at, next)) = frame {
            state.reach(at, next);
        }
        let at_once =
            state.written >= RECORD_BYTES || shared.settings.age.is_some_and(|age| age < RECORD_EVERY);
        if idle || at_once {
            shared.wake.notify_all();
        }
        match refused.len() {
            0 => Ok(()),
            all if all == batch.rows.len() => Err(OutputError::Refused(reason)),
            _ => Err(OutputError::RefusedRows { reason, rows: refused }),
        }
    }

    /// Rows that were taken from their file are now in the journal, too.
    pub fn journaled(&self, at: Lsn, next: Lsn) {
        let mut state = lock(&self.shared.state);
        state.reach(at, next);
        if !std::mem::replace(&mut state.moved, true) {
            self.shared.wake.notify_all();
        }
    }

    /// Journal position below which all is on stable storage.
    pub fn recorded(&self) -> Lsn {
        lock(&self.shared.state).recorded_cursor
    }

    /// Files, each with the position below which all is on stable storage.
    pub fn known(&self) -> Arc<HashMap<SourceId, KnownSource>> {
        lock(&self.shared.state).recorded.clone()
    }

    /// How the sink fails now, or what keeps chunks from being written.
    pub fn failing(&self) -> Option<Failing> {
        let state = lock(&self.shared.state);
        let broken = |why: &String| Failing { tries: 0, since: state.recorded_at, reason: why.clone() };
        let refusing = || state.failing.as_ref().map(|refusing| refusing.failing.clone());
        state.broken.as_ref().map(broken).or_else(refusing)
    }

    /// Records what was taken.
    ///
    /// # Errors
    /// In words.
    pub fn record(&self) -> Result<(), String> {
        self.shared.round()
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        lock(&self.shared.state).stopping = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            thread.join();
        }
    }
}

/// The rows of a batch as bytes, by the chunks that they go to.
#[derive(Default)]
struct Split {
    parts: Vec<(Key, Vec<u8>)>,
    /// Places of those that can be in none.
    refused: Vec<usize>,
    /// Why.
    reason: String,
}

impl State {
    /// A part of the frame at `at`, or, where `next` is beyond, the last one of it.
    fn reach(&mut self, at: Lsn, next: Lsn) {
        self.in_frame = next <= at;
        if !self.in_frame {
            self.cursor = next;
        }
    }

    fn admits(&self) -> Result<(), OutputError> {
        if let Some(why) = &self.broken {
            return Err(OutputError::Later(why.clone()));
        }
        match &self.failing {
            Some(Refusing { failing, .. }) if self.closed.len() >= CLOSED_MOST => {
                Err(OutputError::Later(failing.reason.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Moves a chunk to those that wait for the sink.
    fn close(&mut self, key: &Key) {
        if let Some(chunk) = self.open.remove(key) {
            self.closed.push((key.clone(), chunk));
        }
    }

    fn handles(&self) -> usize {
        self.open.values().filter(|chunk| chunk.file.is_some()).count()
    }
}

/// What there is to go on with: chunks have the bytes that were recorded and no others, and files that were not are gone.
fn recover(sys: &Sys, settings: &Settings, durable: &Durable) -> io::Result<State> {
    let since = sys.clock.monotonic();
    let mut state = State {
        cursor: durable.cursor,
        recorded_cursor: durable.cursor,
        known: durable.known.clone(),
        recorded: Arc::new(durable.known.clone()),
        recorded_at: since,
        ..State::default()
    };
    for entry in sys.fs.list(&settings.dir)? {
        let stem = entry.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let ours = stem.starts_with('b') && !entry.is_dir;
        if ours && !durable.chunks.iter().any(|chunk| chunk.id == stem) {
            sys.fs.unlink(&entry.path)?;
        }
    }
    for kept in &durable.chunks {
        let path = settings.dir.join(&kept.id);
        let there = match sys.fs.metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            there => there?,
        };
        // One that has another name already is whole, and somebody may be reading it.
        if there.links < 2 && there.len != kept.len {
            sys.fs.open(&path, Open::Write)?.set_len(kept.len)?;
        }
        let id = kept.id.clone();
        let chunk = Chunk { id, file: None, len: kept.len, since, used: 0, unsynced: false };
        state.last_id = state.last_id.max(number(&kept.id));
        if kept.closed || !settings.keys.fits(&kept.key) || state.open.contains_key(&kept.key) {
            state.moved |= !kept.closed;
            state.closed.push((kept.key.clone(), chunk));
        } else {
            state.open.insert(kept.key.clone(), chunk);
        }
    }
    Ok(state)
}

fn number(id: &str) -> u64 {
    u64::from_str_radix(id.trim_start_matches('b'), 16).unwrap_or(0)
}

impl Shared {
    /// The bytes of a batch's rows by what they have in common.
    fn split(&self, batch: &Batch, mut write: impl FnMut(RowRef<'_>, &mut Vec<u8>)) -> Split {
        let keys = self.settings.keys.of_batch(batch, &self.limits);
        let whole_quarters = self.settings.keys.time.as_ref().is_none_or(|(span, _)| span % QUARTER == 0);
        let mut split = Split::default();
        let Split { parts, refused, reason } = &mut split;
        // Nowhere is where rows go that are refused.
        let mut places: HashMap<Key, Option<usize>> = HashMap::new();
        let mut last: Option<(Nanos, Option<usize>)> = None;
        for (index, row) in batch.iter().enumerate() {
            let quarter = row.row().time.div_euclid(QUARTER);
            let same = last.filter(|(before, _)| keys.is_by_time() && whole_quarters && *before == quarter);
            let place = match same {
                Some((_, place)) => place,
                None => {
                    let key = keys.key(row);
                    *places.entry(key).or_insert_with_key(|key| {
                        if let Err(why) = self.sink.admits(&self.settings.keys, key) {
                            *reason = why;
                            return None;
                        }
                        parts.push((key.clone(), Vec::new()));
                        Some(parts.len() - 1)
                    })
                }
            };
            last = Some((quarter, place));
            match place {
                Some(place) => write(row, &mut parts[place].1),
                None => refused.push(index),
            }
        }
        split
    }

    /// Writes the parts of a batch to their chunks; where one cannot be written none counts.
    fn append(&self, state: &mut State, parts: Vec<(Key, Vec<u8>)>) -> io::Result<()> {
        let now = self.sys.clock.monotonic();
        for (key, bytes) in &parts {
            let full = |chunk: &Chunk| chunk.len > 0 && chunk.len + bytes.len() as u64 > self.settings.limit;
            if state.open.get(key).is_some_and(full) {
                state.close(key);
            }
            if !state.open.contains_key(key) {
                self.begin(state, key, now)?;
            }
            state.uses += 1;
            let used = state.uses;
            let Some(chunk) = state.open.get_mut(key) else { continue };
            chunk.used = used;
            self.file(chunk)?.write_at(bytes, chunk.len)?;
        }
        for (key, bytes) in parts {
            let Some(chunk) = state.open.get_mut(&key) else { continue };
            chunk.len += bytes.len() as u64;
            chunk.unsynced = true;
            state.written += bytes.len() as u64;
        }
        Ok(())
    }

    /// Begins a chunk.
    fn begin(&self, state: &mut State, key: &Key, now: Duration) -> io::Result<()> {
        if state.open.len() >= OPEN_MOST {
            let oldest =
                state.open.iter().min_by_key(|(_, chunk)| number(&chunk.id)).map(|(key, _)| key.clone());
            oldest.into_iter().for_each(|key| state.close(&key));
        }
        if state.handles() >= HANDLES_MOST {
            let idle =
                state.open.values_mut().filter(|chunk| chunk.file.is_some()).min_by_key(|chunk| chunk.used);
            if let Some(chunk) = idle {
                chunk.file = None;
            }
        }
        // As Fluentd's ids: microseconds, and bits behind them that keep ids apart.
        let micros = (self.sys.clock.now() / 1_000).max(0) as u64;
        let id = (micros << 12).max(state.last_id + 1);
        let name = format!("b{id:016x}");
        let path = self.settings.dir.join(&name);
        let file = self.sys.fs.open(&path, Open::New)?;
        if let Some(mode) = self.settings.mode {
            self.sys.fs.set_mode(&path, mode)?;
        }
        state.last_id = id;
        state.made = true;
        self.sink.begun(&name, key, &path, &self.settings.keys);
        let chunk =
            Chunk { id: name, file: Some(file.into()), len: 0, since: now, used: state.uses, unsynced: true };
        state.open.insert(key.clone(), chunk);
        Ok(())
    }

    fn file(&self, chunk: &mut Chunk) -> io::Result<Arc<dyn File>> {
        if let Some(file) = &chunk.file {
            return Ok(file.clone());
        }
        let file: Arc<dyn File> = self.sys.fs.open(&self.settings.dir.join(&chunk.id), Open::Write)?.into();
        chunk.file = Some(file.clone());
        Ok(file)
    }
}
