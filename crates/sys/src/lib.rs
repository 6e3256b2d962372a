//! The only door to the outside: files, clock, randomness, sockets, threads. Every other crate asks here (clippy bans
//! the standard library's own doors), so that a test can hand out a simulated world that fails, tears and crashes from
//! one seed ([`sim`]). Knows nothing of logs.

use std::sync::Arc;

mod clock;
pub mod daemon;
mod fs;
mod handle;
pub mod net;
pub mod pages;
pub mod process;
pub mod program;
mod random;
mod real;
pub mod secret;
pub mod sim;
pub mod task;
pub mod watch;

pub use clock::Clock;
pub use fs::{Behind, Entry, File, Fs, Lock, Metadata, Open};
pub use random::Random;

/// The outside, as one value to pass along.
#[derive(Clone)]
pub struct Sys {
    /// Files.
    pub fs: Arc<dyn Fs>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bits.
    pub random: Arc<dyn Random>,
}

impl Sys {
    /// The machine's own.
    pub fn real() -> Self {
        Sys {
            fs: Arc::new(real::RealFs),
            clock: Arc::new(real::RealClock::default()),
            random: Arc::new(real::RealRandom),
        }
    }
}

/// The name of this machine.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
