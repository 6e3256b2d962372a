//! `/v1/tenant/{id}/producers`: event producers, by which messages are told apart, and what is to be done with each one's.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::{Meniscus, Refused, address, answer, body, kept, located, route, text};
use crate::access::Producer;
use crate::api::{Call, Method, Route, Shared};

pub(super) const LIST: Route =
    route(&[Method::Get], "/v1/tenant/{id}/producers", "Meniscus: lists event producers.", |shared, call| {
        Box::pin(async move { answer(list(shared, call).await) })
    });

pub(super) const CREATE: Route = route(
    &[Method::Post],
    "/v1/tenant/{id}/producers",
    "Meniscus: makes an event producer of {\"event_producer\": {\"name\", \"pattern\", \"durable\", \"encrypted\", \"sinks\"}}.",
    |shared, call| Box::pin(async move { answer(create(shared, call).await) }),
);

pub(super) const SHOW: Route = route(
    &[Method::Get],
    "/v1/tenant/{id}/producers/{number}",
    "Meniscus: shows an event producer.",
    |shared, call| Box::pin(async move { answer(show(shared, call).await) }),
);

pub(super) const CHANGE: Route = route(
    &[Method::Put],
    "/v1/tenant/{id}/producers/{number}",
    "Meniscus: changes what is given of an event producer.",
    |shared, call| Box::pin(async move { answer(change(shared, call).await) }),
);

pub(super) const REMOVE: Route = route(
    &[Method::Delete],
    "/v1/tenant/{id}/producers/{number}",
    "Meniscus: takes an event producer away.",
    |shared, call| Box::pin(async move { answer(remove(shared, call).await) }),
);

/// Where messages of a producer may go.
const SINKS: [&str; 2] = ["elasticsearch", "hdfs"];

/// Most producers of a tenant.
const MOST: usize = 10_000;

pub(super) fn shown(kept: &Meniscus) -> Vec<Value> {
    kept.producers.iter().map(|(number, producer)| one(*number, producer)).collect()
}

fn one(number: u32, producer: &Producer) -> Value {
    json!({
        "id": number,
        "name": producer.name,
        "pattern": producer.pattern,
        "durable": producer.durable,
        "encrypted": producer.encrypted,
        "sinks": producer.sinks,
    })
}

/// Puts what is given over what is there.
fn read(given: &Map<String, Value>, producer: &mut Producer) -> Result<(), Refused> {
    for (name, value) in given {
        match (name.as_str(), value) {
            ("name", _) => producer.name = text(given, name)?,
            ("pattern", _) => producer.pattern = text(given, name)?,
            ("durable", Value::Bool(flag)) => producer.durable = *flag,
            ("encrypted", Value::Bool(flag)) => producer.encrypted = *flag,
            ("durable" | "encrypted", other) => {
                return Err(Refused::bad(format!("{other} is not of type 'boolean'")));
            }
            ("sinks", Value::Array(list)) => producer.sinks = sinks(list)?,
            ("sinks", other) => return Err(Refused::bad(format!("{other} is not of type 'array'"))),
            (other, _) => {
                let words = format!("Additional properties are not allowed ('{other}' was unexpected)");
                return Err(Refused::bad(words));
            }
        }
    }
    Ok(())
}

fn sinks(list: &[Value]) -> Result<Vec<String>, Refused> {
    let mut sinks = Vec::new();
    for sink in list {
        match sink.as_str().filter(|sink| SINKS.contains(sink)) {
            None => return Err(Refused::bad(format!("{sink} is not one of ['elasticsearch', 'hdfs']"))),
            Some(sink) if sinks.iter().any(|have| have == sink) => {
                return Err(Refused::bad("sinks has non-unique elements"));
            }
            Some(sink) => sinks.push(sink.to_owned()),
        }
    }
    Ok(sinks)
}

fn unique(kept: &Meniscus, producer: &Producer, number: u32) -> Result<(), Refused> {
    match kept.producer(&producer.name) {
        Some((other, _)) if other != number => Err(Refused::bad(format!(
            "Event producer with name {} already exists with id={other}.",
            producer.name
        ))),
        _ => Ok(()),
    }
}

async fn list(shared: Arc<Shared>, call: Call) -> Result<Response, Refused> {
    let shown = kept(&shared, &call, |kept, _| Ok(json!({ "event_producers": shown(kept) }))).await?;
    Ok(Json(shown).into_response())
}

async fn create(shared: Arc<Shared>, call: Call) -> Result<Response, Refused> {
    let given = body(&call, "event_producer")?;
    text(&given, "name")?;
    text(&given, "pattern")?;
    let mut producer = Producer { sinks: vec![SINKS[0].to_owned()], ..Producer::default() };
    read(&given, &mut producer)?;
    let number = kept(&shared, &call, move |kept, _| {
        unique(kept, &producer, 0)?;
        if kept.producers.len() >= MOST {
            return Err(Refused::bad(format!("A tenant has at most {MOST} event producers.")));
        }
        kept.last += 1;
        kept.producers.insert(kept.last, producer);
        Ok(kept.last)
    })
    .await?;
    Ok(located(StatusCode::CREATED, &[&address(&call.path).0, "producers", &number.to_string()]))
}

/// The number in the address.
fn number(call: &Call) -> Result<u32, Refused> {
    let number = address(&call.path).1.into_iter().nth(1);
    number.and_then(|number| number.parse().ok()).ok_or_else(Refused::no_producer)
}

async fn show(shared: Arc<Shared>, call: Call) -> Result<Response, Refused> {
    let found = kept(&shared, &call, {
        let number = number(&call);
        move |kept, _| {
            let number = number?;
            let producer = kept.producers.get(&number).ok_or_else(Refused::no_producer)?;
            Ok(json!({ "event_producer": one(number, producer) }))
        }
    });
    Ok(Json(found.await?).into_response())
}

async fn change(shared: Arc<Shared>, call: Call) -> Result<Response, Refused> {
    let given = body(&call, "event_producer")?;
    let number = number(&call);
    kept(&shared, &call, move |kept, _| {
        let number = number?;
        let mut producer = kept.producers.get(&number).cloned().ok_or_else(Refused::no_producer)?;
        read(&given, &mut producer)?;
        unique(kept, &producer, number)?;
        kept.producers.insert(number, producer);
        Ok(())
    })
    .await?;
    Ok(StatusCode::OK.into_response())
}

async fn remove(shared: Arc<Shared>, call: Call) -> Result<Response, Refused> {
    let number = number(&call);
    kept(&shared, &call, move |kept, _| {
        kept.producers.remove(&number?).map(drop).ok_or_else(Refused::no_producer)
    })
    .await?;
    Ok(StatusCode::OK.into_response())
}
