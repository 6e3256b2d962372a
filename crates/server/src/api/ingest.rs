//! `POST /api/v1/ingest`: takes events and answers when they are on stable storage.

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use sawlog_model::{Delivery, Right};
use serde_json::json;

use crate::api::{Call, Method, Route, Shared, Takes};
use crate::door;
use crate::error::ApiError;
use crate::params::{Kind, Param, essence};

pub(crate) const ROUTE: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/ingest",
    needs: Some(Right::Ingest),
    summary: "Stores events (JSON lines, a JSON array, or lines of text; plain, gzip or zstd) and answers when they are \
              on stable storage.",
    params: &[&TAG, &HOST],
    takes: Takes::Data,
    gives: "application/json",
    handle: |shared, call| Box::pin(ingest(shared, call)),
};

const TAG: Param =
    Param { name: "tag", kind: Kind::Text, help: "Their _tag; also as the header X-Sawlog-Tag." };
const HOST: Param =
    Param { name: "host", kind: Kind::Text, help: "Their _host; also as the header X-Sawlog-Host." };

async fn ingest(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let named = |name: &str, header: &str| {
        call.params.text(name).map(str::to_owned).or_else(|| text(&call.headers, header))
    };
    let delivery = Delivery {
        tenant: call.tenant,
        token: shared.node.access.token_of(&door::credential(&call.headers)),
        content_type: essence(&call.headers),
        content_encoding: text(&call.headers, header::CONTENT_ENCODING.as_str())
            .unwrap_or_default()
            .to_ascii_lowercase(),
        tag: named("tag", "x-sawlog-tag"),
        host: named("host", "x-sawlog-host"),
        idempotency_key: text(&call.headers, "idempotency-key"),
        body: call.body,
        encrypted: false,
    };
    let accepted = shared.node.ingest.ingest(delivery).await?;
    Ok(Json(json!({ "records": accepted.records, "bytes": accepted.bytes })).into_response())
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty()).then(|| value.to_owned())
}
