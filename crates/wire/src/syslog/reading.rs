//! Messages to rows: the priority makes the tag, the line format reads the rest. Knows nothing of sockets.

use std::collections::HashMap;
use std::sync::Arc;

use sawlog_model::{Context, Limits, NameId, Nanos};
use sawlog_pipeline::{DecodeError, Intake};
use sawlog_sys::Sys;

use super::input::Settings;
use super::priority::Priority;
use crate::format;
use crate::shared::cut::Piece;
use crate::shared::door::{Peer, Reading};
use crate::shared::gather::{Gather, NewRow, Place};
use crate::shared::lines::Lines;
use crate::shared::sources::Sources;

/// Places that are remembered: senders times priorities.
const PLACES: usize = 10_000;

/// A byte order mark; some senders put one before everything.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Reads messages.
pub(super) struct SyslogReading {
    lines: Lines,
    settings: Arc<Settings>,
    sources: Sources,
    /// Counts what is dropped.
    intake: Option<Intake>,
    facility: Option<NameId>,
    severity: Option<NameId>,
    /// By sender and priority; none for what is not syslog.
    places: HashMap<(String, Option<Priority>), Place>,
    /// Where the message stands that goes on; `None` where it was dropped.
    last: Option<Place>,
}

impl SyslogReading {
    pub fn new(
        settings: &Arc<Settings>,
        sources: Sources,
        intake: Option<Intake>,
        now: Nanos,
        limits: Limits,
    ) -> Self {
        let format = format::Settings {
            format: Some("syslog".to_owned()),
            timezone: settings.timezone.clone(),
            reference: now,
            fallback: now,
            ..format::Settings::default()
        };
        let mut lines = Lines::new(format, limits);
        let mut name = |key: &Option<String>| key.as_ref().map(|key| lines.name(key));
        let (facility, severity) = (name(&settings.facility_key), name(&settings.severity_key));
        let settings = settings.clone();
        SyslogReading {
            lines,
            settings,
            sources,
            intake,
            facility,
            severity,
            places: HashMap::new(),
            last: None,
        }
    }

    /// One that delivers nowhere, for the conformance suite.
    pub fn alone(settings: &Settings, limits: Limits) -> Self {
        let sys = Sys::real();
        let sources = Sources::new(Vec::new(), "syslog", sys.random.clone());
        SyslogReading::new(&Arc::new(settings.clone()), sources, None, sys.clock.now(), limits)
    }

    fn place(&mut self, peer: &Peer, priority: Option<Priority>) -> Place {
        let key = (peer.host.clone(), priority);
        if let Some(place) = self.places.get(&key) {
            return place.clone();
        }
        if self.places.len() >= PLACES {
            self.places.clear();
        }
        let (tag, host) = (&self.settings.tag, &peer.host);
        let context = match priority {
            Some(priority) => {
                let (facility, severity) = (priority.facility(), priority.severity());
                let tag = format!("{tag}.{facility}.{severity}");
                let own =
                    [("_tag", tag.as_str()), ("_host", host), ("facility", facility), ("severity", severity)];
                Context::new(own)
            }
            None => Context::new([("_tag", format!("{tag}.unmatched").as_str()), ("_host", host)]),
        };
        let source = self.sources.get(&format!("syslog:{host}"));
        let place = Place { source, context: Arc::new(context) };
        self.places.insert(key, place.clone());
        place
    }
}

impl Reading for SyslogReading {
    fn read(
        &mut self,
        piece: &Piece,
        peer: &Arc<Peer>,
        received: Nanos,
        gather: &mut Gather,
    ) -> Result<(), DecodeError> {
        if piece.bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Ok(());
        }
        let read = self.lines.read(piece, received);
        let mut added: Vec<(NameId, &str)> = Vec::new();
        if !piece.inside {
            // What is no syslog is one piece of free text, or nothing.
            let matched = match &read.slots[..] {
                [] => false,
                [slot] => &*self.lines.name_of(slot) != "message",
                _ => true,
            };
            let text = piece.bytes.strip_prefix(BOM).unwrap_or(&piece.bytes);
            let priority = matched.then(|| Priority::read(text).unwrap_or(Priority::NONE));
            self.last = None;
            if !matched && !self.settings.unmatched {
                if let Some(intake) = &self.intake {
                    intake.count_error("unmatched", &format!("{}: {}", peer.host, text.escape_ascii()));
                }
                return Ok(());
            }
            self.last = Some(self.place(peer, priority));
            if let Some(priority) = priority {
                added.extend(self.facility.map(|name| (name, priority.facility())));
                added.extend(self.severity.map(|name| (name, priority.severity())));
            }
        }
        let Some(place) = &self.last else { return Ok(()) };
        for (name, value) in &peer.fields {
            added.push((self.lines.name(name), value));
        }
        let row = NewRow {
            raw: &piece.bytes,
            slots: &read.slots,
            time: read.time,
            received,
            marks: read.marks,
            added: &added,
        };
        gather.push(place, row);
        gather.names = self.lines.names();
        Ok(())
    }
}
