//! Meniscus's API: tenants, tokens, event producers, messages, jobs, workers, as docs/meniscus.md lists them with the version that
//! decides each. Errors have its form, `{"title"}`. In reading order: this file (what all routes share), `tenants`,
//! `producers`, `tokens`, `publish`, `workers`.
//!
//! What that API let anybody do takes here an administrator's credential of the node, unless it comes by a listener that is
//! there for this API alone and open. Messages and questions about a message token bear that token.

mod producers;
mod publish;
mod tenants;
#[cfg(test)]
mod tests;
mod tokens;
mod workers;

use std::sync::Arc;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::future::BoxFuture;
use sawlog_model::{Right, Tenant};
use serde_json::{Map, Value, json};

pub(crate) use self::publish::sender;
pub(crate) use self::workers::Workers;
use crate::access::{Meniscus, Table, uuid};
use crate::api::loggers::parts;
use crate::api::{Call, Method, Route, Shared, Takes, tenants as own};
use crate::error::ApiError;
use crate::kept::ChangeError;
use crate::params::ANY;

/// What all paths begin with.
pub(crate) const ROOT: &str = "/v1";

/// Every route, and its aliases.
pub(crate) const ROUTES: &[&Route] = &[
    &tenants::CREATE,
    &alias(&tenants::CREATE, "/v1"),
    &tenants::SHOW,
    &alias(&tenants::SHOW, "/v1/{id}"),
    &producers::LIST,
    &alias(&producers::LIST, "/v1/{id}/producers"),
    &producers::CREATE,
    &alias(&producers::CREATE, "/v1/{id}/producers"),
    &producers::SHOW,
    &alias(&producers::SHOW, "/v1/{id}/producers/{number}"),
    &producers::CHANGE,
    &alias(&producers::CHANGE, "/v1/{id}/producers/{number}"),
    &producers::REMOVE,
    &alias(&producers::REMOVE, "/v1/{id}/producers/{number}"),
    &tokens::CHECK,
    &alias(&tokens::CHECK, "/v1/{id}/token"),
    &tokens::SHOW,
    &alias(&tokens::SHOW, "/v1/{id}/token"),
    &tokens::CHANGE,
    &alias(&tokens::CHANGE, "/v1/{id}/token"),
    &publish::PUBLISH,
    &alias(&publish::PUBLISH, publish::PATHS[1]),
    &publish::PROBE,
    &alias(&publish::PROBE, "/v1/{id}/publish"),
    &publish::JOB,
    &workers::REPORT,
    &workers::SHOW,
    &workers::LIST,
    &workers::PAIR,
    &workers::CONFIGURE,
    &workers::WAYS,
    &workers::FAILED,
    &workers::BROADCAST,
    &workers::CALLBACK,
];

/// The same route at another path.
const fn alias(route: &Route, path: &'static str) -> Route {
    Route {
        methods: route.methods,
        path,
        needs: route.needs,
        summary: route.summary,
        params: route.params,
        takes: route.takes,
        gives: route.gives,
        handle: route.handle,
    }
}

/// What a route does; its refusals are answers of that API's form.
type Handle = fn(Arc<Shared>, Call) -> BoxFuture<'static, Result<Response, ApiError>>;

/// A route that took no credential.
const fn route(
    methods: &'static [Method],
    path: &'static str,
    summary: &'static str,
    handle: Handle,
) -> Route {
    Route {
        methods,
        path,
        needs: Some(Right::Node),
        summary,
        params: &[&ANY],
        takes: Takes::Data,
        gives: "application/json",
        handle,
    }
}

/// Why a request is not done.
#[derive(Debug)]
struct Refused(StatusCode, String);

impl Refused {
    fn bad(title: impl Into<String>) -> Self {
        Refused(StatusCode::BAD_REQUEST, title.into())
    }

    fn absent(title: impl Into<String>) -> Self {
        Refused(StatusCode::NOT_FOUND, title.into())
    }

    fn no_tenant() -> Self {
        Refused::absent("Unable to locate tenant.")
    }

    fn no_producer() -> Self {
        Refused::absent("Unable to locate event producer.")
    }
}

impl From<ChangeError> for Refused {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Wrong(words) => Refused::bad(words),
            ChangeError::Disk(_) => Refused(
                StatusCode::INTERNAL_SERVER_ERROR,
                "request failure - please contact site administrator".to_owned(),
            ),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "title": self.1 }))).into_response()
    }
}

/// Both outcomes as an answer.
fn answer(outcome: Result<Response, Refused>) -> Result<Response, ApiError> {
    Ok(outcome.unwrap_or_else(IntoResponse::into_response))
}

/// The name of the tenant in an address, with or without `/tenant`, and the parts behind it.
fn address(path: &str) -> (String, Vec<String>) {
    let before = if path.starts_with("/v1/tenant/") { "/v1/tenant/" } else { "/v1/" };
    let mut all = parts(path, before).into_iter();
    (all.next().unwrap_or_default(), all.collect())
}

/// Finds the tenant in the address.
fn tenant(table: &Table, call: &Call) -> Result<Tenant, Refused> {
    table.tenant(&address(&call.path).0).ok_or_else(Refused::no_tenant)
}

/// What this API keeps of the tenant in the address; changed, so that there is a token from the first question on.
async fn kept<T: Send + 'static>(
    shared: &Shared,
    call: &Call,
    change: impl FnOnce(&mut Meniscus, &Table) -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    let tenant = tenant(&shared.node.tenancy.table(), call)?;
    let (token, now) = (uuid(&*shared.node.sys.random), call.now);
    let changed = own::changing(shared, move |tenancy| {
        let mut refused = None;
        let done = tenancy.change(|table| {
            let before = table.clone();
            let kept = table.entry(tenant).meniscus.get_or_insert_with(|| Meniscus::new(token, now));
            change(kept, &before).map_err(|error| {
                let words = error.1.clone();
                refused = Some(error);
                words
            })
        });
        match (done, refused) {
            (_, Some(refused)) => Ok(Err(refused)),
            (done, None) => done.map(Ok),
        }
    });
    changed.await.map_err(|error| Refused(error.status, error.error))?
}

/// The object under one name in a body, as `{"tenant": {…}}`.
fn body(call: &Call, name: &str) -> Result<Map<String, Value>, Refused> {
    is_json(call)?;
    match object(&call.body)?.remove(name) {
        Some(Value::Object(inner)) => Ok(inner),
        Some(_) => Err(Refused::bad(format!("{name} is not of type 'object'"))),
        None => Err(Refused::bad(format!("'{name}' is a required property"))),
    }
}

fn is_json(call: &Call) -> Result<(), Refused> {
    if call.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json") {
        return Ok(());
    }
    Err(Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported Media Type".to_owned()))
}

fn object(body: &Bytes) -> Result<Map<String, Value>, Refused> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(Refused::bad("Malformed JSON body")),
    }
}

/// A text that must be there and not be empty.
fn text(object: &Map<String, Value>, name: &str) -> Result<String, Refused> {
    match object.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::String(_)) => Err(Refused::bad(format!("'{name}' is too short"))),
        Some(other) => Err(Refused::bad(format!("{other} is not of type 'string'"))),
        None => Err(Refused::bad(format!("'{name}' is a required property"))),
    }
}

/// An answer that says where what was made is.
fn located(status: StatusCode, place: &[&str]) -> Response {
    let place: String = place.iter().map(|part| format!("/{}", encoded(part))).collect();
    (status, [(header::LOCATION, format!("{ROOT}{place}"))]).into_response()
}

/// A text as a part of a path.
fn encoded(part: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    part.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A time as Python prints it: with microseconds, without a zone.
fn python_time(time: sawlog_model::Nanos) -> String {
    let text = sawlog_model::time::rfc3339(time - time.rem_euclid(1_000));
    let text = text.trim_end_matches('Z');
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}.{fraction:0<6.6}")
}
