//! The words of the handshake that both sides say: HELO, PING, PONG. Knows nothing of sockets.

use sawlog_model::Value;
use sha2::{Digest, Sha512};

use crate::shared::msgpack;

/// What proves knowledge of the shared key: a digest of the salt that the client chose, the name of the side that proves
/// it, the server's nonce and the key, in hex.
pub(super) fn key_digest(salt: &[u8], hostname: &str, nonce: &[u8], shared_key: &str) -> String {
    digest(&[salt, hostname.as_bytes(), nonce, shared_key.as_bytes()])
}

/// What proves knowledge of a password: a digest of the server's salt, the name and the password, in hex.
pub(super) fn password_digest(auth: &[u8], user: &str, password: &str) -> String {
    digest(&[auth, user.as_bytes(), password.as_bytes()])
}

fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha512::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether both are the same, in a time that does not tell where they differ.
pub(super) fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

/// The bytes of text or binary: peers use either for salts and nonces.
pub(super) fn bytes_of(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Str(text) => Some(text.as_bytes()),
        Value::Bin(bytes) => Some(bytes),
        _ => None,
    }
}

/// The message as bytes.
pub(super) fn message(parts: Vec<Value>) -> Vec<u8> {
    let mut out = Vec::new();
    msgpack::write(&Value::List(parts), &mut out);
    out
}

/// Text as a value.
pub(super) fn text(text: impl Into<String>) -> Value {
    Value::Str(text.into())
}

/// What a client answers to HELO.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ping {
    /// Its name.
    pub hostname: String,
    /// The salt it chose.
    pub salt: Vec<u8>,
    /// [`key_digest`] with its name.
    pub key_digest: String,
    /// A user's name, or empty.
    pub user: String,
    /// [`password_digest`], or empty.
    pub password_digest: String,
}

impl Ping {
    /// The message that reads as this.
    pub(super) fn message(self) -> Vec<u8> {
        // Old servers put text together with text.
        let salt = String::from_utf8(self.salt).map_or_else(|salt| Value::Bin(salt.into_bytes()), Value::Str);
        let parts = [text("PING"), text(self.hostname), salt, text(self.key_digest)];
        let login = [text(self.user), text(self.password_digest)];
        message(parts.into_iter().chain(login).collect())
    }

    /// Reads it from a message; `None` where it is not one.
    pub(super) fn read(message: &Value) -> Option<Ping> {
        let Value::List(parts) = message else { return None };
        let [kind, hostname, salt, key_digest, user, password_digest] = parts.as_slice() else { return None };
        let text = |value: &Value| Some(String::from_utf8_lossy(bytes_of(value)?).into_owned());
        (text(kind)? == "PING").then_some(())?;
        Some(Ping {
            hostname: text(hostname)?,
            salt: bytes_of(salt)?.to_vec(),
            key_digest: text(key_digest)?,
            user: text(user)?,
            password_digest: text(password_digest)?,
        })
    }
}
