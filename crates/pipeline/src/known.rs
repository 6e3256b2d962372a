//! Positions of sources as the journal holds them: those of files whose rows were journaled, new epochs, and those of
//! outputs that keep none. Knows nothing of the outputs that do.

use std::collections::HashMap;

use sawlog_journal::Lsn;
use sawlog_model::{KnownSource, Position, Source, SourceId, Tenant};

struct Entry {
    known: KnownSource,
    /// The frame that it was last written in; `None` where it is not written yet.
    home: Option<Lsn>,
}

/// Positions by source.
#[derive(Default)]
pub(crate) struct Known {
    entries: HashMap<SourceId, Entry>,
}

impl Known {
    /// Learns that `source` is to be read on from `position`, as the frame at `home` says. What is known never goes back.
    pub(crate) fn learn(&mut self, source: &Source, position: &Position, home: Option<Lsn>) {
        if let Some(entry) = self.entries.get_mut(&source.id) {
            let (have, new) = (entry.known.position.mark(), position.mark());
            let written_anew = home.is_some() && new == have;
            if new > have || written_anew {
                entry.known = KnownSource { source: source.clone(), position: position.clone() };
                entry.home = home;
            }
            return;
        }
        let known = KnownSource { source: source.clone(), position: position.clone() };
        self.entries.insert(source.id, Entry { known, home });
    }

    /// What must be written again before the journal is trimmed to `lsn`: what is not written or only below it.
    /// `held` says up to where an output keeps a source by itself; such entries are forgotten.
    pub(crate) fn due(
        &mut self,
        lsn: Lsn,
        held: impl Fn(SourceId) -> Option<(u32, u64)>,
    ) -> Vec<KnownSource> {
        let mut due = Vec::new();
        self.entries.retain(|id, entry| {
            if entry.home.is_some_and(|home| home >= lsn) {
                return true;
            }
            if held(*id).is_some_and(|mark| mark >= entry.known.position.mark()) {
                return false;
            }
            due.push(entry.known.clone());
            true
        });
        due
    }

    /// What is not written in any frame yet.
    pub(crate) fn unwritten(&self) -> Vec<KnownSource> {
        self.entries.values().filter(|entry| entry.home.is_none()).map(|entry| entry.known.clone()).collect()
    }

    pub(crate) fn forget(&mut self, source: SourceId) {
        self.entries.remove(&source);
    }

    /// Forgets the senders of a tenant: their names begin with what they came by, `@` and its number.
    pub(crate) fn forget_tenant(&mut self, tenant: Tenant) {
        let end = format!("@{tenant}");
        let theirs = |name: &str| name.split_once(':').is_some_and(|(kind, _)| kind.ends_with(&end));
        self.entries.retain(|_, entry| !theirs(&entry.known.source.facts.name));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &KnownSource> {
        self.entries.values().map(|entry| &entry.known)
    }
}
