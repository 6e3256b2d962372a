//! The time in a line of the two sets that are made larger: where it stands, which moment it is, and the same line some days
//! earlier. Knows the three forms that these sets have, and no other.

use std::ops::Range;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// How far into a line a bracketed time is looked for.
const FAR: usize = 120;

/// The date of a line.
#[derive(Clone, Copy)]
enum Form {
    /// `2023-10-27 16:14:11,550`, also behind a dash.
    Dashes,
    /// `2026/08/05 00:17:58`.
    Slashes,
    /// `[07/Aug/2026:00:24:08 +0100]`.
    Access,
}

/// A line's time.
pub(super) struct Stamp {
    form: Form,
    /// Where the date stands.
    date: Range<usize>,
    /// Days since 1970, of the date as it is written.
    days: i64,
    /// Milliseconds since 1970, UTC.
    pub(super) millis: i64,
}

impl Stamp {
    /// The time of a line that has one of its own.
    pub(super) fn of(line: &[u8]) -> Option<Stamp> {
        let start = if line.starts_with(b"- ") { 2 } else { 0 };
        if let Some(stamp) = Stamp::dated(line, start) {
            return Some(stamp);
        }
        let bracket = line.iter().take(FAR).position(|byte| *byte == b'[')? + 1;
        let date = line.get(bracket..bracket + 11)?;
        let month = MONTHS.iter().position(|name| name.as_bytes() == &date[3..6])? as i64 + 1;
        let days = days(number(&date[7..])?, month, number(&date[..2])?);
        let zone = line.get(bracket + 21..bracket + 26)?;
        let away = (number(&zone[1..3])? * 60 + number(&zone[3..])?) * 60_000;
        let local = days * 86_400_000 + clock(line.get(bracket + 12..bracket + 20)?)?;
        let millis = if zone[0] == b'-' { local + away } else { local - away };
        Some(Stamp { form: Form::Access, date: bracket..bracket + 11, days, millis })
    }

    fn dated(line: &[u8], start: usize) -> Option<Stamp> {
        let date = line.get(start..start + 10)?;
        let form = match (date[4], date[7]) {
            (b'-', b'-') => Form::Dashes,
            (b'/', b'/') => Form::Slashes,
            _ => return None,
        };
        let days = days(number(&date[..4])?, number(&date[5..7])?, number(&date[8..])?);
        let mut millis = days * 86_400_000 + clock(line.get(start + 11..start + 19)?)?;
        if line.get(start + 19) == Some(&b',') {
            millis += number(line.get(start + 20..start + 23)?)?;
        }
        Some(Stamp { form, date: start..start + 10, days, millis })
    }

    /// Appends the line as if it had been written so many days earlier.
    pub(super) fn earlier(&self, line: &[u8], days: i64, out: &mut Vec<u8>) {
        let (year, month, day) = date(self.days - days);
        out.extend_from_slice(&line[..self.date.start]);
        let text = match self.form {
            Form::Dashes => format!("{year:04}-{month:02}-{day:02}"),
            Form::Slashes => format!("{year:04}/{month:02}/{day:02}"),
            Form::Access => format!("{day:02}/{}/{year:04}", MONTHS[month as usize - 1]),
        };
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(&line[self.date.end..]);
    }
}

/// `2023-10-27T16:14:11.550Z`.
pub(super) fn rfc3339(millis: i64) -> String {
    let (year, month, day) = date(millis.div_euclid(86_400_000));
    let rest = millis.rem_euclid(86_400_000);
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1000 % 60, rest % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

fn number(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Milliseconds of `16:14:11`.
fn clock(text: &[u8]) -> Option<i64> {
    if text[2] != b':' || text[5] != b':' {
        return None;
    }
    Some(((number(&text[..2])? * 60 + number(&text[3..5])?) * 60 + number(&text[6..])?) * 1000)
}

/// Days since 1970 of a date. Years begin in March here, so that the odd day of a leap year is their last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468
}

/// Year, month and day of so many days since 1970.
fn date(since: i64) -> (i64, i64, i64) {
    // The guess is at most one year late.
    let mut year = (since + 719_468).div_euclid(365);
    while days(year, 3, 1) > since {
        year -= 1;
    }
    let of_year = since - days(year, 3, 1);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_moved() {
        let cases = [
            (
                "- 2023-10-27 16:14:11,550 [a] INFO b",
                "2023-10-27T16:14:11.550Z",
                "- 2023-10-20 16:14:11,550 [a] INFO b",
            ),
            (
                "2024/03/05 00:17:58 [error] 1#1: x",
                "2024-03-05T00:17:58.000Z",
                "2024/02/27 00:17:58 [error] 1#1: x",
            ),
            (
                "1.2.3.4 [01/Jan/2026:00:24:08 +0100] \"GET / HTTP/1.0\" 200 1",
                "2025-12-31T23:24:08.000Z",
                "1.2.3.4 [25/Dec/2025:00:24:08 +0100] \"GET / HTTP/1.0\" 200 1",
            ),
        ];
        for (line, time, before) in cases {
            let stamp = Stamp::of(line.as_bytes()).unwrap();
            assert_eq!(rfc3339(stamp.millis), time);
            let mut moved = Vec::new();
            stamp.earlier(line.as_bytes(), 7, &mut moved);
            assert_eq!(String::from_utf8(moved).unwrap(), before);
        }
        assert!(Stamp::of(b"Stack trace:").is_none());
        for since in [-719_468, -1, 0, 59, 60, 19_782, 20_000, 47_540] {
            let (year, month, day) = date(since);
            assert_eq!(days(year, month, day), since);
        }
    }
}
