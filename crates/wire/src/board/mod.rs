//! A small listener that shows what a node does: a page at any path (ik's scoreboard, as it should be), `/metrics` for
//! Prometheus, `/api/v1/status` as JSON. It changes nothing and shows no records. Knows nothing of what it shows but
//! [`NodeStatus`].

mod page;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use sawlog_model::{Metrics, NodeStatus, Value, value};
use sawlog_sys::net;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Connections at a time; more wait.
const CONNECTIONS: usize = 32;
/// How long a connection may be silent, and how long it may last.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(60));
/// Most bytes of the head of a request.
const HEAD: usize = 16 << 10;
/// How long to wait where the system has no descriptor for a connection.
const AGAIN: Duration = Duration::from_millis(100);

/// What is shown.
struct Board {
    status: Arc<dyn NodeStatus>,
    version: &'static str,
}

/// Starts to listen at `address` (`HOST:PORT`; port 0 takes a free one) for as long as the runtime lives; where it does. To be
/// called within a runtime.
///
/// # Errors
/// In words.
pub async fn start(
    address: &str,
    status: Arc<dyn NodeStatus>,
    version: &'static str,
) -> Result<SocketAddr, String> {
    let mut found = net::lookup_host(address).await.map_err(|error| format!("status {address}: {error}"))?;
    let found = found.next().ok_or_else(|| format!("status {address}: no such address"))?;
    let listener = net::listen(found).await.map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let board = Arc::new(Board { status, version });
    tokio::spawn(run(listener, board));
    Ok(address)
}

async fn run(listener: net::TcpListener, board: Arc<Board>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let board = board.clone();
                tokio::spawn(async move {
                    serve(stream, board).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}

async fn serve(stream: net::TcpStream, board: Arc<Board>) {
    let answer = |request: Request<hyper::body::Incoming>| {
        let answer = board.answer(request.uri().path());
        async { Ok::<_, Infallible>(answer) }
    };
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(PATIENCE.0).max_buf_size(HEAD);
    let connection = pin!(server.serve_connection(TokioIo::new(stream), service_fn(answer)));
    // What becomes of a connection is of no interest to the node.
    let _ = timeout(PATIENCE.1, connection).await;
}

impl Board {
    fn answer(&self, path: &str) -> Response<Full<Bytes>> {
        let parts = self.status.parts();
        let (kind, body) = match path {
            "/metrics" => {
                let mut metrics = Metrics::default();
                metrics.parts(&parts);
                metrics.family("sawlog_build_info", "gauge", "Always 1; its label is the version.");
                metrics.sample("", &[("version", self.version)], 1);
                ("text/plain; version=0.0.4; charset=utf-8", metrics.text.into_bytes())
            }
            "/api/v1/status" => ("application/json", json(&*self.status, self.version)),
            _ => ("text/html; charset=utf-8", page::page(&parts, self.version).into_bytes()),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
        headers.insert(CONTENT_SECURITY_POLICY, policy);
        response
    }
}

/// What a node does, as JSON.
pub fn json(status: &dyn NodeStatus, version: &str) -> Vec<u8> {
    let parts = status.parts().iter().map(sawlog_model::PartStatus::value).collect();
    let pairs = [("version", Value::Str(version.to_owned())), ("parts", Value::List(parts))];
    let pairs = pairs.map(|(name, value)| (Value::Str(name.to_owned()), value));
    let mut out = Vec::new();
    value::render(&Value::Map(pairs.into()), &mut out);
    out
}
