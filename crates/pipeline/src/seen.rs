//! Messages that were taken before, recognised by a key that their sender repeats when it sends again (Fluentd's `chunk`,
//! an idempotency key): the last 65,536 keys, which outlive a restart in the journal. Knows nothing of protocols.

use std::collections::{HashMap, VecDeque};

use sawlog_journal::Lsn;

/// So many keys are remembered.
pub(crate) const WINDOW: usize = 65_536;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its rows are on their way to the journal.
    UnderWay,
    /// They are on stable storage; the frame that says so.
    Stored(Lsn),
}

/// What is to be done with a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// Take it: nobody else has.
    Take,
    /// The same message is being taken; ask again when it is decided.
    Wait,
    /// It was taken; acknowledge and drop it.
    Drop,
}

/// Keys by the order in which they were first seen.
#[derive(Default)]
pub(crate) struct Seen {
    states: HashMap<u128, State>,
    order: VecDeque<u128>,
}

impl Seen {
    /// Asks for the turn of a message; who is told to take it must say how it ended.
    pub(crate) fn turn(&mut self, key: u128) -> Turn {
        match self.states.get(&key) {
            Some(State::UnderWay) => Turn::Wait,
            Some(State::Stored(_)) => Turn::Drop,
            None => {
                self.states.insert(key, State::UnderWay);
                Turn::Take
            }
        }
    }

    /// The frame at `home` holds the message, or says that it was held.
    pub(crate) fn stored(&mut self, key: u128, home: Lsn) {
        let before = self.states.insert(key, State::Stored(home));
        if !matches!(before, Some(State::Stored(_))) {
            self.order.push_back(key);
        }
        if self.order.len() > WINDOW
            && let Some(oldest) = self.order.pop_front()
        {
            self.states.remove(&oldest);
        }
    }

    /// It was not taken: its sender may try again.
    pub(crate) fn failed(&mut self, key: u128) {
        if self.states.get(&key) == Some(&State::UnderWay) {
            self.states.remove(&key);
        }
    }

    /// Keys that only frames below `lsn` hold, oldest first: they must be written again before the journal is trimmed.
    pub(crate) fn due(&self, lsn: Lsn) -> Vec<u128> {
        let below = |key: &&u128| matches!(self.states.get(*key), Some(State::Stored(home)) if *home < lsn);
        self.order.iter().filter(below).copied().collect()
    }
}
