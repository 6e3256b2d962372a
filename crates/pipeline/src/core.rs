//! What the threads of a pipeline share: the writer's inbox, what is pending, what is known of sources, the lanes of the
//! outputs. Knows nothing of threads.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use sawlog_journal::{FrameKind, Journal, JournalError, Lsn};
use sawlog_model::{KnownSource, SourceId, Tenant};
use sawlog_sys::Sys;
use sawlog_sys::task::Thread;
use tokio::sync::Semaphore;

use crate::config::Overflow;
use crate::count::Counters;
use crate::gate::Gate;
use crate::graph::{Graph, Graphs, Route};
use crate::known::Known;
use crate::lane::Lane;
use crate::notes::{Note, Notes};
use crate::payload::{self, Item, Saved};
use crate::pending::Pending;
use crate::rates::Rates;
use crate::seen::Seen;
use crate::tap::Taps;
use crate::{DeliveryError, PipelineOptions, lock, tag_of};

/// Longest wait for room in what is pending.
const ROOM_PATIENCE: Duration = Duration::from_secs(5);

/// Called once with the outcome of a job.
pub(crate) type Done = Box<dyn FnOnce(Result<(), DeliveryError>) + Send>;

/// What the writer is asked to do.
pub(crate) enum Job {
    /// Journal rows and give them to the outputs. `done` is called when they are on stable storage, or, with `taken`,
    /// when moreover the outputs on this machine have them.
    Rows { items: Vec<Item>, notes: Vec<Note>, taken: bool, done: Done },
    /// Journal what is pending of a source.
    Settle { source: SourceId, done: Done },
    /// Journal positions.
    Record { sources: Vec<KnownSource>, done: Done },
    /// Journal what is pending, and let another graph hold from then on.
    Reload { graph: Arc<Graph>, done: Done },
}

/// What waits for the writer.
#[derive(Default)]
pub(crate) struct Inbox {
    pub jobs: VecDeque<Job>,
    pub pending: Pending,
    /// Nothing more is taken; the writer empties it and ends.
    pub closed: bool,
}

/// Shared by intakes, writer and lanes.
pub(crate) struct Core {
    pub sys: Sys,
    pub journal: Journal,
    pub options: PipelineOptions,
    pub graphs: Arc<Graphs>,
    pub lanes: RwLock<Arc<Vec<Arc<Lane>>>>,
    /// Of lanes, also of those that have ended.
    pub threads: Mutex<Vec<Thread<()>>>,
    pub straight: Gate,
    pub inbox: Mutex<Inbox>,
    /// Wakes the writer.
    pub wake: Condvar,
    /// Wakes those who wait for room in what is pending.
    pub room: Condvar,
    /// KiB of rows that are submitted and not done.
    pub permits: Arc<Semaphore>,
    pub known: Mutex<Known>,
    /// Keys of messages that were taken.
    pub seen: Mutex<Seen>,
    /// What inputs keep of themselves.
    pub notes: Mutex<Notes>,
    pub taps: Taps,
    pub inputs: Mutex<Vec<Arc<Counters>>>,
    /// Counters of the journal itself.
    pub own: Counters,
    /// How fast rows pass, where somebody asks.
    pub rates: Rates,
    /// Tenants that are to be forgotten, and where the journal ended when they went.
    pub left: Mutex<BTreeMap<Tenant, Lsn>>,
    pub stopped: AtomicBool,
    /// Up to where the journal was trimmed; held while one trims.
    pub trimmed: Mutex<Lsn>,
}

impl Core {
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// The lanes as they are now.
    pub(crate) fn lanes(&self) -> Arc<Vec<Arc<Lane>>> {
        self.lanes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The lane of the output of that name.
    pub(crate) fn lane(&self, name: &str) -> Option<Arc<Lane>> {
        self.lanes().iter().find(|lane| *lane.name == *name).cloned()
    }

    /// The counters of the input of that name, which are new where there was none.
    pub(crate) fn input(&self, name: &str) -> Arc<Counters> {
        let mut inputs = lock(&self.inputs);
        if let Some(counters) = inputs.iter().find(|counters| counters.name() == name) {
            return counters.clone();
        }
        let counters = Arc::new(Counters::new("input", name));
        inputs.push(counters.clone());
        counters
    }

    /// What is to be done before more of these items is journaled, since an output on their way has as much as it may.
    pub(crate) fn overflow(&self, items: &[Item]) -> Option<(Arc<str>, Overflow)> {
        let full = |lane: &Arc<Lane>| {
            let overflow = lane.overflow().filter(|overflow| *overflow != Overflow::DropOldest);
            overflow.map(|overflow| (lane.name.clone(), overflow))
        };
        let full: Vec<_> = self.lanes().iter().filter_map(full).collect();
        if full.is_empty() {
            return None;
        }
        let graph = self.graphs.current();
        let routes: Vec<_> = items.iter().map(|item| graph.route(&item.label, &item.batch)).collect();
        let reached = full.into_iter().filter(|(name, _)| routes.iter().any(|route| route.reaches(name)));
        reached.max_by_key(|(_, overflow)| *overflow == Overflow::Refuse)
    }

    /// Whether the only output that is to get the rows can.
    pub(crate) fn can_come(&self, item: &Item) -> bool {
        let Some(only) = &item.only else { return true };
        let graph = self.graphs.current();
        graph.outputs().iter().any(|part| part.name == *only)
            && graph.route(&item.label, &item.batch).reaches(only)
    }

    /// Counts rows that some step sends nowhere; each tag is told of once.
    pub(crate) fn count_unmatched(&self, item: &Item, route: &Route) {
        if !route.unmatched {
            return;
        }
        let label = if item.label.is_empty() { String::new() } else { format!(" in label `{}`", item.label) };
        let tag = tag_of(&item.batch);
        let words =
            format!("rows with the tag `{tag}`{label} go to no output; add one, or null to drop them");
        if route.first_time() {
            (self.options.tell)(&words);
        }
        self.own.errors("unmatched", item.batch.rows.len() as u64, &words);
    }

    /// Gives the writer a job.
    pub(crate) fn enqueue(&self, job: Job) {
        let mut inbox = lock(&self.inbox);
        if inbox.closed {
            drop(inbox);
            job.fail(&DeliveryError::Stopping);
            return;
        }
        inbox.jobs.push_back(job);
        drop(inbox);
        self.wake.notify_one();
    }

    /// Remembers rows that the only output took and that stand nowhere but in their file; waits while there are too many.
    pub(crate) fn remember(&self, item: Item) {
        let now = self.sys.clock.monotonic();
        let mut inbox = lock(&self.inbox);
        let first = inbox.pending.oldest().is_none();
        inbox.pending.push(item, now);
        // Where the journal cannot be written the wait ends after a while: input is slowed down, and a node that is
        // asked to stop does.
        let until = now + ROOM_PATIENCE;
        while inbox.pending.bytes() > self.options.pending_bytes
            && !inbox.closed
            && self.sys.clock.monotonic() < until
        {
            self.wake.notify_one();
            inbox = crate::wait(&self.room, inbox, Duration::from_millis(100));
        }
        drop(inbox);
        if first {
            self.wake.notify_one();
        }
    }

    /// Sources with the position from which each is to be read on: the furthest that is durable anywhere.
    pub(crate) fn known_sources(&self) -> Vec<KnownSource> {
        let mut all: HashMap<SourceId, KnownSource> = HashMap::new();
        let mut add = |known: &KnownSource| {
            let entry = all.entry(known.source.id).or_insert_with(|| known.clone());
            if known.position.mark() > entry.position.mark() {
                *entry = known.clone();
            }
        };
        for lane in self.lanes().iter() {
            lane.output.known_sources().iter().for_each(&mut add);
        }
        lock(&self.known).iter().for_each(&mut add);
        all.into_values().collect()
    }

    /// Journals what is new of what the journal has to keep for outputs that keep nothing.
    pub(crate) fn save(&self) -> Result<(), JournalError> {
        let lanes = self.lanes();
        let mut known = lock(&self.known);
        for lane in lanes.iter().filter(|lane| !lane.keeps) {
            for source in lane.output.known_sources() {
                known.learn(&source.source, &source.position, None);
            }
        }
        let sources = known.unwritten();
        drop(known);
        let cursors: Vec<_> =
            lanes.iter().filter_map(|lane| lane.unsaved_cursor().map(|at| (lane, at))).collect();
        if !(sources.is_empty() && cursors.is_empty()) {
            self.append_saved(sources, &cursors, Vec::new(), Vec::new())?;
        }
        if let Some(dead) = &self.options.dead {
            let lane_of = |name: &str| lanes.iter().find(|lane| *lane.name == *name);
            dead.keep_homes(|home| lane_of(&home.output).is_some_and(|lane| home.at >= lane.held()));
        }
        Ok(())
    }

    /// Journals positions, and cursors that it has to keep.
    pub(crate) fn append_saved(
        &self,
        sources: Vec<KnownSource>,
        cursors: &[(&Arc<Lane>, Lsn)],
        keys: Vec<u128>,
        notes: Vec<Note>,
    ) -> Result<(), JournalError> {
        let named = cursors.iter().map(|(lane, cursor)| (lane.name.to_string(), *cursor)).collect();
        let saved = Saved { cursors: named, sources, keys, notes };
        let at = self.journal.append(FrameKind::Cursor, Default::default(), |_, out| {
            payload::put_saved(out, &saved);
        })?;
        let mut seen = lock(&self.seen);
        saved.keys.iter().for_each(|key| seen.stored(*key, at));
        drop(seen);
        let mut notes = lock(&self.notes);
        saved.notes.into_iter().for_each(|note| notes.stored(note, at));
        drop(notes);
        let mut known = lock(&self.known);
        for source in &saved.sources {
            known.learn(&source.source, &source.position, Some(at));
        }
        for (lane, cursor) in cursors {
            lane.set_saved(*cursor);
        }
        Ok(())
    }

    /// Lets go of journal files that no output needs any more, after what must survive of them was written again.
    pub(crate) fn trim(&self) -> Result<(), JournalError> {
        self.trim_by(self.options.trim_bytes)
    }

    /// The same, however little it is.
    pub(crate) fn trim_now(&self) -> Result<(), JournalError> {
        self.trim_by(0)
    }

    fn trim_by(&self, least: u64) -> Result<(), JournalError> {
        let mut trimmed = lock(&self.trimmed);
        let lanes = self.lanes();
        let Some(cursor) = lanes.iter().map(|lane| lane.cursor()).min() else { return Ok(()) };
        if cursor.0 < trimmed.0.saturating_add(least) {
            return Ok(());
        }
        let held = |source| {
            let keepers = lanes.iter().filter(|lane| lane.keeps);
            keepers.filter_map(|lane| lane.output.committed(source)).max()
        };
        let due = lock(&self.known).due(cursor, held);
        // Those of outputs that keep their own, too: they tell that the output is no new one.
        let staying = lanes.iter().filter(|lane| !lane.is_retired());
        let cursors: Vec<_> = staying.map(|lane| (lane, lane.cursor())).collect();
        let keys = lock(&self.seen).due(cursor);
        let notes = lock(&self.notes).due(cursor);
        if !due.is_empty() || !cursors.is_empty() || !keys.is_empty() || !notes.is_empty() {
            self.append_saved(due, &cursors, keys, notes)?;
        }
        self.journal.trim(cursor)?;
        self.graphs.trim(cursor);
        *trimmed = cursor;
        Ok(())
    }
}

impl Job {
    pub(crate) fn fail(self, error: &DeliveryError) {
        match self {
            Job::Rows { done, .. }
            | Job::Settle { done, .. }
            | Job::Record { done, .. }
            | Job::Reload { done, .. } => done(Err(error.clone())),
        }
    }
}
