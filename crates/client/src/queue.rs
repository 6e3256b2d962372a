//! What waits in memory: events of one tag one after the other as they will be sent, bounded in bytes, and the counts of
//! what became of them. Knows nothing of threads and connections.

use std::collections::{HashMap, VecDeque};

/// What a tag costs beside its events.
const TAG_OVERHEAD: usize = 128;
/// A longer event is dropped whatever room there is: a receiver that refuses it would never get any other.
const EVENT_MOST: usize = 16 << 20;

/// Counts of events since the program was configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Those that found room, reports of drops included.
    pub accepted: u64,
    /// Those that the receiver has acknowledged.
    pub acknowledged: u64,
    /// Those that found no room.
    pub dropped: u64,
    /// Why nothing can be sent at the moment.
    pub trouble: Option<String>,
}

impl Stats {
    /// Those that are neither acknowledged nor dropped.
    pub fn waiting(&self) -> u64 {
        self.accepted - self.acknowledged
    }
}

/// Events of one tag.
#[derive(Debug)]
pub(crate) struct Pile {
    pub(crate) tag: String,
    pub(crate) entries: Vec<u8>,
    pub(crate) events: u64,
}

impl Pile {
    /// Bytes that it takes of the queue.
    pub(crate) fn size(&self) -> usize {
        self.entries.len() + self.tag.len() + TAG_OVERHEAD
    }
}

/// The queue itself.
#[derive(Debug)]
pub(crate) struct Queue {
    room: usize,
    pile_bytes: usize,
    /// Of all that is not acknowledged.
    bytes: usize,
    /// Of what was not taken to be sent yet.
    fresh: usize,
    growing: HashMap<String, Pile>,
    full: VecDeque<Pile>,
    /// Drops that were reported already.
    told: u64,
    pub(crate) stats: Stats,
}

impl Queue {
    /// For `room` bytes, in piles that end when they have reached `pile_bytes`.
    pub(crate) fn new(room: usize, pile_bytes: usize) -> Queue {
        Queue {
            room,
            pile_bytes,
            bytes: 0,
            fresh: 0,
            growing: HashMap::new(),
            full: VecDeque::new(),
            told: 0,
            stats: Stats::default(),
        }
    }

    /// Takes one entry, or counts it as dropped.
    pub(crate) fn put(&mut self, tag: &str, entry: &[u8]) -> bool {
        let new = if self.growing.contains_key(tag) { 0 } else { tag.len() + TAG_OVERHEAD };
        let fits = self.bytes + entry.len() + new <= self.room && entry.len() <= EVENT_MOST;
        if fits {
            self.take_in(tag, entry)
        } else {
            self.drop_one()
        }
        fits
    }

    /// Counts an event that is not taken.
    pub(crate) fn drop_one(&mut self) {
        self.stats.dropped += 1;
    }

    fn take_in(&mut self, tag: &str, entry: &[u8]) {
        if !self.growing.contains_key(tag) {
            let pile = Pile { tag: tag.to_owned(), entries: Vec::new(), events: 0 };
            self.bytes += pile.size();
            self.fresh += pile.size();
            self.growing.insert(tag.to_owned(), pile);
        }
        let Some(pile) = self.growing.get_mut(tag) else { return };
        pile.entries.extend_from_slice(entry);
        pile.events += 1;
        self.bytes += entry.len();
        self.fresh += entry.len();
        self.stats.accepted += 1;
        if pile.entries.len() >= self.pile_bytes {
            self.full.extend(self.growing.remove(tag));
        }
    }

    /// Drops that nobody was told of. They count as told.
    pub(crate) fn untold(&mut self) -> u64 {
        let untold = self.stats.dropped - self.told;
        self.told = self.stats.dropped;
        untold
    }

    /// Takes the report of drops, also where there is no room for it.
    pub(crate) fn put_report(&mut self, tag: &str, entry: &[u8]) {
        self.take_in(tag, entry);
    }

    /// Whether nothing waits to be sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.fresh == 0
    }

    /// Whether so much waits that it should go at once.
    pub(crate) fn is_urgent(&self) -> bool {
        self.fresh >= self.pile_bytes
    }

    /// Hands out piles, the oldest of each tag first, until they have `window` bytes.
    pub(crate) fn take(&mut self, window: usize) -> Vec<Pile> {
        let mut taken = Vec::new();
        let mut size = 0;
        while size < window {
            let Some(pile) = self.full.pop_front().or_else(|| {
                let tag = self.growing.keys().next()?.clone();
                self.growing.remove(&tag)
            }) else {
                break;
            };
            size += pile.size();
            taken.push(pile);
        }
        self.fresh -= size;
        taken
    }

    /// Forgets what is acknowledged.
    pub(crate) fn settle(&mut self, events: u64, size: usize) {
        self.bytes -= size;
        self.stats.acknowledged += events;
    }
}
