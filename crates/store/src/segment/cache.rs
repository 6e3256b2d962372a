//! Decoded parts of segments that queries share, the least recently used given up when there are too many. Knows nothing
//! of what the parts are.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::column::{Column, Strings};
use super::heads::Outline;
use super::skeleton::Skeleton;

/// What is kept.
#[derive(Clone)]
pub(super) enum Part {
    /// An unpacked chunk.
    Chunk(Bytes),
    /// A dictionary, or the templates of a column.
    Strings(Arc<Strings>),
    /// All skeletons of a segment.
    Skeletons(Arc<Vec<Skeleton>>),
    /// A column of a row group.
    Column(Arc<Column>),
    /// The heads of a row group.
    Outline(Arc<Outline>),
}

/// Which part: segment, sort, and two numbers that the sort gives meaning to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct PartKey {
    pub(super) segment: u64,
    pub(super) sort: u8,
    pub(super) first: u32,
    pub(super) second: u32,
}

#[derive(Default)]
struct Parts {
    parts: HashMap<PartKey, (Part, usize, u64)>,
    by_use: BTreeMap<u64, PartKey>,
    bytes: usize,
    clock: u64,
}

/// Decoded blocks that queries share, within a budget.
pub struct Cache {
    budget: usize,
    next_segment: AtomicU64,
    parts: Mutex<Parts>,
}

impl Cache {
    /// A cache of this many bytes.
    pub fn new(bytes: usize) -> Self {
        Cache { budget: bytes, next_segment: AtomicU64::new(0), parts: Mutex::default() }
    }

    /// A number that no other segment of this cache has.
    pub(super) fn new_segment(&self) -> u64 {
        self.next_segment.fetch_add(1, Ordering::Relaxed)
    }

    /// Gives the part up where it is known.
    pub(super) fn get(&self, key: PartKey) -> Option<Part> {
        let mut guard = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = &mut *guard;
        let (part, _, used) = parts.parts.get_mut(&key)?;
        parts.by_use.remove(used);
        parts.clock += 1;
        *used = parts.clock;
        parts.by_use.insert(parts.clock, key);
        Some(part.clone())
    }

    /// Keeps a part of `weight` bytes, unless it is most of the budget by itself.
    pub(super) fn put(&self, key: PartKey, part: Part, weight: usize) {
        if weight > self.budget / 2 {
            return;
        }
        let mut guard = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = &mut *guard;
        parts.clock += 1;
        let clock = parts.clock;
        if let Some((_, old, used)) = parts.parts.insert(key, (part, weight, clock)) {
            parts.by_use.remove(&used);
            parts.bytes -= old;
        }
        parts.by_use.insert(clock, key);
        parts.bytes += weight;
        while parts.bytes > self.budget {
            let Some((_, oldest)) = parts.by_use.pop_first() else { break };
            if let Some((_, weight, _)) = parts.parts.remove(&oldest) {
                parts.bytes -= weight;
            }
        }
    }
}
