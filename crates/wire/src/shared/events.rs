//! Events that came as maps to rows: the line of each is its rendering. Knows nothing of protocols.

use std::collections::HashMap;
use std::sync::Arc;

use sawlog_model::value::{Slots, parse_json, render_slots};
use sawlog_model::{Context, Limits, Marks, NameId, Names, Nanos, Slot, Value};
use sawlog_pipeline::DecodeError;
use sawlog_sys::Sys;

use super::cut::Piece;
use super::door::{Peer, Reading};
use super::gather::{Gather, NewRow, Place};
use super::sources::Sources;

/// Writes events.
pub struct Events {
    names: Arc<Names>,
    limits: Limits,
    line: Vec<u8>,
    slots: Vec<Slot>,
}

impl Events {
    /// A writer without names yet.
    pub fn new(limits: Limits) -> Self {
        Events { names: Arc::default(), limits, line: Vec::new(), slots: Vec::new() }
    }

    /// The id of a name, for fields that are added.
    pub fn name(&mut self, name: &str) -> NameId {
        self.names.find(name).unwrap_or_else(|| Arc::make_mut(&mut self.names).intern(name))
    }

    /// Adds an event that came at `received`, with fields that are not part of its line.
    pub fn push(
        &mut self,
        event: &Value,
        time: Option<Nanos>,
        received: Nanos,
        place: &Place,
        added: &[(NameId, &str)],
        gather: &mut Gather,
    ) {
        self.line.clear();
        self.slots.clear();
        let slots = Slots::new("", &self.limits, &mut self.names, &mut self.slots);
        render_slots(event, slots, &mut self.line);
        self.line.push(b'\n');
        let marks = Marks::MAP.with(Marks::JSON);
        let row = NewRow { raw: &self.line, made: &[], slots: &self.slots, time, received, marks, added };
        gather.push(place, row);
        gather.names = self.names.clone();
    }
}

/// What the entries of an envelope say, in the names that are stored, and the time that it gives.
pub type Opened = (Vec<(Value, Value)>, Option<Nanos>);

/// Reads messages that are JSON objects, each in an envelope of the protocol. What is none is kept whole, and marked.
pub struct EventReading {
    kind: &'static str,
    tag: String,
    open: fn(Vec<(Value, Value)>) -> Opened,
    events: Events,
    sources: Sources,
    places: HashMap<String, Place>,
}

/// Senders that are remembered.
const PLACES: usize = 10_000;

impl EventReading {
    /// A reader for an input of that type.
    pub fn new(
        kind: &'static str,
        tag: &str,
        open: fn(Vec<(Value, Value)>) -> Opened,
        sources: Sources,
        limits: Limits,
    ) -> Self {
        EventReading {
            kind,
            tag: tag.to_owned(),
            open,
            events: Events::new(limits),
            sources,
            places: HashMap::new(),
        }
    }

    /// One that delivers nowhere, for the conformance suite.
    pub fn alone(kind: &'static str, open: fn(Vec<(Value, Value)>) -> Opened, limits: Limits) -> Self {
        let sources = Sources::new(Vec::new(), kind, Sys::real().random);
        EventReading::new(kind, kind, open, sources, limits)
    }

    fn place(&mut self, peer: &Peer) -> Place {
        if let Some(place) = self.places.get(&peer.host) {
            return place.clone();
        }
        if self.places.len() >= PLACES {
            self.places.clear();
        }
        let (tag, host) = (self.tag.as_str(), peer.host.as_str());
        let context = Arc::new(Context::new([("_tag", tag), ("_host", host)]));
        let source = self.sources.get(&format!("{}:{tag}@{host}", self.kind));
        let place = Place { source, context };
        self.places.insert(peer.host.clone(), place.clone());
        place
    }
}

impl Reading for EventReading {
    fn read(
        &mut self,
        piece: &Piece,
        peer: &Arc<Peer>,
        received: Nanos,
        gather: &mut Gather,
    ) -> Result<(), DecodeError> {
        let text = piece.bytes.trim_ascii();
        if text.is_empty() {
            return Ok(());
        }
        let place = self.place(peer);
        let mut added: Vec<(NameId, &str)> = Vec::new();
        for (name, value) in &peer.fields {
            added.push((self.events.name(name), value));
        }
        let whole = !piece.inside && !piece.goes_on;
        match parse_json(text, &self.events.limits) {
            Ok(Value::Map(entries)) if whole => {
                let (entries, time) = (self.open)(entries);
                self.events.push(&Value::Map(entries), time, received, &place, &added, gather);
            }
            _ => {
                let marks =
                    if piece.goes_on { Marks::UNPARSED.with(Marks::CONTINUES) } else { Marks::UNPARSED };
                let row = NewRow {
                    raw: &piece.bytes,
                    made: &[],
                    slots: &[],
                    time: None,
                    received,
                    marks,
                    added: &added,
                };
                gather.push(&place, row);
                gather.names = self.events.names.clone();
            }
        }
        Ok(())
    }
}
