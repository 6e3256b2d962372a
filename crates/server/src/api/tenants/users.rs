//! `/api/v1/users…`: people with passwords, and their roles. A password is never answered.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sawlog_model::Right;
use serde_json::{Map, Value, json};

use super::session::{name_or_password_is_wrong, no_login};
use super::tokens::role_of;
use super::{JSON, changing, needed};
use crate::access::{By, NoLogin};
use crate::api::{Call, Method, Route, Shared, Takes};
use crate::door;
use crate::error::ApiError;
use crate::params::{Kind, Param};

pub(crate) const LIST: Route = Route {
    methods: &[Method::Get],
    path: "/api/v1/users",
    needs: Some(Right::Admin),
    summary: "Lists users with their roles: all for who owns the node, else those of the caller's tenant.",
    params: &[],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(async move { Ok(list(&shared, &call)) }),
};

pub(crate) const ADD: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/users/add",
    needs: Some(Right::Admin),
    summary: "Makes a user with a role in the tenant; without a password, gives one that is there another role.",
    params: &[&NAME, &PASSWORD, &ROLE],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(add(shared, call)),
};

pub(crate) const SET_PASSWORD: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/users/password",
    needs: Some(Right::Admin),
    summary: "Sets a user's password; who was signed in with the one before is so no more.",
    params: &[&NAME, &PASSWORD],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(set_password(shared, call)),
};

pub(crate) const REMOVE: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/users/remove",
    needs: Some(Right::Admin),
    summary: "Takes a user away; for a tenant's administrator the role there, and the user with the last one.",
    params: &[&NAME],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(remove(shared, call)),
};

pub(crate) const OWN_PASSWORD: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/password",
    needs: Some(Right::Read),
    summary: "Changes the password of who is signed in, who signs in again with it.",
    params: &[&CURRENT, &PASSWORD],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(own_password(shared, call)),
};

const NAME: Param = Param { name: "name", kind: Kind::Text, help: "The user's name." };
pub(super) const PASSWORD: Param = Param {
    name: "password",
    kind: Kind::Text,
    help: "8 to 1,024 bytes; in the body, since addresses are logged.",
};
const CURRENT: Param = Param { name: "current", kind: Kind::Text, help: "The password until now." };
const ROLE: Param = Param { name: "role", kind: Kind::Text, help: "ingest, read, write or admin." };

/// A password, which stands in the body.
pub(super) fn password(call: &Call, name: &str) -> Result<Option<String>, ApiError> {
    let given = call.params.text(name).map(str::to_owned);
    if given.is_some() && call.in_address.iter().any(|have| have == name) {
        let remedy = "Send it in the body, and change it: addresses stand in logs.";
        return Err(ApiError::bad(format!("{name} stands in the address."), remedy));
    }
    Ok(given)
}

fn new_password(call: &Call) -> Result<String, ApiError> {
    password(call, "password")?.map_or_else(|| needed(call, "password"), Ok)
}

fn by(call: &Call) -> By {
    By { tenant: call.tenant, owns: call.owns }
}

fn list(shared: &Shared, call: &Call) -> Response {
    let users = shared.node.tenancy.users((!call.whole).then_some(call.tenant));
    let shown = users.into_iter().map(|(name, roles)| {
        let roles: Map<String, Value> =
            roles.into_iter().map(|(tenant, role)| (tenant, role.name().into())).collect();
        json!({ "name": name, "roles": roles })
    });
    Json(json!({ "users": shown.collect::<Vec<_>>() })).into_response()
}

async fn add(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let (name, role, password) = (needed(&call, "name")?, role_of(&call)?, password(&call, "password")?);
    let (by, tenant) = (by(&call), shared.node.tenancy.table().name(call.tenant).to_owned());
    changing(&shared, move |tenancy| {
        tenancy.add_user_by(by, &name, password.as_deref(), (&tenant, role))?;
        // As where the first tenant is made: who does it must be able to go on.
        tenancy.ensure(&[]).map_err(crate::ChangeError::Disk)
    })
    .await
    .map(|first| {
        let mut said = json!({});
        if let Some(made) = first {
            said["first_token"] = made.token.into();
        }
        Json(said).into_response()
    })
}

async fn set_password(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let (name, password, by) = (needed(&call, "name")?, new_password(&call)?, by(&call));
    changing(&shared, move |tenancy| tenancy.set_password_by(by, &name, &password)).await?;
    Ok(Json(json!({})).into_response())
}

async fn remove(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let (name, by) = (needed(&call, "name")?, by(&call));
    changing(&shared, move |tenancy| tenancy.remove_user_by(by, &name)).await?;
    Ok(list(&shared, &call))
}

async fn own_password(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let shown = door::credential(&call.headers);
    let user = shared.node.tenancy.user(&shown).ok_or_else(|| {
        ApiError::new(StatusCode::BAD_REQUEST, "A token has no password.", "Sign in as a user first.")
    })?;
    let current = password(&call, "current")?.unwrap_or_default();
    let (new, peer) = (new_password(&call)?, call.peer.clone());
    let changed = changing(&shared, move |tenancy| match tenancy.check_password(&user, &current, &peer) {
        Ok(()) => tenancy.set_password(&user, &new).map(|()| None),
        Err(refused) => Ok(Some(refused)),
    })
    .await?;
    match changed {
        None => Ok(Json(json!({})).into_response()),
        Some(NoLogin::Wrong) => Err(name_or_password_is_wrong()),
        Some(refused) => Err(no_login(refused)),
    }
}
