//! Tenants, tokens and users: `/api/v1/tenants…`, `/api/v1/tokens…`, `/api/v1/users…`, and what the page signs in and out with. In
//! reading order: this file (tenants), `tokens`, `users`, `session`, `usage`.

mod session;
mod tokens;
mod usage;
mod users;

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sawlog_model::time::rfc3339;
use sawlog_model::{Right, Tenant};
use serde_json::{Value, json};

pub(crate) use self::session::{LOGIN, LOGOUT, SESSION};
pub(crate) use self::tokens::{
    ADD as ADD_TOKEN, LIMIT as LIMIT_TOKEN, LIST as TOKENS, REMOVE as REMOVE_TOKEN, ROTATE as ROTATE_TOKEN,
};
pub(crate) use self::usage::{LIMIT, USAGE, metrics};
pub(crate) use self::users::{
    ADD as ADD_USER, LIST as USERS, OWN_PASSWORD, REMOVE as REMOVE_USER, SET_PASSWORD,
};
use crate::access::{Entry, Made, OWNER, Table, Tenancy};
use crate::api::{Call, Method, Route, Shared, Takes};
use crate::error::ApiError;
use crate::kept::ChangeError;
use crate::params::{Kind, Param};

const JSON: &str = "application/json";

pub(crate) const LIST: Route = Route {
    methods: &[Method::Get],
    path: "/api/v1/tenants",
    needs: Some(Right::Admin),
    summary: "Lists the tenants: all for who owns the node, else the caller's own.",
    params: &[],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(async move { Ok(list(&shared, &call)) }),
};

pub(crate) const ADD: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/tenants/add",
    needs: Some(Right::Node),
    summary: "Makes a tenant. From the first one on credentials are asked for everywhere.",
    params: &[&NAME, &TITLE],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(add(shared, call)),
};

pub(crate) const REMOVE: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/tenants/remove",
    needs: Some(Right::Node),
    summary: "Takes a tenant away with its tokens, its users who are in no other, and all its data; 202 with the names of outputs \
              that are behind, until which rows of it stand in the journal.",
    params: &[&NAME],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(remove(shared, call)),
};

const NAME: Param = Param { name: "name", kind: Kind::Text, help: "The tenant's name." };
const TITLE: Param = Param { name: "title", kind: Kind::Text, help: "What people call it." };

fn list(shared: &Shared, call: &Call) -> Response {
    let table = shared.node.tenancy.table();
    let unset = Entry { name: OWNER.to_owned(), ..Entry::default() };
    let owner = (0, table.tenants.get(&0).cloned().unwrap_or(unset));
    let all = table
        .tenants
        .iter()
        .filter(|(number, _)| **number > 0)
        .map(|(number, entry)| (*number, entry.clone()));
    let shown =
        std::iter::once(owner).chain(all).filter(|(number, _)| call.whole || *number == call.tenant.0);
    let tenants: Vec<Value> = shown.map(|(number, entry)| tenant(&table, Tenant(number), &entry)).collect();
    Json(json!({ "tenants": tenants })).into_response()
}

fn tenant(table: &Table, tenant: Tenant, entry: &Entry) -> Value {
    json!({
        "name": entry.name,
        "title": entry.title,
        "number": tenant.0,
        "created": (entry.created > 0).then(|| rfc3339(entry.created)),
        "tokens": table.tokens.values().filter(|token| token.tenant == tenant.0).count(),
    })
}

/// Makes a tenant, and a first administrator's token where there is none.
pub(crate) fn make(tenancy: &Tenancy, name: &str, title: &str) -> Result<Option<Made>, ChangeError> {
    tenancy.add_tenant(name, title)?;
    tenancy.ensure(&[name.to_owned()]).map_err(ChangeError::Disk)
}

async fn add(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let (name, title) = (needed(&call, "name")?, call.params.text("title").unwrap_or_default().to_owned());
    // Whoever makes the first tenant must be able to go on: from here on a credential is asked for.
    let first = changing(&shared, {
        let name = name.clone();
        move |tenancy| make(tenancy, &name, &title)
    })
    .await?;
    let mut said = json!({ "name": name });
    if let Some(made) = first {
        said["first_token"] = made.token.into();
    }
    Ok(Json(said).into_response())
}

async fn remove(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let name = needed(&call, "name")?;
    let loggers = shared.node.loggers.clone();
    changing(&shared, move |tenancy| {
        let tenant = tenancy.change(|table| table.remove_tenant(&name))?;
        loggers.forget(tenant)?;
        tenancy.forget(tenant).map_err(ChangeError::Disk)
    })
    .await?;
    let waiting = shared.node.control.purge().await.map_err(|words| {
        let remedy = "Nobody reaches what is left; the node goes on trying, and at its next start.";
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, words, remedy)
    })?;
    if waiting.is_empty() {
        return Ok(list(&shared, &call));
    }
    Ok((StatusCode::ACCEPTED, Json(json!({ "waiting": waiting }))).into_response())
}

/// A parameter that must be there.
fn needed(call: &Call, name: &str) -> Result<String, ApiError> {
    let given = call.params.text(name).map(str::to_owned);
    given.ok_or_else(|| ApiError::bad(format!("{name} is not given."), "Give it as a parameter."))
}

/// Changes tenants or tokens, away from the threads that serve connections: it waits for the disk.
pub(crate) async fn changing<T: Send + 'static>(
    shared: &Shared,
    change: impl FnOnce(&Tenancy) -> Result<T, ChangeError> + Send + 'static,
) -> Result<T, ApiError> {
    let tenancy = shared.node.tenancy.clone();
    let changed = tokio::task::spawn_blocking(move || change(&tenancy)).await;
    Ok(changed.map_err(|error| ChangeError::Disk(error.to_string()))??)
}
