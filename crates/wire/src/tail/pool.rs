//! Buffers that files are read into: while there is much to read, one that its rows no longer need is used again, since
//! memory that is new to the process costs more than to read into it. Knows nothing of files or rows.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Length of buffers that are used again, bytes.
pub(crate) const BUFFER: usize = 288 << 10;
/// A shorter buffer is made as long as it is to be, and given back to the system.
const LEAST: usize = BUFFER / 2;
/// Most buffers that wait to be used again.
const KEPT: usize = 16;

#[derive(Default)]
struct State {
    free: Vec<Vec<u8>>,
    /// Whether anything is being read: otherwise nothing is kept.
    busy: bool,
}

/// Shared by all who read.
#[derive(Clone, Default)]
pub(crate) struct Pool(Arc<Mutex<State>>);

/// A buffer to be filled.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    len: usize,
    pool: Option<Pool>,
}

impl Pool {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A buffer of that length, with anything in it.
    pub(crate) fn take(&self, len: usize) -> Buffer {
        if !(LEAST..=BUFFER).contains(&len) {
            return Buffer { bytes: vec![0; len], len, pool: None };
        }
        let free = {
            let mut state = self.state();
            state.busy = true;
            state.free.pop()
        };
        Buffer { bytes: free.unwrap_or_else(|| vec![0; BUFFER]), len, pool: Some(self.clone()) }
    }

    /// Gives all that waits back to the system, until a buffer is taken again.
    pub(crate) fn rest(&self) {
        let mut state = self.state();
        state.busy = false;
        state.free = Vec::new();
    }
}

impl Buffer {
    /// The first `len` of its bytes, to be shared; it is free again when nobody has any of them.
    pub(crate) fn freeze(mut self, len: usize) -> Bytes {
        self.len = self.len.min(len);
        Bytes::from_owner(self)
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(pool) = self.pool.take() else { return };
        let mut state = pool.state();
        if state.busy && state.free.len() < KEPT {
            state.free.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_once_nobody_has_any_of_it() {
        let pool = Pool::default();
        let mut buffer = pool.take(BUFFER - 1);
        buffer[0] = 7;
        let place = buffer.as_ptr();
        let bytes = buffer.freeze(10);
        assert_eq!((bytes.len(), bytes[0]), (10, 7));
        let part = bytes.slice(0..1);
        drop(bytes);
        assert_ne!(pool.take(BUFFER).as_ptr(), place);
        drop(part);
        let others: Vec<Buffer> = (0..2).map(|_| pool.take(BUFFER)).collect();
        assert!(others.iter().any(|buffer| buffer.as_ptr() == place));
    }

    #[test]
    fn at_rest_nothing_is_kept_and_small_ones_never_are() {
        let pool = Pool::default();
        let (large, late) = (pool.take(BUFFER), pool.take(BUFFER));
        drop((large, pool.take(10), pool.take(BUFFER + 1)));
        assert_eq!(pool.state().free.len(), 1);
        pool.rest();
        drop(late);
        assert_eq!(pool.state().free.len(), 0);
    }
}
