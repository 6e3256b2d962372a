//! What inputs that listen have in common: taking ports and paths, serving connections until the node stops, knowing their
//! peers, delivering. Knows nothing of protocols: each connection is served by a function that is handed in, each message
//! read by a [`Reading`].

mod datagrams;
mod decoder;
mod fluent;
mod peers;
mod stream;
#[cfg(test)]
pub(crate) mod testing;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use sawlog_model::{Nanos, Right, Tenant};
use sawlog_pipeline::{ConfigError, DecodeError, Env, Intake, Opt, OptKind, Options, Running};
use sawlog_sys::net::{self, TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

pub use self::datagrams::Datagrams;
pub use self::decoder::RowsDecoder;
pub use self::fluent::{fluent_listen, fluent_peer, fluent_transport};
use self::peers::Names;
pub use self::peers::Peer;
pub(crate) use self::stream::{fill, pump};
use super::budget::Budget;
use super::cut::Piece;
use super::gather::Gather;
use super::sources::Sources;
use super::stream::Stream;
use super::tls;

/// How long connections may take to end once the node stops.
const ENDING: Duration = Duration::from_secs(10);

/// Longest silence within a message, and longest wait for a peer that does not read its answers.
pub const STALLED: Duration = Duration::from_secs(60);

/// A connection cannot go on: a fixed word for counters, and words.
#[derive(Debug)]
pub struct Fault(pub &'static str, pub String);

impl Fault {
    /// Of this reason.
    pub fn new(reason: &'static str, what: impl std::fmt::Display) -> Self {
        Fault(reason, what.to_string())
    }
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        Fault(error.reason, error.to_string())
    }
}

/// Serves a connection until its end.
pub(crate) type Serve =
    Arc<dyn Fn(Stream, Arc<Peer>) -> Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>> + Send + Sync>;

/// Reads the messages of one connection, or of all datagrams of a port.
pub trait Reading: Send {
    /// Adds the rows of a message, or of a part of one.
    ///
    /// # Errors
    /// [`DecodeError`]: a connection is closed; of datagrams only this one is left out.
    fn read(
        &mut self,
        piece: &Piece,
        peer: &Arc<Peer>,
        received: Nanos,
        gather: &mut Gather,
    ) -> Result<(), DecodeError>;
}

/// How long a peer may take for TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Options of all inputs that use this, but for the address.
pub const OPTIONS: &[Opt] = &[
    tls::CERT,
    tls::KEY,
    tls::CLIENT_CA,
    tls::MIN_VERSION,
    Opt {
        name: "credential",
        kind: OptKind::Text,
        default: "",
        help: "Token of the tenant that all senders act for.",
    },
    Opt { name: "connections", kind: OptKind::Number, default: "4096", help: "Most connections at a time." },
    Opt {
        name: "buffer",
        kind: OptKind::Bytes,
        default: "64MiB",
        help: "Memory for what is not on stable storage yet, of connections and of datagrams each.",
    },
    Opt {
        name: "receive_buffer_size",
        kind: OptKind::Bytes,
        default: "4MiB",
        help: "UDP: bytes that the kernel may keep; it takes at most what `net.core.rmem_max` allows.",
    },
    Opt {
        name: "source_address_key",
        kind: OptKind::Text,
        default: "",
        help: "Field that gets the sender's IP address.",
    },
    Opt {
        name: "source_hostname_key",
        kind: OptKind::Text,
        default: "",
        help: "Field that gets the sender's name, by `resolve_hostname`, else its address.",
    },
    Opt {
        name: "resolve_hostname",
        kind: OptKind::Bool,
        default: "false",
        help: "Ask for the names of senders; they become `_host`.",
    },
];

/// What [`OPTIONS`] say.
#[derive(Clone, Debug)]
pub struct Settings {
    credential: String,
    connections: usize,
    buffer: usize,
    receive_buffer: usize,
    address_key: Option<String>,
    hostname_key: Option<String>,
    resolve: bool,
    tls: Options,
}

impl Settings {
    /// Reads them.
    pub fn read(options: &Options) -> Self {
        let some = |name: &str| Some(options.text(name).to_owned()).filter(|text| !text.is_empty());
        Settings {
            credential: options.text("credential").to_owned(),
            connections: (options.number("connections") as usize).clamp(1, Semaphore::MAX_PERMITS),
            buffer: options.bytes("buffer"),
            receive_buffer: options.bytes("receive_buffer_size"),
            address_key: some("source_address_key"),
            hostname_key: some("source_hostname_key"),
            resolve: options.flag("resolve_hostname"),
            tls: options.clone(),
        }
    }
}

/// Which of these the option `transports` names; all where it names none.
///
/// # Errors
/// [`ConfigError`] for another one.
pub fn transports<const N: usize>(options: &Options, known: [&str; N]) -> Result<[bool; N], ConfigError> {
    let given = options.list("transports");
    if let Some(other) = given.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(ConfigError(format!("`transports`: there is no `{other}`, but {}", known.join(", "))));
    }
    Ok(known.map(|name| given.is_empty() || given.iter().any(|have| have == name)))
}

/// What all connections of an input share.
pub struct Shared {
    /// Where rows go.
    pub intake: Intake,
    /// The node.
    pub env: Env,
    /// Sources by name.
    pub sources: Sources,
    /// Whose rows.
    pub tenant: Tenant,
    /// Memory for what is not delivered.
    pub budget: Budget,
    /// Turns to true when the node stops.
    pub stop: watch::Receiver<bool>,
    settings: Settings,
    names: Names,
}

impl Shared {
    /// Makes rows durable; none is left then, also after an error.
    ///
    /// # Errors
    /// [`Fault`] where they could not be stored.
    pub async fn deliver(&self, gather: &mut Gather) -> Result<(), Fault> {
        self.deliver_by(&self.intake, gather).await
    }

    /// The same by an entrance of another kind.
    async fn deliver_by(&self, intake: &Intake, gather: &mut Gather) -> Result<(), Fault> {
        let batches = gather.take(self.tenant);
        intake.submit(batches).await.map_err(|error| Fault::new("delivery", error))
    }

    /// Counts why a connection ended.
    pub fn count(&self, peer: &Peer, Fault(reason, what): &Fault) {
        self.intake.count_error(reason, &format!("{}: {what}", peer.host));
    }
}

/// An input that listens, while it is made: ports and paths are added, then it runs.
pub struct Door {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    alive: mpsc::Sender<()>,
    ended: mpsc::Receiver<()>,
    address: Option<SocketAddr>,
}

impl Door {
    /// One whose sources are named `kind:…`.
    ///
    /// # Errors
    /// Where its credential is none.
    pub fn new(kind: &str, settings: Settings, intake: Intake, env: Env) -> Result<Self, String> {
        let admitted = env.access.admit(settings.credential.as_bytes(), Right::Ingest);
        let tenant = admitted.map_err(|_| "its `credential` may not send to any tenant".to_owned())?;
        let (stop, stopped) = watch::channel(false);
        let (alive, ended) = mpsc::channel();
        let shared = Shared {
            sources: Sources::new(intake.known_sources(), kind, env.sys.random.clone()).of(tenant),
            tenant,
            budget: Budget::new(settings.buffer),
            stop: stopped,
            settings,
            names: Names::default(),
            intake,
            env,
        };
        Ok(Door { shared: Arc::new(shared), stop, alive, ended, address: None })
    }

    /// What its connections share.
    pub fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// The first address that was taken.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Serves TCP connections, over TLS where a certificate is given.
    ///
    /// # Errors
    /// Where the address cannot be had, or a certificate cannot be used.
    pub(crate) fn tcp(&mut self, address: SocketAddr, serve: Serve) -> Result<SocketAddr, String> {
        let acceptor = tls::acceptor(&self.shared.settings.tls, &self.shared.env.sys)?;
        let listener = self.wait(net::listen(address))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        self.address.get_or_insert(address);
        match acceptor {
            None => self.accept(listener, serve),
            Some(acceptor) => self.accept(listener, over_tls(acceptor, serve)),
        }
        Ok(address)
    }

    /// Serves connections to a path.
    ///
    /// # Errors
    /// Where the path cannot be had.
    pub(crate) fn unix(&mut self, path: &Path, serve: Serve) -> Result<(), String> {
        let path = path.to_owned();
        let listener = self.wait(async move { net::listen_unix(&path).await })?;
        self.accept(listener, serve);
        Ok(())
    }

    /// Reads datagrams.
    ///
    /// # Errors
    /// Where the address cannot be had.
    pub fn udp(&mut self, address: SocketAddr, reading: Box<dyn Reading>) -> Result<SocketAddr, String> {
        let buffer = self.shared.settings.receive_buffer;
        let socket = self.wait(net::listen_udp(address, buffer))?;
        let address = socket.local_addr().map_err(|error| error.to_string())?;
        self.address.get_or_insert(address);
        let datagrams = Datagrams::new(socket, self.shared.clone());
        let alive = self.alive.clone();
        self.shared.env.runtime.spawn(async move {
            datagrams.run(reading).await;
            drop(alive);
        });
        Ok(address)
    }

    /// It runs.
    pub fn running(self) -> Running {
        let Door { stop, alive, ended, address, .. } = self;
        drop(alive);
        let join = move || {
            stop.send_replace(true);
            // Nobody sends: the channel closes when the last connection has ended.
            let _ = ended.recv_timeout(ENDING);
        };
        Running { address, join: Box::new(join) }
    }

    /// Waits for a listener. The runtime's own threads must not wait for it, so it is made in a task and handed over.
    fn wait<T: Send + 'static>(
        &self,
        made: impl Future<Output = std::io::Result<T>> + Send + 'static,
    ) -> Result<T, String> {
        let (hand, take) = mpsc::channel();
        self.shared.env.runtime.spawn(async move {
            let _ = hand.send(made.await);
        });
        let made = take.recv().map_err(|_| "the runtime has ended".to_owned())?;
        made.map_err(|error| format!("{error}; another program has it, or choose another address"))
    }

    fn accept<L: Listener>(&self, listener: L, serve: Serve) {
        let (shared, alive) = (self.shared.clone(), self.alive.clone());
        self.shared.env.runtime.spawn(accept(listener, shared, serve, alive));
    }
}

/// Serves connections after the handshake.
fn over_tls(acceptor: TlsAcceptor, serve: Serve) -> Serve {
    Arc::new(move |stream, peer| {
        let (acceptor, serve) = (acceptor.clone(), serve.clone());
        Box::pin(async move {
            let Stream::Tcp(stream) = stream else { return serve(stream, peer).await };
            let accepted = timeout(HANDSHAKE, tls::accept(&acceptor, stream)).await;
            let accepted = accepted.map_err(|_| Fault::new("tls", "no TLS handshake for a while"))?;
            let peer = Arc::new(Peer { over_tls: true, ..(*peer).clone() });
            serve(accepted.map_err(|error| Fault::new("tls", error))?, peer).await
        })
    })
}

/// What connections come from.
trait Listener: Send + Sync + 'static {
    /// The next one.
    fn next(&self) -> impl Future<Output = std::io::Result<(Stream, Option<IpAddr>)>> + Send;
}

impl Listener for TcpListener {
    async fn next(&self) -> std::io::Result<(Stream, Option<IpAddr>)> {
        let (stream, peer) = self.accept().await?;
        // Answers are small and waited for.
        let _ = stream.set_nodelay(true);
        Ok((Stream::Tcp(stream), Some(peer.ip().to_canonical())))
    }
}

impl Listener for UnixListener {
    async fn next(&self) -> std::io::Result<(Stream, Option<IpAddr>)> {
        let (stream, _) = self.accept().await?;
        Ok((Stream::Unix(stream), None))
    }
}

/// Serves connections until the stop; `alive` is dropped with the last of them.
async fn accept<L: Listener>(listener: L, shared: Arc<Shared>, serve: Serve, alive: mpsc::Sender<()>) {
    let mut stop = shared.stop.clone();
    let room = Arc::new(Semaphore::new(shared.settings.connections));
    loop {
        let next = async {
            let permit = room.clone().acquire_owned().await;
            (listener.next().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            next = next => next,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((stream, address)) => {
                let (shared, serve, alive) = (shared.clone(), serve.clone(), alive.clone());
                tokio::spawn(async move {
                    let _held = (permit, alive);
                    let peer = shared.peer(address).await;
                    if let Err(fault) = serve(stream, peer.clone()).await {
                        shared.count(&peer, &fault);
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

/// The bytes that `\n`, `\r`, `\t`, `\0` and `\\` stand for in a delimiter.
pub fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let put = match byte {
            b'\\' => match bytes.next() {
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'0') => 0,
                Some(other) => other,
                None => b'\\',
            },
            other => other,
        };
        out.push(put);
    }
    out
}
