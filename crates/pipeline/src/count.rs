//! Counters of inputs and outputs, and the status made of them. Knows nothing of what is counted.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sawlog_model::{Batch, PartStatus};

use crate::lock;

/// Counters of one part.
pub(crate) struct Counters {
    role: &'static str,
    name: String,
    records: AtomicU64,
    bytes: AtomicU64,
    best_effort: AtomicU64,
    waiting: AtomicBool,
    errors: Mutex<Errors>,
}

#[derive(Default)]
struct Errors {
    by_reason: BTreeMap<&'static str, u64>,
    last: Option<String>,
}

impl Counters {
    pub(crate) fn new(role: &'static str, name: &str) -> Self {
        Counters {
            role,
            name: name.to_owned(),
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            best_effort: AtomicU64::new(0),
            waiting: AtomicBool::new(false),
            errors: Mutex::default(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn passed(&self, batch: &Batch) {
        self.records.fetch_add(batch.rows.len() as u64, Ordering::Relaxed);
        self.bytes.fetch_add(batch.raw_len(), Ordering::Relaxed);
    }

    pub(crate) fn best_effort(&self, records: u64) {
        self.best_effort.fetch_add(records, Ordering::Relaxed);
    }

    pub(crate) fn error(&self, reason: &'static str, detail: &str) {
        self.errors(reason, 1, detail);
    }

    pub(crate) fn errors(&self, reason: &'static str, count: u64, detail: &str) {
        let mut errors = lock(&self.errors);
        *errors.by_reason.entry(reason).or_default() += count;
        errors.last = Some(detail.to_owned());
    }

    pub(crate) fn last_error(&self) -> String {
        lock(&self.errors).last.clone().unwrap_or_default()
    }

    pub(crate) fn set_waiting(&self, waiting: bool) {
        self.waiting.store(waiting, Ordering::Relaxed);
    }

    pub(crate) fn status(&self, stopped: bool) -> PartStatus {
        let errors = lock(&self.errors);
        let state = match (stopped, self.waiting.load(Ordering::Relaxed)) {
            (true, _) => "stopped",
            (false, true) => "waiting",
            (false, false) => "running",
        };
        PartStatus {
            role: self.role,
            name: self.name.clone(),
            state,
            records: self.records.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            best_effort: self.best_effort.load(Ordering::Relaxed),
            errors: errors.by_reason.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect(),
            last_error: errors.last.clone(),
            ..PartStatus::default()
        }
    }
}
