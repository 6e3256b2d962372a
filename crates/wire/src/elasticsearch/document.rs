//! Rows as the documents of a bulk request: what is to be done, and the record with its time and tag. Knows nothing of how
//! they are sent.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::tz::TimeZone;
use sawlog_model::time::{read, read_epoch};
use sawlog_model::{Batch, Limits, Nanos, RowRef, Value};
use sawlog_pipeline::{ConfigError, Env, Options};
use xxhash_rust::xxh3::xxh3_128;

use super::index::{Names, Naming};
use crate::shared::http_client::percent;
use crate::shared::record::{self, Accessor, Bound, tag};
use crate::shared::strftime::TimeFormat;

/// What is done with documents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sort {
    Index,
    Create,
    Update,
    Upsert,
}

impl Sort {
    fn named(name: &str) -> Option<Sort> {
        Some(match name {
            "" | "index" => Sort::Index,
            "create" => Sort::Create,
            "update" => Sort::Update,
            "upsert" => Sort::Upsert,
            _ => return None,
        })
    }

    fn action(self) -> &'static str {
        match self {
            Sort::Index => "index",
            Sort::Create => "create",
            Sort::Update | Sort::Upsert => "update",
        }
    }
}

/// Name of the field that has the time.
const TIMESTAMP: &str = "@timestamp";

/// How rows become documents.
pub(super) struct Documents {
    sort: Sort,
    naming: Naming,
    /// Whether there is a field `@timestamp`, and how it is written.
    stamp: Option<TimeFormat>,
    time_key: Accessor,
    time_key_is_enough: bool,
    tag_key: Option<String>,
    id_key: Option<Accessor>,
    routing_key: Option<Accessor>,
    remove: Vec<Accessor>,
    pipeline: String,
    /// Keeps apart the ids of two outputs that write to one index.
    name: String,
    limits: Limits,
}

/// [`Documents`] of one batch.
pub(super) struct Writer<'a> {
    of: &'a Documents,
    batch: &'a Batch,
    tag: Cow<'a, str>,
    names: Names<'a>,
    time: Bound<'a>,
    id: Option<Bound<'a>>,
    routing: Option<Bound<'a>>,
    target: Option<Bound<'a>>,
    document: Vec<u8>,
}

impl Documents {
    pub fn new(options: &Options, env: &Env) -> Result<Documents, ConfigError> {
        let named = options.text("write_operation");
        let Some(sort) = Sort::named(named) else {
            let message = format!("`write_operation = {named}`: there are index, create, update and upsert");
            return Err(ConfigError(message));
        };
        let field = |name: &str| match options.text(name) {
            "" => Ok(None),
            key => {
                Accessor::parse(key).map(Some).map_err(|message| ConfigError(format!("`{name}`: {message}")))
            }
        };
        let id_key = field("id_key")?;
        if matches!(sort, Sort::Update | Sort::Upsert) && id_key.is_none() {
            return Err(ConfigError(format!("`write_operation = {named}` needs `id_key`")));
        }
        let remove = options.list("remove_keys").iter().filter(|key| !key.is_empty());
        let remove = remove.map(|key| Accessor::parse(key)).collect::<Result<_, _>>();
        let digits = match options.number("time_precision") {
            digits @ 0..=9 => digits,
            _ => return Err(ConfigError("`time_precision` has at most 9 digits".to_owned())),
        };
        let format = if digits == 0 {
            "%Y-%m-%dT%H:%M:%SZ".to_owned()
        } else {
            format!("%Y-%m-%dT%H:%M:%S.%{digits}NZ")
        };
        let stamped = options.flag("logstash_format") || options.flag("include_timestamp");
        let pipeline = match options.text("pipeline") {
            "" => String::new(),
            name => format!("&pipeline={}", percent(name)),
        };
        Ok(Documents {
            sort,
            naming: Naming::new(options).map_err(ConfigError)?,
            stamp: stamped.then(|| TimeFormat::new(&format, TimeZone::UTC)),
            time_key: field("time_key")?.unwrap_or_else(|| Accessor::key(TIMESTAMP)),
            time_key_is_enough: options.flag("time_key_exclude_timestamp"),
            tag_key: options.flag("include_tag_key").then(|| options.text("tag_key").to_owned()),
            id_key,
            routing_key: field("routing_key")?,
            remove: remove.map_err(|message| ConfigError(format!("`remove_keys`: {message}")))?,
            pipeline,
            name: env.name.to_string(),
            limits: env.limits,
        })
    }

    /// What is done with them.
    pub fn sort(&self) -> Sort {
        self.sort
    }

    /// The path of requests; of answers only what is looked at.
    pub fn path(&self) -> String {
        let wanted = "items.*.status,items.*.error.type,items.*.error.reason";
        format!("/_bulk?filter_path={wanted}{}", self.pipeline)
    }

    pub fn of_batch<'a>(&'a self, batch: &'a Batch) -> Writer<'a> {
        let bind = |field: &'a Option<Accessor>| field.as_ref().map(|field| field.of_batch(batch));
        Writer {
            of: self,
            batch,
            tag: tag(batch),
            names: self.naming.of_batch(batch, &self.limits),
            time: self.time_key.of_batch(batch),
            id: bind(&self.id_key),
            routing: bind(&self.routing_key),
            target: self.naming.target().map(|field| field.of_batch(batch)),
            document: Vec::new(),
        }
    }

    /// The id of a row that names none: it is the same whenever the row is sent.
    fn id(&self, row: RowRef<'_>) -> String {
        let address = row.address();
        let mut facts = self.name.as_bytes().to_vec();
        facts.push(0);
        facts.extend_from_slice(&address.source.0.to_le_bytes());
        facts.extend_from_slice(&address.epoch.to_le_bytes());
        facts.extend_from_slice(&address.offset.to_le_bytes());
        URL_SAFE_NO_PAD.encode(xxh3_128(&facts).to_be_bytes())
    }
}

impl Writer<'_> {
    /// Appends what is to be done with a row.
    ///
    /// # Errors
    /// In words, where nothing can be.
    pub fn write(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
        let (of, row) = (self.of, self.batch.row(row));
        let text = |field: &Option<Bound<'_>>| {
            let text = field.as_ref().map(|field| field.text(row, &of.limits));
            text.filter(|text| !text.is_empty()).map(|text| String::from_utf8_lossy(&text).into_owned())
        };
        let (own_time, time) = self.time(row);
        let target = text(&self.target);
        let id = match text(&self.id) {
            Some(id) => id,
            None if matches!(of.sort, Sort::Update | Sort::Upsert) => {
                return Err("the row has no id, which an update needs".to_owned());
            }
            None => of.id(row),
        };
        let routing = text(&self.routing);
        let index = self.names.name(row, time, target.as_deref())?;
        out.extend_from_slice(format!("{{\"{}\":{{\"_index\":", of.sort.action()).as_bytes());
        record::quote(index.as_bytes(), out);
        out.extend_from_slice(b",\"_id\":");
        record::quote(id.as_bytes(), out);
        if let Some(routing) = routing {
            out.extend_from_slice(b",\"routing\":");
            record::quote(routing.as_bytes(), out);
        }
        out.extend_from_slice(b"}}\n");
        let is_update = matches!(of.sort, Sort::Update | Sort::Upsert);
        if is_update {
            out.extend_from_slice(b"{\"doc\":");
        }
        self.document(row, own_time, time, target.is_some(), out);
        if is_update {
            let upsert: &[u8] = if of.sort == Sort::Upsert { b",\"doc_as_upsert\":true}" } else { b"}" };
            out.extend_from_slice(upsert);
        }
        out.push(b'\n');
        Ok(())
    }

    /// Whether the row's record has a time of its own, and the time.
    fn time(&self, row: RowRef<'_>) -> (bool, Nanos) {
        let time = row.row().time;
        if self.of.stamp.is_none() || !self.time.may_have(row, &self.of.limits) {
            return (false, time);
        }
        let text = self.time.text(row, &self.of.limits);
        let told =
            read(&text).or_else(|| read_epoch(&text)).and_then(|stamp| stamp.time(0, row.row().received));
        (!text.is_empty(), told.unwrap_or(time))
    }

    /// Appends the record.
    fn document(&mut self, row: RowRef<'_>, own_time: bool, time: Nanos, targeted: bool, out: &mut Vec<u8>) {
        let of = self.of;
        let stamp = of
            .stamp
            .as_ref()
            .filter(|_| !own_time || (of.time_key.name() != TIMESTAMP && !of.time_key_is_enough));
        let stamp = stamp.map(|format| format.text(time));
        let mut more: Vec<(&str, &str)> = Vec::new();
        more.extend(stamp.as_deref().map(|stamp| (TIMESTAMP, stamp)));
        more.extend(of.tag_key.as_deref().map(|key| (key, &*self.tag)));
        let has = |key: &str| Accessor::key(key).of_batch(row.batch).may_have(row, &of.limits);
        if targeted || !of.remove.is_empty() || more.iter().any(|(key, _)| has(key)) {
            let mut entries = record::entries(row, &of.limits);
            let gone = of.naming.target().filter(|_| targeted).into_iter().chain(&of.remove);
            gone.for_each(|field| field.remove(&mut entries));
            for (key, text) in more {
                record::set(&mut entries, Value::Str(key.to_owned()), Value::Str(text.to_owned()));
            }
            return record::write_plain(&Value::Map(entries), out);
        }
        self.document.clear();
        record::write_json(row, &of.limits, &mut self.document);
        let open = self.document.trim_ascii_end();
        let open = open.strip_suffix(b"}").unwrap_or(open);
        out.extend_from_slice(open);
        let mut first = open.trim_ascii() == b"{";
        for (key, text) in more {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            record::quote(key.as_bytes(), out);
            out.push(b':');
            record::quote(text.as_bytes(), out);
        }
        out.push(b'}');
    }
}
