//! The listeners. Knows nothing of what is in messages.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
};
use hyper::{Method, StatusCode};
use sawlog_model::{Limits, Marks, Nanos};
use sawlog_pipeline::{ConfigError, DecodeError, Env, Input, Intake, Options, Running};
use tokio::io::AsyncReadExt;

use super::chunks::Chunks;
use super::envelope;
use crate::shared::cut::{Cutter, Framing, Piece};
use crate::shared::door::{self, Door, Fault, Peer, Reading, Shared, pump};
use crate::shared::events::EventReading;
use crate::shared::gather::Gather;
use crate::shared::inflate::{Compression, InflateError, inflate};
use crate::shared::web::{self, Answer, Asked, Bounds};

/// How long a connection may be silent between requests.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

struct GelfInput {
    listen: SocketAddr,
    udp: bool,
    tcp: bool,
    http: bool,
    tag: String,
    longest: usize,
    chunks: usize,
    door: door::Settings,
}

/// Makes an input from its options.
///
/// # Errors
/// [`ConfigError`] where they cannot be.
pub(super) fn make(options: &Options) -> Result<Box<dyn Input>, ConfigError> {
    let [udp, tcp, http] = door::transports(options, ["udp", "tcp", "http"])?;
    Ok(Box::new(GelfInput {
        listen: options.listen("listen")?,
        udp,
        tcp,
        http,
        tag: options.text("tag").to_owned(),
        longest: options.bytes("message_length_limit").max(1),
        chunks: options.bytes("chunks_limit"),
        door: door::Settings::read(options),
    }))
}

impl Input for GelfInput {
    fn start(self: Box<Self>, intake: Intake, env: Env) -> Result<Running, String> {
        let mut door = Door::new("gelf", self.door, intake, env)?;
        let shared = door.shared();
        let (tcp, http) = (self.tcp, self.http);
        let gelf = Arc::new(Gelf { tag: self.tag, longest: self.longest, shared });
        let mut listen = self.listen;
        if tcp || http {
            let gelf = gelf.clone();
            let serve: door::Serve = Arc::new(move |stream, peer| {
                let gelf = gelf.clone();
                Box::pin(async move { gelf.serve(stream, peer, tcp, http).await })
            });
            listen = door.tcp(listen, serve)?;
        }
        if self.udp {
            let datagrams = Datagrams { inner: gelf.reading(), chunks: Chunks::new(self.chunks), gelf };
            door.udp(listen, Box::new(datagrams))?;
        }
        Ok(door.running())
    }
}

/// What all connections and datagrams share.
struct Gelf {
    tag: String,
    longest: usize,
    shared: Arc<Shared>,
}

impl Gelf {
    fn reading(&self) -> EventReading {
        let shared = &self.shared;
        EventReading::new("gelf", &self.tag, envelope::open, shared.sources.clone(), shared.env.limits)
    }

    fn limits(&self) -> Limits {
        self.shared.env.limits
    }

    /// A connection of messages, or of requests: their first byte is a letter, which no JSON object begins with.
    async fn serve(
        self: Arc<Self>,
        mut stream: crate::shared::stream::Stream,
        peer: Arc<Peer>,
        tcp: bool,
        http: bool,
    ) -> Result<(), Fault> {
        let (mut first, mut stop) = (BytesMut::new(), self.shared.stop.clone());
        let read = tokio::select! {
            read = stream.read_buf(&mut first) => read,
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        if read.map_err(|error| Fault::new("connection", error))? == 0 {
            return Ok(());
        }
        let shared = self.shared.clone();
        match first.first().is_some_and(u8::is_ascii_uppercase) {
            true if http => {
                let bounds = Bounds { body: self.longest, keep_alive: KEEP_ALIVE };
                let service: web::Service = Arc::new(move |asked| {
                    let gelf = self.clone();
                    Box::pin(async move { gelf.answer(asked).await })
                });
                web::serve(stream, first, peer, bounds, service, shared).await
            }
            false if tcp => {
                let cutter = Cutter::new(Framing::Objects, self.longest, self.limits());
                pump(stream, first, peer, cutter, Box::new(self.reading()), shared).await
            }
            _ => Err(Fault::new("transport", "`transports` does not name what this connection speaks")),
        }
    }

    async fn answer(&self, asked: Asked) -> Answer {
        let empty = |status| Answer { status, ..Answer::default() };
        if asked.path != "/gelf" {
            return empty(StatusCode::NOT_FOUND);
        }
        let origin = asked.header("origin").to_owned();
        let marked = |answer: Answer| {
            if origin.is_empty() { answer } else { answer.with(ACCESS_CONTROL_ALLOW_ORIGIN, origin.as_str()) }
        };
        match asked.method {
            Method::POST => {}
            Method::OPTIONS => {
                return marked(empty(StatusCode::OK))
                    .with(ACCESS_CONTROL_ALLOW_METHODS, "POST")
                    .with(ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type");
            }
            _ => return empty(StatusCode::METHOD_NOT_ALLOWED),
        }
        let refused = |status, reason, words: String| {
            self.shared.intake.count_error(reason, &format!("{}: {words}", asked.peer.host));
            Answer::text(status, words)
        };
        let message = match self.inflated(&asked.body) {
            Ok(message) => message,
            Err(error) if error.reason == "too_large" => {
                return marked(refused(StatusCode::PAYLOAD_TOO_LARGE, error.reason, error.what));
            }
            Err(error) => return marked(refused(StatusCode::BAD_REQUEST, error.reason, error.what)),
        };
        let (mut gather, received) = (Gather::default(), self.shared.env.sys.clock.now());
        let read = self.reading().read(&Piece::whole(message), &asked.peer, received, &mut gather);
        let batches = gather.take(self.shared.tenant);
        let is_event = read.is_ok()
            && batches.iter().flat_map(|batch| &batch.rows).any(|row| !row.marks.has(Marks::UNPARSED));
        if !is_event {
            return marked(refused(
                StatusCode::BAD_REQUEST,
                "malformed",
                "the body is no JSON object".to_owned(),
            ));
        }
        match self.shared.intake.submit(batches).await {
            Ok(()) => marked(empty(StatusCode::ACCEPTED)),
            Err(error) => {
                self.shared.intake.count_error("delivery", &error.to_string());
                marked(web::later(error.to_string()))
            }
        }
    }

    /// A message without its compression, which its first bytes tell.
    fn inflated(&self, bytes: &Bytes) -> Result<Bytes, DecodeError> {
        let compression = match bytes.first_chunk() {
            Some([0x1f, 0x8b]) => Compression::Gzip,
            Some([first, second]) if first & 0x0f == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0 => {
                Compression::Zlib
            }
            _ => return Ok(bytes.clone()),
        };
        let most = self.longest.min(self.limits().message);
        inflate(bytes, compression, most).map(Bytes::from).map_err(|error| match error {
            InflateError::Long(_) => DecodeError {
                reason: "too_large",
                what: format!("a message of more than {most} bytes"),
                at: 0,
            },
            InflateError::Broken(_) => DecodeError { reason: "compression", what: error.to_string(), at: 0 },
        })
    }
}

/// Reads datagrams.
struct Datagrams {
    inner: EventReading,
    chunks: Chunks,
    gelf: Arc<Gelf>,
}

impl Reading for Datagrams {
    fn read(
        &mut self,
        piece: &Piece,
        peer: &Arc<Peer>,
        received: Nanos,
        gather: &mut Gather,
    ) -> Result<(), DecodeError> {
        let intake = &self.gelf.shared.intake;
        let mut given_up = || intake.count_error("incomplete", "chunks of a message have not come in time");
        let Some(message) = self.chunks.add(&peer.host, &piece.bytes, received, &mut given_up)? else {
            return Ok(());
        };
        let message = self.gelf.inflated(&message)?;
        // A zero is what ends a message elsewhere.
        let end = message.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        self.inner.read(&Piece::whole(message.slice(..end)), peer, received, gather)
    }
}
