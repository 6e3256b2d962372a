//! The client's side of one server's connection: sends what is queued for it without waiting for answers, takes the answers,
//! and says whether the server can be used. Knows nothing of rows.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use sawlog_model::{Limits, Value};
use sawlog_sys::Sys;
use sawlog_sys::net::{TcpStream, lookup_host};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::encode::Parts;
use super::heartbeat::Heartbeat;
use super::queue::{Next, Queue};
use super::servers::Server;
use crate::forward::handshake::{Ping, bytes_of, key_digest, password_digest, same, text};
use crate::forward::message::{self, Message};
use crate::shared::lane::{Opened, Way, Write};
use crate::shared::msgpack::{self, Scanner};
use crate::shared::stream::{Reader, Stream, Writer};
use crate::shared::tls;

/// How long each step of the handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Shortest and longest wait before the next try: a node whose receiver is away for hours is not to be woken for that.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));
/// Longest answer of a server, bytes.
const ANSWER_MOST: usize = 64 << 10;

/// How all servers of an output are spoken to.
pub(super) struct Manner {
    /// Another protocol's way to greet them.
    pub way: Option<Arc<dyn Way>>,
    pub wants_ack: bool,
    /// Longest time without an answer while one is due.
    pub ack_timeout: Duration,
    pub send_timeout: Duration,
    pub connect_timeout: Duration,
    pub hostname: String,
    pub tls: Option<tls::Connector>,
    /// How long a connection without work is kept; for ever where there is none.
    pub idle: Option<Duration>,
    /// Connects to the addresses of a name in turn.
    pub rotates: bool,
    pub heartbeat: Heartbeat,
    /// How long a server is to be away before others get its messages; `None`: they wait for it.
    pub away: Option<Duration>,
    /// How long one that is back is not used, while others are.
    pub recover_wait: Duration,
}

/// One server and its number in the queue.
pub(super) struct Target {
    pub number: usize,
    pub server: Server,
    pub manner: Arc<Manner>,
    pub queue: Arc<Queue>,
    pub sys: Sys,
    /// How often it was connected to.
    tries: AtomicUsize,
}

/// A connection after the handshake.
pub(super) struct Open {
    stream: Stream,
    /// The server does not want a connection for each message.
    keeps: bool,
    /// Writes rows for a server that knows no lanes.
    plain: Option<Write>,
}

/// How a connection ended.
enum End {
    /// The output is gone.
    Closed,
    /// Nothing was under way.
    Idle,
    /// In words.
    Failed(String),
}

impl Target {
    pub(super) fn new(
        number: usize,
        server: Server,
        manner: Arc<Manner>,
        queue: Arc<Queue>,
        sys: Sys,
    ) -> Target {
        Target { number, server, manner, queue, sys, tries: AtomicUsize::new(0) }
    }

    /// Connects whenever there is something to send, until the output is gone.
    pub(super) async fn run(self) {
        let probe = matches!(self.manner.heartbeat, Heartbeat::Transport);
        let mut wait = RETRY.0;
        let mut failing_since = None;
        while self.queue.wait_for_work(self.number, probe).await {
            let mut progress = false;
            let error = match self.exchange(&mut progress).await {
                End::Closed => return,
                End::Idle => {
                    (wait, failing_since) = (RETRY.0, None);
                    self.queue.lost(self.number, None, self.sys.clock.monotonic());
                    continue;
                }
                End::Failed(error) => error,
            };
            let error = format!("{}: {error}", self.server.address);
            self.queue.lost(self.number, Some(error), self.sys.clock.monotonic());
            if progress {
                (wait, failing_since) = (RETRY.0, None);
            } else {
                wait = (wait * 2).min(RETRY.1);
            }
            let now = self.sys.clock.monotonic();
            let since = *failing_since.get_or_insert(now);
            let pause = self.give_up(now.saturating_sub(since), jittered(wait, &self.sys));
            tokio::select! {
                () = sleep(pause) => {}
                () = self.queue.wait_for_close() => return,
            }
            self.trust_again();
        }
    }

    /// Lets others take over where the server has been failing for long enough; how long to wait before the next try.
    fn give_up(&self, failing: Duration, wait: Duration) -> Duration {
        let Some(away) = self.manner.away else { return wait };
        if failing < away {
            return wait.min(away - failing);
        }
        self.queue.set_available(self.number, false);
        if matches!(self.manner.heartbeat, Heartbeat::None) {
            self.manner.recover_wait.max(wait)
        } else {
            wait
        }
    }

    /// Without heartbeats only the next message can tell whether the server is back.
    fn trust_again(&self) {
        if matches!(self.manner.heartbeat, Heartbeat::None) && !self.queue.is_available(self.number) {
            self.queue.set_available(self.number, true);
        }
    }

    /// One connection; sets `progress` where anything was acknowledged.
    async fn exchange(&self, progress: &mut bool) -> End {
        let Open { stream, keeps, plain } = match self.open().await {
            Ok(opened) => opened,
            Err(error) => return End::Failed(error),
        };
        let (mut read, mut write) = stream.split();
        let ended = match plain {
            None => tokio::select! {
                ended = self.send(&mut write, keeps, None) => ended,
                ended = self.receive(&mut read, progress) => ended,
            },
            Some(plain) => {
                // Whatever it says: there are no answers, so that what was written has to do for progress.
                *progress = true;
                tokio::select! {
                    ended = self.send(&mut write, keeps, Some(plain)) => ended,
                    ended = self.wait_for_end(&mut read) => ended,
                }
            }
        };
        let _ = timeout(PATIENCE, write.shutdown()).await;
        ended
    }

    /// Reads, and leaves, what a server says that acknowledges nothing, until it closes the connection.
    async fn wait_for_end(&self, read: &mut Reader) -> End {
        let mut piece = [0; 1 << 10];
        loop {
            match read.read(&mut piece).await {
                Ok(0) => return End::Failed("closed by the other side".to_owned()),
                Ok(_) => {}
                Err(error) => return End::Failed(error.to_string()),
            }
        }
    }

    /// Connects and shakes hands.
    pub(super) async fn open(&self) -> Result<Open, String> {
        let stream = self.connect().await?;
        // What is sent is whole messages already.
        let _ = stream.set_nodelay(true);
        let mut stream = match &self.manner.tls {
            None => Stream::Tcp(stream),
            Some(tls) => {
                let secured = timeout(PATIENCE, tls.connect(stream, &self.server.name)).await;
                secured.map_err(|_| "no TLS in time; does the other side speak it?")??
            }
        };
        if let Some(way) = &self.manner.way {
            let opened = timeout(PATIENCE, way.open(stream)).await.map_err(|_| "no handshake in time")??;
            return Ok(match opened {
                Opened::Lane(stream) => Open { stream, keeps: true, plain: None },
                Opened::Plain(stream, plain) => Open { stream, keeps: true, plain: Some(plain) },
            });
        }
        let mut keeps = true;
        if !self.server.shared_key.is_empty() {
            let greeted = timeout(PATIENCE, self.greet(&mut stream)).await;
            keeps = greeted.map_err(|_| "no handshake in time; does the other side have a shared key?")??;
        }
        Ok(Open { stream, keeps, plain: None })
    }

    async fn connect(&self) -> Result<TcpStream, String> {
        let mut addresses: Vec<SocketAddr> = match self.server.address.parse() {
            Ok(address) => vec![address],
            Err(_) => lookup_host(&self.server.address).await.map_err(|error| error.to_string())?.collect(),
        };
        let tries = self.tries.fetch_add(1, Ordering::Relaxed);
        if self.manner.rotates {
            rotate(&mut addresses, tries);
        }
        let mut last = "the name has no address".to_owned();
        for address in addresses {
            match timeout(self.manner.connect_timeout, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error.to_string(),
                Err(_) => "no connection in time".clone_into(&mut last),
            }
        }
        Err(last)
    }

    async fn send(&self, write: &mut Writer, keeps: bool, plain: Option<Write>) -> End {
        if let Some(end) = self.recover().await {
            return end;
        }
        loop {
            let mut records = 0;
            let [head, body, options] = match self.queue.next(self.number, self.manner.idle).await {
                Next::Send(parts) => match &plain {
                    None => parts,
                    Some(plain) => match rewritten(&parts, plain) {
                        Ok((bytes, count)) => {
                            records = count;
                            [bytes, Bytes::new(), Bytes::new()]
                        }
                        Err(error) => return End::Failed(error),
                    },
                },
                Next::Idle => return End::Idle,
                Next::Closed => return End::Closed,
            };
            let written = async {
                write.write_all_buf(&mut head.chain(body).chain(options)).await?;
                write.flush().await
            };
            match timeout(self.manner.send_timeout, written).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return End::Failed(error.to_string()),
                Err(_) => return End::Failed("the other side does not read".to_owned()),
            }
            if !self.manner.wants_ack || plain.is_some() {
                self.queue.count_best_effort(records);
                self.queue.acknowledge_sent(self.number);
            }
            if !keeps {
                self.queue.wait_for_answers(self.number).await;
                return End::Idle;
            }
        }
    }

    /// A server that was away is used again, after a while where others do its work.
    async fn recover(&self) -> Option<End> {
        if self.queue.is_available(self.number) {
            return None;
        }
        if matches!(self.manner.heartbeat, Heartbeat::Transport) {
            if self.queue.has_other(self.number) {
                sleep(self.manner.recover_wait).await;
            }
            self.queue.set_available(self.number, true);
        }
        None
    }

    async fn receive(&self, read: &mut Reader, progress: &mut bool) -> End {
        let mut answers = Answers::default();
        loop {
            let answer = match timeout(self.manner.ack_timeout, answers.next(read)).await {
                Ok(Ok(Some(answer))) => answer,
                Ok(Ok(None)) if self.queue.is_idle(self.number) => return End::Idle,
                Ok(Ok(None)) => return End::Failed("closed by the other side".to_owned()),
                Ok(Err(error)) => return End::Failed(error),
                Err(_) if self.manner.wants_ack && self.queue.unacknowledged(self.number) > 0 => {
                    return End::Failed("no acknowledgement in time".to_owned());
                }
                Err(_) => continue,
            };
            if !self.manner.wants_ack {
                continue;
            }
            let Some(chunk) = answer.get("ack").and_then(Value::as_str) else {
                let greeting = matches!(&answer, Value::List(parts) if parts.first() == Some(&text("HELO")));
                let what = if greeting {
                    "it wants a handshake: set `shared_key`"
                } else {
                    "not an acknowledgement"
                };
                return End::Failed(what.to_owned());
            };
            if !self.queue.acknowledge(self.number, chunk) {
                return End::Failed("an acknowledgement that is not due".to_owned());
            }
            *progress = true;
        }
    }

    /// The client's side of the handshake; whether the connection may be kept.
    async fn greet(&self, stream: &mut Stream) -> Result<bool, String> {
        let mut answers = Answers::default();
        let no_helo = "no HELO; has the other side no shared key?";
        let Some(Value::List(helo)) = answers.next(stream).await? else { return Err(no_helo.to_owned()) };
        let [kind, facts] = helo.as_slice() else { return Err(no_helo.to_owned()) };
        let bytes = |key: &str| facts.get(key).and_then(bytes_of).unwrap_or_default();
        if kind.as_str() != Some("HELO") {
            return Err(no_helo.to_owned());
        }
        let (own, server) = (&self.manner.hostname, &self.server);
        let (nonce, auth) = (bytes("nonce"), bytes("auth"));
        let salt = format!("{:032x}", self.sys.random.id());
        let proof = key_digest(salt.as_bytes(), own, nonce, &server.shared_key);
        let (user, word) = if auth.is_empty() {
            (String::new(), String::new())
        } else {
            (server.user.clone(), password_digest(auth, &server.user, &server.password))
        };
        let ping = Ping {
            hostname: own.clone(),
            salt: salt.clone().into_bytes(),
            key_digest: proof,
            user,
            password_digest: word,
        };
        stream.write_all(&ping.message()).await.map_err(|error| error.to_string())?;
        stream.flush().await.map_err(|error| error.to_string())?;

        let Some(Value::List(pong)) = answers.next(stream).await? else { return Err("no PONG".to_owned()) };
        let [kind, admitted, reason, hostname, proof] = pong.as_slice() else {
            return Err("no PONG".to_owned());
        };
        if kind.as_str() != Some("PONG") {
            return Err("no PONG".to_owned());
        }
        if *admitted != Value::Bool(true) {
            return Err(format!("refused: {}", reason.as_str().unwrap_or_default()));
        }
        let hostname = hostname.as_str().unwrap_or_default();
        if hostname == own {
            return Err("the other side has this node's own name: set another `self_hostname`".to_owned());
        }
        let wanted = key_digest(salt.as_bytes(), hostname, nonce, &server.shared_key);
        if !same(proof.as_str().unwrap_or_default(), &wanted) {
            return Err("the other side does not know the shared key".to_owned());
        }
        Ok(facts.get("keepalive") != Some(&Value::Bool(false)))
    }
}

/// The rows of a lane's message, written in another way.
///
/// # Errors
/// In words, where it is none; it is one that this output made.
fn rewritten(parts: &Parts, plain: &Write) -> Result<(Bytes, usize), String> {
    const WHOLE: usize = usize::MAX / 4;
    let bytes = parts.concat().into();
    let limits = Limits { depth: WHOLE, event: WHOLE, message: WHOLE, ..Limits::default() };
    let Message::Events(events) = message::read(&bytes, &limits).map_err(|error| error.to_string())? else {
        return Err("a message without rows".to_owned());
    };
    let batch = sawlog_model::frame::decode(events.body().clone(), &limits);
    let batch = batch.map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    plain(&batch, &mut out);
    Ok((out.into(), batch.rows.len()))
}

/// Between three quarters of the time and all of it, so that many senders do not come back at the same moment.
fn jittered(wait: Duration, sys: &Sys) -> Duration {
    let mut random = [0];
    sys.random.fill(&mut random);
    wait.mul_f64(1.0 - f64::from(random[0]) / 1024.0)
}

/// Another one first at each try.
fn rotate(addresses: &mut [SocketAddr], tries: usize) {
    addresses.sort_unstable();
    let count = addresses.len().max(1);
    addresses.rotate_left(tries % count);
}

/// msgpack values as they come.
#[derive(Default)]
struct Answers {
    buffer: BytesMut,
    scanner: Scanner,
}

impl Answers {
    /// The next value; `None` at the end. May be dropped while it waits: what was read is kept.
    async fn next<R: AsyncRead + Unpin>(&mut self, read: &mut R) -> Result<Option<Value>, String> {
        let limits = Limits { event: ANSWER_MOST, depth: 10, ..Limits::default() };
        loop {
            let end = self.scanner.next_end(&self.buffer, limits.depth, ANSWER_MOST);
            if let Some(end) = end.map_err(|error| error.to_string())? {
                let bytes = self.buffer.split_to(end);
                let value = msgpack::value(&bytes, &limits).map_err(|error| error.to_string())?;
                return Ok(Some(value.0));
            }
            if read.read_buf(&mut self.buffer).await.map_err(|error| error.to_string())? == 0 {
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_of_a_name_has_its_turn() {
        let all: Vec<SocketAddr> = ["10.0.0.2:1", "10.0.0.1:1", "10.0.0.3:1"]
            .iter()
            .map(|address| address.parse().expect("an address"))
            .collect();
        let firsts: Vec<u8> = (0..4)
            .map(|tries| {
                let mut addresses = all.clone();
                rotate(&mut addresses, tries);
                match addresses[0] {
                    SocketAddr::V4(address) => address.ip().octets()[3],
                    SocketAddr::V6(_) => 0,
                }
            })
            .collect();
        assert_eq!(firsts, [1, 2, 3, 1]);
        rotate(&mut [], 3);
    }
}
