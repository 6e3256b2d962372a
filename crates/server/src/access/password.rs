//! Passwords: what is kept of one (PBKDF2 with a salt of its own, so that guessing costs), and how often somebody may guess. Knows
//! nothing of whose they are.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ring::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use sawlog_sys::Random;
use serde::{Deserialize, Serialize};

use super::token::{from_hex, hex};

/// Rounds for new passwords: a fifth of a second of one core. What is kept says its own, so that this may grow.
const ROUNDS: u32 = if cfg!(test) { 1_000 } else { 600_000 };

/// Bytes of a password, fewest and most.
const LENGTH: std::ops::RangeInclusive<usize> = 8..=1024;

/// What is kept of a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Password {
    rounds: u32,
    /// Hexadecimal, as the next.
    salt: String,
    hash: String,
}

impl Password {
    /// Of a new password; takes its time.
    ///
    /// # Errors
    /// In words, where it is too short or too long.
    pub(crate) fn new(password: &str, random: &dyn Random) -> Result<Self, String> {
        if !LENGTH.contains(&password.len()) {
            return Err(format!("a password has {} to {} bytes", LENGTH.start(), LENGTH.end()));
        }
        let (mut salt, mut hash) = ([0; 16], [0; 32]);
        random.fill(&mut salt);
        pbkdf2::derive(PBKDF2_HMAC_SHA256, rounds(ROUNDS), &salt, password.as_bytes(), &mut hash);
        Ok(Password { rounds: ROUNDS, salt: hex(&salt), hash: hex(&hash) })
    }

    /// One that no password is: looking at it takes as long as at another, so that nobody learns which names there are.
    pub(crate) fn none() -> Self {
        Password { rounds: ROUNDS, salt: hex(&[0; 16]), hash: hex(&[0; 32]) }
    }

    /// Whether this is the password; takes its time, the same whatever was shown.
    pub(crate) fn is(&self, shown: &str) -> bool {
        let (Some(salt), Some(hash)) = (from_hex::<16>(&self.salt), from_hex::<32>(&self.hash)) else {
            return false;
        };
        // What is longer than any password may be is not one, and is not worked on.
        let shown = shown.get(..*LENGTH.end() + 1).unwrap_or(shown);
        pbkdf2::verify(PBKDF2_HMAC_SHA256, rounds(self.rounds), &salt, shown.as_bytes(), &hash).is_ok()
    }
}

fn rounds(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
}

/// So many may be wrong at once, and one more after each such time: by name, and by the address that they come from.
pub(crate) const BY_NAME: (f64, Duration) = (5.0, Duration::from_secs(10));
pub(crate) const BY_PEER: (f64, Duration) = (20.0, Duration::from_secs(3));

/// Most names and addresses that are remembered; who guesses at more of them is held up by that of the address.
const REMEMBERED: usize = 10_000;

/// Who guessed lately.
#[derive(Default)]
pub(crate) struct Attempts(Mutex<HashMap<String, (f64, Duration)>>);

impl Attempts {
    /// Takes one attempt of `who`.
    ///
    /// # Errors
    /// After which time there will be one again.
    pub(crate) fn take(
        &self,
        who: &str,
        (most, each): (f64, Duration),
        now: Duration,
    ) -> Result<(), Duration> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = |(spent, at): (f64, Duration)| {
            (spent - now.saturating_sub(at).as_secs_f64() / each.as_secs_f64()).max(0.0)
        };
        if all.len() >= REMEMBERED {
            all.retain(|_, entry| spent(*entry) > 0.0);
        }
        let so_far = all.get(who).copied().map_or(0.0, spent);
        if so_far + 1.0 > most || (all.len() >= REMEMBERED && !all.contains_key(who)) {
            return Err(each.mul_f64((so_far + 1.0 - most).clamp(0.1, 1.0)));
        }
        all.insert(who.to_owned(), (so_far + 1.0, now));
        Ok(())
    }

    /// Gives one back, since it was right.
    pub(crate) fn give(&self, who: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((spent, _)) = all.get_mut(who) {
            *spent = (*spent - 1.0).max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use sawlog_sys::Sys;

    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash() {
        let random = Sys::real().random;
        let kept = Password::new("correct horse", &*random).expect("long enough");
        assert!(kept.is("correct horse") && !kept.is("correct horsf") && !kept.is(""));
        assert!(!kept.is(&"correct horse".repeat(1_000)), "what is too long is none");
        let again = Password::new("correct horse", &*random).expect("long enough");
        assert_ne!(kept, again, "each has a salt of its own");
        assert!(Password::new("short", &*random).is_err_and(|words| words.contains("8 to 1024")));
        assert!(!Password::none().is("") && !Password::none().is("correct horse"));
        let text = serde_json::to_string(&kept).expect("JSON");
        assert!(!text.contains("correct"));
        assert!(serde_json::from_str::<Password>(&text).expect("read").is("correct horse"));
    }

    #[test]
    fn guesses_are_counted_by_whom_they_are_for() {
        let (attempts, at) = (Attempts::default(), Duration::from_secs);
        for _ in 0..5 {
            assert_eq!(attempts.take("ann", BY_NAME, at(1)), Ok(()));
        }
        assert_eq!(attempts.take("ann", BY_NAME, at(1)), Err(at(10)));
        assert_eq!(attempts.take("bob", BY_NAME, at(1)), Ok(()), "another one's");
        assert_eq!(attempts.take("ann", BY_NAME, at(11)), Ok(()), "one more after a while");
        assert!(attempts.take("ann", BY_NAME, at(11)).is_err());
        attempts.give("ann");
        assert_eq!(attempts.take("ann", BY_NAME, at(11)), Ok(()), "what was right does not count");
        for number in 0..2 * REMEMBERED {
            let _ = attempts.take(&number.to_string(), BY_NAME, at(12));
        }
        assert!(attempts.0.lock().expect("no panic").len() <= REMEMBERED);
    }
}
