//! The contract of a filter: a step between inputs and outputs that changes, adds or drops rows. Knows nothing of where rows
//! come from and go to.

use std::sync::Arc;

use sawlog_model::Batch;

/// A step between inputs and outputs. It may be asked about the same batch more than once (for an output that reads it back
/// from the journal), also by several threads at once.
pub trait Filter: Send + Sync {
    /// What becomes of a batch. A batch that stays as it is should be given back as it is, without a copy. Rows that stay keep
    /// their addresses and order; a row whose line is rendered anew is marked [`sawlog_model::Marks::MADE`].
    fn apply(&self, batch: Arc<Batch>) -> Filtered;
}

/// What a filter made of a batch.
pub struct Filtered {
    /// Rows that go on; may be none.
    pub batch: Arc<Batch>,
    /// Rows that could not be worked on; they go to the label `@ERROR` where there is one, else they are counted.
    pub failed: Option<Failed>,
    /// What went wrong with rows that go on all the same; it is counted.
    pub told: Vec<Told>,
}

/// What went wrong with rows that go on all the same.
pub struct Told {
    /// How many rows.
    pub count: u64,
    /// One of few fixed words, for counters.
    pub reason: &'static str,
    /// The last one's words.
    pub detail: String,
}

/// Rows that a filter could not work on.
pub struct Failed {
    /// As they came.
    pub batch: Arc<Batch>,
    /// One of few fixed words, for counters.
    pub reason: &'static str,
    /// The last one's words.
    pub detail: String,
}

impl From<Arc<Batch>> for Filtered {
    fn from(batch: Arc<Batch>) -> Self {
        Filtered { batch, failed: None, told: Vec::new() }
    }
}
