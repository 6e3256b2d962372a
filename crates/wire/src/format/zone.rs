//! From what a text says of a time to a point in time: the source's zone where the text names none, and the reference by
//! which a missing year is found. Knows nothing of lines.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sawlog_model::Nanos;
use sawlog_model::time::{SECOND, Stamp};

/// The zone of a source.
#[derive(Clone, Debug)]
enum Zone {
    /// Seconds east of UTC, always.
    Fixed(i32),
    /// A place with its rules.
    Named(TimeZone),
}

/// Turns stamps into times.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    zone: Zone,
    reference: Nanos,
    /// The quarter of an hour of the wall clock asked for last, and its offset: rules change at none but its ends.
    last: (i64, i32),
}

impl Clock {
    /// A clock in `zone` (an IANA name, `+02:00`, or `local` for this machine's; `None` is UTC). `Err` where there is no such zone.
    pub fn new(zone: Option<&str>, reference: Nanos) -> Result<Self, ()> {
        let zone = match zone {
            None => Zone::Fixed(0),
            Some("local") => Zone::Named(TimeZone::system()),
            Some(name) => match fixed(name) {
                Some(seconds) => Zone::Fixed(seconds),
                None => Zone::Named(TimeZone::get(name).map_err(|_| ())?),
            },
        };
        Ok(Clock { zone, reference, last: (i64::MIN, 0) })
    }

    /// A clock in UTC.
    pub fn utc(reference: Nanos) -> Self {
        Clock { zone: Zone::Fixed(0), reference, last: (i64::MIN, 0) }
    }

    /// Takes another reference for times without a year.
    pub fn refer(&mut self, reference: Nanos) {
        self.reference = reference;
    }

    /// The time of a stamp; `None` where it is out of range or no year fits.
    #[inline]
    pub fn time(&mut self, stamp: &Stamp) -> Option<Nanos> {
        match self.zone {
            Zone::Fixed(seconds) => stamp.time(seconds, self.reference),
            Zone::Named(_) if stamp.zone.is_some() => stamp.time(0, self.reference),
            Zone::Named(_) => {
                let reference = self.reference.div_euclid(SECOND);
                let wall = stamp.wall(reference + i64::from(self.offset(reference)))?;
                stamp.at(wall - i64::from(self.offset(wall)))
            }
        }
    }

    /// Seconds since 1970 in UTC when the wall clock shows `wall`, in a zone so many seconds east of UTC where one is given.
    pub fn instant(&mut self, wall: i64, zone: Option<i32>) -> i64 {
        let east = match (zone, &self.zone) {
            (Some(seconds), _) => seconds,
            (None, Zone::Fixed(seconds)) => *seconds,
            (None, Zone::Named(_)) => self.offset(wall),
        };
        wall - i64::from(east)
    }

    /// What the wall clock shows at the time of reference.
    pub fn wall_of_reference(&mut self, zone: Option<i32>) -> i64 {
        let reference = self.reference.div_euclid(SECOND);
        // Near enough: it decides between years.
        let east = reference - self.instant(reference, zone);
        reference + east
    }

    /// Seconds east of UTC when the wall clock shows `wall` seconds since 1970. Of two such moments the first; of none
    /// (clocks put forward) as if they had not been yet.
    fn offset(&mut self, wall: i64) -> i32 {
        let quarter = wall.div_euclid(900);
        if self.last.0 == quarter {
            return self.last.1;
        }
        let Zone::Named(zone) = &self.zone else { return 0 };
        let offset = Timestamp::from_second(wall)
            .map(|as_utc| TimeZone::UTC.to_datetime(as_utc))
            .and_then(|civil| zone.to_timestamp(civil))
            .map_or(0, |at| (wall - at.as_second()) as i32);
        self.last = (quarter, offset);
        offset
    }
}

/// `+02:00`, `-0330`, `Z`, `UTC`.
fn fixed(name: &str) -> Option<i32> {
    if matches!(name, "Z" | "UTC" | "GMT") {
        return Some(0);
    }
    let (sign, rest) = match name.as_bytes() {
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let digits: Vec<i32> =
        rest.iter().filter(|byte| **byte != b':').map(|byte| i32::from(*byte) - i32::from(b'0')).collect();
    match digits[..] {
        [a, b, c, d] if digits.iter().all(|digit| (0..10).contains(digit)) => {
            let (hours, minutes) = (a * 10 + b, c * 10 + d);
            (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
        }
        _ => None,
    }
}
