//! Decoded parts of segments that queries share, the least recently used given up when there are too many. Knows nothing
//! of what the parts are.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::column::{Column, Strings};
use super::heads::Outline;
use super::shape::Shape;
use super::tally::ToldTexts;
use crate::Read;
use crate::memory::{Held, Memory};

/// What is kept.
#[derive(Clone)]
pub(super) enum Part {
    /// An unpacked chunk.
    Chunk(Bytes),
    /// A dictionary, or the templates of a column.
    Strings(Arc<Strings>),
    /// All skeletons of a segment.
    Shapes(Arc<Vec<Arc<Shape>>>),
    /// A column of a row group.
    Column(Arc<Column>),
    /// The heads of a row group.
    Outline(Arc<Outline>),
    /// A question for the texts of a field, and its answer.
    Texts(Arc<str>, ToldTexts),
}

/// Which part: segment, sort, and two numbers that the sort gives meaning to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct PartKey {
    pub(super) segment: u64,
    pub(super) sort: u8,
    pub(super) first: u32,
    pub(super) second: u32,
}

/// Bytes of what belongs to a row group (or few) that are kept when it is asked for first: a question comes back to it a few times, and
/// memory that is used again is faster than more of it.
const PASSING: usize = 8 << 20;

/// Of what is kept, how much may be answers, which are far smaller than what they are made of: they stay when blocks are given up.
const ANSWERS: (usize, usize) = (3, 4);

/// So many parts that were given up are remembered: what is asked for again is kept.
const GONE: usize = 8192;

/// In which order parts are given up: first blocks, then answers, each by when they were last used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    is_answer: bool,
    clock: u64,
}

/// Parts within a budget.
struct Parts {
    budget: usize,
    parts: HashMap<PartKey, (Part, usize, Use)>,
    by_use: BTreeMap<Use, PartKey>,
    bytes: usize,
    /// Of these, those of answers.
    answers: usize,
    clock: u64,
    /// Where what is kept is counted.
    held: Option<Held>,
}

/// The last parts that were given up.
#[derive(Default)]
struct Gone {
    keys: HashSet<PartKey>,
    order: VecDeque<PartKey>,
}

impl Gone {
    fn add(&mut self, key: PartKey) {
        if self.keys.insert(key) {
            self.order.push_back(key);
        }
        if self.order.len() > GONE
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
    }
}

impl Parts {
    fn new(budget: usize) -> Mutex<Parts> {
        Mutex::new(Parts {
            budget,
            parts: HashMap::new(),
            by_use: BTreeMap::new(),
            bytes: 0,
            answers: 0,
            clock: 0,
            held: None,
        })
    }

    fn get(&mut self, key: PartKey) -> Option<Part> {
        let (part, _, used) = self.parts.get_mut(&key)?;
        self.by_use.remove(used);
        self.clock += 1;
        used.clock = self.clock;
        self.by_use.insert(*used, key);
        Some(part.clone())
    }

    /// Keeps a part of `weight` bytes, unless it is most of the budget by itself; gives what is not kept for it.
    fn put(&mut self, key: PartKey, part: Part, weight: usize) -> Vec<PartKey> {
        if weight > self.budget / 2 {
            return vec![key];
        }
        let mut gone = Vec::new();
        self.remove(key);
        self.clock += 1;
        let used = Use { is_answer: matches!(part, Part::Texts(..)), clock: self.clock };
        self.by_use.insert(used, key);
        self.parts.insert(key, (part, weight, used));
        self.bytes += weight;
        self.answers += if used.is_answer { weight } else { 0 };
        while self.bytes > self.budget {
            let [blocks, answers] = [false, true].map(|is_answer| Use { is_answer, clock: 0 });
            let first = if self.answers > self.budget / ANSWERS.1 * ANSWERS.0 { answers } else { blocks };
            let Some((_, oldest)) = self.by_use.range(first..).next() else { break };
            let oldest = *oldest;
            self.remove(oldest);
            gone.push(oldest);
        }
        if let Some(held) = &mut self.held {
            held.resize(self.bytes as u64);
        }
        gone
    }

    fn remove(&mut self, key: PartKey) {
        if let Some((_, weight, used)) = self.parts.remove(&key) {
            self.by_use.remove(&used);
            self.bytes -= weight;
            self.answers -= if used.is_answer { weight } else { 0 };
        }
    }
}

/// What was read, counted.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) opened: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) unpacked: AtomicU64,
    pub(super) columns: AtomicU64,
    pub(super) texts: AtomicU64,
}

/// Adds to a count.
pub(super) fn add(count: &AtomicU64, more: usize) {
    count.fetch_add(more as u64, Ordering::Relaxed);
}

/// Decoded blocks that queries share, within a budget, and how much was read to make them.
///
/// What belongs to a row group passes through a small part of it at first, and is kept only when it is asked for again after that: a
/// question that goes once over more than can be kept would leave nothing of use.
pub struct Cache {
    next_segment: AtomicU64,
    pub(super) counts: Counts,
    kept: Mutex<Parts>,
    passing: Mutex<Parts>,
    gone: Mutex<Gone>,
    /// Only one question is asked.
    once: bool,
}

fn lock(parts: &Mutex<Parts>) -> MutexGuard<'_, Parts> {
    parts.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cache {
    /// A cache of this many bytes for questions one after the other.
    pub fn new(bytes: usize) -> Self {
        let passing = PASSING.min(bytes / 2);
        Cache {
            next_segment: AtomicU64::new(0),
            counts: Counts::default(),
            kept: Parts::new(bytes - passing),
            passing: Parts::new(passing),
            gone: Mutex::default(),
            once: false,
        }
    }

    /// One for a single question: columns are not kept.
    pub fn for_one_question(bytes: usize) -> Self {
        Cache { once: true, ..Cache::new(bytes) }
    }

    /// Counts what is kept where everything is counted.
    pub(crate) fn counted(self, share: &Memory) -> Self {
        for parts in [&self.kept, &self.passing] {
            lock(parts).held = Some(share.hold());
        }
        self
    }

    /// What was read so far.
    pub(crate) fn read(&self) -> Read {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { opened, bytes, unpacked, columns, texts } = &self.counts;
        Read {
            opened: of(opened),
            bytes: of(bytes),
            unpacked: of(unpacked),
            columns: of(columns),
            texts: of(texts),
        }
    }

    /// A number that no other segment of this cache has.
    pub(super) fn new_segment(&self) -> u64 {
        self.next_segment.fetch_add(1, Ordering::Relaxed)
    }

    /// Gives the part up where it is known.
    pub(super) fn get(&self, key: PartKey) -> Option<Part> {
        let kept = lock(&self.kept).get(key);
        kept.or_else(|| lock(&self.passing).get(key))
    }

    /// Keeps a part of `weight` bytes.
    pub(super) fn put(&self, key: PartKey, part: Part, weight: usize) {
        lock(&self.kept).put(key, part, weight);
    }

    /// Keeps a part that a row group has: for a short while, unless it was given up before.
    fn put_again(&self, key: PartKey, part: Part, weight: usize) {
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        if gone.keys.contains(&key) && !self.once {
            drop(gone);
            return self.put(key, part, weight);
        }
        lock(&self.passing).put(key, part, weight).into_iter().for_each(|key| gone.add(key));
    }

    /// Keeps an unpacked chunk; `few_groups` says that it is of no others.
    pub(super) fn put_chunk(&self, key: PartKey, bytes: Bytes, few_groups: bool) {
        let weight = bytes.len();
        match few_groups {
            true => self.put_again(key, Part::Chunk(bytes), weight),
            false => self.put(key, Part::Chunk(bytes), weight),
        }
    }

    /// Keeps a column, unless only one question is asked: its row group has it as long as it is open.
    pub(super) fn put_column(&self, key: PartKey, column: Arc<Column>) {
        if !self.once {
            let weight = column.weight();
            self.put_again(key, Part::Column(column), weight);
        }
    }
}

#[cfg(test)]
mod tests;
