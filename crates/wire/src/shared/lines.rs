//! Messages read as lines of a format: one row for each, whatever line breaks are in it. Knows nothing of where they come
//! from.

use std::collections::HashMap;
use std::sync::Arc;

use sawlog_model::{Context, Kind, Limits, Marks, NameId, Names, Nanos, Slot, strip_terminator};
use sawlog_pipeline::config::ElementReader;
use sawlog_pipeline::options;
use sawlog_pipeline::{ConfigError, DecodeError, Intake, Opt, OptKind, Options};
use sawlog_sys::Sys;

use super::cut::Piece;
use super::door::{Peer, Reading};
use super::gather::{Gather, NewRow, Place};
use super::sources::Sources;
use crate::format::parse::{self, Spec, TextReader, Unmatched};
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
    /// Named parts; those behind its end stand in `made`.
    pub slots: Vec<Slot>,
    /// Values that do not stand in it as they are.
    pub made: Vec<u8>,
    /// Its time, where it has one of its own.
    pub time: Option<Nanos>,
    /// Facts.
    pub marks: Marks,
}

impl Read {
    /// Nothing was found, though something should have been.
    pub fn unparsed(piece: &Piece) -> Self {
        let goes_on = if piece.goes_on { Marks::CONTINUES } else { Marks(0) };
        let marks = if piece.inside { goes_on } else { goes_on.with(Marks::UNPARSED) };
        Read { slots: Vec::new(), made: Vec::new(), time: None, marks }
    }
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
            return Read { slots: Vec::new(), made: Vec::new(), time: None, marks: goes_on };
        }
        let parsed = self.parser.parse(&piece.bytes, 0, More::No);
        // A message is one event, also where a line break in it would begin another one in a file.
        let Some(row) = parsed.rows.first() else {
            return Read { slots: Vec::new(), made: Vec::new(), time: None, marks: goes_on };
        };
        let mut slots = parsed.slots;
        slots.truncate(row.slots_end as usize);
        let time = Some(row.time).filter(|_| !row.marks.has(Marks::NO_TIME));
        let marks = Marks(row.marks.0 & !Marks::NO_TIME.0).with(goes_on);
        Read { slots, made: parsed.made, time, marks }
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

/// Reads messages as a configuration says.
pub struct Configured {
    reader: TextReader,
    referred: Nanos,
}

impl Configured {
    /// A reader; `None` where nothing is configured.
    pub fn new(spec: &Spec, now: Nanos, limits: Limits) -> Option<Self> {
        Some(Configured { reader: spec.reader(None, now, limits)?, referred: now })
    }

    /// Reads the text at `start` of a message that came at `received`; `None` where it is not of the configured form.
    pub fn read(&mut self, piece: &Piece, (start, end): (usize, usize), received: Nanos) -> Option<Read> {
        if received >= self.referred + REFER_EVERY {
            self.reader.refer(received);
            self.referred = received;
        }
        let (mut slots, mut made) = (Vec::new(), Vec::new());
        let base = piece.bytes.len();
        let text = self.reader.read(&piece.bytes[start..end], start, base, &mut slots, &mut made)?;
        let goes_on = if piece.goes_on { Marks::CONTINUES } else { Marks(0) };
        Some(Read { slots, made, time: text.time, marks: text.marks.with(goes_on) })
    }

    /// The id of a name, for fields that are added.
    pub fn name(&mut self, name: &str) -> NameId {
        self.reader.name(name)
    }

    /// Names of all slots; grows only.
    pub fn names(&self) -> Arc<Names> {
        self.reader.names().clone()
    }
}

/// Options of inputs whose messages are lines, beside those of their parser.
pub const OWN: &[Opt] = &[
    Opt {
        name: "tag",
        kind: OptKind::Text,
        default: "",
        help: "Tag of the rows; without one, the type of the input.",
    },
    Opt {
        name: "remove_newline",
        kind: OptKind::Bool,
        default: "true",
        help: "Leave the line break out of what is parsed; the row keeps it.",
    },
];

/// All options of inputs whose messages are lines.
pub const OPTIONS: &[Opt] = options![OWN, parse::OPTIONS];

/// What [`OPTIONS`] say.
#[derive(Clone, Debug)]
pub struct LineSettings {
    /// Tag of the rows.
    pub tag: String,
    /// How lines are read; where nothing is configured each is kept whole, as the field `message`.
    spec: Option<Spec>,
    chomp: bool,
}

impl LineSettings {
    /// Reads them, for an input of that type.
    ///
    /// # Errors
    /// [`ConfigError`] where the parser cannot be.
    pub fn read(options: &Options, kind: &str) -> Result<Self, ConfigError> {
        let tag = Some(options.text("tag").to_owned()).filter(|text| !text.is_empty());
        let spec = Spec::from_options(options)?;
        if !spec.reads_lines() {
            return Err(ConfigError("`parse.type = msgpack` is no form of lines".to_owned()));
        }
        Ok(LineSettings {
            tag: tag.unwrap_or_else(|| kind.to_owned()),
            spec: Some(spec).filter(|spec| !spec.is_auto()),
            chomp: options.text("remove_newline") != "false",
        })
    }

    /// Whether a parser is configured.
    pub fn is_configured(&self) -> bool {
        self.spec.is_some()
    }
}

impl Default for LineSettings {
    fn default() -> Self {
        LineSettings { tag: String::new(), spec: None, chomp: true }
    }
}

/// Reads messages as lines: a row for each, a source for each sender.
pub struct LineReading {
    settings: LineSettings,
    /// What names of sources begin with.
    kind: &'static str,
    configured: Option<Configured>,
    /// Names where nothing is configured.
    names: Arc<Names>,
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
        let configured = settings.spec.as_ref().and_then(|spec| Configured::new(spec, now, limits));
        LineReading {
            settings: settings.clone(),
            kind,
            configured,
            names: Arc::default(),
            sources,
            intake,
            places: HashMap::new(),
            dropped: false,
        }
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

    /// The id of a name, for fields that are added or looked for.
    pub fn name(&mut self, name: &str) -> NameId {
        match &mut self.configured {
            Some(configured) => configured.name(name),
            None => self.names.find(name).unwrap_or_else(|| Arc::make_mut(&mut self.names).intern(name)),
        }
    }

    /// Names of all slots; grows only.
    pub fn names(&self) -> Arc<Names> {
        self.configured.as_ref().map_or_else(|| self.names.clone(), Configured::names)
    }

    /// What a message of a sender says; `None` where it is not of the configured form and is left out and counted.
    pub fn parse(&mut self, piece: &Piece, host: &str, received: Nanos) -> Option<Read> {
        let parsed = self.parsed(piece, received);
        self.dropped = parsed.is_none();
        if let (true, false, Some(intake)) = (self.dropped, piece.inside, &self.intake) {
            intake.count_error("unmatched", &format!("{host}: {}", piece.bytes.escape_ascii()));
        }
        parsed
    }

    fn parsed(&mut self, piece: &Piece, received: Nanos) -> Option<Read> {
        let marks = if piece.goes_on { Marks::CONTINUES } else { Marks(0) };
        let bare = Read { slots: Vec::new(), made: Vec::new(), time: None, marks };
        if piece.inside {
            return Some(bare).filter(|_| !self.dropped);
        }
        let end = if self.settings.chomp { strip_terminator(&piece.bytes).len() } else { piece.bytes.len() };
        let Some(configured) = &mut self.configured else {
            let name = self.name("message");
            let slot = Slot { start: 0, len: end as u32, name, kind: Kind::Text, layout: 0 };
            return Some(Read { slots: vec![slot], ..bare });
        };
        if let Some(read) = configured.read(piece, (0, end), received) {
            return Some(read);
        }
        let kept = Read { marks: marks.with(Marks::UNPARSED), ..bare };
        match self.settings.spec.as_ref().map(Spec::unmatched) {
            Some(Unmatched::Drop) => None,
            Some(Unmatched::Emit) => {
                let name = self.name("unmatched_line");
                let slot = Slot { start: 0, len: end as u32, name, kind: Kind::Text, layout: 0 };
                Some(Read { slots: vec![slot], ..kept })
            }
            Some(Unmatched::Keep) | None => Some(kept),
        }
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
        let Some(Read { slots, made, time, marks }) = self.parse(piece, &peer.host, received) else {
            return Ok(());
        };
        let mut added: Vec<(NameId, &str)> = Vec::new();
        for (name, value) in &peer.fields {
            added.push((self.name(name), value));
        }
        let place = self.place(peer);
        let row =
            NewRow { raw: &piece.bytes, made: &made, slots: &slots, time, received, marks, added: &added };
        gather.push(&place, row);
        gather.names = self.names();
        Ok(())
    }
}

/// The parser that an element of a Fluentd configuration means; with `emit_unmatched_lines` nothing is dropped.
pub fn fluent_parse(reader: &mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)> {
    let mut given = parse::from_fluent(reader);
    if reader.flag("emit_unmatched_lines").unwrap_or(false) {
        given.retain(|(name, _)| *name != "parse.unmatched");
        given.push(("parse.unmatched", vec!["keep".to_owned()]));
    }
    given
}
