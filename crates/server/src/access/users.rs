//! People: a name, a password, a role in each of their tenants, and the sessions by which a browser stays one of them. Knows nothing of
//! HTTP.

use std::collections::BTreeMap;
use std::time::Duration;

use sawlog_model::{Nanos, Over, Tenant};
use serde::{Deserialize, Serialize};

use super::password::{BY_NAME, BY_PEER, Password};
use super::table::{Table, check_name};
use super::token::{self, Digested};
use super::{Made, Role, Tenancy};
use crate::kept::ChangeError;

/// Most users, and most sessions of one; of more the oldest ends.
const MOST_USERS: usize = 100_000;
const MOST_SESSIONS: usize = 20;

/// Somebody with a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct User {
    pub(crate) password: Password,
    pub(crate) created: Nanos,
    /// By number of the tenant.
    pub(crate) roles: BTreeMap<u32, Role>,
}

/// A browser that somebody signed in with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    pub(crate) user: String,
    /// For which of the user's tenants it acts where none is named.
    pub(crate) tenant: u32,
    /// SHA-256 of what the browser shows, hexadecimal.
    digest: String,
    pub(crate) expires: Nanos,
}

impl Session {
    /// Whether this is what was shown, and it still holds.
    pub(crate) fn is(&self, shown: &Digested, now: Nanos) -> bool {
        Digested::read(&self.digest).is_some_and(|kept| kept.is(shown)) && now < self.expires
    }
}

/// Who changes users: the administrator of one tenant, or of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct By {
    pub(crate) tenant: Tenant,
    /// Whether it is who owns the node.
    pub(crate) owns: bool,
}

impl Table {
    /// The user, where that administrator may change all of it: one of a tenant only those who are in no other.
    fn user_of(&mut self, name: &str, by: By) -> Result<&mut User, String> {
        let all = |user: &User| by.owns || user.roles.keys().all(|number| *number == by.tenant.0);
        let known = |user: &User| by.owns || user.roles.contains_key(&by.tenant.0);
        match self.users.get_mut(name).filter(|user| known(user)) {
            None => Err(format!("there is no user {name:?}")),
            Some(user) if all(user) => Ok(user),
            Some(_) => Err(format!("{name:?} is also in other tenants: who owns the node can do that")),
        }
    }

    /// Ends every session of a user.
    fn end_sessions(&mut self, name: &str) {
        self.sessions.retain(|_, session| session.user != name);
    }

    /// Takes a role away, and the user with the last one.
    fn take_role(&mut self, name: &str, tenant: u32) {
        let Some(user) = self.users.get_mut(name) else { return };
        user.roles.remove(&tenant);
        if user.roles.is_empty() {
            self.users.remove(name);
            self.end_sessions(name);
        } else {
            self.sessions.retain(|_, session| session.user != name || session.tenant != tenant);
        }
    }

    /// Takes every role in a tenant away.
    pub(super) fn leave_tenant(&mut self, tenant: Tenant) {
        let members: Vec<String> = self
            .users
            .iter()
            .filter(|(_, user)| user.roles.contains_key(&tenant.0))
            .map(|(name, _)| name.clone())
            .collect();
        members.iter().for_each(|name| self.take_role(name, tenant.0));
    }
}

/// A name or password was wrong, or there were too many of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoLogin {
    /// It is not said which.
    Wrong,
    /// Too many attempts.
    TooMany(Over),
    /// It could not be kept.
    Disk(String),
}

impl Tenancy {
    /// Makes a user, or gives one that is there another role.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn add_user(
        &self,
        name: &str,
        password: Option<&str>,
        tenant: &str,
        role: Role,
    ) -> Result<(), ChangeError> {
        self.add_user_by(By { tenant: Tenant::DEFAULT, owns: true }, name, password, (tenant, role))
    }

    /// The same, by an administrator; one of a tenant makes new ones only.
    pub(crate) fn add_user_by(
        &self,
        by: By,
        name: &str,
        password: Option<&str>,
        (tenant, role): (&str, Role),
    ) -> Result<(), ChangeError> {
        check_name("user", name).map_err(ChangeError::Wrong)?;
        let random = &*self.0.sys.random;
        let password =
            password.map(|text| Password::new(text, random)).transpose().map_err(ChangeError::Wrong)?;
        let now = self.now();
        self.change(|table| {
            let tenant = table.tenant(tenant).ok_or_else(|| format!("there is no tenant {tenant:?}"))?;
            let count = table.users.len();
            match (table.users.get_mut(name), password) {
                (Some(user), None) if by.owns => drop(user.roles.insert(tenant.0, role)),
                (Some(user), None) if user.roles.contains_key(&tenant.0) => {
                    user.roles.insert(tenant.0, role);
                }
                (Some(_), _) => return Err(format!("there is a user {name:?} already")),
                (None, None) => return Err(format!("there is no user {name:?}; a new one needs a password")),
                (None, Some(_)) if count >= MOST_USERS => {
                    return Err(format!("there are at most {MOST_USERS} users"));
                }
                (None, Some(password)) => {
                    let roles = BTreeMap::from([(tenant.0, role)]);
                    table.users.insert(name.to_owned(), User { password, created: now, roles });
                    table.ask();
                }
            }
            Ok(())
        })
    }

    /// Sets a user's password and ends every session of the one before.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn set_password(&self, name: &str, password: &str) -> Result<(), ChangeError> {
        self.set_password_by(By { tenant: Tenant::DEFAULT, owns: true }, name, password)
    }

    pub(crate) fn set_password_by(&self, by: By, name: &str, password: &str) -> Result<(), ChangeError> {
        let new = Password::new(password, &*self.0.sys.random).map_err(ChangeError::Wrong)?;
        self.change(|table| {
            table.user_of(name, by)?.password = new;
            table.end_sessions(name);
            Ok(())
        })
    }

    /// Takes a user away with its sessions.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn remove_user(&self, name: &str) -> Result<(), ChangeError> {
        self.remove_user_by(By { tenant: Tenant::DEFAULT, owns: true }, name)
    }

    /// The same, by an administrator; one of a tenant takes the role there, and the user with the last role.
    pub(crate) fn remove_user_by(&self, by: By, name: &str) -> Result<(), ChangeError> {
        self.change(|table| {
            let theirs = |user: &User| by.owns || user.roles.contains_key(&by.tenant.0);
            if !table.users.get(name).is_some_and(theirs) {
                return Err(format!("there is no user {name:?}"));
            }
            if by.owns {
                table.users.remove(name);
                table.end_sessions(name);
            } else {
                table.take_role(name, by.tenant.0);
            }
            Ok(())
        })
    }

    /// Names of users with the names of their tenants and their roles there: all, or those of one tenant with the role in that.
    pub fn users(&self, only: Option<Tenant>) -> Vec<(String, Vec<(String, Role)>)> {
        let table = self.read();
        let shown = |number: u32| only.is_none_or(|only| only.0 == number);
        let users = table.users.iter().map(|(name, user)| {
            let roles = user.roles.iter().filter(|(number, _)| shown(**number));
            let roles = roles.map(|(number, role)| (table.name(Tenant(*number)).to_owned(), *role));
            (name.clone(), roles.collect::<Vec<_>>())
        });
        users.filter(|(_, roles)| !roles.is_empty()).collect()
    }

    /// Whether this is the user's password; takes its time, and no more attempts than there may be.
    ///
    /// # Errors
    /// [`NoLogin`].
    pub(crate) fn check_password(&self, name: &str, password: &str, peer: &str) -> Result<(), NoLogin> {
        let now = self.0.sys.clock.monotonic();
        let (by_name, by_peer) = (format!("name {name}"), format!("peer {peer}"));
        for (who, rate) in [(&by_peer, BY_PEER), (&by_name, BY_NAME)] {
            self.0.attempts.take(who, rate, now).map_err(|wait| {
                let reason = "too many attempts to sign in (login_attempts)".to_owned();
                NoLogin::TooMany(Over { reason, wait: wait.max(Duration::from_secs(1)) })
            })?;
        }
        let kept = self.read().users.get(name).map(|user| user.password.clone());
        if !kept.unwrap_or_else(Password::none).is(password) {
            return Err(NoLogin::Wrong);
        }
        self.0.attempts.give(&by_name);
        self.0.attempts.give(&by_peer);
        Ok(())
    }

    /// Makes a session of a user whose password was right, for `keep` nanoseconds; it acts for the tenant of that name, else for the
    /// first of the user's.
    ///
    /// # Errors
    /// [`NoLogin`]; where the user is not in the tenant, as where the password is wrong.
    pub(crate) fn open_session(&self, name: &str, tenant: &str, keep: Nanos) -> Result<Made, NoLogin> {
        let (random, now) = (&*self.0.sys.random, self.now());
        let id = token::new_id(random);
        let made = Made { token: token::make(&id, random), id };
        let changed = self.change(|table| {
            let named = table.tenant(tenant).filter(|_| !tenant.is_empty());
            let user = table.users.get(name).ok_or_else(String::new)?;
            let first = user.roles.keys().next().copied();
            let tenant = if tenant.is_empty() { first } else { named.map(|tenant| tenant.0) };
            let tenant = tenant.filter(|number| user.roles.contains_key(number)).ok_or_else(String::new)?;
            table.sessions.retain(|_, session| now < session.expires);
            let ours = || table.sessions.iter().filter(|(_, session)| session.user == name);
            let oldest = ours().min_by_key(|(_, session)| session.expires).map(|(id, _)| id.clone());
            if ours().count() >= MOST_SESSIONS {
                oldest.map(|id| table.sessions.remove(&id));
            }
            let digest = Digested::of(made.token.as_bytes()).hex();
            let session =
                Session { user: name.to_owned(), tenant, digest, expires: now.saturating_add(keep) };
            table.sessions.insert(made.id.clone(), session);
            Ok(())
        });
        match changed {
            Ok(()) => Ok(made),
            Err(ChangeError::Wrong(_)) => Err(NoLogin::Wrong),
            Err(ChangeError::Disk(words)) => Err(NoLogin::Disk(words)),
        }
    }

    /// Ends the session that a browser shows.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub(crate) fn close_session(&self, shown: &[u8]) -> Result<(), ChangeError> {
        let now = self.now();
        let Some(id) = token::id_of(shown).map(str::to_owned) else { return Ok(()) };
        let theirs = self.read().sessions.get(&id).is_some_and(|one| one.is(&Digested::of(shown), now));
        if !theirs {
            return Ok(());
        }
        self.change(|table| {
            table.sessions.remove(&id);
            Ok(())
        })
    }

    /// The user of the session that was shown.
    pub(crate) fn user(&self, shown: &[u8]) -> Option<String> {
        let table = self.read();
        Some(session(&table, shown, self.now())?.user.clone())
    }
}

/// The session that was shown, while it holds.
fn session<'a>(table: &'a Table, shown: &[u8], now: Nanos) -> Option<&'a Session> {
    let session = table.sessions.get(token::id_of(shown)?)?;
    session.is(&Digested::of(shown), now).then_some(session)
}

/// For which tenant a session acts and in which role: in `named`, else in its own.
pub(super) fn role_of(
    table: &Table,
    shown: &[u8],
    named: Option<Tenant>,
    now: Nanos,
) -> Option<(Tenant, Role)> {
    let session = session(table, shown, now)?;
    let tenant = named.unwrap_or(Tenant(session.tenant));
    let role = table.users.get(&session.user)?.roles.get(&tenant.0)?;
    Some((tenant, *role))
}
