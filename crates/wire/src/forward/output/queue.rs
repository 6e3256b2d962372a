//! Messages from the moment the output takes their rows until a server has acknowledged them: in order as a whole, and in
//! order for each server. Knows nothing of sockets.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sawlog_model::{KnownSource, SourceId};
use sawlog_pipeline::{Failing, Lsn};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::encode::{Message, Parts};
use super::servers::{Choice, Server, Spread};

/// Most messages at a time: those that were acknowledged before an earlier one take a place, too.
const MESSAGES: usize = 65_536;

/// Epoch and offset of a source.
type Mark = (u32, u64);

/// What the acknowledgement of a message means for the node.
#[derive(Clone, Debug, Default)]
pub(super) struct Meaning {
    /// Journal frame that the rows are of: its position and that of the next one.
    pub frame: Option<(Lsn, Lsn)>,
    /// Where the source stands then.
    pub known: Option<KnownSource>,
}

struct Item {
    message: Message,
    source: SourceId,
    meaning: Meaning,
    /// It was acknowledged, or there was nothing to send: rows that were sent before are now in the journal, too.
    done: bool,
}

/// Numbers of messages for one server.
#[derive(Default)]
struct Lane {
    /// Those to be sent, in order.
    todo: VecDeque<u64>,
    /// Those that were sent on the present connection, in order.
    sent: VecDeque<u64>,
    /// Up to where it was given each source. A source that went to another server in between is not here.
    given: HashMap<SourceId, Mark>,
}

struct State {
    items: VecDeque<Item>,
    /// Number of the first item.
    first: u64,
    bytes: usize,
    lanes: Vec<Lane>,
    choice: Choice,
    /// End of the journal frames that were acknowledged whole, unless an item of them is still here.
    acked: Lsn,
    known: HashMap<SourceId, KnownSource>,
    error: String,
    /// How often connections were lost since something was last acknowledged.
    failing: Option<Failing>,
    closed: bool,
}

/// What a connection is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Send these bytes, one part after the other.
    Send(Parts),
    /// Nothing was to be sent for long, and everything is acknowledged.
    Idle,
    /// End: the output is gone.
    Closed,
}

/// The queue.
pub(super) struct Queue {
    state: Mutex<State>,
    most: usize,
    /// Wakes those who wait for room, or for the end of it all.
    room: Condvar,
    /// Wakes the connection of each server; nobody else may wait for it.
    work: Vec<Notify>,
    /// Records that went to a server that acknowledges nothing, over a connection where others would.
    best_effort: AtomicU64,
    closed: watch::Sender<bool>,
}

impl Queue {
    /// A queue of at most `most` bytes, but for one message.
    pub(super) fn new(most: usize, servers: &[Server], spread: Spread) -> Self {
        let state = State {
            items: VecDeque::new(),
            first: 0,
            bytes: 0,
            lanes: servers.iter().map(|_| Lane::default()).collect(),
            choice: Choice::new(servers, spread),
            acked: Lsn::default(),
            known: HashMap::new(),
            error: String::new(),
            failing: None,
            closed: false,
        };
        let work = servers.iter().map(|_| Notify::new()).collect();
        Queue {
            state: Mutex::new(state),
            most,
            room: Condvar::new(),
            work,
            best_effort: AtomicU64::new(0),
            closed: watch::Sender::new(false),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room, up to `patience`; the last error of a connection where there is none.
    pub(super) fn wait_for_room(&self, patience: Duration) -> Result<(), String> {
        self.wait_until(patience, |state| state.bytes < self.most && state.items.len() < MESSAGES)
    }

    /// Waits until all is acknowledged, up to `patience`; the last error of a connection where it is not.
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

    /// The server that is to get the next message of a source, and up to where it was given that source.
    pub(super) fn assign(&self, source: SourceId) -> (usize, Option<Mark>) {
        let mut state = self.state();
        let server = state.choice.choose(source);
        (server, state.lanes[server].given.get(&source).copied())
    }

    /// Queues a message of rows up to `to` for the server that was [assigned](Queue::assign).
    pub(super) fn push(&self, server: usize, message: Message, source: SourceId, to: Mark, meaning: Meaning) {
        let mut state = self.state();
        let number = state.first + state.items.len() as u64;
        state.bytes += message.weight;
        state.items.push_back(Item { message, source, meaning, done: false });
        let lane = &mut state.lanes[server];
        lane.todo.push_back(number);
        lane.given.insert(source, to);
        if !state.choice.is_available(server) {
            state.move_from(server);
        }
        drop(state);
        self.wake();
    }

    /// Queues what is to be noted in its turn, without anything to send.
    pub(super) fn note(&self, meaning: Meaning) {
        let mut state = self.state();
        let message = Message::default();
        state.items.push_back(Item { message, source: SourceId::default(), meaning, done: true });
        state.settle();
        drop(state);
        self.room.notify_all();
    }

    fn wake(&self) {
        self.work.iter().for_each(Notify::notify_one);
    }

    /// The next message for a server, waiting for one; [`Next::Idle`] where none came for `idle` and all is acknowledged.
    pub(super) async fn next(&self, server: usize, idle: Option<Duration>) -> Next {
        loop {
            let settled = {
                let mut state = self.state();
                if state.closed {
                    return Next::Closed;
                }
                if let Some(number) = state.lanes[server].todo.pop_front() {
                    state.lanes[server].sent.push_back(number);
                    let parts = state.item(number).map(|item| item.message.parts.clone());
                    return Next::Send(parts.unwrap_or_default());
                }
                state.lanes[server].sent.is_empty()
            };
            let woken = self.work[server].notified();
            match idle {
                Some(idle) if settled => {
                    if timeout(idle, woken).await.is_err() && self.is_idle(server) {
                        return Next::Idle;
                    }
                }
                _ => woken.await,
            }
        }
    }

    /// Waits until there is something to send to a server, or, with `probe`, it is not available; `false` when the output
    /// is gone.
    pub(super) async fn wait_for_work(&self, server: usize, probe: bool) -> bool {
        loop {
            {
                let state = self.state();
                if state.closed
                    || !state.lanes[server].is_idle()
                    || (probe && !state.choice.is_available(server))
                {
                    return !state.closed;
                }
            }
            self.work[server].notified().await;
        }
    }

    /// Waits until all that was sent to a server is acknowledged.
    pub(super) async fn wait_for_answers(&self, server: usize) {
        while !self.state().lanes[server].sent.is_empty() {
            self.work[server].notified().await;
        }
    }

    /// Resolves when the output is gone.
    pub(super) async fn wait_for_close(&self) {
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }

    /// Whether nothing is to be sent to a server, and all that was is acknowledged.
    pub(super) fn is_idle(&self, server: usize) -> bool {
        self.state().lanes[server].is_idle()
    }

    /// A server acknowledged the first message that it was sent; `false` where that was not the one that is due.
    pub(super) fn acknowledge(&self, server: usize, chunk: &str) -> bool {
        let mut state = self.state();
        let due = state.lanes[server].sent.front().copied();
        let Some(number) =
            due.filter(|number| state.item(*number).is_some_and(|item| item.message.chunk == chunk))
        else {
            return false;
        };
        state.lanes[server].sent.pop_front();
        let settled = state.lanes[server].sent.is_empty();
        state.finish(number);
        state.error.clear();
        state.failing = None;
        drop(state);
        self.room.notify_all();
        if settled {
            self.work[server].notify_one();
        }
        true
    }

    /// What was sent to a server that acknowledges nothing counts as acknowledged.
    pub(super) fn acknowledge_sent(&self, server: usize) {
        let mut state = self.state();
        for number in std::mem::take(&mut state.lanes[server].sent) {
            state.finish(number);
            state.failing = None;
        }
        drop(state);
        self.room.notify_all();
    }

    /// Counts records that went to a server that acknowledges nothing.
    pub(super) fn count_best_effort(&self, records: usize) {
        self.best_effort.fetch_add(records as u64, Ordering::Relaxed);
    }

    /// See [`sawlog_pipeline::Output::best_effort`].
    pub(super) fn best_effort(&self) -> u64 {
        self.best_effort.load(Ordering::Relaxed)
    }

    /// How many messages were sent to a server and not acknowledged.
    pub(super) fn unacknowledged(&self, server: usize) -> usize {
        self.state().lanes[server].sent.len()
    }

    /// The connection to a server is lost: all that was not acknowledged is to be sent again. `now` is by the monotonic clock.
    pub(super) fn lost(&self, server: usize, error: Option<String>, now: Duration) {
        let mut state = self.state();
        if let Some(reason) = &error {
            let (tries, since) =
                state.failing.take().map_or((0, now), |failing| (failing.tries, failing.since));
            state.failing = Some(Failing { tries: tries.saturating_add(1), since, reason: reason.clone() });
        }
        let lane = &mut state.lanes[server];
        lane.sent.append(&mut lane.todo);
        lane.todo = std::mem::take(&mut lane.sent);
        state.error = error.unwrap_or_else(|| std::mem::take(&mut state.error));
    }

    /// How it fails at what it has, where no server has taken any of it since.
    pub(super) fn failing(&self) -> Option<Failing> {
        let state = self.state();
        state.failing.clone().filter(|_| !state.items.is_empty())
    }

    /// Rows of journal frames below `below` are somebody else's now.
    pub(super) fn forget(&self, below: Lsn) {
        let mut state = self.state();
        let first = state.first;
        let mut gone = HashSet::new();
        for (index, item) in state.items.iter_mut().enumerate() {
            if item.meaning.frame.is_some_and(|(at, _)| at < below) {
                item.done = true;
                gone.insert(first + index as u64);
            }
        }
        let bytes = |state: &mut State, number| {
            state.item(number).map_or(0, |item| std::mem::take(&mut item.message).weight)
        };
        let freed: usize = gone.iter().map(|number| bytes(&mut state, *number)).sum();
        state.bytes -= freed;
        for lane in &mut state.lanes {
            lane.todo.retain(|number| !gone.contains(number));
            lane.sent.retain(|number| !gone.contains(number));
            // A server is not to miss what it will not be sent.
            lane.given.clear();
        }
        state.items.iter_mut().for_each(|item| item.message.forget_start());
        state.acked = state.acked.max(below);
        state.failing = None;
        state.settle();
        drop(state);
        self.room.notify_all();
    }

    pub(super) fn is_available(&self, server: usize) -> bool {
        self.state().choice.is_available(server)
    }

    /// Whether another server could take what this one is to get.
    pub(super) fn has_other(&self, server: usize) -> bool {
        self.state().choice.has_other(server)
    }

    /// A server can be used again, or no longer: then others get what it has not acknowledged.
    pub(super) fn set_available(&self, server: usize, available: bool) {
        let mut state = self.state();
        state.choice.set_available(server, available);
        for lane in 0..state.lanes.len() {
            if !state.choice.is_available(lane) {
                state.move_from(lane);
            }
        }
        drop(state);
        self.wake();
    }

    /// A server does not answer heartbeats: it is not used, and `why` is what is said where there is no room.
    pub(super) fn lost_sight(&self, server: usize, why: String) {
        self.state().error = why;
        self.set_available(server, false);
    }

    /// The output is gone.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.closed.send_replace(true);
        self.wake();
        self.room.notify_all();
    }

    /// Journal position below which all was acknowledged.
    pub(super) fn cursor(&self) -> Lsn {
        let state = self.state();
        state
            .items
            .iter()
            .filter(|item| !item.done)
            .find_map(|item| Some(item.meaning.frame?.0))
            .unwrap_or(state.acked)
    }

    /// Sources with the positions up to which all was acknowledged.
    pub(super) fn known(&self) -> Vec<KnownSource> {
        self.state().known.values().cloned().collect()
    }

    /// Where one source stands.
    pub(super) fn committed(&self, source: SourceId) -> Option<Mark> {
        self.state().known.get(&source).map(|known| known.position.mark())
    }
}

impl Lane {
    fn is_idle(&self) -> bool {
        self.todo.is_empty() && self.sent.is_empty()
    }
}

impl State {
    fn item(&mut self, number: u64) -> Option<&mut Item> {
        let index = number.checked_sub(self.first)?;
        self.items.get_mut(usize::try_from(index).ok()?)
    }

    /// A message was acknowledged.
    fn finish(&mut self, number: u64) {
        let Some(item) = self.item(number) else { return };
        item.done = true;
        self.bytes -= std::mem::take(&mut item.message).weight;
        self.settle();
    }

    /// Removes what is first and done: what it means holds now.
    fn settle(&mut self) {
        while self.items.front().is_some_and(|item| item.done) {
            let Some(item) = self.items.pop_front() else { return };
            self.first += 1;
            if let Some((_, next)) = item.meaning.frame {
                self.acked = self.acked.max(next);
            }
            if let Some(known) = item.meaning.known {
                self.known.insert(known.source.id, known);
            }
        }
    }

    /// Gives to others what a server has not acknowledged, where there are others.
    fn move_from(&mut self, server: usize) {
        if !self.choice.has_other(server) {
            return;
        }
        let lane = &mut self.lanes[server];
        let mut numbers = std::mem::take(&mut lane.sent);
        numbers.append(&mut lane.todo);
        // What it has got is not known now, and neither is what it will get next.
        lane.given.clear();
        for number in numbers {
            let Some(source) = self.item(number).map(|item| item.source) else { continue };
            let other = self.choice.choose(source);
            if let Some(item) = self.item(number) {
                item.message.forget_start();
            }
            let todo = &mut self.lanes[other].todo;
            let at = todo.partition_point(|have| *have < number);
            todo.insert(at, number);
            self.lanes[other].given.remove(&source);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use sawlog_pipeline::Options;

    use super::super::servers;
    use super::*;

    fn frame(at: u64, next: u64) -> Meaning {
        Meaning { frame: Some((Lsn(at), Lsn(next))), known: None }
    }

    fn queue(most: usize, servers: &[&str]) -> Queue {
        let texts = servers.iter().map(|text| (*text).to_owned()).collect();
        let servers = servers::read(&Options([("servers".to_owned(), texts)].into())).expect("servers");
        Queue::new(most, &servers, Spread::Turns)
    }

    fn push(queue: &Queue, chunk: &str, meaning: Meaning) -> usize {
        let (server, _) = queue.assign(SourceId(1));
        let (parts, weight) = ([chunk.to_owned().into(), Bytes::new(), Bytes::new()], chunk.len());
        let message = Message { parts, chunk: chunk.to_owned(), weight, start: None };
        queue.push(server, message, SourceId(1), (0, 0), meaning);
        server
    }

    /// What is to be sent to a server now.
    fn next(queue: &Queue, server: usize) -> Option<Bytes> {
        let runtime = sawlog_sys::task::runtime("test", 1).expect("a runtime");
        match runtime.block_on(async { timeout(Duration::from_millis(1), queue.next(server, None)).await }) {
            Ok(Next::Send([bytes, ..])) => Some(bytes),
            _ => None,
        }
    }

    #[test]
    fn the_cursor_stays_before_the_first_frame_that_is_not_acknowledged_whole() {
        let queue = queue(100, &["a:1"]);
        push(&queue, "a", frame(10, 20));
        push(&queue, "b", frame(10, 20));
        queue.note(frame(20, 30));
        push(&queue, "c", Meaning::default());
        assert!(!queue.acknowledge(0, "a"), "it was not sent");
        let next = || next(&queue, 0);
        assert_eq!((next(), next(), next()), (Some("a".into()), Some("b".into()), Some("c".into())));
        assert!(queue.acknowledge(0, "a"));
        assert_eq!(queue.cursor(), Lsn(10));
        assert!(!queue.acknowledge(0, "c"), "answers keep the order");
        queue.lost(0, Some("cut".into()), Duration::ZERO);
        assert_eq!(next(), Some("b".into()), "it is sent again");
        assert!(queue.acknowledge(0, "b"));
        assert_eq!(queue.cursor(), Lsn(30), "what has nothing to be sent goes along");
        assert_eq!(next(), Some("c".into()));
        assert!(queue.acknowledge(0, "c"));
        assert_eq!((queue.cursor(), queue.unacknowledged(0)), (Lsn(30), 0));
        queue.wait_for_end(Duration::ZERO).expect("nothing is left");
    }

    #[test]
    fn what_was_put_elsewhere_is_forgotten_and_the_rest_stays() {
        let queue = queue(100, &["a:1"]);
        push(&queue, "a", frame(10, 20));
        push(&queue, "b", Meaning::default());
        push(&queue, "c", frame(20, 30));
        push(&queue, "d", frame(30, 40));
        assert_eq!(queue.failing(), None);
        assert_eq!(next(&queue, 0), Some("a".into()));
        for at in [5, 9] {
            queue.lost(0, Some("cut".into()), Duration::from_secs(at));
        }
        let failing = queue.failing().expect("it fails");
        assert_eq!((failing.tries, failing.since, &*failing.reason), (2, Duration::from_secs(5), "cut"));
        queue.forget(Lsn(30));
        assert_eq!(queue.failing(), None);
        assert_eq!(queue.cursor(), Lsn(30));
        assert_eq!((next(&queue, 0), next(&queue, 0)), (Some("b".into()), Some("d".into())));
        assert_eq!(next(&queue, 0), None);
        assert!(queue.acknowledge(0, "b") && queue.acknowledge(0, "d"));
        assert_eq!(queue.cursor(), Lsn(40));
        queue.lost(0, Some("cut".into()), Duration::from_secs(20));
        assert_eq!(queue.failing(), None, "there is nothing that it fails at");
    }

    #[test]
    fn who_waits_for_room_is_told_why_there_is_none() {
        let queue = queue(2, &["a:1"]);
        push(&queue, "abc", Meaning::default());
        queue.lost(0, Some("connection refused".into()), Duration::ZERO);
        assert_eq!(queue.wait_for_room(Duration::from_millis(1)), Err("connection refused".into()));
    }

    #[test]
    fn others_get_what_a_server_that_is_away_has_not_acknowledged() {
        let queue = queue(100, &["a:1", "b:1"]);
        let servers: Vec<usize> =
            ["0", "1", "2", "3", "4"].map(|chunk| push(&queue, chunk, frame(1, 2))).to_vec();
        assert_eq!(servers, [0, 1, 0, 1, 0]);
        assert_eq!((next(&queue, 0), next(&queue, 0)), (Some("0".into()), Some("2".into())));
        assert_eq!(next(&queue, 1), Some("1".into()));
        assert!(queue.acknowledge(1, "1") && queue.acknowledge(0, "0"));
        queue.lost(0, Some("cut".into()), Duration::ZERO);
        queue.set_available(0, false);
        let rest: Vec<_> = std::iter::from_fn(|| next(&queue, 1)).collect();
        assert_eq!(rest, ["2", "3", "4"], "in their order");
        assert_eq!(push(&queue, "5", frame(2, 3)), 1);
        assert_eq!(queue.cursor(), Lsn(1));
        queue.set_available(1, false);
        assert_eq!(next(&queue, 0), None, "both are away: who had it keeps it");
        queue.set_available(0, true);
        let rest: Vec<_> = std::iter::from_fn(|| next(&queue, 0)).collect();
        assert_eq!(rest, ["2", "3", "4", "5"]);
        assert!(["2", "3", "4", "5"].iter().all(|chunk| queue.acknowledge(0, chunk)));
        assert_eq!(queue.cursor(), Lsn(3));
    }
}
