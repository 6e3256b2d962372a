//! The server's side of the handshake. Knows nothing of messages with events.

use std::net::IpAddr;
use std::time::Duration;

use sawlog_model::{Limits, Value};
use sawlog_pipeline::{ConfigError, Options};
use sawlog_sys::net::lookup_host;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::Shared;
use super::connection::{Fault, fault};
use crate::forward::frame::Framer;
use crate::forward::handshake::{Ping, key_digest, message, password_digest, same, text};
use crate::forward::notation::Entry;
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
    clients: Vec<Client>,
    allow_anonymous: bool,
}

/// Whoever comes from some addresses.
struct Client {
    from: Addresses,
    /// Another key than that of all.
    shared_key: Option<String>,
    /// Of the users only these; all where there are none.
    users: Vec<String>,
}

enum Addresses {
    /// An address and how many of its first bits count.
    Network(IpAddr, u8),
    /// A name, asked for when somebody connects.
    Host(String),
}

impl Addresses {
    fn read(text: &str) -> Result<Addresses, ConfigError> {
        let Some((address, bits)) = text.split_once('/') else {
            return Ok(text.parse().map_or_else(|_| Addresses::Host(text.to_owned()), Addresses::one));
        };
        let wrong = || ConfigError(format!("`{text}` is no network; write it as 192.168.0.0/24"));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits = bits.parse().ok().filter(|bits| *bits <= width(address)).ok_or_else(wrong)?;
        Ok(Addresses::Network(address, bits))
    }

    fn one(address: IpAddr) -> Addresses {
        Addresses::Network(address, width(address))
    }

    async fn has(&self, peer: IpAddr) -> bool {
        match self {
            Addresses::Network(address, bits) => is_within(peer, *address, *bits),
            Addresses::Host(name) => match lookup_host((name.as_str(), 0)).await {
                Ok(mut addresses) => addresses.any(|address| address.ip().to_canonical() == peer),
                Err(_) => false,
            },
        }
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn is_within(peer: IpAddr, network: IpAddr, bits: u8) -> bool {
    let first = |value: u128, width: u8| value.checked_shr(u32::from(width - bits)).unwrap_or(0);
    match (peer, network) {
        (IpAddr::V4(peer), IpAddr::V4(network)) => {
            first(u32::from(peer).into(), 32) == first(u32::from(network).into(), 32)
        }
        (IpAddr::V6(peer), IpAddr::V6(network)) => {
            first(u128::from(peer), 128) == first(u128::from(network), 128)
        }
        _ => false,
    }
}

impl Security {
    /// What the options ask for; `None` where they ask for no handshake.
    ///
    /// # Errors
    /// [`ConfigError`] where a user has no password, a client no address, or there are users or clients but no key.
    pub(super) fn read(options: &Options) -> Result<Option<Security>, ConfigError> {
        let given = |name: &str| {
            options.list(name).iter().filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>()
        };
        let users: Option<Vec<(String, String)>> = given("users")
            .iter()
            .map(|user| user.split_once(':').map(|(name, word)| (name.to_owned(), word.to_owned())))
            .collect();
        let users = users.ok_or_else(|| ConfigError("write each of `users` as name:password".to_owned()))?;
        let clients: Vec<Client> =
            given("clients").iter().map(|text| client(text, &users)).collect::<Result<_, _>>()?;
        let shared_key = options.text("shared_key").to_owned();
        let allow_anonymous = options.text("allow_anonymous_source") != "false";
        if shared_key.is_empty() {
            let bare = users.is_empty() && clients.is_empty() && allow_anonymous;
            let lone = "`users`, `clients` and `allow_anonymous_source` need a `shared_key` too: the protocol has \
                        no other way";
            return if bare { Ok(None) } else { Err(ConfigError(lone.to_owned())) };
        }
        let hostname =
            Some(options.text("self_hostname")).filter(|name| !name.is_empty()).unwrap_or("sawlog");
        Ok(Some(Security { hostname: hostname.to_owned(), shared_key, users, clients, allow_anonymous }))
    }

    /// The client that an address is of.
    async fn client(&self, peer: Option<IpAddr>) -> Option<&Client> {
        let peer = peer?;
        for client in &self.clients {
            if client.from.has(peer).await {
                return Some(client);
            }
        }
        None
    }

    fn key<'a>(&'a self, client: Option<&'a Client>) -> &'a str {
        client.and_then(|client| client.shared_key.as_deref()).unwrap_or(&self.shared_key)
    }

    /// Why the PING is refused, in fluentd's words.
    fn refuses(
        &self,
        ping: &Ping,
        client: Option<&Client>,
        nonce: &[u8],
        auth: &[u8],
    ) -> Option<&'static str> {
        let wanted = key_digest(&ping.salt, &ping.hostname, nonce, self.key(client));
        if !same(&ping.key_digest, &wanted) {
            return Some("shared_key mismatch");
        }
        let may = |name: &String| {
            client.is_none_or(|client| client.users.is_empty() || client.users.contains(name))
        };
        let knows = |(name, word): &(String, String)| {
            *name == ping.user && may(name) && same(&ping.password_digest, &password_digest(auth, name, word))
        };
        if !self.users.is_empty() && !self.users.iter().any(knows) {
            return Some("username/password mismatch");
        }
        None
    }
}

fn client(text: &str, users: &[(String, String)]) -> Result<Client, ConfigError> {
    let entry = Entry::read(text, &["shared_key", "users"])?;
    let named: Vec<String> = entry
        .get("users")
        .unwrap_or_default()
        .split(',')
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    if let Some(unknown) = named.iter().find(|name| users.iter().all(|(have, _)| have != *name)) {
        return Err(ConfigError(format!(
            "the client {} names `{unknown}`, who is none of `users`",
            entry.name
        )));
    }
    let shared_key = entry.get("shared_key").map(str::to_owned);
    Ok(Client { from: Addresses::read(&entry.name)?, shared_key, users: named })
}

/// Lets a peer in, or says why not. What it sent after its PING is left in the framer.
///
/// # Errors
/// [`Fault`]: the connection is to be closed.
pub(super) async fn admit<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    framer: &mut Framer,
    security: &Security,
    peer: Option<IpAddr>,
    shared: &Shared,
) -> Result<(), Fault> {
    let (mut nonce, mut auth) = ([0; 16], vec![0; 16]);
    shared.env.sys.random.fill(&mut nonce);
    shared.env.sys.random.fill(&mut auth);
    if security.users.is_empty() {
        auth.clear();
    }
    let keeps = !shared.settings.deny_keepalive;
    let greeting = Greeting { nonce, auth, keeps };
    match timeout(PATIENCE, exchange(stream, framer, security, peer, &greeting)).await {
        Ok(done) => done,
        Err(_) => Err(fault("handshake", "no PING in time")),
    }
}

/// What the server says first.
struct Greeting {
    nonce: [u8; 16],
    /// Salt of passwords; empty where there are no users.
    auth: Vec<u8>,
    /// Whether a connection may be kept for more than one message.
    keeps: bool,
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    framer: &mut Framer,
    security: &Security,
    peer: Option<IpAddr>,
    Greeting { nonce, auth, keeps }: &Greeting,
) -> Result<(), Fault> {
    let lost = |error: std::io::Error| fault("handshake", error);
    let salt = if auth.is_empty() { text("") } else { Value::Bin(auth.clone()) };
    let facts = vec![
        (text("nonce"), Value::Bin(nonce.to_vec())),
        (text("auth"), salt),
        (text("keepalive"), Value::Bool(*keeps)),
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
    let client = security.client(peer).await;
    let refused = match &ping {
        None => Some("invalid ping message".to_owned()),
        Some(_) if client.is_none() && !security.allow_anonymous => {
            let source = peer.map_or("unix".to_owned(), |peer| peer.to_string());
            Some(format!("anonymous source host '{source}' denied"))
        }
        Some(ping) => security.refuses(ping, client, nonce, auth).map(str::to_owned),
    };
    let (proof, hostname) = match (&ping, &refused) {
        (Some(ping), None) => {
            let name = security.hostname.as_str();
            (key_digest(&ping.salt, name, nonce, security.key(client)), name)
        }
        _ => (String::new(), ""),
    };
    let reason = refused.clone().unwrap_or_default();
    let pong = [text("PONG"), Value::Bool(refused.is_none()), text(reason), text(hostname), text(proof)];
    stream.write_all(&message(pong.to_vec())).await.map_err(lost)?;
    stream.flush().await.map_err(lost)?;
    refused.map_or(Ok(()), |reason| Err(fault("denied", reason)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_their_addresses_and_no_others() {
        let has = |network: &str, peer: &str| match Addresses::read(network).expect("a network") {
            Addresses::Network(address, bits) => is_within(peer.parse().expect("an address"), address, bits),
            Addresses::Host(name) => panic!("{name} is an address"),
        };
        assert!(has("10.1.0.0/16", "10.1.255.3") && !has("10.1.0.0/16", "10.2.0.0"));
        assert!(has("10.1.2.3", "10.1.2.3") && !has("10.1.2.3", "10.1.2.2"));
        assert!(has("0.0.0.0/0", "9.9.9.9") && !has("0.0.0.0/0", "::1"));
        assert!(has("fd00::/8", "fd12::1") && !has("fd00::/8", "fe80::1") && has("::/0", "::1"));
        assert!(Addresses::read("10.0.0.0/33").is_err() && Addresses::read("host/8").is_err());
        assert!(matches!(Addresses::read("log.example"), Ok(Addresses::Host(_))));
    }
}
