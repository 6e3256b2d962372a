//! Who may do what: tenants, and the door that turns a credential into a tenant and its rights. Knows nothing of HTTP
//! or of how tokens are kept: `server` implements [`Access`] over its tables, the agent with a static one.

use std::fmt;
use std::sync::Arc;

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
    /// May change what a tenant's people share (loggers, shortcuts), and all of the above.
    Write,
    /// May give and take the tenant's tokens, and all of the above.
    Admin,
    /// May change the node itself: its tenants, their limits, its configuration, its end. Of those that have `Admin`, the
    /// ones of the tenant that owns the node.
    Node,
}

/// Turns what a sender or reader showed into the tenant it acts for.
pub trait Access: Send + Sync {
    /// The tenant that `credential` (a token; empty where none was shown) may act for with `right`.
    ///
    /// # Errors
    /// [`AccessError`] where there is no such credential or it lacks the right; the two are not told apart to callers.
    fn admit(&self, credential: &[u8], right: Right) -> Result<Tenant, AccessError>;

    /// The tenant of that name.
    fn tenant(&self, name: &str) -> Option<Tenant> {
        (name == "default").then_some(Tenant::DEFAULT)
    }

    /// As [`Access::admit`], where the tenant is named beside its credential.
    ///
    /// # Errors
    /// As [`Access::admit`], also where there is no such tenant or the credential is another's.
    fn admit_to(&self, tenant: &str, credential: &[u8], right: Right) -> Result<Tenant, AccessError> {
        let admitted = self.admit(credential, right)?;
        if self.tenant(tenant) == Some(admitted) { Ok(admitted) } else { Err(AccessError) }
    }

    /// The id of a credential that was admitted, where limits may be its own; it is no secret.
    fn token_of(&self, _credential: &[u8]) -> Option<Arc<str>> {
        None
    }

    /// The event producer of a tenant that a message is of; `None` where it is of none.
    fn correlate(&self, _tenant: Tenant, _message: &Message<'_>) -> Option<Correlation> {
        None
    }

    /// Whether credentials are asked for. Where they are not, what looks like one in a message is data.
    fn asks(&self) -> bool {
        false
    }
}

/// Whose rows are, where a message says it itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bringer {
    /// The tenant.
    pub tenant: Tenant,
    /// Id of the token that says so, as [`Access::token_of`] gives it.
    pub token: Option<Arc<str>>,
}

/// What of a message says which producer it is of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Message<'a> {
    /// The program that wrote it.
    pub program: &'a str,
    /// The host that it comes from.
    pub host: &'a str,
    /// Its text.
    pub text: &'a [u8],
}

/// The event producer that a message is of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Correlation {
    /// Its number.
    pub number: u32,
    /// What its messages are like; also the name of a parser, where there is one.
    pub pattern: String,
    /// What the parser of that name finds in the text.
    pub fields: Vec<(String, crate::Value)>,
    /// Whether its messages come and go over TLS only.
    pub encrypted: bool,
}

/// The tag of rows of producers with that pattern.
pub fn correlation_tag(pattern: &str) -> String {
    let fits = |char: char| if char.is_alphanumeric() || matches!(char, '-' | '_') { char } else { '_' };
    format!("meniscus.{}", pattern.chars().map(fits).take(100).collect::<String>())
}

/// What an input without a credential of its own is given: its senders act for one tenant. One that shows a credential acts
/// for the tenant of that, where the configuration names no other.
pub struct For {
    inner: Arc<dyn Access>,
    tenant: Tenant,
    only: bool,
}

impl For {
    /// Senders act for the tenant of that name; for the one that owns the node, or that of their credential, where it is
    /// empty.
    ///
    /// # Errors
    /// In words, where there is no such tenant.
    pub fn named(inner: Arc<dyn Access>, name: &str) -> Result<For, String> {
        let tenant = match name {
            "" => Tenant::DEFAULT,
            name => inner.tenant(name).ok_or_else(|| {
                format!("there is no tenant {name:?}; make it with `sawlog tenant add`, or mend `tenant`")
            })?,
        };
        Ok(For { inner, tenant, only: !name.is_empty() })
    }
}

impl Access for For {
    fn admit(&self, credential: &[u8], right: Right) -> Result<Tenant, AccessError> {
        if credential.is_empty() {
            return if right == Right::Ingest { Ok(self.tenant) } else { Err(AccessError) };
        }
        let admitted = self.inner.admit(credential, right)?;
        if self.only && admitted != self.tenant { Err(AccessError) } else { Ok(admitted) }
    }

    fn tenant(&self, name: &str) -> Option<Tenant> {
        self.inner.tenant(name)
    }

    fn admit_to(&self, tenant: &str, credential: &[u8], right: Right) -> Result<Tenant, AccessError> {
        let admitted = self.inner.admit_to(tenant, credential, right)?;
        if self.only && admitted != self.tenant { Err(AccessError) } else { Ok(admitted) }
    }

    fn token_of(&self, credential: &[u8]) -> Option<Arc<str>> {
        self.inner.token_of(credential)
    }

    fn correlate(&self, tenant: Tenant, message: &Message<'_>) -> Option<Correlation> {
        self.inner.correlate(tenant, message)
    }

    fn asks(&self) -> bool {
        self.inner.asks()
    }
}

/// The credential is missing, unknown, expired or lacks the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this credential does not allow that; send a valid token")]
pub struct AccessError;

#[cfg(test)]
mod tests {
    use super::*;

    /// Two tenants, whose tokens are their names.
    struct Two;

    impl Access for Two {
        fn admit(&self, credential: &[u8], _right: Right) -> Result<Tenant, AccessError> {
            std::str::from_utf8(credential).ok().and_then(|name| self.tenant(name)).ok_or(AccessError)
        }

        fn tenant(&self, name: &str) -> Option<Tenant> {
            [("a", Tenant(1)), ("b", Tenant(2))].into_iter().find(|(have, _)| *have == name).map(|(_, id)| id)
        }
    }

    #[test]
    fn senders_act_for_the_tenant_of_their_input() {
        let access = For::named(Arc::new(Two), "a").expect("there is one");
        assert_eq!(access.admit(b"", Right::Ingest), Ok(Tenant(1)));
        assert_eq!(access.admit(b"a", Right::Ingest), Ok(Tenant(1)));
        assert_eq!(access.admit(b"b", Right::Ingest), Err(AccessError), "another's credential");
        assert_eq!(access.admit_to("b", b"b", Right::Ingest), Err(AccessError));
        assert_eq!(access.admit(b"", Right::Read), Err(AccessError), "an input gives nothing to read");
        assert!(For::named(Arc::new(Two), "c").is_err());
    }

    #[test]
    fn senders_to_an_input_of_nobody_act_for_the_tenant_of_their_credential() {
        let access = For::named(Arc::new(Two), "").expect("none is asked for");
        assert_eq!(access.admit(b"", Right::Ingest), Ok(Tenant::DEFAULT));
        assert_eq!(access.admit_to("b", b"b", Right::Ingest), Ok(Tenant(2)));
        assert_eq!(access.admit_to("a", b"b", Right::Ingest), Err(AccessError));
        assert_eq!(access.admit(b"c", Right::Ingest), Err(AccessError));
    }
}
