//! What becomes of rows that an output does not get: refused for good or given up, they go to its secondary output or to the
//! dead letters, and are held there before the journal lets go of them; dropped because its queue is over its limit, they are
//! counted.

use std::sync::Arc;
use std::time::Duration;

use sawlog_journal::{Frame, FrameKind, Lsn};

use super::{Lane, next_after, retry};
use crate::config::Overflow;
use crate::graph::{Walk, without_rows};
use crate::payload::{self, Item};
use crate::{Origin, OutputError, lock};

/// Shortest and longest time between two looks at an output that works on its own.
const WATCH: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

impl Lane {
    /// Writes a dead letter; `kind` is one of few fixed words.
    pub(super) fn bury(&self, item: &Item, kind: &'static str, reason: &str) {
        self.counters.errors(kind, item.batch.rows.len() as u64, reason);
        let Some(dead) = &self.dead else { return };
        let buried = dead.append(FrameKind::Data, Default::default(), |_, out| {
            payload::put_dead(out, &self.name, reason, item);
        });
        if let Err(error) = buried {
            self.counters.error("dead_letters", &error.to_string());
        }
    }

    /// An item that the output took too long for; `false` where its secondary output does not take it now, either.
    pub(super) fn give_up(&self, item: &Item, walk: &Walk, origin: Origin) -> bool {
        let Origin::Journal { at, next, .. } = origin else { return false };
        // What stands before it and is still under way goes first: then nothing below is waited for.
        if !self.keeps && !self.hand_over(at) {
            return false;
        }
        let batch = walk.rows_for(&self.name, &item.batch);
        if !batch.rows.is_empty() && !self.put_elsewhere(&Item { batch, ..item.clone() }, &origin) {
            return false;
        }
        self.move_past(item, origin);
        self.raise_floor(next);
        true
    }

    /// Rows go to the secondary output, which holds them for good when this returns, or to the dead letters.
    fn put_elsewhere(&self, item: &Item, origin: &Origin) -> bool {
        let reason = self.counters.last_error();
        let Some(secondary) = &self.secondary else {
            self.bury(item, "given_up", &reason);
            return true;
        };
        let taken = secondary.take(item.batch.clone(), origin.clone());
        match taken.and_then(|()| secondary.flush()) {
            Ok(()) => self.counters.errors("secondary", item.batch.rows.len() as u64, &reason),
            Err(OutputError::Later(reason)) => {
                self.counters.error("secondary_later", &reason);
                return false;
            }
            Err(OutputError::Refused(reason)) => self.bury(item, "refused", &reason),
        }
        true
    }

    /// Lets the output know where it stands, without the rows. Where even that is too much for it, the floor says it.
    fn move_past(&self, item: &Item, origin: Origin) {
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

    pub(super) fn drop_item(&self, item: &Item, walk: &Walk, at: Lsn, next: Lsn) {
        if self.had(item, at) {
            self.output.journaled(item.batch.tenant, at, next);
            return;
        }
        let is_others = item.late.is_some() && at >= self.run_start;
        if !is_others && walk.route().reaches(&self.name) {
            let words = "more waited than the limit of the queue; the oldest rows were dropped";
            self.counters.errors("dropped", item.batch.rows.len() as u64, words);
        }
        self.move_past(item, Origin::Journal { at, next, position: item.position.clone() });
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
            let walk = Walk::new(graph.route(&item.label, &item.batch), &item.batch);
            let batch = walk.rows_for(&self.name, &item.batch);
            if is_others || is_held || batch.rows.is_empty() {
                return true;
            }
            let next = next_after(index, count, frame.lsn, frame.next);
            let origin = Origin::Journal { at: frame.lsn, next, position: item.position.clone() };
            self.put_elsewhere(&Item { batch, ..item.clone() }, &origin)
        })
    }
}
