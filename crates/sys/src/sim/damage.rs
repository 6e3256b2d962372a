//! Damage to bytes, from a seed: what a decoder's test feeds it where no fuzzer runs. Knows nothing of what the bytes mean.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::Dice;
use crate::Sys;

/// Bytes of a failing case that are shown.
const SHOWN: usize = 300;

/// Feeds `target` each of `seeds`, then for `time` seeds that are damaged as `dice` decide.
///
/// # Panics
/// Where the target does on a seed; with its damaged bytes where it does on those.
pub fn withstand(name: &str, target: impl Fn(&[u8]), seeds: &[Vec<u8>], dice: &mut Dice, time: Duration) {
    let clock = Sys::real().clock;
    seeds.iter().for_each(|seed| target(seed));
    let until = clock.monotonic() + time;
    while clock.monotonic() < until {
        let bytes = damaged(seeds, dice);
        let caught = catch_unwind(AssertUnwindSafe(|| target(&bytes)));
        let shown = bytes[..bytes.len().min(SHOWN)].escape_ascii();
        assert!(caught.is_ok(), "{name} breaks on {} bytes: {shown}", bytes.len());
    }
}

/// One of the seeds with some bytes changed, doubled, left out, made to a lying number, or followed by another's.
fn damaged(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(6) {
        let at = dice.below(bytes.len());
        let end = bytes.len().min(at + 1 + dice.below(8));
        match dice.below(9) {
            0 | 1 => dice.fill(&mut bytes[at..end]),
            2 => bytes[at..end].iter_mut().take(1).for_each(|byte| *byte ^= 1 << dice.below(8)),
            3 => drop(bytes.drain(at..end)),
            4 => bytes.truncate(at),
            5 => bytes.insert(at, dice.roll() as u8),
            6 => {
                let copy = bytes[at..end].repeat(1 + dice.below(20));
                bytes.splice(at..at, copy);
            }
            7 => {
                let number = [0, u32::MAX, 1 << 28, bytes.len() as u32][dice.below(4)].to_le_bytes();
                let end = bytes.len().min(at + 4);
                bytes[at..end].copy_from_slice(&number[..end - at]);
            }
            _ => {
                let other = &seeds[dice.below(seeds.len())];
                bytes.splice(at.., other[dice.below(other.len())..].iter().copied());
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}
