//! `POST /api/v1/delete`: removes rows with their bytes.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sawlog_model::Right;
use serde_json::json;

use crate::api::{Call, END, Method, QUERY, Route, START, Shared, Takes};
use crate::error::ApiError;

pub(crate) const ROUTE: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/delete",
    needs: Some(Right::Admin),
    summary: "Removes the rows that a query keeps, with their bytes: segments that hold some are written anew without them. \
              Answers when it is done. `query=*` removes all of the time that is given.",
    params: &[&QUERY, &START, &END],
    takes: Takes::Params,
    gives: "application/json",
    handle: |shared, call| Box::pin(delete(shared, call)),
};

async fn delete(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let text = call.params.text("query").unwrap_or_default();
    if text.trim().is_empty() {
        return Err(ApiError::bad("What to delete is not said.", "Give a `query`; `*` is everything."));
    }
    let (predicate, range) = sawlog_query::predicate(text, call.now)?;
    let range = range.intersect(&call.params.range(call.now)?);
    let (store, tenant) = (shared.node.store.clone(), call.tenant);
    let deleted = tokio::task::spawn_blocking(move || store.delete(tenant, range, &predicate)).await;
    let rows = match deleted {
        Ok(Ok(rows)) => rows,
        Ok(Err(error)) => return Err(failed(error)),
        Err(died) => return Err(failed(died)),
    };
    Ok(Json(json!({ "deleted": rows })).into_response())
}

fn failed(error: impl std::fmt::Display) -> ApiError {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    ApiError::new(status, error.to_string(), "Nothing was deleted; see to the disk and ask again.")
}
