//! The routes over a real store: rights, headers, answers, streams. What the pipeline does is done here by a few lines
//! that put rows straight into the store and the live channel.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use sawlog_model::time::SECOND;
use sawlog_model::{
    Accepted, Access, AccessError, Batch, Context, Delivery, IngestError, Kind, Marks, Nanos, NodeStatus,
    PartStatus, Right, Row, Slot, Source, SourceId, Tenant,
};
use sawlog_query::Engine;
use sawlog_store::{Options, Origin, Store};
use sawlog_sys::Sys;
use serde_json::Value;
use tokio::sync::broadcast;
use tower::ServiceExt;

use crate::api::{Method, all};
mod matrix;

use crate::{
    Control, DeadLetters, DeadOutcome, Hosts, Ingest, Live, LiveEvent, LiveStream, Node, Settings, routers,
};

/// Time of the first row of [`rows`].
const T0: Nanos = 1_763_632_800 * SECOND;

/// A node with everything but a network.
pub(super) struct House {
    pub(super) router: Router,
    pub(super) meniscus: Option<Router>,
    pub(super) tenancy: crate::Tenancy,
    store: Store,
    live: broadcast::Sender<LiveEvent>,
    pub(super) deliveries: Arc<Mutex<Vec<Delivery>>>,
    asked: Arc<Mutex<Vec<&'static str>>>,
    _dir: tempfile::TempDir,
}

/// Tokens: `reader`, `sender`, `admin` for tenant 0; `other` reads tenant 1.
struct Tokens;

impl Access for Tokens {
    fn admit(&self, credential: &[u8], right: Right) -> Result<Tenant, AccessError> {
        match (credential, right) {
            (b"admin", _) | (b"reader", Right::Read) | (b"sender", Right::Ingest) => Ok(Tenant(0)),
            (b"other", Right::Read) => Ok(Tenant(1)),
            _ => Err(AccessError),
        }
    }
}

struct Parts;

impl NodeStatus for Parts {
    fn parts(&self) -> Vec<PartStatus> {
        vec![PartStatus {
            role: "input",
            name: "syslog \"tcp\" 127.0.0.1:5140".into(),
            state: "running",
            records: 7,
            bytes: 700,
            errors: vec![("malformed".into(), 2)],
            last_error: Some("no such thing".into()),
            ..PartStatus::default()
        }]
    }
}

struct Taker(Arc<Mutex<Vec<Delivery>>>);

impl Ingest for Taker {
    fn ingest(&self, delivery: Delivery) -> BoxFuture<'static, Result<Accepted, IngestError>> {
        let answer = match &delivery.body[..] {
            b"bad" => Err(IngestError::Malformed("line 1 is no JSON".into())),
            b"odd" => Err(IngestError::Unsupported("no such encoding".into())),
            b"bomb" => Err(IngestError::TooLarge("too much".into())),
            b"much" => {
                let wait = Duration::from_millis(2_100);
                Err(IngestError::Limited(sawlog_model::Over { reason: "too much at once".into(), wait }))
            }
            b"busy" => Err(IngestError::Later("stopping".into())),
            b"full" => Err(IngestError::Failed("disk full".into())),
            body => Ok(Accepted { records: 1, invalid: 0, bytes: body.len() as u64, position: 1 }),
        };
        self.0.lock().expect("no panic").push(delivery);
        async { answer }.boxed()
    }

    fn waiting(&self, position: u64) -> usize {
        // Whoever takes more than one body has passed on the first.
        usize::from(self.0.lock().expect("no panic").len() as u64 <= position)
    }
}

struct Channel(broadcast::Sender<LiveEvent>);

impl Live for Channel {
    fn subscribe(&self, tags: Option<&str>) -> Result<LiveStream, String> {
        if tags == Some("bad{") {
            return Err("no such pattern".to_owned());
        }
        let rows = tokio_stream::wrappers::BroadcastStream::new(self.0.subscribe());
        Ok(Box::pin(rows.map(|event| event.unwrap_or(LiveEvent::Missed(1)))))
    }
}

struct Bell(Arc<Mutex<Vec<&'static str>>>);

impl Control for Bell {
    fn shutdown(&self) {
        self.0.lock().expect("no panic").push("shutdown");
    }

    fn flush(&self) -> BoxFuture<'static, Result<(), String>> {
        self.0.lock().expect("no panic").push("flush");
        async { Ok(()) }.boxed()
    }

    fn reload(&self) -> BoxFuture<'static, Result<Vec<String>, String>> {
        let mut asked = self.0.lock().expect("no panic");
        asked.push("reload");
        let wrong = asked.len() > 1;
        let said = move || {
            if wrong {
                Err("a.toml:3: no `tial`".to_owned())
            } else {
                Ok(vec!["input tail: added".to_owned()])
            }
        };
        async move { said() }.boxed()
    }

    fn replay_dead(&self, which: DeadLetters) -> BoxFuture<'static, Result<DeadOutcome, String>> {
        let (letters, records) = match which {
            DeadLetters::All => (9, 9),
            DeadLetters::Of(name) => (1, name.len() as u64),
            DeadLetters::Numbers(numbers) => (numbers.len() as u64, numbers.iter().sum()),
        };
        async move { Ok(DeadOutcome { letters, records, left: vec!["one".to_owned()] }) }.boxed()
    }

    fn drop_dead(&self, _which: DeadLetters) -> BoxFuture<'static, Result<DeadOutcome, String>> {
        async { Err("the disk is gone".to_owned()) }.boxed()
    }
}

fn house(access: Arc<dyn Access>, settings: Settings) -> House {
    house_of(|_| access, settings)
}

/// A house whose access is made of its own tenants.
pub(super) fn house_of(access: impl FnOnce(crate::Tenancy) -> Arc<dyn Access>, settings: Settings) -> House {
    let dir = tempfile::tempdir().expect("a directory");
    let sys = Sys::real();
    let store = Store::open(&sys, dir.path(), Options::default()).expect("a store");
    let (live, _) = broadcast::channel(16);
    let (deliveries, asked) = (Arc::default(), Arc::default());
    let tenancy = crate::Tenancy::open(&sys, dir.path()).expect("no tenants");
    let node = Node {
        tenancy: tenancy.clone(),
        engine: Engine::new(store.clone()),
        store: store.clone(),
        access: access(tenancy.clone()),
        status: Arc::new(Parts),
        ingest: Arc::new(Taker(Arc::clone(&deliveries))),
        live: Arc::new(Channel(live.clone())),
        control: Arc::new(Bell(Arc::clone(&asked))),
        loggers: crate::Loggers::open(&sys, dir.path()).expect("no loggers"),
        sys,
        settings,
        mounts: Router::new().route("/mounted", axum::routing::get(async || "mounted")),
    };
    let (router, meniscus) = routers(node);
    House { router, meniscus, tenancy, store, live, deliveries, asked, _dir: dir }
}

fn open_house() -> House {
    house(Arc::new(crate::Open), Settings::default())
}

/// Lines `LEVEL words`, a second apart from [`T0`] on, with the field `level`.
fn rows(tenant: u32, lines: &[(&str, &str)]) -> Batch {
    let mut batch = Batch {
        tenant: Tenant(tenant),
        source: Arc::new(Source { id: SourceId(7 + u128::from(tenant)), ..Source::default() }),
        context: Arc::new(Context::new([("_tag", "app")])),
        ..Batch::default()
    };
    let level = Arc::make_mut(&mut batch.names).intern("level");
    let mut buffer = Vec::new();
    for (index, (word, text)) in lines.iter().enumerate() {
        let start = buffer.len() as u32;
        buffer.extend_from_slice(format!("{word} {text}\n").as_bytes());
        batch.slots.push(Slot { start, len: word.len() as u32, name: level, kind: Kind::Text, layout: 0 });
        batch.rows.push(Row {
            start,
            len: buffer.len() as u32 - start,
            offset: u64::from(start),
            time: T0 + index as i64 * SECOND,
            received: T0 + index as i64 * SECOND,
            slots_end: batch.slots.len() as u32,
            marks: Marks::default(),
        });
    }
    batch.buffer = buffer.into();
    batch
}

impl House {
    fn with(self, at: u64, batch: Batch) -> Self {
        let origin = Origin::Journal { at, next: at + 1, position: None };
        self.store.append(Arc::new(batch), origin).expect("the store takes rows");
        self
    }

    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.expect("the router always answers")
    }

    async fn get(&self, path: &str) -> Response<Body> {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    /// Status and body.
    async fn text(&self, path: &str) -> (StatusCode, String) {
        let response = self.get(path).await;
        let status = response.status();
        (status, body(response).await)
    }

    async fn json(&self, path: &str) -> Value {
        let (status, text) = self.text(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// The lines of a streamed answer.
    async fn lines(&self, path: &str) -> Vec<Value> {
        let (status, text) = self.text(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }
}

pub(super) async fn body(response: Response<Body>) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 24).await.expect("a whole body");
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn request(method: Method, path: &str, token: Option<&str>) -> Request<Body> {
    let mut request = Request::builder().method(method.name()).uri(path);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    request.body(Body::empty()).expect("a request")
}

const THREE: &[(&str, &str)] =
    &[("info", "started well"), ("error", "upstream Timeout after 30 s"), ("debug", "timeout is 30 s")];

#[tokio::test]
async fn every_answer_bears_the_security_headers() {
    let house = open_house();
    for path in ["/", "/ui/app.js", "/api/v1/status", "/api/v1/flush", "/nowhere", "/mounted", "/healthz"] {
        let response = house.get(path).await;
        let headers = response.headers();
        let policy = headers["content-security-policy"].to_str().expect("text");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert!(headers.contains_key(header::CACHE_CONTROL), "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_says_so_in_json() {
    let house = open_house();
    for (path, status) in
        [("/nowhere", StatusCode::NOT_FOUND), ("/api/v1/flush", StatusCode::METHOD_NOT_ALLOWED)]
    {
        let (got, text) = house.text(path).await;
        let error: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(got, status);
        assert!(error["error"].is_string() && error["remedy"].is_string(), "{text}");
    }
    let (status, text) = house.text("/api/v1/search?qery=x").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("qery") && text.contains("query, start, end, limit"), "{text}");
}

#[tokio::test]
async fn other_names_and_other_sites_are_turned_away() {
    let house = open_house();
    let ask = |name: &'static str, value: &'static str| {
        let request = Request::post("/api/v1/shutdown").header("host", "localhost:7514").header(name, value);
        house.send(request.body(Body::empty()).expect("a request"))
    };
    assert_eq!(ask("origin", "http://evil.example").await.status(), StatusCode::FORBIDDEN);
    assert_eq!(ask("sec-fetch-site", "cross-site").await.status(), StatusCode::FORBIDDEN);
    let rebound =
        Request::get("/").header("host", "evil.example:7514").body(Body::empty()).expect("a request");
    assert_eq!(house.send(rebound).await.status(), StatusCode::MISDIRECTED_REQUEST);
    assert!(house.asked.lock().expect("no panic").is_empty());
    assert_eq!(ask("origin", "http://localhost:7514").await.status(), StatusCode::ACCEPTED);
    assert_eq!(house.asked.lock().expect("no panic")[..], ["shutdown"]);
}

#[tokio::test]
async fn ingest_hands_on_what_came_and_answers_what_became_of_it() {
    let house = house(Arc::new(Tokens), Settings { body_bytes: 64, ..Settings::default() });
    let post = |text: &'static str| {
        let request = Request::post("/api/v1/ingest?tag=web&host=a1")
            .header(header::AUTHORIZATION, "Bearer sender")
            .header(header::CONTENT_TYPE, "Application/X-NDJSON; charset=utf-8")
            .header(header::CONTENT_ENCODING, "GZIP")
            .header("x-sawlog-tag", "not this")
            .header("idempotency-key", "k1");
        house.send(request.body(Body::from(text)).expect("a request"))
    };
    let response = post("{\"a\":1}").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(body(response).await, r#"{"records":1,"bytes":7}"#);
    let expected = Delivery {
        tenant: Tenant(0),
        body: "{\"a\":1}".into(),
        content_type: "application/x-ndjson".into(),
        content_encoding: "gzip".into(),
        tag: Some("web".into()),
        host: Some("a1".into()),
        idempotency_key: Some("k1".into()),
    };
    assert_eq!(house.deliveries.lock().expect("no panic")[..], [expected]);
    for (text, status) in [("bad", 400), ("odd", 415), ("bomb", 413), ("busy", 503), ("full", 500)] {
        let response = post(text).await;
        assert_eq!(response.status().as_u16(), status, "{text}");
        assert_eq!(response.headers().contains_key(header::RETRY_AFTER), status == 503, "{text}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_however_it_comes() {
    let house = house(Arc::new(crate::Open), Settings { body_bytes: 64, ..Settings::default() });
    let claimed = Request::post("/api/v1/ingest").header(header::CONTENT_LENGTH, "65").body(Body::empty());
    assert_eq!(house.send(claimed.expect("a request")).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let pieces = futures::stream::repeat_with(|| Ok::<_, std::io::Error>("0123456789"));
    let endless = Request::post("/api/v1/ingest").body(Body::from_stream(pieces)).expect("a request");
    assert_eq!(house.send(endless).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(house.deliveries.lock().expect("no panic").is_empty());
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let house = house(
        Arc::new(crate::Open),
        Settings { body_idle: Duration::from_millis(20), ..Settings::default() },
    );
    let first = futures::stream::iter([Ok::<_, std::io::Error>("{\"a\":")]).chain(futures::stream::pending());
    let stuck = Request::post("/api/v1/ingest").body(Body::from_stream(first)).expect("a request");
    assert_eq!(house.send(stuck).await.status(), StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test]
async fn the_document_lists_every_route() {
    let house = open_house();
    let document = house.json("/api/v1/openapi.json").await;
    let listed = document["paths"].as_object().expect("paths");
    let operations = listed.values().filter_map(Value::as_object).map(serde_json::Map::len).sum::<usize>();
    assert_eq!(operations, all().map(|route| route.methods.len()).sum::<usize>());
    for (route, method) in all().flat_map(|route| route.methods.iter().map(move |method| (route, method))) {
        let operation = &document["paths"][route.path][method.name().to_ascii_lowercase()];
        assert_eq!(operation["parameters"].as_array().expect("a list").len(), route.params.len());
    }
}

#[tokio::test]
async fn the_page_is_served_and_not_sent_twice() {
    let house = open_house();
    let response = house.get("/").await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
    let tag = response.headers()[header::ETAG].clone();
    assert!(body(response).await.contains("/ui/app.js"));
    assert!(body(house.get("/loggers/").await).await.contains("/ui/loggers.js"));
    let again = Request::get("/").header(header::IF_NONE_MATCH, tag).body(Body::empty()).expect("a request");
    assert_eq!(house.send(again).await.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(
        house.get("/ui/app.js").await.headers()[header::CONTENT_TYPE],
        "text/javascript; charset=utf-8"
    );
}

#[tokio::test]
async fn status_and_metrics_tell_what_there_is() {
    let house = open_house().with(1, rows(0, THREE));
    let status = house.json("/api/v1/status").await;
    assert_eq!(status["store"]["records"], 3);
    assert_eq!(status["store"]["first_time"], "2025-11-20T10:00:00Z");
    assert_eq!(status["parts"][0]["errors"]["malformed"], 2);
    assert!(status["memory_bytes"].as_u64().expect("a number") > 1 << 20);
    let (_, text) = house.text("/metrics").await;
    let part = r#"{role="input",part="syslog \"tcp\" 127.0.0.1:5140""#;
    for line in [
        format!("sawlog_part_records_total{part}}} 7"),
        format!(r#"sawlog_part_errors_total{part},reason="malformed"}} 2"#),
        "sawlog_store_records 3".into(),
        r#"sawlog_store_written_bytes_total{by="flush"} 0"#.into(),
        r#"sawlog_store_written_raw_bytes_total{by="rewrite"} 0"#.into(),
        r#"sawlog_http_requests_total{route="/api/v1/status",status="2xx"} 1"#.into(),
        r#"sawlog_http_request_seconds_count{route="/api/v1/status"} 1"#.into(),
        r#"sawlog_http_requests_running{route="/metrics"} 1"#.into(),
    ] {
        assert!(text.lines().any(|have| have == line), "{line}\nin\n{text}");
    }
}

#[tokio::test]
async fn a_reload_answers_what_changed_or_all_that_is_wrong() {
    let house = open_house();
    let response = house.send(request(Method::Post, "/api/v1/reload", None)).await;
    assert_eq!(body(response).await, r#"{"changes":["input tail: added"]}"#);
    let response = house.send(request(Method::Post, "/api/v1/reload", None)).await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(body(response).await.contains("a.toml:3: no `tial`"));
}

#[tokio::test]
async fn dead_letters_are_named_by_output_or_number() {
    let house = open_house();
    for (query, letters, records) in [("", 9, 9), ("?output=abc", 1, 3), ("?numbers=4,%205", 2, 9)] {
        let path = format!("/api/v1/dead/replay{query}");
        let response = house.send(request(Method::Post, &path, None)).await;
        let want = format!(r#"{{"letters":{letters},"records":{records},"left":["one"]}}"#);
        assert_eq!(body(response).await, want);
    }
    for wrong in ["?numbers=x", "?numbers=1&output=a"] {
        let path = format!("/api/v1/dead/drop{wrong}");
        let response = house.send(request(Method::Post, &path, None)).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    }
    let response = house.send(request(Method::Post, "/api/v1/dead/drop", None)).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn the_agent_is_given_where_there_is_one() {
    let (status, _) = open_house().text("/bin/sawlog-agent").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("sawlog-agent");
    let file = Sys::real().fs.open(&path, sawlog_sys::Open::Create).expect("a file");
    file.write_at(b"program", 0).expect("it is written");
    let settings = Settings { agent: Some(path), ..Settings::default() };
    let (status, text) = house(Arc::new(crate::Open), settings).text("/bin/sawlog-agent").await;
    assert_eq!((status, &*text), (StatusCode::OK, "program"));
}

#[tokio::test]
async fn flush_and_fields_reach_the_store() {
    let house = open_house().with(1, rows(0, THREE));
    let response = house.send(request(Method::Post, "/api/v1/flush", None)).await;
    assert_eq!(body(response).await, r#"{"flushed":true}"#);
    assert_eq!(house.asked.lock().expect("no panic")[..], ["flush"]);
    let fields = house.json("/api/v1/fields").await;
    let list = fields["fields"].as_array().expect("a list");
    assert!(list.iter().any(|field| field["name"] == "level" && field["rows"] == 3), "{fields}");
}

#[tokio::test]
async fn deleted_rows_are_found_no_more() {
    let house = open_house().with(1, rows(0, THREE));
    let nothing_said = house.send(request(Method::Post, "/api/v1/delete?query=", None)).await;
    assert_eq!(nothing_said.status(), StatusCode::BAD_REQUEST);
    let pipes = house.send(request(Method::Post, "/api/v1/delete?query=*%7Climit%201", None)).await;
    assert_eq!(pipes.status(), StatusCode::BAD_REQUEST);
    let all = house.text("/api/v1/search?query=*").await.1.lines().count();
    let before_all = house.send(request(Method::Post, "/api/v1/delete?query=*&end=1970-01-01", None)).await;
    assert_eq!(body(before_all).await, r#"{"deleted":0}"#);
    let response = house.send(request(Method::Post, "/api/v1/delete?query=level:error", None)).await;
    let deleted = all - house.text("/api/v1/search?query=*").await.1.lines().count();
    assert!(0 < deleted && deleted < all, "{deleted} of {all}");
    assert_eq!(body(response).await, format!(r#"{{"deleted":{deleted}}}"#));
}

#[tokio::test]
async fn mounted_routes_stand_beside_the_api() {
    assert_eq!(open_house().text("/mounted").await, (StatusCode::OK, "mounted".into()));
    let named = house(Arc::new(crate::Open), Settings { hosts: Hosts::Any, ..Settings::default() });
    let request =
        Request::get("/mounted").header("host", "logs.example").body(Body::empty()).expect("a request");
    assert_eq!(named.send(request).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn memory_is_read_where_the_system_tells_it() {
    let sys = Sys::real();
    let told = sys.fs.metadata(Path::new("/proc/self/status")).is_ok();
    assert_eq!(crate::api::status::resident_bytes(&*sys.fs).is_some(), told);
}

#[tokio::test]
async fn a_search_streams_records_newest_first() {
    let house = open_house().with(1, rows(0, THREE));
    let response = house.get("/api/v1/search").await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/x-ndjson");
    assert_eq!(response.headers()["x-sawlog-records"], "true");
    let found = house.lines("/api/v1/search?query=timeout").await;
    assert_eq!(found.len(), 2);
    assert_eq!(found[0]["_line"], "debug timeout is 30 s");
    assert_eq!(found[1]["_line"], "error upstream Timeout after 30 s");
    assert_eq!(found[1]["_time"], "2025-11-20T10:00:01Z");
    assert_eq!(found[1]["level"], "error");
    assert_eq!(found[1]["_tag"], "app");
    assert_eq!(house.lines("/api/v1/search?query=timeout&limit=1").await, found[..1]);
    let first = house.lines("/api/v1/search?start=2025-11-20T10:00:00Z&end=1763632801").await;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0]["level"], "info");
    let form = Request::post("/api/v1/search")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("query=timeout&limit=1"))
        .expect("a request");
    assert_eq!(body(house.send(form).await).await.lines().count(), 1);
}

#[tokio::test]
async fn a_report_ends_an_answer_where_it_is_asked_for() {
    let house = open_house().with(1, rows(0, THREE));
    let found = house.lines("/api/v1/search?report=1").await;
    assert_eq!(found.len(), 4);
    assert_eq!(found[3]["_report"]["records"], 3);
    assert!(found[3]["_report"]["seconds"].as_f64().expect("a number") >= 0.0);
    assert_eq!(house.lines("/api/v1/search?report=0").await.len(), 3);
}

#[tokio::test]
async fn a_wrong_query_tells_its_place() {
    let house = open_house();
    for path in ["search", "hits", "tail"] {
        let (status, text) = house.text(&format!("/api/v1/{path}?query=a%20%22b")).await;
        let error: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {text}");
        assert_eq!(error["start"], 2, "{path}: {text}");
        assert!(error["end"].as_u64() >= Some(3) && error["remedy"].is_string(), "{path}: {text}");
    }
}

#[tokio::test]
async fn tenants_see_their_own() {
    let house = house(Arc::new(Tokens), Settings::default())
        .with(1, rows(0, THREE))
        .with(2, rows(1, &[("info", "of another")]));
    for (token, number) in [("reader", 3), ("other", 1)] {
        let response = house.send(request(Method::Get, "/api/v1/search", Some(token))).await;
        assert_eq!(body(response).await.lines().count(), number, "{token}");
    }
}

#[tokio::test]
async fn pipes_and_sql_give_rows_of_their_own_shape() {
    let house = open_house().with(1, rows(0, THREE));
    let query = "/api/v1/search?query=*%20%7C%20stats%20count()%20by%20(level)";
    assert_eq!(house.get(query).await.headers()["x-sawlog-records"], "false");
    assert_eq!(house.lines(query).await.len(), 3);
    let statement =
        "/api/v1/sql?query=SELECT%20count(*)%20AS%20n%20FROM%20logs%20WHERE%20level%20=%20'error'";
    assert_eq!(house.lines(statement).await, [serde_json::json!({ "n": 1 })]);
    assert_eq!(house.get("/api/v1/sql").await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn hits_and_values_count() {
    let house = open_house().with(1, rows(0, THREE));
    let hits = house.json("/api/v1/hits?query=timeout&step=1s").await;
    assert_eq!(hits["total"], 2);
    assert_eq!(hits["step"], 1.0);
    assert_eq!(hits["bars"][0]["time"], "2025-11-20T10:00:01Z");
    assert_eq!(hits["bars"][0]["counts"]["error"], 1);
    let open = house.json("/api/v1/hits?bars=10").await;
    assert_eq!(open["start"], "2025-11-20T10:00:00Z", "an open range begins with the rows");
    assert!(open["bars"].as_array().expect("bars").len() <= 11);
    let (status, _) = house.text("/api/v1/hits?step=1s").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        house.get("/api/v1/hits?step=1ns&start=1970-01-01&end=now").await.status(),
        StatusCode::BAD_REQUEST
    );
    let values = house.json("/api/v1/values?field=level&query=timeout&limit=5").await;
    assert_eq!(values["values"].as_array().expect("values").len(), 2);
    assert_eq!(values["values"][0]["rows"], 1);
    assert_eq!((&values["rows"], &values["complete"]), (&Value::from(2), &Value::from(true)));
}

#[tokio::test]
async fn a_client_that_goes_frees_its_turn() {
    let many: Vec<(&str, &str)> = vec![("info", "the same line again and again"); 20_000];
    let settings = Settings { queries: 1, query_time: Duration::from_millis(500), ..Settings::default() };
    let house = house(Arc::new(crate::Open), settings).with(1, rows(0, &many));
    let response = house.get("/api/v1/search?limit=0").await;
    let mut stream = response.into_body().into_data_stream();
    assert!(stream.next().await.expect("a piece").is_ok());
    assert_eq!(
        house.get("/api/v1/search?limit=1").await.status(),
        StatusCode::SERVICE_UNAVAILABLE,
        "it still runs"
    );
    drop(stream);
    assert_eq!(house.lines("/api/v1/search?limit=1").await.len(), 1);
    let (_, metrics) = house.text("/metrics").await;
    assert!(metrics.contains("sawlog_http_requests_running{route=\"/api/v1/search\"} 0"), "{metrics}");
}

/// The next event of a tail: its text up to the blank line.
async fn event(stream: &mut axum::body::BodyDataStream) -> String {
    let piece = tokio::time::timeout(Duration::from_secs(60), stream.next()).await.expect("in time");
    String::from_utf8(piece.expect("not over").expect("no error").to_vec()).expect("text")
}

#[tokio::test]
async fn a_tail_sends_what_its_query_keeps() {
    let house = open_house();
    let response = house.get("/api/v1/tail?query=timeout").await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    assert_eq!(event(&mut stream).await, "event: open\ndata: {}\n\n");
    let send = |event| house.live.send(event).expect("somebody listens");
    send(LiveEvent::Rows(Arc::new(rows(1, &[("info", "timeout of another tenant")]))));
    send(LiveEvent::Rows(Arc::new(rows(0, THREE))));
    let first = event(&mut stream).await;
    let data = first.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
    let record: Value = serde_json::from_str(data).expect("JSON");
    assert_eq!(record["_line"], "error upstream Timeout after 30 s");
    assert_eq!(record["_tag"], "app");
    let id = format!("id: {:032x}:0:{}", 7, record["_offset"]);
    assert!(first.lines().any(|line| line == id), "{first}");
    assert!(event(&mut stream).await.contains("debug timeout"));
    send(LiveEvent::Missed(3));
    assert_eq!(event(&mut stream).await, "event: lag\ndata: {\"batches\":3}\n\n");
}

#[tokio::test]
async fn a_tail_gives_the_record_that_a_search_gives() {
    let house = open_house().with(1, rows(0, THREE));
    let mut stream = house.get("/api/v1/tail?query=upstream").await.into_body().into_data_stream();
    event(&mut stream).await;
    house.live.send(LiveEvent::Rows(Arc::new(rows(0, THREE)))).expect("somebody listens");
    let text = event(&mut stream).await;
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
    let (_, found) = house.text("/api/v1/search?query=upstream").await;
    assert_eq!(data, found.trim_end());
}

#[tokio::test]
async fn a_tail_that_is_flooded_counts_what_it_leaves_out() {
    let settings = Settings { tail_records: 8, tail_beat: Duration::from_millis(30), ..Settings::default() };
    let house = house(Arc::new(crate::Open), settings);
    let mut stream = house.get("/api/v1/tail").await.into_body().into_data_stream();
    event(&mut stream).await;
    let many: Vec<(&str, &str)> = vec![("info", "flood"); 100];
    house.live.send(LiveEvent::Rows(Arc::new(rows(0, &many)))).expect("somebody listens");
    for _ in 0..4 {
        assert!(event(&mut stream).await.contains("flood"));
    }
    assert_eq!(event(&mut stream).await, ": beat\n\n", "both ends know that the other is there");
    tokio::time::sleep(Duration::from_millis(500)).await;
    house.live.send(LiveEvent::Rows(Arc::new(rows(0, &many[..1])))).expect("somebody listens");
    let mut rest = String::new();
    while !rest.contains("event: lag") {
        rest.push_str(&event(&mut stream).await);
    }
    assert!(rest.contains("data: {\"records\":96}"), "{rest}");
}

/// Sends a request over a connection and gives what comes until it ends or `until` came.
async fn over_tcp(stream: &mut sawlog_sys::net::TcpStream, request: &str, until: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    stream.write_all(request.as_bytes()).await.expect("it takes the request");
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut piece)).await;
        let read = read.expect("in time").expect("no error");
        answer.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&answer);
        if read == 0 || text.contains(until) {
            return text.into_owned();
        }
    }
}

#[tokio::test]
async fn a_stop_ends_connections_and_live_tails() {
    let house = open_house();
    let listener = sawlog_sys::net::listen("127.0.0.1:0".parse().expect("an address")).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(crate::serve(listener, house.router.clone(), async {
        let _ = stopped.await;
    }));
    let mut idle = sawlog_sys::net::TcpStream::connect(address).await.expect("a connection");
    let answer = over_tcp(&mut idle, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "ok\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let mut tail = sawlog_sys::net::TcpStream::connect(address).await.expect("a connection");
    let begin =
        over_tcp(&mut tail, "GET /api/v1/tail HTTP/1.1\r\nHost: localhost\r\n\r\n", "event: open").await;
    assert!(begin.contains("text/event-stream"), "{begin}");
    stop.send(()).expect("it serves");
    let ended = tokio::time::timeout(Duration::from_secs(60), served).await.expect("within its grace");
    ended.expect("no panic").expect("no error");
    let rest = over_tcp(&mut tail, "", "never").await;
    assert!(!rest.contains("0\r\n\r\n"), "a tail that was cut off does not look whole: {rest}");
}

/// A row that came as a map, with the field `level` and what stands in `more`, so many seconds after [`T0`].
fn came(at: i64, message: &str, level: &str) -> Batch {
    let limits = sawlog_model::Limits::default();
    let mut batch = rows(0, &[]);
    let text = format!(r#"{{"message":"{message}","level":"{level}","host":"web1","tags":["a"]}}"#);
    let value = sawlog_model::value::parse(text.as_bytes(), &limits).expect("JSON");
    let mut line = Vec::new();
    let slots = sawlog_model::value::Slots::new("", &limits, &mut batch.names, &mut batch.slots);
    sawlog_model::value::render_slots(&value, slots, &mut line);
    line.push(b'\n');
    batch.rows.push(Row {
        start: 0,
        len: line.len() as u32,
        offset: at as u64 * 1_000,
        time: T0 + at * SECOND,
        received: T0 + at * SECOND,
        slots_end: batch.slots.len() as u32,
        marks: Marks::MAP.with(Marks::JSON),
    });
    batch.buffer = line.into();
    batch
}

impl House {
    async fn post(&self, path: &str, json: Value) -> (StatusCode, String) {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        let response = self.send(request.body(Body::from(json.to_string())).expect("a request")).await;
        (response.status(), body(response).await)
    }

    /// Where an address leads to.
    async fn leads(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::FOUND, "{path}");
        response.headers()[header::LOCATION].to_str().expect("text").to_owned()
    }

    async fn with_loggers(self) -> Self {
        let columns =
            serde_json::json!([{ "name": "host", "excluded": true }, { "name": "level", "filtered": true }]);
        let logger = serde_json::json!({ "name": "web", "selector": "_tag:app", "columns": columns });
        assert_eq!(self.post("/api/v1/loggers/set", logger).await.0, StatusCode::OK);
        let shortcut = serde_json::json!({
            "name": "bad", "logger": "web", "url": "/grep/web/?level=error&search=a+b", "default_field": "level",
        });
        assert_eq!(self.post("/api/v1/shortcuts/set", shortcut).await.0, StatusCode::OK);
        self
    }
}

#[tokio::test]
async fn alcos_api_answers_as_it_did() {
    let mut house = open_house().with_loggers().await;
    let events =
        [(1, "Bad Gateway from a", "error"), (2, "gateway bad", "info"), (3, "a bad gateway", "info")];
    for (at, message, level) in events {
        house = house.with(at as u64, came(at, message, level));
    }
    let answer = house.json("/api/grep/web/?search=bad,gateway&start_ts=2025-11-20+09:00:00").await;
    let first = serde_json::json!({
        "id": T0 + SECOND,
        "datetime": "2025-11-20T10:00:01Z",
        "logline": "Bad Gateway from a",
        "logline_snippet": "<b>Bad Gateway</b> from a",
        "js": { "level": "error", "tags": "[\"a\"]" },
    });
    assert_eq!(answer["results"][0], first);
    assert_eq!(answer["results"].as_array().expect("a list").len(), 2, "{answer}");
    assert_eq!((&answer["next"], &answer["previous"]), (&Value::Null, &Value::Null));
    let lines = async |query: &str| {
        let answer = house.json(&format!("/api/grep/web/?{query}")).await;
        let results = answer["results"].as_array().expect("a list").iter();
        results.map(|row| row["logline"].as_str().expect("text").to_owned()).collect::<Vec<_>>().join("|")
    };
    assert_eq!(lines("level=info").await, "gateway bad|a bad gateway");
    assert_eq!(lines("level__in=error,debug").await, "Bad Gateway from a");
    assert_eq!(lines("search=%40level%3Dinfo+a").await, "a bad gateway");
    assert_eq!(lines("start_ts=2025-11-20+10:00:02&end_ts=2025-11-20+10:00:03").await, "gateway bad");
    assert_eq!(house.text("/api/grep/none/").await.0, StatusCode::NOT_FOUND);
    assert_eq!(house.text("/api/grep/web/?start_ts=soon").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_cursor_goes_through_all_rows_once() {
    let mut house = open_house().with_loggers().await;
    // Most are of the same second, as events of a burst are.
    for n in 0..250_i64 {
        let mut batch = came(if n < 20 { n } else { 20 }, &format!("n{n}"), "info");
        batch.rows[0].offset = n as u64 * 1_000;
        house = house.with(n as u64 + 1, batch);
    }
    let (mut seen, mut ids) = (Vec::new(), std::collections::BTreeSet::new());
    let mut pages: Vec<Value> = Vec::new();
    let mut next = Some("/api/grep/web/?level=info".to_owned());
    while let Some(path) = next {
        let answer = house.json(&path).await;
        if let Some(before) = pages.last() {
            let back = house.json(answer["previous"].as_str().expect("a page before")).await;
            assert_eq!(back["results"], before["results"], "back again");
        }
        pages.push(answer.clone());
        for row in answer["results"].as_array().expect("a list") {
            seen.push(row["logline"].as_str().expect("text").to_owned());
            ids.insert(row["id"].as_i64().expect("a number"));
        }
        next = answer["next"].as_str().map(str::to_owned);
    }
    let wanted: Vec<String> = (0..250).map(|n| format!("n{n}")).collect();
    assert_eq!(seen, wanted);
    assert_eq!(ids.len(), 250, "ids tell rows apart");
    assert_eq!(pages[0]["previous"], Value::Null);
    // From a page in the middle, that is not one of those, to the first, which is then a shorter way.
    let half = format!("/api/grep/web/?level=info&cursor={}.0", T0 + 20 * SECOND);
    let half = house.json(&half).await;
    let first = house.json(half["previous"].as_str().expect("a page before")).await;
    assert_eq!(first["results"][0]["logline"], "n0");
    assert_eq!(first["previous"], Value::Null);
}

#[tokio::test]
async fn bookmarks_of_alco_lead_to_the_page() {
    let house = open_house().with_loggers().await.with(7, came(7, "a b", "error"));
    let first = house.leads("/grep/web/?search=a").await;
    assert!(first.starts_with("/grep/web/?search=a&start_ts=20"), "{first}");
    let asked = "start_ts=2025-11-20+10:00:00&search=A+b&level__in=error,info&columns=level";
    assert_eq!(
        house.leads(&format!("/grep/web/?{asked}")).await,
        "/?q=%28_tag%3Aapp%29+message%3A%22a+b%22+level%3Ain%28%22error%22%2C+%22info%22%29\
         &from=2025-11-20T10%3A00%3A00Z&cols=level&open=level"
    );
    assert_eq!(
        house.leads("/grep/web/?start_ts=2025-11-20+10:00:00&search=a+b&context=y").await,
        "/?q=%28_tag%3Aapp%29&from=2025-11-20T10%3A00%3A07Z&cols=level&open=level"
    );
    let live = house.leads("/grep/web/?start_ts=2025-11-20+10:00:00&live=1").await;
    assert!(live.ends_with("&cols=level&open=level&live=1"), "{live}");
    assert_eq!(house.leads("/grep/shortcut/bad/").await, "/grep/web/?level=error&search=a+b");
    assert_eq!(house.leads("/grep/shortcut/bad/x%26y/").await, "/grep/web/?search=a+b&level=x%26y");
    assert_eq!(house.text("/grep/shortcut/none/").await.0, StatusCode::NOT_FOUND);
    assert_eq!(house.text("/grep/none/").await.0, StatusCode::NOT_FOUND);
    let (status, page) = house.text("/grep/").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("0 in 5 minutes") && page.contains("href=\"/grep/shortcut/bad/\""), "{page}");
}

#[tokio::test]
async fn loggers_change_while_the_node_runs() {
    let house = open_house().with_loggers().await.with(1, came(1, "a", "info"));
    let columns = house.json("/api/v1/loggers/columns?name=web").await;
    let names: Vec<_> =
        columns["columns"].as_array().expect("a list").iter().map(|column| &column["name"]).collect();
    assert_eq!(names[..2], ["host", "level"]);
    assert!(names.iter().any(|name| *name == "message"), "fields appear by themselves: {names:?}");
    for wrong in [
        serde_json::json!({ "name": "a b" }),
        serde_json::json!({ "name": "x", "selector": "a | limit 1" }),
        serde_json::json!({ "name": "x", "colour": "red" }),
    ] {
        assert_eq!(house.post("/api/v1/loggers/set", wrong).await.0, StatusCode::BAD_REQUEST);
    }
    let other = serde_json::json!({ "name": "other", "days": 30 });
    let (_, list) = house.post("/api/v1/loggers/set", other).await;
    let list: Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(list["loggers"].as_array().expect("a list").len(), 2);
    let empty = Value::Object(Default::default());
    assert_eq!(house.post("/api/v1/loggers/remove?name=web", empty.clone()).await.0, StatusCode::OK);
    let list = house.json("/api/v1/loggers").await;
    assert_eq!(
        (list["loggers"].as_array().map(Vec::len), list["shortcuts"].as_array().map(Vec::len)),
        (Some(1), Some(0))
    );
    assert_eq!(house.post("/api/v1/loggers/remove?name=web", empty).await.0, StatusCode::NOT_FOUND);
}
