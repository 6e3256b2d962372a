//! The server's side of the handshake. Knows nothing of messages with events.

use std::time::Duration;

use sawlog_model::{Limits, Value};
use sawlog_pipeline::{ConfigError, Options};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::Shared;
use super::connection::{Fault, fault};
use crate::forward::frame::Framer;
use crate::forward::handshake::{Ping, key_digest, message, password_digest, same, text};
use crate::shared::msgpack;

/// How long a peer may take for the handshake.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest PING, bytes.
const PING_MOST: usize = 8 << 10;

/// Who may connect.
pub(super) struct Security {
    hostname: String,
    shared_key: String,
    users: Vec<(String, String)>,
}

impl Security {
    /// What the options ask for; `None` where they ask for no handshake.
    ///
    /// # Errors
    /// [`ConfigError`] where a user has no password, or there are users but no key.
    pub(super) fn read(options: &Options) -> Result<Option<Security>, ConfigError> {
        let given = options.list("users").iter().filter(|user| !user.is_empty());
        let users: Option<Vec<_>> = given
            .map(|user| user.split_once(':').map(|(name, word)| (name.to_owned(), word.to_owned())))
            .collect();
        let users = users.ok_or_else(|| ConfigError("write each of `users` as name:password".to_owned()))?;
        let shared_key = options.text("shared_key").to_owned();
        if shared_key.is_empty() {
            let lone = "`users` need a `shared_key` too: the protocol has no other way".to_owned();
            return if users.is_empty() { Ok(None) } else { Err(ConfigError(lone)) };
        }
        let hostname =
            Some(options.text("self_hostname")).filter(|name| !name.is_empty()).unwrap_or("sawlog");
        Ok(Some(Security { hostname: hostname.to_owned(), shared_key, users }))
    }

    /// Why the PING is refused, in fluentd's words.
    fn refuses(&self, ping: &Ping, nonce: &[u8], auth: &[u8]) -> Option<&'static str> {
        let wanted = key_digest(&ping.salt, &ping.hostname, nonce, &self.shared_key);
        if !same(&ping.key_digest, &wanted) {
            return Some("shared_key mismatch");
        }
        let knows = |(name, word): &(String, String)| {
            *name == ping.user && same(&ping.password_digest, &password_digest(auth, name, word))
        };
        if !self.users.is_empty() && !self.users.iter().any(knows) {
            return Some("username/password mismatch");
        }
        None
    }
}

/// Lets a peer in, or says why not. What it sent after its PING is left in the framer.
///
/// # Errors
/// [`Fault`]: the connection is to be closed.
pub(super) async fn admit<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    framer: &mut Framer,
    security: &Security,
    shared: &Shared,
) -> Result<(), Fault> {
    let (mut nonce, mut auth) = ([0; 16], vec![0; 16]);
    shared.env.sys.random.fill(&mut nonce);
    shared.env.sys.random.fill(&mut auth);
    if security.users.is_empty() {
        auth.clear();
    }
    match timeout(PATIENCE, exchange(stream, framer, security, &nonce, &auth)).await {
        Ok(done) => done,
        Err(_) => Err(fault("handshake", "no PING in time")),
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    framer: &mut Framer,
    security: &Security,
    nonce: &[u8],
    auth: &[u8],
) -> Result<(), Fault> {
    let lost = |error: std::io::Error| fault("handshake", error);
    let salt = if auth.is_empty() { text("") } else { Value::Bin(auth.to_vec()) };
    let facts = vec![
        (text("nonce"), Value::Bin(nonce.to_vec())),
        (text("auth"), salt),
        (text("keepalive"), Value::Bool(true)),
    ];
    stream.write_all(&message(vec![text("HELO"), Value::Map(facts)])).await.map_err(lost)?;
    stream.flush().await.map_err(lost)?;

    let limits = Limits { message: PING_MOST, event: PING_MOST, ..Limits::default() };
    let mut first = Framer::new(limits);
    let bytes = loop {
        if let Some(bytes) = first.next_message()? {
            break bytes;
        }
        if stream.read_buf(first.buffer()).await.map_err(lost)? == 0 {
            return Err(fault("handshake", "closed before its PING"));
        }
    };
    framer.buffer().extend_from_slice(first.buffer());

    let ping = msgpack::value(&bytes, &limits).ok().and_then(|(value, _)| Ping::read(&value));
    let refused = match &ping {
        None => Some("invalid ping message"),
        Some(ping) => security.refuses(ping, nonce, auth),
    };
    let (proof, hostname) = match (&ping, refused) {
        (Some(ping), None) => {
            let name = security.hostname.as_str();
            (key_digest(&ping.salt, name, nonce, &security.shared_key), name)
        }
        _ => (String::new(), ""),
    };
    let reason = refused.unwrap_or_default();
    let pong = [text("PONG"), Value::Bool(refused.is_none()), text(reason), text(hostname), text(proof)];
    stream.write_all(&message(pong.to_vec())).await.map_err(lost)?;
    stream.flush().await.map_err(lost)?;
    refused.map_or(Ok(()), |reason| Err(fault("denied", reason)))
}
