//! Tokens: what is given out once, and what is kept of it. Knows nothing of whose they are.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sawlog_sys::Random;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What every token begins with, so that scanners of sources find one that was committed by mistake.
const PREFIX: &str = "sawlog_";

/// What is kept of a token: enough to know it again, too little to make it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Digested([u8; 32]);

impl Digested {
    /// Of a token as it was shown.
    pub(crate) fn of(token: &[u8]) -> Self {
        Digested(Sha256::digest(token).into())
    }

    /// Of the hexadecimal form.
    pub(crate) fn read(hex: &str) -> Option<Self> {
        from_hex(hex).map(Digested)
    }

    /// As hexadecimal digits.
    pub(crate) fn hex(&self) -> String {
        hex(&self.0)
    }

    /// Whether both are the same, in a time that does not tell how far they are.
    pub(crate) fn is(&self, other: &Digested) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As many bytes as there are to be, of their digits.
pub(crate) fn from_hex<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if hex.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// Whether two secrets are the same, in a time that tells no more than their lengths.
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

/// A new id for a token: it stands in the token, is shown in lists, and is no secret.
pub(crate) fn new_id(random: &dyn Random) -> String {
    let mut bytes = [0; 6];
    random.fill(&mut bytes);
    hex(&bytes)
}

/// A new token of that id: 256 random bits.
pub(crate) fn make(id: &str, random: &dyn Random) -> String {
    let mut secret = [0; 32];
    random.fill(&mut secret);
    format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(secret))
}

/// The id that stands in a token.
pub(crate) fn id_of(token: &[u8]) -> Option<&str> {
    let rest = token.strip_prefix(PREFIX.as_bytes())?;
    let end = rest.iter().position(|byte| *byte == b'_')?;
    std::str::from_utf8(&rest[..end]).ok()
}

/// A random UUID of version 4, as Meniscus's tokens are.
pub(crate) fn uuid(random: &dyn Random) -> String {
    let bits = random.id() & !(0xf << 76 | 0xc << 60) | 4 << 76 | 8 << 60;
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use sawlog_sys::Sys;

    use super::*;

    #[test]
    fn a_token_is_known_by_its_digest() {
        let random = Sys::real().random;
        let id = new_id(&*random);
        let token = make(&id, &*random);
        assert_eq!(id_of(token.as_bytes()), Some(id.as_str()));
        assert_ne!(make(&id, &*random), token);
        let kept = Digested::read(&Digested::of(token.as_bytes()).hex()).expect("it is read again");
        assert!(kept.is(&Digested::of(token.as_bytes())));
        assert!(!kept.is(&Digested::of(&token.as_bytes()[1..])));
        assert_eq!(Digested::read("12"), None);
        for other in ["", "sawlog_", "sawlog_ab", "other_ab_cd"] {
            assert_eq!(id_of(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn uuids_are_of_version_4() {
        let uuid = uuid(&*Sys::real().random);
        let places = [8, 13, 18, 23].map(|at| uuid.as_bytes()[at]);
        assert_eq!((uuid.len(), places), (36, [b'-'; 4]));
        assert_eq!(uuid.as_bytes()[14], b'4');
        assert!(matches!(uuid.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{uuid}");
    }
}
