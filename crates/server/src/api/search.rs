//! `/api/v1/search`: records as JSON lines, as they are found.

use std::sync::Arc;

use axum::response::Response;
use sawlog_model::Right;
use sawlog_query::Request;

use crate::api::{Call, END, Method, QUERY, Route, START, Shared, Takes, answer};
use crate::error::ApiError;
use crate::params::{Kind, Param};

pub(crate) const ROUTE: Route = Route {
    methods: &[Method::Get, Method::Post],
    path: "/api/v1/search",
    needs: Some(Right::Read),
    summary: "Streams the records that a query keeps, newest first, or the rows that its pipes make of them.",
    params: &[&QUERY, &START, &END, &LIMIT, &answer::REPORT],
    takes: Takes::Params,
    gives: answer::NDJSON,
    handle: |shared, call| Box::pin(search(shared, call)),
};

const LIMIT: Param = Param {
    name: "limit",
    kind: Kind::Count,
    help: "At most so many rows; all where it is not given or 0. A reader that stops reading stops the search.",
};

async fn search(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let limit = call.params.count("limit")?.unwrap_or(0);
    let request = Request { limit: (limit > 0).then_some(limit as usize), ..request(&call)? };
    let turn = shared.turn(&call).await?;
    let answer = shared.in_time(call.engine(&shared).search(request)).await??;
    let report = call.params.flag("report");
    answer::stream(shared, call.timed, turn, answer, report).await
}

/// The question that `query`, `start` and `end` ask, without a limit.
///
/// # Errors
/// Where a time is none.
pub(crate) fn request(call: &Call) -> Result<Request, ApiError> {
    Ok(Request {
        tenant: call.tenant,
        query: call.params.text("query").unwrap_or_default().to_owned(),
        range: call.params.range(call.now)?,
        limit: None,
        now: call.now,
    })
}
