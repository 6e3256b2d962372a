//! An output for tests of inputs and of the pipeline: keeps rows in memory, and lets the test say when they are held for
//! good, when the output says no, and when the machine crashes. It behaves as a store must: rows that it holds already
//! are dropped. Knows nothing of storage.

pub mod claims;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use sawlog_journal::Lsn;
use sawlog_model::{Address, Batch, KnownSource, Marks, Position, RowRef, SourceId, Tenant};
use sawlog_sys::{Open, Sys, task};

use crate::{Failed, Failing, Filter, Filtered, Origin, Output, OutputError, lock};

/// Waits until something has come about, up to a minute: machines that test are busy.
///
/// # Panics
/// Where it has not by then.
pub fn wait_until(what: &str, ready: impl Fn() -> bool) {
    for _ in 0..3000 {
        if ready() {
            return;
        }
        task::sleep(Duration::from_millis(20));
    }
    panic!("{what}: not in a minute");
}

/// A row that was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TakenRow {
    /// Its address.
    pub address: Address,
    /// Its bytes.
    pub raw: Vec<u8>,
    /// Path or name of its source.
    pub name: String,
    /// Its marks.
    pub marks: Marks,
}

#[derive(Clone, Default)]
struct State {
    /// Held for good, then those that are not yet.
    rows: Vec<TakenRow>,
    committed_rows: usize,
    committed: HashMap<SourceId, KnownSource>,
    /// What it says of `committed`: one that keeps none knows only what came since its start.
    known: HashMap<SourceId, KnownSource>,
    taken: HashMap<SourceId, KnownSource>,
    cursor: Lsn,
    seen: Lsn,
    later: bool,
    refuse: bool,
    failing: Option<Failing>,
    replayable: usize,
    journaled: usize,
}

/// The output.
pub struct Collect {
    name: String,
    keeps: bool,
    state: Mutex<State>,
    changed: Condvar,
}

impl Collect {
    /// An empty one that keeps its positions as a store does.
    pub fn new(name: &str) -> Arc<Collect> {
        Arc::new(Collect {
            name: name.to_owned(),
            keeps: true,
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// One like a sender to another node: what the node has is exact, but cursor and positions are lost in a crash.
    pub fn forgetful(name: &str) -> Arc<Collect> {
        let mut collect = Self::new(name);
        Arc::get_mut(&mut collect).expect("nobody else has it").keeps = false;
        collect
    }

    /// Holds all for good that was taken.
    pub fn commit(&self) {
        let mut state = lock(&self.state);
        state.committed_rows = state.rows.len();
        let taken = std::mem::take(&mut state.taken);
        state.known.extend(taken.clone());
        state.committed.extend(taken);
        state.cursor = state.seen;
    }

    /// What is left of it after a crash now.
    pub fn crashed(&self) -> Arc<Collect> {
        let mut state = lock(&self.state).clone();
        state.rows.truncate(state.committed_rows);
        state.taken.clear();
        if !self.keeps {
            (state.cursor, state.seen) = (Lsn(0), Lsn(0));
            state.known.clear();
        }
        (state.later, state.refuse, state.seen) = (false, false, state.cursor);
        let (name, keeps) = (self.name.clone(), self.keeps);
        Arc::new(Collect { name, keeps, state: Mutex::new(state), changed: Condvar::new() })
    }

    /// End of the last frame that it was told of.
    pub fn seen(&self) -> Lsn {
        lock(&self.state).seen
    }

    /// Says "later" to everything from now on, or no longer.
    pub fn set_later(&self, later: bool) {
        lock(&self.state).later = later;
    }

    /// Says that it fails at sending what it took.
    pub fn set_failing(&self, failing: Option<Failing>) {
        lock(&self.state).failing = failing;
    }

    /// Refuses everything from now on, or no longer.
    pub fn set_refuse(&self, refuse: bool) {
        lock(&self.state).refuse = refuse;
    }

    /// All rows, in the order in which they were taken.
    pub fn rows(&self) -> Vec<TakenRow> {
        lock(&self.state).rows.clone()
    }

    /// All lines as text, in the order in which they were taken.
    pub fn lines(&self) -> Vec<String> {
        self.rows().iter().map(|row| String::from_utf8_lossy(&row.raw).into_owned()).collect()
    }

    /// How many batches came straight from files, and how often it was told that such are journaled.
    pub fn counts(&self) -> (usize, usize) {
        let state = lock(&self.state);
        (state.replayable, state.journaled)
    }

    /// Waits, up to ten seconds, until `ready` says yes to the lines taken so far; gives them.
    pub fn wait_for(&self, ready: impl Fn(&[String]) -> bool) -> Vec<String> {
        let until = Duration::from_secs(10);
        let state = lock(&self.state);
        let lines = |state: &State| -> Vec<String> {
            state.rows.iter().map(|row| String::from_utf8_lossy(&row.raw).into_owned()).collect()
        };
        let waited = self.changed.wait_timeout_while(state, until, |state| !ready(&lines(state)));
        let (state, _) = waited.expect("no test thread panicked");
        lines(&state)
    }

    /// Waits until `count` rows were taken, up to ten seconds; gives the lines.
    pub fn wait_for_rows(&self, count: usize) -> Vec<String> {
        self.wait_for(|lines| lines.len() >= count)
    }

    fn add(state: &mut State, batch: &Batch, position: Option<&Position>) {
        let id = batch.source.id;
        if let Some(position) = position {
            let have = state.committed.get(&id).map(|known| known.position.mark());
            if have.is_some_and(|have| position.mark() <= have) {
                return;
            }
            let known = KnownSource { source: (*batch.source).clone(), position: position.clone() };
            state.taken.insert(id, known);
        }
        for row in batch.iter() {
            let name = batch.source.facts.name.clone();
            let (address, raw, marks) = (row.address(), row.raw().to_vec(), row.row().marks);
            state.rows.push(TakenRow { address, raw, name, marks });
        }
    }
}

impl Output for Collect {
    fn name(&self) -> &str {
        &self.name
    }

    fn take(&self, batch: Arc<Batch>, origin: Origin) -> Result<(), OutputError> {
        let mut state = lock(&self.state);
        if state.later {
            return Err(OutputError::Later("the test says later".to_owned()));
        }
        if state.refuse {
            return Err(OutputError::Refused("the test refuses".to_owned()));
        }
        match &origin {
            Origin::Replayable(position) => {
                state.replayable += 1;
                Self::add(&mut state, &batch, Some(position));
            }
            Origin::Journal { next, position, .. } => {
                Self::add(&mut state, &batch, position.as_ref());
                state.seen = *next;
            }
        }
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    fn journaled(&self, _tenant: Tenant, _at: Lsn, next: Lsn) {
        let mut state = lock(&self.state);
        state.journaled += 1;
        state.seen = next;
        drop(state);
        self.changed.notify_all();
    }

    fn cursor(&self) -> Lsn {
        lock(&self.state).cursor
    }

    fn known_sources(&self) -> Vec<KnownSource> {
        lock(&self.state).known.values().cloned().collect()
    }

    fn keeps_positions(&self) -> bool {
        self.keeps
    }

    fn failing(&self) -> Option<Failing> {
        lock(&self.state).failing.clone()
    }

    fn forget(&self, below: Lsn) {
        let mut state = lock(&self.state);
        let committed = state.committed_rows;
        state.rows.truncate(committed);
        state.taken.clear();
        state.cursor = state.cursor.max(below);
    }

    fn flush(&self) -> Result<(), OutputError> {
        if lock(&self.state).later {
            return Err(OutputError::Later("the test says later".to_owned()));
        }
        self.commit();
        Ok(())
    }
}

/// A filter for tests: `drop X` drops rows with `X` in them, `fail X` fails on them, `panic X` panics.
pub struct LineFilter {
    does: String,
    about: String,
}

impl LineFilter {
    /// A filter that does what `rule` says.
    pub fn new(rule: &str) -> Self {
        let (does, about) = rule.split_once(' ').unwrap_or((rule, ""));
        LineFilter { does: does.to_owned(), about: about.to_owned() }
    }
}

impl Filter for LineFilter {
    fn apply(&self, batch: Arc<Batch>) -> Filtered {
        let is_about = |row: RowRef<'_>| String::from_utf8_lossy(row.raw()).contains(&self.about);
        let found = batch.iter().filter(|row| is_about(*row)).count();
        if found == 0 {
            return batch.into();
        }
        assert!(self.does != "panic", "the test asks for it");
        // Rows of these tests have no slots.
        let keep = |wanted: bool| {
            let rows = batch.iter().filter(|row| is_about(*row) == wanted).map(|row| *row.row());
            Arc::new(Batch { rows: rows.collect(), ..(*batch).clone() })
        };
        let failed = Failed { batch: keep(true), reason: "test", detail: "the test fails it".to_owned() };
        Filtered { batch: keep(false), failed: (self.does == "fail").then_some(failed), told: Vec::new() }
    }
}

/// Copies the files of a directory, as a crash now would leave them.
///
/// # Panics
/// Where a file cannot be copied.
pub fn copy_dir(sys: &Sys, from: &Path, to: &Path) {
    sys.fs.create_dir_all(to).expect("the directory can be made");
    for entry in sys.fs.list(from).expect("the directory can be read") {
        if entry.is_dir {
            continue;
        }
        let bytes = sys.fs.read(&entry.path).expect("the file can be read");
        let name = entry.path.file_name().expect("an entry has a name");
        let file = sys.fs.open(&to.join(name), Open::Create).expect("the file can be made");
        file.write_at(&bytes, 0).expect("the file can be written");
    }
}
