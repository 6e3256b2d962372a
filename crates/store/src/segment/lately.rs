//! Answers that were given lately, for what is asked of one thing again and again: a dictionary or an index for one row
//! group after the other. Knows nothing of what is asked.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

/// Most answers that are kept.
const KEPT: usize = 32;

/// Questions with their answers, the last first.
type Answers<K, V> = VecDeque<(K, Arc<V>)>;

/// The last answers.
#[derive(Debug)]
pub(super) struct Lately<K, V> {
    last: Arc<Mutex<Answers<K, V>>>,
}

impl<K, V> Clone for Lately<K, V> {
    fn clone(&self) -> Self {
        Lately { last: self.last.clone() }
    }
}

impl<K, V> Default for Lately<K, V> {
    fn default() -> Self {
        Lately { last: Arc::default() }
    }
}

impl<K: PartialEq, V> Lately<K, V> {
    /// What `find` gives, or gave before for this key.
    pub(super) fn get(&self, key: K, find: impl FnOnce() -> V) -> Arc<V> {
        match self.try_get(key, || Ok::<V, Infallible>(find())) {
            Ok(found) => found,
        }
    }

    /// The same where it may fail.
    pub(super) fn try_get<E>(&self, key: K, find: impl FnOnce() -> Result<V, E>) -> Result<Arc<V>, E> {
        let lock = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = lock().iter().find(|(have, _)| *have == key) {
            return Ok(found.clone());
        }
        let found = Arc::new(find()?);
        let mut last = lock();
        last.push_front((key, found.clone()));
        last.truncate(KEPT);
        Ok(found)
    }
}
