//! `POST /api/v1/shutdown`: stops the node in good order.

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
    path: "/api/v1/shutdown",
    needs: Some(Right::Node),
    summary: "Begins to stop the node; what was acknowledged is kept.",
    params: &[],
    takes: Takes::Params,
    gives: "application/json",
    handle: |shared, call| Box::pin(shutdown(shared, call)),
};

async fn shutdown(shared: Arc<Shared>, _call: Call) -> Result<Response, ApiError> {
    shared.node.control.shutdown();
    Ok((StatusCode::ACCEPTED, Json(json!({ "stopping": true }))).into_response())
}
