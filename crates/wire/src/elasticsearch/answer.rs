//! What the server says of each document of a bulk request. Knows nothing of rows.

use sawlog_model::Limits;
use sawlog_model::value::{Value, parse_json};

/// What became of a document.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// It is there.
    Held,
    /// One of its id is there already.
    Exists,
    /// Not for now.
    Again(String),
    /// Not for good.
    Refused(String),
}

/// Reads an answer to `count` documents; `None` where it is none.
pub(super) fn read(body: &[u8], count: usize) -> Option<Vec<Verdict>> {
    let answer = parse_json(body, &Limits::default()).ok()?;
    let Some(Value::List(items)) = answer.get("items") else { return None };
    if items.len() != count {
        return None;
    }
    items.iter().map(verdict).collect()
}

fn verdict(item: &Value) -> Option<Verdict> {
    let Value::Map(entries) = item else { return None };
    let (_, told) = entries.first()?;
    let status = match told.get("status") {
        Some(Value::Int(status)) => *status,
        Some(Value::UInt(status)) => i64::try_from(*status).ok()?,
        _ => return None,
    };
    let error = told.get("error");
    let text =
        |name: &str| error.and_then(|error| error.get(name)).and_then(Value::as_str).unwrap_or_default();
    let words = || format!("{status} {}: {}", text("type"), text("reason"));
    Some(match status {
        200..300 => Verdict::Held,
        409 => Verdict::Exists,
        429 | 502 | 503 | 504 => Verdict::Again(words()),
        // Indices are read-only while the server's disk is full.
        403 if text("type") == "cluster_block_exception" => Verdict::Again(words()),
        _ => Verdict::Refused(words()),
    })
}
