//! One output and the thread that feeds it: straight from the writer while it keeps up, from the journal when it is
//! behind, so that a slow output costs the others nothing. Calls on the output are made in the order of the journal.
//! Knows nothing of inputs.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use sawlog_journal::{Frame, FrameKind, Journal, Lsn};
use sawlog_model::{Batch, ENCRYPTED, Nanos, SourceId};
use sawlog_sys::Sys;

use crate::config::{Overflow, QueueOptions};
use crate::count::Counters;
use crate::dead::DeadLetters;
use crate::graph::{Graphs, OutputPart, Walk, without_rows};
use crate::payload::{self, Item};
use crate::{Origin, Output, OutputError, lock};

mod ending;
mod given_up;
mod retry;
mod state;

use given_up::Unburied;
pub(crate) use given_up::{Asked, Refused};
use retry::Tries;

/// How often is looked whether there is room for a dead letter again.
const ROOM_AGAIN: Duration = Duration::from_millis(500);

/// Wait before a journal that cannot be read is read again.
const READ_AGAIN: Duration = Duration::from_secs(5);

/// A frame that is on stable storage, on its way to the outputs.
pub(crate) struct Delivered {
    pub at: Lsn,
    pub next: Lsn,
    pub items: Vec<Item>,
    /// The way of each item, shared by all outputs.
    pub walks: Vec<Walk>,
    pub ack: Ack,
}

/// Runs what waits for a frame when the outputs that are waited for have taken it.
pub(crate) struct Ack {
    left: AtomicUsize,
    then: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Ack {
    /// `outputs` is how many are waited for, and one more: the writer, when it has handed the frame to all.
    pub(crate) fn new(outputs: usize, then: impl FnOnce() + Send + 'static) -> Self {
        Ack { left: AtomicUsize::new(outputs + 1), then: Mutex::new(Some(Box::new(then))) }
    }

    pub(crate) fn mark(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let then = lock(&self.then).take();
            if let Some(then) = then {
                then();
            }
        }
    }
}

#[derive(Default)]
struct State {
    queue: VecDeque<Arc<Delivered>>,
    bytes: usize,
    /// The frame that the thread is giving to the output.
    busy: Option<Lsn>,
    /// Where to read on in the journal: frame, and how many of its items the output has taken.
    behind: Option<(Lsn, usize)>,
    /// Frames below were handed over by the writer.
    horizon: Lsn,
    /// Frames below were given to the output.
    given: Lsn,
    /// Cursor that the journal keeps for an output that keeps none.
    saved: Lsn,
    /// Below it the output needs nothing, whatever it says itself: it was given up or dropped.
    floor: Lsn,
    /// Items with a file's position that the output has not taken yet.
    positioned: usize,
    /// The output said "later" to something from the journal.
    refused_replay: bool,
    closed: bool,
    /// Since when the output is taken out: what is journaled from then on is not for it.
    retired: Option<Duration>,
    /// The thread has ended.
    ended: bool,
}

/// An item of a journal frame.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    at: Lsn,
    index: u32,
    /// What its output is told as the end of the frame.
    next: Lsn,
}

impl Place {
    fn new(index: usize, items: usize, at: Lsn, next: Lsn) -> Place {
        Place { at, index: index as u32, next: next_after(index, items, at, next) }
    }

    fn origin(self, item: &Item) -> Origin {
        Origin::Journal { at: self.at, next: self.next, position: item.position.clone() }
    }
}

/// What became of a frame that was read back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fed {
    /// The output has it.
    Given,
    /// There was nothing in it for the output.
    Nothing,
    /// The thread is to end.
    Ended,
}

/// One output.
pub(crate) struct Lane {
    pub name: Arc<str>,
    pub output: Arc<dyn Output>,
    pub counters: Arc<Counters>,
    pub keeps: bool,
    journal: Journal,
    graphs: Arc<Graphs>,
    dead: Option<DeadLetters>,
    sys: Sys,
    secondary: Option<Arc<dyn Output>>,
    private: [bool; 2],
    queue: Mutex<QueueOptions>,
    tries: Mutex<Tries>,
    /// What the output refused and is not a dead letter yet.
    unburied: Mutex<Option<Unburied>>,
    /// When the rows of a frame were received that waits, for the status.
    oldest: Mutex<Option<(Lsn, Nanos)>>,
    /// Frames from here on were written by this run of the process.
    run_start: Lsn,
    /// How far each file was given from the journal since the output is behind. A frame whose append failed may be there
    /// all the same, beside the one that holds its rows again.
    replayed: Mutex<HashMap<SourceId, (u32, u64)>>,
    queue_bytes: usize,
    /// The lane that it takes the place of, until that has ended.
    before: Mutex<Option<Arc<Lane>>>,
    state: Mutex<State>,
    wake: Condvar,
}

/// The batch without the rows that stand before epoch and offset `mark`.
fn rows_from(batch: &Batch, mark: (u32, u64)) -> Batch {
    let gone = batch.rows.partition_point(|row| (batch.epoch, row.offset) < mark);
    let slots_gone = if gone == 0 { 0 } else { batch.rows[gone - 1].slots_end };
    let mut rest = batch.clone();
    rest.rows.drain(..gone);
    rest.slots.drain(..slots_gone as usize);
    for row in &mut rest.rows {
        row.slots_end -= slots_gone;
    }
    rest
}

/// Why rows of an item may not go to an output that somebody could listen to; the sender's word, whatever filters make of it.
fn not_over(private: bool, item: &Item) -> Option<String> {
    let only_tls = !private && item.batch.context.get(ENCRYPTED).is_some();
    only_tls.then(|| "encrypted: these rows go over TLS only, and this output does not speak it".to_owned())
}

fn positioned(items: &[Item]) -> usize {
    items.iter().filter(|item| item.position.is_some() && item.late.is_none()).count()
}

/// What lanes are made with.
pub(crate) struct Shared<'a> {
    pub sys: &'a Sys,
    pub journal: &'a Journal,
    pub graphs: &'a Arc<Graphs>,
    pub dead: Option<&'a DeadLetters>,
    /// Most bytes that wait in memory for an output; what is over is read back from the journal.
    pub queue_bytes: usize,
}

impl Lane {
    /// A lane whose output has everything below `cursor`; the journal ends at `end`.
    pub(crate) fn new(part: &OutputPart, shared: &Shared<'_>, cursor: Lsn, end: Lsn) -> Self {
        let (name, output) = (part.name.clone(), part.output.clone());
        let counters = Arc::new(Counters::new("output", &name));
        let keeps = output.keeps_positions();
        let behind = (cursor < end).then_some((cursor, 0));
        let state = State { behind, horizon: end, given: cursor, saved: cursor, ..State::default() };
        Lane {
            queue_bytes: shared.queue_bytes,
            name,
            output,
            counters,
            keeps,
            journal: shared.journal.clone(),
            graphs: shared.graphs.clone(),
            dead: shared.dead.cloned(),
            sys: shared.sys.clone(),
            secondary: part.secondary.clone(),
            private: part.private,
            queue: Mutex::new(part.section.queue.clone()),
            tries: Mutex::default(),
            unburied: Mutex::default(),
            oldest: Mutex::default(),
            run_start: end,
            replayed: Mutex::default(),
            before: Mutex::default(),
            state: Mutex::new(state),
            wake: Condvar::new(),
        }
    }

    /// Hands over a frame; never waits.
    pub(crate) fn push(&self, frame: &Arc<Delivered>) {
        let mut state = lock(&self.state);
        if state.retired.is_some() {
            drop(state);
            return self.mark(frame);
        }
        state.horizon = state.horizon.max(frame.next);
        let weight: usize = frame.items.iter().map(|item| item.batch.weight()).sum();
        let full = state.bytes > 0 && state.bytes + weight > self.queue_bytes;
        if state.behind.is_some() || full || state.closed {
            state.behind.get_or_insert((frame.at, 0));
            drop(state);
            self.mark(frame);
        } else {
            state.bytes += weight;
            state.positioned += positioned(&frame.items);
            state.queue.push_back(frame.clone());
        }
        self.wake.notify_all();
    }

    /// Says that all frames of rows below `end` were handed over. Only the writer knows that.
    pub(crate) fn pass(&self, end: Lsn) {
        let mut state = lock(&self.state);
        if state.retired.is_none() {
            state.horizon = state.horizon.max(end);
        }
    }

    /// Whether a file's rows may go straight to the output: nothing of a file waits before them.
    pub(crate) fn is_straight(&self) -> bool {
        let state = lock(&self.state);
        state.behind.is_none() && state.positioned == 0
    }

    /// Journal position below which the output needs nothing any more.
    pub(crate) fn cursor(&self) -> Lsn {
        if let Some(before) = &*lock(&self.before) {
            return before.cursor();
        }
        let state = lock(&self.state);
        let own = self.output.cursor().max(state.saved);
        let waiting = state.queue.front().map(|frame| frame.at);
        let handed = state.busy.or(waiting).or(state.behind.map(|(at, _)| at)).unwrap_or(state.horizon);
        let cursor = if own >= state.given { handed } else { own.min(handed) };
        cursor.max(state.floor.min(handed))
    }

    /// Whether more of the journal waits for the output than may, and what is done about it.
    pub(crate) fn overflow(&self) -> Option<Overflow> {
        let (limit, overflow) = {
            let queue = lock(&self.queue);
            (queue.limit?, queue.overflow)
        };
        (self.journal.end().0.saturating_sub(self.cursor().0) > limit).then_some(overflow)
    }

    /// Journal position below which nothing is given again, also after a crash.
    pub(crate) fn held(&self) -> Lsn {
        if let Some(before) = &*lock(&self.before) {
            return before.held();
        }
        if self.keeps { self.output.cursor() } else { lock(&self.state).saved }
    }

    /// The cursor, where the journal has to keep it and has not got it yet.
    pub(crate) fn unsaved_cursor(&self) -> Option<Lsn> {
        let cursor = self.cursor();
        (!self.keeps && cursor > lock(&self.state).saved).then_some(cursor)
    }

    /// Whether a cursor is to be expected to move without anything new coming.
    pub(crate) fn is_unsettled(&self) -> bool {
        let state = lock(&self.state);
        !self.keeps && state.saved < state.given
    }

    pub(crate) fn set_saved(&self, cursor: Lsn) {
        let mut state = lock(&self.state);
        state.saved = state.saved.max(cursor);
    }

    /// Asks the thread to end when what waits in memory is delivered.
    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
        self.wake.notify_all();
    }

    /// The thread.
    pub(crate) fn run(&self) {
        self.take_over();
        self.work();
        self.drain();
        lock(&self.state).ended = true;
        self.wake.notify_all();
    }

    fn work(&self) {
        loop {
            let mut state = lock(&self.state);
            if let Some(frame) = state.queue.pop_front() {
                state.busy = Some(frame.at);
                drop(state);
                self.deliver(&frame);
            } else if state.closed {
                return;
            } else if let Some((at, index)) = state.behind {
                drop(state);
                self.counters.set_waiting(true);
                self.feed(at, index);
                self.counters.set_waiting(false);
            } else if state.retired.is_some() {
                return;
            } else {
                drop(state);
                self.wait_for_work();
            }
        }
    }

    /// Waits until there is something to do.
    fn wait_for_work(&self) {
        let watch = self.watch();
        if watch.is_some() {
            self.hand_over_if_stuck();
        }
        let state = lock(&self.state);
        if !state.queue.is_empty() || state.closed || state.behind.is_some() || state.retired.is_some() {
            return;
        }
        match watch {
            Some(time) => drop(crate::wait(&self.wake, state, time)),
            None => drop(self.wake.wait(state)),
        }
    }

    /// Gives the frame to the output; where that takes none, what waits is left to be read back from the journal.
    fn deliver(&self, frame: &Arc<Delivered>) {
        let count = frame.items.len();
        let mut numbered = frame.items.iter().zip(&frame.walks).enumerate();
        let stopped_at = numbered.position(|(index, (item, walk))| {
            !self.settle(item, walk, Place::new(index, count, frame.at, frame.next))
        });
        let weight: usize = frame.items.iter().map(|item| item.batch.weight()).sum();
        let mut left_over = Vec::new();
        let mut state = lock(&self.state);
        state.busy = None;
        state.bytes -= weight;
        state.positioned -= positioned(&frame.items);
        match stopped_at {
            None => state.given = frame.next,
            Some(index) => {
                state.behind = Some((frame.at, index));
                left_over.extend(state.queue.drain(..));
                (state.bytes, state.positioned) = (0, 0);
            }
        }
        drop(state);
        self.mark(frame);
        left_over.iter().for_each(|frame| self.mark(frame));
    }

    fn mark(&self, frame: &Delivered) {
        if self.keeps {
            frame.ack.mark();
        }
    }

    /// Gives one item, or gives it up; `false` where the output is to be asked again.
    fn settle(&self, item: &Item, walk: &Walk, place: Place) -> bool {
        if self.is_buried(place) {
            self.move_past(item, place.origin(item));
            return true;
        }
        if let Some(buried) = self.bury_again(place) {
            return buried;
        }
        if self.is_over(place.next) {
            self.drop_item(item, walk, place);
            return true;
        }
        if self.give(item, walk, place) {
            lock(&self.tries).succeeded();
            return true;
        }
        let queue = lock(&self.queue).clone();
        let is_over = lock(&self.tries).failed(&queue, self.sys.clock.monotonic());
        is_over && self.give_up(item, walk, place)
    }

    /// Whether the output had the item before it was journaled in the frame at `at`, in this run of the process.
    fn had(&self, item: &Item, at: Lsn) -> bool {
        at >= self.run_start && item.late.as_ref() == Some(&self.name)
    }

    /// How long to wait before the output is asked again.
    fn wait_before_next(&self) -> Duration {
        if lock(&self.unburied).is_some() {
            return ROOM_AGAIN;
        }
        lock(&self.tries).wait(&lock(&self.queue), self.sys.random.id() as u64)
    }

    /// One item; `false` where the output said "later", or refused it and it cannot be buried now.
    fn give(&self, item: &Item, walk: &Walk, place: Place) -> bool {
        let asked = match &item.late {
            Some(_) if self.had(item, place.at) => {
                self.output.journaled(item.batch.tenant, place.at, place.next);
                Asked::Taken
            }
            // It went straight to another output, so this one was not on its way.
            Some(_) if place.at >= self.run_start => {
                self.ask(Arc::new(without_rows(&item.batch)), place.origin(item))
            }
            _ => self.take(item, walk, place.origin(item)),
        };
        match asked {
            Asked::Taken => true,
            Asked::Later => false,
            Asked::Refused(refused) => self.bury_refused(item, refused, place),
        }
    }

    /// Asks the output to take what comes to it of an item.
    pub(crate) fn take(&self, item: &Item, walk: &Walk, origin: Origin) -> Asked {
        let batch = walk.rows_for(&self.name, &item.batch);
        if let Some(reason) = not_over(self.private[0], item).filter(|_| !batch.rows.is_empty()) {
            return Asked::Refused(Refused::all(&batch, reason));
        }
        self.ask(batch, origin)
    }

    fn ask(&self, batch: Arc<Batch>, origin: Origin) -> Asked {
        match self.output.take(batch.clone(), origin) {
            Ok(()) => {
                self.counters.passed(&batch);
                Asked::Taken
            }
            Err(OutputError::Later(reason)) => {
                self.counters.error("later", &reason);
                Asked::Later
            }
            Err(OutputError::Refused(reason)) => Asked::Refused(Refused::all(&batch, reason)),
            Err(OutputError::RefusedRows { reason, rows }) => {
                Asked::Refused(Refused::some(&batch, reason, &rows))
            }
        }
    }

    /// Reads on from the journal until it has caught up with the writer, or is to end.
    fn feed(&self, at: Lsn, mut index: usize) {
        let mut read_to = at;
        for frame in self.journal.read(at) {
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => {
                    self.counters.error("journal", &error.to_string());
                    self.pause(READ_AGAIN);
                    return;
                }
            };
            if frame.lsn > read_to {
                index = 0;
            }
            let given = match frame.kind {
                FrameKind::Data => self.feed_frame(&frame, index),
                FrameKind::Cursor => Fed::Nothing,
            };
            if given == Fed::Ended {
                return;
            }
            index = 0;
            read_to = frame.next;
            if self.has_caught_up(frame.next, given == Fed::Given) {
                return;
            }
        }
        // Frames that are on stable storage must be readable; until they are, go on trying.
        if !self.has_caught_up(read_to, false) {
            self.pause(READ_AGAIN);
        }
    }

    /// Notes that frames below `next` were gone through, and whether the output was given something of the last one;
    /// whether there is no reason to go on.
    fn has_caught_up(&self, next: Lsn, given: bool) -> bool {
        let mut state = lock(&self.state);
        if given {
            state.given = next;
        }
        state.behind = if next >= state.horizon { None } else { Some((next, 0)) };
        if state.behind.is_none() {
            lock(&self.replayed).clear();
            self.wake.notify_all();
        }
        state.behind.is_none() || state.closed
    }

    /// Waits until the output has been given all that the journal held at the start, or has said "later".
    pub(crate) fn wait_for_replay(&self) {
        let state = lock(&self.state);
        drop(self.wake.wait_while(state, |state| state.behind.is_some() && !state.refused_replay));
    }

    /// Gives one frame, for as long as it takes.
    fn feed_frame(&self, frame: &Frame, from: usize) -> Fed {
        let items = match payload::read_items(frame.payload.clone()) {
            Ok(items) => items,
            Err(error) => {
                self.counters.error("undecodable", &format!("journal frame at {}: {error}", frame.lsn.0));
                return Fed::Nothing;
            }
        };
        let graph = self.graphs.at(frame.lsn);
        let numbered = items.iter().enumerate().skip(from);
        let left: Vec<_> = numbered
            .filter_map(|(index, item)| {
                Some((index, self.not_yet_replayed(item, frame.lsn)?, Walk::of(&graph, item)))
            })
            .collect();
        for (number, (index, item, walk)) in left.iter().enumerate() {
            let next = next_after(number, left.len(), frame.lsn, frame.next);
            let place = Place { at: frame.lsn, index: *index as u32, next };
            while !self.settle(item, walk, place) {
                let mut state = lock(&self.state);
                (state.behind, state.refused_replay) = (Some((frame.lsn, *index)), true);
                drop(state);
                self.wake.notify_all();
                self.hand_over_if_stuck();
                self.pause(self.wait_before_next());
                if lock(&self.state).closed {
                    return Fed::Ended;
                }
            }
        }
        if left.is_empty() { Fed::Nothing } else { Fed::Given }
    }

    /// The item without what the output holds or was given already; `None` where that is all of it.
    fn not_yet_replayed(&self, item: &Item, at: Lsn) -> Option<Item> {
        let mark = match &item.position {
            Some(position) if item.late.is_none() || at < self.run_start => position.mark(),
            _ => return Some(item.clone()),
        };
        let source = item.batch.source.id;
        let mut replayed = lock(&self.replayed);
        let given = replayed.get(&source).copied().or_else(|| self.output.committed(source));
        if given.is_some_and(|given| mark <= given) {
            return None;
        }
        replayed.insert(source, mark);
        match given {
            Some(given)
                if item.batch.rows.first().is_some_and(|row| (item.batch.epoch, row.offset) < given) =>
            {
                Some(Item { batch: Arc::new(rows_from(&item.batch, given)), ..item.clone() })
            }
            _ => Some(item.clone()),
        }
    }

    /// Waits, but not when it is to end.
    fn pause(&self, time: Duration) {
        let state = lock(&self.state);
        drop(self.wake.wait_timeout_while(state, time, |state| !state.closed));
    }
}

/// What an output is told as the end of a frame with one of its items: the frame's only with the last one. With the others
/// its beginning, so that an output that commits in between does not let its cursor pass items that it has not got.
pub(crate) fn next_after(index: usize, items: usize, at: Lsn, next: Lsn) -> Lsn {
    if index + 1 == items { next } else { at }
}
