//! `/v1/tenant/{id}/token`: the message token of a tenant, the one before, and a new one.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sawlog_model::time::SECOND;
use sawlog_model::{Access, Nanos, Right};
use serde_json::{Value, json};

use super::{Meniscus, Refused, address, answer, body, kept, located, python_time, route, uuid};
use crate::api::{Call, Method, Route, Shared};

/// How often a token may be changed.
const EVERY: Nanos = 3 * 3_600 * SECOND;

/// The header that bears it.
pub(super) const HEADER: &str = "message-token";

pub(super) const CHECK: Route = Route {
    needs: None,
    ..route(
        &[Method::Head],
        "/v1/tenant/{id}/token",
        "Meniscus: whether the header MESSAGE-TOKEN bears a token of the tenant.",
        |shared, call| Box::pin(async move { answer(check(&shared, &call)) }),
    )
};

pub(super) const SHOW: Route =
    route(&[Method::Get], "/v1/tenant/{id}/token", "Meniscus: shows the message token.", |shared, call| {
        Box::pin(async move { answer(show(shared, call).await) })
    });

pub(super) const CHANGE: Route = route(
    &[Method::Post],
    "/v1/tenant/{id}/token",
    "Meniscus: makes a new message token; the one before holds, unless {\"token\": {\"invalidate_now\": true}}.",
    |shared, call| Box::pin(async move { answer(change(shared, call).await) }),
);

pub(super) fn shown(kept: &Meniscus) -> Value {
    json!({
        "valid": kept.valid,
        "previous": kept.previous,
        "last_changed": python_time(kept.last_changed),
    })
}

fn check(shared: &Shared, call: &Call) -> Result<Response, Refused> {
    let Some(token) = call.headers.get(HEADER) else {
        return Err(Refused::bad("The MESSAGE-TOKEN header is required"));
    };
    let admitted = shared.node.tenancy.admit_to(&address(&call.path).0, token.as_bytes(), Right::Ingest);
    admitted.map_err(|_| Refused::absent("Message Token is not valid"))?;
    Ok(StatusCode::OK.into_response())
}

async fn show(shared: Arc<Shared>, call: Call) -> Result<Response, Refused> {
    let shown = kept(&shared, &call, |kept, _| Ok(json!({ "token": shown(kept) }))).await?;
    Ok(Json(shown).into_response())
}

async fn change(shared: Arc<Shared>, call: Call) -> Result<Response, Refused> {
    let at_once = match body(&call, "token")?.get("invalidate_now") {
        Some(Value::Bool(flag)) => *flag,
        Some(other) => return Err(Refused::bad(format!("{other} is not of type 'boolean'"))),
        None => return Err(Refused::bad("'invalidate_now' is a required property")),
    };
    let (token, now) = (uuid(&*shared.node.sys.random), call.now);
    kept(&shared, &call, move |kept, _| {
        if !at_once && now < kept.last_changed + EVERY {
            let words = "Message tokens can only be changed once every 3 hours";
            return Err(Refused(StatusCode::CONFLICT, words.to_owned()));
        }
        let before = std::mem::replace(&mut kept.valid, token);
        kept.previous = Some(before).filter(|_| !at_once);
        kept.last_changed = now;
        Ok(())
    })
    .await?;
    Ok(located(StatusCode::NON_AUTHORITATIVE_INFORMATION, &[&address(&call.path).0, "token"]))
}
