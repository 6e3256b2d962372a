//! `/api/v1/session`, `/api/v1/login`, `/api/v1/logout`: who the caller is, and the cookie by which a browser stays somebody who
//! signed in, by name and password or by a token.

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sawlog_model::time::SECOND;
use sawlog_model::{Access, Nanos, Right};
use serde_json::json;

use super::users::password;
use super::{JSON, changing, needed};
use crate::access::NoLogin;
use crate::api::{Call, Method, Route, Shared, Takes};
use crate::door;
use crate::error::ApiError;
use crate::kept::ChangeError;
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
    summary: "Lets a browser stay who it is by name and password, or by a token, as a cookie that no page can read.",
    params: &[&TOKEN, &NAME, &super::users::PASSWORD, &TENANT],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(login(shared, call)),
};

pub(crate) const LOGOUT: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/logout",
    needs: None,
    summary: "Takes that cookie away and ends its session.",
    params: &[],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(logout(shared, call)),
};

const TOKEN: Param =
    Param { name: "token", kind: Kind::Text, help: "The token, in the place of name and password." };
const NAME: Param = Param { name: "name", kind: Kind::Text, help: "The user's name." };
const TENANT: Param = Param {
    name: "tenant",
    kind: Kind::Text,
    help: "For which of the user's tenants; the first where not given.",
};

/// How long a browser keeps it: a working day, seconds.
const KEEP: u32 = 12 * 3_600;

/// A session comes along when somebody follows a link to us, a token that was typed in does not; neither where another site's page
/// sends something. Over TLS it comes over nothing else.
fn cookie(token: &str, seconds: u32, call: &Call, same_site: &str) -> String {
    let secure = if call.over_tls { "; Secure" } else { "" };
    format!("{}={token}; Path=/; HttpOnly; SameSite={same_site}; Max-Age={seconds}{secure}", door::COOKIE)
}

fn session(shared: &Shared, headers: &HeaderMap) -> Result<Response, ApiError> {
    let (tenancy, shown) = (&shared.node.tenancy, door::credential(headers));
    let (tenant, role) = tenancy.describe(&shown).ok_or_else(unknown)?;
    let (user, asks) = (tenancy.user(&shown), tenancy.asks());
    Ok(Json(json!({ "tenant": tenant, "role": role.name(), "asks": asks, "user": user })).into_response())
}

async fn login(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let (made, same_site) = match call.params.text("name") {
        None => (needed(&call, "token")?, "Strict"),
        Some(name) => (signed_in(&shared, &call, name.to_owned()).await?, "Lax"),
    };
    let tenancy = &shared.node.tenancy;
    let known = tenancy.asks().then(|| tenancy.describe(made.as_bytes())).flatten();
    let (tenant, role) = known.ok_or_else(unknown)?;
    let said = json!({ "tenant": tenant, "role": role.name() });
    Ok(([(header::SET_COOKIE, cookie(&made, KEEP, &call, same_site))], Json(said)).into_response())
}

/// What a browser shows from now on, of a user whose password is right.
async fn signed_in(shared: &Arc<Shared>, call: &Call, name: String) -> Result<String, ApiError> {
    let password = password(call, "password")?.unwrap_or_default();
    let tenant = call.params.text("tenant").unwrap_or_default().to_owned();
    let (peer, keep) = (call.peer.clone(), Nanos::from(KEEP) * SECOND);
    let made = changing(shared, move |tenancy| {
        Ok(tenancy
            .check_password(&name, &password, &peer)
            .and_then(|()| tenancy.open_session(&name, &tenant, keep)))
    });
    made.await?.map(|made| made.token).map_err(no_login)
}

async fn logout(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    door::check_cookie(&axum::http::Method::POST, &call.headers)?;
    let shown = door::credential(&call.headers);
    changing(&shared, move |tenancy| tenancy.close_session(&shown)).await?;
    Ok(([(header::SET_COOKIE, cookie("", 0, &call, "Lax"))], Json(json!({}))).into_response())
}

/// Why nobody is signed in.
pub(super) fn no_login(refused: NoLogin) -> ApiError {
    match refused {
        NoLogin::Wrong => name_or_password_is_wrong(),
        NoLogin::TooMany(over) => {
            let wait = over.wait.as_secs().max(1);
            let remedy = format!("Try again in {wait} s.");
            ApiError { wait: Some(wait), ..ApiError::new(StatusCode::TOO_MANY_REQUESTS, over.reason, remedy) }
        }
        NoLogin::Disk(words) => ChangeError::Disk(words).into(),
    }
}

/// It is not told which of them.
pub(super) fn name_or_password_is_wrong() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "Name or password is wrong.",
        "Try again; an administrator can set another password.",
    )
}

fn unknown() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "this credential does not allow that; send a valid token",
        "`sawlog token add --role read` makes one, on the node's machine.",
    )
}
