//! Messages to rows: the priority makes the tag, the line format reads the rest. Knows nothing of sockets.

use std::collections::HashMap;
use std::sync::Arc;

use sawlog_model::correlation_tag;
use sawlog_model::normalize::{leaves, text_of};
use sawlog_model::{
    Access, Bringer, Context, Correlation, ENCRYPTED, Limits, Message, NameId, Names, Nanos, Right, Tenant,
    strip_terminator,
};
use sawlog_pipeline::{DecodeError, Intake};
use sawlog_sys::Sys;

use super::credentials::{self, Shown};
use super::input::{Credentials, Settings};
use super::priority::Priority;
use crate::format;
use crate::shared::cut::Piece;
use crate::shared::door::{Peer, Reading};
use crate::shared::gather::{Gather, NewRow, Place};
use crate::shared::lines::{Configured, Lines, Read};
use crate::shared::sources::Sources;

/// Places that are remembered: senders times priorities.
const PLACES: usize = 10_000;
/// Names of normalized fields that are kept.
const NORMALIZED: usize = 2_000;

/// A byte order mark; some senders put one before everything.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// What reads the text of messages.
enum Reader {
    /// The line format.
    Lines(Lines),
    /// A parser as configured.
    Configured(Configured),
}

impl Reader {
    fn name(&mut self, name: &str) -> NameId {
        match self {
            Reader::Lines(lines) => lines.name(name),
            Reader::Configured(configured) => configured.name(name),
        }
    }

    fn names(&self) -> Arc<Names> {
        match self {
            Reader::Lines(lines) => lines.names(),
            Reader::Configured(configured) => configured.names(),
        }
    }
}

/// Sender, priority (none for what is not syslog), whose where it says so, and number and pattern of the producer and whether that is
/// encrypted.
type PlaceKey = (String, Option<Priority>, Option<Bringer>, Option<(u32, String, bool)>);

/// Reads messages.
pub(super) struct SyslogReading {
    reader: Reader,
    settings: Arc<Settings>,
    sources: Sources,
    /// Counts what is dropped.
    intake: Option<Intake>,
    facility: Option<NameId>,
    severity: Option<NameId>,
    /// Who is asked for the tenant of a message's credentials; nobody for the conformance suite.
    access: Option<Arc<dyn Access>>,
    places: HashMap<PlaceKey, Place>,
    /// Names of fields that producers' parsers found.
    normalized: HashMap<String, NameId>,
    /// Where the message stands that goes on, and whose it is; `None` where it was dropped.
    last: Option<(Place, Option<Bringer>)>,
}

impl SyslogReading {
    pub fn new(
        settings: &Arc<Settings>,
        sources: Sources,
        intake: Option<Intake>,
        access: Option<Arc<dyn Access>>,
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
        let configured = settings.spec.as_ref().and_then(|spec| Configured::new(spec, now, limits));
        let mut reader = match configured {
            Some(configured) => Reader::Configured(configured),
            None => Reader::Lines(Lines::new(format, limits)),
        };
        let mut name = |key: &Option<String>| key.as_ref().map(|key| reader.name(key));
        let (facility, severity) = (name(&settings.facility_key), name(&settings.severity_key));
        let settings = settings.clone();
        SyslogReading {
            reader,
            settings,
            sources,
            intake,
            facility,
            severity,
            access,
            places: HashMap::new(),
            normalized: HashMap::new(),
            last: None,
        }
    }

    /// One that delivers nowhere, for the conformance suite.
    pub fn alone(settings: &Settings, limits: Limits) -> Self {
        let sys = Sys::real();
        let sources = Sources::new(Vec::new(), "syslog", sys.random.clone());
        SyslogReading::new(&Arc::new(settings.clone()), sources, None, None, sys.clock.now(), limits)
    }

    /// What a message says, and its priority where it is syslog.
    fn text(&mut self, piece: &Piece, received: Nanos) -> (Read, Option<Priority>) {
        let skip = if piece.bytes.starts_with(BOM) { BOM.len() } else { 0 };
        let priority = Priority::read(&piece.bytes[skip..]);
        match &mut self.reader {
            Reader::Lines(lines) => {
                let read = lines.read(piece, received);
                // What is no syslog is one piece of free text, or nothing.
                let matched = match &read.slots[..] {
                    [] => false,
                    [slot] => &*lines.name_of(slot) != "message",
                    _ => true,
                };
                (read, matched.then(|| priority.unwrap_or(Priority::NONE)))
            }
            Reader::Configured(configured) => {
                let behind = piece.bytes.iter().position(|byte| *byte == b'>').map_or(0, |end| end + 1);
                let start = if self.settings.whole { skip } else { behind.max(skip) };
                let end = strip_terminator(&piece.bytes).len().max(start);
                let read = match priority {
                    Some(_) if !piece.inside => configured.read(piece, (start, end), received),
                    _ => None,
                };
                let Some(mut read) = read else { return (Read::unparsed(piece), None) };
                // The tag says it.
                let pri = configured.name("pri");
                read.slots.retain(|slot| slot.name != pri);
                (read, priority)
            }
        }
    }

    /// Whose a message is by its credentials, and the message without them; nobody's where it shows none.
    ///
    /// # Errors
    /// Why it is refused.
    fn admitted(&self, piece: &Piece) -> Result<(Option<Bringer>, Option<Piece>), &'static str> {
        let Some(access) = self.access.as_ref().filter(|access| access.asks()) else {
            return Ok((None, None));
        };
        let shown = match self.settings.credentials {
            Credentials::Ignore => return Ok((None, None)),
            Credentials::Accept | Credentials::Require => credentials::take(&piece.bytes),
        };
        match shown {
            None if self.settings.credentials == Credentials::Require => Err("it shows no credentials"),
            None => Ok((None, None)),
            Some(Shown { tenant, token, rest }) => {
                let admitted = access.admit_to(&tenant, token.as_bytes(), Right::Ingest);
                let tenant = admitted.map_err(|_| "its credentials do not allow it to send")?;
                let bringer = Bringer { tenant, token: access.token_of(token.as_bytes()) };
                Ok((Some(bringer), Some(Piece { bytes: rest.into(), ..piece.clone() })))
            }
        }
    }

    fn count(&self, reason: &'static str, peer: &Peer, words: &dyn std::fmt::Display) {
        if let Some(intake) = &self.intake {
            intake.count_error(reason, &format!("{}: {words}", peer.host));
        }
    }

    /// The event producer that a message is of.
    fn correlated(&self, read: &Read, piece: &Piece, tenant: Option<Tenant>) -> Option<Correlation> {
        let access = self.access.as_ref().filter(|access| access.asks())?;
        let tenant = tenant.or_else(|| access.admit(b"", Right::Ingest).ok())?;
        let names = self.reader.names();
        let text = |wanted: &[&str]| {
            let slot = read.slots.iter().find(|slot| wanted.contains(&&**names.name(slot.name)))?;
            let (start, len) = (slot.start as usize, piece.bytes.len());
            let bytes = if start < len { &piece.bytes[..] } else { &read.made[..] };
            let start = if start < len { start } else { start - len };
            bytes.get(start..start + slot.len as usize)
        };
        let word = |wanted| text(wanted).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default();
        let whole = strip_terminator(&piece.bytes);
        let message = Message {
            program: word(&["app", "ident"]),
            host: word(&["host"]),
            text: text(&["message"]).unwrap_or(whole),
        };
        access.correlate(tenant, &message)
    }

    /// What a producer's parser found, as fields.
    fn normalized(&mut self, found: &Correlation) -> Vec<(NameId, String)> {
        let mut all = Vec::new();
        for (name, value) in &found.fields {
            leaves(&format!("normalized.{}.{name}", found.pattern), value, &mut all);
        }
        let mut fields = Vec::new();
        for (name, value) in all {
            let id = match self.normalized.get(&name) {
                Some(id) => *id,
                None if self.normalized.len() < NORMALIZED => {
                    let id = self.reader.name(&name);
                    self.normalized.insert(name, id);
                    id
                }
                None => continue,
            };
            fields.extend(text_of(&value).map(|text| (id, text)));
        }
        fields
    }

    fn place(
        &mut self,
        peer: &Peer,
        priority: Option<Priority>,
        bringer: Option<&Bringer>,
        producer: Option<&Correlation>,
    ) -> Place {
        let tenant = bringer.map(|bringer| bringer.tenant);
        let producer =
            producer.map(|producer| (producer.number, producer.pattern.clone(), producer.encrypted));
        let key = (peer.host.clone(), priority, bringer.cloned(), producer.clone());
        if let Some(place) = self.places.get(&key) {
            return place.clone();
        }
        if self.places.len() >= PLACES {
            self.places.clear();
        }
        let (tag, host) = (&self.settings.tag, &peer.host);
        let mut context = match priority {
            Some(priority) => {
                let (facility, severity) = (priority.facility(), priority.severity());
                let tag = format!("{tag}.{facility}.{severity}");
                let own =
                    [("_tag", tag.as_str()), ("_host", host), ("facility", facility), ("severity", severity)];
                Context::new(own)
            }
            None => Context::new([("_tag", format!("{tag}.unmatched").as_str()), ("_host", host)]),
        };
        if let Some((number, pattern, encrypted)) = producer {
            if encrypted {
                context.set(ENCRYPTED, "true");
            }
            context.set("_tag", correlation_tag(&pattern));
            context.set("meniscus.correlation.ep_id", number.to_string());
            context.set("meniscus.correlation.pattern", pattern);
        }
        let name = format!("syslog:{host}");
        let source = match tenant {
            Some(tenant) => self.sources.of(tenant).get(&name),
            None => self.sources.get(&name),
        };
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
        let (mut bringer, mut without) = (None, None);
        if !piece.inside {
            self.last = None;
            match self.admitted(piece) {
                Ok(admitted) => (bringer, without) = admitted,
                Err(words) => {
                    self.count("denied", peer, &words);
                    return Ok(());
                }
            }
        }
        let piece = without.as_ref().unwrap_or(piece);
        let (read, priority) = self.text(piece, received);
        let mut added: Vec<(NameId, &str)> = Vec::new();
        let mut found = Vec::new();
        if !piece.inside {
            if priority.is_none() && !self.settings.unmatched {
                self.count("unmatched", peer, &piece.bytes.escape_ascii());
                return Ok(());
            }
            let tenant = bringer.as_ref().map(|bringer| bringer.tenant);
            let producer = self.correlated(&read, piece, tenant);
            if let Some(refused) = producer.as_ref().filter(|producer| producer.encrypted && !peer.over_tls) {
                let words = format!("event producer {} takes messages over TLS only", refused.number);
                self.count("encrypted", peer, &words);
                return Ok(());
            }
            found = producer.as_ref().map(|producer| self.normalized(producer)).unwrap_or_default();
            self.last = Some((self.place(peer, priority, bringer.as_ref(), producer.as_ref()), bringer));
            if let Some(priority) = priority {
                added.extend(self.facility.map(|name| (name, priority.facility())));
                added.extend(self.severity.map(|name| (name, priority.severity())));
            }
        }
        let Some((place, bringer)) = &self.last else { return Ok(()) };
        for (name, value) in &peer.fields {
            added.push((self.reader.name(name), value));
        }
        added.extend(found.iter().map(|(name, text)| (*name, &**text)));
        let row = NewRow {
            raw: &piece.bytes,
            made: &read.made,
            slots: &read.slots,
            time: read.time,
            received,
            marks: read.marks,
            added: &added,
        };
        gather.push_for(bringer.as_ref(), place, row);
        gather.names = self.reader.names();
        Ok(())
    }
}
