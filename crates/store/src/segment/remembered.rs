//! How many rows of each row group passed the last questions: a segment never changes, so that who asks again is answered without
//! reading. Knows nothing of how rows are counted.

use std::sync::atomic::{AtomicU64, Ordering};

use sawlog_model::Predicate;

use super::lately::Lately;

/// Longer questions are not kept, bytes: what all open segments remember must stay small.
const LONGEST: usize = 256;

/// What is not counted yet.
const UNKNOWN: u64 = u64::MAX;

/// Counts of the last questions.
pub(super) struct Remembered {
    groups: usize,
    /// By the question as it is printed, which is what tests are compared by.
    counts: Lately<String, Vec<AtomicU64>>,
}

impl Remembered {
    /// For so many groups.
    pub(super) fn new(groups: usize) -> Remembered {
        Remembered { groups, counts: Lately::default() }
    }

    /// How many rows of a group pass, as it is remembered or else as `count` says.
    pub(super) fn get_or<E>(
        &self,
        predicate: &Predicate,
        group: usize,
        count: impl FnOnce() -> Result<u64, E>,
    ) -> Result<u64, E> {
        let question = format!("{predicate:?}");
        if question.len() > LONGEST {
            return count();
        }
        let unknown = || (0..self.groups).map(|_| AtomicU64::new(UNKNOWN)).collect();
        let counts = self.counts.get(question, unknown);
        let Some(place) = counts.get(group) else { return count() };
        match place.load(Ordering::Relaxed) {
            UNKNOWN => {
                let counted = count()?;
                place.store(counted, Ordering::Relaxed);
                Ok(counted)
            }
            known => Ok(known),
        }
    }
}
