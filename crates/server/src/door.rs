//! Who may pass: the `Host` header (against DNS rebinding), where a browser's request comes from (against other sites'
//! pages), the credential. And the headers that every answer bears. Knows nothing of single routes.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use base64::Engine as _;
use sawlog_model::{Access, AccessError, Right, Tenant};

use crate::error::ApiError;

/// Which `Host` headers are answered. A page of another site can give its own name this machine's address; it then still
/// sends its own name here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hosts {
    /// `localhost` and addresses of the loopback interface: right for a listener there.
    Loopback,
    /// Any: right for a listener that others reach, under names that we cannot know.
    Any,
    /// The loopback ones and these names, without port.
    Named(Vec<String>),
}

impl Hosts {
    /// The right one for a listener at `address`.
    pub fn of(address: SocketAddr) -> Hosts {
        if address.ip().is_loopback() { Hosts::Loopback } else { Hosts::Any }
    }

    fn allows(&self, host: &str) -> bool {
        let name = without_port(host).trim_end_matches('.').to_ascii_lowercase();
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let local = name == "localhost"
            || name.ends_with(".localhost")
            || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        match self {
            Hosts::Any => true,
            Hosts::Loopback => local,
            Hosts::Named(names) => local || names.iter().any(|one| one.eq_ignore_ascii_case(&name)),
        }
    }
}

fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if host[colon + 1..].bytes().all(|byte| byte.is_ascii_digit()) => &host[..colon],
        _ => host,
    }
}

/// Access for a node without credentials: everyone who reaches it may do everything, as the default tenant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Open;

impl Access for Open {
    fn admit(&self, _credential: &[u8], _right: Right) -> Result<Tenant, AccessError> {
        Ok(Tenant::DEFAULT)
    }
}

/// Checks the `Host` header. A request without one is no browser's and passes.
///
/// # Errors
/// 421 where the name is not one of ours.
pub(crate) fn check_host(hosts: &Hosts, headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(host) = headers.get(header::HOST) else { return Ok(()) };
    if host.to_str().is_ok_and(|host| hosts.allows(host)) {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::MISDIRECTED_REQUEST,
        "This node listens on the loopback interface and is not known by that name.",
        "Use http://localhost or http://127.0.0.1, or configure the listener's address and names.",
    ))
}

/// Refuses what a browser sends on behalf of another site's page. Programs send neither header.
///
/// # Errors
/// 403.
pub(crate) fn check_origin(headers: &HeaderMap) -> Result<(), ApiError> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let foreign_site = headers
        .get("sec-fetch-site")
        .is_some_and(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"));
    let foreign_origin = headers.contains_key(header::ORIGIN) && {
        let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://"));
        origin.is_none_or(|(_, authority)| text(header::HOST) != Some(authority))
    };
    if foreign_site || foreign_origin {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "A page of another site asked for this.",
            "Open this node's own page, or ask from a program.",
        ));
    }
    Ok(())
}

/// Names the tenant that a request is about: for who owns the node any, for others their own.
pub(crate) const TENANT: HeaderName = HeaderName::from_static("x-sawlog-tenant");

/// In which cookie the page keeps its token.
pub(crate) const COOKIE: &str = "sawlog_token";

/// The tenant that the request's credential may act for, and whether it is about the whole node.
///
/// # Errors
/// 401.
pub(crate) fn admit(
    access: &dyn Access,
    headers: &HeaderMap,
    right: Right,
) -> Result<(Tenant, bool), ApiError> {
    let credential = credential(headers);
    let owns = access.admit(&credential, Right::Node).is_ok();
    let Some(name) = headers.get(TENANT) else {
        return Ok((access.admit(&credential, right).map_err(refusal)?, owns));
    };
    let name = std::str::from_utf8(name.as_bytes()).map_err(|_| refusal(AccessError))?;
    let named = match access.tenant(name) {
        Some(tenant) if owns => Ok(tenant),
        _ => access.admit_to(name, &credential, right),
    };
    Ok((named.map_err(refusal)?, false))
}

/// Whether the request is of who owns the node, whichever tenant it names.
pub(crate) fn owns(access: &dyn Access, headers: &HeaderMap) -> bool {
    access.admit(&credential(headers), Right::Node).is_ok()
}

/// Refuses what would change something, where only a cookie says who asks and nothing says that it comes from a page of ours: a
/// browser sends cookies along with what pages of others ask for.
///
/// # Errors
/// 403.
pub(crate) fn check_cookie(method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    let by_cookie = !headers.contains_key(header::AUTHORIZATION) && !credential(headers).is_empty();
    let ours = headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site");
    if by_cookie && !ours && !method.is_safe() {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "A cookie changes nothing unless the header Origin says that this node's own page asks.",
            "Send a token as 'Authorization: Bearer TOKEN', or the header Origin.",
        ));
    }
    Ok(())
}

fn refusal(error: AccessError) -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        error.to_string(),
        "Send the header 'Authorization: Bearer TOKEN' with a token that has the right.",
    )
}

/// What a request shows: a bearer token, the password of basic authentication, or the page's cookie.
pub(crate) fn credential(headers: &HeaderMap) -> Vec<u8> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(shown) = text(header::AUTHORIZATION) {
        return authorization(shown);
    }
    let cookies = text(header::COOKIE).unwrap_or_default().split(';');
    let ours = cookies.filter_map(|cookie| cookie.trim().split_once('=')).find(|(name, _)| *name == COOKIE);
    ours.map(|(_, value)| value.as_bytes().to_vec()).unwrap_or_default()
}

fn authorization(header: &str) -> Vec<u8> {
    let (scheme, value) = header.split_once(' ').unwrap_or((header, ""));
    if scheme.eq_ignore_ascii_case("bearer") {
        return value.trim().as_bytes().to_vec();
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = base64::engine::general_purpose::STANDARD.decode(value.trim()).unwrap_or_default();
        let colon = pair.iter().position(|byte| *byte == b':').map_or(pair.len(), |at| at + 1);
        return pair[colon..].to_vec();
    }
    Vec::new()
}

/// What every answer bears. The policy lets the page use its own files and nothing else.
const SECURITY: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Sets the headers that every answer bears, and forbids keeping an answer that does not say for how long it holds.
pub(crate) fn secure(headers: &mut HeaderMap) {
    for (name, value) in SECURITY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
