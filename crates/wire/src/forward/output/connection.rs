//! The client's side of a connection: sends what is queued without waiting for answers, and takes the answers. Knows nothing
//! of rows.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use sawlog_model::{Limits, Value};
use sawlog_sys::Sys;
use sawlog_sys::net::TcpStream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::queue::Queue;
use crate::forward::handshake::{bytes_of, key_digest, message, password_digest, same, text};
use crate::shared::msgpack::{self, Scanner};
use crate::shared::stream::{Reader, Stream, Writer};
use crate::shared::tls;

/// How long connecting, and each step of the handshake, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Shortest and longest wait before the next try: a node whose receiver is away for hours is not to be woken for that.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));
/// Longest answer of a server, bytes.
const ANSWER_MOST: usize = 64 << 10;

/// Where and how to connect.
pub(super) struct Target {
    pub to: String,
    pub wants_ack: bool,
    /// Longest time without an answer while one is due.
    pub ack_timeout: Duration,
    pub hostname: String,
    pub shared_key: String,
    pub user: String,
    pub password: String,
    pub tls: Option<tls::Connector>,
}

/// Connects whenever there is something to send, until the output is gone.
pub(super) async fn run(target: Target, queue: Arc<Queue>, sys: Sys) {
    let mut wait = RETRY.0;
    while queue.wait_for_work().await {
        match exchange(&target, &queue, &sys).await {
            Ok(()) => return,
            Err((error, progress)) => {
                queue.lost(format!("{}: {error}", target.to));
                wait = if progress { RETRY.0 } else { (wait * 2).min(RETRY.1) };
            }
        }
        tokio::time::sleep(jittered(wait, &sys)).await;
    }
}

/// Between three quarters of the time and all of it, so that many senders do not come back at the same moment.
fn jittered(wait: Duration, sys: &Sys) -> Duration {
    let mut random = [0];
    sys.random.fill(&mut random);
    wait.mul_f64(1.0 - f64::from(random[0]) / 1024.0)
}

/// One connection. `Ok` when the output is gone; else the error, and whether anything was acknowledged.
async fn exchange(target: &Target, queue: &Queue, sys: &Sys) -> Result<(), (String, bool)> {
    let (read, write) = match open(target, sys).await {
        Ok(stream) => stream.split(),
        Err(error) => return Err((error, false)),
    };
    let mut progress = false;
    let ended = tokio::select! {
        ended = send(write, target, queue) => ended,
        ended = receive(read, target, queue, &mut progress) => ended,
    };
    ended.map_err(|error| (error, progress))
}

async fn open(target: &Target, sys: &Sys) -> Result<Stream, String> {
    let connected = timeout(PATIENCE, TcpStream::connect(target.to.as_str())).await;
    let stream = connected.map_err(|_| "no connection in time")?.map_err(|error| error.to_string())?;
    // What is sent is whole messages already.
    let _ = stream.set_nodelay(true);
    let mut stream = match &target.tls {
        None => Stream::Tcp(stream),
        Some(tls) => {
            let host = target.to.rsplit_once(':').map_or(target.to.as_str(), |(host, _)| host);
            let secured = timeout(PATIENCE, tls.connect(stream, host.trim_matches(['[', ']']))).await;
            secured.map_err(|_| "no TLS in time; does the other side speak it?")??
        }
    };
    if !target.shared_key.is_empty() {
        let greeted = timeout(PATIENCE, greet(&mut stream, target, sys)).await;
        greeted.map_err(|_| "no handshake in time; does the other side have a shared key?")??;
    }
    Ok(stream)
}

async fn send(mut write: Writer, target: &Target, queue: &Queue) -> Result<(), String> {
    while let Some(bytes) = queue.next().await {
        let written = async {
            write.write_all(&bytes).await?;
            write.flush().await
        };
        let written = timeout(target.ack_timeout, written).await;
        written.map_err(|_| "the other side does not read")?.map_err(|error| error.to_string())?;
        if !target.wants_ack {
            queue.acknowledge_sent();
        }
    }
    Ok(())
}

async fn receive(
    mut read: Reader,
    target: &Target,
    queue: &Queue,
    progress: &mut bool,
) -> Result<(), String> {
    let mut answers = Answers::default();
    loop {
        let answer = match timeout(target.ack_timeout, answers.next(&mut read)).await {
            Ok(answer) => answer?,
            Err(_) if target.wants_ack && queue.unacknowledged() > 0 => {
                return Err("no acknowledgement in time".to_owned());
            }
            Err(_) => continue,
        };
        if !target.wants_ack {
            continue;
        }
        let Some(chunk) = answer.get("ack").and_then(Value::as_str) else {
            let greeting = matches!(&answer, Value::List(parts) if parts.first() == Some(&text("HELO")));
            let what =
                if greeting { "it wants a handshake: set `shared_key`" } else { "not an acknowledgement" };
            return Err(what.to_owned());
        };
        if !queue.acknowledge(chunk) {
            return Err("an acknowledgement that is not due".to_owned());
        }
        *progress = true;
    }
}

/// msgpack values as they come.
#[derive(Default)]
struct Answers {
    buffer: BytesMut,
    scanner: Scanner,
}

impl Answers {
    /// The next value. May be dropped while it waits: what was read is kept.
    async fn next<R: AsyncRead + Unpin>(&mut self, read: &mut R) -> Result<Value, String> {
        let limits = Limits { event: ANSWER_MOST, depth: 10, ..Limits::default() };
        loop {
            let end = self.scanner.next_end(&self.buffer, limits.depth, ANSWER_MOST);
            if let Some(end) = end.map_err(|error| error.to_string())? {
                let bytes = self.buffer.split_to(end);
                return msgpack::value(&bytes, &limits)
                    .map(|(value, _)| value)
                    .map_err(|error| error.to_string());
            }
            if read.read_buf(&mut self.buffer).await.map_err(|error| error.to_string())? == 0 {
                return Err("closed by the other side".to_owned());
            }
        }
    }
}

/// The client's side of the handshake.
async fn greet(stream: &mut Stream, target: &Target, sys: &Sys) -> Result<(), String> {
    let mut answers = Answers::default();
    let Value::List(helo) = answers.next(stream).await? else { return Err("no HELO".to_owned()) };
    let [kind, facts] = helo.as_slice() else { return Err("no HELO".to_owned()) };
    let bytes = |key: &str| facts.get(key).and_then(bytes_of).unwrap_or_default();
    if kind.as_str() != Some("HELO") {
        return Err("no HELO".to_owned());
    }
    let (nonce, auth) = (bytes("nonce"), bytes("auth"));
    let salt = format!("{:032x}", sys.random.id());
    let proof = key_digest(salt.as_bytes(), &target.hostname, nonce, &target.shared_key);
    let (user, word) = if auth.is_empty() {
        (String::new(), String::new())
    } else {
        (target.user.clone(), password_digest(auth, &target.user, &target.password))
    };
    let ping = vec![text("PING"), text(&target.hostname), text(&salt), text(proof), text(user), text(word)];
    stream.write_all(&message(ping)).await.map_err(|error| error.to_string())?;
    stream.flush().await.map_err(|error| error.to_string())?;

    let Value::List(pong) = answers.next(stream).await? else { return Err("no PONG".to_owned()) };
    let [kind, admitted, reason, hostname, proof] = pong.as_slice() else { return Err("no PONG".to_owned()) };
    if kind.as_str() != Some("PONG") {
        return Err("no PONG".to_owned());
    }
    if *admitted != Value::Bool(true) {
        return Err(format!("refused: {}", reason.as_str().unwrap_or_default()));
    }
    let hostname = hostname.as_str().unwrap_or_default();
    if hostname == target.hostname {
        return Err("the other side has this node's own name: set another `self_hostname`".to_owned());
    }
    let wanted = key_digest(salt.as_bytes(), hostname, nonce, &target.shared_key);
    if !same(proof.as_str().unwrap_or_default(), &wanted) {
        return Err("the other side does not know the shared key".to_owned());
    }
    Ok(())
}
