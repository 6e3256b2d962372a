//! What becomes of rows that an output does not get: refused for good or given up, they go to its secondary output or to the
//! dead letters, and are held there before the journal lets go of them; dropped because its queue is over its limit, they are
//! counted.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use sawlog_journal::{Frame, FrameKind, Lsn};
use sawlog_model::{Batch, Row};

use super::{Lane, Place, not_over, retry};
use crate::config::Overflow;
use crate::dead::{Head, Home, Why, pick};
use crate::graph::{Walk, without_rows};
use crate::payload::{self, Item};
use crate::{Origin, OutputError, lock};

/// Shortest and longest time between two looks at an output that works on its own.
const WATCH: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// What became of asking an output.
pub(crate) enum Asked {
    /// It has the rows.
    Taken,
    /// Not now.
    Later,
    /// It does not want some of them, for good.
    Refused(Refused),
}

/// Rows that an output does not want.
pub(crate) struct Refused {
    /// In the output's words.
    pub reason: String,
    /// How many.
    pub rows: u64,
    offsets: HashSet<u64>,
}

/// Refused rows for which there was no room among the dead letters.
pub(super) struct Unburied {
    place: Place,
    item: Item,
    refused: Refused,
}

impl Lane {
    /// What the output refused becomes a dead letter, and the output goes on after it. `false` where it cannot be kept now.
    pub(super) fn bury_refused(&self, item: &Item, refused: Refused, place: Place) -> bool {
        let left = Item { batch: refused.of(&item.batch), ..item.clone() };
        if !self.bury(&left, Why::Refused, &refused.reason, place) {
            *lock(&self.unburied) = Some(Unburied { place, item: left, refused });
            return false;
        }
        self.move_past(item, place.origin(item));
        true
    }

    /// Whether what the output refused of this item when it was last asked is a dead letter now; `None` where it was not.
    pub(super) fn bury_again(&self, place: Place) -> Option<bool> {
        let left = lock(&self.unburied).take_if(|left| left.place == place)?;
        Some(self.bury_refused(&left.item, left.refused, place))
    }

    /// Whether rows of the item became a dead letter before a crash: then it is not for the output any more.
    pub(super) fn is_buried(&self, place: Place) -> bool {
        let home = || Home { output: self.name.clone(), at: place.at, index: place.index };
        self.dead.as_ref().is_some_and(|dead| dead.has(&home()))
    }

    /// Writes a dead letter, where such are kept; `false` where that is not possible now.
    fn bury(&self, item: &Item, why: Why, reason: &str, place: Place) -> bool {
        if let Some(dead) = &self.dead {
            let (at, index) = (place.at, place.index);
            if let Err(error) = dead.bury(&Head { output: &self.name, at, index, why, reason }, item) {
                self.counters.error("dead_letters", &error.to_string());
                return false;
            }
        }
        self.counters.errors(why.word(), item.batch.rows.len() as u64, reason);
        true
    }

    /// An item that the output took too long for; `false` where its secondary output does not take it now, either.
    pub(super) fn give_up(&self, item: &Item, walk: &Walk, place: Place) -> bool {
        // What stands before it and is still under way goes first: then nothing below is waited for.
        if !self.keeps && !self.hand_over(place.at) {
            return false;
        }
        if !self.put_elsewhere(item, walk, place) {
            return false;
        }
        self.move_past(item, place.origin(item));
        self.raise_floor(place.next);
        true
    }

    /// Rows go to the secondary output, which holds them for good when this returns, or to the dead letters.
    fn put_elsewhere(&self, item: &Item, walk: &Walk, place: Place) -> bool {
        let batch = walk.rows_for(&self.name, &item.batch);
        if batch.rows.is_empty() {
            return true;
        }
        let reason = self.counters.last_error();
        let Some(secondary) = &self.secondary else {
            let left = Item { batch: Refused::all(&batch, String::new()).of(&item.batch), ..item.clone() };
            return self.bury(&left, Why::GivenUp, &reason, place);
        };
        let count = batch.rows.len() as u64;
        let taken = match not_over(self.private[1], item) {
            None => secondary.take(batch.clone(), place.origin(item)),
            Some(reason) => Err(OutputError::Refused(reason)),
        };
        let refused = match taken.and_then(|()| secondary.flush()) {
            Ok(()) => {
                self.counters.errors("secondary", count, &reason);
                return true;
            }
            Err(OutputError::Later(reason)) => {
                self.counters.error("secondary_later", &reason);
                return false;
            }
            Err(OutputError::Refused(reason)) => Refused::all(&batch, reason),
            Err(OutputError::RefusedRows { reason, rows }) => Refused::some(&batch, reason, &rows),
        };
        let left = Item { batch: refused.of(&item.batch), ..item.clone() };
        self.bury(&left, Why::Refused, &refused.reason, place)
    }

    /// Lets the output know where it stands, without the rows. Where even that is too much for it, the floor says it.
    pub(super) fn move_past(&self, item: &Item, origin: Origin) {
        let _ = self.output.take(Arc::new(without_rows(&item.batch)), origin);
    }

    /// Nothing below waits for the output any more. (One that keeps its own positions says itself what it holds.)
    fn raise_floor(&self, to: Lsn) {
        if !self.keeps {
            let mut state = lock(&self.state);
            state.floor = state.floor.max(to);
        }
    }

    /// Whether what ends at `next` is to be dropped: more than the limit waits behind it.
    pub(super) fn is_over(&self, next: Lsn) -> bool {
        let queue = lock(&self.queue);
        let over = |limit: u64| self.journal.end().0.saturating_sub(next.0) > limit;
        queue.overflow == Overflow::DropOldest && queue.limit.is_some_and(over)
    }

    pub(super) fn drop_item(&self, item: &Item, walk: &Walk, place: Place) {
        let Place { at, next, .. } = place;
        if self.had(item, at) {
            self.output.journaled(item.batch.tenant, at, next);
            return;
        }
        let is_others = item.late.is_some() && at >= self.run_start;
        if !is_others && walk.route().reaches(&self.name) {
            let words = "more waited than the limit of the queue; the oldest rows were dropped";
            self.counters.errors("dropped", item.batch.rows.len() as u64, words);
        }
        self.move_past(item, place.origin(item));
        // What the output has under way it may still get through; the journal does not wait for it.
        self.raise_floor(next);
    }

    /// How soon is to be looked whether an output that works on its own fails for too long; `None` where it has nothing.
    pub(super) fn watch(&self) -> Option<Duration> {
        let queue = lock(&self.queue);
        let limited = queue.retry_times.is_some() || queue.retry_time.is_some();
        let under_way = || self.output.cursor() < lock(&self.state).given;
        (limited && !self.keeps && under_way()).then(|| queue.retry_wait.clamp(WATCH.0, WATCH.1))
    }

    /// Where an output that works on its own fails for too long, what it took and does not hold goes elsewhere, and it is
    /// told to forget it.
    pub(super) fn hand_over_if_stuck(&self) {
        let Some(failing) = self.output.failing().filter(|_| !self.keeps) else { return };
        if !retry::is_over(&lock(&self.queue), &failing, self.sys.clock.monotonic()) {
            return;
        }
        self.counters.error("later", &failing.reason);
        let given = lock(&self.state).given;
        self.hand_over(given);
    }

    /// Puts all rows of frames below `end` elsewhere that the output took and does not hold; `false` where they are not taken
    /// there now.
    fn hand_over(&self, end: Lsn) -> bool {
        let own = self.output.cursor().max(lock(&self.state).floor);
        if own >= end {
            return true;
        }
        for frame in self.journal.read(own) {
            let done = match frame {
                Ok(frame) if frame.lsn >= end => break,
                Ok(frame) if frame.kind != FrameKind::Data => true,
                Ok(frame) => self.hand_over_frame(&frame),
                Err(error) => {
                    self.counters.error("journal", &error.to_string());
                    false
                }
            };
            if !done {
                return false;
            }
        }
        self.output.forget(end);
        true
    }

    fn hand_over_frame(&self, frame: &Frame) -> bool {
        let items = payload::read_items(frame.payload.clone()).unwrap_or_default();
        let graph = self.graphs.at(frame.lsn);
        let count = items.len();
        items.iter().enumerate().all(|(index, item)| {
            let is_others = item.late.is_some() && frame.lsn >= self.run_start && !self.had(item, frame.lsn);
            let held = self.output.committed(item.batch.source.id);
            let is_held = item.position.as_ref().is_some_and(|position| held >= Some(position.mark()));
            let place = Place::new(index, count, frame.lsn, frame.next);
            if is_others || is_held || self.is_buried(place) {
                return true;
            }
            self.put_elsewhere(item, &Walk::of(&graph, item), place)
        })
    }
}

impl Refused {
    /// All rows of what an output was given.
    pub(super) fn all(given: &Batch, reason: String) -> Refused {
        Refused::by(given.rows.iter(), reason)
    }

    /// Those rows of what an output was given.
    pub(super) fn some(given: &Batch, reason: String, rows: &[usize]) -> Refused {
        Refused::by(rows.iter().filter_map(|row| given.rows.get(*row)), reason)
    }

    fn by<'r>(rows: impl Iterator<Item = &'r Row>, reason: String) -> Refused {
        let offsets: HashSet<u64> = rows.map(|row| row.offset).collect();
        Refused { rows: offsets.len() as u64, offsets, reason }
    }

    /// The same rows as they were before filters worked on them: when they are replayed, filters do again.
    pub(crate) fn of(&self, accepted: &Arc<Batch>) -> Arc<Batch> {
        if accepted.rows.iter().all(|row| self.offsets.contains(&row.offset)) {
            return accepted.clone();
        }
        Arc::new(pick(accepted, |row| self.offsets.contains(&row.row().offset)))
    }
}
