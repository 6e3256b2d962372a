//! Times: nanoseconds since 1970 in UTC, ranges of them, and the layouts in which logs write them, each of which can
//! print what it reads. Knows nothing of the current time nor of named zones; references and offsets come in as arguments.

mod layout;
mod read;
#[cfg(test)]
mod tests;

pub use layout::Layout;
pub use read::{Stamp, read, read_epoch};

/// Nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
pub type Nanos = i64;

/// Nanoseconds in a second.
pub const SECOND: Nanos = 1_000_000_000;

/// Times from `start` up to but without `end`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TimeRange {
    /// First time in it.
    pub start: Nanos,
    /// First time after it. `i64::MAX` means no end, and includes `i64::MAX`.
    pub end: Nanos,
}

impl TimeRange {
    /// All times.
    pub const ALL: TimeRange = TimeRange { start: i64::MIN, end: i64::MAX };

    /// Whether `time` is in it.
    pub fn contains(&self, time: Nanos) -> bool {
        time >= self.start && (time < self.end || self.end == i64::MAX)
    }

    /// Whether it has a time in common with `first ..= last`.
    pub fn overlaps(&self, first: Nanos, last: Nanos) -> bool {
        last >= self.start && (first < self.end || self.end == i64::MAX)
    }

    /// Whether all of `first ..= last` is in it.
    pub fn covers(&self, first: Nanos, last: Nanos) -> bool {
        self.contains(first) && self.contains(last)
    }

    /// What both have in common.
    pub fn intersect(&self, other: &TimeRange) -> TimeRange {
        TimeRange { start: self.start.max(other.start), end: self.end.min(other.end) }
    }
}

/// The time as `2026-11-20T10:02:17.113Z`: as many fraction digits (0, 3, 6 or 9) as it needs.
pub fn rfc3339(time: Nanos) -> String {
    let (days, of_day) = (time.div_euclid(86_400 * SECOND), time.rem_euclid(86_400 * SECOND));
    let (year, month, day) = civil_from_days(days);
    let (seconds, nanos) = (of_day / SECOND, of_day % SECOND);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if nanos % 1_000_000 != 0 && nanos % 1_000 == 0 {
        text.push_str(&format!(".{:06}", nanos / 1_000));
    } else if nanos % 1_000_000 == 0 && nanos != 0 {
        text.push_str(&format!(".{:03}", nanos / 1_000_000));
    } else if nanos != 0 {
        text.push_str(&format!(".{nanos:09}"));
    }
    text.push('Z');
    text
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar (Hinnant's `days_from_civil`).
pub const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y - era * 400;
    let doy = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

/// The date (year, month, day) of a day since 1970-01-01 (Hinnant's `civil_from_days`).
pub const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z - era * 146_097;
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + (month <= 2) as i64, month, day)
}
