//! `/api/v1/fields`: which fields there are.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sawlog_model::Right;
use serde_json::json;

use crate::api::{Call, END, Method, Route, START, Shared, Takes};
use crate::error::ApiError;

pub(crate) const ROUTE: Route = Route {
    methods: &[Method::Get],
    path: "/api/v1/fields",
    needs: Some(Right::Read),
    summary: "Lists the fields that rows of a time have, with the number of rows that have each.",
    params: &[&START, &END],
    takes: Takes::Params,
    gives: "application/json",
    handle: |shared, call| Box::pin(fields(shared, call)),
};

async fn fields(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let range = call.params.range(call.now)?;
    let _turn = shared.turn(&call).await?;
    let store = shared.node.store.clone();
    let counting = tokio::task::spawn_blocking(move || store.fields(call.tenant, range));
    let counts = shared.in_time(counting).await?.map_err(|error| {
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("Counting the fields failed: {error}"),
            "See the node's own log.",
        )
    })??;
    let fields: Vec<_> =
        counts.iter().map(|field| json!({ "name": field.name, "rows": field.rows })).collect();
    Ok(Json(json!({ "fields": fields })).into_response())
}
