//! What a chain of manifests adds up to. Knows nothing of files.

use std::collections::{BTreeMap, HashMap};

use sawlog_model::{KnownSource, SourceId, Tenant};

use super::manifest::{Change, JournalMark, SegmentEntry};

/// The committed state of a store.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct State {
    /// Segments by number.
    pub segments: BTreeMap<u64, SegmentEntry>,
    /// Sources with their positions.
    pub sources: HashMap<SourceId, KnownSource>,
    /// What is stored of the journal, by tenant.
    pub marks: HashMap<Tenant, JournalMark>,
    /// Journal position below which everything is stored.
    pub cursor: u64,
    /// The number of the next segment.
    pub next_segment: u64,
}

impl State {
    /// Takes a change in.
    pub fn apply(&mut self, change: &Change) {
        for number in &change.removed {
            self.segments.remove(number);
        }
        for entry in &change.added {
            self.segments.insert(entry.number, *entry);
        }
        for known in &change.positions {
            self.sources.insert(known.source.id, known.clone());
        }
        for (tenant, mark) in &change.marks {
            let have = self.marks.entry(*tenant).or_default();
            *have = (*have).max(*mark);
        }
        self.cursor = self.cursor.max(change.cursor);
        self.next_segment = self.next_segment.max(change.next_segment);
        // What lies below the cursor is known as stored by that alone.
        let cursor = self.cursor;
        self.marks.retain(|_, mark| mark.at >= cursor);
    }

    /// The change that makes this state from nothing.
    pub fn as_change(&self) -> Change {
        let mut positions: Vec<KnownSource> = self.sources.values().cloned().collect();
        positions.sort_by_key(|known| known.source.id);
        let mut marks: Vec<(Tenant, JournalMark)> = self.marks.iter().map(|(t, m)| (*t, *m)).collect();
        marks.sort();
        Change {
            added: self.segments.values().copied().collect(),
            removed: Vec::new(),
            positions,
            marks,
            cursor: self.cursor,
            next_segment: self.next_segment,
        }
    }
}
