//! The forward server: listens, answers UDP heartbeats on the same port, and serves each connection in a task of its own.

mod auth;
mod connection;
mod lanes;
mod prepare;

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use sawlog_pipeline::{ConfigError, Env, Input, Intake, Options, Running};
use sawlog_sys::net::{self, TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use self::auth::Security;
use self::lanes::Lanes;
use crate::shared::budget::Budget;
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
    credential: String,
    connections: usize,
    buffer: usize,
    security: Option<Security>,
}

impl Settings {
    fn read(options: &Options) -> Result<Self, ConfigError> {
        let some = |name: &str| Some(options.text(name).to_owned()).filter(|text| !text.is_empty());
        Ok(Settings {
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
    budget: Budget,
    stop: watch::Receiver<bool>,
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
        let listen = settings.listen;
        env.runtime.spawn(async move {
            let listener = net::listen(listen).await;
            let _ = hand.send(listener);
        });
        let listener = take
            .recv()
            .map_err(|_| "the runtime has ended".to_owned())?
            .map_err(|error| format!("{error}; another program has the port, or choose another `listen`"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let (stop, stopped) = watch::channel(false);
        let known = intake.known_sources();
        let shared = Arc::new(Shared {
            sources: Sources::new(known.clone(), "forward", env.sys.random.clone()),
            window: Window::new(&intake.known_keys()),
            lanes: Lanes::new(&known),
            budget: Budget::new(settings.buffer),
            stop: stopped,
            settings,
            tls,
            intake,
            env: env.clone(),
        });
        let (alive, ended) = mpsc::channel::<()>();
        env.runtime.spawn(heartbeats(address, shared.clone()));
        env.runtime.spawn(accept(listener, shared, alive));
        let join = move || {
            stop.send_replace(true);
            // Nobody sends: the channel closes when the last connection has ended.
            let _ = ended.recv_timeout(ENDING);
        };
        Ok(Running { address: Some(address), join: Box::new(join) })
    }
}

/// Serves connections until the stop; `alive` is dropped with the last of them.
async fn accept(listener: TcpListener, shared: Arc<Shared>, alive: mpsc::Sender<()>) {
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
                    let host = peer.ip().to_canonical().to_string();
                    // Acknowledgements are small and waited for.
                    let _ = stream.set_nodelay(true);
                    match secured(stream, &shared).await {
                        Ok(stream) => connection::serve(stream, host, shared).await,
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
async fn secured(stream: TcpStream, shared: &Shared) -> Result<Stream, String> {
    let Some(acceptor) = &shared.tls else { return Ok(Stream::Tcp(stream)) };
    let accepted = timeout(GREETING, tls::accept(acceptor, stream)).await;
    accepted.map_err(|_| "no TLS in time".to_owned())?
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
