//! Loggers and shortcuts: `/api/v1/loggers…` to see and change them, and ALCO's addresses, `/grep/…` and `/api/grep/…`,
//! that its users have in bookmarks and scripts. In reading order: this file (seeing and changing), `question` (what an
//! address asks), `find` (`/api/grep/`), `pages` (`/grep/`).

mod find;
mod pages;
mod question;

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::TryStreamExt;
use sawlog_model::{Right, TimeRange};
use sawlog_query::Request;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

pub(crate) use self::find::ROUTE as FIND;
pub(crate) use self::pages::{INDEX, LOGGER, SHORTCUT, SHORTCUT_WITH_VALUE};
use crate::api::{Call, END, Method, Route, START, Shared, Takes};
use crate::error::ApiError;
use crate::kept::ChangeError;
use crate::loggers::{Book, Column, Logger, Shortcut};
use crate::params::{Kind, Param};

const JSON: &str = "application/json";

pub(crate) const LIST: Route = Route {
    methods: &[Method::Get],
    path: "/api/v1/loggers",
    needs: Some(Right::Read),
    summary: "Lists loggers and shortcuts.",
    params: &[],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(async move { Ok(shown(&shared.node.loggers.book(call.tenant))) }),
};

pub(crate) const COLUMNS: Route = Route {
    methods: &[Method::Get],
    path: "/api/v1/loggers/columns",
    needs: Some(Right::Read),
    summary: "Lists a logger's columns: those that are set, then every other field that rows of the time have.",
    params: &[&NAME, &START, &END],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(columns(shared, call)),
};

pub(crate) const SET: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/loggers/set",
    needs: Some(Right::Write),
    summary: "Makes or changes a logger; the body is one as the list has it: name, selector, days, columns.",
    params: &[],
    takes: Takes::Data,
    gives: JSON,
    handle: |shared, call| Box::pin(set(shared, call)),
};

pub(crate) const REMOVE: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/loggers/remove",
    needs: Some(Right::Write),
    summary: "Takes a logger away with its shortcuts. Its rows stay.",
    params: &[&NAME],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(remove(shared, call)),
};

pub(crate) const SET_SHORTCUT: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/shortcuts/set",
    needs: Some(Right::Write),
    summary: "Makes or changes a shortcut: name, logger, description, url (parameters of the logger's page), default_field.",
    params: &[],
    takes: Takes::Data,
    gives: JSON,
    handle: |shared, call| Box::pin(set_shortcut(shared, call)),
};

pub(crate) const REMOVE_SHORTCUT: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/shortcuts/remove",
    needs: Some(Right::Write),
    summary: "Takes a shortcut away.",
    params: &[&NAME],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(remove_shortcut(shared, call)),
};

const NAME: Param = Param { name: "name", kind: Kind::Text, help: "Its name." };

fn shown(book: &Book) -> Response {
    let loggers: Vec<&Logger> = book.loggers.values().collect();
    let shortcuts: Vec<&Shortcut> = book.shortcuts.values().collect();
    Json(json!({ "loggers": loggers, "shortcuts": shortcuts })).into_response()
}

async fn columns(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let name = named(&call)?;
    let logger = shared.node.loggers.book(call.tenant).loggers.remove(&name);
    let mut columns = logger.ok_or_else(|| no_such("logger", &name))?.columns;
    let range = call.params.range(call.now)?;
    let _turn = shared.turn(&call).await?;
    let (store, tenant) = (shared.node.store.clone(), call.tenant);
    let counting = tokio::task::spawn_blocking(move || store.fields(tenant, range));
    let failed =
        |words: String| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, words, "See the node's own log.");
    let fields = shared.in_time(counting).await?.map_err(|error| failed(error.to_string()))??;
    for field in fields {
        if !field.name.starts_with('_') && !columns.iter().any(|column| column.name == field.name) {
            columns.push(Column::of(field.name));
        }
    }
    Ok(Json(json!({ "columns": columns })).into_response())
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        ApiError::bad(format!("The body cannot be read: {error}."), "GET /api/v1/loggers shows the form.")
    })
}

async fn set(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let logger: Logger = read(&call.body)?;
    sawlog_query::predicate(&logger.selector, call.now)?;
    change(shared, call, move |book| book.set_logger(logger)).await
}

async fn set_shortcut(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let shortcut: Shortcut = read(&call.body)?;
    change(shared, call, move |book| book.set_shortcut(shortcut)).await
}

async fn remove(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let name = named(&call)?;
    let absent = no_such("logger", &name);
    let remove = move |book: &mut Book| Ok(book.remove_logger(&name));
    if changed(shared.clone(), &call, remove).await? { Ok(list(&shared, &call)) } else { Err(absent) }
}

async fn remove_shortcut(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let name = named(&call)?;
    let absent = no_such("shortcut", &name);
    let remove = move |book: &mut Book| Ok(book.shortcuts.remove(&name).is_some());
    if changed(shared.clone(), &call, remove).await? { Ok(list(&shared, &call)) } else { Err(absent) }
}

fn named(call: &Call) -> Result<String, ApiError> {
    let name = call.params.text("name");
    name.map(str::to_owned)
        .ok_or_else(|| ApiError::bad("name is not given.", "Give the name of what is to go."))
}

/// There is none of that name.
fn no_such(what: &str, name: &str) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        format!("There is no {what} {name:?}."),
        "GET /api/v1/loggers lists those that there are.",
    )
}

fn list(shared: &Shared, call: &Call) -> Response {
    shown(&shared.node.loggers.book(call.tenant))
}

async fn change(
    shared: Arc<Shared>,
    call: Call,
    change: impl FnOnce(&mut Book) -> Result<(), String> + Send + 'static,
) -> Result<Response, ApiError> {
    changed(shared.clone(), &call, change).await?;
    Ok(list(&shared, &call))
}

async fn changed<T: Send + 'static>(
    shared: Arc<Shared>,
    call: &Call,
    change: impl FnOnce(&mut Book) -> Result<T, String> + Send + 'static,
) -> Result<T, ApiError> {
    let (loggers, tenant) = (shared.node.loggers.clone(), call.tenant);
    // It waits for the disk.
    let changing = tokio::task::spawn_blocking(move || loggers.change(tenant, change));
    Ok(changing.await.map_err(|error| ChangeError::Disk(error.to_string()))??)
}

/// The parts of an address's path behind `before`, decoded.
pub(super) fn parts(path: &str, before: &str) -> Vec<String> {
    let rest = path.strip_prefix(before).unwrap_or_default();
    let decode = |part: &str| {
        // `+` is itself in a path.
        let text = format!("x={}", part.replace('+', "%2B"));
        form_urlencoded::parse(text.as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    rest.split('/').filter(|part| !part.is_empty()).map(decode).collect()
}

/// All rows that a query gives.
async fn asked(
    shared: &Arc<Shared>,
    call: &Call,
    query: String,
    range: TimeRange,
) -> Result<Vec<Map<String, Value>>, ApiError> {
    if range.start >= range.end {
        return Ok(Vec::new());
    }
    let request = Request { tenant: call.tenant, query, range, limit: None, now: call.now };
    let _turn = shared.turn(call).await?;
    let answer = shared.in_time(call.engine(shared).search(request)).await??;
    let batches: Vec<RecordBatch> = shared.in_time(answer.batches.try_collect()).await??;
    let mut text = Vec::new();
    batches.iter().for_each(|batch| sawlog_query::write_ndjson(batch, &mut text));
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// What `stats count() as n` gave.
fn counted(rows: &[Map<String, Value>]) -> usize {
    rows.first().and_then(|row| row.get("n")?.as_u64()).unwrap_or(0) as usize
}

/// The logger whose name stands behind `before`.
fn logger_of(shared: &Shared, call: &Call, before: &str) -> Result<Logger, ApiError> {
    let name = parts(&call.path, before).into_iter().next().unwrap_or_default();
    shared.node.loggers.book(call.tenant).loggers.remove(&name).ok_or_else(|| no_such("logger", &name))
}
