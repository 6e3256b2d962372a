//! Messages from the moment the output takes their rows until the other side has acknowledged them, in order. Knows nothing
//! of sockets.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sawlog_model::{KnownSource, SourceId};
use sawlog_pipeline::Lsn;
use tokio::sync::Notify;

/// What the acknowledgement of a message means for the node.
#[derive(Clone, Debug, Default)]
pub(super) struct Meaning {
    /// Journal frame that the rows are of: its position and that of the next one.
    pub frame: Option<(Lsn, Lsn)>,
    /// Where the source stands then.
    pub known: Option<KnownSource>,
}

struct Item {
    /// Empty where there is nothing to send: rows that were sent before are now in the journal, too.
    bytes: Bytes,
    chunk: String,
    meaning: Meaning,
}

#[derive(Default)]
struct State {
    items: VecDeque<Item>,
    bytes: usize,
    /// Items at the front that were sent on the present connection.
    sent: usize,
    /// End of the journal frames that were acknowledged whole, unless an item of them is still here.
    acked: Lsn,
    known: HashMap<SourceId, KnownSource>,
    error: String,
    closed: bool,
}

/// The queue.
pub(super) struct Queue {
    state: Mutex<State>,
    most: usize,
    /// Wakes those who wait for room, or for the end of it all.
    room: Condvar,
    /// Wakes the connection.
    work: Notify,
}

impl Queue {
    /// A queue of at most `most` bytes, but for one message.
    pub(super) fn new(most: usize) -> Self {
        Queue { state: Mutex::default(), most, room: Condvar::new(), work: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room, up to `patience`; the last error of the connection where there is none.
    pub(super) fn wait_for_room(&self, patience: Duration) -> Result<(), String> {
        self.wait_until(patience, |state| state.bytes < self.most)
    }

    /// Waits until all is acknowledged, up to `patience`; the last error of the connection where it is not.
    pub(super) fn wait_for_end(&self, patience: Duration) -> Result<(), String> {
        self.wait_until(patience, |state| state.items.is_empty())
    }

    fn wait_until(&self, patience: Duration, ready: impl Fn(&State) -> bool) -> Result<(), String> {
        let state = self.state();
        let (state, _) = self
            .room
            .wait_timeout_while(state, patience, |state| !ready(state) && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        match ready(&state) {
            true => Ok(()),
            false if state.error.is_empty() => Err("the other side is behind".to_owned()),
            false => Err(state.error.clone()),
        }
    }

    pub(super) fn push(&self, bytes: Bytes, chunk: String, meaning: Meaning) {
        let mut state = self.state();
        state.bytes += bytes.len();
        state.items.push_back(Item { bytes, chunk, meaning });
        state.settle();
        drop(state);
        self.work.notify_one();
    }

    /// The next message to be sent, waiting for one; `None` when the output is gone.
    pub(super) async fn next(&self) -> Option<Bytes> {
        loop {
            {
                let mut state = self.state();
                if state.closed {
                    return None;
                }
                let sent = state.sent;
                if let Some(offset) = state.items.iter().skip(sent).position(|item| !item.bytes.is_empty()) {
                    state.sent = sent + offset + 1;
                    return Some(state.items[sent + offset].bytes.clone());
                }
            }
            self.work.notified().await;
        }
    }

    /// Waits until there is something to send; `false` when the output is gone.
    pub(super) async fn wait_for_work(&self) -> bool {
        loop {
            {
                let state = self.state();
                if state.closed || !state.items.is_empty() {
                    return !state.closed;
                }
            }
            self.work.notified().await;
        }
    }

    /// The first message was acknowledged; `false` where that was not the one that is due.
    pub(super) fn acknowledge(&self, chunk: &str) -> bool {
        let mut state = self.state();
        if state.sent == 0 || state.items.front().is_none_or(|item| item.chunk != chunk) {
            return false;
        }
        state.pop();
        state.settle();
        state.error.clear();
        drop(state);
        self.room.notify_all();
        true
    }

    /// The first message was sent to a peer that acknowledges nothing.
    pub(super) fn acknowledge_sent(&self) {
        let mut state = self.state();
        while state.sent > 0 {
            state.pop();
        }
        state.settle();
        drop(state);
        self.room.notify_all();
    }

    /// How many messages were sent and not acknowledged.
    pub(super) fn unacknowledged(&self) -> usize {
        self.state().sent
    }

    /// The connection is lost: all that was not acknowledged is to be sent again.
    pub(super) fn lost(&self, error: String) {
        let mut state = self.state();
        state.sent = 0;
        state.error = error;
    }

    /// The output is gone.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.work.notify_one();
        self.room.notify_all();
    }

    /// Journal position below which all was acknowledged.
    pub(super) fn cursor(&self) -> Lsn {
        let state = self.state();
        state.items.iter().find_map(|item| Some(item.meaning.frame?.0)).unwrap_or(state.acked)
    }

    /// Sources with the positions up to which all was acknowledged.
    pub(super) fn known(&self) -> Vec<KnownSource> {
        self.state().known.values().cloned().collect()
    }

    /// Where one source stands.
    pub(super) fn committed(&self, source: SourceId) -> Option<(u32, u64)> {
        self.state().known.get(&source).map(|known| known.position.mark())
    }
}

impl State {
    fn pop(&mut self) {
        self.sent = self.sent.saturating_sub(1);
        let Some(item) = self.items.pop_front() else { return };
        self.bytes -= item.bytes.len();
        if let Some((_, next)) = item.meaning.frame {
            self.acked = self.acked.max(next);
        }
        if let Some(known) = item.meaning.known {
            self.known.insert(known.source.id, known);
        }
    }

    /// Removes what is first and has nothing to be sent.
    fn settle(&mut self) {
        while self.items.front().is_some_and(|item| item.bytes.is_empty()) {
            self.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(at: u64, next: u64) -> Meaning {
        Meaning { frame: Some((Lsn(at), Lsn(next))), known: None }
    }

    #[test]
    fn the_cursor_stays_before_the_first_frame_that_is_not_acknowledged_whole() {
        let runtime = sawlog_sys::task::runtime("test", 1).expect("a runtime");
        let queue = Queue::new(100);
        queue.push("aa".into(), "a".into(), frame(10, 20));
        queue.push("bb".into(), "b".into(), frame(10, 20));
        queue.push(Bytes::new(), String::new(), frame(20, 30));
        queue.push("cc".into(), "c".into(), Meaning::default());
        assert!(!queue.acknowledge("a"), "it was not sent");
        let next = || runtime.block_on(queue.next());
        assert_eq!((next(), next(), next()), (Some("aa".into()), Some("bb".into()), Some("cc".into())));
        assert!(queue.acknowledge("a"));
        assert_eq!(queue.cursor(), Lsn(10));
        assert!(!queue.acknowledge("c"), "answers keep the order");
        queue.lost("cut".into());
        assert_eq!(next(), Some("bb".into()), "it is sent again");
        assert!(queue.acknowledge("b"));
        assert_eq!(queue.cursor(), Lsn(30), "what has nothing to be sent goes along");
        assert_eq!(next(), Some("cc".into()));
        assert!(queue.acknowledge("c"));
        assert_eq!((queue.cursor(), queue.unacknowledged()), (Lsn(30), 0));
        queue.wait_for_end(Duration::ZERO).expect("nothing is left");
    }

    #[test]
    fn who_waits_for_room_is_told_why_there_is_none() {
        let queue = Queue::new(2);
        queue.push("abc".into(), "a".into(), Meaning::default());
        queue.lost("connection refused".into());
        assert_eq!(queue.wait_for_room(Duration::from_millis(1)), Err("connection refused".into()));
    }
}
