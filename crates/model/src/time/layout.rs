//! The numbered layouts in which logs write times, and printing in them. The numbers go to disk and stay for ever: new
//! blocks are added behind the last, nothing is renumbered. Knows nothing of recognising a text; see `read`.
//!
//! How a written zone is kept: a layout says in which form the zone stands in the text (`Z`, `+02:00`, `+0200`, …), not
//! which one. Whoever stores a column of times keeps the zone beside it ([`Layout::find_zone`] gives it) and hands it to
//! [`Layout::print`]. Several layouts may print the same text (`.5` and trimmed digits); a column does best to try each
//! layout that occurs in it on all its rows.

use super::{Nanos, SECOND, civil_from_days, read};

/// A way in which logs write a time, that can be printed back. 0 is none: the text cannot be printed from the time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Layout(pub u8);

/// The date part. `_` and `0` tell how a day below ten is padded: with a blank, with a zero, or not at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Date {
    /// `2015-07-29`
    YearDash,
    /// `2015/07/29`
    YearSlash,
    /// `2015.07.29`
    YearDot,
    /// `20150729`
    Compact,
    /// `150729`
    ShortCompact,
    /// `15/07/29`
    ShortSlash,
    /// `29/Jul/2015`
    DayNameSlash,
    /// `29-Jul-2015`
    DayNameDash,
    /// `29 Jul 2015`
    DayNameBlank,
    /// `Wed, 29 Jul 2015`
    Mail,
    /// `Jul  9`
    NameDayBlank,
    /// `Jul 09`
    NameDayZero,
    /// `Jul 9`, and 10 to 31 only as the two above
    NameDayBare,
    /// `Thu Jul  9`, the year behind the clock
    CtimeBlank,
    /// `Thu Jul 09`, the year behind the clock
    CtimeZero,
    /// `Thu Jul  9`, no year
    WeekdayBlank,
    /// `07-29`
    MonthDash,
    /// `07/29`
    MonthSlash,
    /// `07.29`
    MonthDot,
    /// `0729`
    MonthCompact,
    /// `07/29/2015`
    American,
    /// `29.07.2015`
    German,
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Millis,
    /// Microseconds since 1970.
    Micros,
    /// Nanoseconds since 1970.
    Nanoseconds,
}

/// The clock part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Clock {
    /// `07:05:09`
    Colons,
    /// ` 7:05:09`
    BlankHour,
    /// `070509`
    Compact,
    /// `07.05.09`
    Dots,
    /// `07:05.09`
    ColonDot,
    /// There is none: the date is a count.
    None,
}

/// The fraction of a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fraction {
    /// None.
    None,
    /// Separator and so many digits.
    Fixed(u8, u8),
    /// A dot and digits without zeros at their end; nothing where the fraction is zero.
    Trimmed,
}

/// The form of the zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// Not written.
    None,
    /// `Z`
    Zulu,
    /// `+02:00`
    Colon,
    /// `+0200`
    Plain,
    /// ` +0200`
    BlankPlain,
    /// `+02`
    Hours,
}

/// Layouts that differ in fraction and zone only: number = first + fraction index * zones + zone index.
pub(super) struct Block {
    first: u8,
    pub(super) date: Date,
    gap: u8,
    clock: Clock,
    fractions: &'static [Fraction],
    zones: &'static [Form],
}

const MANY: &[Fraction] = &[
    Fraction::None,
    Fraction::Fixed(b'.', 3),
    Fraction::Fixed(b'.', 6),
    Fraction::Fixed(b'.', 7),
    Fraction::Fixed(b'.', 9),
    Fraction::Trimmed,
    Fraction::Fixed(b',', 3),
    Fraction::Fixed(b',', 6),
    Fraction::Fixed(b',', 9),
];
const SOME: &[Fraction] = &[
    Fraction::None,
    Fraction::Fixed(b'.', 3),
    Fraction::Fixed(b'.', 6),
    Fraction::Trimmed,
    Fraction::Fixed(b',', 3),
];
const COUNT: &[Fraction] = &[
    Fraction::None,
    Fraction::Fixed(b'.', 3),
    Fraction::Fixed(b'.', 6),
    Fraction::Fixed(b'.', 9),
    Fraction::Trimmed,
];
const WHOLE: &[Fraction] = &[Fraction::None];
const COLON3: &[Fraction] = &[Fraction::None, Fraction::Fixed(b':', 3)];
const ZONES: &[Form] = &[Form::None, Form::Zulu, Form::Colon, Form::Plain, Form::BlankPlain, Form::Hours];
const NO_ZONE: &[Form] = &[Form::None];
const NO_OR_BLANK: &[Form] = &[Form::None, Form::BlankPlain];
const NO_OR_ZULU: &[Form] = &[Form::None, Form::Zulu];

const fn block(
    first: u8,
    (date, gap, clock): (Date, u8, Clock),
    fractions: &'static [Fraction],
    zones: &'static [Form],
) -> Block {
    Block { first, date, gap, clock, fractions, zones }
}

/// All layouts. The first two are looked up most.
pub(super) const BLOCKS: &[Block] = &[
    block(1, (Date::YearDash, b'T', Clock::Colons), MANY, ZONES),
    block(55, (Date::YearDash, b' ', Clock::Colons), MANY, ZONES),
    block(109, (Date::YearSlash, b' ', Clock::Colons), SOME, NO_ZONE),
    block(114, (Date::YearDot, b' ', Clock::Colons), SOME, NO_ZONE),
    block(119, (Date::Compact, b'-', Clock::Colons), COLON3, NO_ZONE),
    block(121, (Date::Compact, b' ', Clock::Colons), SOME, NO_ZONE),
    block(126, (Date::Compact, b'T', Clock::Compact), WHOLE, NO_OR_ZULU),
    block(128, (Date::Compact, b' ', Clock::Compact), WHOLE, NO_ZONE),
    block(129, (Date::ShortCompact, b' ', Clock::Colons), SOME, NO_ZONE),
    block(134, (Date::ShortCompact, b' ', Clock::BlankHour), WHOLE, NO_ZONE),
    block(135, (Date::ShortCompact, b' ', Clock::Compact), WHOLE, NO_ZONE),
    block(136, (Date::ShortSlash, b' ', Clock::Colons), SOME, NO_ZONE),
    block(141, (Date::DayNameSlash, b':', Clock::Colons), SOME, NO_OR_BLANK),
    block(151, (Date::DayNameDash, b' ', Clock::Colons), SOME, NO_ZONE),
    block(156, (Date::DayNameBlank, b' ', Clock::Colons), SOME, NO_ZONE),
    block(161, (Date::Mail, b' ', Clock::Colons), WHOLE, NO_OR_BLANK),
    block(163, (Date::NameDayBlank, b' ', Clock::Colons), SOME, NO_ZONE),
    block(168, (Date::NameDayZero, b' ', Clock::Colons), SOME, NO_ZONE),
    block(173, (Date::NameDayBare, b' ', Clock::Colons), SOME, NO_ZONE),
    block(178, (Date::CtimeBlank, b' ', Clock::Colons), SOME, NO_ZONE),
    block(183, (Date::CtimeZero, b' ', Clock::Colons), SOME, NO_ZONE),
    block(188, (Date::WeekdayBlank, b' ', Clock::Colons), SOME, NO_ZONE),
    block(193, (Date::MonthDash, b' ', Clock::Colons), SOME, NO_ZONE),
    block(198, (Date::MonthSlash, b' ', Clock::Colons), SOME, NO_ZONE),
    block(203, (Date::MonthDot, b' ', Clock::Colons), SOME, NO_ZONE),
    block(208, (Date::MonthCompact, b' ', Clock::Colons), SOME, NO_ZONE),
    block(213, (Date::American, b' ', Clock::Colons), SOME, NO_ZONE),
    block(218, (Date::German, b' ', Clock::Colons), SOME, NO_ZONE),
    block(223, (Date::YearDash, b'-', Clock::Dots), SOME, NO_ZONE),
    block(228, (Date::YearDash, b' ', Clock::ColonDot), WHOLE, NO_ZONE),
    block(229, (Date::Seconds, 0, Clock::None), COUNT, NO_ZONE),
    block(234, (Date::Millis, 0, Clock::None), WHOLE, NO_ZONE),
    block(235, (Date::Micros, 0, Clock::None), WHOLE, NO_ZONE),
    block(236, (Date::Nanoseconds, 0, Clock::None), WHOLE, NO_ZONE),
];

/// What a layout prints.
#[derive(Clone, Copy)]
struct Shape {
    date: Date,
    gap: u8,
    clock: Clock,
    fraction: Fraction,
    form: Form,
}

/// The shape of each number.
static SHAPES: [Option<Shape>; 256] = shapes();

const fn shapes() -> [Option<Shape>; 256] {
    let mut table = [None; 256];
    let mut index = 0;
    while index < BLOCKS.len() {
        let block = &BLOCKS[index];
        let mut within = 0;
        while within < block.fractions.len() * block.zones.len() {
            let number = block.first as usize + within;
            assert!(table[number].is_none(), "two layouts of one number");
            table[number] = Some(Shape {
                date: block.date,
                gap: block.gap,
                clock: block.clock,
                fraction: block.fractions[within / block.zones.len()],
                form: block.zones[within % block.zones.len()],
            });
            within += 1;
        }
        index += 1;
    }
    table
}

/// The layout of these parts; none (0) where no number was given to them. `digits` are the fraction's, as written.
pub(super) fn find(parts: (Date, u8, Clock), separator: u8, digits: &[u8], form: Form) -> Layout {
    let Some(block) = BLOCKS.iter().find(|block| (block.date, block.gap, block.clock) == parts) else {
        return Layout(0);
    };
    let Some(zone) = block.zones.iter().position(|have| *have == form) else { return Layout(0) };
    let place = |wanted: Fraction| block.fractions.iter().position(|have| *have == wanted);
    let fixed = Fraction::Fixed(separator, digits.len() as u8);
    let fraction = match (digits.len(), digits.last()) {
        (_, None) => place(Fraction::None),
        (3 | 6, _) => place(fixed),
        (_, Some(b'1'..=b'9')) if separator == b'.' => place(Fraction::Trimmed).or_else(|| place(fixed)),
        _ => place(fixed),
    };
    fraction.map_or(Layout(0), |fraction| Layout(block.first + (fraction * block.zones.len() + zone) as u8))
}

const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
const WEEKDAYS: &[u8; 21] = b"ThuFriSatSunMonTueWed";

/// The wall clock of a time in a zone.
struct Wall {
    days: i64,
    year: i64,
    month: i64,
    day: i64,
    of_day: i64,
    nanos: i64,
}

impl Layout {
    /// Prints `time`, shifted by `zone` seconds east of UTC, as the layout writes it, at the end of `out`. Layouts with
    /// `Z` and counts since 1970 print UTC whatever the zone. `false` (and nothing printed) where the layout is unknown
    /// or cannot print it: a year it has no room for, a zone of odd seconds.
    pub fn print(self, time: Nanos, zone: i32, out: &mut Vec<u8>) -> bool {
        let Some(shape) = &SHAPES[self.0 as usize] else { return false };
        if shape.clock == Clock::None {
            return print_count(shape, time, out);
        }
        let zone = if shape.form == Form::Zulu { 0 } else { i64::from(zone) };
        let seconds = time.div_euclid(SECOND) + zone;
        let days = seconds.div_euclid(86_400);
        let (year, month, day) = civil_from_days(days);
        let wall = Wall {
            days,
            year,
            month,
            day,
            of_day: seconds.rem_euclid(86_400),
            nanos: time.rem_euclid(SECOND),
        };
        let step = if shape.form == Form::Hours { 3600 } else { 60 };
        let written = !matches!(shape.form, Form::None | Form::Zulu);
        if !(0..10_000).contains(&year) || (written && (zone % step != 0 || zone.abs() > 86_399)) {
            return false;
        }
        let start = out.len();
        let whole = print_date(shape.date, &wall, out)
            && print_clock(shape, &wall, out)
            && print_fraction(shape.fraction, wall.nanos, out);
        if !whole {
            out.truncate(start);
            return false;
        }
        if matches!(shape.date, Date::CtimeBlank | Date::CtimeZero) {
            out.push(b' ');
            four(wall.year, out);
        }
        print_zone(shape.form, zone, out);
        true
    }

    /// The zone, in seconds east of UTC, with which this layout prints `time` as `text`; `None` where there is none.
    pub fn find_zone(self, time: Nanos, text: &[u8]) -> Option<i32> {
        let shape = SHAPES[self.0 as usize].as_ref()?;
        let zone = if shape.clock == Clock::None {
            0
        } else {
            let stamp = read(text)?;
            let seconds = time.div_euclid(SECOND);
            match stamp.zone {
                Some(zone) => zone,
                None => i32::try_from(stamp.wall(seconds)? - seconds).ok()?,
            }
        };
        let mut out = Vec::with_capacity(text.len());
        (self.print(time, zone, &mut out) && out == text).then_some(zone)
    }
}

fn two(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]);
}

fn four(value: i64, out: &mut Vec<u8>) {
    two(value / 100, out);
    two(value % 100, out);
}

fn month_name(month: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&MONTHS[(month as usize - 1) * 3..][..3]);
}

fn weekday(wall: &Wall, out: &mut Vec<u8>) {
    out.extend_from_slice(&WEEKDAYS[wall.days.rem_euclid(7) as usize * 3..][..3]);
}

/// Two digits, or a blank and one.
fn two_or_blank(value: i64, out: &mut Vec<u8>) {
    two(value, out);
    if value < 10 {
        let at = out.len() - 2;
        out[at] = b' ';
    }
}

/// `false` where the layout has no room for the year.
fn print_date(date: Date, wall: &Wall, out: &mut Vec<u8>) -> bool {
    match date {
        Date::YearDash => year_month_day(wall, b"-", out),
        Date::YearSlash => year_month_day(wall, b"/", out),
        Date::YearDot => year_month_day(wall, b".", out),
        Date::Compact => year_month_day(wall, b"", out),
        Date::ShortCompact | Date::ShortSlash => {
            if !(1970..2070).contains(&wall.year) {
                return false;
            }
            let separator: &[u8] = if date == Date::ShortSlash { b"/" } else { b"" };
            two(wall.year % 100, out);
            out.extend_from_slice(separator);
            pair(wall.month, separator, wall.day, out);
        }
        Date::MonthDash => pair(wall.month, b"-", wall.day, out),
        Date::MonthSlash => pair(wall.month, b"/", wall.day, out),
        Date::MonthDot => pair(wall.month, b".", wall.day, out),
        Date::MonthCompact => pair(wall.month, b"", wall.day, out),
        Date::American => {
            pair(wall.month, b"/", wall.day, out);
            out.push(b'/');
            four(wall.year, out);
        }
        Date::German => {
            pair(wall.day, b".", wall.month, out);
            out.push(b'.');
            four(wall.year, out);
        }
        Date::Seconds | Date::Millis | Date::Micros | Date::Nanoseconds => return false,
        _ => print_named_date(date, wall, out),
    }
    true
}

/// Two numbers of two digits.
fn pair(first: i64, separator: &[u8], second: i64, out: &mut Vec<u8>) {
    two(first, out);
    out.extend_from_slice(separator);
    two(second, out);
}

fn year_month_day(wall: &Wall, separator: &[u8], out: &mut Vec<u8>) {
    four(wall.year, out);
    out.extend_from_slice(separator);
    pair(wall.month, separator, wall.day, out);
}

/// Dates that hold the name of a month, and maybe of a weekday.
fn print_named_date(date: Date, wall: &Wall, out: &mut Vec<u8>) {
    match date {
        Date::Mail => {
            weekday(wall, out);
            out.extend_from_slice(b", ");
        }
        Date::CtimeBlank | Date::CtimeZero | Date::WeekdayBlank => {
            weekday(wall, out);
            out.push(b' ');
        }
        _ => {}
    }
    let separator = match date {
        Date::DayNameSlash => b'/',
        Date::DayNameDash => b'-',
        Date::DayNameBlank | Date::Mail => b' ',
        _ => {
            month_name(wall.month, out);
            out.push(b' ');
            match date {
                Date::NameDayZero | Date::CtimeZero => two(wall.day, out),
                Date::NameDayBare if wall.day < 10 => out.push(b'0' + wall.day as u8),
                _ => two_or_blank(wall.day, out),
            }
            return;
        }
    };
    two(wall.day, out);
    out.push(separator);
    month_name(wall.month, out);
    out.push(separator);
    four(wall.year, out);
}

fn print_clock(shape: &Shape, wall: &Wall, out: &mut Vec<u8>) -> bool {
    let (hour, minute, second) = (wall.of_day / 3600, wall.of_day / 60 % 60, wall.of_day % 60);
    let (first, last) = match shape.clock {
        Clock::Colons | Clock::BlankHour => (b':', b':'),
        Clock::Dots => (b'.', b'.'),
        Clock::ColonDot => (b':', b'.'),
        Clock::Compact => (0, 0),
        Clock::None => return false,
    };
    out.push(shape.gap);
    if shape.clock == Clock::BlankHour {
        if hour >= 10 {
            return false;
        }
        two_or_blank(hour, out);
    } else {
        two(hour, out);
    }
    if first != 0 {
        out.push(first);
    }
    two(minute, out);
    if last != 0 {
        out.push(last);
    }
    two(second, out);
    true
}

/// `false` where digits would be lost.
fn print_fraction(fraction: Fraction, nanos: i64, out: &mut Vec<u8>) -> bool {
    let (separator, digits) = match fraction {
        Fraction::None => return nanos == 0,
        Fraction::Fixed(separator, digits) => (separator, usize::from(digits)),
        Fraction::Trimmed if nanos == 0 => return true,
        Fraction::Trimmed => (b'.', 9),
    };
    let mut text = [b'0'; 9];
    let mut rest = nanos;
    for place in text.iter_mut().rev() {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let mut kept = digits;
    if fraction == Fraction::Trimmed {
        while text[kept - 1] == b'0' {
            kept -= 1;
        }
    }
    out.push(separator);
    out.extend_from_slice(&text[..kept]);
    text[kept..].iter().all(|digit| *digit == b'0')
}

fn print_zone(form: Form, zone: i64, out: &mut Vec<u8>) {
    match form {
        Form::None => return,
        Form::Zulu => {
            out.push(b'Z');
            return;
        }
        Form::BlankPlain => out.push(b' '),
        Form::Colon | Form::Plain | Form::Hours => {}
    }
    out.push(if zone < 0 { b'-' } else { b'+' });
    two(zone.abs() / 3600, out);
    if form == Form::Hours {
        return;
    }
    if form == Form::Colon {
        out.push(b':');
    }
    two(zone.abs() / 60 % 60, out);
}

/// Prints a count since 1970; negative ones are not read and so not printed.
fn print_count(shape: &Shape, time: Nanos, out: &mut Vec<u8>) -> bool {
    let unit = match shape.date {
        Date::Millis => 1_000_000,
        Date::Micros => 1_000,
        Date::Nanoseconds => 1,
        _ => SECOND,
    };
    let whole = shape.date == Date::Seconds || time % unit == 0;
    if time < 0 || !whole {
        return false;
    }
    let start = out.len();
    let mut count = time / unit;
    loop {
        out.push(b'0' + (count % 10) as u8);
        count /= 10;
        if count == 0 {
            break;
        }
    }
    out[start..].reverse();
    if shape.date == Date::Seconds && !print_fraction(shape.fraction, time % SECOND, out) {
        out.truncate(start);
        return false;
    }
    true
}
