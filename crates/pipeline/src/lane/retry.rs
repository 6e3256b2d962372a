//! When an output is asked again, and when a batch is given up. Pure arithmetic: knows nothing of outputs or of clocks.

use std::time::Duration;

use crate::Failing;
use crate::config::QueueOptions;

/// Failures of an output since it last took something.
#[derive(Default)]
pub(super) struct Tries {
    failed: u32,
    /// When the first of them was.
    since: Duration,
}

impl Tries {
    /// Notes a failure at `now`; whether what was tried is to be given up.
    pub fn failed(&mut self, queue: &QueueOptions, now: Duration) -> bool {
        if self.failed == 0 {
            self.since = now;
        }
        self.failed = self.failed.saturating_add(1);
        let failing = Failing { tries: self.failed, since: self.since, reason: String::new() };
        is_over(queue, &failing, now)
    }

    /// Whether the output took nothing when it was last asked.
    pub fn is_failing(&self) -> bool {
        self.failed > 0
    }

    /// The output took something.
    pub fn succeeded(&mut self) {
        self.failed = 0;
    }

    /// How long to wait before the next try; `dice` spreads it by an eighth either way, so that many nodes do not come back
    /// at once.
    pub fn wait(&self, queue: &QueueOptions, dice: u64) -> Duration {
        spread(wait_after(queue, self.failed.max(1)), dice)
    }
}

/// The wait after so many failures, without the spread.
fn wait_after(queue: &QueueOptions, failed: u32) -> Duration {
    let growth = f64::from(queue.retry_growth) / 100.0;
    let exponent = i32::try_from(failed - 1).unwrap_or(i32::MAX);
    let wait = queue.retry_wait.as_secs_f64() * growth.powi(exponent);
    let most = queue.retry_max_wait.max(queue.retry_wait);
    if wait < most.as_secs_f64() { Duration::from_secs_f64(wait) } else { most }
}

fn spread(wait: Duration, dice: u64) -> Duration {
    wait.mul_f64(0.875 + 0.25 * (dice % 1024) as f64 / 1024.0)
}

/// Whether what an output tries by itself is to be given up.
pub(super) fn is_over(queue: &QueueOptions, failing: &Failing, now: Duration) -> bool {
    queue.retry_times.is_some_and(|times| failing.tries >= times)
        || queue.retry_time.is_some_and(|time| now.saturating_sub(failing.since) >= time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(wait: u64, growth: u32, most: u64) -> QueueOptions {
        QueueOptions {
            retry_wait: Duration::from_millis(wait),
            retry_growth: growth,
            retry_max_wait: Duration::from_millis(most),
            ..QueueOptions::default()
        }
    }

    #[test]
    fn waits_grow_up_to_the_longest_and_are_spread() {
        let queue = queue(100, 150, 300);
        let waits: Vec<_> = (1..=5).map(|failed| wait_after(&queue, failed).as_millis()).collect();
        assert_eq!(waits, [100, 150, 225, 300, 300]);
        assert_eq!(wait_after(&queue, u32::MAX).as_millis(), 300);
        let tries = Tries { failed: 1, since: Duration::ZERO };
        let spread: Vec<_> = [0, 512, 1023].map(|dice| tries.wait(&queue, dice).as_micros()).into();
        assert_eq!(spread[..2], [87_500, 100_000]);
        assert!((112_000..112_500).contains(&spread[2]));
        let level = QueueOptions { retry_growth: 100, ..queue };
        assert_eq!(wait_after(&level, 9).as_millis(), 100);
    }

    #[test]
    fn what_was_tried_too_often_or_too_long_is_given_up_until_something_succeeds() {
        let at = Duration::from_secs;
        let times = QueueOptions { retry_times: Some(3), ..queue(1, 200, 10) };
        let mut tries = Tries::default();
        assert_eq!([1, 2, 3, 4].map(|now| tries.failed(&times, at(now))), [false, false, true, true]);
        tries.succeeded();
        assert!(!tries.failed(&times, at(5)));
        let time = QueueOptions { retry_time: Some(at(10)), ..queue(1, 200, 10) };
        let mut tries = Tries::default();
        assert_eq!([100, 109, 110].map(|now| tries.failed(&time, at(now))), [false, false, true]);
        let mut tries = Tries::default();
        assert!((0..100_000).all(|now| !tries.failed(&queue(1, 200, 10), at(now))));
    }
}
