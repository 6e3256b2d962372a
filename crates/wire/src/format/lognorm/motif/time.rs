//! Dates, times of day, durations.

use std::ops::Range;

use jiff::civil::DateTime;
use sawlog_model::Value;

use super::Worthy;

/// Year that times without one are of: liblognorm takes the present one.
fn this_year() -> i16 {
    let now = sawlog_sys::Sys::real().clock.now();
    jiff::Timestamp::from_nanosecond(i128::from(now))
        .map_or(1970, |now| now.to_zoned(jiff::tz::TimeZone::UTC).year())
}

/// What the value of a date is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum As {
    Text,
    Seconds,
    Millis,
}

/// A date with a time.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Stamp {
    old: bool,
    given: As,
}

/// What a date says.
struct Told {
    year: Option<i64>,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    millis: i64,
    /// Seconds east.
    zone: i64,
}

/// Reads digits.
struct Digits<'a> {
    line: &'a [u8],
    at: usize,
}

impl Digits<'_> {
    /// A number of any length; 0 where there is no digit.
    fn number(&mut self) -> i64 {
        let mut number: i64 = 0;
        while let Some(digit) = self.line.get(self.at).filter(|byte| byte.is_ascii_digit()) {
            number = number.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
            self.at += 1;
        }
        number
    }

    fn within(&mut self, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        Some(self.number()).filter(|number| range.contains(number))
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.line.get(self.at) == Some(&byte)).then(|| self.at += 1)
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }
}

impl Stamp {
    pub fn new(kind: &str, format: Option<&str>) -> Result<Stamp, String> {
        let given = match format {
            None | Some("string") => As::Text,
            Some("timestamp-unix") => As::Seconds,
            Some("timestamp-unix-ms") => As::Millis,
            Some(other) => {
                return Err(format!(
                    "`format` of `{kind}` is string, timestamp-unix or timestamp-unix-ms, not {other}"
                ));
            }
        };
        Ok(Stamp { old: kind == "date-rfc3164", given })
    }

    fn read(self, line: &[u8], at: usize) -> Option<(Told, usize)> {
        if self.old { rfc3164(line, at) } else { rfc5424(line, at) }
    }

    pub fn is_text(self) -> bool {
        self.given == As::Text
    }

    pub fn begins_with(self, byte: u8) -> bool {
        if self.old {
            b"jfmasond".contains(&byte.to_ascii_lowercase())
        } else {
            byte.is_ascii_digit() || byte == b'-'
        }
    }

    pub fn end(self, line: &[u8], at: usize) -> Option<usize> {
        if self.old
            && let Some(end) = usual(line, at)
        {
            return Some(end);
        }
        self.read(line, at).map(|(_, end)| end)
    }

    pub fn worth(self, line: &[u8], range: Range<usize>) -> Worthy {
        let told = self.read(line, range.start).filter(|_| self.given != As::Text);
        let Some((told, _)) = told else { return Worthy::Part(range) };
        let seconds = told.seconds();
        Worthy::Made(Value::Int(match self.given {
            As::Millis => seconds.saturating_mul(1000).saturating_add(told.millis),
            _ => seconds,
        }))
    }
}

impl Told {
    /// Seconds since 1970; 0 for years that liblognorm does not know.
    fn seconds(&self) -> i64 {
        let year = self.year.unwrap_or_else(|| i64::from(this_year()));
        if !(1970..=2100).contains(&year) {
            return 0;
        }
        // The day may be one that the month has not: it counts on.
        let month = i8::try_from(self.month).unwrap_or(1);
        let first = i16::try_from(year).ok().and_then(|year| DateTime::new(year, month, 1, 0, 0, 0, 0).ok());
        let first = first.and_then(|first| first.to_zoned(jiff::tz::TimeZone::UTC).ok());
        let first = first.map_or(0, |first| first.timestamp().as_second());
        first + (self.day - 1) * 86_400 + self.hour * 3600 + self.minute * 60 + self.second - self.zone
    }
}

fn rfc5424(line: &[u8], at: usize) -> Option<(Told, usize)> {
    let mut digits = Digits { line, at };
    let year = digits.number();
    digits.eat(b'-')?;
    let month = digits.within(1..=12)?;
    digits.eat(b'-')?;
    let day = digits.within(1..=31)?;
    digits.eat(b'T')?;
    let hour = digits.within(0..=23)?;
    digits.eat(b':')?;
    let minute = digits.within(0..=59)?;
    digits.eat(b':')?;
    let second = digits.within(0..=60)?;
    let mut millis = 0;
    if digits.eat(b'.').is_some() {
        let start = digits.at;
        digits.number();
        let shown = line[start..digits.at].iter().copied().chain([b'0'; 3]).take(3);
        millis = shown.fold(0, |millis, digit| millis * 10 + i64::from(digit - b'0'));
    }
    let zone = match digits.peek()? {
        b'Z' => {
            digits.at += 1;
            0
        }
        sign @ (b'+' | b'-') => {
            digits.at += 1;
            let hours = digits.within(0..=23)?;
            digits.eat(b':')?;
            let minutes = digits.within(0..=59)?;
            let east = hours * 3600 + minutes * 60;
            if sign == b'+' { east } else { -east }
        }
        _ => return None,
    };
    if digits.peek().is_some_and(|byte| byte != b' ') {
        return None;
    }
    Some((Told { year: Some(year), month, day, hour, minute, second, millis, zone }, digits.at))
}

/// The month of a name in small letters.
#[inline]
fn number_of_month(name: &[u8; 3]) -> Option<i64> {
    Some(match name {
        b"jan" => 1,
        b"feb" => 2,
        b"mar" => 3,
        b"apr" => 4,
        b"may" => 5,
        b"jun" => 6,
        b"jul" => 7,
        b"aug" => 8,
        b"sep" => 9,
        b"oct" => 10,
        b"nov" => 11,
        b"dec" => 12,
        _ => return None,
    })
}

/// The end of a date as nearly all are written: `Nov  2 03:05:04`, without a year or a colon behind it.
fn usual(line: &[u8], at: usize) -> Option<usize> {
    let text: &[u8; 16] = line.get(at..)?.first_chunk()?;
    let month = [text[0] | 0x20, text[1] | 0x20, text[2] | 0x20];
    let pair = |at: usize, most: u8| {
        let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
        tens <= 9 && ones <= 9 && tens * 10 + ones <= most
    };
    let one = text[4] == b' ' && (b'1'..=b'9').contains(&text[5]);
    let fits = (one || (pair(4, 31) && text[4..6] != *b"00"))
        && pair(7, 23)
        && pair(10, 59)
        && pair(13, 60)
        && [text[3], text[6]] == *b"  "
        && [text[9], text[12]] == *b"::"
        && text[15] != b':'
        && !text[15].is_ascii_digit();
    (fits && number_of_month(&month).is_some()).then_some(at + 15)
}

fn rfc3164(line: &[u8], at: usize) -> Option<(Told, usize)> {
    let [first, second, third] = line.get(at..)?.first_chunk()?;
    let month = number_of_month(&[first | 0x20, second | 0x20, third | 0x20])?;
    let mut digits = Digits { line, at: at + 3 };
    digits.eat(b' ')?;
    // Days of one digit stand with or without a blank before.
    let _ = digits.eat(b' ');
    let day = digits.within(1..=31)?;
    digits.eat(b' ')?;
    let mut hour = digits.number();
    if hour > 1970 && hour < 2100 {
        // A year stands here in what Cisco's devices write.
        digits.eat(b' ')?;
        hour = digits.number();
    }
    let hour = Some(hour).filter(|hour| *hour <= 23)?;
    digits.eat(b':')?;
    let minute = digits.within(0..=59)?;
    digits.eat(b':')?;
    let second = digits.within(0..=60)?;
    // And a colon behind it.
    let _ = digits.eat(b':');
    Some((Told { year: None, month, day, hour, minute, second, millis: 0, zone: 0 }, digits.at))
}

fn digit(line: &[u8], at: usize, most: u8) -> bool {
    line.get(at).is_some_and(|byte| (b'0'..=most).contains(byte))
}

pub(super) fn iso(line: &[u8], at: usize) -> Option<usize> {
    let text = line.get(at..at + 10)?;
    let number = |from: usize, to: usize| {
        text[from..to]
            .iter()
            .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
    };
    number(0, 4)?;
    let fits = text[4] == b'-' && text[7] == b'-';
    (fits && (1..=12).contains(&number(5, 7)?) && (1..=31).contains(&number(8, 10)?)).then_some(at + 10)
}

/// `:MM:SS`
fn minutes(line: &[u8], at: usize) -> Option<usize> {
    let fits = line.get(at) == Some(&b':')
        && digit(line, at + 1, b'5')
        && digit(line, at + 2, b'9')
        && line.get(at + 3) == Some(&b':')
        && digit(line, at + 4, b'5')
        && digit(line, at + 5, b'9');
    fits.then_some(at + 6)
}

pub(super) fn of_day(line: &[u8], at: usize) -> Option<usize> {
    let fits = match line.get(at)? {
        b'0' | b'1' => digit(line, at + 1, b'9'),
        b'2' => digit(line, at + 1, b'3'),
        _ => false,
    };
    if fits { minutes(line, at + 2) } else { None }
}

pub(super) fn of_half_day(line: &[u8], at: usize) -> Option<usize> {
    let fits = match line.get(at)? {
        b'0' => digit(line, at + 1, b'9'),
        b'1' => digit(line, at + 1, b'2'),
        _ => false,
    };
    if fits { minutes(line, at + 2) } else { None }
}

pub(super) fn duration(line: &[u8], at: usize) -> Option<usize> {
    if !digit(line, at, b'9') {
        return None;
    }
    minutes(line, at + 1 + usize::from(digit(line, at + 1, b'9')))
}

pub(super) fn kernel(line: &[u8], at: usize) -> Option<usize> {
    let digits =
        |from: usize| line[from.min(line.len())..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if line.get(at) != Some(&b'[') {
        return None;
    }
    let whole = digits(at + 1);
    let point = at + 1 + whole;
    let fits = (5..=12).contains(&whole)
        && line.get(point) == Some(&b'.')
        && digits(point + 1) == 6
        && line.get(point + 7) == Some(&b']');
    fits.then_some(point + 8)
}
