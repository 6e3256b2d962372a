//! The memory of long messages and of their lines, to be used again once their rows are gone: memory that is new to the process costs more
//! than what is done with it. Shared by all connections, and bounded. Knows nothing of messages.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

/// Most bytes that wait to be used again.
const MOST: usize = 4 << 20;

#[derive(Default)]
struct State {
    messages: VecDeque<Bytes>,
    bytes: usize,
}

/// Messages, some of which somebody still reads.
#[derive(Default)]
pub(super) struct Recycle(Mutex<State>);

impl Recycle {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers the memory of a message; of the oldest no longer, where that is too much.
    pub(super) fn keep(&self, message: &Bytes) {
        if message.len() > MOST {
            return;
        }
        let mut state = self.state();
        state.bytes += message.len();
        state.messages.push_back(message.clone());
        while state.bytes > MOST {
            let Some(oldest) = state.messages.pop_front() else { return };
            state.bytes -= oldest.len();
        }
    }

    /// A buffer of such memory that nobody else has any more, emptied.
    pub(super) fn take(&self) -> Option<BytesMut> {
        let mut state = self.state();
        let at = state.messages.iter().position(Bytes::is_unique)?;
        let message = state.messages.remove(at)?;
        state.bytes -= message.len();
        drop(state);
        let mut buffer = message.try_into_mut().ok()?;
        buffer.clear();
        Some(buffer)
    }

    /// An emptied buffer for so many bytes, of such memory where there is some.
    pub(super) fn take_vec(&self, len: usize) -> Vec<u8> {
        let mut buffer = self.take().map_or_else(Vec::new, Vec::from);
        buffer.reserve(len);
        buffer
    }

    /// Gives all of it back to the system.
    pub(super) fn clear(&self) {
        *self.state() = State::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(len: usize) -> Bytes {
        let mut buffer = BytesMut::with_capacity(len);
        buffer.resize(len, 7);
        buffer.split_to(len).freeze()
    }

    #[test]
    fn memory_is_used_again_once_nobody_reads_it() {
        let (recycle, one, other) = (Recycle::default(), message(1000), message(2000));
        recycle.keep(&one);
        recycle.keep(&other);
        assert!(recycle.take().is_none());
        let rows = other.slice(10..20);
        drop(other);
        assert!(recycle.take().is_none(), "some of it is read");
        let place = one.as_ptr();
        drop(one);
        let buffer = recycle.take().expect("nobody reads the first");
        assert_eq!((buffer.as_ptr(), buffer.len(), buffer.capacity()), (place, 0, 1000));
        drop(rows);
        assert_eq!(recycle.take().map(|buffer| buffer.capacity()), Some(2000));
        let lines = Bytes::from(vec![7; 500]);
        let place = lines.as_ptr();
        recycle.keep(&lines);
        drop(lines);
        let buffer = recycle.take_vec(400);
        assert_eq!((buffer.as_ptr(), buffer.len(), buffer.capacity()), (place, 0, 500));
        assert_eq!(recycle.state().bytes, 0);
    }

    #[test]
    fn it_is_bounded() {
        let recycle = Recycle::default();
        (0..10).for_each(|_| recycle.keep(&message(MOST / 4)));
        recycle.keep(&message(MOST + 1));
        let state = recycle.state();
        assert_eq!((state.messages.len(), state.bytes), (4, MOST));
        drop(state);
        recycle.clear();
        assert!(recycle.take().is_none());
    }
}
