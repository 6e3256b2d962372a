//! Times as text, by the letters of Ruby's `strftime` and in a zone. Knows nothing of the present time.

use std::io::Write;

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};
use sawlog_model::Nanos;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The zone of a name (`Asia/Tokyo`), an offset (`+09:00`, `+0900`), or nothing, which is the machine's own.
///
/// # Errors
/// In words, where there is no such zone.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    if name.is_empty() {
        return Ok(TimeZone::system());
    }
    if matches!(name, "Z" | "UTC" | "utc") {
        return Ok(TimeZone::UTC);
    }
    let offset = || {
        let (sign, rest) = match name.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let digits: String = rest.chars().filter(|digit| *digit != ':').collect();
        if !digits.bytes().all(|digit| digit.is_ascii_digit()) || !matches!(digits.len(), 2 | 4) {
            return None;
        }
        let minutes =
            digits.get(2..).filter(|text| !text.is_empty()).map_or(Some(0), |text| text.parse().ok())?;
        let hours: i32 = digits[..2].parse().ok()?;
        Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok().map(TimeZone::fixed)
    };
    match offset() {
        Some(zone) => Ok(zone),
        None => {
            TimeZone::get(name).map_err(|_| format!("`{name}` is no zone; write it as +09:00 or Asia/Tokyo"))
        }
    }
}

/// How to write times.
#[derive(Clone, Debug)]
pub struct TimeFormat {
    format: String,
    zone: TimeZone,
}

impl TimeFormat {
    /// Times as `format` says, in this zone.
    pub fn new(format: &str, zone: TimeZone) -> Self {
        TimeFormat { format: format.to_owned(), zone }
    }

    /// As `2017-11-28T11:43:13+09:00`, or with `Z` in UTC.
    pub fn iso8601(zone: TimeZone) -> Self {
        let format = if zone == TimeZone::UTC { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%:z" };
        TimeFormat::new(format, zone)
    }

    /// Appends a time.
    pub fn write(&self, time: Nanos, out: &mut Vec<u8>) {
        // Every time of 64 bits in nanoseconds is within what jiff knows.
        let time = Timestamp::from_nanosecond(i128::from(time)).unwrap_or_default();
        expand(&self.format, &time.to_zoned(self.zone.clone()), out);
    }

    /// A time.
    pub fn text(&self, time: Nanos) -> String {
        let mut out = Vec::new();
        self.write(time, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

/// Whether the text has letters that a time stands for.
pub fn has_letters(format: &str) -> bool {
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        let directive = Directive::read(&rest[at + 1..]);
        if directive.as_ref().is_some_and(|directive| LETTERS.contains(directive.letter)) {
            return true;
        }
        rest = &rest[at + 1 + directive.map_or(0, |directive| directive.len)..];
    }
    false
}

/// Letters that stand for a part of a time.
const LETTERS: &str = "YCymBbhdejHkIlMSLNzZAauwpPsFTDRrcxXGVUWv";

/// `%`, flags, a width, colons and a letter.
struct Directive {
    /// Fills instead of the letter's own: none, blanks, zeros.
    fill: Option<Fill>,
    upper: bool,
    width: Option<usize>,
    colons: usize,
    letter: char,
    /// Bytes behind the `%`.
    len: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Fill {
    None,
    Blank,
    Zero,
}

impl Directive {
    fn read(text: &str) -> Option<Directive> {
        let mut found = Directive { fill: None, upper: false, width: None, colons: 0, letter: ' ', len: 0 };
        for (at, letter) in text.char_indices().take(16) {
            match letter {
                '-' => found.fill = Some(Fill::None),
                '_' => found.fill = Some(Fill::Blank),
                '0' if found.width.is_none() => found.fill = Some(Fill::Zero),
                '^' => found.upper = true,
                ':' => found.colons += 1,
                '0'..='9' => {
                    let digit = letter as usize - '0' as usize;
                    found.width = Some((found.width.unwrap_or(0) * 10 + digit).min(64));
                }
                _ => {
                    (found.letter, found.len) = (letter, at + letter.len_utf8());
                    return Some(found);
                }
            }
        }
        None
    }
}

fn expand(format: &str, time: &Zoned, out: &mut Vec<u8>) {
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        let before = out.len();
        let len = match Directive::read(rest) {
            Some(directive) if part(&directive, time, out) => directive.len,
            _ => {
                // What is no directive stays as it is.
                out.truncate(before);
                out.push(b'%');
                0
            }
        };
        rest = &rest[len..];
    }
    out.extend_from_slice(rest.as_bytes());
}

/// Appends what a directive stands for; `false` where it is none.
fn part(directive: &Directive, time: &Zoned, out: &mut Vec<u8>) -> bool {
    let mut number = |number: i64, width: usize, fill: Fill| {
        let fill = directive.fill.unwrap_or(fill);
        let width = directive.width.unwrap_or(width);
        // Writing to a Vec cannot fail.
        let _ = match fill {
            Fill::None => write!(out, "{number}"),
            Fill::Blank => write!(out, "{number:width$}"),
            Fill::Zero => write!(out, "{number:0width$}"),
        };
    };
    let twelve = |hour: i8| i64::from(if hour % 12 == 0 { 12 } else { hour % 12 });
    let of_year = i64::from(time.day_of_year());
    let sunday = i64::from(time.weekday().to_sunday_zero_offset());
    let monday = i64::from(time.weekday().to_monday_zero_offset());
    match directive.letter {
        'Y' => number(i64::from(time.year()), 1, Fill::Zero),
        'C' => number(i64::from(time.year()).div_euclid(100), 2, Fill::Zero),
        'y' => number(i64::from(time.year()).rem_euclid(100), 2, Fill::Zero),
        'm' => number(i64::from(time.month()), 2, Fill::Zero),
        'd' => number(i64::from(time.day()), 2, Fill::Zero),
        'e' => number(i64::from(time.day()), 2, Fill::Blank),
        'j' => number(of_year, 3, Fill::Zero),
        'H' => number(i64::from(time.hour()), 2, Fill::Zero),
        'k' => number(i64::from(time.hour()), 2, Fill::Blank),
        'I' => number(twelve(time.hour()), 2, Fill::Zero),
        'l' => number(twelve(time.hour()), 2, Fill::Blank),
        'M' => number(i64::from(time.minute()), 2, Fill::Zero),
        'S' => number(i64::from(time.second()), 2, Fill::Zero),
        's' => number(time.timestamp().as_second(), 1, Fill::Zero),
        'u' => number(monday + 1, 1, Fill::Zero),
        'w' => number(sunday, 1, Fill::Zero),
        'U' => number((of_year + 6 - sunday) / 7, 2, Fill::Zero),
        'W' => number((of_year + 6 - monday) / 7, 2, Fill::Zero),
        'G' => number(i64::from(time.date().iso_week_date().year()), 1, Fill::Zero),
        'V' => number(i64::from(time.date().iso_week_date().week()), 2, Fill::Zero),
        'L' | 'N' => {
            let default = if directive.letter == 'L' { 3 } else { 9 };
            let digits = format!("{:09}", time.subsec_nanosecond());
            let width = directive.width.unwrap_or(default);
            out.extend_from_slice(&digits.as_bytes()[..width.min(9)]);
            out.extend(std::iter::repeat_n(b'0', width.saturating_sub(9)));
        }
        'z' => offset(time.offset().seconds(), directive.colons, out),
        letter => return words(letter, directive.upper, time, out),
    }
    true
}

/// Names, and letters that stand for several others; `false` where it is none of them.
fn words(letter: char, upper: bool, time: &Zoned, out: &mut Vec<u8>) -> bool {
    let month = MONTHS[usize::from(time.month().unsigned_abs()) - 1];
    let day = DAYS[usize::from(time.weekday().to_sunday_zero_offset().unsigned_abs())];
    let half = if time.hour() < 12 { "AM" } else { "PM" };
    let zone = time.strftime("%Z").to_string();
    let start = out.len();
    match letter {
        'B' => out.extend_from_slice(month.as_bytes()),
        'b' | 'h' => out.extend_from_slice(&month.as_bytes()[..3]),
        'A' => out.extend_from_slice(day.as_bytes()),
        'a' => out.extend_from_slice(&day.as_bytes()[..3]),
        'p' => out.extend_from_slice(half.as_bytes()),
        'P' => out.extend_from_slice(half.to_ascii_lowercase().as_bytes()),
        'Z' => out.extend_from_slice(zone.as_bytes()),
        'F' => expand("%Y-%m-%d", time, out),
        'T' | 'X' => expand("%H:%M:%S", time, out),
        'D' | 'x' => expand("%m/%d/%y", time, out),
        'R' => expand("%H:%M", time, out),
        'r' => expand("%I:%M:%S %p", time, out),
        'c' => expand("%a %b %e %H:%M:%S %Y", time, out),
        'v' => expand("%e-%^b-%Y", time, out),
        '%' => out.push(b'%'),
        'n' => out.push(b'\n'),
        't' => out.push(b'\t'),
        _ => return false,
    }
    if upper {
        out[start..].make_ascii_uppercase();
    }
    true
}

fn offset(seconds: i32, colons: usize, out: &mut Vec<u8>) {
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.unsigned_abs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    // Writing to a Vec cannot fail.
    let _ = match colons {
        0 => write!(out, "{sign}{hours:02}{minutes:02}"),
        1 => write!(out, "{sign}{hours:02}:{minutes:02}"),
        _ => write!(out, "{sign}{hours:02}:{minutes:02}:{rest:02}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2017-11-28 11:43:13.814351757 +0900, a Tuesday.
    const TIME: Nanos = 1_511_836_993_814_351_757;

    #[test]
    fn letters_mean_what_they_mean_in_ruby() {
        let tokyo = zone("Asia/Tokyo").unwrap();
        for (format, text) in [
            ("%Y-%m-%d %H:%M:%S.%N %z", "2017-11-28 11:43:13.814351757 +0900"),
            ("%Y%m%d_%-m/%_H|%k", "20171128_11/11|11"),
            ("%L %3N %6N %1N %12N", "814 814 814351 8 814351757000"),
            ("%:z %::z", "+09:00 +09:00:00"),
            ("%a %A %b %B %^a %^B", "Tue Tuesday Nov November TUE NOVEMBER"),
            ("%I %l %p %P", "11 11 AM am"),
            ("%j %U %W %V %G %u %w", "332 48 48 48 2017 2 2"),
            ("%s", "1511836993"),
            ("%F %T %D %R %r", "2017-11-28 11:43:13 11/28/17 11:43 11:43:13 AM"),
            ("%e-%^b-%Y %v %c", "28-NOV-2017 28-NOV-2017 Tue Nov 28 11:43:13 2017"),
            ("%C%y %%d %n%t%Z", "2017 %d \n\tJST"),
            ("100%, %Q %", "100%, %Q %"),
        ] {
            assert_eq!(TimeFormat::new(format, tokyo.clone()).text(TIME), text, "{format}");
        }
    }

    #[test]
    fn zones_by_name_and_by_offset() {
        let text = |name: &str| TimeFormat::iso8601(zone(name).unwrap()).text(TIME);
        assert_eq!(text("UTC"), "2017-11-28T02:43:13Z");
        assert_eq!((text("+0530"), text("+05:30")), (text("+05:30"), "2017-11-28T08:13:13+05:30".into()));
        assert_eq!(text("-02"), "2017-11-28T00:43:13-02:00");
        assert!(zone("Mars").is_err() && zone("+9").is_err());
    }

    #[test]
    fn letters_are_told_from_percent_signs() {
        assert!(has_letters("a%Y") && has_letters("%-d") && has_letters("%%%3N"));
        assert!(!has_letters("100%") && !has_letters("%%Y") && !has_letters("${tag}"));
    }
}
