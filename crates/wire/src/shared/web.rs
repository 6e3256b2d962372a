//! HTTP/1.1 for inputs that have a listener of their own: whole requests in, answers out. Knows nothing of what is in
//! them.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use super::door::{Fault, Peer, STALLED, Shared};
use super::stream::Stream;

/// Most bytes of the head of a request.
const HEAD: usize = 64 << 10;

/// A request, whole.
pub struct Asked {
    /// As `POST`.
    pub method: Method,
    /// As it stands in the request, without the query.
    pub path: String,
    /// What follows the question mark; empty where nothing does.
    pub query: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, still compressed.
    pub body: Bytes,
    /// Who sent it.
    pub peer: Arc<Peer>,
}

impl Asked {
    /// The text of a header; empty where there is none, or one that is no text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// `Content-Type` without parameters, in lower case.
    pub fn content_type(&self) -> String {
        self.header("content-type").split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

/// An answer.
#[derive(Debug, Default)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, beside those of the connection.
    pub headers: Vec<(HeaderName, String)>,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// Of that status, with a text.
    pub fn text(status: StatusCode, text: impl Into<String>) -> Self {
        let headers = vec![(hyper::header::CONTENT_TYPE, "text/plain".to_owned())];
        Answer { status, headers, body: text.into().into() }
    }

    /// The same with one more header.
    pub fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

/// Answers requests.
pub type Service = Arc<dyn Fn(Asked) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// Bounds of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Longest body, bytes.
    pub body: usize,
    /// How long a connection may be silent between requests, or take for the head of one.
    pub keep_alive: Duration,
}

/// Serves a connection until its end, after the bytes `first` that were read of it already.
///
/// # Errors
/// [`Fault`] for what is no HTTP, or cut off.
pub(crate) async fn serve(
    stream: Stream,
    first: BytesMut,
    peer: Arc<Peer>,
    bounds: Bounds,
    service: Service,
    shared: Arc<Shared>,
) -> Result<(), Fault> {
    let answer = |request: Request<Incoming>| {
        let (service, shared, peer) = (service.clone(), shared.clone(), peer.clone());
        async move {
            let answer = match whole(request, peer, bounds, &shared).await {
                Ok((asked, charge)) => {
                    let answer = service(asked).await;
                    drop(charge);
                    answer
                }
                Err(answer) => answer,
            };
            Ok::<_, Infallible>(answer.response())
        }
    };
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.keep_alive)
        .max_buf_size(HEAD)
        .half_close(true);
    let io = TokioIo::new(Rewound { first, stream });
    let mut connection = pin!(server.serve_connection(io, service_fn(answer)));
    let mut stop = shared.stop.clone();
    let stopped = async {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = stopped => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    match ended {
        // A connection that nobody uses any more is no fault.
        Err(error) if error.is_timeout() || error.is_incomplete_message() => Ok(()),
        Err(error) if error.is_parse() => Err(Fault::new("http", error)),
        Err(error) => Err(Fault::new("connection", error)),
        Ok(()) => Ok(()),
    }
}

/// The request with its body, and the memory that it takes; an answer where the body cannot be taken.
async fn whole(
    request: Request<Incoming>,
    peer: Arc<Peer>,
    bounds: Bounds,
    shared: &Shared,
) -> Result<(Asked, super::budget::Charge), Answer> {
    let (head, mut incoming) = request.into_parts();
    let large = || {
        shared
            .intake
            .count_error("too_large", &format!("{}: a body of more than {} bytes", peer.host, bounds.body));
        let words = format!("more than {} bytes at once", bounds.body);
        Answer::text(StatusCode::PAYLOAD_TOO_LARGE, words).with(hyper::header::CONNECTION, "close")
    };
    let claimed = head.headers.get(hyper::header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if claimed.and_then(|length| length.parse::<usize>().ok()).is_some_and(|length| length > bounds.body) {
        return Err(large());
    }
    let mut charge = shared.budget.charge();
    let mut body = BytesMut::new();
    loop {
        let data = match timeout(STALLED, incoming.frame()).await {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            Ok(Some(Err(_))) => {
                return Err(Answer::text(StatusCode::BAD_REQUEST, "the body is broken or cut off"));
            }
            Err(_) => {
                return Err(Answer::text(StatusCode::REQUEST_TIMEOUT, "silent in the middle of a body"));
            }
        };
        if body.len() + data.len() > bounds.body {
            return Err(large());
        }
        if charge.set(body.len() + data.len()).await.is_err() {
            return Err(later("too much at once"));
        }
        body.extend_from_slice(&data);
    }
    let asked = Asked {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: body.freeze(),
        peer,
    };
    Ok((asked, charge))
}

/// Not now: the same is to be sent again later.
pub fn later(words: impl Into<String>) -> Answer {
    Answer::text(StatusCode::SERVICE_UNAVAILABLE, words).with(hyper::header::RETRY_AFTER, "1")
}

/// A connection whose first bytes were read already.
struct Rewound {
    first: BytesMut,
    stream: Stream,
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let len = self.first.len().min(buffer.remaining());
        buffer.put_slice(&self.first[..len]);
        self.first.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
