//! Days and minutes as `--start` and `--end` take them, all in UTC. Knows nothing of files.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use sawlog_model::{Nanos, SECOND};

use super::{Failure, usage};

/// A time of UTC.
pub(super) fn of(nanos: Nanos) -> DateTime {
    let time = jiff::Timestamp::from_nanosecond(nanos.into()).unwrap_or_default();
    time.to_zoned(TimeZone::UTC).datetime()
}

/// Nanoseconds of a time of UTC.
pub(super) fn nanos(time: DateTime) -> Nanos {
    let zoned = time.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp().as_nanosecond());
    zoned.ok().and_then(|nanos| Nanos::try_from(nanos).ok()).unwrap_or_default()
}

/// `YYYYMMDD` or `YYYYMMDD HH:MM`.
pub(super) fn parse(text: &str) -> Option<DateTime> {
    let (day, minute) = text.trim().split_once(' ').unwrap_or((text.trim(), "00:00"));
    let (hour, minute) = minute.split_once(':')?;
    let number = |text: &str| text.parse::<i8>().ok().filter(|_| text.len() == 2);
    Some(self::day(day)?.to_datetime(Time::new(number(hour)?, number(minute)?, 0, 0).ok()?))
}

/// `YYYYMMDD`.
pub(super) fn day(text: &str) -> Option<Date> {
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Date::new(text[..4].parse().ok()?, text[4..6].parse().ok()?, text[6..].parse().ok()?).ok()
}

/// A span of time: its first nanosecond, and the first one behind it.
pub(super) type Span = (Nanos, Nanos);

/// The span that both dates name: without an end until 23:59:59 later, without either today.
///
/// # Errors
/// [`Failure::Usage`] where a date is none.
pub(super) fn span(start: Option<&str>, end: Option<&str>, now: Nanos) -> Result<Span, Failure> {
    let read = |text: &str| {
        parse(text)
            .ok_or_else(|| usage(format!("`{text}` is no date; write it as YYYYMMDD or \"YYYYMMDD HH:MM\"")))
    };
    let start = match start {
        Some(text) => read(text)?,
        None => of(now).date().to_datetime(Time::midnight()),
    };
    let start = nanos(start);
    let end = match end {
        // A day is meant whole, a minute is its beginning.
        Some(text) if text.contains(' ') => nanos(read(text)?) + SECOND,
        Some(text) => nanos(read(text)?) + 86_400 * SECOND,
        None => start + 86_400 * SECOND,
    };
    if end <= start {
        return Err(usage("the end is before the start"));
    }
    Ok((start, end))
}
