//! The contract of an output.

use std::sync::Arc;
use std::time::Duration;

use sawlog_journal::Lsn;
use sawlog_model::{Batch, KnownSource, Position, SourceId, Tenant};

/// How a batch comes to an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From a file that can be read again, not journaled; `0` is where its source stands after the batch.
    Replayable(Position),
    /// From the journal frame at `at`; the next one stands at `next`. `position` where the rows are a file's.
    Journal {
        /// Position of the frame.
        at: Lsn,
        /// Position of the frame after it.
        next: Lsn,
        /// Where the source stands after the batch.
        position: Option<Position>,
    },
}

/// An output cannot take a batch.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OutputError {
    /// For now: try again.
    #[error("{0}")]
    Later(String),
    /// For good: the batch goes to the output's dead letters. Rows that came as [`Origin::Replayable`] do not count as held by
    /// that; they come again from the journal, and what is refused then does.
    #[error("{0}")]
    Refused(String),
    /// As `Refused`, for some of its rows; it has the others.
    #[error("{reason}")]
    RefusedRows {
        /// In words.
        reason: String,
        /// Places of the refused rows in the batch, growing.
        rows: Vec<usize>,
    },
}

/// How an output fails that tries by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// Tries in vain since something last succeeded.
    pub tries: u32,
    /// When the first of them was, by the node's monotonic clock.
    pub since: Duration,
    /// The last one's words.
    pub reason: String,
}

/// Where rows go.
pub trait Output: Send + Sync {
    /// Its name, as status and errors call it; where it was made for a configuration, [`crate::Env::name`].
    fn name(&self) -> &str;
    /// Takes a batch; may block while it is behind. Taking is not yet holding for good: see [`Output::cursor`].
    ///
    /// The batch may have no rows: routing and filters left none for this output. Then only what `origin` says moves, and
    /// nothing is to be written or sent.
    ///
    /// # Errors
    /// [`OutputError`].
    fn take(&self, batch: Arc<Batch>, origin: Origin) -> Result<(), OutputError>;
    /// Rows of `tenant` that were taken as [`Origin::Replayable`] are now also in the journal frame at `at`.
    fn journaled(&self, tenant: Tenant, at: Lsn, next: Lsn);
    /// Position in the journal below which it holds everything for good.
    fn cursor(&self) -> Lsn;
    /// Sources with the positions up to which it holds them for good.
    fn known_sources(&self) -> Vec<KnownSource>;
    /// Epoch and offset up to which it holds the rows of one source for good.
    fn committed(&self, source: SourceId) -> Option<(u32, u64)> {
        let known = self.known_sources();
        known.iter().find(|known| known.source.id == source).map(|known| known.position.mark())
    }
    /// Whether [`Output::cursor`] and [`Output::known_sources`] outlive a restart by themselves, as those of a store do.
    /// For an output that says no (a sender to another node) the pipeline keeps both in the journal, and does not wait
    /// for it before it acknowledges.
    fn keeps_positions(&self) -> bool {
        true
    }
    /// Of the records that it took, those that it gave to a receiver that acknowledges nothing, where others would.
    fn best_effort(&self) -> u64 {
        0
    }
    /// For an output that goes on trying by itself after it has taken a batch: how it fails at that now. When that is too
    /// often or too long by the configuration, [`Output::forget`] is called.
    fn failing(&self) -> Option<Failing> {
        None
    }
    /// Rows of journal frames below `below` that it took and does not hold for good have been put elsewhere, since it took too
    /// long: it forgets them, and its cursor is `below` from then on. What it has of other rows (taken as [`Origin::Replayable`] and not yet journaled) it keeps.
    fn forget(&self, below: Lsn) {
        let _ = below;
    }
    /// Makes it hold everything for good that it has taken, where it can.
    ///
    /// # Errors
    /// [`OutputError`].
    fn flush(&self) -> Result<(), OutputError>;
}
