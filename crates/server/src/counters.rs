//! Counts of requests and queries for `/metrics`. Knows nothing of how they are shown.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the classes in which durations are counted, seconds.
pub(crate) const CLASSES: [f64; 9] = [0.005, 0.02, 0.05, 0.15, 0.5, 1.0, 5.0, 20.0, 60.0];

/// What one route has answered.
#[derive(Debug, Default)]
pub(crate) struct RouteCounters {
    /// Answers by the first digit of their status: 2xx, 3xx, 4xx, 5xx.
    pub(crate) by_status: [AtomicU64; 4],
    /// Requests by the time from their start to the end of their answer, one class above the last bound.
    pub(crate) by_time: [AtomicU64; CLASSES.len() + 1],
    /// All that time, microseconds.
    pub(crate) micros: AtomicU64,
    /// Requests being answered.
    pub(crate) running: AtomicU64,
}

impl RouteCounters {
    pub(crate) fn answered(&self, status: u16) {
        let class = usize::from(status / 100).clamp(2, 5) - 2;
        self.by_status[class].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn took(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let class = CLASSES.iter().position(|bound| seconds <= *bound).unwrap_or(CLASSES.len());
        self.by_time[class].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(time.as_micros() as u64, Ordering::Relaxed);
    }
}
