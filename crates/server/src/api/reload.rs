//! `POST /api/v1/reload`: reads the configuration again.

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
    path: "/api/v1/reload",
    needs: Some(Right::Node),
    summary: "Reads the configuration again and puts it in the place of the one that runs; tells what has changed. One that \
              is wrong is refused with all that is wrong, and nothing changes.",
    params: &[],
    takes: Takes::Params,
    gives: "application/json",
    handle: |shared, call| Box::pin(reload(shared, call)),
};

async fn reload(shared: Arc<Shared>, _call: Call) -> Result<Response, ApiError> {
    let changes = shared.node.control.reload().await.map_err(|findings| {
        ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            findings,
            "Mend the configuration and ask again; the one before still holds.",
        )
    })?;
    Ok(Json(json!({ "changes": changes })).into_response())
}
