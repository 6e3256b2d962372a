//! Times by a format as Ruby's `strptime` reads them (`%d/%b/%Y:%H:%M:%S %z`), compiled once. Knows nothing of zones that a
//! text does not name.

use sawlog_model::time::{civil_from_days, days_from_civil};

/// A part of a format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Byte(u8),
    /// Any number of blanks.
    Blanks,
    Year,
    Century,
    ShortYear,
    Month,
    MonthName,
    Day,
    DayOfYear,
    Hour,
    Hour12,
    HalfDay,
    Minute,
    Second,
    Fraction,
    Zone,
    WeekdayName,
    /// A number that says nothing that counts: a weekday, a week.
    Number(u8),
    Epoch,
    EpochMillis,
}

/// A format.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Format {
    parts: Vec<Part>,
}

/// What a text says of a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Told {
    pub year: Option<i64>,
    pub month: Option<i64>,
    pub day: Option<i64>,
    pub day_of_year: Option<i64>,
    /// Seconds since midnight.
    pub of_day: i64,
    pub nanos: u32,
    /// Seconds east of UTC.
    pub zone: Option<i32>,
    /// Seconds since 1970; then nothing else counts.
    pub epoch: Option<i64>,
}

impl Told {
    /// Seconds of the wall clock since 1970; what is missing of the date is as of `today`: the year such that the time is at
    /// most a day after it.
    pub fn wall(&self, today: i64) -> Option<i64> {
        let date = |year: i64| -> Option<i64> {
            if let Some(day) = self.day_of_year {
                return Some(days_from_civil(year, 1, 1) + day - 1);
            }
            let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
            let days = days_from_civil(year, month, day);
            (civil_from_days(days) == (year, month, day)).then_some(days)
        };
        let this_year = civil_from_days((today + 86_400).div_euclid(86_400)).0;
        if let Some(year) = self.year {
            return Some(date(year)? * 86_400 + self.of_day);
        }
        if self.month.is_none() && self.day.is_none() && self.day_of_year.is_none() {
            return Some(today.div_euclid(86_400) * 86_400 + self.of_day);
        }
        let near = |wall: &i64| *wall <= today + 86_400;
        (0..9).filter_map(|back| date(this_year - back)).map(|days| days * 86_400 + self.of_day).find(near)
    }
}

impl Format {
    /// Compiles a format.
    ///
    /// # Errors
    /// Names the directive that there is not.
    pub fn new(text: &str) -> Result<Format, String> {
        let mut parts = Vec::new();
        compile(text, &mut parts)?;
        Ok(Format { parts })
    }

    /// Reads the time that a text begins with.
    pub fn read(&self, text: &[u8]) -> Option<Told> {
        let mut reader =
            Reader { text, at: 0, told: Told::default(), hour: 0, afternoon: None, century: None };
        let (mut minute, mut second) = (0, 0);
        for part in &self.parts {
            match part {
                Part::Byte(byte) => {
                    (reader.peek() == *byte && reader.at < text.len()).then(|| reader.at += 1)?;
                }
                Part::Minute => minute = reader.number(2, 59)?,
                Part::Second => second = reader.number(2, 60)?,
                part => reader.part(*part)?,
            }
        }
        let Reader { mut told, mut hour, .. } = reader;
        if let Some(afternoon) = reader.afternoon {
            hour = hour % 12 + if afternoon { 12 } else { 0 };
        }
        if let Some(century) = reader.century {
            told.year = Some(century * 100 + told.year.map_or(0, |year| year % 100));
        }
        told.of_day = hour * 3600 + minute * 60 + second;
        Some(told)
    }
}

fn compile(text: &str, parts: &mut Vec<Part>) -> Result<(), String> {
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte.is_ascii_whitespace() {
            parts.push(Part::Blanks);
            continue;
        }
        if byte != b'%' {
            parts.push(Part::Byte(byte));
            continue;
        }
        while bytes
            .peek()
            .is_some_and(|next| matches!(next, b'-' | b'^' | b'#' | b'_' | b':' | b'0'..=b'9' | b'E' | b'O'))
        {
            bytes.next();
        }
        let directive = bytes.next().ok_or("the time format ends with `%`")?;
        let (part, longer) = match directive {
            b'Y' | b'G' => (Part::Year, ""),
            b'C' => (Part::Century, ""),
            b'y' | b'g' => (Part::ShortYear, ""),
            b'm' => (Part::Month, ""),
            b'b' | b'B' | b'h' => (Part::MonthName, ""),
            b'd' | b'e' => (Part::Day, ""),
            b'j' => (Part::DayOfYear, ""),
            b'H' | b'k' => (Part::Hour, ""),
            b'I' | b'l' => (Part::Hour12, ""),
            b'p' | b'P' => (Part::HalfDay, ""),
            b'M' => (Part::Minute, ""),
            b'S' => (Part::Second, ""),
            b'L' | b'N' => (Part::Fraction, ""),
            b'z' | b'Z' => (Part::Zone, ""),
            b'a' | b'A' => (Part::WeekdayName, ""),
            b'u' | b'w' => (Part::Number(1), ""),
            b'U' | b'W' | b'V' => (Part::Number(2), ""),
            b's' => (Part::Epoch, ""),
            b'Q' => (Part::EpochMillis, ""),
            b'n' | b't' => (Part::Blanks, ""),
            b'%' => (Part::Byte(b'%'), ""),
            b'F' => (Part::Blanks, "%Y-%m-%d"),
            b'T' | b'X' => (Part::Blanks, "%H:%M:%S"),
            b'D' | b'x' => (Part::Blanks, "%m/%d/%y"),
            b'R' => (Part::Blanks, "%H:%M"),
            b'r' => (Part::Blanks, "%I:%M:%S %p"),
            b'c' => (Part::Blanks, "%a %b %e %H:%M:%S %Y"),
            b'v' => (Part::Blanks, "%e-%b-%Y"),
            b'+' => (Part::Blanks, "%a %b %e %H:%M:%S %Z %Y"),
            other => return Err(format!("`{text}`: a time format has no `%{}`", char::from(other))),
        };
        if longer.is_empty() { parts.push(part) } else { compile(longer, parts)? }
    }
    Ok(())
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    told: Told,
    hour: i64,
    afternoon: Option<bool>,
    century: Option<i64>,
}

const MONTHS: [&[u8]; 12] = [
    b"january",
    b"february",
    b"march",
    b"april",
    b"may",
    b"june",
    b"july",
    b"august",
    b"september",
    b"october",
    b"november",
    b"december",
];
const WEEKDAYS: [&[u8]; 7] =
    [b"sunday", b"monday", b"tuesday", b"wednesday", b"thursday", b"friday", b"saturday"];

impl Reader<'_> {
    #[inline]
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    /// Up to so many digits, one at least; a blank before fewer counts as one.
    #[inline]
    fn number(&mut self, most: usize, largest: i64) -> Option<i64> {
        let blank = usize::from(self.peek() == b' ');
        self.at += blank;
        let (mut value, mut taken) = (0, 0);
        while taken < most.saturating_sub(blank).max(1) && self.peek().is_ascii_digit() {
            value = value * 10 + i64::from(self.peek() - b'0');
            self.at += 1;
            taken += 1;
        }
        (taken > 0 && value <= largest).then_some(value)
    }

    /// All digits that there are.
    fn count(&mut self) -> Option<i64> {
        let negative = self.peek() == b'-';
        self.at += usize::from(negative);
        let from = self.at;
        let mut value = 0i64;
        while self.peek().is_ascii_digit() {
            value = value.checked_mul(10)?.checked_add(i64::from(self.peek() - b'0'))?;
            self.at += 1;
        }
        (self.at > from).then_some(if negative { -value } else { value })
    }

    /// One of a list of names, whole or its first three letters; which one.
    fn name(&mut self, names: &[&[u8]]) -> Option<usize> {
        let rest = &self.text[self.at..];
        let begins = |name: &[u8]| rest.get(..name.len()).is_some_and(|have| have.eq_ignore_ascii_case(name));
        let found = names.iter().position(|name| begins(&name[..3]))?;
        self.at += if begins(names[found]) { names[found].len() } else { 3 };
        Some(found)
    }

    fn part(&mut self, part: Part) -> Option<()> {
        match part {
            Part::Blanks => {
                while self.peek().is_ascii_whitespace() {
                    self.at += 1;
                }
            }
            Part::Year => self.told.year = Some(self.number(4, 9_999)?),
            Part::Century => self.century = Some(self.number(2, 99)?),
            Part::ShortYear => {
                let year = self.number(2, 99)?;
                self.told.year = Some(if year < 69 { 2000 + year } else { 1900 + year });
            }
            Part::Month => self.told.month = Some(self.number(2, 12).filter(|month| *month > 0)?),
            Part::MonthName => self.told.month = Some(self.name(&MONTHS)? as i64 + 1),
            Part::Day => self.told.day = Some(self.number(2, 31).filter(|day| *day > 0)?),
            Part::DayOfYear => self.told.day_of_year = Some(self.number(3, 366).filter(|day| *day > 0)?),
            Part::Hour => self.hour = self.number(2, 24)?,
            Part::Hour12 => self.hour = self.number(2, 12)?,
            Part::HalfDay => {
                let rest = &self.text[self.at..];
                let dots = rest.get(1) == Some(&b'.');
                self.afternoon = Some(match rest.first()?.to_ascii_lowercase() {
                    b'a' => false,
                    b'p' => true,
                    _ => return None,
                });
                self.at = (self.at + if dots { 4 } else { 2 }).min(self.text.len());
            }
            Part::Fraction => self.fraction()?,
            Part::Zone => self.told.zone = Some(self.zone()?),
            Part::WeekdayName => drop(self.name(&WEEKDAYS)?),
            Part::Number(digits) => drop(self.number(usize::from(digits), 99)?),
            Part::Epoch => self.told.epoch = Some(self.count()?),
            Part::EpochMillis => {
                let millis = self.count()?;
                self.told.epoch = Some(millis.div_euclid(1000));
                self.told.nanos = millis.rem_euclid(1000) as u32 * 1_000_000;
            }
            Part::Byte(_) | Part::Minute | Part::Second => {}
        }
        Some(())
    }

    fn fraction(&mut self) -> Option<()> {
        let from = self.at;
        let mut nanos = 0;
        while self.peek().is_ascii_digit() {
            if self.at - from < 9 {
                nanos = nanos * 10 + u32::from(self.peek() - b'0');
            }
            self.at += 1;
        }
        let digits = (self.at - from).min(9);
        self.told.nanos = nanos * 10u32.pow(9 - digits as u32);
        (digits > 0).then_some(())
    }

    /// `+0900`, `+09:00`, `+09`, `Z`, or a well-known name; seconds east of UTC.
    fn zone(&mut self) -> Option<i32> {
        let sign = match self.peek() {
            b'+' => 1,
            b'-' => -1,
            _ => return self.zone_name(),
        };
        self.at += 1;
        let mut numbers = [0; 2];
        for (place, number) in numbers.iter_mut().enumerate() {
            if place == 1 && self.peek() == b':' {
                self.at += 1;
            }
            match self.text.get(self.at..self.at + 2) {
                Some([a @ b'0'..=b'9', b @ b'0'..=b'9']) => {
                    *number = i32::from(a - b'0') * 10 + i32::from(b - b'0');
                    self.at += 2;
                }
                _ if place == 0 => return None,
                _ => {}
            }
        }
        (numbers[0] < 24 && numbers[1] < 60).then_some(sign * (numbers[0] * 3600 + numbers[1] * 60))
    }

    fn zone_name(&mut self) -> Option<i32> {
        let rest = &self.text[self.at..];
        let len = rest.iter().take(5).take_while(|byte| byte.is_ascii_alphabetic()).count();
        let hours = match rest[..len].to_ascii_uppercase().as_slice() {
            b"Z" | b"UTC" | b"GMT" | b"UT" | b"WET" => 0,
            b"CET" | b"BST" | b"WEST" => 1,
            b"CEST" | b"EET" => 2,
            b"EEST" | b"MSK" => 3,
            b"JST" | b"KST" => 9,
            b"EST" | b"CDT" => -5,
            b"EDT" => -4,
            b"CST" | b"MDT" => -6,
            b"MST" | b"PDT" => -7,
            b"PST" => -8,
            _ => return None,
        };
        self.at += len;
        Some(hours * 3600)
    }
}
