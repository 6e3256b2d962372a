//! `POST /api/v1/flush`: writes what is in memory to segments.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sawlog_model::Right;
use serde_json::json;

use crate::api::{Call, Method, Route, Shared, Takes};
use crate::error::ApiError;

pub(crate) const ROUTE: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/flush",
    needs: Some(Right::Node),
    summary: "Writes what is in memory to segments; answers when they are on stable storage.",
    params: &[],
    takes: Takes::Params,
    gives: "application/json",
    handle: |shared, call| Box::pin(flush(shared, call)),
};

async fn flush(shared: Arc<Shared>, _call: Call) -> Result<Response, ApiError> {
    shared.node.control.flush().await.map_err(|error| {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error, "See the node's own log; no event is lost.")
    })?;
    Ok(Json(json!({ "flushed": true })).into_response())
}
