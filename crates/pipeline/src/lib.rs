//! From inputs to outputs without losing or doubling: the contract of protocols, and the core that journals,
//! acknowledges, pushes back and recovers. Knows nothing of any protocol, nor of the store: that is one more [`Output`].

pub mod config;
pub mod conform;
mod core;
mod count;
mod dead;
mod filter;
#[doc(hidden)]
pub mod fuzz;
mod gate;
mod graph;
mod intake;
mod known;
mod lane;
mod notes;
mod output;
mod payload;
mod pending;
mod pipeline;
pub mod protocol;
mod rates;
mod reload;
mod replay;
mod seen;
mod tags;
mod tap;
pub mod testing;
pub mod wiring;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use dead::{DeadLetters, Letter, Letters, Replayed, Which, Why};
pub use filter::{Failed, Filter, Filtered, Told};
pub use graph::{Graph, Parts};
pub use intake::{DeliveryError, Env, Input, Intake, Running};
pub use notes::Note;
pub use output::{Failing, Origin, Output, OutputError};
pub use pipeline::{Pipeline, PipelineOptions};
pub use protocol::{
    CheckOptions, ConfigError, DecodeError, Decoder, MakeFilter, MakeInput, MakeOutput, Opt, OptKind,
    Options, Protocol, Sample, WrongOption, concat, opt, speaks_tls, total,
};
pub use replay::replay;
pub use sawlog_journal::Lsn;
pub use tags::{TagPattern, path_tag, tag_of};
pub use tap::{Tap, Tapped};

/// Locks; what a thread that panicked left behind is used as it is, since every change under these locks is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits to be woken, up to `time`.
fn wait<'a, T>(wake: &Condvar, guard: MutexGuard<'a, T>, time: Duration) -> MutexGuard<'a, T> {
    wake.wait_timeout(guard, time).unwrap_or_else(PoisonError::into_inner).0
}
