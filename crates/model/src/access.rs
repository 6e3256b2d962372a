//! Who may do what: tenants, and the door that turns a credential into a tenant and its rights. Knows nothing of HTTP
//! or of how tokens are kept: `server` implements [`Access`] over its tables, the agent with a static one.

use std::fmt;

/// A tenant: minted once, names the directory its data lie in. The name people give it lives in the catalogue.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Tenant(pub u32);

impl Tenant {
    /// The tenant of a node on which none is configured.
    pub const DEFAULT: Tenant = Tenant(0);
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a credential allows. A higher right includes the lower ones, except that `Ingest` and `Read` stand side by
/// side: a sender need not be able to read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Right {
    /// May send events.
    Ingest,
    /// May search, tail and export.
    Read,
    /// May change settings and delete, and all of the above.
    Admin,
}

/// Turns what a sender or reader showed into the tenant it acts for.
pub trait Access: Send + Sync {
    /// The tenant that `credential` (a token; empty where none was shown) may act for with `right`.
    ///
    /// # Errors
    /// [`AccessError`] where there is no such credential or it lacks the right; the two are not told apart to callers.
    fn admit(&self, credential: &[u8], right: Right) -> Result<Tenant, AccessError>;
}

/// The credential is missing, unknown, expired or lacks the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this credential does not allow that; send a valid token")]
pub struct AccessError;
