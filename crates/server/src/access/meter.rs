//! Limits of tenants, and what each brought and asked, by day. Counts stand in memory and go to a file of their day now and then
//! (`usage/2026-11-21.json`), so that a crash loses the counts of ten seconds and no more. Knows nothing of HTTP.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use sawlog_model::time::{SECOND, rfc3339};
use sawlog_model::{Batch, Nanos, Over, Tenant};
use sawlog_sys::Sys;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::Limits;
use crate::kept::Kept;

/// What a tenant did in a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Records that were taken.
    pub records: u64,
    /// Bytes of their lines.
    pub bytes: u64,
    /// Records that were refused or put off since it was at a limit.
    pub limited: u64,
    /// Questions that were answered.
    pub queries: u64,
    /// Time that they took, milliseconds.
    pub query_millis: u64,
}

/// How long a burst above the rate may be, seconds.
const BURST: f64 = 2.0;

/// What is left of a rate.
#[derive(Default)]
struct Bucket {
    level: f64,
    filled: Option<Duration>,
}

impl Bucket {
    /// Adds what has come since the last time; how long until there is something, where there is nothing.
    fn fill(&mut self, rate: u64, now: Duration) -> Result<(), Duration> {
        if rate == 0 {
            *self = Bucket::default();
            return Ok(());
        }
        let rate = rate as f64;
        self.level = match self.filled {
            None => rate * BURST,
            Some(filled) => (self.level + rate * now.saturating_sub(filled).as_secs_f64()).min(rate * BURST),
        };
        self.filled = Some(now);
        if self.level > 0.0 {
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.level) / rate))
    }

    /// Takes out; it may go below nothing, so that what is larger than a burst passes at all.
    fn take(&mut self, count: u64) {
        if self.filled.is_some() {
            self.level -= count as f64;
        }
    }
}

/// One tenant's.
struct Gauge {
    limits: RwLock<Limits>,
    rates: Mutex<(Bucket, Bucket)>,
    stored: AtomicU64,
    asking: Arc<Semaphore>,
    /// When the last question was refused, milliseconds of the monotonic clock; 0 for never.
    refused: AtomicU64,
    /// Refusals that wait.
    pausing: AtomicU64,
    sending: Arc<Semaphore>,
    usage: Mutex<Usage>,
    /// Hashes of sources and of names of fields that there are, where they are bounded.
    names: Mutex<Names>,
}

/// What there is by name.
#[derive(Default)]
struct Names {
    sources: HashSet<u64>,
    fields: HashSet<u64>,
}

/// What a tenant has by name, as the store has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Ids of sources.
    pub sources: Vec<u128>,
    /// Names of fields.
    pub fields: Vec<String>,
}

/// Adds to a set that has no more than `most`; whether it is in it now.
fn fits(set: &mut HashSet<u64>, most: u64, new: u64) -> bool {
    set.contains(&new) || ((set.len() as u64) < most && set.insert(new))
}

fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// When it is worth to ask again where there are too many sources or fields: they go with the rows that have them.
const NAMES_AGAIN: Duration = Duration::from_secs(10);

/// Bodies of a tenant that are worked on at once, and as how many of them each counts of one whose rates are bounded: what comes
/// beyond waits, and not at the cost of others.
const SENDING: u32 = 64;
const LIMITED: u32 = 8;

/// How long a refusal waits, and one more for each so many that wait already; the longest wait.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSING: u64 = 8;
const LONGEST: Duration = Duration::from_secs(5);

/// Counts a refusal that waits until it is dropped.
struct Pausing<'a>(&'a AtomicU64);

impl Drop for Pausing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Who was refused a question for so long is known for asking without heed.
const HEEDLESS: Duration = Duration::from_secs(2);

/// Questions at once where there is no limit of its own.
const MANY: u32 = 1 << 20;

impl Gauge {
    fn new(limits: Limits, usage: Usage) -> Self {
        let gauge = Gauge {
            limits: RwLock::default(),
            rates: Mutex::default(),
            stored: AtomicU64::new(0),
            asking: Arc::new(Semaphore::new(MANY as usize)),
            refused: AtomicU64::new(0),
            pausing: AtomicU64::new(0),
            sending: Arc::new(Semaphore::new(SENDING as usize)),
            usage: Mutex::new(usage),
            names: Mutex::default(),
        };
        gauge.set(limits);
        gauge
    }

    fn limits(&self) -> Limits {
        *self.limits.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, limits: Limits) {
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// Takes from the rates of `who`, a tenant or a token.
    fn bring(&self, who: &str, records: u64, bytes: u64, now: Duration) -> Result<(), Over> {
        let limits = self.limits();
        let over = |reason: String, wait| Err(Over { reason, wait });
        let stored = self.stored.load(Ordering::Relaxed);
        if limits.stored_bytes > 0 && stored >= limits.stored_bytes {
            let most = limits.stored_bytes;
            let words = format!("the {who} holds {stored} bytes on disk, and may hold {most} (stored_bytes)");
            return over(words, Duration::from_secs(10));
        }
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let (of_bytes, of_records) = &mut *rates;
        if let Err(wait) = of_bytes.fill(limits.bytes_per_second, now) {
            let most = limits.bytes_per_second;
            return over(format!("the {who} may send {most} bytes a second (bytes_per_second)"), wait);
        }
        if let Err(wait) = of_records.fill(limits.records_per_second, now) {
            let most = limits.records_per_second;
            return over(format!("the {who} may send {most} records a second (records_per_second)"), wait);
        }
        of_bytes.take(bytes);
        of_records.take(records);
        Ok(())
    }

    /// Takes from the rates of who was let in already.
    fn spend(&self, records: u64, bytes: u64) {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates.0.take(bytes);
        rates.1.take(records);
    }

    /// Whether a source may be one of those of `who`.
    fn source(&self, who: &str, source: u64) -> Result<(), Over> {
        let most = self.limits().sources;
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if most == 0 || fits(&mut names.sources, most, source) {
            return Ok(());
        }
        let reason =
            format!("rows of the {who} may come from {most} sources (sources), and this is another one");
        Err(Over { reason, wait: NAMES_AGAIN })
    }

    /// Whether rows of `who` may have fields of these names.
    fn fields<'a>(&self, who: &str, named: impl Iterator<Item = &'a str>) -> Result<(), Over> {
        let most = self.limits().fields;
        if most == 0 {
            return Ok(());
        }
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        for name in named {
            if !fits(&mut names.fields, most, hash(name)) {
                let name: String = name.chars().take(100).collect();
                let reason = format!(
                    "fields of rows of the {who} may have {most} names (fields), and {name:?} is another one"
                );
                return Err(Over { reason, wait: NAMES_AGAIN });
            }
        }
        Ok(())
    }

    /// Learns what there is: what went is there no more.
    fn learn(&self, named: &Named) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.sources = named.sources.iter().map(hash).collect();
        names.fields = named.fields.iter().map(|name| hash(name.as_str())).collect();
    }

    fn count(&self, count: impl FnOnce(&mut Usage)) {
        count(&mut self.usage.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What tenants did in a day, by their numbers, as its file has it.
pub(crate) type Day = BTreeMap<u32, Usage>;

/// All tenants'.
pub(super) struct Meters {
    sys: Sys,
    dir: PathBuf,
    gauges: RwLock<HashMap<Tenant, Arc<Gauge>>>,
    /// Of tokens that have limits of their own, by id.
    tokens: RwLock<HashMap<String, Arc<Gauge>>>,
    /// The day that is counted.
    today: Mutex<String>,
    /// What its file says: a node at rest writes none.
    written: Mutex<Day>,
}

fn day_of(now: Nanos) -> String {
    rfc3339(now)[..10].to_owned()
}

impl Meters {
    /// Goes on with the counts of the day.
    ///
    /// # Errors
    /// In words, where its file cannot be read.
    pub(super) fn open(sys: &Sys, data: &Path) -> Result<Meters, String> {
        let (dir, today) = (data.join("usage"), day_of(sys.clock.now()));
        let meters = Meters {
            sys: sys.clone(),
            dir,
            gauges: RwLock::default(),
            tokens: RwLock::default(),
            today: Mutex::new(today.clone()),
            written: Mutex::default(),
        };
        let gauges = meters
            .read(&today)?
            .into_iter()
            .map(|(number, usage)| (Tenant(number), Arc::new(Gauge::new(Limits::default(), usage))));
        *meters.gauges.write().unwrap_or_else(PoisonError::into_inner) = gauges.collect();
        Ok(meters)
    }

    fn file(&self, day: &str) -> Kept {
        Kept::new(&self.sys, &self.dir, &format!("{day}.json"))
    }

    fn read(&self, day: &str) -> Result<Day, String> {
        self.file(day).read("with that day's counts at nothing")
    }

    fn gauge(&self, tenant: Tenant) -> Arc<Gauge> {
        if let Some(gauge) = self.gauges.read().unwrap_or_else(PoisonError::into_inner).get(&tenant) {
            return gauge.clone();
        }
        let mut gauges = self.gauges.write().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Gauge::new(Limits::default(), Usage::default()));
        gauges.entry(tenant).or_insert_with(new).clone()
    }

    pub(super) fn limit(&self, tenant: Tenant, limits: Limits) {
        self.gauge(tenant).set(limits);
    }

    /// Lets the limits of tokens hold, those of others no more.
    pub(super) fn limit_tokens(&self, limits: HashMap<String, Limits>) {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|id, gauge| limits.get(id).map(|limits| gauge.set(*limits)).is_some());
        for (id, limits) in limits {
            tokens.entry(id).or_insert_with(|| Arc::new(Gauge::new(limits, Usage::default())));
        }
    }

    /// Whether rows that came with a token are to be told from others.
    pub(super) fn marks(&self, token: &str) -> bool {
        self.of_token(token).is_some_and(|gauge| gauge.limits().marks())
    }

    fn of_token(&self, token: &str) -> Option<Arc<Gauge>> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }

    /// Whether anything may be brought now for a tenant with a token: asked before it is read. What is refused so counts as a record.
    pub(super) fn room(&self, tenant: Tenant, token: Option<&str>) -> Result<(), Over> {
        let (gauge, now) = (self.gauge(tenant), self.sys.clock.monotonic());
        let own = token.and_then(|token| self.of_token(token));
        let own = own.map_or(Ok(()), |own| own.bring("token", 0, 0, now));
        let room = own.and_then(|()| gauge.bring("tenant", 0, 0, now));
        if room.is_err() {
            gauge.count(|usage| usage.limited += 1);
        }
        room
    }

    /// Whether the source and the fields of these rows may be there for their tenant, and for the token that they came with.
    pub(super) fn names(&self, token: Option<&str>, batch: &Batch) -> Result<(), Over> {
        let tenant = self.gauge(batch.tenant);
        let names = || {
            let ids = (0..batch.names.len()).map(|at| sawlog_model::NameId(at as u32));
            ids.filter_map(|id| batch.names.get(id).map(|name| &**name))
        };
        let named = |who: &str, gauge: &Gauge| {
            gauge.source(who, hash(batch.source.id.0)).and_then(|()| gauge.fields(who, names()))
        };
        let own = token.and_then(|token| self.of_token(token));
        let admitted = own.map_or(Ok(()), |own| named("token", &own)).and_then(|()| named("tenant", &tenant));
        if admitted.is_err() {
            tenant.count(|usage| usage.limited += batch.rows.len() as u64);
        }
        admitted
    }

    pub(super) fn learn(&self, tenant: Tenant, named: &Named) {
        self.gauge(tenant).learn(named);
    }

    /// Forgets what a tenant did and may.
    ///
    /// # Errors
    /// In words, where a day's file cannot be written.
    pub(super) fn forget(&self, tenant: Tenant) -> Result<(), String> {
        self.gauges.write().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
        self.written.lock().unwrap_or_else(PoisonError::into_inner).remove(&tenant.0);
        let now = self.sys.clock.now();
        for ago in 0..400 {
            let day = day_of(now - ago * 86_400 * SECOND);
            let mut counts = self.read(&day)?;
            if counts.remove(&tenant.0).is_some() {
                self.file(&day).write(&counts)?;
            }
        }
        Ok(())
    }

    pub(super) fn stored(&self, tenant: Tenant, bytes: u64) {
        self.gauge(tenant).stored.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn bring(
        &self,
        tenant: Tenant,
        token: Option<&str>,
        records: u64,
        bytes: u64,
    ) -> Result<(), Over> {
        let (gauge, now) = (self.gauge(tenant), self.sys.clock.monotonic());
        let own = token.and_then(|token| self.of_token(token));
        let asked = own.as_ref().map_or(Ok(()), |own| own.bring("token", 0, 0, now));
        let brought = asked.and_then(|()| gauge.bring("tenant", records, bytes, now));
        if let (Ok(()), Some(own)) = (&brought, own) {
            own.spend(records, bytes);
        }
        gauge.count(|usage| match &brought {
            Ok(()) => {
                usage.records += records;
                usage.bytes += bytes;
            }
            Err(_) => usage.limited += records,
        });
        brought
    }

    /// Waits until a body of the tenant may be worked on.
    pub(super) async fn sending(&self, tenant: Tenant) -> Option<OwnedSemaphorePermit> {
        let gauge = self.gauge(tenant);
        let limits = gauge.limits();
        let bounded = limits.bytes_per_second.max(limits.records_per_second) > 0;
        gauge.sending.clone().acquire_many_owned(if bounded { LIMITED } else { 1 }).await.ok()
    }

    /// Waits before a refusal is told, the longer the more of the tenant wait so: who asks again at once, over however many
    /// connections, is answered so often and no more.
    pub(super) async fn pause(&self, tenant: Tenant) {
        let gauge = self.gauge(tenant);
        let before = gauge.pausing.fetch_add(1, Ordering::Relaxed);
        let _ends = Pausing(&gauge.pausing);
        let more = u32::try_from(before / PAUSING).unwrap_or(u32::MAX);
        tokio::time::sleep(PAUSE.saturating_mul(more.saturating_add(1)).min(LONGEST)).await;
    }

    /// Takes note of whether rows of a token take more bytes than they may.
    pub(super) fn stored_by(&self, token: &str, full: bool) {
        if let Some(gauge) = self.of_token(token) {
            gauge.stored.store(if full { gauge.limits().stored_bytes } else { 0 }, Ordering::Relaxed);
        }
    }

    /// The turn of a question of a tenant, asked with a token where that has limits of its own; `None` where too many are asked at
    /// once already.
    pub(super) fn turn(&self, tenant: Tenant, token: Option<&str>) -> Option<Turn> {
        let mut turn = self.turn_of(self.gauge(tenant))?;
        if let Some(own) = token.and_then(|token| self.of_token(token)) {
            let own = self.turn_of(own)?;
            turn.most = turn.most.into_iter().chain(own.most).min();
            turn.memory = turn.memory.into_iter().chain(own.memory).min();
            turn.heedless |= own.heedless;
            turn.of_token = Some(Box::new(own));
        }
        Some(turn)
    }

    fn turn_of(&self, gauge: Arc<Gauge>) -> Option<Turn> {
        // Of a semaphore that is large enough for everybody, so many permits that its limit of questions fills it.
        let limits = gauge.limits();
        let most = u32::try_from(limits.queries).unwrap_or(u32::MAX);
        let share = MANY.checked_div(most).unwrap_or(1).max(1);
        let began = self.sys.clock.monotonic();
        let Ok(permit) = gauge.asking.clone().try_acquire_many_owned(share) else {
            // One more, since 0 is for never.
            gauge.refused.store(began.as_millis() as u64 + 1, Ordering::Relaxed);
            return None;
        };
        let refused = Duration::from_millis(gauge.refused.load(Ordering::Relaxed));
        Some(Turn {
            gauge,
            sys: self.sys.clone(),
            heedless: !refused.is_zero() && began < refused + HEEDLESS,
            began,
            most: (limits.query_seconds > 0).then(|| Duration::from_secs(limits.query_seconds)),
            memory: (limits.query_memory > 0).then_some(limits.query_memory),
            of_token: None,
            _permit: permit,
        })
    }

    /// Puts the counts on disk; those of a day that is over for the last time. To be called every few seconds.
    ///
    /// # Errors
    /// In words; the counts are then kept in memory.
    pub(super) fn save(&self) -> Result<(), String> {
        let mut today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = self.counted();
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if counted != *written {
            self.sys
                .fs
                .create_dir_all(&self.dir)
                .map_err(|error| format!("{}: {error}", self.dir.display()))?;
            self.file(&today).write(&counted)?;
            written.clone_from(&counted);
        }
        let now = day_of(self.sys.clock.now());
        if now != *today {
            *today = now;
            written.clear();
            let gauges = self.gauges.read().unwrap_or_else(PoisonError::into_inner);
            gauges.values().for_each(|gauge| gauge.count(|usage| *usage = Usage::default()));
        }
        Ok(())
    }

    /// What every tenant did so far today; those that did nothing are left out.
    pub(super) fn counted(&self) -> Day {
        let gauges = self.gauges.read().unwrap_or_else(PoisonError::into_inner);
        let usage = |gauge: &Gauge| *gauge.usage.lock().unwrap_or_else(PoisonError::into_inner);
        let all = gauges.iter().map(|(tenant, gauge)| (tenant.0, usage(gauge)));
        all.filter(|(_, usage)| *usage != Usage::default()).collect()
    }

    /// The counts of the last days, the latest first.
    ///
    /// # Errors
    /// In words, where a file cannot be read.
    pub(super) fn days(&self, count: u64) -> Result<Vec<(String, Day)>, String> {
        let today = self.today.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut days = vec![(today.clone(), self.counted())];
        let now = self.sys.clock.now();
        for ago in 1..count.min(400) {
            let day = day_of(now - ago as Nanos * 86_400 * SECOND);
            if day == today {
                continue;
            }
            let counts = self.read(&day)?;
            if !counts.is_empty() {
                days.push((day, counts));
            }
        }
        Ok(days)
    }
}

/// A question that is being answered; counted when it is dropped.
pub(crate) struct Turn {
    gauge: Arc<Gauge>,
    sys: Sys,
    began: Duration,
    /// How long it may take.
    pub(crate) most: Option<Duration>,
    /// Bytes of memory that it may use.
    pub(crate) memory: Option<u64>,
    /// Whether questions beyond a limit were asked beside it or shortly before: it is then answered when others leave time for it.
    pub(crate) heedless: bool,
    /// The turn of the token that it is asked with.
    of_token: Option<Box<Turn>>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let took = self.sys.clock.monotonic().saturating_sub(self.began).as_millis() as u64;
        self.gauge.count(|usage| {
            usage.queries += 1;
            usage.query_millis += took;
        });
    }
}

#[cfg(test)]
mod tests;
