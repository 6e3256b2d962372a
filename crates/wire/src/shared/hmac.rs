//! Keyed hashes (HMAC-SHA-256, RFC 2104) and keys of passwords made with them (PBKDF2, RFC 8018). Knows nothing of what they
//! prove.

use sha2::{Digest, Sha256};

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// HMAC-SHA-256.
pub fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    keyed(key)(text)
}

/// HMAC-SHA-256 of several texts under one key.
fn keyed(key: &[u8]) -> impl Fn(&[u8]) -> [u8; 32] {
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let begun = |pad: u8| Sha256::new().chain_update(block.map(|byte| byte ^ pad));
    let (outer, inner) = (begun(0x5c), begun(0x36));
    move |text| {
        let within = inner.clone().chain_update(text).finalize();
        outer.clone().chain_update(within).finalize().into()
    }
}

/// The key of a password: PBKDF2 with HMAC-SHA-256, its first block.
pub fn stretched(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 32] {
    let hash = keyed(password);
    let mut last = hash(&[salt, &1_u32.to_be_bytes()].concat());
    let mut key = last;
    for _ in 1..rounds {
        last = hash(&last);
        key.iter_mut().zip(last).for_each(|(byte, more)| *byte ^= more);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: [u8; 32]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_hash_is_that_of_the_rfc() {
        // RFC 4231, cases 2 and 6.
        assert_eq!(
            hex(hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(hmac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn a_key_of_a_password_is_that_of_the_rfc() {
        // RFC 7914, section 11: the first half of what it lists.
        assert_eq!(
            hex(stretched(b"passwd", b"salt", 1)),
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
        );
        assert_eq!(
            hex(stretched(b"Password", b"NaCl", 80_000)),
            "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
        );
    }
}
