//! The routes over a real store: rights, headers, answers, streams, one file for each subject. What the pipeline does is done here
//! by a few lines that put rows straight into the store and the live channel.

mod door;
mod ingest;
mod limits;
mod loggers;
mod matrix;
mod node;
mod questions;
mod tail;
mod users;

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

use crate::{
    Control, DeadLetter, DeadLetters, DeadOutcome, Hosts, Ingest, Live, LiveEvent, LiveStream, Node,
    Settings, routers,
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
    dir: tempfile::TempDir,
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

    fn dead(
        &self,
        of: Option<Tenant>,
        which: DeadLetters,
        most: usize,
    ) -> BoxFuture<'static, Result<Vec<DeadLetter>, String>> {
        let letters = (0..most.min(3) as u32).map(|number| DeadLetter {
            number: u64::from(number),
            tenant: Tenant(number),
            output: format!("{which:?}"),
            lines: vec![format!("of {number}")],
            ..DeadLetter::default()
        });
        let letters = letters.filter(|letter| of.is_none_or(|of| of == letter.tenant)).collect();
        async move { Ok(letters) }.boxed()
    }

    fn replay_dead(
        &self,
        of: Option<Tenant>,
        which: DeadLetters,
    ) -> BoxFuture<'static, Result<DeadOutcome, String>> {
        let (letters, records) = match which {
            DeadLetters::All => (9, 9),
            DeadLetters::Of(name) => (1, name.len() as u64),
            DeadLetters::Numbers(numbers) => (numbers.len() as u64, numbers.iter().sum()),
        };
        let left = vec![of.map_or("one".to_owned(), |of| format!("one of {of}"))];
        async move { Ok(DeadOutcome { letters, records, left }) }.boxed()
    }

    fn drop_dead(
        &self,
        _of: Option<Tenant>,
        _which: DeadLetters,
    ) -> BoxFuture<'static, Result<DeadOutcome, String>> {
        async { Err("the disk is gone".to_owned()) }.boxed()
    }

    fn purge(&self) -> BoxFuture<'static, Result<Vec<String>, String>> {
        self.0.lock().expect("no panic").push("purge");
        async { Ok(Vec::new()) }.boxed()
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
    // Tests of one thread each answer on that.
    let threads = tokio::runtime::Handle::current();
    let node = Node {
        questions: crate::Questions { usual: threads.clone(), last: threads },
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
    House { router, meniscus, tenancy, store, live, deliveries, asked, dir }
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
    /// What a file of its directory holds.
    fn sys_file(&self, name: &str) -> String {
        let bytes = Sys::real().fs.read(&self.dir.path().join(name)).expect("there is one");
        String::from_utf8(bytes).expect("text")
    }

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
