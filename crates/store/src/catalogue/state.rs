//! What a chain of manifests adds up to. Knows nothing of files.

use std::collections::{BTreeMap, HashMap};

use sawlog_model::{SourceId, Tenant};

use super::manifest::{Change, JournalMark, SegmentEntry};
use super::stored::StoredSource;

/// The committed state of a store.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct State {
    /// Segments by number.
    pub segments: BTreeMap<u64, SegmentEntry>,
    /// Sources with their positions.
    pub sources: BTreeMap<SourceId, StoredSource>,
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
        match self.sources.is_empty() {
            // A checkpoint's, by their ids: many at once.
            true => {
                self.sources = change.positions.iter().map(|source| (source.id(), source.clone())).collect()
            }
            false => self.sources.extend(change.positions.iter().map(|source| (source.id(), source.clone()))),
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

    /// The change that makes this state, with another change, from nothing.
    pub fn with(&self, change: &Change) -> Change {
        // Sources may be very many, and are not copied twice.
        let Change { added, removed, cursor, next_segment, .. } = change;
        let mut state = State {
            segments: self.segments.clone(),
            sources: BTreeMap::new(),
            marks: self.marks.clone(),
            cursor: self.cursor,
            next_segment: self.next_segment,
        };
        state.apply(&Change {
            added: added.clone(),
            removed: removed.clone(),
            positions: Vec::new(),
            marks: change.marks.clone(),
            cursor: *cursor,
            next_segment: *next_segment,
        });
        let new: BTreeMap<SourceId, &StoredSource> =
            change.positions.iter().map(|source| (source.id(), source)).collect();
        let as_it_was = self.sources.iter().filter(|(id, _)| !new.contains_key(id)).map(|(_, source)| source);
        let mut marks: Vec<(Tenant, JournalMark)> = state.marks.into_iter().collect();
        marks.sort();
        Change {
            added: state.segments.into_values().collect(),
            removed: Vec::new(),
            positions: as_it_was.chain(new.values().copied()).cloned().collect(),
            marks,
            cursor: state.cursor,
            next_segment: state.next_segment,
        }
    }
}
