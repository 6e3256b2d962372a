//! The forward server: listens, answers UDP heartbeats on the same port, and serves each connection in a task of its own.

mod auth;
mod connection;
mod lanes;
mod prepare;
mod recycle;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::BytesMut;
use sawlog_pipeline::{ConfigError, Env, Input, Intake, Options, Running, config};
use sawlog_sys::net::{self, TcpListener, TcpStream, UdpSocket, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use self::auth::Security;
use self::lanes::Lanes;
use self::recycle::Recycle;
use crate::shared::budget::Budget;
use crate::shared::lane::Receive;
use crate::shared::sources::Sources;
use crate::shared::stream::Stream;
use crate::shared::tls;
use crate::shared::window::Window;

/// Bytes of a UDP heartbeat that are read.
const HEARTBEAT: usize = 128;

/// How long a peer may take to agree on TLS.
const GREETING: Duration = Duration::from_secs(10);

/// How long connections may take to end once the node stops.
const ENDING: Duration = Duration::from_secs(10);

/// What the options say.
struct Settings {
    listen: SocketAddr,
    tag: Option<String>,
    prefix: Option<String>,
    dedupe: bool,
    address_field: Option<String>,
    host_field: Option<String>,
    resolves: bool,
    credential: String,
    connections: usize,
    backlog: u32,
    buffer: usize,
    security: Option<Security>,
    /// Longest message that is taken, and longest that is not told of; bytes.
    chunk_most: usize,
    chunk_warn: usize,
    /// What is no event is left out of its message; else the message is refused.
    skips_invalid: bool,
    linger: Option<Duration>,
    tcp_keepalive: bool,
    deny_keepalive: bool,
    /// Path of a Unix socket to listen on instead of a port.
    unix: Option<PathBuf>,
}

impl Settings {
    fn read(options: &Options) -> Result<Self, ConfigError> {
        let some = |name: &str| Some(options.text(name).to_owned()).filter(|text| !text.is_empty());
        let size = |name: &str| Some(options.bytes(name)).filter(|bytes| *bytes > 0).unwrap_or(usize::MAX);
        let (tcp_keepalive, deny_keepalive) =
            (options.flag("send_keepalive_packet"), options.flag("deny_keepalive"));
        if tcp_keepalive && deny_keepalive {
            let both = "`send_keepalive_packet` and `deny_keepalive` exclude each other";
            return Err(ConfigError(both.to_owned()));
        }
        let host_field = some("source_hostname_key");
        Ok(Settings {
            resolves: options.flag("resolve_hostname") || host_field.is_some(),
            host_field,
            backlog: u32::try_from(options.number("backlog").max(1)).unwrap_or(u32::MAX),
            chunk_most: size("chunk_size_limit"),
            chunk_warn: size("chunk_size_warn_limit"),
            skips_invalid: options.text("skip_invalid_event") != "false",
            linger: some("linger_timeout").map(|_| options.duration("linger_timeout")),
            tcp_keepalive,
            deny_keepalive,
            unix: some("unix").map(PathBuf::from),
            listen: options.listen("listen")?,
            tag: some("tag"),
            prefix: some("add_tag_prefix"),
            dedupe: options.flag("dedupe"),
            address_field: some("source_address_key"),
            credential: options.text("credential").to_owned(),
            connections: (options.number("connections") as usize).clamp(1, Semaphore::MAX_PERMITS),
            buffer: options.bytes("buffer"),
            security: Security::read(options)?,
        })
    }

    /// The tag as rows have it.
    fn retag(&self, tag: &mut String) {
        if let Some(fixed) = &self.tag {
            tag.clone_from(fixed);
        }
        if let Some(prefix) = &self.prefix {
            *tag = format!("{prefix}.{tag}");
        }
    }
}

/// What all connections share.
struct Shared {
    settings: Settings,
    tls: Option<TlsAcceptor>,
    intake: Intake,
    env: Env,
    sources: Sources,
    window: Window,
    lanes: Lanes,
    /// Memory of messages, and of the lines that were made of them.
    recycle: Recycle,
    lines: Recycle,
    budget: Budget,
    stop: watch::Receiver<bool>,
}

impl Shared {
    fn new(
        settings: Settings,
        tls: Option<TlsAcceptor>,
        intake: Intake,
        env: Env,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let known = intake.known_sources();
        Shared {
            sources: Sources::new(known.clone(), "forward", env.sys.random.clone()),
            window: Window::new(&intake.known_keys()),
            lanes: Lanes::new(&known),
            recycle: Recycle::default(),
            lines: Recycle::default(),
            budget: Budget::new(settings.buffer),
            stop,
            settings,
            tls,
            intake,
            env,
        }
    }
}

/// Serves connections that come by another port, from senders who act for the tenant of `credential`.
///
/// # Errors
/// In words, where there is no such receiver.
pub(super) fn receiver(
    credential: &str,
    intake: Intake,
    env: Env,
    stop: watch::Receiver<bool>,
) -> Result<Receive, String> {
    let options = config::options(&super::PROTOCOL, &[("credential", vec![credential.to_owned()])])?;
    let settings = Settings::read(&options).map_err(|error| error.to_string())?;
    let shared = Arc::new(Shared::new(settings, None, intake, env, stop));
    Ok(Arc::new(move |stream, first, host| {
        Box::pin(connection::serve(stream, first, host, None, shared.clone()))
    }))
}

/// The input.
struct ForwardInput {
    settings: Settings,
    /// Names the files of TLS, which are read at the start.
    options: Options,
}

/// Makes an input from its options.
///
/// # Errors
/// [`ConfigError`] where they cannot be.
pub(super) fn make(options: &Options) -> Result<Box<dyn Input>, ConfigError> {
    Ok(Box::new(ForwardInput { settings: Settings::read(options)?, options: options.clone() }))
}

impl Input for ForwardInput {
    fn start(self: Box<Self>, intake: Intake, env: Env) -> Result<Running, String> {
        let settings = self.settings;
        let tls = tls::acceptor(&self.options, &env.sys)?;
        // The runtime's own threads must not wait for it, so the listener is made in a task and handed over.
        let (hand, take) = mpsc::channel();
        let (at, unix, backlog) = (settings.listen, settings.unix.clone(), settings.backlog);
        env.runtime.spawn(async move {
            let _ = hand.send(Listener::open(at, unix, backlog).await);
        });
        let listener = take.recv().map_err(|_| "the runtime has ended".to_owned())?.map_err(|error| {
            format!("{error}; another program has it, or choose another `listen` or `unix`")
        })?;
        let address = listener.address();
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared::new(settings, tls, intake, env.clone(), stopped));
        let (alive, ended) = mpsc::channel::<()>();
        if let Some(address) = address {
            env.runtime.spawn(heartbeats(address, shared.clone()));
        }
        env.runtime.spawn(accept(listener, shared, alive));
        let join = move || {
            stop.send_replace(true);
            // Nobody sends: the channel closes when the last connection has ended.
            let _ = ended.recv_timeout(ENDING);
        };
        Ok(Running { address, join: Box::new(join) })
    }
}

/// Where connections come in.
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    async fn open(address: SocketAddr, unix: Option<PathBuf>, backlog: u32) -> std::io::Result<Listener> {
        match unix {
            Some(path) => net::listen_unix(&path).await.map(Listener::Unix),
            None => net::listen_with_backlog(address, backlog).map(Listener::Tcp),
        }
    }

    fn address(&self) -> Option<SocketAddr> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix(_) => None,
        }
    }

    /// The next connection, and its address where it has one.
    async fn accept(&self) -> std::io::Result<(Stream, Option<IpAddr>)> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Stream::Tcp(stream), Some(peer.ip().to_canonical())))
            }
            Listener::Unix(listener) => Ok((Stream::Unix(listener.accept().await?.0), None)),
        }
    }
}

/// Serves connections until the stop; `alive` is dropped with the last of them.
async fn accept(listener: Listener, shared: Arc<Shared>, alive: mpsc::Sender<()>) {
    let mut stop = shared.stop.clone();
    let room = Arc::new(Semaphore::new(shared.settings.connections));
    loop {
        let accepted = async {
            let permit = room.clone().acquire_owned().await;
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            accepted = accepted => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (shared, alive) = (shared.clone(), alive.clone());
                tokio::spawn(async move {
                    let _held = (permit, alive);
                    let host = peer.map_or("unix".to_owned(), |peer| peer.to_string());
                    match secured(stream, &shared).await {
                        Ok(stream) => connection::serve(stream, BytesMut::new(), host, peer, shared).await,
                        Err(error) => shared.intake.count_error("tls", &format!("{host}: {error}")),
                    }
                });
            }
            Err(error) => {
                // Out of file descriptors, mostly: connections that are open go on, and free some.
                shared.intake.count_error("accept", &error.to_string());
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// The connection as it is to be spoken over.
async fn secured(stream: Stream, shared: &Shared) -> Result<Stream, String> {
    let Stream::Tcp(stream) = stream else { return Ok(stream) };
    prepare_socket(&stream, &shared.settings).map_err(|error| error.to_string())?;
    let Some(acceptor) = &shared.tls else { return Ok(Stream::Tcp(stream)) };
    let accepted = timeout(GREETING, tls::accept(acceptor, stream)).await;
    accepted.map_err(|_| "no TLS in time".to_owned())?
}

fn prepare_socket(stream: &TcpStream, settings: &Settings) -> std::io::Result<()> {
    // Acknowledgements are small and waited for.
    stream.set_nodelay(true)?;
    if let Some(time) = settings.linger {
        net::set_linger(stream, time)?;
    }
    if settings.tcp_keepalive {
        net::set_keepalive(stream)?;
    }
    Ok(())
}

/// Answers every datagram with one byte 0, as fluentd's `heartbeat_type udp` wants it.
async fn heartbeats(address: SocketAddr, shared: Arc<Shared>) {
    let mut stop = shared.stop.clone();
    let socket = match UdpSocket::bind(address).await {
        Ok(socket) => socket,
        Err(error) => {
            return shared.intake.count_error("heartbeat", &format!("no UDP on {address}: {error}"));
        }
    };
    let mut datagram = [0; HEARTBEAT];
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut datagram) => received,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        if let Ok((_, peer)) = received {
            let _ = socket.send_to(&[0], peer).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use sawlog_pipeline::config;

    use super::*;

    #[tokio::test]
    async fn sockets_are_as_the_options_say() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let address = listener.local_addr().expect("an address");
        for (given, linger, keepalive) in [
            (vec![], None, false),
            (vec![("linger_timeout", vec!["3s".to_owned()])], Some(Duration::from_secs(3)), false),
            (vec![("linger_timeout", vec!["0s".to_owned()])], Some(Duration::ZERO), false),
            (vec![("send_keepalive_packet", vec!["true".to_owned()])], None, true),
        ] {
            let options = config::options(&crate::forward::PROTOCOL, &given).expect("options");
            let settings = Settings::read(&options).expect("settings");
            let stream = TcpStream::connect(address).await.expect("it listens");
            prepare_socket(&stream, &settings).expect("prepared");
            assert_eq!(net::linger(&stream).expect("told"), linger, "{given:?}");
            assert_eq!(net::keepalive(&stream).expect("told"), keepalive, "{given:?}");
            assert!(stream.nodelay().expect("told"));
        }
    }
}
