//! Who may do what: tenants, tokens and users, in one file of the data directory. In reading order: this file (asking and changing),
//! `table` (what is kept), `token` (what is given out), `users`, `password`, `meter` (limits and counts). Knows nothing of HTTP.

mod correlate;
mod limits;
mod meter;
mod password;
mod table;
#[cfg(test)]
mod tests;
mod token;
mod users;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use sawlog_model::time::SECOND;
use sawlog_model::{
    Access, AccessError, Batch, Correlation, Message, Meter, Nanos, Normalizers, Over, Predicate, Right,
    TOKEN, Tenant, Test, TimeRange,
};
use sawlog_sys::{Open, Sys};
use tokio::sync::OwnedSemaphorePermit;

pub(crate) use self::limits::Limits;
use self::meter::Meters;
pub use self::meter::Named;
pub(crate) use self::meter::{Day, Turn, Usage};
use self::password::Attempts;
use self::table::Previous;
pub use self::table::Role;
pub(crate) use self::table::{Entry, Meniscus, OWNER, Producer, Table, Token};
use self::token::Digested;
pub(crate) use self::token::{same, uuid};
pub(crate) use self::users::{By, NoLogin};
use crate::keeping::TooOld;
use crate::kept::{ChangeError, Kept};

/// Its name in the data directory.
const FILE: &str = "access.json";

/// The tenants of a node and their tokens; cheap to clone. Without any, everybody may do everything as the one tenant there is.
#[derive(Clone)]
pub struct Tenancy(Arc<Inner>);

struct Inner {
    sys: Sys,
    data: PathBuf,
    file: Kept,
    table: RwLock<Table>,
    meters: Meters,
    /// Parsers that producers' patterns may name.
    normalizers: OnceLock<Normalizers>,
    attempts: Attempts,
    /// What the commands of who owns the data directory show.
    owner: OnceLock<Digested>,
}

/// A token that was just made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// By which it is named in lists.
    pub id: String,
    /// The token itself: it is not kept, and cannot be shown again.
    pub token: String,
}

impl Tenancy {
    /// Those of a data directory.
    ///
    /// # Errors
    /// Where the file cannot be read, in words.
    pub fn open(sys: &Sys, data: &Path) -> Result<Tenancy, String> {
        let file = Kept::new(sys, data, FILE);
        let table = RwLock::new(file.read("without tenants and tokens")?);
        let meters = Meters::open(sys, data)?;
        let tenancy = Tenancy(Arc::new(Inner {
            sys: sys.clone(),
            data: data.to_owned(),
            file,
            table,
            meters,
            normalizers: OnceLock::new(),
            attempts: Attempts::default(),
            owner: OnceLock::new(),
        }));
        tenancy.limit();
        Ok(tenancy)
    }

    /// Messages are read by these where a producer's pattern is the name of one. The first that are given count.
    pub fn read_with(&self, normalizers: Normalizers) {
        let _ = self.0.normalizers.set(normalizers);
    }

    /// All there is now.
    pub(crate) fn table(&self) -> Table {
        self.read().clone()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Table> {
        self.0.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Nanos {
        self.0.sys.clock.now()
    }

    /// Lets the limits of the table hold.
    fn limit(&self) {
        let table = self.read();
        for (number, entry) in &table.tenants {
            self.0.meters.limit(Tenant(*number), entry.limits);
        }
        let tokens = table.tokens.iter().filter(|(_, token)| token.limits != Limits::default());
        self.0.meters.limit_tokens(tokens.map(|(id, token)| (id.clone(), token.limits)).collect());
    }

    /// Sets limits of a tenant.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub(crate) fn set_limits(
        &self,
        name: &str,
        set: impl FnOnce(&mut Limits) -> Result<(), String>,
    ) -> Result<(), ChangeError> {
        self.change(|table| {
            let tenant = table.tenant(name).ok_or_else(|| format!("there is no tenant {name:?}"))?;
            set(&mut table.entry(tenant).limits)
        })?;
        self.limit();
        Ok(())
    }

    /// Sets what may be sent and asked with a token.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub(crate) fn limit_token(&self, tenant: Tenant, id: &str, limits: Limits) -> Result<(), ChangeError> {
        self.change(|table| {
            table.token(id, tenant)?.limits = limits;
            Ok(())
        })?;
        self.limit();
        Ok(())
    }

    /// Whether whoever shows this credential may send anything now for a tenant.
    ///
    /// # Errors
    /// [`Over`].
    pub(crate) fn room(&self, tenant: Tenant, credential: &[u8]) -> Result<(), Over> {
        self.0.meters.room(tenant, token::id_of(credential))
    }

    /// Waits before a tenant is told that it is at a limit.
    pub(crate) async fn pause(&self, tenant: Tenant) {
        self.0.meters.pause(tenant).await;
    }

    /// What the table has of something.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&Table) -> T) -> T {
        look(&self.read())
    }

    /// Waits until a body of a tenant may be worked on; dropped, the next one may.
    pub(crate) async fn sending(&self, tenant: Tenant) -> Option<OwnedSemaphorePermit> {
        self.0.meters.sending(tenant).await
    }

    /// The turn of a question of a tenant, asked with that credential.
    pub(crate) fn turn(&self, tenant: Tenant, credential: &[u8]) -> Option<Turn> {
        self.0.meters.turn(tenant, token::id_of(credential))
    }

    /// What tenants did in the last days, the latest first: by number.
    pub(crate) fn usage(&self, days: u64) -> Result<Vec<(String, Day)>, String> {
        self.0.meters.days(days)
    }

    /// Tenants that have a limit, as `of` gives it, with that.
    fn limited(&self, of: impl Fn(&Limits) -> u64) -> Vec<(Tenant, u64)> {
        let table = self.read();
        let all = table.tenants.iter().map(|(number, entry)| (Tenant(*number), of(&entry.limits)));
        all.filter(|(_, limit)| *limit > 0).collect()
    }

    /// Tokens that say how long or how much of what came with them is kept or may be there.
    pub fn keeping(&self) -> Vec<Keeping> {
        let table = self.read();
        let all = table.tokens.iter().filter(|(_, token)| token.limits.marks());
        let keeping = all.map(|(id, token)| Keeping {
            tenant: Tenant(token.tenant),
            token: id.clone(),
            predicate: Predicate::Field(TOKEN.to_owned(), Test::Is(id.clone())),
            bytes: token.limits.keep_bytes,
            stored_bytes: token.limits.stored_bytes,
        });
        keeping.collect()
    }

    /// Takes note of whether rows of a token take more bytes than they may.
    pub fn weigh_token(&self, token: &str, full: bool) {
        self.0.meters.stored_by(token, full);
    }

    /// Takes note of sources and fields of each tenant that may have only so many; to be called at the start and now and then.
    pub fn name(&self, named: impl Fn(Tenant) -> Named) {
        for (tenant, _) in self.limited(|limits| limits.sources.max(limits.fields)) {
            self.0.meters.learn(tenant, &named(tenant));
        }
    }

    /// How many bytes of segments tenants keep that have a size of their own.
    pub fn sizes(&self) -> HashMap<Tenant, u64> {
        self.limited(|limits| limits.keep_bytes).into_iter().collect()
    }

    /// What tenants no longer keep, who keep rows for so many seconds. The answer is the same for a hundredth of that time, so that
    /// what is done for it is not done all the time.
    pub fn too_old(&self, now: Nanos) -> Vec<TooOld> {
        let old = |(tenant, seconds, predicate): (Tenant, u64, Predicate)| {
            let keep = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(SECOND);
            let step = (keep / 100).max(SECOND);
            let end = now.saturating_sub(keep).div_euclid(step).saturating_mul(step);
            TooOld { tenant, range: TimeRange { start: Nanos::MIN, end }, predicate }
        };
        let of_tenants = self.limited(|limits| limits.keep_seconds).into_iter();
        let of_tenants = of_tenants.map(|(tenant, seconds)| (tenant, seconds, Predicate::All));
        let of_tokens = self.keeping().into_iter().filter_map(|keeping| {
            let seconds = self.read().tokens.get(&keeping.token)?.limits.keep_seconds;
            (seconds > 0).then_some((keeping.tenant, seconds, keeping.predicate))
        });
        of_tenants.chain(of_tokens).map(old).collect()
    }

    /// Whether there is such a tenant.
    pub fn has(&self, tenant: Tenant) -> bool {
        tenant == Tenant::DEFAULT || self.read().tenants.contains_key(&tenant.0)
    }

    /// Forgets what a tenant did that is there no more.
    ///
    /// # Errors
    /// In words; it can be called again.
    pub fn forget(&self, tenant: Tenant) -> Result<(), String> {
        self.0.meters.forget(tenant)
    }

    /// Tenants that were removed and of which something may be left.
    pub fn removed(&self) -> Vec<Tenant> {
        self.read().going.iter().copied().map(Tenant).collect()
    }

    /// Nothing is left of these.
    ///
    /// # Errors
    /// In words, where that cannot be written; it can be called again.
    pub fn purged(&self, gone: &[Tenant]) -> Result<(), String> {
        if !gone.iter().any(|tenant| self.read().going.contains(&tenant.0)) {
            return Ok(());
        }
        let changed = self.change(|table| {
            table.going.retain(|number| !gone.contains(&Tenant(*number)));
            Ok(())
        });
        changed.map_err(|error| error.to_string())
    }

    /// Takes note of what each tenant with a limit of it holds on disk, as `stored` says; to be called now and then.
    pub fn weigh(&self, stored: impl Fn(Tenant) -> u64) {
        for (tenant, _) in self.limited(|limits| limits.stored_bytes) {
            self.0.meters.stored(tenant, stored(tenant));
        }
    }

    /// Puts the counts of the day on disk; to be called every few seconds.
    ///
    /// # Errors
    /// In words; the counts are then kept in memory.
    pub fn save(&self) -> Result<(), String> {
        self.0.meters.save()
    }

    /// Changes what there is; it is on stable storage when this returns, else nothing has changed.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut Table) -> Result<T, String>,
    ) -> Result<T, ChangeError> {
        let mut table = self.0.table.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = table.clone();
        let given = change(&mut changed).map_err(ChangeError::Wrong)?;
        self.0.file.write(&changed).map_err(ChangeError::Disk)?;
        *table = changed;
        Ok(given)
    }

    /// A credential that holds while this value lives, for the commands of who owns the data directory.
    pub fn owner_token(&self) -> String {
        let token = token::make("node", &*self.0.sys.random);
        // The first one holds; a node asks once.
        let _ = self.0.owner.set(Digested::of(token.as_bytes()));
        token
    }

    /// Makes those of `names` that are missing, and a first token for who owns the node where there is none that may change it.
    ///
    /// # Errors
    /// In words.
    pub fn ensure(&self, names: &[String]) -> Result<Option<Made>, String> {
        let now = self.now();
        let (asks, missing) = {
            let table = self.read();
            // All names at once: looking for each among ten thousand takes a tenth of a second.
            let known: HashSet<&str> = table.tenants.values().map(|entry| &*entry.name).collect();
            let is_new = |name: &&String| *name != OWNER && !known.contains(name.as_str());
            let missing: Vec<&String> = names.iter().filter(is_new).collect();
            let keeps = |token: &Token| token.role.allows(Right::Node, Tenant(token.tenant));
            let kept = table.tokens.values().any(keeps);
            if missing.is_empty() && (kept || (names.is_empty() && !table.asks())) {
                return Ok(None);
            }
            (!kept, missing.into_iter().cloned().collect::<Vec<_>>())
        };
        let made = self.change(|table| {
            for name in &missing {
                table.add_tenant(name, "", now)?;
            }
            let first = NewToken { name: "first".to_owned(), role: Role::Admin, expires: None };
            asks.then(|| self.put(table, Tenant::DEFAULT, first)).transpose()
        });
        made.map_err(|error| error.to_string())
    }

    /// Leaves the first token in a file that only the node's own user can read, for whoever takes it from there: what is printed
    /// stands in logs of the system for ever. The file's path.
    ///
    /// # Errors
    /// In words.
    pub fn leave(&self, first: &Made) -> Result<PathBuf, String> {
        let path = self.0.data.join("first-token");
        let fs = &self.0.sys.fs;
        let written = || {
            let file = fs.open(&path, Open::Create)?;
            fs.set_mode(&path, 0o600)?;
            file.set_len(0)?;
            file.write_at(format!("{}\n", first.token).as_bytes(), 0)?;
            file.sync()
        };
        written().map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    /// Makes a token in a table.
    pub(crate) fn put(&self, table: &mut Table, tenant: Tenant, new: NewToken) -> Result<Made, String> {
        let (random, now) = (&*self.0.sys.random, self.now());
        if new.expires.is_some_and(|expires| expires <= now) {
            return Err("it would have expired already".to_owned());
        }
        let id = token::new_id(random);
        let made = Made { token: token::make(&id, random), id };
        let NewToken { name, role, expires } = new;
        let digest = Digested::of(made.token.as_bytes()).hex();
        let kept = Token {
            tenant: tenant.0,
            name,
            role,
            digest,
            created: now,
            expires,
            limits: Limits::default(),
            previous: None,
        };
        table.add_token(made.id.clone(), kept)?;
        Ok(made)
    }

    /// Makes a tenant.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn add_tenant(&self, name: &str, title: &str) -> Result<Tenant, ChangeError> {
        let now = self.now();
        self.change(|table| table.add_tenant(name, title, now))
    }

    /// Makes a token of a tenant.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn add_token(&self, tenant: &str, new: NewToken) -> Result<Made, ChangeError> {
        self.change(|table| {
            let found = table.tenant(tenant).ok_or_else(|| format!("there is no tenant {tenant:?}"))?;
            self.put(table, found, new)
        })
    }

    /// Makes a token in the place of one, which still holds for `keep` nanoseconds.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub(crate) fn rotate(&self, tenant: Tenant, id: &str, keep: Nanos) -> Result<Made, ChangeError> {
        let now = self.now();
        self.change(|table| {
            let kept = table.token(id, tenant)?;
            let token = token::make(id, &*self.0.sys.random);
            let digest = std::mem::replace(&mut kept.digest, Digested::of(token.as_bytes()).hex());
            kept.previous = Some(Previous { digest, until: now.saturating_add(keep) });
            Ok(Made { id: id.to_owned(), token })
        })
    }

    /// The role of a credential and the tenant that it is of; of none where nothing is asked for.
    fn role(&self, credential: &[u8]) -> Option<(Tenant, Role)> {
        let shown = Digested::of(credential);
        if self.0.owner.get().is_some_and(|owner| owner.is(&shown)) {
            return Some((Tenant::DEFAULT, Role::Admin));
        }
        let table = self.read();
        if !table.asks() {
            return Some((Tenant::DEFAULT, Role::Admin));
        }
        let Some(token) = table.tokens.get(token::id_of(credential)?) else {
            return users::role_of(&table, credential, None, self.now());
        };
        token.is(&shown, self.now()).then_some((Tenant(token.tenant), token.role))
    }

    /// What a credential is good for: name of the tenant, and role.
    pub(crate) fn describe(&self, credential: &[u8]) -> Option<(String, Role)> {
        let (tenant, role) = self.role(credential)?;
        Some((self.read().name(tenant).to_owned(), role))
    }
}

/// What a new token is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// What it is for.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// From when on it is worth nothing; `None` for never.
    pub expires: Option<Nanos>,
}

/// What a token says of the rows that came with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Keeping {
    /// Whose rows.
    pub tenant: Tenant,
    /// Id of the token.
    pub token: String,
    /// The rows.
    pub predicate: Predicate,
    /// Bytes of segments that are kept of them; 0 for all.
    pub bytes: u64,
    /// Bytes of segments above which no more of them are taken; 0 for no bound.
    pub stored_bytes: u64,
}

impl Meter for Tenancy {
    fn names(&self, token: Option<&str>, batch: &Batch) -> Result<(), Over> {
        if !self.has(batch.tenant) {
            let reason = format!("the tenant {} was removed", batch.tenant);
            return Err(Over { reason, wait: Duration::from_secs(10) });
        }
        self.0.meters.names(token, batch)
    }

    fn bring(&self, tenant: Tenant, token: Option<&str>, records: u64, bytes: u64) -> Result<(), Over> {
        self.0.meters.bring(tenant, token, records, bytes)
    }

    fn marks(&self, token: &str) -> bool {
        self.0.meters.marks(token)
    }
}

impl Access for Tenancy {
    fn admit(&self, credential: &[u8], right: Right) -> Result<Tenant, AccessError> {
        let (tenant, role) = self.role(credential).ok_or(AccessError)?;
        if role.allows(right, tenant) { Ok(tenant) } else { Err(AccessError) }
    }

    fn tenant(&self, name: &str) -> Option<Tenant> {
        self.read().tenant(name)
    }

    fn admit_to(&self, name: &str, credential: &[u8], right: Right) -> Result<Tenant, AccessError> {
        let table = self.read();
        let tenant = table.tenant(name).ok_or(AccessError)?;
        let kept = table.tenants.get(&tenant.0).and_then(|entry| entry.meniscus.as_ref());
        if right == Right::Ingest && kept.is_some_and(|kept| kept.admits(credential)) {
            return Ok(tenant);
        }
        // A session is of somebody who may be in several tenants.
        if let Some((_, role)) = users::role_of(&table, credential, Some(tenant), self.now()) {
            return if role.allows(right, tenant) { Ok(tenant) } else { Err(AccessError) };
        }
        drop(table);
        if self.admit(credential, right)? == tenant { Ok(tenant) } else { Err(AccessError) }
    }

    fn token_of(&self, credential: &[u8]) -> Option<Arc<str>> {
        let id = token::id_of(credential)?;
        self.read().tokens.contains_key(id).then(|| id.into())
    }

    fn correlate(&self, tenant: Tenant, message: &Message<'_>) -> Option<Correlation> {
        let table = self.read();
        let kept = table.tenants.get(&tenant.0)?.meniscus.as_ref()?;
        correlate::find(kept, self.0.normalizers.get(), message)
    }

    fn asks(&self) -> bool {
        self.read().asks()
    }
}
