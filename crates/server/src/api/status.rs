//! `/api/v1/status`: what the node is, holds and does.

use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use sawlog_model::time::{SECOND, rfc3339};
use sawlog_model::{PartStatus, Right};
use sawlog_store::{Stats, Store};
use sawlog_sys::{Fs, Open};
use serde_json::{Value, json};

use crate::api::{Call, Method, Route, Shared, Takes};
use crate::error::ApiError;

pub(crate) const ROUTE: Route = Route {
    methods: &[Method::Get],
    path: "/api/v1/status",
    needs: Some(Right::Read),
    summary: "Says what the node holds and what passes through it.",
    params: &[],
    takes: Takes::Params,
    gives: "application/json",
    handle: |shared, call| Box::pin(status(shared, call)),
};

async fn status(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let node = &shared.node;
    if !call.whole {
        return Ok(Json(json!({
            "version": node.settings.version,
            "now": rfc3339(call.now),
            "store": store(&node.store.stats_of(call.tenant)),
            // Inputs and outputs are of the whole node: their errors may quote anybody's rows.
            "parts": [],
        }))
        .into_response());
    }
    Ok(Json(json!({
        "version": node.settings.version,
        "now": rfc3339(call.now),
        "started": rfc3339(shared.started),
        "uptime_seconds": call.now.saturating_sub(shared.started) / SECOND,
        "memory_bytes": resident_bytes(&*node.sys.fs),
        "store": store(&node.store.stats()),
        "memory": memory(&node.store),
        "parts": node.status.parts().iter().map(part).collect::<Vec<_>>(),
    }))
    .into_response())
}

fn store(stats: &Stats) -> Value {
    let time = |time| (stats.records > 0).then(|| rfc3339(time));
    json!({
        "records": stats.records,
        "raw_bytes": stats.raw_bytes,
        "stored_bytes": stats.stored_bytes,
        "segments": stats.segments,
        "memtable_bytes": stats.memtable_bytes,
        "first_time": time(stats.first_time),
        "last_time": time(stats.last_time),
    })
}

/// The memory that everything shares: how much there is, and who holds what.
fn memory(store: &Store) -> Value {
    let shares = store.shares();
    let by =
        shares.usage().map(|one| json!({ "name": one.name, "held_bytes": one.held, "most_bytes": one.most }));
    json!({ "most_bytes": shares.all.most(), "shares": by })
}

fn part(part: &PartStatus) -> Value {
    let mut text = Vec::new();
    sawlog_model::value::render(&part.value(), &mut text);
    // What a part says of itself has no values that JSON does not have.
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Memory of this process that is in RAM, as the system counts it; `None` where it does not say.
pub(crate) fn resident_bytes(fs: &dyn Fs) -> Option<u64> {
    let mut text = [0; 4096];
    let read = fs.open(Path::new("/proc/self/status"), Open::Read).ok()?.read_at(&mut text, 0).ok()?;
    let text = std::str::from_utf8(&text[..read]).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
