//! Times as people give them on the command line.

use anyhow::{Context, Result};
use sawlog_model::Nanos;
use sawlog_pipeline::config::duration;

/// Reads `2026-11-20T10:02:17Z` and its shorter forms down to the date, `now`, or how long ago (`2h`, `30m`).
pub(crate) fn read(text: &str, now: Nanos) -> Result<Nanos> {
    if text == "now" {
        return Ok(now);
    }
    let ago = text.strip_prefix('-').unwrap_or(text);
    if ago.ends_with(|last: char| last.is_ascii_alphabetic() && last != 'Z') {
        let since =
            duration(ago).with_context(|| format!("`{text}` is no time; write 2h, 30m, 7d or a date"))?;
        return Ok(now.saturating_sub(since));
    }
    absolute(text)
        .with_context(|| format!("`{text}` is no time; write 2026-11-20T10:02:17Z, 2026-11-20, or 2h"))
}

fn absolute(text: &str) -> Option<Nanos> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, ""));
    let mut parts = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day) && (1678..=2261).contains(&year);
    if !in_range || parts.next().is_some() {
        return None;
    }
    let (whole, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut seconds = 0;
    for (index, part) in whole.split(':').filter(|part| !part.is_empty()).enumerate() {
        seconds += part.parse::<i64>().ok()? * [3600, 60, 1].get(index)?;
    }
    let nanos = format!("{fraction:0<9}").get(..9)?.parse::<i64>().ok()?;
    let days = sawlog_model::time::days_from_civil(year, month, day);
    Some((days * 86_400 + seconds) * sawlog_model::time::SECOND + nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_as_people_give_them() {
        let now = 1_000_000 * 1_000_000_000;
        assert_eq!(read("now", now).unwrap(), now);
        assert_eq!(read("2h", now).unwrap(), now - 7_200 * 1_000_000_000);
        assert_eq!(read("1970-01-02", now).unwrap(), 86_400 * 1_000_000_000);
        assert_eq!(read("1970-01-01T00:01:02.5Z", now).unwrap(), 62_500_000_000);
        assert!(read("yesterday", now).is_err());
        assert!(read("2026-13-01", now).is_err());
    }
}
