//! The time, as an argument.

use std::time::Duration;

/// A clock.
pub trait Clock: Send + Sync {
    /// Nanoseconds since 1970 in UTC; may jump.
    fn now(&self) -> i64;
    /// Time since some start; only grows.
    fn monotonic(&self) -> Duration;
}
