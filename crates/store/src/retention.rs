//! Retention by age: a segment goes when its youngest row is too old. Knows nothing of rows; compaction leaves out the
//! single ones, and scans hide them before either.

use std::sync::Arc;

use sawlog_model::Nanos;

use crate::StoreError;
use crate::catalogue::Change;
use crate::engine::{Engine, lock};
use crate::handle::Handle;

/// The wall clock may go ahead of the monotonic one by so much before nothing is deleted on its word.
const CLOCK_SLACK: Nanos = 3_600 * sawlog_model::time::SECOND;

impl Engine {
    /// Rows older than this may be deleted. A clock that jumped ahead while the store was open deletes nothing.
    pub fn deletion_horizon(&self) -> Nanos {
        let (wall, monotonic) = self.started;
        let passed = self.sys.clock.monotonic().saturating_sub(monotonic).as_nanos() as Nanos;
        let jumped = self.sys.clock.now().saturating_sub(wall.saturating_add(passed)) > CLOCK_SLACK;
        if jumped { Nanos::MIN } else { self.horizon() }
    }

    /// Drops segments all of whose rows are too old; returns whether there were any.
    pub fn expire(&self) -> Result<bool, StoreError> {
        let horizon = self.deletion_horizon();
        if horizon == Nanos::MIN {
            return Ok(false);
        }
        let _one_at_a_time = lock(&self.merging);
        let too_old = |handle: &&Arc<Handle>| handle.entry.newest < horizon;
        let removed: Vec<u64> = lock(&self.live)
            .segments
            .values()
            .flat_map(|list| list.iter())
            .filter(too_old)
            .map(|handle| handle.entry.number)
            .collect();
        if removed.is_empty() {
            return Ok(false);
        }
        self.commit(Change { removed, ..Change::default() }, Vec::new(), |_| ())?;
        Ok(true)
    }
}
