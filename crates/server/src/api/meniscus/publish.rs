//! `/v1/tenant/{id}/publish` and `/v1/job/{id}/status`: messages as JSON, Meniscus's own or GELF, and where a durable one is.
//!
//! The number of a job says how far the journal was when the message stood in it, under a seal; so nothing is kept of jobs, and
//! their states outlive a restart.

use std::sync::Arc;

use axum::Json;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sawlog_model::time::rfc3339;
use sawlog_model::{Access, Delivery, IngestError, Message, Right, Tenant, correlation_tag};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{ROOT, Refused, address, answer, is_json, object, parts, route, text, tokens};
use crate::access::{Producer, same, uuid};
use crate::api::{Call, Method, Route, Shared, tenants as own};
use crate::error::ApiError;

/// Where messages are published.
pub(super) const PATHS: [&str; 2] = ["/v1/tenant/{id}/publish", "/v1/{id}/publish"];

pub(super) const PUBLISH: Route = Route {
    needs: None,
    ..route(
        &[Method::Post],
        PATHS[0],
        "Meniscus: stores a message, {\"log_message\": {…}} or GELF; 204, or 202 with a job where its producer is durable. \
         The header MESSAGE-TOKEN bears the tenant's token.",
        |shared, call| Box::pin(async move { answer(publish(shared, call).await) }),
    )
};

pub(super) const PROBE: Route = Route {
    needs: None,
    ..route(
        &[Method::Head],
        "/v1/tenant/{id}/publish",
        "Meniscus: whether messages would be taken.",
        |shared, call| {
            Box::pin(
                async move { answer(admitted(&shared, &call).map(|_| StatusCode::ACCEPTED.into_response())) },
            )
        },
    )
};

pub(super) const JOB: Route = Route {
    needs: None,
    ..route(
        &[Method::Get],
        "/v1/job/{id}/status",
        "Meniscus: whether all sinks have a durable message.",
        |shared, call| Box::pin(async move { answer(job(&shared, &call)) }),
    )
};

/// The tenant of a message's address and what it shows, where it may send: known before its body is read.
pub(crate) fn sender(shared: &Shared, route: &Route, head: &Parts) -> Option<(Tenant, Vec<u8>)> {
    if route.methods != PUBLISH.methods || !PATHS.contains(&route.path) {
        return None;
    }
    let tenant = allowed(shared, head.uri.path(), &head.headers).ok()?;
    Some((tenant, shown(&head.headers).to_vec()))
}

fn shown(headers: &HeaderMap) -> &[u8] {
    headers.get(tokens::HEADER).map(|token| token.as_bytes()).unwrap_or_default()
}

/// The tenant of the address, where the message token is its own.
fn admitted(shared: &Shared, call: &Call) -> Result<Tenant, Refused> {
    allowed(shared, &call.path, &call.headers)
}

fn allowed(shared: &Shared, path: &str, headers: &HeaderMap) -> Result<Tenant, Refused> {
    let (name, tenancy) = (address(path).0, &shared.node.tenancy);
    if tenancy.tenant(&name).is_none() {
        return Err(Refused::no_tenant());
    }
    tenancy
        .admit_to(&name, shown(headers), Right::Ingest)
        .map_err(|_| Refused(StatusCode::UNAUTHORIZED, "Message Token is not valid".to_owned()))
}

async fn publish(shared: Arc<Shared>, call: Call) -> Result<Response, Refused> {
    let tenant = admitted(&shared, &call)?;
    is_json(&call)?;
    let (message, program) = message(object(&call.body)?)?;
    let found = shared.node.tenancy.correlate(
        tenant,
        &Message {
            program: &program,
            host: message.get("host").and_then(Value::as_str).unwrap_or_default(),
            text: text_to_read(&message).as_bytes(),
        },
    );
    let name = shared.node.tenancy.with(|table| table.name(tenant).to_owned());
    let (number, producer) = shared.node.tenancy.with(|table| {
        let kept = table.tenants.get(&tenant.0).and_then(|entry| entry.meniscus.as_ref());
        producer(found.as_ref().and_then(|found| Some((found.number, kept?.producers.get(&found.number)?))))
    });
    if producer.encrypted && !call.over_tls {
        let words = format!("Event producer {} takes messages over TLS only.", producer.name);
        return Err(Refused(StatusCode::FORBIDDEN, words));
    }
    let host = message.get("host").and_then(Value::as_str).map(str::to_owned);
    let mut line = message;
    if let Some(found) = found.filter(|found| !found.fields.is_empty()) {
        line.insert("normalized".to_owned(), json!({ found.pattern: fields(found.fields) }));
    }
    line.insert(
        "meniscus".to_owned(),
        json!({
            "tenant": name,
            "correlation": {
                "ep_id": number,
                "pattern": producer.pattern,
                "durable": producer.durable,
                "encrypted": producer.encrypted,
                "sinks": producer.sinks,
                "@timestamp": rfc3339(call.now),
            },
        }),
    );
    let delivery = Delivery {
        tenant,
        token: shared.node.access.token_of(shown(&call.headers)),
        body: Value::Object(line).to_string().into(),
        content_type: "application/json".to_owned(),
        tag: Some(correlation_tag(&producer.pattern)),
        host,
        encrypted: producer.encrypted,
        ..Delivery::default()
    };
    let accepted = match shared.node.ingest.ingest(delivery).await {
        Err(IngestError::Limited(over)) => return Ok(ApiError::limited(over).titled().into_response()),
        taken => taken.map_err(refused)?,
    };
    if !producer.durable {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let id = Job { position: accepted.position }.id(&seal(&shared).await?);
    let host = call.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let scheme = if call.over_tls { "https" } else { "http" };
    let uri = format!("{scheme}://{host}{ROOT}/job/{id}/status");
    Ok((StatusCode::ACCEPTED, Json(json!({ "job_id": id, "job_status_uri": uri }))).into_response())
}

fn refused(error: IngestError) -> Refused {
    let status = match error {
        IngestError::Malformed(_) | IngestError::Unsupported(_) => StatusCode::BAD_REQUEST,
        IngestError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        IngestError::Limited(_) => StatusCode::TOO_MANY_REQUESTS,
        IngestError::Later(_) => StatusCode::SERVICE_UNAVAILABLE,
        IngestError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Refused(status, error.to_string())
}

/// The message of a body, and the program that it is of.
fn message(mut body: Map<String, Value>) -> Result<(Map<String, Value>, String), Refused> {
    match body.remove("log_message") {
        Some(Value::Object(mut message)) => {
            for name in ["host", "pname", "time"] {
                text(&message, name)?;
            }
            // What HEAD loses a message for.
            message.entry("native").or_insert_with(|| json!({}));
            let program = text(&message, "pname")?;
            Ok((message, program))
        }
        Some(other) => Err(Refused::bad(format!("{other} is not of type 'object'"))),
        None if body.contains_key("short_message") => {
            text(&body, "host")?;
            let program = ["_pname", "facility"].iter().find_map(|name| body.get(*name)?.as_str());
            let program = program.unwrap_or_default().to_owned();
            let plain = |name: String| name.strip_prefix('_').map(str::to_owned).unwrap_or(name);
            Ok((
                body.into_iter()
                    .filter(|(name, _)| name != "_id")
                    .map(|(name, value)| (plain(name), value))
                    .collect(),
                program,
            ))
        }
        None if body.is_empty() => Err(Refused::bad("'log_message' is a required property")),
        None => {
            let program = body.get("pname").and_then(Value::as_str).unwrap_or_default().to_owned();
            Ok((body, program))
        }
    }
}

/// The producer that a message is of; the default one where none has the program's name.
fn producer(found: Option<(u32, &Producer)>) -> (Option<u32>, Producer) {
    match found {
        Some((number, producer)) => (Some(number), producer.clone()),
        None => {
            let name = "default".to_owned();
            let sinks = vec!["elasticsearch".to_owned()];
            (None, Producer { pattern: name.clone(), name, sinks, ..Producer::default() })
        }
    }
}

/// The text of a message that a parser reads.
fn text_to_read(message: &Map<String, Value>) -> &str {
    ["msg", "short_message", "message"]
        .iter()
        .find_map(|name| message.get(*name)?.as_str())
        .unwrap_or_default()
}

/// What a parser found, as an object.
fn fields(found: Vec<(String, sawlog_model::Value)>) -> Value {
    let entries = found.into_iter().map(|(name, value)| (sawlog_model::Value::Str(name), value)).collect();
    let mut text = Vec::new();
    sawlog_model::value::render(&sawlog_model::Value::Map(entries), &mut text);
    serde_json::from_slice(&text).unwrap_or_default()
}

/// What jobs are sealed with; made at the first of them.
async fn seal(shared: &Shared) -> Result<String, Refused> {
    let have = shared.node.tenancy.table().seal;
    if !have.is_empty() {
        return Ok(have);
    }
    let new = uuid(&*shared.node.sys.random);
    let made = own::changing(shared, move |tenancy| {
        tenancy.change(|table| {
            if table.seal.is_empty() {
                table.seal = new;
            }
            Ok(table.seal.clone())
        })
    });
    made.await.map_err(|error| Refused(error.status, error.error))
}

/// A message on its way to all sinks.
struct Job {
    /// It stands in the journal below that.
    position: u64,
}

impl Job {
    /// Its number, in the form of a UUID: the position and a seal.
    fn id(&self, seal: &str) -> String {
        let sealed = Sha256::digest([seal.as_bytes(), &self.position.to_be_bytes()].concat());
        let hex: String = self
            .position
            .to_be_bytes()
            .iter()
            .chain(&sealed[..8])
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    /// The job of a number; `None` where nobody gave it out.
    fn read(id: &str, seal: &str) -> Option<Job> {
        let hex: String = id.chars().filter(|char| *char != '-').take(16).collect();
        let job = Job { position: u64::from_str_radix(&hex, 16).ok()? };
        same(job.id(seal).as_bytes(), id.as_bytes()).then_some(job)
    }
}

fn job(shared: &Shared, call: &Call) -> Result<Response, Refused> {
    let id = parts(&call.path, "/v1/job/").into_iter().next().unwrap_or_default();
    let seal = shared.node.tenancy.table().seal;
    let known = Some(seal).filter(|seal| !seal.is_empty()).and_then(|seal| Job::read(&id, &seal));
    let job = known.ok_or_else(|| Refused::absent("Unable to locate job."))?;
    let waiting = shared.node.ingest.waiting(job.position);
    let status = if waiting == 0 { "complete" } else { "pending" };
    Ok(Json(json!({ "job_id": id, "job_status": status, "sinks_waiting": waiting })).into_response())
}
