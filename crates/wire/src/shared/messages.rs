//! Messages that a broker gives to rows: Logstash's events, of which what is none is kept as it came and marked. Knows nothing
//! of brokers.

use std::collections::HashMap;
use std::sync::Arc;

use sawlog_model::value::parse_json;
use sawlog_model::{Context, Limits, Marks, Nanos, Value};
use sawlog_pipeline::{ConfigError, Options};

use super::events::Events;
use super::gather::{Gather, NewRow, Place};
use super::logstash::{self, LocalTime};
use super::sources::Sources;

/// Places that are remembered: a sender that makes up ever new hosts must not fill the memory.
const PLACES: usize = 10_000;

/// What the options `tag`, `local_time` and `message_length_limit` say.
#[derive(Clone)]
pub struct Settings {
    tag: String,
    /// What stands in the tag for the name of where a message was.
    of: &'static str,
    local_time: Option<LocalTime>,
    longest: usize,
    rejects: bool,
}

impl Settings {
    /// Reads them; `of` is what stands in the tag for the name of where a message was.
    ///
    /// # Errors
    /// [`ConfigError`] where they cannot be.
    pub fn read(options: &Options, of: &'static str) -> Result<Self, ConfigError> {
        let zone = options.text("local_time");
        let no_zone = || {
            ConfigError(format!(
                "`local_time = {zone}`: there is no such zone; write it as Europe/Berlin or +02:00"
            ))
        };
        let local_time = if zone.is_empty() { None } else { Some(LocalTime::new(zone).ok_or_else(no_zone)?) };
        Ok(Settings {
            tag: options.text("tag").to_owned(),
            local_time,
            of,
            longest: options.bytes("message_length_limit").max(1),
            rejects: false,
        })
    }
}

impl Settings {
    /// Whether what is no event is not kept, but told.
    pub fn rejecting(self, rejects: bool) -> Self {
        Settings { rejects, ..self }
    }
}

/// What a body is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body {
    /// Events.
    Events,
    /// Something else; it was kept.
    Kept,
    /// Something else; nothing was kept.
    Refused,
}

/// Reads bodies.
pub struct Reading {
    kind: &'static str,
    settings: Settings,
    limits: Limits,
    events: Events,
    sources: Sources,
    places: HashMap<(String, String), Place>,
}

impl Reading {
    /// A reader for an input of that type.
    pub fn new(kind: &'static str, settings: Settings, sources: Sources, limits: Limits) -> Self {
        Reading { kind, settings, limits, events: Events::new(limits), sources, places: HashMap::new() }
    }

    /// Adds the rows of a message that was at a place of that name.
    pub fn read(&mut self, name: &str, body: &[u8], received: Nanos, gather: &mut Gather) -> Body {
        let text = body.trim_ascii();
        let tag = self.settings.tag.replace(self.settings.of, name);
        let parsed = (body.len() <= self.settings.longest).then(|| parse_json(text, &self.limits));
        let events = match parsed {
            Some(Ok(Value::Map(entries))) => vec![entries],
            Some(Ok(Value::List(items))) if items.iter().all(|item| matches!(item, Value::Map(_))) => {
                let map = |item| if let Value::Map(entries) = item { Some(entries) } else { None };
                items.into_iter().filter_map(map).collect()
            }
            _ if self.settings.rejects => return Body::Refused,
            _ => {
                self.keep(&tag, body, received, gather);
                return Body::Kept;
            }
        };
        for entries in events {
            let (mut entries, mut time) = logstash::open(entries);
            if let Some(zone) = &mut self.settings.local_time {
                time = zone.mend(&mut entries);
            }
            let host = entries.iter().find(|(key, _)| key.as_str() == Some("host"));
            let place = self.place(&tag, host.and_then(|(_, host)| host.as_str()).unwrap_or_default());
            self.events.push(&Value::Map(entries), time, received, &place, &[], gather);
        }
        Body::Events
    }

    /// Adds a body that is no event as it is; a long one as several rows.
    fn keep(&mut self, tag: &str, body: &[u8], received: Nanos, gather: &mut Gather) {
        let place = self.place(tag, "");
        let mut parts = body.chunks(self.settings.longest).peekable();
        while let Some(raw) = parts.next() {
            let marks =
                if parts.peek().is_some() { Marks::UNPARSED.with(Marks::CONTINUES) } else { Marks::UNPARSED };
            gather
                .push(&place, NewRow { raw, made: &[], slots: &[], time: None, received, marks, added: &[] });
        }
    }

    /// Events of one host stand together, so that its surrounding lines are found.
    fn place(&mut self, tag: &str, host: &str) -> Place {
        let key = (tag.to_owned(), host.to_owned());
        if let Some(place) = self.places.get(&key) {
            return place.clone();
        }
        if self.places.len() >= PLACES {
            self.places.clear();
        }
        let context = [("_tag", tag), ("_host", host)].into_iter().filter(|(_, text)| !text.is_empty());
        let source = self.sources.get(&format!("{}:{tag}@{host}", self.kind));
        let place = Place { source, context: Arc::new(Context::new(context)) };
        self.places.insert(key, place.clone());
        place
    }
}
