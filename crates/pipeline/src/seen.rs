//! Keys of messages that were taken (Fluentd's `chunk`, an idempotency key), as the journal holds them: the last 65,536,
//! which outlive a restart and the trimming of their frames. Knows nothing of protocols, nor of messages under way: an
//! input that gives keys asks for them at its start and recognises what is sent again itself.

use std::collections::{HashMap, VecDeque};

use sawlog_journal::Lsn;

/// So many keys are remembered.
const WINDOW: usize = 65_536;

/// Keys by the order in which they were first seen.
#[derive(Default)]
pub(crate) struct Seen {
    /// The frame that a key was last written in.
    homes: HashMap<u128, Lsn>,
    order: VecDeque<u128>,
}

impl Seen {
    /// The frame at `home` holds the message of a key, or says that it was taken.
    pub(crate) fn stored(&mut self, key: u128, home: Lsn) {
        if self.homes.insert(key, home).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > WINDOW
            && let Some(oldest) = self.order.pop_front()
        {
            self.homes.remove(&oldest);
        }
    }

    /// Whether the key is known.
    pub(crate) fn has(&self, key: u128) -> bool {
        self.homes.contains_key(&key)
    }

    /// All keys, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u128> {
        self.order.iter().copied()
    }

    /// Keys that only frames below `lsn` hold, oldest first: they must be written again before the journal is trimmed.
    pub(crate) fn due(&self, lsn: Lsn) -> Vec<u128> {
        self.iter().filter(|key| self.homes.get(key).is_some_and(|home| *home < lsn)).collect()
    }
}
