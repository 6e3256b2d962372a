//! The time of a record, by its configured kind: a text in a format, or a count of seconds. Knows nothing of where in a line
//! it stands.

use sawlog_model::Nanos;
use sawlog_model::time::{SECOND, read, read_epoch};

use super::strptime::Format;
use crate::format::zone::Clock;

/// How a time is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum How {
    /// In this format.
    Format(Format),
    /// As a text in any usual form.
    Text,
    /// Whole seconds since 1970.
    Unixtime,
    /// Seconds since 1970 with a fraction, or, since programs mix them, a text in a usual form.
    Float,
    /// In the first of these that fits.
    Mixed(Vec<How>),
}

/// Reads times; remembers the last, since lines of one second have the same text.
#[derive(Clone, Debug)]
pub(super) struct TimeReader {
    how: How,
    clock: Clock,
    last: (Vec<u8>, Option<(Nanos, u8)>),
}

impl TimeReader {
    pub fn new(how: How, clock: Clock) -> Self {
        TimeReader { how, clock, last: (Vec::new(), None) }
    }

    /// Takes another reference for times without a year.
    pub fn refer(&mut self, reference: Nanos) {
        self.clock.refer(reference);
        self.last.0.clear();
    }

    /// The time, and the number of the layout that prints the text from it (0: none).
    #[inline]
    pub fn read(&mut self, text: &[u8]) -> Option<(Nanos, u8)> {
        if self.last.0 != text || text.is_empty() {
            let time = told(&self.how, text, &mut self.clock);
            let found = time.map(|time| (time, layout(text, time, &mut self.clock)));
            self.last.0.clear();
            // A text that is no time may be long: that is not kept.
            if text.len() <= 64 {
                self.last.0.extend_from_slice(text);
            }
            self.last.1 = found;
            return found;
        }
        self.last.1
    }
}

fn told(how: &How, text: &[u8], clock: &mut Clock) -> Option<Nanos> {
    match how {
        How::Format(format) => {
            let told = format.read(text)?;
            let seconds = match told.epoch {
                Some(epoch) => epoch,
                None => {
                    let today = clock.wall_of_reference(told.zone);
                    clock.instant(told.wall(today)?, told.zone)
                }
            };
            seconds.checked_mul(SECOND)?.checked_add(i64::from(told.nanos))
        }
        How::Text => {
            let text = text.trim_ascii();
            let stamp = read(text).or_else(|| read_epoch(text))?;
            clock.time(&stamp)
        }
        How::Unixtime => whole(text)?.checked_mul(SECOND),
        How::Float => seconds(text).or_else(|| told(&How::Text, text, clock)),
        How::Mixed(all) => all.iter().find_map(|how| told(how, text, clock)),
    }
}

/// The whole seconds that a text begins with; what follows must be a fraction or nothing.
fn whole(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii();
    let whole = text.split(|byte| *byte == b'.').next()?;
    std::str::from_utf8(whole).ok()?.parse().ok()
}

/// Seconds with a fraction.
fn seconds(text: &[u8]) -> Option<Nanos> {
    let text = text.trim_ascii();
    let fraction = text.iter().position(|byte| *byte == b'.').map_or(&b""[..], |dot| &text[dot + 1..]);
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let nanos = fraction.iter().chain(std::iter::repeat(&b'0')).take(9);
    let nanos = nanos.fold(0, |nanos, digit| nanos * 10 + i64::from(digit - b'0'));
    whole(text)?.checked_mul(SECOND)?.checked_add(nanos)
}

/// The layout that prints the whole text from this time.
fn layout(text: &[u8], time: Nanos, clock: &mut Clock) -> u8 {
    let stamp = read(text).or_else(|| read_epoch(text)).filter(|stamp| stamp.len == text.len());
    stamp.filter(|stamp| clock.time(stamp) == Some(time)).map_or(0, |stamp| stamp.layout.0)
}
