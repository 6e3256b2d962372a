//! One budget of memory for everything that may ask for much of it: rows that are not in segments yet, decoded blocks,
//! compaction, questions. A tree: what is taken from a share is taken from all above it, too, so that the sum never passes
//! the number at the root, and a share that somebody was promised is there when he comes. Counts what it is told; knows
//! nothing of what the bytes are for.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[cfg(test)]
mod tests;

/// A share of the budget, or all of it; cheap to clone.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Share>);

#[derive(Debug)]
struct Share {
    name: String,
    /// Bytes that it may hold.
    most: u64,
    /// Bytes that nobody else may hold, used or not.
    kept: u64,
    parent: Option<Memory>,
    held: Mutex<u64>,
    given_back: Arc<GivenBack>,
}

/// Tells those who wait that something was given back: how often that happened.
#[derive(Debug, Default)]
struct GivenBack {
    times: Mutex<u64>,
    signal: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    /// A budget of so many bytes; `name` is what errors call it.
    pub fn new(name: &str, most: u64) -> Memory {
        Memory(Arc::new(Share {
            name: name.to_owned(),
            most,
            kept: 0,
            parent: None,
            held: Mutex::new(0),
            given_back: Arc::default(),
        }))
    }

    /// A share that may hold up to `most` bytes, of which `kept` are its own from now on, whoever else asks.
    pub fn share(&self, name: &str, most: u64, kept: u64) -> Memory {
        let kept = kept.min(most);
        self.grow(kept, true).unwrap_or_default();
        Memory(Arc::new(Share {
            name: name.to_owned(),
            most,
            kept,
            parent: Some(self.clone()),
            held: Mutex::new(0),
            given_back: self.0.given_back.clone(),
        }))
    }

    /// What errors and the status call it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Bytes that it may hold.
    pub fn most(&self) -> u64 {
        self.0.most
    }

    /// Bytes that it holds now; of one with shares, also what these were promised.
    pub fn held(&self) -> u64 {
        *lock(&self.0.held)
    }

    /// Bytes that can be taken now.
    pub fn free(&self) -> u64 {
        let held = self.held();
        let above = self.0.parent.as_ref().map_or(u64::MAX, Memory::free);
        let promised = self.0.kept.saturating_sub(held);
        self.0.most.saturating_sub(held).min(above.saturating_add(promised))
    }

    /// Takes bytes until what is returned is dropped.
    ///
    /// # Errors
    /// [`Full`] where they are not there.
    pub fn take(&self, bytes: u64) -> Result<Held, Full> {
        let mut held = self.hold();
        held.try_resize(bytes)?;
        Ok(held)
    }

    /// As [`Memory::take`], but waits as long as others give something back within `time`.
    ///
    /// # Errors
    /// [`Full`] where they then are not there; at once where they never can be.
    pub fn take_within(&self, bytes: u64, time: Duration) -> Result<Held, Full> {
        let given_back = &self.0.given_back;
        let mut seen = *lock(&given_back.times);
        loop {
            match self.take(bytes) {
                Err(full) if bytes <= self.0.most => {
                    let times = lock(&given_back.times);
                    let waited = given_back.signal.wait_timeout_while(times, time, |times| *times == seen);
                    let (times, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                    if timeout.timed_out() {
                        return Err(full);
                    }
                    seen = *times;
                }
                taken => return taken,
            }
        }
    }

    /// Nothing yet, to be grown.
    pub fn hold(&self) -> Held {
        Held { of: self.clone(), bytes: 0 }
    }

    /// Counts bytes more. With `anyhow` also where they are not there: for what is in memory already.
    fn grow(&self, bytes: u64, anyhow: bool) -> Result<(), Full> {
        let share = &self.0;
        let mut held = lock(&share.held);
        let after = held.saturating_add(bytes);
        if after > share.most && !anyhow {
            return Err(Full { share: share.name.clone(), wanted: bytes, most: share.most, held: *held });
        }
        if let Some(parent) = &share.parent {
            parent.grow(after.max(share.kept) - (*held).max(share.kept), anyhow)?;
        }
        *held = after;
        Ok(())
    }

    fn shrink(&self, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let share = &self.0;
        let mut held = lock(&share.held);
        let after = held.saturating_sub(bytes);
        if let Some(parent) = &share.parent {
            parent.shrink((*held).max(share.kept) - after.max(share.kept));
        }
        *held = after;
        drop(held);
        if share.parent.is_none() {
            *lock(&share.given_back.times) += 1;
            share.given_back.signal.notify_all();
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some(parent) = &self.parent {
            parent.shrink(self.kept);
        }
    }
}

/// Bytes that somebody holds; given back when it is dropped.
#[derive(Debug)]
pub struct Held {
    of: Memory,
    bytes: u64,
}

impl Held {
    /// How many.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Holds so many from now on.
    ///
    /// # Errors
    /// [`Full`] where there are not so many; it then holds what it held.
    pub fn try_resize(&mut self, bytes: u64) -> Result<(), Full> {
        if bytes > self.bytes {
            self.of.grow(bytes - self.bytes, false)?;
        } else {
            self.of.shrink(self.bytes - bytes);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Holds so many from now on, whether they are there or not: others then get less.
    pub fn resize(&mut self, bytes: u64) {
        if bytes > self.bytes {
            self.of.grow(bytes - self.bytes, true).unwrap_or_default();
        } else {
            self.of.shrink(self.bytes - bytes);
        }
        self.bytes = bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.of.shrink(self.bytes);
    }
}

/// A share has not the bytes that were wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Full {
    /// Which share.
    pub share: String,
    /// Bytes that were wanted.
    pub wanted: u64,
    /// Bytes that it may hold.
    pub most: u64,
    /// Bytes that it held.
    pub held: u64,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        write!(
            f,
            "{} may hold {:.1} MiB and holds {:.1}, {:.1} more were wanted",
            self.share,
            mib(self.most),
            mib(self.held),
            mib(self.wanted)
        )
    }
}

impl std::error::Error for Full {}

/// How much of its share somebody holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Who.
    pub name: String,
    /// Bytes held now.
    pub held: u64,
    /// Bytes that he may hold.
    pub most: u64,
}

impl From<&Memory> for Usage {
    fn from(share: &Memory) -> Usage {
        Usage { name: share.name().to_owned(), held: share.held(), most: share.most() }
    }
}
