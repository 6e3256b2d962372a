//! One connection of the forward protocol as its client: connect, HELO, PING and PONG, messages, acknowledgements. Knows
//! nothing of queues and of what is sent again.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rmp::encode;
use sha2::{Digest, Sha512};

use crate::answer::{ANSWER_MOST, Answer, Unread};
use crate::record::sure;

/// A connection as the operating system gives it, or one of the application's own with encryption around it.
pub trait Stream: Read + Write + Send {
    /// How long a `read` may wait.
    ///
    /// # Errors
    /// What the operating system says.
    fn set_patience(&self, patience: Duration) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(patience))
    }
}

/// Makes connections; for TLS, or whatever else stands between the program and the receiver.
pub type Connect = Arc<dyn Fn(&str, Duration) -> io::Result<Box<dyn Stream>> + Send + Sync>;

/// Who this is, for a receiver that wants to know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Credentials {
    pub(crate) shared_key: Option<String>,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) hostname: String,
}

/// Why nothing could be sent, or was not acknowledged. Trying again may help.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("what connects to the receiver panicked")]
    Panicked,
    #[error("the receiver closed the connection")]
    Closed,
    #[error("the receiver does not answer")]
    Silent,
    #[error("the receiver does not speak the forward protocol")]
    Foreign,
    #[error("the receiver wants a shared key")]
    WantsKey,
    #[error("the receiver does not know the shared key")]
    WrongKey,
    #[error("the receiver refuses: {0}")]
    Refused(String),
}

/// The system's own connection to `HOST:PORT`.
///
/// # Errors
/// What the operating system says of the last address that the name has.
pub fn tcp(address: &str, patience: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(patience))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A message of one tag that asks for the acknowledgement of `chunk`; `entries` are packed one after the other.
pub(crate) fn message(tag: &str, entries: &[u8], events: u64, chunk: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(entries.len() + tag.len() + 80);
    sure(encode::write_array_len(&mut out, 3));
    sure(encode::write_str(&mut out, tag));
    sure(encode::write_bin(&mut out, entries));
    sure(encode::write_map_len(&mut out, 2));
    sure(encode::write_str(&mut out, "size"));
    sure(encode::write_uint(&mut out, events));
    sure(encode::write_str(&mut out, "chunk"));
    sure(encode::write_str(&mut out, chunk));
    out
}

/// An open connection that may be written to.
pub(crate) struct Link {
    stream: Box<dyn Stream>,
    held: Vec<u8>,
}

impl Link {
    /// Introduces this program where it has a key.
    pub(crate) fn open(
        stream: Box<dyn Stream>,
        credentials: &Credentials,
        patience: Duration,
    ) -> Result<Link, LinkError> {
        let mut link = Link { stream, held: Vec::new() };
        if let Some(key) = &credentials.shared_key {
            link.shake_hands(key, credentials, patience)?;
        }
        Ok(link)
    }

    /// Writes all of a message.
    pub(crate) fn send(&mut self, message: &[u8]) -> Result<(), LinkError> {
        self.stream.write_all(message)?;
        Ok(self.stream.flush()?)
    }

    /// The next chunk that was taken.
    pub(crate) fn ack(&mut self, patience: Duration) -> Result<Vec<u8>, LinkError> {
        let answer = self.answer(patience)?;
        if answer.after("HELO").is_some() {
            return Err(LinkError::WantsKey);
        }
        let chunk = answer.get("ack").and_then(Answer::text).ok_or(LinkError::Foreign)?;
        Ok(chunk.to_vec())
    }

    fn answer(&mut self, patience: Duration) -> Result<Answer, LinkError> {
        let deadline = Instant::now() + patience;
        loop {
            match Answer::read(&self.held) {
                Ok((answer, length)) => {
                    self.held.drain(..length);
                    return Ok(answer);
                }
                Err(Unread::Foreign) => return Err(LinkError::Foreign),
                Err(Unread::Short) => {}
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(LinkError::Silent);
            }
            self.stream.set_patience(left)?;
            let mut piece = [0; 4096];
            let room = (ANSWER_MOST - self.held.len()).min(piece.len());
            match self.stream.read(&mut piece[..room]) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(read) => self.held.extend_from_slice(&piece[..read]),
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn shake_hands(
        &mut self,
        key: &str,
        credentials: &Credentials,
        patience: Duration,
    ) -> Result<(), LinkError> {
        let helo = self.answer(patience)?;
        let options = helo.after("HELO").and_then(<[_]>::first).ok_or(LinkError::Foreign)?;
        let given = |name| options.get(name).and_then(Answer::text).unwrap_or_default();
        let (nonce, auth) = (given("nonce"), given("auth"));
        let Credentials { user, password, hostname, .. } = credentials;
        let salt = format!("{:016x}{:016x}", crate::chance::bits(), crate::chance::bits());
        let login = if auth.is_empty() {
            String::new()
        } else {
            digest(&[auth, user.as_bytes(), password.as_bytes()])
        };
        let proof = digest(&[salt.as_bytes(), hostname.as_bytes(), nonce, key.as_bytes()]);
        let mut ping = Vec::new();
        sure(encode::write_array_len(&mut ping, 6));
        for part in ["PING", hostname, &salt, &proof, user, &login] {
            sure(encode::write_str(&mut ping, part));
        }
        self.send(&ping)?;
        let pong = self.answer(patience)?;
        let Some([allowed, reason, server, answer]) = pong.after("PONG") else {
            return Err(LinkError::Foreign);
        };
        if *allowed != Answer::Truth(true) {
            let reason = reason.text().unwrap_or_default();
            return Err(LinkError::Refused(String::from_utf8_lossy(reason).into_owned()));
        }
        let server = server.text().unwrap_or_default();
        let expected = digest(&[salt.as_bytes(), server, nonce, key.as_bytes()]);
        if answer.text() != Some(expected.as_bytes()) {
            return Err(LinkError::WrongKey);
        }
        Ok(())
    }
}

/// Unix says the one, Windows the other; a signal is no reason to give up either.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha512::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
