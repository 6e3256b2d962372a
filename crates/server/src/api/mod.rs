//! The routes: one list, from which the router, the OpenAPI document and the test of rights are made. A new route is one
//! file here and one line in [`ROUTES`].

mod agent;
mod answer;
mod aside;
mod body;
mod dead;
mod delete;
mod events;
mod fields;
mod flush;
mod healthz;
mod hits;
mod ingest;
mod loggers;
mod meniscus;
mod metrics;
mod openapi;
mod reload;
mod search;
mod shutdown;
mod sql;
mod status;
mod tail;
mod tenants;
#[cfg(test)]
mod tests;
mod values;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use bytes::Bytes;
use futures::future::BoxFuture;
use sawlog_model::{Nanos, Over, Right, Tenant};
use sawlog_query::Engine;
use tokio::sync::OwnedSemaphorePermit;

use crate::access::Turn;
use crate::counters::RouteCounters;
use crate::door;
use crate::error::ApiError;
use crate::fair::{Having, Seat, Turns};
use crate::params::{Kind, Param, Params};
use crate::serve::{OverTls, Peer};
use crate::ui;
use crate::{Hosts, Node};

/// The routes of the API.
pub(crate) const ROUTES: &[&Route] = &[
    &ingest::ROUTE,
    &search::ROUTE,
    &sql::ROUTE,
    &events::ROUTE,
    &hits::ROUTE,
    &fields::ROUTE,
    &values::ROUTE,
    &tail::ROUTE,
    &loggers::LIST,
    &loggers::COLUMNS,
    &loggers::SET,
    &loggers::REMOVE,
    &loggers::SET_SHORTCUT,
    &loggers::REMOVE_SHORTCUT,
    &loggers::FIND,
    &loggers::INDEX,
    &loggers::LOGGER,
    &loggers::SHORTCUT,
    &loggers::SHORTCUT_WITH_VALUE,
    &tenants::SESSION,
    &tenants::LOGIN,
    &tenants::LOGOUT,
    &tenants::LIST,
    &tenants::ADD,
    &tenants::REMOVE,
    &tenants::LIMIT,
    &tenants::USAGE,
    &tenants::TOKENS,
    &tenants::ADD_TOKEN,
    &tenants::ROTATE_TOKEN,
    &tenants::LIMIT_TOKEN,
    &tenants::REMOVE_TOKEN,
    &tenants::USERS,
    &tenants::ADD_USER,
    &tenants::SET_PASSWORD,
    &tenants::REMOVE_USER,
    &tenants::OWN_PASSWORD,
    &status::ROUTE,
    &flush::ROUTE,
    &delete::ROUTE,
    &reload::ROUTE,
    &dead::LIST,
    &dead::REPLAY,
    &dead::DROP,
    &shutdown::ROUTE,
    &openapi::ROUTE,
    &agent::ROUTE,
    &healthz::ROUTE,
    &metrics::ROUTE,
];

/// Every route: those of the API, then those of Meniscus's.
pub(crate) fn all() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().chain(meniscus::ROUTES).copied()
}

/// A route, as data.
pub(crate) struct Route {
    pub(crate) methods: &'static [Method],
    pub(crate) path: &'static str,
    /// The right that a credential must have; `None` where anybody may ask.
    pub(crate) needs: Option<Right>,
    /// One sentence.
    pub(crate) summary: &'static str,
    pub(crate) params: &'static [&'static Param],
    pub(crate) takes: Takes,
    /// Type of a good answer.
    pub(crate) gives: &'static str,
    pub(crate) handle: fn(Arc<Shared>, Call) -> BoxFuture<'static, Result<Response, ApiError>>,
}

/// What a body is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Takes {
    /// It may hold parameters.
    Params,
    /// It is data; parameters stand in the address only.
    Data,
}

/// Methods that routes have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
}

impl Method {
    fn filter(self) -> MethodFilter {
        match self {
            Method::Get => MethodFilter::GET,
            Method::Head => MethodFilter::HEAD,
            Method::Post => MethodFilter::POST,
            Method::Put => MethodFilter::PUT,
            Method::Delete => MethodFilter::DELETE,
        }
    }

    /// As requests have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }
}

/// Parameters that several routes have.
pub(crate) const QUERY: Param = Param {
    name: "query",
    kind: Kind::Text,
    help: "What is wanted, in the query language; all rows where it is not given.",
};
pub(crate) const START: Param = Param {
    name: "start",
    kind: Kind::Time,
    help: "First time: RFC 3339, seconds to nanoseconds since 1970, or relative (2h, -15m, now).",
};
pub(crate) const END: Param = Param {
    name: "end",
    kind: Kind::Time,
    help: "First time that is not wanted any more; forms as for start.",
};

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) node: Node,
    /// When the node came up.
    pub(crate) started: Nanos,
    /// By the route's place in [`all`].
    pub(crate) counters: Vec<RouteCounters>,
    /// What Meniscus's workers said of themselves.
    workers: meniscus::Workers,
    queries: Turns,
}

impl Shared {
    fn new(node: Node) -> Self {
        Shared {
            started: node.sys.clock.now(),
            counters: all().map(|_| RouteCounters::default()).collect(),
            workers: meniscus::Workers::default(),
            queries: Turns::new(node.settings.queries),
            node,
        }
    }

    /// Waits for the turn of a query.
    ///
    /// # Errors
    /// 503 where it does not come in time.
    pub(crate) async fn turn(&self, call: &Call) -> Result<Having, ApiError> {
        let turn = self.queries.take(call.tenant, !self.node.access.asks());
        match tokio::time::timeout(self.node.settings.query_time, turn).await {
            Ok(turn) => Ok(turn),
            Err(_) => {
                Err(ApiError::later(format!("{} queries are running already.", self.node.settings.queries)))
            }
        }
    }

    /// Waits for a step of a query.
    ///
    /// # Errors
    /// 504 where it does not come in time.
    pub(crate) async fn in_time<T>(&self, work: impl Future<Output = T>) -> Result<T, ApiError> {
        let limit = self.node.settings.query_time;
        tokio::time::timeout(limit, work).await.map_err(|_| {
            ApiError::new(
                StatusCode::GATEWAY_TIMEOUT,
                format!("Nothing was found in {} s, and the search was stopped.", limit.as_secs_f32()),
                "Ask for a shorter time or add a word that few lines have.",
            )
        })
    }
}

/// A request that came through the door.
pub(crate) struct Call {
    /// For whom the question is answered.
    pub(crate) tenant: Tenant,
    /// Whether it is of who owns the node and names no tenant: the answer is then of the whole node.
    pub(crate) whole: bool,
    /// Whether it is of who owns the node, whichever tenant it names.
    pub(crate) owns: bool,
    /// Names of parameters that stand in the address.
    pub(crate) in_address: Vec<String>,
    /// From where it comes: an address of the network without its port; empty where that is not known.
    pub(crate) peer: String,
    /// The path of the address, as it was given.
    pub(crate) path: String,
    pub(crate) params: Params,
    pub(crate) headers: HeaderMap,
    /// The body where the route takes data, else empty.
    pub(crate) body: Bytes,
    /// Whether it came over TLS.
    pub(crate) over_tls: bool,
    /// When the request came.
    pub(crate) now: Nanos,
    /// Counts the time of the answer when it is dropped; a streamed answer takes it along.
    pub(crate) timed: Timed,
}

impl Call {
    /// What answers the question, within the memory that it may use.
    pub(crate) fn engine(&self, shared: &Shared) -> Engine {
        let engine = &shared.node.engine;
        match self.timed.turn.as_ref().and_then(|turn| turn.memory) {
            None => engine.clone(),
            Some(bytes) => {
                // A question may hold three quarters of its share.
                let most = bytes.saturating_mul(4) / 3;
                engine.within(shared.node.store.shares().questions.share("query_memory", most, 0))
            }
        }
    }
}

/// Counts a request as running until it is dropped, and then its time.
pub(crate) struct Timed {
    shared: Arc<Shared>,
    route: usize,
    began: Duration,
    /// The tenant's turn, of a question.
    turn: Option<Turn>,
    /// Its turn, of what is sent.
    sending: Option<OwnedSemaphorePermit>,
}

impl Timed {
    fn begin(shared: &Arc<Shared>, route: usize) -> Self {
        shared.counters[route].running.fetch_add(1, Ordering::Relaxed);
        Timed {
            shared: shared.clone(),
            route,
            began: shared.node.sys.clock.monotonic(),
            turn: None,
            sending: None,
        }
    }

    /// Time since the request came.
    pub(crate) fn so_far(&self) -> Duration {
        self.shared.node.sys.clock.monotonic().saturating_sub(self.began)
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        let counters = &self.shared.counters[self.route];
        counters.running.fetch_sub(1, Ordering::Relaxed);
        counters.took(self.so_far());
    }
}

/// The routers of a node: of its listener, and of one for Meniscus's API alone where one is asked for.
pub(crate) fn routers(mut node: Node) -> (Router, Option<Router>) {
    let mounts = std::mem::take(&mut node.mounts);
    let meniscus = node.settings.meniscus.clone();
    let shared = Arc::new(Shared::new(node));
    let mut router = Router::new().merge(mounts);
    for file in ui::FILES {
        let handler = move |headers: HeaderMap| async move { file.answer(&headers) };
        router = router.route(&format!("/ui/{}", file.name), on(MethodFilter::GET, handler));
        if file.name == ui::LOGIN {
            router = router.route(LOGIN, on(MethodFilter::GET, handler));
        }
        for (path, name) in ui::PAGES.iter().filter(|(_, name)| *name == file.name) {
            let shared = shared.clone();
            let handler = move |request: Request| async move {
                // Programs that ask for JSON are Meniscus's clients, who look for its version here.
                if *name == ui::INDEX && asks_for_json(request.headers()) {
                    return version();
                }
                sign_in_first(&shared, &request).unwrap_or_else(|| file.answer(request.headers()))
            };
            router = router.route(path, on(MethodFilter::GET, handler));
        }
    }
    let router = with_routes(router, &shared, all().enumerate(), false);
    let router = finished(router, shared.node.settings.hosts.clone());
    let meniscus = meniscus.map(|settings| {
        let router = Router::new().route("/", on(MethodFilter::GET, async || version()));
        let router = with_routes(router, &shared, all().enumerate().skip(ROUTES.len()), settings.open);
        finished(router, settings.hosts)
    });
    (router, meniscus)
}

/// Where the form to sign in is.
const LOGIN: &str = "/login";

/// The way to the form, for a browser that asks for a page and shows nothing that lets it see one; it comes back from there.
fn sign_in_first(shared: &Shared, request: &Request) -> Option<Response> {
    let headers = request.headers();
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let browses = *request.method() == axum::http::Method::GET && accept.contains("text/html");
    if !browses || door::admit(&*shared.node.access, headers, Right::Read).is_ok() {
        return None;
    }
    let wanted = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let to = form_urlencoded::Serializer::new(String::new()).append_pair("to", wanted).finish();
    Some((StatusCode::SEE_OTHER, [(header::LOCATION, format!("{LOGIN}?{to}"))]).into_response())
}

fn asks_for_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("application/json") && !accept.contains("text/html")
}

/// The versions of Meniscus's API.
fn version() -> Response {
    axum::Json(serde_json::json!({ "v1": "current" })).into_response()
}

/// Adds routes, each with its place in [`all`]; `open` where they ask for no credential.
fn with_routes(
    mut router: Router,
    shared: &Arc<Shared>,
    routes: impl Iterator<Item = (usize, &'static Route)>,
    open: bool,
) -> Router {
    for (index, route) in routes {
        for method in route.methods {
            let shared = shared.clone();
            let page = route.gives.starts_with("text/html") && route.needs.is_some();
            let handler = move |request: Request| async move {
                match sign_in_first(&shared, &request).filter(|_| page) {
                    Some(form) => form,
                    None => dispatch(&shared, index, route, open, request).await,
                }
            };
            router = router.route(route.path, on(method.filter(), handler));
        }
    }
    router
}

/// Adds what holds for every request.
fn finished(router: Router, hosts: Hosts) -> Router {
    router
        .method_not_allowed_fallback(async || {
            ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "This path does not take that method.",
                "GET /api/v1/openapi.json lists paths and methods.",
            )
        })
        .fallback(async || {
            ApiError::new(
                StatusCode::NOT_FOUND,
                "There is nothing at this path.",
                "GET /api/v1/openapi.json lists what there is; the page is at /.",
            )
        })
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            let hosts = hosts.clone();
            async move {
                let mut response = match door::check_host(&hosts, request.headers()) {
                    Ok(()) => next.run(request).await,
                    Err(refusal) => refusal.into_response(),
                };
                door::secure(response.headers_mut());
                response
            }
        }))
}

/// Takes a request to its route and counts what became of it.
async fn dispatch(
    shared: &Arc<Shared>,
    index: usize,
    route: &'static Route,
    open: bool,
    request: Request,
) -> Response {
    let timed = Timed::begin(shared, index);
    let answer = match enter(shared, route, open, request, timed).await {
        Ok(call) if call.timed.turn.is_some() && route.gives != LIVE => ask(shared, route, call).await,
        Ok(call) => (route.handle)(shared.clone(), call).await,
        Err(refusal) => Err(refusal),
    };
    let response = answer.unwrap_or_else(IntoResponse::into_response);
    shared.counters[index].answered(response.status().as_u16());
    response
}

/// Answers a question within the tenant's time, on threads that let others go first.
async fn ask(shared: &Arc<Shared>, route: &Route, call: Call) -> Result<Response, ApiError> {
    let turn = call.timed.turn.as_ref();
    let (most, heedless) = (turn.and_then(|turn| turn.most), turn.is_some_and(|turn| turn.heedless));
    let threads = &shared.node.questions;
    let threads = if heedless { &threads.last } else { &threads.usual };
    let answer = aside::aside(threads, (route.handle)(shared.clone(), call));
    match most {
        Some(most) => aside::bounded(most, answer).await,
        None => answer.await,
    }
}

/// Type of an answer that goes on for as long as somebody listens.
pub(crate) const LIVE: &str = "text/event-stream";

/// Checks where the request comes from, its right and its parameters, in this order, and reads its body.
async fn enter(
    shared: &Arc<Shared>,
    route: &Route,
    open: bool,
    request: Request,
    timed: Timed,
) -> Result<Call, ApiError> {
    let (head, body) = request.into_parts();
    door::check_origin(&head.headers)?;
    let mut timed = timed;
    let (tenant, whole, owns) = admit(shared, route, open, &head)?;
    if route.needs == Some(Right::Read) {
        timed.turn = Some(turn(shared, route, tenant, &head).await?);
    }
    let sender = match route.needs {
        Some(Right::Ingest) => Some((tenant, door::credential(&head.headers))),
        _ => meniscus::sender(shared, route, &head),
    };
    let room = || match &sender {
        Some((tenant, credential)) => {
            shared.node.tenancy.room(*tenant, credential).map_err(|over| (*tenant, over))
        }
        None => Ok(()),
    };
    if let Err((tenant, over)) = room() {
        body::discard(&head.headers, body).await;
        return Err(refused(shared, route, tenant, over).await);
    }
    let mut params = Params::of_uri(&head.uri);
    let in_address = params.names();
    let mut body = body::read(shared, &head.headers, body).await?;
    if let Some((tenant, _)) = &sender {
        timed.sending = shared.node.tenancy.sending(*tenant).await;
        // Others of it may have used up what there was.
        if let Err((tenant, over)) = room() {
            return Err(refused(shared, route, tenant, over).await);
        }
    }
    if route.takes == Takes::Params {
        params = params.and(Params::of_body(&head.headers, &std::mem::take(&mut body))?);
    }
    params.check(route.params)?;
    let now = shared.node.sys.clock.now();
    let path = head.uri.path().to_owned();
    let over_tls = head.extensions.get::<OverTls>().is_some();
    let peer = head.extensions.get::<Peer>().map(|peer| peer.0.to_string()).unwrap_or_default();
    Ok(Call {
        tenant,
        whole,
        owns,
        in_address,
        peer,
        path,
        params,
        headers: head.headers,
        body,
        over_tls,
        now,
        timed,
    })
}

/// The tenant whose request it is, whether it is asked for as a whole, and whether the credential owns the node.
fn admit(shared: &Shared, route: &Route, open: bool, head: &Parts) -> Result<(Tenant, bool, bool), ApiError> {
    let Some(right) = route.needs.filter(|_| !open) else { return Ok((Tenant::DEFAULT, false, false)) };
    let (tenant, whole) = door::admit(&*shared.node.access, &head.headers, right)?;
    door::check_cookie(&head.method, &head.headers)?;
    if shared.node.access.asks() {
        sit(head, tenant)?;
    }
    Ok((tenant, whole, door::owns(&*shared.node.access, &head.headers)))
}

/// A question's turn among those of its tenant.
async fn turn(shared: &Shared, route: &Route, tenant: Tenant, head: &Parts) -> Result<Turn, ApiError> {
    if let Some(turn) = shared.node.tenancy.turn(tenant, &door::credential(&head.headers)) {
        return Ok(turn);
    }
    let reason = "as many questions are asked at once as the tenant, or the token, may (queries)".to_owned();
    Err(refused(shared, route, tenant, Over { reason, wait: Duration::from_secs(1) }).await)
}

/// Gives the connection of a request to a tenant.
///
/// # Errors
/// 429 where that has too many already: this one then ends.
fn sit(head: &Parts, tenant: Tenant) -> Result<(), ApiError> {
    if head.extensions.get::<Arc<Seat>>().is_none_or(|seat| seat.belongs_to(tenant)) {
        return Ok(());
    }
    let reason = "the tenant has as many connections as there are free ones for others".to_owned();
    let limited = ApiError::limited(Over { reason, wait: Duration::from_secs(1) });
    Err(ApiError { ends: true, ..limited })
}

/// What a tenant at a limit is told; the more of its requests are at a limit, the later.
async fn refused(shared: &Shared, route: &Route, tenant: Tenant, over: Over) -> ApiError {
    shared.node.tenancy.pause(tenant).await;
    let limited = ApiError::limited(over);
    // Routes that look at their credentials themselves are Meniscus's.
    if route.needs.is_none() { limited.titled() } else { limited }
}
