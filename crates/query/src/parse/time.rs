//! Times and durations as people write them. Knows nothing of the clock: "now" comes in.

use sawlog_model::time::{SECOND, days_from_civil};
use sawlog_model::{Nanos, TimeRange};

/// Units of a duration, longest name first so that `ms` is not read as `m`.
const UNITS: [(&str, Nanos); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3_600 * SECOND),
    ("d", 86_400 * SECOND),
    ("w", 7 * 86_400 * SECOND),
];

/// Reads `5m`, `1h30m`, `250ms`: nanoseconds, more than 0.
pub(crate) fn duration(text: &str) -> Option<Nanos> {
    let mut rest = text;
    let mut nanos: Nanos = 0;
    while !rest.is_empty() {
        let (digits, tail) = rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count());
        let (unit, size) = UNITS.into_iter().find(|(unit, _)| tail.starts_with(unit))?;
        nanos = nanos.checked_add(digits.parse::<Nanos>().ok()?.checked_mul(size)?)?;
        rest = &tail[unit.len()..];
    }
    (nanos > 0).then_some(nanos)
}

/// Reads a time: `now`, `now-5m`, `5m` (so long ago), `2026-11`, `2026-11-20`, `2026-11-20T10:02` with seconds, a
/// fraction and a zone (`Z`, `+02:00`; none is UTC) as wanted, or seconds since 1970. What it names is a span: a day
/// is all of that day, a duration one nanosecond. `None` where it is none of these.
pub fn moment(text: &str, now: Nanos) -> Option<TimeRange> {
    let text = text.trim();
    let ago = text.strip_prefix("now-").or_else(|| text.strip_prefix('-')).unwrap_or(text);
    if text == "now" {
        return point(now);
    }
    if let Some(nanos) = duration(ago) {
        return point(now.checked_sub(nanos)?);
    }
    if text.len() >= 9 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let start = text.parse::<i64>().ok()?.checked_mul(SECOND)?;
        return Some(TimeRange { start, end: start.checked_add(SECOND)? });
    }
    calendar(text)
}

fn point(time: Nanos) -> Option<TimeRange> {
    Some(TimeRange { start: time, end: time.checked_add(1)? })
}

/// Reads a date, with a time of day or without.
fn calendar(text: &str) -> Option<TimeRange> {
    let (date, clock) = match text.split_once(['T', 't', ' ']) {
        Some((date, clock)) => (date, Some(clock)),
        None => (text, None),
    };
    let mut parts = date.split('-').map(number);
    let (year, month) = (parts.next()??, parts.next()??);
    let day = parts.next().map_or(Some(None), |day| day.map(Some))?;
    let known = (1..=12).contains(&month) && day.is_none_or(|day| (1..=days_in(year, month)).contains(&day));
    if parts.next().is_some() || !known {
        return None;
    }
    let midnight = |year, month, day| days_from_civil(year, month, day).checked_mul(86_400 * SECOND);
    let start = midnight(year, month, day.unwrap_or(1))?;
    match (day, clock) {
        (None, None) => {
            let next = if month == 12 { midnight(year + 1, 1, 1)? } else { midnight(year, month + 1, 1)? };
            Some(TimeRange { start, end: next })
        }
        (Some(_), None) => Some(TimeRange { start, end: start.checked_add(86_400 * SECOND)? }),
        (Some(_), Some(clock)) => {
            let (of_day, len) = of_day(clock)?;
            let start = start.checked_add(of_day)?;
            Some(TimeRange { start, end: start.checked_add(len)? })
        }
        (None, Some(_)) => None,
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days_from_civil(next_year, next, 1) - days_from_civil(year, month, 1)
}

/// At most nine digits.
fn number(text: &str) -> Option<i64> {
    (!text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// Reads `10:02`, `10:02:17`, `10:02:17.113`, each with a zone or none: nanoseconds of the day in UTC, and how many of
/// them the text names.
fn of_day(text: &str) -> Option<(Nanos, Nanos)> {
    let (clock, zone) = match text.find(['Z', 'z', '+', '-']) {
        Some(at) => (&text[..at], zone(&text[at..])?),
        None => (text, 0),
    };
    let mut parts = clock.splitn(3, ':');
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    if hour > 23 || minute > 59 {
        return None;
    }
    let base = (hour * 3_600 + minute * 60 - zone) * SECOND;
    let Some(seconds) = parts.next() else { return Some((base, 60 * SECOND)) };
    let (second, fraction) = seconds.split_once(['.', ',']).map_or((seconds, None), |(s, f)| (s, Some(f)));
    let second = number(second).filter(|second| *second <= 60)?;
    let Some(fraction) = fraction else { return Some((base + second * SECOND, SECOND)) };
    let unit = 10_i64.pow(9_u32.checked_sub(u32::try_from(fraction.len()).ok()?)?);
    Some((base + second * SECOND + number(fraction)? * unit, unit))
}

/// Reads `Z`, `+02:00`, `-0530`, `+02`: seconds east of UTC.
fn zone(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, rest) = text.split_at(1);
    let digits = rest.replacen(':', "", 1);
    let (hours, minutes) = match digits.len() {
        2 => (number(&digits)?, 0),
        4 => (number(&digits[..2])?, number(&digits[2..])?),
        _ => return None,
    };
    let seconds = hours * 3_600 + minutes * 60;
    (hours <= 23 && minutes <= 59).then_some(if sign == "-" { -seconds } else { seconds })
}
