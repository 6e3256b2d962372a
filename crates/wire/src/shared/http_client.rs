//! An HTTP/1.1 client that keeps one connection: plain, over TLS, through a proxy. Knows nothing of rows.

use std::io::{ErrorKind, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::{Body, Frame, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use sawlog_pipeline::Options;
use sawlog_sys::Sys;
use sawlog_sys::net::TcpStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::stream::Stream;
use super::tls::{self, Connector};

/// Longest head of a proxy's answer that is read, bytes.
const PROXY_MOST: usize = 64 << 10;
/// Bytes of a body that are read at once.
const PIECE: usize = 64 << 10;
/// Slowest that a body which is read while it is sent may go, bytes a second.
const SLOWEST: u64 = 64 << 10;
/// How much of an answer is told.
const TOLD_MOST: usize = 200;

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// There is no connection.
    #[error("{0}")]
    Connect(String),
    /// The connection ended or said something else than HTTP.
    #[error("{0}")]
    Http(#[from] hyper::Error),
    /// It took too long.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
}

/// A proxy: host and port, and what it is told of who asks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Proxy {
    host: String,
    port: u16,
    credentials: Option<String>,
}

/// Reads `http://USER:PASSWORD@HOST:PORT`; nothing is none.
pub(crate) fn proxy(text: &str) -> Result<Option<Proxy>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || format!("`{text}` is no proxy; write it as http://HOST:PORT");
    let rest = text.strip_prefix("http://").ok_or_else(wrong)?.trim_end_matches('/');
    let (user, address) = rest.rsplit_once('@').map_or((None, rest), |(user, rest)| (Some(user), rest));
    let uri: Uri = format!("http://{address}/").parse().map_err(|_| wrong())?;
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?.to_owned();
    let encode = |user: &str| format!("Basic {}", STANDARD.encode(user));
    Ok(Some(Proxy { host, port: uri.port_u16().unwrap_or(80), credentials: user.map(encode) }))
}

/// Reads `NAME: VALUE`.
pub(crate) fn header(text: &str) -> Result<(HeaderName, String), String> {
    let (name, value) = text.split_once(':').ok_or_else(|| format!("`{text}`: write it as NAME: VALUE"))?;
    let name = name.trim().parse().map_err(|_| format!("`{name}` is no name of a header"))?;
    Ok((name, value.trim().to_owned()))
}

/// The header of basic authentication.
pub(crate) fn basic(user: &str, password: &str) -> HeaderValue {
    let text = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    // Base64 can be in a header.
    let mut value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

/// What percent signs stand for in an address, as users write passwords.
pub(crate) fn unpercent(text: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, more @ ..] = rest {
        let code = more.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = code.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(code.unwrap_or(*first));
        rest = if code.is_some() { &more[2..] } else { more };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What rows say, so that it is one part of a path or query.
pub(crate) fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    // A part of a path that is dots would be another path.
    if out == "." || out == ".." { out.replace('.', "%2E") } else { out }
}

/// Compresses with gzip.
pub(crate) fn zip(bytes: &[u8], level: Compression) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// The body of a request: there as a whole, or read while it is sent.
type Outgoing = Either<Full<Bytes>, Reading>;

/// A connection and whom it is to.
type Kept = (String, SendRequest<Outgoing>);

/// A body that is read while it is sent. Reading blocks the thread, so this is for a runtime that does nothing else.
pub(crate) struct Reading {
    from: Box<dyn Read + Send>,
    left: u64,
}

impl Reading {
    /// The first `len` bytes of what can be read; the request fails where there are less.
    pub fn new(from: Box<dyn Read + Send>, len: u64) -> Self {
        Reading { from, left: len }
    }
}

impl Body for Reading {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut piece = vec![0; usize::try_from(self.left).unwrap_or(usize::MAX).min(PIECE)];
        let read = self.from.read(&mut piece);
        Poll::Ready(Some(match read {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                self.left -= count as u64;
                piece.truncate(count);
                Ok(Frame::data(piece.into()))
            }
            Err(error) => Err(error),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// What a server said.
#[derive(Debug)]
pub(crate) struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Empty where it was longer than is read.
    pub body: Bytes,
}

impl Answered {
    /// The beginning of the body, to be told.
    pub fn words(&self) -> String {
        String::from_utf8_lossy(&self.body[..self.body.len().min(TOLD_MOST)]).trim().to_owned()
    }
}

/// The client.
pub(crate) struct Client {
    pub connector: Option<Connector>,
    pub proxy: Option<Proxy>,
    pub open_timeout: Duration,
    pub tls_timeout: Duration,
    pub read_timeout: Duration,
    /// Longest answer that is read, bytes; the connection of a longer one is given up.
    pub answer_most: usize,
    /// Whether a connection is used again. A request over one that was just closed is sent once more, which is only for what may
    /// come twice.
    pub reuse: bool,
    /// The connection of the request before.
    pub kept: Mutex<Option<Kept>>,
}

/// A connector by the options of TLS, where `secure`.
///
/// # Errors
/// In words, where these cannot be.
pub(crate) fn connector(options: &Options, secure: bool, sys: &Sys) -> Result<Option<Connector>, String> {
    let mut options = options.clone();
    options.0.insert("tls".to_owned(), vec![secure.to_string()]);
    tls::connector(&options, sys)
}

fn whole(body: &Bytes) -> Outgoing {
    Either::Left(Full::new(body.clone()))
}

impl Client {
    /// Sends a request.
    pub async fn request(
        &self,
        method: Method,
        uri: &Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answered, Failure> {
        let authority = uri.authority().map_or("", |authority| authority.as_str()).to_owned();
        let reused = self
            .kept
            .lock()
            .await
            .take()
            .filter(|(to, sender)| *to == authority && !sender.is_closed() && self.reuse);
        if let Some((_, sender)) = reused {
            let request = self.build(&method, uri, &headers, whole(&body))?;
            match self.exchange(sender, &authority, request, self.read_timeout).await {
                // A server may close a connection that was idle, just as it is used again.
                Err(Failure::Http(error)) if error.is_canceled() || error.is_incomplete_message() => {}
                other => return other,
            }
        }
        let sender = self.connect(uri).await?;
        let request = self.build(&method, uri, &headers, whole(&body))?;
        self.exchange(sender, &authority, request, self.read_timeout).await
    }

    /// Sends a request whose body is read meanwhile: once, over a connection of its own. Its answer may come later by what the
    /// body takes.
    pub async fn send(
        &self,
        method: Method,
        uri: &Uri,
        headers: HeaderMap,
        body: Reading,
    ) -> Result<Answered, Failure> {
        let authority = uri.authority().map_or("", |authority| authority.as_str()).to_owned();
        let patience = self.read_timeout + Duration::from_secs(body.left / SLOWEST);
        let len = body.left;
        let mut request = self.build(&method, uri, &headers, Either::Right(body))?;
        // Also of nothing: servers want it told.
        request.headers_mut().insert(CONTENT_LENGTH, len.into());
        let sender = self.connect(uri).await?;
        self.exchange(sender, &authority, request, patience).await
    }

    fn build(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Outgoing,
    ) -> Result<Request<Outgoing>, Failure> {
        let broken = |what: String| Failure::Connect(what);
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let host = HeaderValue::from_str(host).map_err(|error| broken(error.to_string()))?;
        let through_proxy = self.proxy.as_ref().filter(|_| uri.scheme_str() == Some("http"));
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let target = if through_proxy.is_some() { uri.to_string() } else { path.to_owned() };
        let mut request = Request::builder().method(method).uri(target);
        if let Some(all) = request.headers_mut() {
            all.extend(headers.clone());
            all.insert(HOST, host);
            let credentials = through_proxy.and_then(|proxy| proxy.credentials.as_deref());
            if let Some(value) = credentials.and_then(|text| HeaderValue::from_str(text).ok()) {
                all.insert(hyper::header::PROXY_AUTHORIZATION, value);
            }
        }
        request.body(body).map_err(|error| broken(error.to_string()))
    }

    async fn exchange(
        &self,
        mut sender: SendRequest<Outgoing>,
        to: &str,
        request: Request<Outgoing>,
        patience: Duration,
    ) -> Result<Answered, Failure> {
        let late = |_| Failure::Timeout(patience);
        let answer = timeout(patience, sender.send_request(request)).await.map_err(late)??;
        let (head, body) = answer.into_parts();
        let body = timeout(self.read_timeout, Limited::new(body, self.answer_most).collect());
        let body = body.await.map_err(late)?;
        let answered = |body| Answered { status: head.status, headers: head.headers, body };
        let Ok(body) = body.map(|body| body.to_bytes()) else { return Ok(answered(Bytes::new())) };
        if sender.ready().await.is_ok() {
            *self.kept.lock().await = Some((to.to_owned(), sender));
        }
        Ok(answered(body))
    }

    async fn connect(&self, uri: &Uri) -> Result<SendRequest<Outgoing>, Failure> {
        let secure = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let (first, first_port) = self.proxy.as_ref().map_or((host, port), |proxy| (&proxy.host, proxy.port));
        let failed = |error: std::io::Error| Failure::Connect(format!("{first}:{first_port}: {error}"));
        let opened = timeout(self.open_timeout, TcpStream::connect((first, first_port))).await;
        let mut stream = opened.map_err(|_| Failure::Timeout(self.open_timeout))?.map_err(failed)?;
        let _ = stream.set_nodelay(true);
        if secure && let Some(proxy) = &self.proxy {
            let tunnel = timeout(self.open_timeout, tunnel(&mut stream, host, port, proxy)).await;
            tunnel.map_err(|_| Failure::Timeout(self.open_timeout))?.map_err(Failure::Connect)?;
        }
        let stream = match &self.connector {
            Some(connector) if secure => {
                let shaken = timeout(self.tls_timeout, connector.connect(stream, host)).await;
                shaken.map_err(|_| Failure::Timeout(self.tls_timeout))?.map_err(Failure::Connect)?
            }
            _ => Stream::Tcp(stream),
        };
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            // Its end is seen by who sends the next request.
            let _ = connection.await;
        });
        Ok(sender)
    }
}

/// Asks a proxy for a connection to a host.
async fn tunnel(stream: &mut TcpStream, host: &str, port: u16, proxy: &Proxy) -> Result<(), String> {
    let credentials = proxy.credentials.as_ref().map(|text| format!("Proxy-Authorization: {text}\r\n"));
    let asked = format!(
        "CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{}\r\n",
        credentials.unwrap_or_default()
    );
    let failed = |error: std::io::Error| format!("proxy {}: {error}", proxy.host);
    stream.write_all(asked.as_bytes()).await.map_err(failed)?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() > PROXY_MOST {
            return Err(format!("proxy {}: its answer has no end", proxy.host));
        }
        // Byte by byte: what comes behind is TLS.
        answer.push(stream.read_u8().await.map_err(failed)?);
    }
    let first = String::from_utf8_lossy(&answer);
    let first = first.lines().next().unwrap_or_default();
    if first.split(' ').nth(1) == Some("200") {
        Ok(())
    } else {
        Err(format!("proxy {}: {first}", proxy.host))
    }
}
