//! `/api/v1/tokens…`: the tokens of a tenant. A token is shown once, when it is made.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use sawlog_model::time::rfc3339;
use sawlog_model::{Right, Tenant};
use serde_json::{Value, json};

use super::{JSON, changing, needed, usage};
use crate::access::{Limits, NewToken, Role, Token};
use crate::api::{Call, Method, Route, Shared, Takes};
use crate::error::ApiError;
use crate::params::{Kind, Param};

pub(crate) const LIST: Route = Route {
    methods: &[Method::Get],
    path: "/api/v1/tokens",
    needs: Some(Right::Admin),
    summary: "Lists the tenant's tokens, without what would let somebody use them.",
    params: &[],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(async move { Ok(list(&shared, call.tenant)) }),
};

pub(crate) const ADD: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/tokens/add",
    needs: Some(Right::Admin),
    summary: "Makes a token of the tenant and answers it; it is not shown again.",
    params: &[&NAME, &ROLE, &EXPIRES],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(add(shared, call)),
};

pub(crate) const ROTATE: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/tokens/rotate",
    needs: Some(Right::Admin),
    summary: "Makes a token in the place of one and answers it; the one before holds for a while yet.",
    params: &[&ID, &KEEP],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(rotate(shared, call)),
};

pub(crate) const LIMIT: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/tokens/limit",
    needs: Some(Right::Admin),
    summary: "Sets what may be sent and asked with a token, and how long and how much of what came with it is kept; what is not given or 0 is not limited.",
    params: &[
        &ID,
        &usage::BYTES,
        &usage::RECORDS,
        &usage::STORED,
        &usage::QUERIES,
        &usage::SECONDS,
        &usage::MEMORY,
        &usage::SOURCES,
        &usage::FIELDS,
        &usage::KEEP_SECONDS,
        &usage::KEEP_BYTES,
    ],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(limit(shared, call)),
};

pub(crate) const REMOVE: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/tokens/remove",
    needs: Some(Right::Admin),
    summary: "Takes a token away; it is worth nothing from then on.",
    params: &[&ID],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(remove(shared, call)),
};

const NAME: Param = Param { name: "name", kind: Kind::Text, help: "What it is for." };
const ROLE: Param = Param { name: "role", kind: Kind::Text, help: "ingest, read, write or admin." };
const EXPIRES: Param = Param {
    name: "expires",
    kind: Kind::Duration,
    help: "After which time it is worth nothing; never, where not given.",
};
const ID: Param = Param { name: "id", kind: Kind::Text, help: "Its id, as the list has it." };
const KEEP: Param = Param {
    name: "keep",
    kind: Kind::Duration,
    help: "How long the one before still holds; not at all, where not given.",
};

fn list(shared: &Shared, tenant: Tenant) -> Response {
    let table = shared.node.tenancy.table();
    let ours = table.tokens.iter().filter(|(_, token)| token.tenant == tenant.0);
    Json(json!({ "tokens": ours.map(|(id, token)| shown(id, token)).collect::<Vec<_>>() })).into_response()
}

fn shown(id: &str, token: &Token) -> Value {
    let mut shown = json!({
        "id": id,
        "name": token.name,
        "role": token.role.name(),
        "created": rfc3339(token.created),
        "expires": token.expires.map(rfc3339),
        "previous_until": token.previous.as_ref().map(|previous| rfc3339(previous.until)),
    });
    let mut limits = token.limits;
    for (name, limit) in limits.each() {
        shown[name] = (*limit).into();
    }
    shown
}

/// The role that a request names.
pub(super) fn role_of(call: &Call) -> Result<Role, ApiError> {
    let name = call.params.text("role").unwrap_or_default();
    Role::named(name).ok_or_else(|| {
        let roles = Role::ALL.map(Role::name).join(", ");
        ApiError::bad(format!("There is no role {name:?}."), format!("Give one of {roles}."))
    })
}

async fn add(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let role = role_of(&call)?;
    let expires = call.params.duration("expires")?.map(|time| call.now.saturating_add(time));
    let new = NewToken { name: call.params.text("name").unwrap_or(role.name()).to_owned(), role, expires };
    let tenant = call.tenant;
    let made =
        changing(&shared, move |tenancy| tenancy.change(|table| tenancy.put(table, tenant, new))).await?;
    Ok(Json(json!({ "id": made.id, "token": made.token })).into_response())
}

async fn rotate(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let (id, tenant) = (needed(&call, "id")?, call.tenant);
    let keep = call.params.duration("keep")?.unwrap_or(0);
    let made = changing(&shared, move |tenancy| tenancy.rotate(tenant, &id, keep)).await?;
    Ok(Json(json!({ "id": made.id, "token": made.token })).into_response())
}

async fn limit(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let (id, tenant) = (needed(&call, "id")?, call.tenant);
    let mut limits = Limits::default();
    for (name, limit) in limits.each() {
        *limit = call.params.count(name)?.unwrap_or_default();
    }
    changing(&shared, move |tenancy| tenancy.limit_token(tenant, &id, limits)).await?;
    Ok(list(&shared, tenant))
}

async fn remove(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let (id, tenant) = (needed(&call, "id")?, call.tenant);
    changing(&shared, move |tenancy| {
        tenancy.change(|table| {
            table.token(&id, tenant)?;
            table.tokens.remove(&id);
            Ok(())
        })
    })
    .await?;
    Ok(list(&shared, tenant))
}
