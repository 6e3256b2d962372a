//! `/api/v1/session`, `/api/v1/login`, `/api/v1/logout`: who the caller is, and the cookie that the page shows a token with, since
//! a browser's live tail can send no header of its own.

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sawlog_model::{Access, Right};
use serde_json::json;

use super::{JSON, needed};
use crate::api::{Call, Method, Route, Shared, Takes};
use crate::door;
use crate::error::ApiError;
use crate::params::{Kind, Param};

pub(crate) const SESSION: Route = Route {
    methods: &[Method::Get],
    path: "/api/v1/session",
    needs: Some(Right::Read),
    summary: "Says which tenant the caller acts for, in which role, and whether credentials are asked for at all.",
    params: &[],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(async move { session(&shared, &call.headers) }),
};

pub(crate) const LOGIN: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/login",
    needs: None,
    summary: "Lets a browser show this token with every request from now on, as a cookie that no page can read.",
    params: &[&TOKEN],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(login(shared, call)),
};

pub(crate) const LOGOUT: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/logout",
    needs: None,
    summary: "Takes that cookie away.",
    params: &[],
    takes: Takes::Params,
    gives: JSON,
    handle: |_, _| {
        Box::pin(async { Ok(([(header::SET_COOKIE, cookie("", 0))], Json(json!({}))).into_response()) })
    },
};

const TOKEN: Param = Param { name: "token", kind: Kind::Text, help: "The token." };

/// How long a browser keeps it: a working day, seconds.
const KEEP: u32 = 12 * 3_600;

fn cookie(token: &str, seconds: u32) -> String {
    format!("{}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}", door::COOKIE)
}

fn session(shared: &Shared, headers: &HeaderMap) -> Result<Response, ApiError> {
    let tenancy = &shared.node.tenancy;
    let (tenant, role) = tenancy.describe(&door::credential(headers)).ok_or_else(unknown)?;
    Ok(Json(json!({ "tenant": tenant, "role": role.name(), "asks": tenancy.asks() })).into_response())
}

async fn login(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let token = needed(&call, "token")?;
    let tenancy = &shared.node.tenancy;
    let known = tenancy.asks().then(|| tenancy.describe(token.as_bytes())).flatten();
    let (tenant, role) = known.ok_or_else(unknown)?;
    let said = json!({ "tenant": tenant, "role": role.name() });
    Ok(([(header::SET_COOKIE, cookie(&token, KEEP))], Json(said)).into_response())
}

fn unknown() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "this credential does not allow that; send a valid token",
        "`sawlog token add --role read` makes one, on the node's machine.",
    )
}
