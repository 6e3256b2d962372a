//! Application events as trees: events of a type, and with each all that happened under the same id. Knows the record that
//! the client libraries send (`type`, `id`, `span`, `parent`, `start`, `end`, `body`), and BlueOx's, which has neither span nor
//! parent; knows nothing of HTTP and terminals.

mod arrange;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt::Write as _;

use futures::StreamExt;
use sawlog_model::time::SECOND;
use sawlog_model::{Nanos, Tenant, TimeRange};
use sawlog_query::{Engine, QueryError, Request};
use serde_json::{Map, Value, json};

use crate::times;

/// So far before and after the event that was found the rest of its tree is looked for.
const AROUND: Nanos = 3600 * SECOND;
/// More events of one answer are left out, and the tree says so.
const EVENTS_MOST: usize = 20_000;
/// More trees than this are not given at once.
pub const TREES_MOST: usize = 1000;

/// Which trees are wanted.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Whose.
    pub tenant: Tenant,
    /// Types with `*` for any part, with commas between several; all where it is empty. Looked at only without an id.
    pub types: String,
    /// The one tree that has this id.
    pub id: Option<String>,
    /// When what is found ended.
    pub range: TimeRange,
    /// At most so many trees, the newest.
    pub limit: usize,
    /// What relative times of the query count from.
    pub now: Nanos,
}

/// An event, and the place of its record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    kind: String,
    id: Value,
    span: Option<String>,
    parent: Option<String>,
    host: Value,
    pid: Value,
    /// Seconds since 1970.
    start: f64,
    end: f64,
    body: Value,
    time: Value,
    at: String,
}

/// The trees in which an event was found, the one with the newest find first, as JSON objects: `id`, `start` (seconds since 1970),
/// `seconds`, `events` in the order of a tree printed from the top, each with its `depth`, and `cut` where there were more
/// events than one answer holds.
///
/// # Errors
/// What the engine says of the query.
pub async fn trees(engine: &Engine, ask: &Ask) -> Result<Vec<Value>, QueryError> {
    let limit = ask.limit.clamp(1, TREES_MOST);
    let (ids, range) = match &ask.id {
        Some(id) => (vec![Value::from(id.as_str())], ask.range),
        None => find(engine, ask, limit).await?,
    };
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = ids.iter().map(|id| quoted(&text(id))).collect::<Vec<_>>().join(", ");
    let mut trees: HashMap<String, Vec<Event>> = HashMap::new();
    let mut count = 0;
    let query = format!("id:in({wanted}) type:* start:* end:*");
    let request = Request { tenant: ask.tenant, query, range, limit: Some(EVENTS_MOST), now: ask.now };
    let mut answer = engine.search(request).await?;
    while let Some(batch) = answer.batches.next().await {
        for event in events(&batch?) {
            count += 1;
            trees.entry(text(&event.id)).or_default().push(event);
        }
    }
    let trees = ids.iter().filter_map(|id| trees.remove(&text(id)));
    Ok(trees.map(|events| tree(events, count >= EVENTS_MOST)).collect())
}

/// The ids of the newest events that are asked for, and the time in which the rest of their trees may lie.
async fn find(engine: &Engine, ask: &Ask, limit: usize) -> Result<(Vec<Value>, TimeRange), QueryError> {
    let mut ids: Vec<Value> = Vec::new();
    let mut range = TimeRange { start: Nanos::MAX, end: Nanos::MIN };
    let query = format!("({}) id:* start:* end:*", types(&ask.types));
    let request = Request { tenant: ask.tenant, query, range: ask.range, limit: None, now: ask.now };
    let mut answer = engine.search(request).await?;
    'found: while let Some(batch) = answer.batches.next().await {
        for event in events(&batch?) {
            if !ids.contains(&event.id) {
                if ids.len() == limit {
                    break 'found;
                }
                ids.push(event.id.clone());
            }
            // Most often the record's time is the event's end, but one that came late has the time when it came.
            let ends =
                event.time.as_str().and_then(|time| times::time(time, ask.now)).map(|time| (time, time));
            for (start, end) in [Some((nanos(event.start), nanos(event.end))), ends].into_iter().flatten() {
                range.start = range.start.min(start);
                range.end = range.end.max(end);
            }
        }
    }
    range.start = range.start.saturating_sub(AROUND);
    range.end = range.end.saturating_add(AROUND);
    Ok((ids, range))
}

/// Times far out of range are the ends of time.
fn nanos(seconds: f64) -> Nanos {
    (seconds * SECOND as f64) as Nanos
}

/// The terms that keep the types: each exact, or with stars for any part.
fn types(patterns: &str) -> String {
    let terms: Vec<String> = patterns
        .split(',')
        .map(str::trim)
        .filter(|pattern| !pattern.is_empty())
        .map(|pattern| {
            if !pattern.contains('*') {
                return format!("type:={}", quoted(pattern));
            }
            let mut term = "type:".to_owned();
            for sign in pattern.chars() {
                if !(sign.is_alphanumeric() || "*_.".contains(sign)) {
                    term.push('\\');
                }
                term.push(sign);
            }
            term
        })
        .collect();
    if terms.is_empty() { "type:*".to_owned() } else { terms.join(" OR ") }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A value as a query compares it.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Those rows that are application events.
fn events(batch: &arrow::record_batch::RecordBatch) -> Vec<Event> {
    let mut lines = Vec::new();
    sawlog_query::write_ndjson(batch, &mut lines);
    let records = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    records.filter_map(|line| Event::read(&serde_json::from_slice(line).ok()?)).collect()
}

impl Event {
    /// What a record is that a search gives; `None` where it is no application event. The line of an event that came as a
    /// map is that map.
    pub(crate) fn read(record: &Map<String, Value>) -> Option<Event> {
        let mut map: Map<String, Value> = serde_json::from_str(record.get("_line")?.as_str()?).ok()?;
        let mut word = |key: &str| match map.remove(key) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let (kind, span, parent) = (word("type")?, word("span"), word("parent"));
        let mut at = String::new();
        for key in ["_source", "_epoch", "_offset"] {
            let part = record.get(key).map(text).unwrap_or_default();
            let _ = write!(at, "{}{part}", if at.is_empty() { "" } else { ":" });
        }
        let start = map.get("start")?.as_f64()?;
        Some(Event {
            kind,
            id: map.remove("id").filter(|id| !id.is_null())?,
            span,
            parent,
            host: map.remove("host").unwrap_or_default(),
            pid: map.remove("pid").unwrap_or_default(),
            start,
            end: map.get("end")?.as_f64()?.max(start),
            body: map.remove("body").unwrap_or_default(),
            time: record.get("_time").cloned().unwrap_or_default(),
            at,
        })
    }

    fn seconds(&self) -> f64 {
        self.end - self.start
    }
}

/// Events of one id as a tree.
fn tree(events: Vec<Event>, cut: bool) -> Value {
    let placed = arrange::arrange(events);
    let start = placed.iter().map(|(_, event)| event.start).fold(f64::INFINITY, f64::min);
    let end = placed.iter().map(|(_, event)| event.end).fold(f64::NEG_INFINITY, f64::max);
    let id = placed.first().map(|(_, event)| event.id.clone());
    let events: Vec<Value> = placed
        .into_iter()
        .map(|(depth, event)| {
            json!({
                "depth": depth,
                "type": event.kind,
                "after": event.start - start,
                "seconds": event.seconds(),
                "time": event.time,
                "host": event.host,
                "pid": event.pid,
                "span": event.span,
                "at": event.at,
                "body": event.body,
            })
        })
        .collect();
    let mut tree = json!({ "id": id, "start": start, "seconds": end - start, "events": events });
    if cut {
        tree["cut"] = true.into();
    }
    tree
}
