//! The one thread that appends rows to the journal. While an fsync is under way jobs gather, and all of them become the
//! next frame: that is the group commit. Frames are handed to the outputs in the order of the journal. Knows nothing of
//! inputs or of what outputs do.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use sawlog_journal::{FrameKind, JournalError, Lsn};
use sawlog_model::{KnownSource, SourceId};

use crate::core::{Core, Done, Inbox, Job};
use crate::graph::{Graph, Walk};
use crate::lane::{Ack, Delivered};
use crate::notes::Note;
use crate::payload::{self, Item};
use crate::pending::Pending;
use crate::{DeliveryError, lock, wait};

/// How often positions and cursors are saved and the journal is trimmed, while something moves; and how long it may take
/// to notice that an output moves again which did not for long.
const SAVE_EVERY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(32));
/// How long rows wait for room in a full journal before their senders are told.
const FULL_PATIENCE: Duration = Duration::from_secs(10);
const FULL_RETRY: Duration = Duration::from_millis(100);

/// What one round does.
#[derive(Default)]
struct Round {
    items: Vec<Item>,
    notes: Vec<Note>,
    /// Called when the rows are on stable storage.
    synced: Vec<Done>,
    /// Called when outputs have them, too.
    taken: Vec<Done>,
    settle: Vec<SourceId>,
    record: Vec<KnownSource>,
    recorded: Vec<Done>,
    reload: Option<(Arc<Graph>, Done)>,
    /// An input gave something, now or lately.
    moves: bool,
    last: bool,
}

/// The thread.
pub(crate) fn run(core: &Core) {
    let mut saved_at = core.sys.clock.monotonic();
    let (mut every, mut moved) = (SAVE_EVERY.0, false);
    loop {
        let mut round = gather(core, saved_at + every, moved);
        if round.moves {
            (every, moved) = (SAVE_EVERY.0, true);
        }
        let last = round.last;
        // What was offered of a source before stands before what is journaled of it now: positions only grow.
        let late = take_pending(core, &round);
        round.items.splice(0..0, late);
        let failed = commit_rows(core, &mut round).err();
        commit_positions(core, &mut round);
        if let Some((graph, done)) = round.reload.take() {
            let saved = failed.map_or(Ok(()), Err).and_then(|()| core.save());
            done(saved.and_then(|()| core.change_graph(graph)).map_err(DeliveryError::from));
        }
        core.reap();
        let now = core.sys.clock.monotonic();
        if last || now >= saved_at + every {
            (saved_at, moved) = (now, false);
            let before = core.journal.end();
            count(core, core.save());
            count(core, core.trim());
            // An output whose other side is away has nothing new for hours: it is asked ever more rarely.
            every = if core.journal.end() > before { SAVE_EVERY.0 } else { (every * 2).min(SAVE_EVERY.1) };
        }
        // Between its own appends no rows are in the journal that it has not handed on.
        let end = core.journal.end();
        core.lanes().iter().for_each(|lane| lane.pass(end));
        if last {
            return;
        }
    }
}

fn count(core: &Core, result: Result<(), JournalError>) {
    if let Err(error) = result {
        core.own.error("journal", &error.to_string());
    }
}

/// Waits for something to do and takes it; at `save_at` also where only an output is to be asked how far it is, or where
/// something `moved` since the last time.
fn gather(core: &Core, save_at: Duration, moved: bool) -> Round {
    let mut inbox = lock(&core.inbox);
    loop {
        let now = core.sys.clock.monotonic();
        let over = inbox.pending.bytes() > core.options.pending_bytes;
        if inbox.closed || over || !inbox.jobs.is_empty() {
            break;
        }
        let late = late_at(core, &inbox).map(|at| at.saturating_sub(now));
        let save = moved || core.lanes().iter().any(|lane| lane.is_unsettled() || lane.is_retired());
        let save = save.then(|| save_at.saturating_sub(now));
        match late.into_iter().chain(save).min() {
            Some(time) if time.is_zero() => break,
            Some(time) => inbox = wait(&core.wake, inbox, time),
            None => inbox = core.wake.wait(inbox).unwrap_or_else(std::sync::PoisonError::into_inner),
        }
    }
    let moves = !inbox.jobs.is_empty() || inbox.pending.oldest().is_some();
    let mut round = Round { moves, ..Round::default() };
    let mut bytes = 0;
    while bytes < core.options.frame_bytes && round.reload.is_none() {
        let Some(job) = inbox.jobs.pop_front() else { break };
        bytes += add(core, &mut round, job);
    }
    round.last = inbox.closed && inbox.jobs.is_empty();
    round
}

/// When the oldest of what is pending is to be journaled.
fn late_at(core: &Core, inbox: &Inbox) -> Option<Duration> {
    Some(inbox.pending.oldest()? + core.options.late_after?)
}

fn add(core: &Core, round: &mut Round, job: Job) -> usize {
    match job {
        // Whoever asked for it has seen to that; but the graph may have changed since, and only here it does not.
        Job::Rows { items, done, .. } if items.iter().any(|item| !core.can_come(item)) => {
            let words = "the configuration has changed meanwhile; ask again";
            done(Err(DeliveryError::Output(words.to_owned())));
            0
        }
        Job::Rows { items, notes, taken, done } => {
            let bytes = items.iter().map(|item| item.batch.weight()).sum();
            round.items.extend(items);
            round.notes.extend(notes);
            if taken {
                round.taken.push(done)
            } else {
                round.synced.push(done)
            }
            bytes
        }
        Job::Settle { source, done } => {
            round.settle.push(source);
            round.synced.push(done);
            0
        }
        Job::Reload { graph, done } => {
            round.reload = Some((graph, done));
            0
        }
        Job::Record { sources, done } => {
            round.record.extend(sources);
            round.recorded.push(done);
            0
        }
    }
}

/// Takes out of what is pending what is to be journaled now. What the output has committed meanwhile is forgotten; the
/// output is asked without the inbox's lock, since it may take its time.
fn take_pending(core: &Core, round: &Round) -> Vec<Item> {
    let now = core.sys.clock.monotonic();
    let mut inbox = lock(&core.inbox);
    if inbox.pending.oldest().is_none() {
        return Vec::new();
    }
    let due = late_at(core, &inbox).is_some_and(|at| at <= now);
    let over = inbox.pending.bytes() > core.options.pending_bytes;
    let mut settle: HashSet<SourceId> = round.settle.iter().copied().collect();
    settle.extend(round.items.iter().filter(|item| item.position.is_some()).map(|item| item.batch.source.id));
    let all = round.last || round.reload.is_some();
    if !(due || over || all || !settle.is_empty()) {
        return Vec::new();
    }
    let mut pending: Pending = std::mem::take(&mut inbox.pending);
    drop(inbox);
    pending.forget_committed(|item| core.lane(item.late.as_deref()?)?.output.committed(item.batch.source.id));
    let until = if all { Some(now) } else { core.options.late_after.map(|age| now.saturating_sub(age)) };
    let late = pending.take_due(until, &settle, core.options.pending_bytes / 2);
    lock(&core.inbox).pending.prepend(pending);
    core.room.notify_all();
    late
}

/// Journals the round's rows and hands them on.
fn commit_rows(core: &Core, round: &mut Round) -> Result<(), JournalError> {
    if round.items.is_empty() {
        let notes = std::mem::take(&mut round.notes);
        let written =
            if notes.is_empty() { Ok(()) } else { core.append_saved(Vec::new(), &[], Vec::new(), notes) };
        for done in round.synced.drain(..).chain(round.taken.drain(..)) {
            done(written.clone().map_err(DeliveryError::from));
        }
        return written;
    }
    match append(core, &mut round.items, &round.notes) {
        Ok((at, next)) => {
            hand_on(core, round, at, next);
            Ok(())
        }
        Err(error) => {
            core.own.error("journal", &error.to_string());
            round.notes.clear();
            let late: Vec<Item> = round.items.drain(..).filter(|item| item.late.is_some()).collect();
            let now = core.sys.clock.monotonic();
            lock(&core.inbox).pending.put_back(late, now);
            for done in round.synced.drain(..).chain(round.taken.drain(..)) {
                done(Err(error.clone().into()));
            }
            Err(error)
        }
    }
}

/// Appends one frame; gives rows without a position of their own the frame's.
fn append(core: &Core, items: &mut [Item], notes: &[Note]) -> Result<(Lsn, Lsn), JournalError> {
    let began = core.sys.clock.monotonic();
    loop {
        let made = core.journal.append_shared(FrameKind::Data, Default::default(), |lsn, out| {
            payload::begin(out.bytes());
            notes.iter().for_each(|note| payload::put_note(out.bytes(), note));
            let mut offset = lsn.0;
            for item in items.iter_mut() {
                if item.position.is_none() {
                    Arc::make_mut(&mut item.batch).address_by_journal(offset);
                    offset += item.batch.rows.len() as u64;
                }
                payload::share_item(out, item);
            }
        });
        match made {
            Ok(at) => return Ok((at, core.journal.end())),
            Err(JournalError::Full(_)) if core.sys.clock.monotonic() < began + FULL_PATIENCE => {
                count(core, core.trim());
                let inbox = lock(&core.inbox);
                if inbox.closed {
                    return made.map(|at| (at, at));
                }
                drop(wait(&core.wake, inbox, FULL_RETRY));
            }
            Err(error) => return Err(error),
        }
    }
}

fn hand_on(core: &Core, round: &mut Round, at: Lsn, next: Lsn) {
    let mut items = std::mem::take(&mut round.items);
    // From here on rows are left out of batches and others made of them.
    items.iter_mut().for_each(|item| item.encoded = None);
    let mut known = lock(&core.known);
    for item in &items {
        if let Some(position) = &item.position {
            known.learn(&item.batch.source, position, Some(at));
        }
    }
    drop(known);
    remember_keys(core, &items, at);
    let mut notes = lock(&core.notes);
    round.notes.drain(..).for_each(|note| notes.stored(note, at));
    drop(notes);
    let graph = core.graphs.current();
    let walks: Vec<Walk> = items.iter().map(|item| Walk::of(&graph, item)).collect();
    let is_new = |item: &Item| item.late.is_none() && item.only.is_none();
    for (item, walk) in items.iter().zip(&walks).filter(|(item, _)| is_new(item)) {
        core.taps.show(&item.batch);
        core.count_unmatched(item, walk.route());
    }
    let taken = std::mem::take(&mut round.taken);
    let lanes = core.lanes();
    let waited_for = lanes.iter().filter(|lane| lane.keeps).count();
    let ack = Ack::new(waited_for, move || taken.into_iter().for_each(|done| done(Ok(()))));
    let frame = Arc::new(Delivered { at, next, items, walks, ack });
    for lane in lanes.iter() {
        lane.push(&frame);
    }
    frame.ack.mark();
    for done in round.synced.drain(..) {
        done(Ok(()));
    }
}

/// Messages that came with a key are known from now on.
fn remember_keys(core: &Core, items: &[Item], at: Lsn) {
    let mut seen = lock(&core.seen);
    items.iter().filter_map(|item| item.key).for_each(|key| seen.stored(key, at));
}

/// Journals positions that were asked for.
fn commit_positions(core: &Core, round: &mut Round) {
    let sources = std::mem::take(&mut round.record);
    let result =
        if sources.is_empty() { Ok(()) } else { core.append_saved(sources, &[], Vec::new(), Vec::new()) };
    for done in round.recorded.drain(..) {
        done(result.clone().map_err(DeliveryError::from));
    }
}
