//! `/api/v1/hits`: how many rows a query keeps over time, by level.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use sawlog_model::time::{SECOND, rfc3339};
use sawlog_model::{Nanos, Right, Tenant, TimeRange};
use sawlog_query::{Bar, Request};
use serde_json::json;

use crate::api::search::request;
use crate::api::{Call, END, Method, QUERY, Route, START, Shared, Takes};
use crate::error::ApiError;
use crate::params::{Kind, Param};
use crate::times;

pub(crate) const ROUTE: Route = Route {
    methods: &[Method::Get, Method::Post],
    path: "/api/v1/hits",
    needs: Some(Right::Read),
    summary: "Counts the rows that a query keeps, by time and level.",
    params: &[&QUERY, &START, &END, &STEP, &BARS],
    takes: Takes::Params,
    gives: "application/json",
    handle: |shared, call| Box::pin(hits(shared, call)),
};

const STEP: Param = Param {
    name: "step",
    kind: Kind::Duration,
    help: "Time of a bar. Bars begin at whole multiples of it since 1970; those without rows are left out.",
};
const BARS: Param = Param {
    name: "bars",
    kind: Kind::Count,
    help: "Instead of step: a handy step with which there are at most so many bars; 60 where neither is given.",
};

/// More bars than anybody can tell apart, and few enough to hold.
const MOST_BARS: u64 = 10_000;

async fn hits(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let request = request(&call)?;
    let engine = call.engine(&shared);
    let range = with_rows(&shared, call.tenant, engine.range(&request)?);
    let span = range.end.saturating_sub(range.start);
    let bars = call.params.count("bars")?.unwrap_or(60).clamp(1, MOST_BARS);
    let step = match call.params.duration("step")? {
        None => times::step(span, bars),
        Some(step) if (span / step) as u64 >= MOST_BARS => {
            return Err(ApiError::bad(
                format!("This step makes more than {MOST_BARS} bars."),
                "Give a longer step or a shorter time.",
            ));
        }
        Some(step) => step,
    };
    let _turn = shared.turn(&call).await?;
    let counted = engine.hits(Request { range, ..request }, step);
    let bars = shared.in_time(counted).await??;
    Ok(Json(shown(range, step, &bars)).into_response())
}

/// The range without the times before the tenant's first row and after its last one, so that an open one has bars of a
/// useful size.
fn with_rows(shared: &Shared, tenant: Tenant, range: TimeRange) -> TimeRange {
    let stats = shared.node.store.stats_of(tenant);
    let rows = TimeRange { start: stats.first_time, end: stats.last_time.saturating_add(1) };
    let open = range.start == i64::MIN || range.end == i64::MAX;
    if !open || stats.records == 0 {
        return range;
    }
    let start = if range.start == i64::MIN { rows.start } else { range.start };
    let end = if range.end == i64::MAX { rows.end.max(start.saturating_add(1)) } else { range.end };
    TimeRange { start: start.min(end - 1), end }
}

fn shown(range: TimeRange, step: Nanos, bars: &[Bar]) -> serde_json::Value {
    let total: u64 = bars.iter().flat_map(|bar| &bar.counts).map(|(_, rows)| rows).sum();
    let bars: Vec<_> = bars
        .iter()
        .map(|bar| {
            let counts: serde_json::Map<_, _> =
                bar.counts.iter().map(|(level, rows)| (level.clone(), json!(rows))).collect();
            json!({ "time": rfc3339(bar.time), "counts": counts })
        })
        .collect();
    json!({
        "start": rfc3339(range.start),
        "end": rfc3339(range.end),
        "step": step as f64 / SECOND as f64,
        "total": total,
        "bars": bars,
    })
}
