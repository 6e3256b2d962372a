//! What tenants bring, counted and bounded. Knows nothing of how it is kept.

use std::time::Duration;

use crate::{Batch, Tenant};

/// Counts what tenants bring, and says when it is too much.
pub trait Meter: Send + Sync {
    /// Rows of a tenant are about to be taken, that came with the token of that id. They are counted as taken where it says yes.
    ///
    /// # Errors
    /// [`Over`]: they are not to be taken now, and are not counted.
    fn bring(&self, tenant: Tenant, token: Option<&str>, records: u64, bytes: u64) -> Result<(), Over>;

    /// Whether the source of these rows and the names of their fields may be there for their tenant, and for the token; asked
    /// before [`Meter::bring`].
    ///
    /// # Errors
    /// [`Over`]: one of them is new, and there are as many as may be.
    fn names(&self, token: Option<&str>, batch: &Batch) -> Result<(), Over> {
        let _ = (token, batch);
        Ok(())
    }

    /// Whether rows that came with the token bear its id as [`TOKEN`], since they are kept as it says.
    fn marks(&self, token: &str) -> bool {
        let _ = token;
        false
    }
}

/// Name in the context of rows that are kept as their token says: its id. It is one of ours: what a sender calls so is kept by
/// another name.
pub const TOKEN: &str = "_token";

/// A tenant is at one of its limits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Over {
    /// Which, in a sentence.
    pub reason: String,
    /// After which time it is worth to ask again.
    pub wait: Duration,
}
