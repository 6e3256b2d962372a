//! What inputs keep in the journal of themselves (messages that their broker may bring once more, what they told a broker
//! to do): a few bytes under a name, of which the last ones count. They outlive a restart and the trimming of their
//! frames. Knows nothing of what they mean.

use std::collections::BTreeMap;

use bytes::Bytes;
use sawlog_journal::Lsn;

/// What an input keeps of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Whose it is: names the kind of input and what tells it from others of its kind. The next note of this name takes its
    /// place.
    pub name: String,
    /// What it says; empty to keep nothing any more.
    pub state: Bytes,
}

/// The last note of each name.
#[derive(Default)]
pub(crate) struct Notes(BTreeMap<String, (Bytes, Lsn)>);

impl Notes {
    /// The frame at `home` holds a note.
    pub(crate) fn stored(&mut self, note: Note, home: Lsn) {
        if note.state.is_empty() {
            self.0.remove(&note.name);
        } else {
            self.0.insert(note.name, (note.state, home));
        }
    }

    /// The last note of a name.
    pub(crate) fn get(&self, name: &str) -> Option<Bytes> {
        self.0.get(name).map(|(state, _)| state.clone())
    }

    /// All that only frames below `lsn` hold: they must be written again before the journal is trimmed.
    pub(crate) fn due(&self, lsn: Lsn) -> Vec<Note> {
        let due = self.0.iter().filter(|(_, (_, home))| *home < lsn);
        due.map(|(name, (state, _))| Note { name: name.clone(), state: state.clone() }).collect()
    }
}
