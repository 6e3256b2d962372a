//! Brings what is queued to the receiver, on a thread of its own that starts with the first event. An event is held until
//! the chunk that carries it is acknowledged; a chunk that is sent again keeps its id, by which the receiver tells that it
//! has it already. Knows nothing of contexts and of what is in an event.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;

use crate::chance;
use crate::forward::{Connect, Credentials, Link, LinkError, message};
use crate::queue::{Queue, Stats};

/// So many bytes are on their way before their acknowledgements are waited for.
const WINDOW: usize = 4 << 20;
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MOST: Duration = Duration::from_secs(10);

/// Makes the tag and the entry of an event that tells how many were dropped.
pub(crate) type DropReport = fn(u64) -> (&'static str, Vec<u8>);

/// How events wait and travel.
#[derive(Clone)]
pub(crate) struct Travel {
    pub(crate) address: String,
    pub(crate) connect: Connect,
    pub(crate) credentials: Credentials,
    pub(crate) queue_bytes: usize,
    pub(crate) chunk_bytes: usize,
    pub(crate) interval: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) ack_timeout: Duration,
}

/// Takes entries from any thread and brings them to the receiver.
pub(crate) struct Sender {
    travel: Travel,
    drop_report: DropReport,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// The thread listens here.
    wake: Condvar,
    /// Those who wait for acknowledgements, or for the end of the thread, listen here.
    settled: Condvar,
}

struct State {
    queue: Queue,
    running: bool,
    /// The thread waits for the first event.
    asleep: bool,
    /// Somebody waits for what is queued.
    hurry: bool,
    closing: Option<Instant>,
}

impl Shared {
    /// A thread that panicked with the lock has not left the counts in between.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sender {
    pub(crate) fn new(travel: Travel, drop_report: DropReport) -> Sender {
        let queue = Queue::new(travel.queue_bytes, travel.chunk_bytes);
        let state = State { queue, running: false, asleep: false, hurry: false, closing: None };
        let shared = Shared { state: Mutex::new(state), wake: Condvar::new(), settled: Condvar::new() };
        Sender { travel, drop_report, shared: Arc::new(shared) }
    }

    /// The same with an empty queue, for the child of a fork: what waits here is its parent's to send.
    pub(crate) fn anew(&self) -> Sender {
        Sender::new(self.travel.clone(), self.drop_report)
    }

    /// Queues one entry, or drops and counts it where there is no room. Never waits for the network.
    pub(crate) fn put(&self, tag: &str, entry: &[u8]) {
        let mut state = self.shared.lock();
        if state.closing.is_some() {
            state.queue.drop_one();
            return;
        }
        if !state.queue.put(tag, entry) {
            return;
        }
        if !state.running {
            // Where no thread can be had now, the next event asks again.
            state.running = self.start();
        } else if std::mem::take(&mut state.asleep) || state.queue.is_urgent() {
            drop(state);
            self.shared.wake.notify_one();
        }
    }

    fn start(&self) -> bool {
        let (travel, drop_report, shared) = (self.travel.clone(), self.drop_report, self.shared.clone());
        let work = move || {
            Courier {
                travel,
                drop_report,
                shared,
                link: None,
                chunks: VecDeque::new(),
                pause: Duration::ZERO,
            }
            .run();
        };
        std::thread::Builder::new().name("sawlog-sender".to_owned()).spawn(work).is_ok()
    }

    pub(crate) fn stats(&self) -> Stats {
        self.shared.lock().queue.stats.clone()
    }

    /// Waits until all that was queued before is acknowledged; whether it was within `timeout`.
    pub(crate) fn flush(&self, timeout: Duration) -> bool {
        let mut state = self.shared.lock();
        let until = state.queue.stats.accepted;
        state.hurry = true;
        state.asleep = false;
        self.shared.wake.notify_one();
        let unsettled = |state: &mut State| state.queue.stats.acknowledged < until;
        let waited = self.shared.settled.wait_timeout_while(state, timeout, unsettled);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.queue.stats.acknowledged >= until
    }

    /// Takes nothing more, sends what waits for at most `timeout`, and ends; how many events were not acknowledged.
    pub(crate) fn close(&self, timeout: Duration) -> u64 {
        let mut state = self.shared.lock();
        state.closing.get_or_insert(Instant::now() + timeout);
        self.shared.wake.notify_one();
        let waited = self.shared.settled.wait_timeout_while(state, timeout, |state| state.running);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.queue.stats.waiting()
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // Nobody can put anything any more: the thread ends as soon as it notices.
        self.shared.lock().closing.get_or_insert(Instant::now());
        self.shared.wake.notify_one();
    }
}

struct Chunk {
    id: String,
    message: Vec<u8>,
    events: u64,
    size: usize,
}

/// What lives on the sender's thread.
struct Courier {
    travel: Travel,
    drop_report: DropReport,
    shared: Arc<Shared>,
    link: Option<Link>,
    /// Taken from the queue and not acknowledged.
    chunks: VecDeque<Chunk>,
    pause: Duration,
}

impl Courier {
    fn run(mut self) {
        // The application's own function that connects may panic; nobody would start this thread again.
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.step())) {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => self.failed(&LinkError::Panicked),
            }
        }
        self.shared.lock().running = false;
        self.shared.settled.notify_all();
    }

    /// One round; `false` where there is nothing more to do for ever.
    fn step(&mut self) -> bool {
        if self.chunks.is_empty() {
            if !self.sleep() {
                return false;
            }
            self.take();
        }
        if self.closing().is_some_and(|deadline| deadline <= Instant::now()) {
            return false;
        }
        if let Err(error) = self.deliver() {
            self.failed(&error);
        }
        true
    }

    fn closing(&self) -> Option<Instant> {
        self.shared.lock().closing
    }

    /// Waits for the first event, then a little for those that follow it; `false` where none will come any more.
    fn sleep(&self) -> bool {
        let mut state = self.shared.lock();
        while state.queue.is_empty() {
            if state.closing.is_some() {
                return false;
            }
            state.asleep = true;
            state = self.shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.asleep = false;
        let alone = |state: &mut State| !state.hurry && state.closing.is_none() && !state.queue.is_urgent();
        let waited = self.shared.wake.wait_timeout_while(state, self.travel.interval, alone);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.hurry = false;
        true
    }

    /// Makes chunks of what waits: one tag in each, no event twice.
    fn take(&mut self) {
        let piles = {
            let mut state = self.shared.lock();
            let dropped = state.queue.untold();
            if dropped > 0 {
                let (tag, entry) = (self.drop_report)(dropped);
                state.queue.put_report(tag, &entry);
            }
            state.queue.take(WINDOW)
        };
        self.chunks.extend(piles.into_iter().map(|pile| {
            let random = [chance::bits().to_be_bytes(), chance::bits().to_be_bytes()].concat();
            let id = base64::engine::general_purpose::STANDARD.encode(random);
            let message = message(&pile.tag, &pile.entries, pile.events, &id);
            Chunk { id, message, events: pile.events, size: pile.size() }
        }));
    }

    /// Sends all chunks, then waits for the acknowledgement of each.
    fn deliver(&mut self) -> Result<(), LinkError> {
        let patience = self.patience(self.travel.connect_timeout);
        let mut link = match self.link.take() {
            Some(link) => link,
            None => {
                let stream = (self.travel.connect)(&self.travel.address, patience)?;
                Link::open(stream, &self.travel.credentials, patience)?
            }
        };
        for chunk in &self.chunks {
            link.send(&chunk.message)?;
        }
        while !self.chunks.is_empty() {
            let id = link.ack(self.patience(self.travel.ack_timeout))?;
            let Some(at) = self.chunks.iter().position(|chunk| chunk.id.as_bytes() == id) else { continue };
            self.settle(at);
        }
        self.link = Some(link);
        Ok(())
    }

    fn settle(&mut self, at: usize) {
        let Some(chunk) = self.chunks.remove(at) else { return };
        self.pause = Duration::ZERO;
        let mut state = self.shared.lock();
        state.queue.settle(chunk.events, chunk.size);
        state.queue.stats.trouble = None;
        drop(state);
        self.shared.settled.notify_all();
    }

    /// At most as long as the end of the program waits.
    fn patience(&self, most: Duration) -> Duration {
        let left = self.closing().map(|deadline| deadline.saturating_duration_since(Instant::now()));
        left.map_or(most, |left| left.min(most)).max(Duration::from_millis(1))
    }

    /// Waits before all is sent again. The first attempt after a success is made at once: the receiver may just have closed
    /// an idle connection.
    fn failed(&mut self, error: &LinkError) {
        let mut state = self.shared.lock();
        state.queue.stats.trouble = Some(format!("{}: {error}", self.travel.address));
        state.hurry = false;
        // Little time is left at the end; a receiver that comes back within it shall still get the events.
        let pause = if state.closing.is_some() {
            PAUSE_FIRST
        } else {
            self.pause.mul_f64(0.75 + chance::share() / 2.0)
        };
        let begun = state.closing.is_none();
        let rests = |state: &mut State| !state.hurry && begun == state.closing.is_none();
        drop(self.shared.wake.wait_timeout_while(state, pause, rests));
        self.pause = (self.pause * 2).clamp(PAUSE_FIRST, PAUSE_MOST);
    }
}
