//! `/v1/worker…`, `/v1/status`, `/v1/pairing…`, `/v1/broadcast`: what workers told the coordinator and each other. A node of
//! sawlog does all of a worker's work itself, so reports are kept and shown, and every way leads here.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::{Refused, answer, body, object, parts, route, text, uuid};
use crate::api::status::resident_bytes;
use crate::api::{Call, Method, Route, Shared};

pub(super) const REPORT: Route = route(
    &[Method::Put],
    "/v1/worker/{hostname}/status",
    "Meniscus: keeps what a worker says of itself.",
    |shared, call| Box::pin(async move { answer(report(&shared, &call)) }),
);

pub(super) const SHOW: Route = route(
    &[Method::Get],
    "/v1/worker/{hostname}/status",
    "Meniscus: shows what a worker said.",
    |shared, call| Box::pin(async move { answer(show(&shared, &call)) }),
);

pub(super) const LIST: Route =
    route(&[Method::Get], "/v1/status", "Meniscus: this node, and what workers said.", |shared, _| {
        Box::pin(async move { answer(Ok(list(&shared))) })
    });

pub(super) const PAIR: Route =
    route(&[Method::Post], "/v1/pairing", "Meniscus: gives a worker a name and a token.", |shared, call| {
        Box::pin(async move { answer(pair(&shared, &call)) })
    });

pub(super) const CONFIGURE: Route = route(
    &[Method::Post],
    "/v1/pairing/configure",
    "Meniscus: takes what a node was told to become; this one is all of it already.",
    |_, call| {
        Box::pin(async move {
            answer(body(&call, "pairing_configuration").map(|_| StatusCode::OK.into_response()))
        })
    },
);

pub(super) const WAYS: Route = route(
    &[Method::Get],
    "/v1/worker/{id}/routes",
    "Meniscus: where a worker sends on to: this node.",
    |_, call| Box::pin(async move { answer(Ok(ways(&call))) }),
);

pub(super) const FAILED: Route = route(
    &[Method::Put],
    "/v1/worker/{id}",
    "Meniscus: takes note that a worker does not answer.",
    |shared, call| Box::pin(async move { answer(failed(&shared, &call)) }),
);

pub(super) const BROADCAST: Route = route(
    &[Method::Put],
    "/v1/broadcast",
    "Meniscus: takes a broadcast; there is nobody else to tell.",
    |_, call| {
        Box::pin(
            async move { answer(body(&call, "broadcast").map(|_| StatusCode::ACCEPTED.into_response())) },
        )
    },
);

pub(super) const CALLBACK: Route =
    route(&[Method::Head], "/v1/callback", "Meniscus: hears that ways have changed.", |_, _| {
        Box::pin(async { answer(Ok(StatusCode::OK.into_response())) })
    });

/// Most workers of which something is kept.
const MOST: usize = 1_000;

/// What workers said, by host name, while the node runs.
#[derive(Default)]
pub(crate) struct Workers(Mutex<BTreeMap<String, Map<String, Value>>>);

const PERSONALITIES: [&str; 4] = ["coordinator", "worker", "dispatcher", "tenant"];
const STATES: [&str; 4] = ["new", "online", "offline", "draining"];

/// What a report must have, all of it and nothing else.
fn check(status: &Map<String, Value>) -> Result<(), Refused> {
    const NAMES: [&str; 6] =
        ["hostname", "ip_address_v4", "ip_address_v6", "personality", "status", "system_info"];
    const SYSTEM: [&str; 7] =
        ["os_type", "memory_mb", "architecture", "cpu_cores", "disk_usage", "load_average", "timestamp"];
    let whole = |object: &Map<String, Value>, names: &[&str]| {
        if let Some(name) = names.iter().find(|name| !object.contains_key(**name)) {
            return Err(Refused::bad(format!("'{name}' is a required property")));
        }
        match object.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => {
                Err(Refused::bad(format!("Additional properties are not allowed ('{name}' was unexpected)")))
            }
            None => Ok(()),
        }
    };
    whole(status, &NAMES)?;
    for (name, known) in [("personality", PERSONALITIES), ("status", STATES)] {
        let given = text(status, name)?;
        if !known.contains(&given.as_str()) {
            return Err(Refused::bad(format!("'{given}' is not one of {known:?}")));
        }
    }
    match &status["system_info"] {
        Value::Object(system) => whole(system, &SYSTEM),
        other => Err(Refused::bad(format!("{other} is not of type 'object'"))),
    }
}

fn host(call: &Call) -> String {
    parts(&call.path, "/v1/worker/").into_iter().next().unwrap_or_default()
}

fn report(shared: &Shared, call: &Call) -> Result<Response, Refused> {
    let status = body(call, "worker_status")?;
    check(&status)?;
    let mut workers = shared.workers.0.lock().unwrap_or_else(PoisonError::into_inner);
    let host = host(call);
    if workers.len() >= MOST && !workers.contains_key(&host) {
        return Err(Refused::bad(format!("there are at most {MOST} workers")));
    }
    let status = if workers.insert(host, status).is_none() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok(status.into_response())
}

fn show(shared: &Shared, call: &Call) -> Result<Response, Refused> {
    let workers = shared.workers.0.lock().unwrap_or_else(PoisonError::into_inner);
    let known = workers.get(&host(call)).ok_or_else(|| Refused::absent("Unable to locate worker."))?;
    Ok(Json(json!({ "status": known })).into_response())
}

fn list(shared: &Shared) -> Response {
    let memory = resident_bytes(&*shared.node.sys.fs).unwrap_or(0) >> 20;
    let own = json!({
        "hostname": sawlog_sys::host_name(),
        "personality": "coordinator",
        "status": "online",
        "system_info": { "os_type": std::env::consts::OS, "architecture": std::env::consts::ARCH, "memory_mb": memory },
    });
    let workers = shared.workers.0.lock().unwrap_or_else(PoisonError::into_inner);
    let all: Vec<Value> = std::iter::once(own).chain(workers.values().cloned().map(Value::Object)).collect();
    Json(json!({ "status": all })).into_response()
}

fn pair(shared: &Shared, call: &Call) -> Result<Response, Refused> {
    let given = body(call, "worker_registration")?;
    let personality = given.get("personality").and_then(Value::as_str).unwrap_or("worker");
    let random = &*shared.node.sys.random;
    let identity = json!({
        "personality_module": format!("meniscus.personas.{personality}.app"),
        "worker_id": uuid(random),
        "worker_token": uuid(random),
    });
    Ok((StatusCode::ACCEPTED, Json(json!({ "worker_identity": identity }))).into_response())
}

fn ways(call: &Call) -> Response {
    let here = json!({
        "worker_id": host(call), "ip_address_v4": "127.0.0.1", "ip_address_v6": "::1", "status": "online",
    });
    let domains = ["correlation", "normalization", "storage"];
    let routes: Vec<Value> =
        domains.iter().map(|domain| json!({ "service_domain": domain, "targets": [here] })).collect();
    Json(json!({ "routes": routes })).into_response()
}

fn failed(shared: &Shared, call: &Call) -> Result<Response, Refused> {
    if !call.body.is_empty() {
        object(&call.body)?;
    }
    let mut workers = shared.workers.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(worker) = workers.get_mut(&host(call)) {
        worker.insert("status".to_owned(), "offline".into());
    }
    Ok(StatusCode::OK.into_response())
}
