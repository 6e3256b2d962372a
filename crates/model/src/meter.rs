//! What tenants bring, counted and bounded. Knows nothing of how it is kept.

use std::time::Duration;

use crate::{Batch, Tenant};

/// Counts what tenants bring, and says when it is too much.
pub trait Meter: Send + Sync {
    /// Rows of a tenant are about to be taken. They are counted as taken where it says yes.
    ///
    /// # Errors
    /// [`Over`]: they are not to be taken now, and are not counted.
    fn bring(&self, tenant: Tenant, records: u64, bytes: u64) -> Result<(), Over>;

    /// Whether the source of these rows and the names of their fields may be there for their tenant; asked before
    /// [`Meter::bring`].
    ///
    /// # Errors
    /// [`Over`]: one of them is new, and there are as many as may be.
    fn names(&self, batch: &Batch) -> Result<(), Over> {
        let _ = batch;
        Ok(())
    }
}

/// A tenant is at one of its limits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Over {
    /// Which, in a sentence.
    pub reason: String,
    /// After which time it is worth to ask again.
    pub wait: Duration,
}
