//! Times and durations as people and programs write them in a request: RFC 3339, epochs, `2h`, `-15m`, `now-1d`. Knows
//! nothing of the current time; it comes in.

use sawlog_model::Nanos;
use sawlog_model::time::SECOND;

/// What a time may look like, for errors.
pub(crate) const TIME_FORMS: &str =
    "Write 2026-11-20T10:02:17Z, 1763632937 (s, ms, µs or ns since 1970), 2h or -15m (ago), or now.";

/// Reads a time; `now` is what relative ones count from. `None` where it is none.
pub(crate) fn time(text: &str, now: Nanos) -> Option<Nanos> {
    let text = text.trim();
    if text == "now" {
        return Some(now);
    }
    if let Some(nanos) = epoch(text) {
        return Some(nanos);
    }
    if let Some(ago) = text.strip_prefix("now-").or_else(|| text.strip_prefix('-')).map(duration) {
        return now.checked_sub(ago?);
    }
    if let Some(ahead) = text.strip_prefix("now+").or_else(|| text.strip_prefix('+')).map(duration) {
        return now.checked_add(ahead?);
    }
    duration(text).and_then(|ago| now.checked_sub(ago)).or_else(|| calendar(text))
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970, told by the number of digits; seconds may have a
/// fraction.
fn epoch(text: &str) -> Option<Nanos> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if let Some((whole, fraction)) = digits.split_once('.') {
        if text.starts_with('-') || whole.len() > 11 || fraction.len() > 9 || !is_digits(fraction) {
            return None;
        }
        let nanos: Nanos = format!("{fraction:0<9}").parse().ok()?;
        return seconds(whole)?.checked_add(nanos);
    }
    // A minus and few digits would rather be a relative time that lacks its unit.
    if !is_digits(digits) || (text.starts_with('-') && digits.len() < 9) {
        return None;
    }
    let scale = match digits.len() {
        ..=11 => SECOND,
        12..=14 => 1_000_000,
        15..=17 => 1_000,
        _ => 1,
    };
    text.parse::<Nanos>().ok()?.checked_mul(scale)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn seconds(text: &str) -> Option<Nanos> {
    is_digits(text).then(|| text.parse::<Nanos>().ok()?.checked_mul(SECOND)).flatten()
}

/// A date, or a date and time, with its zone; UTC where there is none.
fn calendar(text: &str) -> Option<Nanos> {
    let stamp = if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
        stamp
    } else {
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp()
    };
    Nanos::try_from(stamp.as_nanosecond()).ok()
}

/// Reads a duration: numbers with units, such as `90s`, `1h30m`, `250ms`, `7d`. `None` where it is none.
pub(crate) fn duration(text: &str) -> Option<Nanos> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total: Nanos = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0)?;
        let number: Nanos = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        total = total.checked_add(number.checked_mul(unit(&rest[..letters])?)?)?;
        rest = &rest[letters..];
    }
    Some(total)
}

fn unit(name: &str) -> Option<Nanos> {
    Some(match name {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "s" => SECOND,
        "m" | "min" => 60 * SECOND,
        "h" => 3_600 * SECOND,
        "d" => 86_400 * SECOND,
        "w" => 7 * 86_400 * SECOND,
        "y" => 365 * 86_400 * SECOND,
        _ => return None,
    })
}

/// The smallest step that people like to read, with which `span` nanoseconds make at most `bars` bars.
pub(crate) fn step(span: Nanos, bars: u64) -> Nanos {
    const MINUTE: Nanos = 60 * SECOND;
    const HOUR: Nanos = 60 * MINUTE;
    const DAY: Nanos = 24 * HOUR;
    const STEPS: [Nanos; 34] = [
        1_000_000,
        2_000_000,
        5_000_000,
        10_000_000,
        20_000_000,
        50_000_000,
        100_000_000,
        200_000_000,
        500_000_000,
        SECOND,
        2 * SECOND,
        5 * SECOND,
        10 * SECOND,
        15 * SECOND,
        30 * SECOND,
        MINUTE,
        2 * MINUTE,
        5 * MINUTE,
        10 * MINUTE,
        15 * MINUTE,
        30 * MINUTE,
        HOUR,
        2 * HOUR,
        3 * HOUR,
        6 * HOUR,
        12 * HOUR,
        DAY,
        2 * DAY,
        7 * DAY,
        14 * DAY,
        28 * DAY,
        91 * DAY,
        182 * DAY,
        364 * DAY,
    ];
    let least = (span.max(1) as u64).div_ceil(bars.max(1));
    let found = STEPS.into_iter().find(|step| *step as u64 >= least);
    found.unwrap_or_else(|| (least.div_ceil(364 * DAY as u64)).saturating_mul(364 * DAY as u64) as Nanos)
}
