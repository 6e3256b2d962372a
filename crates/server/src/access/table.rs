//! What is kept of tenants and their tokens, as it stands in the file. Knows nothing of requests.

use std::collections::{BTreeMap, BTreeSet};

use sawlog_model::{Nanos, Right, Tenant};
use serde::{Deserialize, Serialize};

use super::limits::Limits;
use super::token::{Digested, same};
use super::users::{Session, User};

/// The name of the tenant that owns the node; it is always there.
pub(crate) const OWNER: &str = "default";

/// Most tenants, and most tokens of one.
const MOST_TENANTS: usize = 100_000;
const MOST_TOKENS: usize = 10_000;

/// Longest name of a tenant or token, bytes.
const NAME_MOST: usize = 200;

/// What a token allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Send.
    Ingest,
    /// Search.
    Read,
    /// Both, and change what people share.
    Write,
    /// All that concerns its tenant; of the tenant that owns the node, all that concerns the node.
    Admin,
}

impl Role {
    /// Every role, the lowest first.
    pub const ALL: [Role; 4] = [Role::Ingest, Role::Read, Role::Write, Role::Admin];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Role::Ingest => "ingest",
            Role::Read => "read",
            Role::Write => "write",
            Role::Admin => "admin",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether it allows something to who acts for `tenant`.
    pub(crate) fn allows(self, right: Right, tenant: Tenant) -> bool {
        match right {
            Right::Ingest => self != Role::Read,
            Right::Read => self != Role::Ingest,
            Right::Write => matches!(self, Role::Write | Role::Admin),
            Right::Admin => self == Role::Admin,
            Right::Node => self == Role::Admin && tenant == Tenant::DEFAULT,
        }
    }
}

/// A tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// By which it is named everywhere.
    pub(crate) name: String,
    /// What people call it; empty where that is the name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) created: Nanos,
    /// What it may bring, hold and ask.
    #[serde(default, skip_serializing_if = "is_unlimited")]
    pub(crate) limits: Limits,
    /// What Meniscus's API keeps of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) meniscus: Option<Meniscus>,
}

fn is_unlimited(limits: &Limits) -> bool {
    *limits == Limits::default()
}

/// What Meniscus's API keeps of a tenant. Its tokens stand here as they are, since that API gives them back; they allow nothing
/// but to send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Meniscus {
    pub(crate) valid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<String>,
    pub(crate) last_changed: Nanos,
    /// The highest number of a producer that was ever given.
    #[serde(default)]
    pub(crate) last: u32,
    #[serde(default)]
    pub(crate) producers: BTreeMap<u32, Producer>,
}

/// An event producer of Meniscus's API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Producer {
    pub(crate) name: String,
    pub(crate) pattern: String,
    #[serde(default)]
    pub(crate) durable: bool,
    #[serde(default)]
    pub(crate) encrypted: bool,
    #[serde(default)]
    pub(crate) sinks: Vec<String>,
}

impl Meniscus {
    /// One with a new token.
    pub(crate) fn new(token: String, now: Nanos) -> Self {
        Meniscus { valid: token, last_changed: now, ..Meniscus::default() }
    }

    /// Whether a token is the valid one or the one before.
    pub(crate) fn admits(&self, shown: &[u8]) -> bool {
        let previous = self.previous.as_ref().is_some_and(|one| same(one.as_bytes(), shown));
        same(self.valid.as_bytes(), shown) | previous
    }

    /// The producer of that name.
    pub(crate) fn producer(&self, name: &str) -> Option<(u32, &Producer)> {
        let found = self.producers.iter().find(|(_, producer)| producer.name == name);
        found.map(|(number, producer)| (*number, producer))
    }
}

/// A token, without what would let somebody use it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Token {
    pub(crate) tenant: u32,
    /// What it is for.
    pub(crate) name: String,
    pub(crate) role: Role,
    /// SHA-256, hexadecimal.
    pub(crate) digest: String,
    pub(crate) created: Nanos,
    /// From when on it is worth nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<Nanos>,
    /// What may be sent with it.
    #[serde(default, skip_serializing_if = "is_unlimited")]
    pub(crate) limits: Limits,
    /// The one that it took the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<Previous>,
}

/// A token that another took the place of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Previous {
    pub(crate) digest: String,
    /// Until when it still holds.
    pub(crate) until: Nanos,
}

impl Token {
    /// Whether this is the token, or the one before while that holds, and it has not expired.
    pub(crate) fn is(&self, shown: &Digested, now: Nanos) -> bool {
        let is = |digest: &str| Digested::read(digest).is_some_and(|kept| kept.is(shown));
        let current = is(&self.digest);
        let previous = self.previous.as_ref().is_some_and(|one| is(&one.digest) && now < one.until);
        (current | previous) && self.expires.is_none_or(|expires| now < expires)
    }
}

/// All tenants and tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    /// Whether anything was ever configured: from then on credentials are asked for, also when all of it is gone.
    #[serde(default)]
    asks: bool,
    /// The highest number that was ever given: one is never given again, so that nobody finds another's data.
    #[serde(default)]
    last: u32,
    /// What numbers that are given out are sealed with, hexadecimal; empty until the first of them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) seal: String,
    /// By number; the one that owns the node has 0 and stands here only where something is set of it.
    #[serde(default)]
    pub(crate) tenants: BTreeMap<u32, Entry>,
    /// Numbers of tenants that were removed and of which something may be left.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) going: BTreeSet<u32>,
    /// By id.
    #[serde(default)]
    pub(crate) tokens: BTreeMap<String, Token>,
    /// By name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) users: BTreeMap<String, User>,
    /// By id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) sessions: BTreeMap<String, Session>,
}

impl Table {
    /// From now on credentials are asked for.
    pub(super) fn ask(&mut self) {
        self.asks = true;
    }

    /// Whether credentials are asked for.
    pub(crate) fn asks(&self) -> bool {
        self.asks
    }

    /// The tenant of that name.
    pub(crate) fn tenant(&self, name: &str) -> Option<Tenant> {
        if name == OWNER {
            return Some(Tenant::DEFAULT);
        }
        self.tenants.iter().find(|(_, entry)| entry.name == name).map(|(number, _)| Tenant(*number))
    }

    /// What is kept of a tenant; made where nothing is yet.
    pub(crate) fn entry(&mut self, tenant: Tenant) -> &mut Entry {
        let new = || Entry { name: OWNER.to_owned(), ..Entry::default() };
        self.tenants.entry(tenant.0).or_insert_with(new)
    }

    /// Its name.
    pub(crate) fn name(&self, tenant: Tenant) -> &str {
        match self.tenants.get(&tenant.0) {
            Some(entry) => &entry.name,
            None => OWNER,
        }
    }

    /// Makes a tenant.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(crate) fn add_tenant(&mut self, name: &str, title: &str, now: Nanos) -> Result<Tenant, String> {
        check_name("tenant", name)?;
        if title.len() > NAME_MOST {
            return Err(format!("a tenant's title has up to {NAME_MOST} bytes"));
        }
        if self.tenant(name).is_some() {
            return Err(format!("there is a tenant {name:?} already"));
        }
        if self.tenants.len() >= MOST_TENANTS {
            return Err(format!("there are at most {MOST_TENANTS} tenants"));
        }
        self.asks = true;
        self.last += 1;
        let entry =
            Entry { name: name.to_owned(), title: title.to_owned(), created: now, ..Entry::default() };
        self.tenants.insert(self.last, entry);
        Ok(Tenant(self.last))
    }

    /// Takes a tenant away with its tokens.
    ///
    /// # Errors
    /// Where there is none, or it owns the node.
    pub(crate) fn remove_tenant(&mut self, name: &str) -> Result<Tenant, String> {
        match self.tenant(name) {
            None => Err(format!("there is no tenant {name:?}")),
            Some(Tenant::DEFAULT) => Err(format!("{OWNER:?} owns the node and stays")),
            Some(tenant) => {
                self.tenants.remove(&tenant.0);
                self.going.insert(tenant.0);
                self.tokens.retain(|_, token| token.tenant != tenant.0);
                self.leave_tenant(tenant);
                Ok(tenant)
            }
        }
    }

    /// Adds a token.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(crate) fn add_token(&mut self, id: String, token: Token) -> Result<(), String> {
        check_name("token", &token.name)?;
        if self.tokens.values().filter(|have| have.tenant == token.tenant).count() >= MOST_TOKENS {
            return Err(format!("a tenant has at most {MOST_TOKENS} tokens"));
        }
        self.asks = true;
        self.tokens.insert(id, token);
        Ok(())
    }

    /// The token of that id, of that tenant.
    ///
    /// # Errors
    /// Where there is none.
    pub(crate) fn token(&mut self, id: &str, tenant: Tenant) -> Result<&mut Token, String> {
        let found = self.tokens.get_mut(id).filter(|token| token.tenant == tenant.0);
        found.ok_or_else(|| format!("there is no token {id:?}"))
    }
}

pub(super) fn check_name(what: &str, name: &str) -> Result<(), String> {
    if name.trim().is_empty() || name.len() > NAME_MOST || name.chars().any(char::is_control) {
        return Err(format!(
            "{name:?} cannot be the name of a {what}: write up to {NAME_MOST} bytes without control characters"
        ));
    }
    Ok(())
}
