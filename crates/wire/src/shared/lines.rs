//! Messages read as lines of a format: one row for each, whatever line breaks are in it. Knows nothing of where they come
//! from.

use std::collections::HashMap;
use std::sync::Arc;

use sawlog_model::{Context, Kind, Limits, Marks, NameId, Names, Nanos, Slot, strip_terminator};
use sawlog_pipeline::config::ElementReader;
use sawlog_pipeline::{ConfigError, DecodeError, Intake, Opt, OptKind, Options};
use sawlog_sys::Sys;

use super::cut::Piece;
use super::door::{Peer, Reading};
use super::gather::{Gather, NewRow, Place};
use super::sources::Sources;
use crate::format::{More, Parser, Settings};

/// How often the reference for times without a year moves on.
const REFER_EVERY: Nanos = 3_600_000_000_000;

/// Reads messages by one format.
pub struct Lines {
    parser: Parser,
    referred: Nanos,
}

/// What a message says; spans count from its first byte.
pub struct Read {
    /// Named parts.
    pub slots: Vec<Slot>,
    /// Its time, where it has one of its own.
    pub time: Option<Nanos>,
    /// Facts.
    pub marks: Marks,
}

impl Lines {
    /// A reader by these settings.
    pub fn new(settings: Settings, limits: Limits) -> Self {
        Lines { referred: settings.reference, parser: Parser::new(settings, limits) }
    }

    /// Reads a message that came at `received`. Parts of a long one behind the first are text that nobody reads.
    pub fn read(&mut self, piece: &Piece, received: Nanos) -> Read {
        if received >= self.referred + REFER_EVERY {
            self.parser.refer(received);
            self.referred = received;
        }
        let goes_on = if piece.goes_on { Marks::CONTINUES } else { Marks(0) };
        if piece.inside {
            return Read { slots: Vec::new(), time: None, marks: goes_on };
        }
        let parsed = self.parser.parse(&piece.bytes, 0, More::No);
        // A message is one event, also where a line break in it would begin another one in a file.
        let Some(row) = parsed.rows.first() else {
            return Read { slots: Vec::new(), time: None, marks: goes_on };
        };
        let mut slots = parsed.slots;
        slots.truncate(row.slots_end as usize);
        let time = Some(row.time).filter(|_| !row.marks.has(Marks::NO_TIME));
        Read { slots, time, marks: Marks(row.marks.0 & !Marks::NO_TIME.0).with(goes_on) }
    }

    /// The id of a name, for fields that are added.
    pub fn name(&mut self, name: &str) -> NameId {
        self.parser.name(name)
    }

    /// The name of a slot.
    pub fn name_of(&self, slot: &Slot) -> Arc<str> {
        self.parser.names().name(slot.name).clone()
    }

    /// Names of all slots; grows only.
    pub fn names(&self) -> Arc<Names> {
        self.parser.names()
    }
}

/// Options of inputs whose messages are lines of a format.
pub const OPTIONS: &[Opt] = &[
    Opt {
        name: "tag",
        kind: OptKind::Text,
        default: "",
        help: "Tag of the rows; without one, the type of the input.",
    },
    Opt {
        name: "format",
        kind: OptKind::Text,
        default: "none",
        help: "Line format of the messages; `none` keeps each whole, as the field `message`.",
    },
    Opt {
        name: "timezone",
        kind: OptKind::Text,
        default: "",
        help: "Zone of times without one, such as Europe/Zurich or +02:00; UTC where it is not given.",
    },
    Opt {
        name: "emit_unmatched_lines",
        kind: OptKind::Bool,
        default: "true",
        help: "Keep what is not of the format, whole and marked; else it is dropped and counted.",
    },
    Opt {
        name: "remove_newline",
        kind: OptKind::Bool,
        default: "true",
        help: "With `format = none`: leave the line break out of `message`.",
    },
];

/// What [`OPTIONS`] say.
#[derive(Clone, Debug)]
pub struct LineSettings {
    /// Tag of the rows.
    pub tag: String,
    format: Option<String>,
    timezone: Option<String>,
    unmatched: bool,
    chomp: bool,
}

impl LineSettings {
    /// Reads them, for an input of that type.
    ///
    /// # Errors
    /// [`ConfigError`] where there is no such format or zone.
    pub fn read(options: &Options, kind: &str) -> Result<Self, ConfigError> {
        let some = |name: &str| Some(options.text(name).to_owned()).filter(|text| !text.is_empty());
        let settings = LineSettings {
            tag: some("tag").unwrap_or_else(|| kind.to_owned()),
            format: some("format").filter(|name| name != "none"),
            timezone: some("timezone"),
            unmatched: options.flag("emit_unmatched_lines"),
            chomp: options.flag("remove_newline"),
        };
        settings.parser(0).check().map_err(|error| ConfigError(error.to_string()))?;
        Ok(settings)
    }

    /// Lines of that format, all kept.
    ///
    /// # Errors
    /// As [`LineSettings::read`].
    pub fn of(format: &str, timezone: &str) -> Result<Self, ConfigError> {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let format = some(format).filter(|name| name != "none");
        let settings = LineSettings { format, timezone: some(timezone), ..LineSettings::default() };
        settings.parser(0).check().map_err(|error| ConfigError(error.to_string()))?;
        Ok(settings)
    }

    fn parser(&self, now: Nanos) -> Settings {
        Settings {
            format: self.format.clone(),
            timezone: self.timezone.clone(),
            reference: now,
            fallback: now,
            ..Settings::default()
        }
    }
}

impl Default for LineSettings {
    fn default() -> Self {
        LineSettings { tag: String::new(), format: None, timezone: None, unmatched: true, chomp: true }
    }
}

/// Reads messages as lines of a format: a row for each, a source for each sender.
pub struct LineReading {
    settings: LineSettings,
    /// What names of sources begin with.
    kind: &'static str,
    lines: Lines,
    message: NameId,
    sources: Sources,
    /// Counts what is dropped.
    intake: Option<Intake>,
    places: HashMap<String, Place>,
    /// Whether the message that goes on was dropped.
    dropped: bool,
}

/// Senders that are remembered.
const PLACES: usize = 10_000;

impl LineReading {
    /// A reader for an input of that type; `intake` counts what is dropped.
    pub fn new(
        settings: &LineSettings,
        kind: &'static str,
        sources: Sources,
        intake: Option<Intake>,
        now: Nanos,
        limits: Limits,
    ) -> Self {
        let mut lines = Lines::new(settings.parser(now), limits);
        let message = lines.name("message");
        let (settings, places) = (settings.clone(), HashMap::new());
        LineReading { settings, kind, lines, message, sources, intake, places, dropped: false }
    }

    /// One that delivers nowhere, for the conformance suite.
    pub fn alone(settings: &LineSettings, kind: &'static str, limits: Limits) -> Self {
        let sys = Sys::real();
        let sources = Sources::new(Vec::new(), kind, sys.random.clone());
        LineReading::new(settings, kind, sources, None, sys.clock.now(), limits)
    }

    fn place(&mut self, peer: &Peer) -> Place {
        if let Some(place) = self.places.get(&peer.host) {
            return place.clone();
        }
        if self.places.len() >= PLACES {
            self.places.clear();
        }
        let (tag, host) = (self.settings.tag.as_str(), peer.host.as_str());
        let context = Arc::new(Context::new([("_tag", tag), ("_host", host)]));
        let source = self.sources.get(&format!("{}:{tag}@{host}", self.kind));
        let place = Place { source, context };
        self.places.insert(peer.host.clone(), place.clone());
        place
    }

    /// The message whole, as one field.
    fn whole(&self, piece: &Piece) -> Read {
        let marks = if piece.goes_on { Marks::CONTINUES } else { Marks(0) };
        let text = if self.settings.chomp { strip_terminator(&piece.bytes) } else { &piece.bytes };
        let slot = Slot { start: 0, len: text.len() as u32, name: self.message, kind: Kind::Text, layout: 0 };
        let slots = if piece.inside { Vec::new() } else { vec![slot] };
        Read { slots, time: None, marks }
    }
}

impl Reading for LineReading {
    fn read(
        &mut self,
        piece: &Piece,
        peer: &Arc<Peer>,
        received: Nanos,
        gather: &mut Gather,
    ) -> Result<(), DecodeError> {
        if strip_terminator(&piece.bytes).is_empty() {
            return Ok(());
        }
        let read = match self.settings.format {
            None => self.whole(piece),
            Some(_) => self.lines.read(piece, received),
        };
        if !piece.inside {
            self.dropped = read.marks.has(Marks::UNPARSED) && !self.settings.unmatched;
            if let (true, Some(intake)) = (self.dropped, &self.intake) {
                intake.count_error("unmatched", &format!("{}: {}", peer.host, piece.bytes.escape_ascii()));
            }
        }
        if self.dropped {
            return Ok(());
        }
        let mut added: Vec<(NameId, &str)> = Vec::new();
        for (name, value) in &peer.fields {
            added.push((self.lines.name(name), value));
        }
        let Read { slots, time, marks } = read;
        let place = self.place(peer);
        let row = NewRow { raw: &piece.bytes, slots: &slots, time, received, marks, added: &added };
        gather.push(&place, row);
        gather.names = self.lines.names();
        Ok(())
    }
}

/// The format that `<parse>` (or `format`, as it was before) of a Fluentd configuration means.
pub fn fluent_parse(reader: &mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)> {
    let old = reader.text("format");
    let Some(parse) = reader.child("parse") else {
        let format = old.map(ours);
        return match format {
            Some(Some(name)) => vec![("format", vec![name.to_owned()])],
            Some(None) => {
                reader.wrong("format", NOT_HERE);
                Vec::new()
            }
            None => Vec::new(),
        };
    };
    let mut inner = reader.inside(parse);
    let mut given = Vec::new();
    match inner.text("@type").or(inner.text("type")).map(ours) {
        Some(Some(name)) => given.push(("format", vec![name.to_owned()])),
        Some(None) => inner.wrong("@type", NOT_HERE),
        None => {}
    }
    given.extend(inner.text("timezone").map(|zone| ("timezone", vec![zone.to_owned()])));
    inner.finish();
    given
}

const NOT_HERE: &str = "this input reads none, json, ltsv, logfmt, syslog, nginx, apache and apache2; for others take none and a `parser` filter";

/// Our name of Fluentd's parser.
fn ours(name: &str) -> Option<&'static str> {
    match name {
        "none" => Some("none"),
        "json" => Some("json"),
        "ltsv" => Some("ltsv"),
        "logfmt" => Some("logfmt"),
        "syslog" => Some("syslog"),
        "nginx" | "apache" | "apache2" => Some("access"),
        _ => None,
    }
}
