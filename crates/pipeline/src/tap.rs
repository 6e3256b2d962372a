//! Rows as they are accepted, for whoever looks on (live tail over HTTP). Looking on never holds up what it looks at: a
//! reader that is behind is told how many rows it missed. Knows nothing of queries.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use sawlog_model::Batch;
use tokio::sync::Notify;

use crate::{TagPattern, lock, tag_of};

/// Most bytes of batches that wait for one subscriber.
const WAITING_BYTES: usize = 8 << 20;

/// What a subscriber gets.
#[derive(Clone, Debug)]
pub enum Tapped {
    /// Rows that were accepted.
    Rows(Arc<Batch>),
    /// So many rows were accepted here that the subscriber was too slow for.
    Missed(u64),
}

#[derive(Default)]
struct Waiting {
    queue: VecDeque<Arc<Batch>>,
    bytes: usize,
    missed: u64,
    closed: bool,
}

struct Shared {
    tags: TagPattern,
    waiting: Mutex<Waiting>,
    notify: Notify,
}

/// A subscription; ends when it is dropped.
pub struct Tap {
    shared: Arc<Shared>,
}

impl Tap {
    /// The next rows; `None` when the pipeline has stopped.
    pub async fn next(&mut self) -> Option<Tapped> {
        loop {
            if let Some(next) = self.try_next() {
                return Some(next);
            }
            if lock(&self.shared.waiting).closed {
                return None;
            }
            self.shared.notify.notified().await;
        }
    }

    /// The next rows, where some wait.
    pub fn try_next(&mut self) -> Option<Tapped> {
        let mut waiting = lock(&self.shared.waiting);
        if let Some(batch) = waiting.queue.pop_front() {
            waiting.bytes -= batch.weight();
            return Some(Tapped::Rows(batch));
        }
        let missed = std::mem::take(&mut waiting.missed);
        (missed > 0).then_some(Tapped::Missed(missed))
    }
}

/// All subscriptions.
#[derive(Default)]
pub(crate) struct Taps {
    count: AtomicUsize,
    all: Mutex<Vec<Weak<Shared>>>,
}

impl Taps {
    pub(crate) fn subscribe(&self, tags: TagPattern) -> Tap {
        let shared = Arc::new(Shared { tags, waiting: Mutex::default(), notify: Notify::new() });
        let mut all = lock(&self.all);
        all.push(Arc::downgrade(&shared));
        self.count.store(all.len(), Ordering::Release);
        Tap { shared }
    }

    pub(crate) fn show(&self, batch: &Arc<Batch>) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut all = lock(&self.all);
        all.retain(|tap| tap.upgrade().is_some_and(|shared| give(&shared, batch)));
        self.count.store(all.len(), Ordering::Release);
    }

    pub(crate) fn close(&self) {
        for shared in lock(&self.all).iter().filter_map(Weak::upgrade) {
            lock(&shared.waiting).closed = true;
            shared.notify.notify_one();
        }
    }
}

/// Once something was missed nothing more is queued until the subscriber has emptied its queue, so that the gap stands
/// where it is.
fn give(shared: &Shared, batch: &Arc<Batch>) -> bool {
    if !shared.tags.is_all() && !shared.tags.matches(&tag_of(batch)) {
        return true;
    }
    let mut waiting = lock(&shared.waiting);
    let weight = batch.weight();
    let fits = waiting.bytes + weight <= WAITING_BYTES || waiting.queue.is_empty();
    if waiting.missed > 0 || !fits {
        waiting.missed += batch.rows.len() as u64;
    } else {
        waiting.bytes += weight;
        waiting.queue.push_back(batch.clone());
    }
    drop(waiting);
    shared.notify.notify_one();
    true
}
