//! Limits of tenants, and what each brought and asked, by day. Counts stand in memory and go to a file of their day now and then
//! (`usage/2026-11-21.json`), so that a crash loses the counts of a minute and no more. Knows nothing of HTTP.

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

use crate::kept::Kept;

/// What a tenant may bring, hold and ask; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of lines a second.
    #[serde(skip_serializing_if = "is_none")]
    pub bytes_per_second: u64,
    /// Records a second.
    #[serde(skip_serializing_if = "is_none")]
    pub records_per_second: u64,
    /// Bytes on disk; above it nothing more is taken until some are gone.
    #[serde(skip_serializing_if = "is_none")]
    pub stored_bytes: u64,
    /// Questions that are answered at once.
    #[serde(skip_serializing_if = "is_none")]
    pub queries: u64,
    /// Seconds that one question may take.
    #[serde(skip_serializing_if = "is_none")]
    pub query_seconds: u64,
    /// Bytes of memory that one question may use.
    #[serde(skip_serializing_if = "is_none")]
    pub query_memory: u64,
    /// Sources that its rows may come from.
    #[serde(skip_serializing_if = "is_none")]
    pub sources: u64,
    /// Names that fields of its rows may have.
    #[serde(skip_serializing_if = "is_none")]
    pub fields: u64,
    /// Seconds for which its rows are kept.
    #[serde(skip_serializing_if = "is_none")]
    pub keep_seconds: u64,
    /// Bytes of segments that are kept, the oldest go first.
    #[serde(skip_serializing_if = "is_none")]
    pub keep_bytes: u64,
}

fn is_none(limit: &u64) -> bool {
    *limit == 0
}

impl Limits {
    /// Every limit by its name.
    pub(crate) fn each(&mut self) -> [(&'static str, &mut u64); 10] {
        [
            ("bytes_per_second", &mut self.bytes_per_second),
            ("records_per_second", &mut self.records_per_second),
            ("stored_bytes", &mut self.stored_bytes),
            ("queries", &mut self.queries),
            ("query_seconds", &mut self.query_seconds),
            ("query_memory", &mut self.query_memory),
            ("sources", &mut self.sources),
            ("fields", &mut self.fields),
            ("keep_seconds", &mut self.keep_seconds),
            ("keep_bytes", &mut self.keep_bytes),
        ]
    }
}

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

/// Questions at once where there is no limit of its own.
const MANY: u32 = 1 << 20;

impl Gauge {
    fn new(limits: Limits, usage: Usage) -> Self {
        let gauge = Gauge {
            limits: RwLock::default(),
            rates: Mutex::default(),
            stored: AtomicU64::new(0),
            asking: Arc::new(Semaphore::new(MANY as usize)),
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
            let words =
                format!("the tenant holds {stored} bytes on disk, and may hold {most} (stored_bytes)");
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

    /// Whether rows may have fields of these names.
    fn fields<'a>(&self, named: impl Iterator<Item = &'a str>) -> Result<(), Over> {
        let most = self.limits().fields;
        if most == 0 {
            return Ok(());
        }
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        for name in named {
            if !fits(&mut names.fields, most, hash(name)) {
                let name: String = name.chars().take(100).collect();
                let reason = format!(
                    "fields of the tenant's rows may have {most} names (fields), and {name:?} is another one"
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

    /// Asks whether somebody who shows a token may send. What was sent is taken from its rates afterwards, by
    /// [`Meters::brought_by`], since only then it is known.
    pub(super) fn may_bring(&self, token: &str, source: impl Hash) -> Result<(), Over> {
        let Some(gauge) = self.of_token(token) else { return Ok(()) };
        gauge.source("token", hash(source))?;
        gauge.bring("token", 0, 0, self.sys.clock.monotonic())
    }

    fn of_token(&self, token: &str) -> Option<Arc<Gauge>> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }

    pub(super) fn brought_by(&self, token: &str, records: u64, bytes: u64) {
        let gauge = self.of_token(token);
        // It was let in: that it is over now is for the next one.
        let _ = gauge.map(|gauge| gauge.bring("token", records, bytes, self.sys.clock.monotonic()));
    }

    /// Whether the source and the fields of these rows may be there for their tenant.
    pub(super) fn names(&self, batch: &Batch) -> Result<(), Over> {
        let gauge = self.gauge(batch.tenant);
        let admitted = gauge.source("tenant", hash(batch.source.id.0)).and_then(|()| {
            let names =
                (0..batch.names.len()).filter_map(|at| batch.names.get(sawlog_model::NameId(at as u32)));
            gauge.fields(names.map(|name| &**name))
        });
        if admitted.is_err() {
            gauge.count(|usage| usage.limited += batch.rows.len() as u64);
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

    pub(super) fn bring(&self, tenant: Tenant, records: u64, bytes: u64) -> Result<(), Over> {
        let gauge = self.gauge(tenant);
        let brought = gauge.bring("tenant", records, bytes, self.sys.clock.monotonic());
        gauge.count(|usage| match &brought {
            Ok(()) => {
                usage.records += records;
                usage.bytes += bytes;
            }
            Err(_) => usage.limited += records,
        });
        brought
    }

    /// The turn of a question of a tenant, asked with a token where that has limits of its own; `None` where too many are asked at
    /// once already.
    pub(super) fn turn(&self, tenant: Tenant, token: Option<&str>) -> Option<Turn> {
        let mut turn = self.turn_of(self.gauge(tenant))?;
        if let Some(own) = token.and_then(|token| self.of_token(token)) {
            let own = self.turn_of(own)?;
            turn.most = turn.most.into_iter().chain(own.most).min();
            turn.memory = turn.memory.into_iter().chain(own.memory).min();
            turn.of_token = Some(Box::new(own));
        }
        Some(turn)
    }

    fn turn_of(&self, gauge: Arc<Gauge>) -> Option<Turn> {
        // Of a semaphore that is large enough for everybody, so many permits that its limit of questions fills it.
        let limits = gauge.limits();
        let most = u32::try_from(limits.queries).unwrap_or(u32::MAX);
        let share = MANY.checked_div(most).unwrap_or(1).max(1);
        let permit = gauge.asking.clone().try_acquire_many_owned(share).ok()?;
        Some(Turn {
            gauge,
            sys: self.sys.clone(),
            began: self.sys.clock.monotonic(),
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
