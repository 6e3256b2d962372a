//! The stream: what the node accepts, as events, to whoever subscribes to a prefix of their types. Whoever is too slow misses
//! some, and nobody waits for them. Knows nothing of the collection port.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use sawlog_model::{Batch, Limits};
use sawlog_pipeline::{Tap, Tapped};
use tokio::io::AsyncReadExt;
use tokio::sync::Notify;

use super::collect::HANDSHAKE;
use super::event;
use super::stats::Stats;
use crate::shared::door::{Fault, Peer, Shared};
use crate::shared::record;
use crate::shared::stream::Stream;
use crate::shared::zmtp::{Event, Pipe, Role, Session, Version};

/// Longest message of a subscriber, bytes, and most prefixes of one.
const MESSAGE_MOST: usize = 64 << 10;
const PREFIXES_MOST: usize = 1_000;

/// Bytes that wait for one subscriber.
const WAITING: usize = 8 << 20;

/// Bytes read at once.
const READ: usize = 1 << 10;

type Published = (Arc<str>, Bytes);

#[derive(Default)]
struct Waiting {
    /// Prefixes, and how often each is subscribed to.
    prefixes: BTreeMap<Bytes, usize>,
    queue: VecDeque<Published>,
    bytes: usize,
    missed: u64,
}

/// A subscriber.
#[derive(Default)]
struct Viewer {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

/// All subscribers.
#[derive(Default)]
pub(super) struct Hub(Mutex<Vec<Weak<Viewer>>>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Viewer {
    fn wants(&self, kind: &str) -> bool {
        lock(&self.waiting).prefixes.keys().any(|prefix| kind.as_bytes().starts_with(prefix))
    }

    fn give(&self, (kind, data): &Published) {
        let mut waiting = lock(&self.waiting);
        let weight = kind.len() + data.len();
        if waiting.bytes + weight > WAITING && !waiting.queue.is_empty() {
            waiting.missed += 1;
            return;
        }
        waiting.bytes += weight;
        waiting.queue.push_back((kind.clone(), data.clone()));
        drop(waiting);
        self.wake.notify_one();
    }

    fn next(&self) -> Option<Published> {
        let mut waiting = lock(&self.waiting);
        let next = waiting.queue.pop_front()?;
        waiting.bytes -= next.0.len() + next.1.len();
        Some(next)
    }

    /// Subscribes to a prefix, or does no more.
    fn subscribe(&self, on: bool, prefix: Bytes) -> Result<(), Fault> {
        let mut waiting = lock(&self.waiting);
        if on {
            if waiting.prefixes.len() >= PREFIXES_MOST && !waiting.prefixes.contains_key(&prefix) {
                return Err(Fault::new("subscription", "too many subscriptions"));
            }
            // A slice would keep the buffer that it was read into.
            *waiting.prefixes.entry(Bytes::copy_from_slice(&prefix)).or_default() += 1;
        } else if let Some(count) = waiting.prefixes.get_mut(&prefix) {
            *count -= 1;
            if *count == 0 {
                waiting.prefixes.remove(&prefix);
            }
        }
        Ok(())
    }
}

impl Hub {
    fn viewers(&self) -> Vec<Arc<Viewer>> {
        let mut all = lock(&self.0);
        all.retain(|viewer| viewer.strong_count() > 0);
        all.iter().filter_map(Weak::upgrade).collect()
    }

    fn publish(&self, batch: &Batch, limits: &Limits) {
        let viewers = self.viewers();
        if viewers.is_empty() {
            return;
        }
        // Of events that came by the collection port the tag is the type; others say it in each row.
        let name = &batch.source.facts.name;
        let typed = name.strip_prefix("blueox").is_some_and(|rest| rest.starts_with([':', '@']));
        let tag = record::tag(batch);
        if typed && viewers.iter().all(|viewer| !viewer.wants(&tag)) {
            return;
        }
        for row in batch.iter() {
            let event = event::from_row(row, limits);
            let published = (Arc::from(event.kind), Bytes::from(event.data));
            viewers
                .iter()
                .filter(|viewer| viewer.wants(&published.0))
                .for_each(|viewer| viewer.give(&published));
        }
    }
}

/// Publishes what the node accepts, and takes note of it, until it stops.
pub(super) async fn publish(mut tap: Tap, hub: Arc<Hub>, stats: Arc<Stats>, shared: Arc<Shared>) {
    let mut stop = shared.stop.clone();
    loop {
        let tapped = tokio::select! {
            tapped = tap.next() => tapped,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match tapped {
            None => return,
            // Who looks on shows no credential, and sees what the senders to this input's tenant sent.
            Some(Tapped::Rows(batch)) if batch.tenant != shared.tenant => {}
            Some(Tapped::Rows(batch)) => {
                stats.note(&batch, shared.env.sys.clock.now());
                hub.publish(&batch, &shared.env.limits);
            }
            Some(Tapped::Missed(_)) if hub.viewers().is_empty() => {}
            Some(Tapped::Missed(count)) => {
                shared.intake.count_errors("not_streamed", count, "more came in than the stream could carry");
            }
        }
    }
}

/// Serves a subscriber until the end of its connection.
///
/// # Errors
/// [`Fault`]: why it could not go on.
pub(super) async fn serve(
    stream: Stream,
    peer: Arc<Peer>,
    shared: Arc<Shared>,
    hub: Arc<Hub>,
) -> Result<(), Fault> {
    let mut pipe = Pipe::new(stream, Session::new(Role::Pub, &[], MESSAGE_MOST));
    let mut stop = shared.stop.clone();
    let viewer = Arc::new(Viewer::default());
    let ready = tokio::select! {
        greeted = pipe.greet(HANDSHAKE) => greeted?,
        _ = stop.wait_for(|stop| *stop) => return Ok(()),
    };
    if ready.version == Version::V1 {
        // It filters on its side and tells nobody what it wants.
        viewer.subscribe(true, Bytes::new())?;
    }
    lock(&hub.0).push(Arc::downgrade(&viewer));
    loop {
        while let Some(event) = pipe.session.next(&mut pipe.buffer)? {
            if let Event::Subscribe(on, prefix) = event {
                viewer.subscribe(on, prefix)?;
            }
        }
        pipe.answer().await?;
        while let Some((kind, data)) = viewer.next() {
            pipe.send(&[kind.as_bytes(), &data]).await?;
        }
        let missed = std::mem::take(&mut lock(&viewer.waiting).missed);
        if missed > 0 {
            let words = format!("{} reads slower than events come in", peer.host);
            shared.intake.count_errors("not_streamed", missed, &words);
        }
        pipe.buffer.reserve(READ);
        tokio::select! {
            read = pipe.stream.read_buf(&mut pipe.buffer) => {
                if read.map_err(|error| Fault::new("connection", error))? == 0 {
                    return Ok(());
                }
            }
            () = viewer.wake.notified() => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
    }
}
