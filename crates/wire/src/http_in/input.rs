//! The listener, and the way of a request to stable storage. Knows nothing of how bodies are written.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hyper::header::CONTENT_TYPE;
use hyper::{Method, StatusCode};
use sawlog_model::{Context, NameId};
use sawlog_pipeline::{ConfigError, Env, Input, Intake, Options, Running};

use super::body;
use super::cors::Cors;
use crate::shared::cut::{Cutter, Framing};
use crate::shared::door::{self, Door, Peer, Reading, Shared};
use crate::shared::events::Events;
use crate::shared::gather::{Gather, Place};
use crate::shared::inflate::{Compression, InflateError, inflate};
use crate::shared::lines::{LineReading, LineSettings};
use crate::shared::web::{self, Answer, Asked, Bounds};

/// Longest tag, bytes: tags name sources, which are kept in memory.
const TAG_MOST: usize = 1024;

/// A transparent GIF of one pixel.
const PIXEL: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\0\0\0!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

/// What the options say.
struct Settings {
    prefix: String,
    lines: Option<LineSettings>,
    headers: bool,
    remote: bool,
    query: bool,
    image: bool,
    empty: bool,
    words: bool,
    cors: Cors,
}

struct HttpInput {
    listen: SocketAddr,
    bounds: Bounds,
    settings: Settings,
    door: door::Settings,
}

/// Makes an input from its options.
///
/// # Errors
/// [`ConfigError`] where they cannot be.
pub(super) fn make(options: &Options) -> Result<Box<dyn Input>, ConfigError> {
    let settings = Settings {
        prefix: options.text("add_tag_prefix").to_owned(),
        lines: Some(LineSettings::read(options, "http")?).filter(LineSettings::is_configured),
        headers: options.flag("add_http_headers"),
        remote: options.flag("add_remote_addr"),
        query: options.flag("add_query_params"),
        image: options.flag("respond_with_empty_img"),
        empty: options.flag("use_204_response"),
        words: options.flag("dump_error_log"),
        cors: Cors::read(options)?,
    };
    let bounds =
        Bounds { body: options.bytes("body_size_limit"), keep_alive: options.duration("keepalive_timeout") };
    Ok(Box::new(HttpInput {
        listen: options.listen("listen")?,
        bounds,
        settings,
        door: door::Settings::read(options),
    }))
}

impl Input for HttpInput {
    fn start(self: Box<Self>, intake: Intake, env: Env) -> Result<Running, String> {
        let mut door = Door::new("http_in", self.door, intake, env)?;
        let shared = door.shared();
        let taker = Arc::new(Taker { settings: self.settings, shared: shared.clone() });
        let service: web::Service = Arc::new(move |asked| {
            let taker = taker.clone();
            Box::pin(async move { taker.answer(asked).await })
        });
        let bounds = self.bounds;
        let serve: door::Serve = Arc::new(move |stream, peer| {
            Box::pin(web::serve(stream, BytesMut::new(), peer, bounds, service.clone(), shared.clone()))
        });
        door.tcp(self.listen, serve)?;
        Ok(door.running())
    }
}

/// Why a request was not taken.
struct Refused(StatusCode, &'static str, String);

struct Taker {
    settings: Settings,
    shared: Arc<Shared>,
}

impl Taker {
    async fn answer(&self, asked: Asked) -> Answer {
        let cors = &self.settings.cors;
        if let Some(answer) = cors.answer(&asked) {
            return answer;
        }
        let origin = asked.header("origin").to_owned();
        let answer = match self.take(asked).await {
            Ok(()) if self.settings.image => {
                let answer =
                    Answer { status: StatusCode::OK, body: Bytes::from_static(PIXEL), headers: Vec::new() };
                answer.with(CONTENT_TYPE, "image/gif")
            }
            Ok(()) if self.settings.empty => Answer { status: StatusCode::NO_CONTENT, ..Answer::default() },
            Ok(()) => Answer::text(StatusCode::OK, ""),
            Err(Refused(status, reason, words)) => {
                let told = if self.settings.words { words.as_str() } else { "" };
                self.shared.intake.count_error(reason, told);
                match status {
                    StatusCode::SERVICE_UNAVAILABLE => web::later(words),
                    status => Answer::text(status, format!("{words}\n")),
                }
            }
        };
        cors.mark(answer, &origin)
    }

    /// Decodes and delivers; all of it is on stable storage then, or nothing is taken.
    async fn take(&self, asked: Asked) -> Result<(), Refused> {
        if !matches!(asked.method, Method::GET | Method::POST | Method::PUT) {
            return Err(Refused(
                StatusCode::METHOD_NOT_ALLOWED,
                "malformed",
                "GET, POST and PUT bring events".to_owned(),
            ));
        }
        let parts = asked.path.split('/').filter(|part| !part.is_empty());
        let mut tag = parts.collect::<Vec<_>>().join(".");
        if tag.is_empty() || tag.len() > TAG_MOST {
            let words = format!("the path is the tag of the events, of 1 to {TAG_MOST} bytes");
            return Err(Refused(StatusCode::BAD_REQUEST, "malformed", words));
        }
        if !self.settings.prefix.is_empty() {
            tag = format!("{}.{tag}", self.settings.prefix);
        }
        let body = self.unpacked(&asked)?;
        let mut gather = Gather::default();
        match &self.settings.lines {
            Some(lines) => self.lines(lines, tag, body, &asked, &mut gather)?,
            None => self.events(&tag, &body, &asked, &mut gather)?,
        }
        let later = |fault: door::Fault| Refused(StatusCode::SERVICE_UNAVAILABLE, fault.0, fault.1);
        self.shared.deliver(&mut gather).await.map_err(later)
    }

    /// The body without its compression.
    fn unpacked(&self, asked: &Asked) -> Result<Bytes, Refused> {
        let most = self.shared.env.limits.message;
        let compression = match asked.header("content-encoding") {
            "" | "identity" => return Ok(asked.body.clone()),
            "gzip" | "x-gzip" => Compression::Gzip,
            "deflate" => Compression::Zlib,
            "zstd" => Compression::Zstd,
            other => {
                let words = format!("Content-Encoding {other:?}; there are gzip, deflate and zstd");
                return Err(Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported", words));
            }
        };
        inflate(&asked.body, compression, most).map(Bytes::from).map_err(|error| match error {
            InflateError::Long(_) => {
                Refused(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("more than {most} bytes at once"))
            }
            InflateError::Broken(_) => Refused(StatusCode::BAD_REQUEST, "malformed", error.to_string()),
        })
    }

    fn events(&self, tag: &str, body: &[u8], asked: &Asked, gather: &mut Gather) -> Result<(), Refused> {
        let limits = self.shared.env.limits;
        let decoded = body::decode(&asked.content_type(), &asked.query, body, &limits)
            .map_err(|words| Refused(StatusCode::BAD_REQUEST, "malformed", words))?;
        let host = &asked.peer.host;
        let context = Arc::new(Context::new([("_tag", tag), ("_host", host)]));
        let place = Place { source: self.shared.sources.get(&format!("http_in:{tag}@{host}")), context };
        let mut events = Events::new(limits);
        let fields = self.fields(asked);
        let added: Vec<(NameId, &str)> =
            fields.iter().map(|(name, value)| (events.name(name), value.as_ref())).collect();
        let received = self.shared.env.sys.clock.now();
        for event in &decoded.events {
            events.push(event, decoded.time, received, &place, &added, gather);
        }
        Ok(())
    }

    /// Fields that every event of a request gets.
    fn fields<'a>(&self, asked: &'a Asked) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
        let mut fields: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        if self.settings.headers {
            for (name, value) in &asked.headers {
                let name = format!("HTTP_{}", name.as_str().replace('-', "_").to_ascii_uppercase());
                fields.push((name.into(), String::from_utf8_lossy(value.as_bytes())));
            }
        }
        if self.settings.query {
            for (name, value) in form_urlencoded::parse(asked.query.as_bytes()) {
                fields.push((format!("QUERY_{}", name.to_ascii_uppercase()).into(), value));
            }
        }
        if self.settings.remote {
            // Behind a proxy the first of those that it names is the sender.
            let proxied = asked.header("x-forwarded-for").split(',').next().unwrap_or_default().trim();
            let address = if proxied.is_empty() { &asked.peer.host } else { proxied };
            fields.push(("REMOTE_ADDR".into(), address.into()));
        }
        fields.extend(
            asked.peer.fields.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())),
        );
        fields
    }

    fn lines(
        &self,
        lines: &LineSettings,
        tag: String,
        body: Bytes,
        asked: &Asked,
        gather: &mut Gather,
    ) -> Result<(), Refused> {
        let (limits, now) = (self.shared.env.limits, self.shared.env.sys.clock.now());
        let mut settings = lines.clone();
        settings.tag = tag;
        let (sources, intake) = (self.shared.sources.clone(), Some(self.shared.intake.clone()));
        let mut reading = LineReading::new(&settings, "http_in", sources, intake, now, limits);
        let fields =
            self.fields(asked).into_iter().map(|(name, value)| (name.into_owned(), value.into_owned()));
        let peer = Arc::new(Peer { fields: fields.collect(), ..(*asked.peer).clone() });
        let mut cutter = Cutter::new(Framing::Delimiter(b"\n".as_slice().into()), limits.event, limits);
        let mut buffer = BytesMut::from(body);
        let wrong =
            |error: sawlog_pipeline::DecodeError| Refused(StatusCode::BAD_REQUEST, error.reason, error.what);
        while let Some(piece) = cutter.cut(&mut buffer).map_err(wrong)?.or_else(|| cutter.rest(&mut buffer)) {
            reading.read(&piece, &peer, now, gather).map_err(wrong)?;
        }
        Ok(())
    }
}
