//! How a lane ends while the node runs: its output was taken out of the configuration, or another one of its name takes its
//! place. Knows nothing of configurations.

use std::sync::Arc;
use std::time::Duration;

use sawlog_journal::Lsn;

use super::{Lane, Shared};
use crate::graph::OutputPart;
use crate::lock;

/// How long an output that was taken out may take for what waits for it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often is looked whether an output has acknowledged the last of it.
const LOOK: Duration = Duration::from_millis(200);

impl Lane {
    /// A lane for the output that takes the place of `old`'s: what that has not got goes to the new one. Frames from `from`
    /// on go by the graph that the new one is of.
    pub(crate) fn successor(part: &OutputPart, shared: &Shared<'_>, old: &Arc<Lane>, from: Lsn) -> Lane {
        let lane = Lane::new(part, shared, from, from);
        lock(&lane.state).behind = Some((old.cursor(), 0));
        *lock(&lane.before) = Some(old.clone());
        lane
    }

    /// Goes on where the lane before ended, once that has.
    pub(super) fn take_over(&self) {
        let Some(old) = lock(&self.before).clone() else { return };
        old.close_now();
        let state = lock(&old.state);
        drop(old.wake.wait_while(state, |state| !state.ended));
        // What it cannot make sure of now is given again; by then the other side may have it, as after a crash.
        let _ = old.output.flush();
        let mut replayed = lock(&self.replayed);
        for known in old.output.known_sources() {
            replayed.insert(known.source.id, known.position.mark());
        }
        drop(replayed);
        let cursor = old.cursor();
        let (at, index) = lock(&old.state).behind.filter(|(at, _)| *at == cursor).unwrap_or((cursor, 0));
        let mut state = lock(&self.state);
        (state.given, state.saved) = (cursor, cursor);
        state.behind = (at < state.horizon).then_some((at, index));
        drop(state);
        *lock(&self.before) = None;
    }

    /// Sets what is done when the output fails, or has too much.
    pub(crate) fn set_queue(&self, part: &OutputPart) {
        *lock(&self.queue) = part.section.queue.clone();
        self.wake.notify_all();
    }

    /// The output was taken out: it gets what was journaled so far, and the thread ends.
    pub(crate) fn retire(&self) {
        lock(&self.state).retired = Some(self.sys.clock.monotonic());
        self.wake.notify_all();
    }

    pub(crate) fn is_retired(&self) -> bool {
        lock(&self.state).retired.is_some()
    }

    /// Whether its thread has ended; one that was retired and cannot end is made to.
    pub(crate) fn has_ended(&self) -> bool {
        let state = lock(&self.state);
        let since = state.retired.unwrap_or_default();
        let (ended, late) = (state.ended, self.sys.clock.monotonic() >= since + PATIENCE);
        drop(state);
        if !ended && late {
            self.close_now();
        }
        ended
    }

    /// Bytes of the journal that were not delivered.
    pub(crate) fn undelivered(&self) -> u64 {
        let cursor = self.cursor();
        lock(&self.state).horizon.0.saturating_sub(cursor.0)
    }

    /// Asks the thread to end; what waits in memory is left to be read from the journal.
    fn close_now(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        let left: Vec<_> = state.queue.drain(..).collect();
        (state.bytes, state.positioned) = (0, 0);
        if let Some(first) = left.first() {
            state.behind.get_or_insert((first.at, 0));
        }
        drop(state);
        left.iter().for_each(|frame| self.mark(frame));
        self.wake.notify_all();
    }

    /// Waits until a retired output holds what it was given.
    pub(super) fn drain(&self) {
        loop {
            let state = lock(&self.state);
            if state.retired.is_none() || state.closed {
                return;
            }
            let given = state.given;
            drop(state);
            let flushed = self.output.flush();
            if flushed.is_ok() && self.output.cursor() >= given {
                return;
            }
            self.pause(LOOK);
        }
    }
}
