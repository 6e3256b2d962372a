//! Rows that an output took but does not hold for good yet, and that stand nowhere but in their file. Knows nothing of
//! how they are made durable: it only says which are due.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use sawlog_model::SourceId;

use crate::payload::Item;

/// Items in the order in which they were offered, with the time (monotonic) of it.
#[derive(Default)]
pub(crate) struct Pending {
    items: VecDeque<(Item, Duration)>,
    bytes: usize,
}

impl Pending {
    pub(crate) fn push(&mut self, item: Item, now: Duration) {
        self.bytes += item.batch.weight();
        self.items.push_back((item, now));
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the oldest was offered.
    pub(crate) fn oldest(&self) -> Option<Duration> {
        self.items.front().map(|(_, since)| *since)
    }

    /// Forgets what its output holds for good; `committed` says up to where that is.
    pub(crate) fn forget_committed(&mut self, committed: impl Fn(&Item) -> Option<(u32, u64)>) {
        let mut marks = HashMap::new();
        self.items.retain(|(item, _)| {
            let taken = (item.late.clone(), item.batch.source.id);
            let mark = *marks.entry(taken).or_insert_with(|| committed(item));
            mark.is_none_or(|mark| item.position.as_ref().is_some_and(|position| position.mark() > mark))
        });
        self.bytes = self.items.iter().map(|(item, _)| item.batch.weight()).sum();
    }

    /// Takes out what was offered at `until` or before, what is of a source in `settle`, and from the oldest on what is
    /// over `most` bytes. For every source that is the beginning of what is pending, so its order is kept.
    pub(crate) fn take_due(
        &mut self,
        until: Option<Duration>,
        settle: &HashSet<SourceId>,
        most: usize,
    ) -> Vec<Item> {
        let mut due = Vec::new();
        let mut over = self.bytes.saturating_sub(most);
        let mut kept = VecDeque::with_capacity(self.items.len());
        for (item, since) in self.items.drain(..) {
            let weight = item.batch.weight();
            let old = until.is_some_and(|until| since <= until);
            if old || over > 0 || settle.contains(&item.batch.source.id) {
                over = over.saturating_sub(weight);
                self.bytes -= weight;
                due.push(item);
            } else {
                kept.push_back((item, since));
            }
        }
        self.items = kept;
        due
    }

    /// Puts `earlier` in front of what came in the meantime.
    pub(crate) fn prepend(&mut self, mut earlier: Pending) {
        self.bytes += earlier.bytes;
        earlier.items.append(&mut self.items);
        self.items = earlier.items;
    }

    /// Puts back items that could not be journaled, in their order, as if offered at `since`.
    pub(crate) fn put_back(&mut self, items: Vec<Item>, since: Duration) {
        for item in items.into_iter().rev() {
            self.bytes += item.batch.weight();
            self.items.push_front((item, since));
        }
    }
}
