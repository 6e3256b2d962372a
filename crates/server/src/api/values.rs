//! `/api/v1/values`: the most frequent values of a field among the rows that a query keeps.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use sawlog_model::Right;
use serde_json::json;

use crate::api::search::request;
use crate::api::{Call, END, Method, QUERY, Route, START, Shared, Takes};
use crate::error::ApiError;
use crate::params::{Kind, Param};

pub(crate) const ROUTE: Route = Route {
    methods: &[Method::Get, Method::Post],
    path: "/api/v1/values",
    needs: Some(Right::Read),
    summary: "Lists the most frequent values of a field among the rows that a query keeps; of a field of very many values, among the last of these rows (`complete` is then false, and `rows` says how many).",
    params: &[&FIELD, &QUERY, &START, &END, &LIMIT],
    takes: Takes::Params,
    gives: "application/json",
    handle: |shared, call| Box::pin(values(shared, call)),
};

const FIELD: Param = Param { name: "field", kind: Kind::Text, help: "Its dotted name. It must be given." };
const LIMIT: Param =
    Param { name: "limit", kind: Kind::Count, help: "At most so many values; 10 where it is not given." };

/// Most values that are counted for one answer.
const MOST: u64 = 10_000;

async fn values(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let Some(field) = call.params.text("field") else {
        return Err(ApiError::bad("There is no field.", "Give its name as the parameter field."));
    };
    let limit = call.params.count("limit")?.unwrap_or(10).clamp(1, MOST) as usize;
    let request = request(&call)?;
    let _turn = shared.turn(&call).await?;
    let found = shared.in_time(call.engine(&shared).values(request, field, limit)).await??;
    let values: Vec<_> =
        found.values.iter().map(|one| json!({ "value": one.value, "rows": one.rows })).collect();
    let counted = json!({ "field": field, "values": values, "rows": found.rows, "complete": found.complete });
    Ok(Json(counted).into_response())
}
