//! A running pipeline: started over a journal and outputs, it recovers what the journal holds, gives out intakes and
//! stops. Knows nothing of protocols or of configuration.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use sawlog_journal::{FrameKind, Journal, JournalError, Lsn};
use sawlog_model::{Meter, NodeStatus, PartStatus, Tenant};
use sawlog_sys::Sys;
use sawlog_sys::task::{self, Thread};
use tokio::sync::Semaphore;

use crate::core::Core;
use crate::count::Counters;
use crate::dead::{self, DeadLetters, Replayed, Which};
use crate::graph::Graphs;
use crate::known::Known;
use crate::lane::{self, Lane};
use crate::notes::Notes;
use crate::payload;
use crate::rates::Rates;
use crate::seen::Seen;
use crate::{DeliveryError, Graph, Intake, TagPattern, Tap, lock, reload, writer};

/// How often, and how long apart, is looked whether outputs need nothing of the journal any more.
const RELEASE_TRIES: u32 = 50;
const RELEASE_AGAIN: Duration = Duration::from_millis(20);

/// Sizes and times of a pipeline.
#[derive(Clone)]
pub struct PipelineOptions {
    /// Rows of files that their output does not hold for good after this time are journaled. `None`: never, for a
    /// pipeline that only imports: its files are there to be read again.
    pub late_after: Option<Duration>,
    /// Most bytes of rows of files that are neither committed nor journaled; what is over is journaled before its time.
    pub pending_bytes: usize,
    /// Most bytes of submitted rows that are on their way; who submits more waits.
    pub in_flight_bytes: usize,
    /// Most bytes that wait in memory for one output; what is over is read back from the journal.
    pub queue_bytes: usize,
    /// A journal frame is closed when it has so many bytes.
    pub frame_bytes: usize,
    /// The journal is trimmed when so many bytes of it are no longer needed.
    pub trim_bytes: u64,
    /// Where rows go that an output refuses for good. `None`: they are only counted.
    pub dead: Option<DeadLetters>,
    /// Is told, in a sentence, what somebody who runs the node should know: rows that go to no output, an output that was
    /// taken away with rows waiting for it.
    pub tell: Arc<dyn Fn(&str) + Send + Sync>,
    /// Counts what tenants bring, and bounds it. `None`: nobody does.
    pub meter: Option<Arc<dyn Meter>>,
}

impl Default for PipelineOptions {
    fn default() -> Self {
        PipelineOptions {
            late_after: Some(Duration::from_secs(1)),
            pending_bytes: 128 << 20,
            in_flight_bytes: 32 << 20,
            queue_bytes: 64 << 20,
            frame_bytes: 8 << 20,
            trim_bytes: 16 << 20,
            dead: None,
            tell: Arc::new(|_| {}),
            meter: None,
        }
    }
}

/// A running pipeline; cheap to clone.
#[derive(Clone)]
pub struct Pipeline {
    core: Arc<Core>,
    writer: Arc<Mutex<Option<Thread<()>>>>,
}

/// What the journal says at the start.
#[derive(Default)]
struct Found {
    known: Known,
    seen: Seen,
    notes: Notes,
    cursors: HashMap<String, Lsn>,
    undecodable: Vec<String>,
}

impl Pipeline {
    /// Starts: gives the outputs of `graph` what the journal holds for them, and returns when those that keep their positions
    /// have it all (or say "later"). An output that keeps none is fed in its own time. A list of outputs is a graph, too:
    /// each gets all rows.
    ///
    /// # Errors
    /// [`JournalError`] where the journal cannot be read, or threads cannot be started.
    pub fn start(
        sys: &Sys,
        journal: Journal,
        graph: impl Into<Graph>,
        options: PipelineOptions,
    ) -> Result<Pipeline, JournalError> {
        let found = scan(&journal)?;
        let end = journal.end();
        let graph = Arc::new(graph.into());
        let graphs = Arc::new(Graphs::new(graph.clone()));
        let shared = lane::Shared {
            sys,
            journal: &journal,
            graphs: &graphs,
            dead: options.dead.as_ref(),
            queue_bytes: options.queue_bytes,
        };
        let outputs = graph.outputs().iter();
        let lanes: Vec<_> = outputs
            .map(|part| {
                // A new output of a node that has run before begins with what comes now.
                let first = if found.cursors.is_empty() { journal.start() } else { end };
                let saved = found.cursors.get(&*part.name).copied().unwrap_or(first);
                let cursor = if part.output.keeps_positions() { part.output.cursor() } else { saved };
                let cursor = cursor.max(journal.start());
                Arc::new(Lane::new(part, &shared, cursor, end))
            })
            .collect();
        if let Some(dead) = &options.dead {
            // What is behind an output's cursor, or behind the journal, is not given again.
            let cursor = |name: &str| {
                lanes.iter().find(|lane: &&Arc<Lane>| *lane.name == *name).map(|lane| lane.cursor())
            };
            let cursor = |name: &str| cursor(name).or(found.cursors.get(name).copied());
            dead.keep_homes(|home| {
                cursor(&home.output).is_some_and(|cursor| (cursor..end).contains(&home.at))
            });
        }
        let own = Counters::new("filter", "journal");
        for text in &found.undecodable {
            own.error("undecodable", text);
        }
        let core = Arc::new(Core {
            rates: Rates::new(sys.clock.monotonic()),
            sys: sys.clone(),
            permits: Arc::new(Semaphore::new(permits(options.in_flight_bytes) as usize)),
            trimmed: Mutex::new(journal.start()),
            known: Mutex::new(found.known),
            seen: Mutex::new(found.seen),
            notes: Mutex::new(found.notes),
            journal,
            options,
            graphs,
            lanes: RwLock::new(Arc::new(lanes)),
            threads: Mutex::default(),
            straight: Default::default(),
            own,
            inbox: Mutex::default(),
            wake: Default::default(),
            room: Default::default(),
            taps: Default::default(),
            inputs: Mutex::default(),
            left: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let pipeline = Pipeline { core, writer: Arc::default() };
        pipeline.register(&found.cursors)?;
        pipeline.start_threads()?;
        for lane in pipeline.core.lanes().iter().filter(|lane| lane.keeps) {
            lane.wait_for_replay();
        }
        pipeline.resume_letters()?;
        Ok(pipeline)
    }

    /// Goes on with dead letters that were being replayed.
    fn resume_letters(&self) -> Result<(), JournalError> {
        let numbers = match dead::resume(&self.core) {
            Err(DeliveryError::Journal(error)) => return Err(error),
            numbers => numbers.unwrap_or_default(),
        };
        if numbers.is_empty() {
            return Ok(());
        }
        // Their output may have to be waited for.
        let core = self.core.clone();
        let work = move || {
            let words = match dead::replay(&core, &Which::Numbers(numbers)) {
                Ok(replayed) => replayed.left.join("\n"),
                Err(error) => format!("dead letters were not replayed: {error}"),
            };
            if !words.is_empty() {
                (core.options.tell)(&words);
            }
        };
        let thread = task::spawn("dead letters", work).map_err(thread_failed)?;
        lock(&self.core.threads).push(thread);
        Ok(())
    }

    fn start_threads(&self) -> Result<(), JournalError> {
        let core = self.core.clone();
        *lock(&self.writer) =
            Some(task::spawn("journal", move || writer::run(&core)).map_err(thread_failed)?);
        self.core.lanes().iter().try_for_each(|lane| self.core.start_lane(lane)).map_err(thread_failed)
    }

    /// Says in the journal which outputs there are, before rows are accepted for them: by that a new one is known.
    fn register(&self, known: &HashMap<String, Lsn>) -> Result<(), JournalError> {
        let lanes = self.core.lanes();
        if lanes.iter().all(|lane| known.contains_key(&*lane.name)) {
            return Ok(());
        }
        let cursors: Vec<_> = lanes.iter().map(|lane| (lane, lane.cursor())).collect();
        self.core.append_saved(Vec::new(), &cursors, Vec::new(), Vec::new())
    }

    /// Lets another graph hold: rows that are journaled from now on go by it. What was journaled before still goes the way
    /// that held then. An output of the graph before that stands in this one (the same, not one made alike) goes on as it
    /// is; one that has the name of another takes its place and gets what that has not got; a new one begins with what comes
    /// now; one that is gone gets what waits for it, for half a minute. Blocks until the graph holds, not until outputs have
    /// ended.
    ///
    /// # Errors
    /// [`DeliveryError`]; then all is as before.
    pub fn reload(&self, graph: impl Into<Graph>) -> Result<(), DeliveryError> {
        reload::reload(&self.core, Arc::new(graph.into()))
    }

    /// The graph that holds now.
    pub fn graph(&self) -> Arc<Graph> {
        self.core.graphs.current()
    }

    /// An entrance for the input `name` (protocol and address, path or the like), under which it is counted.
    pub fn intake(&self, name: &str) -> Intake {
        Intake::new(self.core.clone(), self.core.input(name))
    }

    /// What it is doing.
    pub fn status(&self) -> Arc<dyn NodeStatus> {
        Arc::new(self.clone())
    }

    /// Sends dead letters on their way again, to the output that did not get them; returns when all of them stand in the
    /// journal. A crash at any point neither loses nor doubles one. Not to be called from asynchronous code.
    ///
    /// # Errors
    /// [`DeliveryError`]; letters that are not replayed then still wait.
    pub fn replay_dead(&self, which: &Which) -> Result<Replayed, DeliveryError> {
        dead::replay(&self.core, which)
    }

    /// The dead letters, where they are kept.
    pub fn dead(&self) -> Option<&DeadLetters> {
        self.core.options.dead.as_ref()
    }

    /// Every batch from now on, when it is accepted.
    pub fn subscribe(&self) -> Tap {
        self.core.taps.subscribe(TagPattern::all())
    }

    /// Every batch from now on whose tag fits, when it is accepted; nothing else is held for the subscriber.
    pub fn subscribe_to(&self, tags: TagPattern) -> Tap {
        self.core.taps.subscribe(tags)
    }

    /// Saves what outputs have committed and trims the journal; to be called after an output has flushed.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn maintain(&self) -> Result<(), JournalError> {
        self.core.save()?;
        self.core.trim()
    }

    /// Takes note of tenants of which nothing comes any more and that are to be forgotten; whether one of them is new. What comes now
    /// goes to another file of the journal, so that theirs can go.
    pub fn leave(&self, tenants: &[Tenant]) -> bool {
        let mut left = lock(&self.core.left);
        // Their names would be written anew with the positions of all.
        tenants.iter().for_each(|tenant| lock(&self.core.known).forget_tenant(*tenant));
        let end = self.core.journal.end();
        let before = left.len();
        tenants.iter().for_each(|tenant| _ = left.entry(*tenant).or_insert(end));
        let new = left.len() > before;
        if new {
            self.core.journal.leave_file();
        }
        new
    }

    /// Saves what outputs hold and lets go of all files of the journal that none needs, the last one with them; to be called where
    /// outputs were made to hold all. Does what it can where one is behind.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn empty(&self) -> Result<(), JournalError> {
        let end = self.core.journal.end();
        self.core.journal.leave_file();
        self.release(end, || self.waiting(end.0) == 0)
    }

    /// Lets go of what stands in the journal below `end`, as soon as no output needs it; tries again for as long as `worth` says.
    fn release(&self, end: Lsn, worth: impl Fn() -> bool) -> Result<(), JournalError> {
        for _ in 0..RELEASE_TRIES {
            self.core.save()?;
            self.core.trim_now()?;
            if self.core.journal.start() >= end || !worth() {
                break;
            }
            // An output has yet to say that it holds what it was given.
            task::sleep(RELEASE_AGAIN);
        }
        Ok(())
    }

    /// Lets go of what is kept of a tenant that was [left](Pipeline::leave) beside its rows on their way: dead letters, positions of
    /// its senders; and of the files of the journal that no output needs any more. Names of outputs that have yet to get what stands
    /// there: as long as there are some, its rows stand there too, and it is to be called again. `patient` where they are waited for a
    /// little.
    ///
    /// # Errors
    /// [`JournalError`]; it can be called again.
    pub fn forget(&self, tenant: Tenant, patient: bool) -> Result<Vec<String>, JournalError> {
        let end = lock(&self.core.left).get(&tenant).copied().unwrap_or_default();
        self.release(end, || patient)?;
        let behind = self.core.journal.start() < end;
        // Last, since what an output refuses on its way becomes a letter.
        if let Some(dead) = &self.core.options.dead {
            dead.forget(tenant)?;
        }
        lock(&self.core.known).forget_tenant(tenant);
        if !behind {
            lock(&self.core.left).remove(&tenant);
            return Ok(Vec::new());
        }
        let lanes = self.core.lanes();
        let late = lanes.iter().filter(|lane| lane.cursor() < end).map(|lane| lane.name.to_string());
        let late: Vec<String> = late.collect();
        Ok(if late.is_empty() { vec!["journal".to_owned()] } else { late })
    }

    /// Bytes of the journal that some output still needs.
    pub fn journal_bytes(&self) -> u64 {
        let cursor = self.core.lanes().iter().map(|lane| lane.cursor()).min();
        cursor.map_or(0, |cursor| self.core.journal.end().0.saturating_sub(cursor.0))
    }

    /// How many outputs have not got yet all that stands in the journal below `position`: not taken, where an output keeps its
    /// positions itself as a store does, else not said that it holds them for good.
    pub fn waiting(&self, position: u64) -> usize {
        self.core.lanes().iter().filter(|lane| !lane.has(Lsn(position))).count()
    }

    /// Stops: takes nothing more, journals what is pending, and waits until its threads have ended. A crash at any
    /// point instead loses nothing that was acknowledged.
    pub fn stop(&self) {
        lock(&self.core.inbox).closed = true;
        self.core.wake.notify_all();
        self.core.room.notify_all();
        self.core.permits.close();
        if let Some(writer) = lock(&self.writer).take() {
            writer.join();
        }
        self.core.lanes().iter().for_each(|lane| lane.close());
        let threads = std::mem::take(&mut *lock(&self.core.threads));
        for thread in threads {
            thread.join();
        }
        self.core.stopped.store(true, Ordering::Release);
        self.core.taps.close();
    }
}

impl NodeStatus for Pipeline {
    fn parts(&self) -> Vec<PartStatus> {
        let stopped = self.core.is_stopped();
        let inputs = lock(&self.core.inputs);
        let inputs = inputs.iter().map(|counters| counters.status(stopped));
        let own = std::iter::once(self.core.own.status(stopped));
        let graph = self.core.graphs.current();
        let filters = graph.filters().iter().map(|part| part.counters.status(stopped));
        let lanes = self.core.lanes();
        let outputs = lanes.iter().map(|lane| lane.status(stopped));
        let mut parts: Vec<PartStatus> = inputs.chain(own).chain(filters).chain(outputs).collect();
        self.core.rates.fill(self.core.sys.clock.monotonic(), &mut parts);
        parts
    }
}

fn thread_failed(error: std::io::Error) -> JournalError {
    JournalError::Io { dir: "a thread of the pipeline".to_owned(), source: Arc::new(error) }
}

/// KiB of so many bytes, as a semaphore counts them.
pub(crate) fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024).max(1)).unwrap_or(u32::MAX >> 4)
}

/// Reads what the journal says of sources and cursors. A frame that cannot be understood is told of and passed over.
fn scan(journal: &Journal) -> Result<Found, JournalError> {
    let mut found = Found::default();
    for frame in journal.read(journal.start()) {
        let frame = frame?;
        let result = match frame.kind {
            FrameKind::Data => payload::read_all(frame.payload).map(|(items, notes)| {
                notes.into_iter().for_each(|note| found.notes.stored(note, frame.lsn));
                for item in &items {
                    item.key.into_iter().for_each(|key| found.seen.stored(key, frame.lsn));
                    if let Some(position) = &item.position {
                        found.known.learn(&item.batch.source, position, Some(frame.lsn));
                    }
                }
            }),
            FrameKind::Cursor => payload::read_saved(frame.payload).map(|saved| {
                for known in &saved.sources {
                    found.known.learn(&known.source, &known.position, Some(frame.lsn));
                }
                saved.keys.iter().for_each(|key| found.seen.stored(*key, frame.lsn));
                saved.notes.into_iter().for_each(|note| found.notes.stored(note, frame.lsn));
                found.cursors.extend(saved.cursors);
            }),
        };
        if let Err(error) = result {
            found.undecodable.push(format!("journal frame at {}: {error}", frame.lsn.0));
        }
    }
    Ok(found)
}
