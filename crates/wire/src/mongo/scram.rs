//! Proof of a password without telling it, and of the server that it knows it, too (SCRAM-SHA-256, RFC 5802 and 7677). Knows
//! nothing of the messages that carry it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::shared::hmac::{hmac, stretched};

/// Most rounds that a server may ask for: a second of work.
const ROUNDS_MOST: u32 = 1_000_000;
/// Fewest, by the RFC: fewer would make the proof easy to guess from.
const ROUNDS_LEAST: u32 = 4096;

/// A conversation that was begun.
pub(super) struct Scram {
    nonce: String,
    bare: String,
}

/// What is sent second, and what the server must answer.
#[derive(Debug)]
pub(super) struct Proof {
    pub says: String,
    /// What the server's last words must be.
    pub expects: String,
}

impl Scram {
    /// Begins, with random bits.
    pub fn new(user: &str, random: u128) -> Scram {
        Scram::with_nonce(user, STANDARD.encode(random.to_be_bytes()))
    }

    fn with_nonce(user: &str, nonce: String) -> Scram {
        let bare = format!("n={},r={nonce}", user.replace('=', "=3D").replace(',', "=2C"));
        Scram { nonce, bare }
    }

    /// What is said first.
    pub fn first(&self) -> String {
        format!("n,,{}", self.bare)
    }

    /// What follows on the server's first words.
    ///
    /// # Errors
    /// In words, where they are not such.
    pub fn prove(&self, password: &str, server: &str) -> Result<Proof, String> {
        let wrong = || "its part of SCRAM-SHA-256 is not as it must be".to_owned();
        let mut parts = server.split(',');
        let mut part = |name: &str| parts.next().and_then(|part| part.strip_prefix(name)).ok_or_else(wrong);
        let (nonce, salt, rounds) = (part("r=")?, part("s=")?, part("i=")?);
        let salt = STANDARD.decode(salt).map_err(|_| wrong())?;
        let rounds: u32 = rounds.parse().map_err(|_| wrong())?;
        let is_ours = nonce.len() > self.nonce.len() && nonce.starts_with(&self.nonce);
        if !is_ours || !(ROUNDS_LEAST..=ROUNDS_MOST).contains(&rounds) {
            return Err(wrong());
        }
        let salted = stretched(password.as_bytes(), &salt, rounds);
        let key = hmac(&salted, b"Client Key");
        let without_proof = format!("c=biws,r={nonce}");
        let all = format!("{},{server},{without_proof}", self.bare);
        let mut proof = hmac(&Sha256::digest(key), all.as_bytes());
        proof.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        let expected = hmac(&hmac(&salted, b"Server Key"), all.as_bytes());
        Ok(Proof {
            says: format!("{without_proof},p={}", STANDARD.encode(proof)),
            expects: format!("v={}", STANDARD.encode(expected)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";

    #[test]
    fn the_exchange_is_that_of_the_rfc() {
        // RFC 7677, section 3.
        let scram = Scram::with_nonce("user", NONCE.to_owned());
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let server = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let proof = scram.prove("pencil", server).unwrap();
        assert_eq!(
            proof.says,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(proof.expects, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn names_are_escaped_and_bad_servers_are_told() {
        assert_eq!(Scram::with_nonce("a=b,c", "N".to_owned()).first(), "n,,n=a=3Db=2Cc,r=N");
        let scram = Scram::with_nonce("user", NONCE.to_owned());
        for server in [
            "",
            "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=?,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4000000000",
        ] {
            assert!(scram.prove("pencil", server).is_err(), "{server}");
        }
    }
}
