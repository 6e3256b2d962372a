//! When something last came, of each type and host, as STATUS tells it. Knows nothing of connections.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use sawlog_model::{Batch, Nanos, Value};

/// Types, and hosts, that are kept; those beyond are not listed.
const KEPT: usize = 10_000;

#[derive(Default)]
struct Known {
    last: Option<Nanos>,
    lag: Option<Nanos>,
    types: BTreeMap<String, Nanos>,
    hosts: BTreeMap<String, Nanos>,
}

/// The figures.
#[derive(Default)]
pub(super) struct Stats(Mutex<Known>);

fn note(map: &mut BTreeMap<String, Nanos>, name: &str, last: Nanos) {
    if let Some(known) = map.get_mut(name) {
        *known = last;
    } else if map.len() < KEPT {
        map.insert(name.to_owned(), last);
    }
}

fn seconds(nanos: Nanos) -> Value {
    Value::Float(nanos as f64 / 1e9)
}

fn listed(map: &BTreeMap<String, Nanos>) -> Value {
    let last = |last: &Nanos| Value::Map(vec![(Value::Str("last".to_owned()), seconds(*last))]);
    Value::Map(map.iter().map(|(name, time)| (Value::Str(name.clone()), last(time))).collect())
}

impl Stats {
    /// Takes note of rows that came at `now`.
    pub fn note(&self, batch: &Batch, now: Nanos) {
        let Some(end) = batch.rows.last().map(|row| row.time) else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.last = Some(now);
        known.lag = Some(now - end);
        note(&mut known.types, &crate::shared::record::tag(batch), end);
        if let Some(host) = batch.context.get("_host") {
            note(&mut known.hosts, host, end);
        }
    }

    /// The answer to STATUS.
    pub fn answer(&self) -> Value {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = |key: &str, value: Value| (Value::Str(key.to_owned()), value);
        Value::Map(vec![
            entry("last", known.last.map_or(Value::Nil, seconds)),
            entry("lag", known.lag.map_or(Value::Nil, seconds)),
            entry("events", listed(&known.types)),
            entry("hosts", listed(&known.hosts)),
        ])
    }
}
