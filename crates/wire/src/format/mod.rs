//! Line formats: bytes of a source in, rows with times and named slots out. Knows nothing of files, sockets or positions:
//! it is told at which offset the bytes stand.
//!
//! In reading order: [`Parser`] cuts the bytes into lines and joins lines to events; `detect` lists the formats and
//! chooses one; each format reads one line at a time (`line`); `zone` makes times of what they read. `parse` reads lines as
//! a configuration says instead, `gather` those that are texts only together.

mod access;
mod container;
mod detect;
mod gather;
mod json;
mod level;
mod line;
mod logfmt;
pub mod lognorm;
mod ltsv;
mod mysql_slow;
mod nginx_error;
pub mod parse;
mod rows;
mod state;
mod syslog;
#[cfg(test)]
mod tests;
mod text;
mod w3c;
pub(crate) mod zone;

use std::sync::Arc;

use bytes::Bytes;
use sawlog_model::{Kind, Limits, NameId, Names, Nanos, Row, Slot};

use self::detect::{FORMATS, Sample};
pub(crate) use self::json::is_object;
use self::line::Format;
use self::parse::{Spec, Unmatched};
use self::zone::Clock;

/// How the lines of a source are to be read.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Name of the format; `None` detects it.
    pub format: Option<String>,
    /// Zone of times without one, as an IANA name or `+02:00`; `None` is UTC.
    pub timezone: Option<String>,
    /// Reference for times without a year: now, or the file's modification time on import.
    pub reference: Nanos,
    /// Time of rows that have none and none before them.
    pub fallback: Nanos,
    /// Whether lines are joined to events (stack traces, continuation lines). `None`: as the format says.
    pub multiline: Option<bool>,
    /// A configured parser; where it is one, the format is not looked at.
    pub parse: Option<Spec>,
    /// Empty lines are left out.
    pub skip_empty: bool,
    /// Lines that are longer, in bytes, are left out and counted.
    pub longest: Option<usize>,
}

/// Settings that a [`Parser`] would pass over.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingsError {
    /// The list of formats does not have it.
    #[error("there is no line format {name:?}; there are {}", format_names().collect::<Vec<_>>().join(", "))]
    Format {
        /// The name given.
        name: String,
    },
    /// The system's time zone database does not have it.
    #[error("there is no time zone {name:?}; give a name such as Europe/Zurich, or an offset such as +02:00")]
    Zone {
        /// The name given.
        name: String,
    },
}

impl Settings {
    /// Whether format and zone exist. A parser that is given others detects the format, and reads times as UTC.
    ///
    /// # Errors
    /// Names what does not exist; correct the setting.
    pub fn check(&self) -> Result<(), SettingsError> {
        if let Some(name) = &self.format
            && detect::by_name(name).is_none()
        {
            return Err(SettingsError::Format { name: name.clone() });
        }
        match &self.timezone {
            Some(name) if Clock::new(Some(name), 0).is_err() => {
                Err(SettingsError::Zone { name: name.clone() })
            }
            _ => Ok(()),
        }
    }
}

/// Names of all formats.
pub fn format_names() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().map(|format| format.name)
}

/// Whether more bytes follow those given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum More {
    /// More will come: an unfinished line, and an event that its next line may continue, are held back.
    Yes,
    /// Nothing came for a while: whole lines are given, also as an event that might have gone on.
    Pause,
    /// This is the end for good: an unfinished last line is given too.
    No,
}

/// Rows found in a buffer.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Rows; spans point into the given buffer, `received` is 0.
    pub rows: Vec<Row>,
    /// Their slots; names are those of [`Parser::names`].
    pub slots: Vec<Slot>,
    /// Bytes of the buffer that the rows take; the caller gives the rest again, with more behind it.
    pub consumed: usize,
    /// Values that are not in the buffer as they are: slots that lie behind its end are of these bytes. See
    /// [`Parsed::whole`].
    pub made: Vec<u8>,
    /// Lines that were left out since they are not of the configured form, and the last of them.
    pub dropped: (u64, Option<std::ops::Range<usize>>),
}

impl Parsed {
    /// Adds a field to every row, behind a buffer of `base` bytes.
    pub fn add_field(&mut self, base: usize, name: NameId, value: &[u8]) {
        let (start, len) = ((base + self.made.len()) as u32, value.len() as u32);
        self.made.extend_from_slice(value);
        let mut slots = Vec::with_capacity(self.slots.len() + self.rows.len());
        let mut from = 0;
        for row in &mut self.rows {
            slots.extend_from_slice(&self.slots[from..row.slots_end as usize]);
            slots.push(Slot { start, len, name, kind: Kind::Text, layout: 0 });
            from = row.slots_end as usize;
            row.slots_end = slots.len() as u32;
        }
        self.slots = slots;
    }

    /// The buffer that the spans point into: that which was given, with the values that were made behind it.
    pub fn whole(&self, buffer: Bytes) -> Bytes {
        if self.made.is_empty() {
            return buffer;
        }
        let mut whole = Vec::with_capacity(buffer.len() + self.made.len());
        whole.extend_from_slice(&buffer);
        whole.extend_from_slice(&self.made);
        whole.into()
    }
}

/// Lines by which a format is chosen: so many, or those that begin in so many bytes.
const SAMPLE_LINES: usize = 100;
const SAMPLE_BYTES: usize = 64 << 10;

/// A byte order mark; it is part of the first row but of no field.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Reads the lines of one source, in order. Its state can be saved and restored, so that reading goes on after a restart
/// as if nothing had been.
pub struct Parser {
    settings: Settings,
    limits: Limits,
    names: Arc<Names>,
    clock: Clock,
    /// The format's name and reader, once it is known.
    chosen: Option<(&'static str, Box<dyn Format>)>,
    /// Time of the last row that had one.
    last: Option<Nanos>,
    /// Whether the next bytes go on with a line that was cut at the limit.
    inside: bool,
}

impl Parser {
    /// A parser at the beginning of an epoch. A format or zone that does not exist counts as not given; see
    /// [`Settings::check`].
    pub fn new(settings: Settings, limits: Limits) -> Self {
        let mut names = Names::default();
        let clock = Clock::new(settings.timezone.as_deref(), settings.reference)
            .unwrap_or_else(|()| Clock::utc(settings.reference));
        let zone = settings.timezone.as_deref();
        let spec = settings.parse.as_ref().and_then(|spec| spec.format(&mut names, zone, settings.reference));
        let chosen = match spec {
            Some((name, format)) => Some((name, Box::new(format) as Box<dyn Format>)),
            None => settings.format.as_deref().and_then(detect::by_name).map(|number| {
                (FORMATS[number].name, detect::make(number, &mut names, &Sample::new(Vec::new())))
            }),
        };
        Parser { settings, limits, names: Arc::new(names), clock, chosen, last: None, inside: false }
    }

    /// Finds rows in `buffer`, whose first byte stands at `offset` of the source.
    pub fn parse(&mut self, buffer: &Bytes, offset: u64, more: More) -> Parsed {
        if let Some(gathering) = self.settings.parse.as_ref().and_then(Spec::gathering) {
            return self.gathered(gathering, buffer, offset, more);
        }
        if self.chosen.is_some() {
            return self.rows(buffer, offset, more);
        }
        let start = if offset == 0 && buffer.starts_with(BOM) { BOM.len() } else { 0 };
        let (lines, complete) = sample(buffer, start, self.limits.event, more);
        // At the end for good there is nothing more to choose by: a lone byte order mark is a row, too.
        let ends = more == More::No && !buffer.is_empty();
        if (lines.is_empty() && !ends) || (!complete && more == More::Yes) {
            return Parsed::default();
        }
        let sample = Sample::new(lines);
        let (number, sure) = detect::choose(&sample);
        let format = detect::make(number, Arc::make_mut(&mut self.names), &sample);
        self.chosen = Some((FORMATS[number].name, format));
        let parsed = self.rows(buffer, offset, more);
        if !complete && !sure && more == More::Pause {
            self.chosen = None;
        }
        parsed
    }

    /// Takes another reference for times without a year: of a source that is read for long, now moves on.
    pub fn refer(&mut self, reference: Nanos) {
        self.settings.reference = reference;
        self.clock.refer(reference);
        if let Some((_, format)) = &mut self.chosen {
            format.refer(reference);
        }
    }

    /// Whether a row without a time has that of its reading, and not that of its source: as a configuration says.
    pub fn estimates(&self) -> bool {
        self.settings.parse.as_ref().is_some_and(Spec::estimates)
    }

    /// What becomes of lines that are not of the configured form; `None` where nothing is configured.
    fn unmatched(&self) -> Option<Unmatched> {
        self.settings.parse.as_ref().filter(|spec| !spec.is_auto()).map(Spec::unmatched)
    }

    /// The id of a name, for fields that rows get beside those of their lines.
    pub fn name(&mut self, name: &str) -> NameId {
        self.names.find(name).unwrap_or_else(|| Arc::make_mut(&mut self.names).intern(name))
    }

    /// Names of slots; grows only.
    pub fn names(&self) -> Arc<Names> {
        self.names.clone()
    }

    /// The format found or set, where it is known yet.
    pub fn format(&self) -> Option<&'static str> {
        self.chosen.as_ref().map(|(name, _)| *name)
    }
}

/// The first lines, without terminators, by which the format is chosen, and whether those are all that will be asked for,
/// however many bytes follow. `start` is the place behind a byte order mark. They depend on the bytes alone and not on how these were cut.
fn sample(buffer: &[u8], start: usize, longest: usize, more: More) -> (Vec<&[u8]>, bool) {
    let mut lines = Vec::new();
    let mut at = start;
    while lines.len() < SAMPLE_LINES && at < SAMPLE_BYTES {
        let rest = &buffer[at..];
        let (line, len) = match memchr::memchr(b'\n', &rest[..rest.len().min(longest)]) {
            Some(end) => (&rest[..end], end + 1),
            None if rest.len() > longest => (&rest[..longest], longest),
            None if more == More::No && !rest.is_empty() => (rest, rest.len()),
            None => return (lines, more == More::No),
        };
        lines.push(line.strip_suffix(b"\r").unwrap_or(line));
        at += len;
    }
    (lines, true)
}
