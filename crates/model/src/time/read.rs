//! Recognising a time at the start of a text, by its bytes alone: no pattern is compiled, nothing is allocated. Knows
//! nothing of where in a line a time may stand.

use super::layout::{Clock, Date, Form, Layout, find};
use super::{Nanos, SECOND, civil_from_days, days_from_civil};

/// A time as a text states it: not yet a point in time where the text has no year or no zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// The layout that prints it; 0 where none does.
    pub layout: Layout,
    /// Bytes of the text that it takes.
    pub len: usize,
    /// Seconds east of UTC, where the text says so, be it behind those bytes (`… 09:06:08 CET`, of which the layout is
    /// that of `… 09:06:08`).
    pub zone: Option<i32>,
    /// Bytes behind those that the short name of that zone takes, with the blank before it.
    pub tail: usize,
    /// Seconds of the wall clock since 1970; of the year 1970 itself where the year is missing.
    wall: i64,
    nanos: u32,
    /// Month and day, where the year is missing, and the weekday (0 is Thursday, as of 1970-01-01), where it is written.
    yearless: Option<(u8, u8, Option<u8>)>,
}

impl Stamp {
    /// Seconds of the wall clock since 1970. Where the year is missing: of the latest year that is not later than
    /// `reference` (of the same wall clock) and a day; where a weekday is written and fits one of the last years, of the
    /// latest such. `None` where there is no such year (a 29th of February).
    pub fn wall(&self, reference: i64) -> Option<i64> {
        let Some((month, day, weekday)) = self.yearless else { return Some(self.wall) };
        let (month, day) = (i64::from(month), i64::from(day));
        let latest = reference.saturating_add(86_400);
        let (year, _, _) = civil_from_days(latest.div_euclid(86_400));
        let mut walls = (0..9)
            .map(|back| year - back)
            .filter(|year| day <= days_of_month(*year, month))
            .map(|year| days_from_civil(year, month, day) * 86_400 + self.wall)
            .filter(|wall| *wall <= latest);
        let fits = |wall: &i64| {
            weekday.is_none_or(|weekday| wall.div_euclid(86_400).rem_euclid(7) == i64::from(weekday))
        };
        walls.clone().find(fits).or_else(|| walls.next())
    }

    /// The time, where the wall clock is `zone` seconds east of UTC (what the text itself says goes first). `None` where
    /// it is out of the range of [`Nanos`] or there is no such year.
    pub fn time(&self, zone: i32, reference: Nanos) -> Option<Nanos> {
        let zone = i64::from(self.zone.unwrap_or(zone));
        let wall = self.wall(reference.div_euclid(SECOND) + zone)?;
        self.at(wall - zone)
    }

    /// The time whose whole seconds since 1970 in UTC are these. `None` where it is out of range.
    pub fn at(&self, seconds: i64) -> Option<Nanos> {
        // Before 1970 the product may be out of range where the sum is not; nobody logs 1677.
        seconds.checked_mul(SECOND)?.checked_add(i64::from(self.nanos))
    }
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Reads the date and time of day that `text` begins with. What follows must not be a digit.
#[inline]
pub fn read(text: &[u8]) -> Option<Stamp> {
    match text.first()? {
        b'0'..=b'9' => read_digits(text),
        b'A'..=b'Z' => read_name(text),
        _ => None,
    }
}

/// Reads the count since 1970 that `text` begins with: 10 digits are seconds (a fraction may follow), 13 milli-, 16
/// micro-, 19 nanoseconds. What follows must not be a digit.
pub fn read_epoch(text: &[u8]) -> Option<Stamp> {
    let mut reader = Reader { text, at: 0 };
    let count = reader.digit_run(20);
    let value = count
        .iter()
        .try_fold(0u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')))?;
    let (date, unit) = match count.len() {
        10 => (Date::Seconds, 1),
        13 => (Date::Millis, 1_000),
        16 => (Date::Micros, 1_000_000),
        19 => (Date::Nanoseconds, 1_000_000_000),
        _ => return None,
    };
    if count[0] == b'0' {
        return None;
    }
    let (separator, digits, nanos) = if unit == 1 { reader.fraction(b'.')? } else { (0, &b""[..], 0) };
    let layout = find((date, 0, Clock::None), separator, digits, Form::None);
    let nanos = nanos + (value % unit) as u32 * (1_000_000_000 / unit) as u32;
    Some(Stamp {
        layout,
        len: reader.at,
        zone: Some(0),
        tail: 0,
        wall: (value / unit) as i64,
        nanos,
        yearless: None,
    })
}

/// A date, as read: its kind, year (where it has one), month and day.
type Day = (Date, Option<i64>, u32, u32);

#[derive(Clone, Copy)]
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    #[inline]
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn peek_at(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    #[inline]
    fn byte(&mut self, wanted: u8) -> Option<()> {
        (self.peek() == wanted).then(|| self.at += 1)
    }

    #[inline]
    fn two(&mut self) -> Option<u32> {
        let (tens, ones) = (self.peek().wrapping_sub(b'0'), self.peek_at(1).wrapping_sub(b'0'));
        if tens > 9 || ones > 9 {
            return None;
        }
        self.at += 2;
        Some(u32::from(tens) * 10 + u32::from(ones))
    }

    /// One or two digits, and whether it is two.
    #[inline]
    fn one_or_two(&mut self) -> Option<(u32, bool)> {
        if let Some(value) = self.two() {
            return Some((value, true));
        }
        let digit = self.peek().wrapping_sub(b'0');
        self.at += 1;
        (digit <= 9).then_some((u32::from(digit), false))
    }

    #[inline]
    fn four(&mut self) -> Option<i64> {
        let (high, low) = (self.two()?, self.two()?);
        Some(i64::from(high * 100 + low))
    }

    /// As many digits as there are, up to `most`.
    #[inline]
    fn digit_run(&mut self, most: usize) -> &'a [u8] {
        let rest = &self.text[self.at..];
        let len = rest.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        self.at += len;
        &rest[..len]
    }

    /// A name of three letters out of a list of such; which one, from 0.
    #[inline]
    fn name(&mut self, names: &[[u8; 3]]) -> Option<u32> {
        let have = self.text.get(self.at..self.at + 3)?;
        let index = names.iter().position(|name| name == have)?;
        self.at += 3;
        Some(index as u32)
    }

    /// A month by its English short name.
    #[inline]
    fn month_name(&mut self) -> Option<u32> {
        Some(self.name(&MONTHS)? + 1)
    }

    /// A fraction, where one follows: `separator` and digits. A comma counts only before 3, 6 or 9 digits, else it
    /// stands between columns. Gives separator, digits (up to 9, all of them where a layout is to print them) and
    /// nanoseconds. `None` where more digits follow than anyone writes.
    #[inline]
    fn fraction(&mut self, separator: u8) -> Option<(u8, &'a [u8], u32)> {
        if self.peek() != separator || !self.peek_at(1).is_ascii_digit() {
            return Some((0, b"", 0));
        }
        let before = self.at;
        self.at += 1;
        let digits = self.digit_run(19);
        if separator == b',' && !matches!(digits.len(), 3 | 6 | 9) {
            self.at = before;
            return Some((0, b"", 0));
        }
        if self.peek().is_ascii_digit() {
            return None;
        }
        let number =
            |digits: &[u8]| digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        let nanos = match (separator, digits.len()) {
            // A count of milliseconds rather than a fraction.
            (b':', 1..=3) => number(digits) * 1_000_000,
            (b':', _) => return None,
            (_, len @ 0..9) => number(digits) * 10u32.pow(9 - len as u32),
            _ => number(&digits[..9]),
        };
        Some((separator, digits, nanos))
    }
}

const MONTHS: [[u8; 3]; 12] = [
    *b"Jan", *b"Feb", *b"Mar", *b"Apr", *b"May", *b"Jun", *b"Jul", *b"Aug", *b"Sep", *b"Oct", *b"Nov",
    *b"Dec",
];
const WEEKDAYS: [[u8; 3]; 7] = [*b"Thu", *b"Fri", *b"Sat", *b"Sun", *b"Mon", *b"Tue", *b"Wed"];

/// Texts that begin with a digit.
fn read_digits(text: &[u8]) -> Option<Stamp> {
    let digits = text.iter().take(9).take_while(|byte| byte.is_ascii_digit()).count();
    let mut reader = Reader { text, at: 0 };
    let next = text.get(digits).copied().unwrap_or(0);
    let day = match (digits, next) {
        (4, b'-' | b'/' | b'.') => year_first(&mut reader, next)?,
        (4, b' ') => {
            let (month, day) = (reader.two()?, reader.two()?);
            (Date::MonthCompact, None, month, day)
        }
        (8, _) => (Date::Compact, Some(reader.four()?), reader.two()?, reader.two()?),
        (6, b' ') => (Date::ShortCompact, Some(short_year(reader.two()?)), reader.two()?, reader.two()?),
        (1 | 2, b'/' | b'-' | b'.' | b' ') => day_or_month_first(&mut reader, next)?,
        _ => return None,
    };
    clock(reader, day, None)
}

/// Two digits of a year: 1970 to 2069.
fn short_year(year: u32) -> i64 {
    i64::from(if year < 70 { 2000 + year } else { 1900 + year })
}

fn year_first(reader: &mut Reader<'_>, separator: u8) -> Option<Day> {
    let year = reader.four()?;
    reader.byte(separator)?;
    let month = reader.two()?;
    reader.byte(separator)?;
    let day = reader.two()?;
    let date = match separator {
        b'-' => Date::YearDash,
        b'/' => Date::YearSlash,
        _ => Date::YearDot,
    };
    Some((date, Some(year), month, day))
}

/// One or two digits, a separator, and then either a month's name or more digits.
fn day_or_month_first(reader: &mut Reader<'_>, separator: u8) -> Option<Day> {
    if reader.peek_at(1) == separator {
        return single_digit_day(reader, separator);
    }
    let first = reader.two()?;
    reader.byte(separator)?;
    if reader.peek().is_ascii_uppercase() {
        let month = reader.month_name()?;
        reader.byte(separator)?;
        let year = reader.four()?;
        let date = match separator {
            b'/' => Date::DayNameSlash,
            b'-' => Date::DayNameDash,
            b' ' => Date::DayNameBlank,
            _ => return None,
        };
        return Some((date, Some(year), month, first));
    }
    let second = reader.two()?;
    if reader.peek() == separator && separator != b' ' && separator != b'-' {
        reader.byte(separator)?;
        return three_numbers(reader, separator, first, second);
    }
    let date = match separator {
        b'-' => Date::MonthDash,
        b'/' => Date::MonthSlash,
        b'.' => Date::MonthDot,
        _ => return None,
    };
    Some((date, None, first, second))
}

/// `9 Jun 2005`; no layout prints it back, but it is a date.
fn single_digit_day(reader: &mut Reader<'_>, separator: u8) -> Option<Day> {
    let day = u32::from(reader.peek() - b'0');
    reader.at += 2;
    let month = reader.month_name()?;
    reader.byte(separator)?;
    Some((Date::DayNameBlank, Some(reader.four()?), month, day))
}

/// What follows two numbers of a date: the day of `15/07/29`, or the year of `07/29/2015` and `29.07.2015`.
fn three_numbers(reader: &mut Reader<'_>, separator: u8, first: u32, second: u32) -> Option<Day> {
    let digits = Reader { ..*reader }.digit_run(5).len();
    match (separator, digits) {
        (b'/', 2) => Some((Date::ShortSlash, Some(short_year(first)), second, reader.two()?)),
        (b'/', 4) => Some((Date::American, Some(reader.four()?), first, second)),
        (b'.', 4) => Some((Date::German, Some(reader.four()?), second, first)),
        _ => None,
    }
}

/// Texts that begin with the name of a month or a weekday.
fn read_name(text: &[u8]) -> Option<Stamp> {
    let mut reader = Reader { text, at: 0 };
    if let Some(month) = reader.month_name() {
        reader.byte(b' ')?;
        let (date, day) = day_behind_name(&mut reader)?;
        return clock(reader, (date, None, month, day), None);
    }
    let weekday = reader.name(&WEEKDAYS)?;
    if reader.byte(b',').is_some() {
        reader.byte(b' ')?;
        let (_, year, month, day) = day_or_month_first(&mut reader, b' ')?;
        return clock(reader, (Date::Mail, year, month, day), None);
    }
    reader.byte(b' ')?;
    let month = reader.month_name()?;
    reader.byte(b' ')?;
    let (date, day) = day_behind_name(&mut reader)?;
    let date = if date == Date::NameDayZero { Date::CtimeZero } else { Date::CtimeBlank };
    clock(reader, (date, None, month, day), Some(weekday as u8))
}

/// The day of `Jul  9`, `Jul 09`, `Jul 9`.
fn day_behind_name(reader: &mut Reader<'_>) -> Option<(Date, u32)> {
    if reader.peek() == b' ' {
        reader.at += 1;
        let day = reader.peek().wrapping_sub(b'0');
        reader.at += 1;
        return (day <= 9).then_some((Date::NameDayBlank, u32::from(day)));
    }
    if reader.peek_at(1) == b' ' {
        let day = reader.peek().wrapping_sub(b'0');
        reader.at += 1;
        return (day <= 9).then_some((Date::NameDayBare, u32::from(day)));
    }
    let day = reader.two()?;
    Some((if day < 10 { Date::NameDayZero } else { Date::NameDayBlank }, day))
}

/// Seconds east of UTC as they stand in a text, and whether its form is one that is printed back.
#[derive(Clone, Copy)]
struct Written {
    form: Form,
    seconds: Option<i32>,
    exact: bool,
    /// What the zone takes behind the stamp.
    tail: usize,
}

/// The rest of a stamp behind its date.
fn clock(
    mut reader: Reader<'_>,
    (mut date, mut year, month, day): Day,
    weekday: Option<u8>,
) -> Option<Stamp> {
    let gap = reader.peek();
    match (gap, date) {
        (b'T' | b' ', _) | (b':', Date::DayNameSlash) | (b'-', Date::Compact | Date::YearDash) => {
            reader.at += 1
        }
        _ => return None,
    }
    let (clock, of_day, mut exact) = time_of_day(&mut reader, date, gap)?;
    let separator = match reader.peek() {
        b':' if date == Date::Compact => b':',
        b',' => b',',
        _ => b'.',
    };
    let (separator, digits, nanos) = reader.fraction(separator)?;
    let mut zone = None;
    if matches!(date, Date::CtimeBlank | Date::CtimeZero) {
        if let Some((written, between)) = year_behind(&mut reader) {
            year = Some(written);
            zone = between;
            exact &= between.is_none();
        } else {
            exact &= date == Date::CtimeBlank || day >= 10;
            date = Date::WeekdayBlank;
        }
    }
    let written = match zone {
        Some(_) => Written { form: Form::None, seconds: zone, exact: true, tail: 0 },
        None => written_zone(&mut reader),
    };
    if reader.peek().is_ascii_digit() || day == 0 || !(1..=12).contains(&month) {
        return None;
    }
    if i64::from(day) > days_of_month(year.unwrap_or(2000), i64::from(month)) {
        return None;
    }
    let days = year.map_or(0, |year| days_from_civil(year, i64::from(month), i64::from(day)));
    let layout = match exact && written.exact && digits.len() <= 9 {
        true => find((date, gap, clock), separator, digits, written.form),
        false => Layout(0),
    };
    Some(Stamp {
        layout,
        len: reader.at,
        zone: written.seconds,
        tail: written.tail,
        wall: days * 86_400 + i64::from(of_day),
        nanos,
        yearless: year.is_none().then_some((month as u8, day as u8, weekday)),
    })
}

/// The clock's form, its seconds since midnight, and whether a layout prints it like that.
#[inline]
fn time_of_day(reader: &mut Reader<'_>, date: Date, gap: u8) -> Option<(Clock, u32, bool)> {
    let blank = reader.peek() == b' ' && gap == b' ';
    reader.at += usize::from(blank);
    let (hour, padded) = reader.one_or_two()?;
    let first = reader.peek();
    let (clock, minute, second, exact) = if first.is_ascii_digit() {
        if !padded || !matches!(date, Date::Compact | Date::ShortCompact) {
            return None;
        }
        (Clock::Compact, reader.two()?, reader.two()?, true)
    } else {
        reader.at += 1;
        let (minute, whole_minute) = reader.one_or_two()?;
        let second = reader.peek();
        reader.at += 1;
        let clock = match (first, second) {
            (b':', b':') if blank => Clock::BlankHour,
            (b':', b':') => Clock::Colons,
            (b'.', b'.') if gap == b'-' => Clock::Dots,
            (b':', b'.') if date == Date::YearDash => Clock::ColonDot,
            _ => return None,
        };
        let (second, whole_second) = reader.one_or_two()?;
        // Only one kind of log writes minutes without their zero; elsewhere it is something else.
        if date != Date::Compact && !(whole_minute && whole_second) {
            return None;
        }
        (clock, minute, second, whole_minute && whole_second && padded != blank)
    };
    // A leap second counts as the first second behind it.
    let whole = hour <= 23 && minute <= 59 && second <= 60 && !(blank && padded);
    whole.then_some((clock, hour * 3600 + minute * 60 + second, exact && second < 60))
}

/// The year behind the clock of `Thu Jun  9 06:07:04 2005`, or with a zone between; both move the reader.
fn year_behind(reader: &mut Reader<'_>) -> Option<(i64, Option<i32>)> {
    let mut ahead = *reader;
    ahead.byte(b' ')?;
    let mut zone = None;
    if ahead.peek().is_ascii_uppercase() {
        let (seconds, len) = abbreviation(&ahead.text[ahead.at..])?;
        zone = Some(seconds);
        ahead.at += len;
        ahead.byte(b' ')?;
    }
    let year = ahead.four()?;
    if ahead.peek().is_ascii_alphanumeric() || ahead.peek() == b':' {
        return None;
    }
    *reader = ahead;
    Some((year, zone))
}

/// A zone behind the clock: in digits, which are part of the stamp, or by a well-known short name, which is not.
#[inline]
fn written_zone(reader: &mut Reader<'_>) -> Written {
    let none = Written { form: Form::None, seconds: None, exact: true, tail: 0 };
    match reader.peek() {
        b'Z' if !reader.peek_at(1).is_ascii_alphanumeric() => {
            reader.at += 1;
            Written { form: Form::Zulu, seconds: Some(0), ..none }
        }
        b'+' | b'-' => zone_digits(reader, false).unwrap_or(none),
        b' ' if matches!(reader.peek_at(1), b'+' | b'-') => zone_digits(reader, true).unwrap_or(none),
        b' ' if reader.peek_at(1).is_ascii_uppercase() => {
            let named = abbreviation(&reader.text[reader.at + 1..]);
            named.map_or(none, |(seconds, len)| Written { seconds: Some(seconds), tail: len + 1, ..none })
        }
        _ => none,
    }
}

/// `+02:00`, `+0200`, `+02`, ` +0200`; anything that no place on earth has is not a zone, and the reader stays.
fn zone_digits(reader: &mut Reader<'_>, blank: bool) -> Option<Written> {
    let mut ahead = *reader;
    ahead.at += usize::from(blank);
    let negative = ahead.peek() == b'-';
    ahead.at += 1;
    let hours = ahead.two()?;
    let (form, minutes) = match ahead.peek() {
        b':' if !blank => {
            ahead.at += 1;
            (Form::Colon, ahead.two()?)
        }
        b'0'..=b'9' => (if blank { Form::BlankPlain } else { Form::Plain }, ahead.two()?),
        _ if blank => return None,
        _ => (Form::Hours, 0),
    };
    if hours > 14 || minutes % 15 != 0 || minutes > 45 || ahead.peek().is_ascii_digit() {
        return None;
    }
    let seconds = (hours * 3600 + minutes * 60) as i32;
    *reader = ahead;
    let exact = !(negative && seconds == 0);
    Some(Written { form, seconds: Some(if negative { -seconds } else { seconds }), exact, tail: 0 })
}

/// A well-known short name of a zone that `text` begins with: seconds east of UTC, and its length.
fn abbreviation(text: &[u8]) -> Option<(i32, usize)> {
    let len = text.iter().take(6).take_while(|byte| byte.is_ascii_uppercase()).count();
    if text.get(len).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let quarters = match &text[..len] {
        b"UTC" | b"GMT" | b"WET" => 0,
        b"CET" | b"WEST" | b"BST" => 4,
        b"CEST" | b"EET" => 8,
        b"EEST" | b"MSK" => 12,
        b"JST" | b"KST" => 36,
        b"AEST" => 40,
        b"EST" | b"CDT" => -20,
        b"EDT" => -16,
        b"CST" | b"MDT" => -24,
        b"MST" | b"PDT" => -28,
        b"PST" => -32,
        _ => return None,
    };
    Some((quarters * 900, len))
}
