//! Random numbers for ids and sampling: a generator for each thread (xoroshiro128++), seeded by the operating system
//! through the standard library. They are not secrets.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

use crate::fork;

thread_local! {
    /// The count of forks at the seeding, and the state.
    static STATE: Cell<(Option<u64>, u64, u64)> = const { Cell::new((None, 0, 0)) };
}

/// 64 random bits.
pub(crate) fn bits() -> u64 {
    // A process that was forked needs other numbers than its parent.
    let forks = Some(fork::count());
    STATE.with(|state| {
        let (of, mut a, mut b) = state.get();
        if of != forks {
            (a, b) = seed();
        }
        let result = a.wrapping_add(b).rotate_left(17).wrapping_add(a);
        b ^= a;
        state.set((forks, a.rotate_left(49) ^ b ^ (b << 21), b.rotate_left(28)));
        result
    })
}

/// From 0 up to 1.
pub(crate) fn share() -> f64 {
    (bits() >> 11) as f64 / (1u64 << 53) as f64
}

/// The keys of `RandomState` come from the operating system once for each thread, so the process and the count of forks
/// must be hashed for a child to get others.
fn seed() -> (u64, u64) {
    let keys = RandomState::new();
    let own = (std::process::id(), fork::count());
    // A state of zeros would stay so.
    (keys.hash_one((own, 1)) | 1, keys.hash_one((own, 2)))
}
