//! Ids of messages that were taken lately (forward's `chunk`, HTTP's `Idempotency-Key`), so that one sent again after a
//! lost acknowledgement is not taken twice. It is kept in memory and filled at the start with the keys that the journal
//! holds. Knows nothing of what is in a message.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// Ids that are remembered.
const REMEMBERED: usize = 65_536;

/// The ids of an input; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Window(Arc<Mutex<Ids>>);

#[derive(Default)]
struct Ids {
    known: HashMap<u128, State>,
    /// Those that were taken, oldest first.
    taken: VecDeque<u128>,
}

enum State {
    Taken,
    /// On its way; tells whether it was taken.
    Pending(watch::Receiver<Option<bool>>),
}

/// What to do with a message.
pub(crate) enum Verdict {
    /// It is new: deliver it, and then say so.
    New(Ticket),
    /// It was taken: acknowledge it.
    Taken,
    /// The same message is on its way: wait for that one.
    Pending(watch::Receiver<Option<bool>>),
}

/// The right and duty to deliver a message. Dropped without [`Ticket::taken`], the message may be delivered again.
pub(crate) struct Ticket {
    window: Window,
    id: u128,
    told: watch::Sender<Option<bool>>,
}

impl Window {
    /// A window that remembers these ids, oldest first.
    pub(crate) fn new(taken: &[u128]) -> Self {
        let window = Window::default();
        let mut ids = window.ids();
        ids.known = taken.iter().map(|id| (*id, State::Taken)).collect();
        ids.taken = taken.iter().copied().collect();
        drop(ids);
        window
    }

    /// The id of a message whose sender gave it the last of `parts`; the others tell senders apart.
    pub(crate) fn id(parts: &[&[u8]]) -> u128 {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        for part in parts {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.digest128()
    }

    /// Asks what to do with a message.
    pub(crate) fn ask(&self, id: u128) -> Verdict {
        let mut ids = self.ids();
        match ids.known.get(&id) {
            Some(State::Taken) => Verdict::Taken,
            Some(State::Pending(outcome)) => Verdict::Pending(outcome.clone()),
            None => {
                let (told, outcome) = watch::channel(None);
                ids.known.insert(id, State::Pending(outcome));
                Verdict::New(Ticket { window: self.clone(), id, told })
            }
        }
    }

    fn ids(&self) -> std::sync::MutexGuard<'_, Ids> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// The id of its message, to be journaled with it.
    pub(crate) fn id(&self) -> u128 {
        self.id
    }

    /// The message is on stable storage.
    pub(crate) fn taken(self) {
        let mut ids = self.window.ids();
        ids.known.insert(self.id, State::Taken);
        ids.taken.push_back(self.id);
        if ids.taken.len() > REMEMBERED
            && let Some(oldest) = ids.taken.pop_front()
        {
            ids.known.remove(&oldest);
        }
        drop(ids);
        self.told.send_replace(Some(true));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if *self.told.borrow() == Some(true) {
            return;
        }
        self.window.ids().known.remove(&self.id);
        self.told.send_replace(Some(false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_pending_taken_and_at_last_forgotten() {
        let window = Window::default();
        let Verdict::New(first) = window.ask(0) else { panic!("new") };
        let Verdict::Pending(outcome) = window.ask(0) else { panic!("pending") };
        drop(first);
        assert_eq!(*outcome.borrow(), Some(false), "who waits is told of the failure");
        let Verdict::New(second) = window.ask(0) else { panic!("new again") };
        let Verdict::Pending(outcome) = window.ask(0) else { panic!("pending") };
        second.taken();
        assert_eq!(*outcome.borrow(), Some(true));
        for id in 1..REMEMBERED as u128 {
            let Verdict::New(ticket) = window.ask(id) else { panic!("new") };
            ticket.taken();
        }
        assert!(matches!(window.ask(0), Verdict::Taken));
        let Verdict::New(ticket) = window.ask(u128::MAX) else { panic!("new") };
        ticket.taken();
        assert!(matches!(window.ask(0), Verdict::New(_)), "the oldest is forgotten");
        assert_eq!(window.ids().known.len(), REMEMBERED);
    }

    #[test]
    fn ids_are_told_apart_by_every_part() {
        let ids = [("h", "t", "c"), ("ht", "", "c"), ("h", "tc", ""), ("g", "t", "c")]
            .map(|(host, tag, chunk)| Window::id(&[host.as_bytes(), tag.as_bytes(), chunk.as_bytes()]));
        assert_eq!(std::collections::HashSet::from(ids).len(), 4);
    }
}
