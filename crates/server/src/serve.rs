//! Connections: accepts a bounded number of them, gives each a bounded time for its headers, and lets them end when the
//! node stops. Knows nothing of routes.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use futures::future::BoxFuture;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use sawlog_sys::net::{TcpListener, TcpStream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::fair::{Seat, Seats};

/// Connections at once; more wait in the system's queue.
const CONNECTIONS: u32 = 1024;

/// How long a peer may take for the headers of a request.
const HEADERS: Duration = Duration::from_secs(30);

/// How long answers that are being sent may go on after the node was asked to stop. A live tail never ends by itself.
const GRACE: Duration = Duration::from_secs(2);

/// How long to wait where the system has no file descriptor for another connection.
const BREATH: Duration = Duration::from_millis(100);

/// A connection over TLS.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// What a listener speaks TLS with.
pub trait Secure: Send + Sync {
    /// Speaks TLS over a connection that was accepted; the error is in words.
    fn accept(&self, stream: TcpStream) -> BoxFuture<'static, Result<Box<dyn Duplex>, String>>;
}

/// Stands in the extensions of requests: from where they come.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Stands in the extensions of requests that came over TLS.
#[derive(Clone, Copy)]
pub(crate) struct OverTls;

/// Answers on `listener`, over TLS where `secure` is given, until `stop` resolves; then takes no more connections, and returns when the answers under way
/// are sent, or two seconds later.
///
/// # Errors
/// As the system says of the listener.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    secure: Option<Arc<dyn Secure>>,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let seats = Seats::new(CONNECTIONS as usize);
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let (stream, seat) = tokio::select! {
            () = &mut stop => break,
            next = next(&listener, &seats) => next?,
        };
        // Those that ended are let go here, so that the set does not grow.
        while connections.try_join_next().is_some() {}
        connections.spawn(welcome(stream, secure.clone(), router.clone(), stopped.clone(), seat));
    }
    drop(listener);
    // Nobody listens where there is no connection.
    let _ = stopping.send(true);
    let _ = tokio::time::timeout(GRACE, seats.empty(CONNECTIONS)).await;
    Ok(())
}

/// Waits for room, then for a connection.
async fn next(listener: &TcpListener, seats: &Arc<Seats>) -> io::Result<(TcpStream, Seat)> {
    let seat = seats.take().await.ok_or_else(|| io::Error::other("there are no connections"))?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Ok((stream, seat)),
            Err(error) if is_of_the_peer(&error) => {}
            // Out of file descriptors or memory: it passes when other connections end.
            Err(error) if matches!(error.raw_os_error(), Some(12 | 23 | 24 | 105)) => {
                tokio::time::sleep(BREATH).await
            }
            Err(error) => return Err(error),
        }
    }
}

fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Takes a connection to where its requests are answered, by TLS where that is spoken.
async fn welcome(
    stream: TcpStream,
    secure: Option<Arc<dyn Secure>>,
    router: Router,
    stopped: watch::Receiver<bool>,
    seat: Seat,
) {
    // Records of a live tail are small writes that should not wait for each other; without it they only come later.
    let _ = stream.set_nodelay(true);
    let Ok(peer) = stream.peer_addr() else { return };
    let (peer, over_tls) = (Peer(peer.ip()), secure.is_some());
    let service = Known { inner: TowerToHyperService::new(router), peer, over_tls, seat: Arc::new(seat) };
    let Some(secure) = secure else { return answer(stream, service, stopped).await };
    // A peer that speaks no TLS, or believes no certificate of ours, is told so by the protocol.
    if let Ok(Ok(stream)) = tokio::time::timeout(HEADERS, secure.accept(stream)).await {
        answer(stream, service, stopped).await;
    }
}

/// Answers requests, of which it says from where and how they come.
struct Known {
    inner: TowerToHyperService<Router>,
    peer: Peer,
    over_tls: bool,
    /// Ends with the connection.
    seat: Arc<Seat>,
}

impl Service<Request<Incoming>> for Known {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        request.extensions_mut().insert(self.seat.clone());
        if self.over_tls {
            request.extensions_mut().insert(OverTls);
        }
        self.inner.call(request)
    }
}

/// Answers the requests of one connection.
async fn answer(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin,
    service: Known,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS)
            .serve_connection(TokioIo::new(stream), service)
    );
    // What goes wrong with a connection is its peer's affair; requests are counted where they are answered.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
