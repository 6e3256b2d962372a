//! Removes rows that loggers no longer keep, once a day or when loggers change. Knows nothing of what loggers are.

use std::time::Duration;

use sawlog_model::Nanos;
use sawlog_model::time::SECOND;
use sawlog_server::{Loggers, TooOld};
use sawlog_store::{Store, StoreError};
use sawlog_sys::Sys;

/// The wall clock may go ahead of the monotonic one by so much before nothing is removed on its word.
const SLACK: Nanos = 3_600 * SECOND;

/// What was removed last.
pub(super) struct Retention {
    sys: Sys,
    loggers: Loggers,
    /// Wall clock and monotonic clock at the start: they tell a jump of the former.
    started: (Nanos, Duration),
    done: Vec<TooOld>,
}

impl Retention {
    pub(super) fn new(sys: &Sys, loggers: &Loggers) -> Retention {
        let started = (sys.clock.now(), sys.clock.monotonic());
        Retention { sys: sys.clone(), loggers: loggers.clone(), started, done: Vec::new() }
    }

    /// Removes what is too old by now and was not removed yet.
    ///
    /// # Errors
    /// As the disk says; it is tried again the next time.
    pub(super) fn apply(&mut self, store: &Store) -> Result<(), StoreError> {
        let now = self.sys.clock.now();
        let passed = self.sys.clock.monotonic().saturating_sub(self.started.1).as_nanos() as Nanos;
        if now.saturating_sub(self.started.0.saturating_add(passed)) > SLACK {
            return Ok(());
        }
        let old = self.loggers.too_old(now);
        for one in old.iter().filter(|one| !self.done.contains(one)) {
            store.delete(one.tenant, one.range, &one.predicate)?;
        }
        self.done = old;
        Ok(())
    }
}
