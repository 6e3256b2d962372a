//! What a lane says of itself: how much waits for its output, since when, and how the output fails. Knows nothing of who asks.

use sawlog_journal::{FrameKind, Lsn};
use sawlog_model::{Nanos, PartStatus, SECOND};

use super::Lane;
use crate::{lock, payload};

/// Most frames that are looked through for the oldest row.
const LOOK: usize = 64;

impl Lane {
    /// Its counters, and what waits.
    pub(crate) fn status(&self, stopped: bool) -> PartStatus {
        let mut status = self.counters.status(stopped);
        let (from, to) = self.waits();
        status.best_effort = self.output.best_effort();
        status.queue_bytes = to.0.saturating_sub(from.0);
        if from < to
            && let Some(received) = self.received_from(from)
        {
            status.lag_seconds = self.sys.clock.now().saturating_sub(received).max(0) as f64 / SECOND as f64;
        }
        let later = status.errors.iter().find(|(reason, _)| reason == "later");
        status.retries = later.map_or(0, |(_, count)| *count);
        let is_asked_again = lock(&self.tries).is_failing();
        if let Some(failing) = self.output.failing() {
            status.retries += u64::from(failing.tries);
            status.last_error = Some(failing.reason);
            status.state = if stopped { status.state } else { "retrying" };
        } else if is_asked_again && !stopped {
            status.state = "retrying";
        }
        status.dead = self.dead.as_ref().map_or(0, |dead| dead.rows_of(&self.name));
        status
    }

    /// Whether the output has all that stands in the journal below that.
    pub(crate) fn has(&self, position: Lsn) -> bool {
        let (from, to) = self.waits();
        from >= position || from >= to
    }

    /// What of the journal the output has not got. One that keeps its positions has what it took.
    fn waits(&self) -> (Lsn, Lsn) {
        let to = self.journal.end();
        let cursor = self.cursor();
        if !self.keeps {
            let state = lock(&self.state);
            // What other outputs have journaled since is not for this one to wait for.
            return (cursor, if state.behind.is_some() { to } else { state.horizon.max(cursor) });
        }
        let state = lock(&self.state);
        let waiting = state.queue.front().map(|frame| frame.at);
        (state.busy.or(waiting).or(state.behind.map(|(at, _)| at)).unwrap_or(to), to)
    }

    /// When the first rows from there on were received.
    fn received_from(&self, from: Lsn) -> Option<Nanos> {
        if let Some((at, received)) = *lock(&self.oldest)
            && at == from
        {
            return Some(received);
        }
        let frames = self.journal.read(from).take(LOOK).filter_map(Result::ok);
        let mut rows = frames.filter(|frame| frame.kind == FrameKind::Data).filter_map(|frame| {
            let items = payload::read_items(frame.payload).ok()?;
            items.iter().flat_map(|item| &item.batch.rows).map(|row| row.received).min()
        });
        let received = rows.next()?;
        *lock(&self.oldest) = Some((from, received));
        Some(received)
    }
}
