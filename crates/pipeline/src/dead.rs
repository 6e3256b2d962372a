//! Dead letters: rows that an output refused for good or that were given up, kept in a journal of their own until somebody
//! replays or drops them. Each stands there once, whatever crashes; when the journal has as much as it may, outputs wait.
//! Knows nothing of how rows come to outputs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use sawlog_journal::{Frame, FrameIter, FrameKind, Journal, JournalError, Lsn, Options};
use sawlog_model::Tenant;
use sawlog_sys::Sys;

use crate::lock;

pub(crate) mod letter;
mod pick;
mod resend;

pub(crate) use letter::{Change, Head, put_change, put_letter};
pub use letter::{Letter, Why};
pub(crate) use pick::pick;
pub use resend::Replayed;
pub(crate) use resend::{replay, resume};

/// A file of the journal has at least and at most so many bytes; between, an eighth of the limit.
const FILE_BYTES: (u64, u64) = (64 << 10, 16 << 20);

/// Which letters are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All that there are.
    All,
    /// Those of one output.
    Output(String),
    /// Those with these numbers.
    Numbers(Vec<u64>),
    /// Those of a tenant among others.
    OfTenant(Tenant, Box<Which>),
}

impl Which {
    /// What an operator named: an output, else numbers, else nothing in particular.
    pub fn of(output: Option<String>, numbers: Vec<u64>) -> Which {
        match (output, numbers) {
            (Some(output), _) => Which::Output(output),
            (None, numbers) if numbers.is_empty() => Which::All,
            (None, numbers) => Which::Numbers(numbers),
        }
    }

    /// Whether this letter is meant.
    pub fn means(&self, letter: &Letter) -> bool {
        match self {
            Which::All => true,
            Which::Output(output) => *letter.output == *output.as_str(),
            Which::Numbers(numbers) => numbers.contains(&letter.number),
            Which::OfTenant(tenant, which) => letter.batch.tenant == *tenant && which.means(letter),
        }
    }

    /// Whether a letter is meant that waits.
    fn means_waiting(&self, number: u64, letter: &Waiting) -> bool {
        match self {
            Which::All => true,
            Which::Output(output) => *letter.output == *output.as_str(),
            Which::Numbers(numbers) => numbers.binary_search(&number).is_ok(),
            Which::OfTenant(tenant, which) => letter.tenant == *tenant && which.means_waiting(number, letter),
        }
    }

    /// The same with numbers in order.
    fn sorted(mut self) -> Which {
        match &mut self {
            Which::Numbers(numbers) => numbers.sort_unstable(),
            Which::OfTenant(_, which) => **which = std::mem::replace(&mut **which, Which::All).sorted(),
            Which::All | Which::Output(_) => {}
        }
        self
    }
}

/// A letter could not be kept; the rows stay where they are, and their output waits.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuryError {
    #[error(
        "there are {0} bytes of dead letters, as many as may be; replay or drop some (`dead replay`, `dead drop`)"
    )]
    Full(u64),
    #[error("dead letters cannot be written: {0}")]
    Journal(#[from] JournalError),
}

/// The item of a journal frame that a letter is of, on its way to an output: by that a letter is known when its item comes
/// again after a crash.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Home {
    pub output: Arc<str>,
    pub at: Lsn,
    pub index: u32,
}

/// What is known of a letter that waits.
struct Waiting {
    output: Arc<str>,
    tenant: Tenant,
    rows: u64,
}

#[derive(Default)]
struct State {
    /// By number, which is the letter's position in the journal.
    waiting: BTreeMap<u64, Waiting>,
    /// Letters and rows that wait, by output.
    counts: HashMap<Arc<str>, (u64, u64)>,
    /// Groups of letters that are being replayed, by the key of the message that they go as.
    groups: BTreeMap<u128, Vec<u64>>,
    /// The letters of items that may come again.
    homes: HashMap<Home, u64>,
}

struct Inner {
    sys: Sys,
    journal: Journal,
    limit: u64,
    state: Mutex<State>,
    /// How many homes there are, to be asked without a lock.
    homes: AtomicUsize,
    /// Held by who replays or drops.
    changing: Mutex<()>,
}

/// The dead letters of a node. Cheap to clone.
#[derive(Clone)]
pub struct DeadLetters {
    inner: Arc<Inner>,
}

impl DeadLetters {
    /// Opens or makes the dead letters in `dir`. An output that has rows for them waits while there are `limit` bytes or more.
    ///
    /// # Errors
    /// As [`Journal::open`]; with `WouldBlock` inside where a node runs on the directory.
    pub fn open(sys: &Sys, dir: &Path, limit: u64) -> Result<DeadLetters, JournalError> {
        let file_bytes = (limit / 8).clamp(FILE_BYTES.0, FILE_BYTES.1);
        // The limit is kept here, so that a letter that is larger by itself is kept, too.
        let (journal, _) = Journal::open(sys, dir, Options { file_bytes, total_bytes: u64::MAX })?;
        let mut state = State::default();
        for frame in journal.read(journal.start()) {
            state.learn(&frame?);
        }
        let homes = AtomicUsize::new(state.homes.len());
        let (state, changing) = (Mutex::new(state), Mutex::default());
        let inner = Inner { sys: sys.clone(), journal, limit, state, homes, changing };
        Ok(DeadLetters { inner: Arc::new(inner) })
    }

    /// The letters in `dir` that wait now, whether a node runs there or not; nothing is changed. None where there is no such
    /// directory.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn read(sys: &Sys, dir: &Path) -> Result<Letters, JournalError> {
        let mut state = State::default();
        if sys.fs.metadata(dir).is_err() {
            return Ok(Letters { frames: None, numbers: Vec::new().into_iter() });
        }
        for frame in Journal::read_only(sys, dir)? {
            state.learn(&frame?);
        }
        let numbers: Vec<u64> = state.waiting.into_keys().collect();
        Ok(Letters { frames: Some(Journal::read_only(sys, dir)?), numbers: numbers.into_iter() })
    }

    /// How many rows of an output wait.
    pub fn rows_of(&self, output: &str) -> u64 {
        self.state().counts.get(output).map_or(0, |(_, rows)| *rows)
    }

    /// Lets go of letters for good; how many they were, and their rows.
    ///
    /// # Errors
    /// [`JournalError`]; then none is gone, or they are when it is asked again.
    pub fn drop_letters(&self, which: &Which) -> Result<(u64, u64), JournalError> {
        let _alone = lock(&self.inner.changing);
        let numbers = self.numbers(which);
        self.change(Change::Dropped(numbers))
    }

    /// The letters that are meant and wait now.
    pub fn waiting(&self, which: &Which) -> Letters {
        self.letters(self.numbers(which))
    }

    /// Lets go of a tenant's letters, with their bytes where no letter of another stands before them.
    ///
    /// # Errors
    /// [`JournalError`].
    pub(crate) fn forget(&self, tenant: Tenant) -> Result<(), JournalError> {
        let _alone = lock(&self.inner.changing);
        self.inner.journal.leave_file();
        let numbers = self.numbers(&Which::OfTenant(tenant, Box::new(Which::All)));
        self.state().homes.retain(|_, number| !numbers.contains(number));
        self.change(Change::Dropped(numbers)).map(drop)
    }

    /// Says that letters are to be replayed when a node next starts on the directory; how many they are, and their rows.
    ///
    /// # Errors
    /// [`JournalError`]; then none is.
    pub fn ask_for_replay(&self, which: &Which) -> Result<(u64, u64), JournalError> {
        let _alone = lock(&self.inner.changing);
        let numbers = self.numbers(which);
        if numbers.is_empty() {
            return Ok((0, 0));
        }
        self.change(Change::Replay { key: self.inner.sys.random.id(), numbers })
    }

    /// Keeps a letter, once.
    pub(crate) fn bury(&self, head: &Head<'_>, item: &crate::payload::Item) -> Result<(), BuryError> {
        let home = Home { output: head.output.clone(), at: head.at, index: head.index };
        if self.has(&home) {
            return Ok(());
        }
        let end = self.inner.journal.end().0;
        let used = self.state().waiting.keys().next().map_or(0, |first| end.saturating_sub(*first));
        if used >= self.inner.limit {
            return Err(BuryError::Full(self.inner.limit));
        }
        let time = self.inner.sys.clock.now();
        let written = self.inner.journal.append(FrameKind::Data, Default::default(), |_, out| {
            put_letter(out, head, time, item);
        })?;
        let mut state = self.state();
        state.add(written, head.output, item.batch.tenant, item.batch.rows.len() as u64);
        state.homes.insert(home, written.0);
        self.inner.homes.store(state.homes.len(), Ordering::Release);
        Ok(())
    }

    /// Whether the item's rows became a letter, which may be gone again.
    pub(crate) fn has(&self, home: &Home) -> bool {
        self.inner.homes.load(Ordering::Acquire) > 0 && self.state().homes.contains_key(home)
    }

    /// Forgets homes that no item comes from any more.
    pub(crate) fn keep_homes(&self, may_come: impl Fn(&Home) -> bool) {
        if self.inner.homes.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut state = self.state();
        state.homes.retain(|home, _| may_come(home));
        self.inner.homes.store(state.homes.len(), Ordering::Release);
        drop(state);
        self.trim();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.inner.state)
    }

    /// Those of `which` that wait and are not being replayed.
    fn numbers(&self, which: &Which) -> Vec<u64> {
        let state = self.state();
        let on_their_way: HashSet<u64> = state.groups.values().flatten().copied().collect();
        let which = which.clone().sorted();
        let is_meant = |(number, letter): &(&u64, &Waiting)| which.means_waiting(**number, letter);
        let meant = state.waiting.iter().filter(is_meant).map(|(number, _)| *number);
        meant.filter(|number| !on_their_way.contains(number)).collect()
    }

    /// The letters with these numbers, which must grow.
    fn letters(&self, numbers: Vec<u64>) -> Letters {
        let from = numbers.first().copied().unwrap_or_default();
        Letters { frames: Some(self.inner.journal.read(Lsn(from))), numbers: numbers.into_iter() }
    }

    /// Notes durably what becomes of letters; how many of those that waited it is about, and their rows.
    pub(crate) fn change(&self, change: Change) -> Result<(u64, u64), JournalError> {
        self.inner
            .journal
            .append(FrameKind::Cursor, Default::default(), |_, out| put_change(out, &change))?;
        let counts = self.state().apply(change);
        self.trim();
        Ok(counts)
    }

    /// Position below which nothing is needed.
    fn needed_from(&self) -> u64 {
        let state = self.state();
        let first = state.waiting.keys().next().copied();
        let homes = state.homes.values().copied();
        homes.chain(first).min().unwrap_or(self.inner.journal.end().0)
    }

    fn trim(&self) {
        // What cannot be removed now is when the next letter goes, or at the next start.
        let _ = self.inner.journal.trim(Lsn(self.needed_from()));
    }
}

impl State {
    /// Notes what a frame says. One that cannot be understood is passed over.
    fn learn(&mut self, frame: &Frame) {
        if frame.kind == FrameKind::Cursor {
            if let Ok(change) = letter::read_change(frame.payload.clone()) {
                self.apply(change);
            }
        } else if let Ok((head, tenant)) = letter::read_head(frame.payload.clone()) {
            self.add(frame.lsn, &head.home.output, tenant, head.rows);
            self.homes.insert(head.home, frame.lsn.0);
        }
    }

    fn add(&mut self, at: Lsn, output: &Arc<str>, tenant: Tenant, rows: u64) {
        // One name for all letters of an output.
        let output = self.counts.get_key_value(output).map_or(output, |(name, _)| name).clone();
        let counts = self.counts.entry(output.clone()).or_default();
        *counts = (counts.0 + 1, counts.1 + rows);
        self.waiting.insert(at.0, Waiting { output, tenant, rows });
    }

    fn apply(&mut self, change: Change) -> (u64, u64) {
        let gone = match change {
            Change::Replay { key, numbers } => {
                let rows = numbers.iter().filter_map(|number| self.waiting.get(number));
                let counts = (numbers.len() as u64, rows.map(|letter| letter.rows).sum());
                self.groups.insert(key, numbers);
                return counts;
            }
            Change::Left { key } => {
                self.groups.remove(&key);
                return (0, 0);
            }
            Change::Replayed { key } => self.groups.remove(&key).unwrap_or_default(),
            Change::Dropped(numbers) => numbers,
        };
        let mut sum = (0, 0);
        for letter in gone.iter().filter_map(|number| self.waiting.remove(number)) {
            sum = (sum.0 + 1, sum.1 + letter.rows);
            if let Some(counts) = self.counts.get_mut(&letter.output) {
                *counts = (counts.0 - 1, counts.1 - letter.rows);
            }
        }
        sum
    }
}

/// Letters in the order in which they were written.
pub struct Letters {
    frames: Option<FrameIter>,
    numbers: std::vec::IntoIter<u64>,
}

impl Iterator for Letters {
    type Item = Result<Letter, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let frames = self.frames.as_mut()?;
        let wanted = self.numbers.next()?;
        loop {
            match frames.next()? {
                Ok(frame) if frame.lsn.0 == wanted => {
                    if let Ok(letter) = letter::read_letter(frame) {
                        return Some(Ok(letter));
                    }
                    self.numbers.next()?;
                }
                // It is gone since.
                Ok(frame) if frame.lsn.0 > wanted => return None,
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
