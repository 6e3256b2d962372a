//! Removes rows that are no longer kept: by the rules of the configuration, the days of loggers and what tenants keep. Knows nothing of
//! what loggers are.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sawlog_model::time::SECOND;
use sawlog_model::{Nanos, Predicate, Tenant, TimeRange};
use sawlog_pipeline::config::Config;
use sawlog_server::{Keeping, Loggers, Tenancy, TooOld};
use sawlog_store::{Store, StoreError};
use sawlog_sys::Sys;

#[cfg(test)]
mod tests;

/// The wall clock may go ahead of the monotonic one by so much before nothing is removed on its word.
const SLACK: Nanos = 3_600 * SECOND;
const DAY: Nanos = 86_400 * SECOND;
/// What rows of a rule take is looked at again when so much of its size was written.
const LOOKED_AT: u64 = 64;
/// Where a rule has too much it is cut by so much more, so that files are not written anew for every few rows.
const CUT: u64 = 16;

/// A `[[store.retention]]` of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rule {
    /// A search without pipes.
    select: String,
    /// Name of the tenant; empty for every one.
    tenant: String,
    /// Days for which its rows are kept; 0 for as long as the store keeps them.
    days: u32,
    /// Bytes of segments that its rows may take; 0 for no bound.
    size: u64,
}

/// The rules of a configuration, in their order.
///
/// # Errors
/// What is wrong with one, in words.
pub(super) fn rules(config: &Config) -> Result<Vec<Rule>> {
    let mut rules: Vec<(&str, Rule)> = Vec::new();
    for (name, value) in &config.settings {
        let Some((number, key)) = name.strip_prefix("store.retention.").and_then(|rest| rest.split_once('.'))
        else {
            continue;
        };
        if rules.last().is_none_or(|(last, _)| *last != number) {
            rules.push((number, Rule::default()));
        }
        let Some((_, rule)) = rules.last_mut() else { continue };
        match key {
            "select" => rule.select = value.trim().to_owned(),
            "tenant" => rule.tenant = value.clone(),
            "days" => rule.days = value.parse().context("store.retention: days are a number from 0 on")?,
            _ => rule.size = config.bytes(name).unwrap_or(0),
        }
    }
    let rules: Vec<Rule> = rules.into_iter().map(|(_, rule)| rule).collect();
    for rule in &rules {
        if rule.select.is_empty() {
            bail!(
                "store.retention: a rule without `select` would be for all rows; write `select = \"*\"` where that is \
                 meant"
            );
        }
        sawlog_query::predicate(&rule.select, 0)
            .with_context(|| format!("store.retention: select = {:?}", rule.select))?;
    }
    Ok(rules)
}

/// What was removed last.
pub(super) struct Retention {
    sys: Sys,
    loggers: Loggers,
    rules: Vec<Rule>,
    tenancy: Tenancy,
    /// Wall clock and monotonic clock at the start: they tell a jump of the former.
    started: (Nanos, Duration),
    done: Vec<TooOld>,
    /// Bytes that had been flushed when the size of a rule's rows was looked at.
    looked: HashMap<(String, Tenant), u64>,
}

impl Retention {
    pub(super) fn new(sys: &Sys, loggers: &Loggers, tenancy: &Tenancy, rules: Vec<Rule>) -> Retention {
        let started = (sys.clock.now(), sys.clock.monotonic());
        let (sys, loggers, tenancy) = (sys.clone(), loggers.clone(), tenancy.clone());
        Retention { sys, loggers, rules, tenancy, started, done: Vec::new(), looked: HashMap::new() }
    }

    /// Removes what is too old by now and was not removed yet, and the oldest of what takes too many bytes. `tenant` knows
    /// tenants by their names.
    ///
    /// # Errors
    /// As the disk says; it is tried again the next time.
    pub(super) fn apply(
        &mut self,
        store: &Store,
        tenant: impl Fn(&str) -> Option<Tenant>,
    ) -> Result<(), StoreError> {
        let now = self.sys.clock.now();
        let of_rules = self.of_rules(store, tenant, now);
        self.fit(store, &of_rules)?;
        self.fit_tokens(store)?;
        let passed = self.sys.clock.monotonic().saturating_sub(self.started.1).as_nanos() as Nanos;
        if now.saturating_sub(self.started.0.saturating_add(passed)) > SLACK {
            return Ok(());
        }
        let mut old = self.loggers.too_old(now);
        let today = now.div_euclid(DAY).saturating_mul(DAY);
        for (number, tenant, range, predicate) in of_rules {
            let days = Nanos::from(self.rules[number].days);
            let before =
                TimeRange { start: range.start, end: range.end.min(today.saturating_sub(days * DAY)) };
            if days > 0 && before.start < before.end {
                old.push(TooOld { tenant, range: before, predicate });
            }
        }
        old.extend(self.tenancy.too_old(now));
        for one in old.iter().filter(|one| !self.done.contains(one)) {
            store.delete(one.tenant, one.range, &one.predicate)?;
        }
        self.done = old;
        Ok(())
    }

    /// The rows of each rule by tenant: those that it selects and no rule before it.
    fn of_rules(
        &self,
        store: &Store,
        tenant: impl Fn(&str) -> Option<Tenant>,
        now: Nanos,
    ) -> Vec<(usize, Tenant, TimeRange, Predicate)> {
        let mut found = Vec::new();
        let mut before: Vec<(&str, Predicate)> = Vec::new();
        let all = if self.rules.is_empty() { Vec::new() } else { store.tenants() };
        for (number, rule) in self.rules.iter().enumerate() {
            let Ok((predicate, range)) = sawlog_query::predicate(&rule.select, now) else { continue };
            let tenants = match rule.tenant.as_str() {
                "" => all.clone(),
                name => tenant(name).into_iter().collect(),
            };
            for of in tenants {
                let earlier = before.iter().filter(|(name, _)| name.is_empty() || tenant(name) == Some(of));
                let earlier: Vec<Predicate> = earlier.map(|(_, predicate)| predicate.clone()).collect();
                let predicate = match earlier.is_empty() {
                    true => predicate.clone(),
                    false => {
                        let not = Predicate::Not(Box::new(Predicate::Or(earlier)));
                        Predicate::And(vec![predicate.clone(), not])
                    }
                };
                found.push((number, of, range, predicate));
            }
            before.push((&rule.tenant, predicate));
        }
        found
    }

    /// Removes the oldest rows of rules whose rows take too many bytes.
    fn fit(
        &mut self,
        store: &Store,
        of_rules: &[(usize, Tenant, TimeRange, Predicate)],
    ) -> Result<(), StoreError> {
        for (number, tenant, range, predicate) in of_rules {
            let size = self.rules[*number].size;
            if size > 0 && self.has_grown(store, (format!("rule {number}"), *tenant), size) {
                cut(store, *tenant, *range, predicate, size)?;
            }
        }
        Ok(())
    }

    /// The same of what came with tokens; those that may have no more are told.
    fn fit_tokens(&mut self, store: &Store) -> Result<(), StoreError> {
        for one in self.tenancy.keeping() {
            let Keeping { tenant, token, predicate, bytes, stored_bytes } = one;
            if bytes > 0 && self.has_grown(store, (format!("keep {token}"), tenant), bytes) {
                cut(store, tenant, TimeRange::ALL, &predicate, bytes)?;
            }
            if stored_bytes > 0 {
                let full = store.cut_to_fit(tenant, &predicate, stored_bytes)?.is_some();
                self.tenancy.weigh_token(&token, full);
            }
        }
        Ok(())
    }

    /// Whether so much was written since the last time that what something takes is to be looked at again.
    fn has_grown(&mut self, store: &Store, what: (String, Tenant), size: u64) -> bool {
        let flushed = store.stats().flushed.bytes;
        let grown = self.looked.get(&what).is_none_or(|looked| flushed - looked > size / LOOKED_AT);
        if grown {
            self.looked.insert(what, flushed);
        }
        grown
    }
}

/// Removes the oldest rows that the predicate keeps where these take more bytes than they may.
fn cut(
    store: &Store,
    tenant: Tenant,
    range: TimeRange,
    predicate: &Predicate,
    size: u64,
) -> Result<(), StoreError> {
    if store.cut_to_fit(tenant, predicate, size)?.is_some()
        && let Some(end) = store.cut_to_fit(tenant, predicate, size - size / CUT)?
    {
        store.delete(tenant, TimeRange { start: range.start, end: range.end.min(end) }, predicate)?;
    }
    Ok(())
}
