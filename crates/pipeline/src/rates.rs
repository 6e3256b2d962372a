//! How fast rows pass each part: between two looks at the status, so that nobody has to count while nobody looks. Knows nothing
//! of who asks.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use sawlog_model::PartStatus;

use crate::lock;

/// Shortest time that a rate is of.
const LEAST: Duration = Duration::from_secs(1);

/// What parts had passed at a time on the monotonic clock.
#[derive(Default)]
struct Look {
    at: Duration,
    passed: HashMap<(&'static str, String), (u64, u64)>,
}

/// The last look, and the one that rates count from.
#[derive(Default)]
struct Looks {
    from: Look,
    last: Look,
}

pub(crate) struct Rates(Mutex<Looks>);

impl Rates {
    /// Nothing has passed before `start`.
    pub(crate) fn new(start: Duration) -> Self {
        let look = || Look { at: start, ..Look::default() };
        Rates(Mutex::new(Looks { from: look(), last: look() }))
    }

    /// Fills in the rates since the last look, or the one before where that was less than a second ago.
    pub(crate) fn fill(&self, now: Duration, parts: &mut [PartStatus]) {
        let mut looks = lock(&self.0);
        if now >= looks.last.at + LEAST {
            let passed =
                parts.iter().map(|part| ((part.role, part.name.clone()), (part.records, part.bytes)));
            let look = Look { at: now, passed: passed.collect() };
            looks.from = std::mem::replace(&mut looks.last, look);
        }
        let seconds = now.saturating_sub(looks.from.at).as_secs_f64();
        if seconds == 0.0 {
            return;
        }
        for part in parts {
            let before = looks.from.passed.get(&(part.role, part.name.clone())).copied().unwrap_or_default();
            // To the hundredth: what is behind it is where the looks happened to fall.
            let rate = |count: u64| (count as f64 / seconds * 100.0).round() / 100.0;
            part.records_per_second = rate(part.records.saturating_sub(before.0));
            part.bytes_per_second = rate(part.bytes.saturating_sub(before.1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_time_between_looks_of_a_second_at_least() {
        let rates = Rates::new(Duration::from_secs(10));
        let rate = |millis: u64, records: u64| {
            let mut parts =
                [PartStatus { role: "input", records, bytes: 10 * records, ..PartStatus::default() }];
            rates.fill(Duration::from_millis(millis), &mut parts);
            assert!((parts[0].bytes_per_second - 10.0 * parts[0].records_per_second).abs() <= 0.1);
            parts[0].records_per_second
        };
        assert!(rate(10_000, 0) == 0.0, "at the start");
        assert!(rate(20_000, 100) == 10.0);
        assert!(rate(22_000, 300) == 100.0);
        assert!(rate(22_500, 500) == 160.0, "half a second later, since the look before");
        assert!(rate(24_000, 500) == 100.0);
        assert!(rate(27_000, 501) == 0.33);
        assert!(rate(33_000, 501) == 0.0);
    }
}
