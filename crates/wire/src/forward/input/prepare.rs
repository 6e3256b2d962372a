//! A message of a peer to batches, ready to be delivered. Knows nothing of sockets.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use sawlog_model::value::Line;
use sawlog_model::{Batch, Context, Names, Source, Tenant};
use sawlog_pipeline::DecodeError;

use super::Shared;
use super::connection::READ;
use super::lanes::Placed;
use crate::forward::message::{self, Entry, Events, Message, Span};
use crate::forward::rows::Rows;
use crate::shared::msgpack;
use crate::shared::window::{Ticket, Verdict, Window};

/// Bytes of the shortest entry: a list, a time, an empty map.
const LEAST: usize = 3;

/// Rows that there is room for before they are read.
const ROWS_MOST: usize = 1 << 16;

/// Tags that a connection keeps names for.
const STREAMS_MOST: usize = 1_000;

/// Who is at the other end.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// Its IP address; `unix` where it has none.
    pub host: String,
    /// Its name, where that is asked for and known; else its address.
    pub name: String,
    /// For whom it sends.
    pub tenant: Tenant,
    /// It speaks JSON.
    pub json: bool,
}

/// What a connection keeps of each tag.
#[derive(Default)]
pub(super) struct Streams(HashMap<String, Stream>);

struct Stream {
    source: Arc<Source>,
    context: Arc<Context>,
    names: Arc<Names>,
    /// Of the last message.
    rows_per_byte: f64,
}

/// A message to be delivered and answered.
pub(super) struct Prepared {
    /// What is to be delivered.
    pub work: Work,
    /// The answer, where one is wanted.
    pub ack: Option<Vec<u8>>,
    /// Bytes of memory that it takes.
    pub weight: usize,
}

pub(super) enum Work {
    /// Nothing, but the answer is due: no valid event, or taken before.
    Nothing,
    /// Rows, and what is to be told when they are on stable storage.
    Rows(Batch, Option<Ticket>),
    /// The same message is on its way by another connection.
    Wait(tokio::sync::watch::Receiver<Option<bool>>),
    /// Rows of another sawlog, with their addresses.
    Placed(Placed),
}

/// Reads a message; `None` where there is nothing to do.
///
/// # Errors
/// [`DecodeError`]: nothing of the message was delivered, and the connection is to be closed.
pub(super) fn prepare(
    shared: &Shared,
    peer: &Peer,
    streams: &mut Streams,
    bytes: &Bytes,
) -> Result<Option<Prepared>, DecodeError> {
    let settings = &shared.settings;
    if bytes.len() > settings.chunk_most {
        let what = format!("{} bytes from {}: not taken, not acknowledged", bytes.len(), peer.host);
        shared.intake.count_error("chunk_size_limit", &what);
        return Ok(None);
    }
    if bytes.len() > settings.chunk_warn {
        let what = format!("{} bytes from {}: taken", bytes.len(), peer.host);
        shared.intake.count_error("chunk_size_warn_limit", &what);
    }
    let mut events = match message::read(bytes, &shared.env.limits)? {
        Message::Heartbeat => return Ok(None),
        Message::Unknown(reason) => {
            shared.intake.count_error(reason, &peer.host);
            return Ok(None);
        }
        Message::Events(events) => events,
    };
    shared.settings.retag(&mut events.tag);
    let ack = events.chunk.as_ref().map(|chunk| ack(chunk, peer.json, shared));
    if let Some(span) = events.placed {
        return placed(shared, peer, &events, span, ack).map(Some);
    }
    // Fluent Bit's ids are hashes of the content: the same content of two senders or tags is not the same message.
    let ticket = match events.chunk.as_ref().filter(|_| shared.settings.dedupe) {
        None => None,
        Some(chunk) => match shared.window.ask(chunk_id(peer, &events.tag, chunk)) {
            Verdict::New(ticket) => Some(ticket),
            Verdict::Taken => return Ok(Some(Prepared { work: Work::Nothing, ack, weight: 0 })),
            Verdict::Pending(outcome) => {
                return Ok(Some(Prepared { work: Work::Wait(outcome), ack, weight: 0 }));
            }
        },
    };
    let batch = batch(shared, peer, streams, &events)?;
    let weight = batch.weight();
    let work = if batch.rows.is_empty() { Work::Nothing } else { Work::Rows(batch, ticket) };
    Ok(Some(Prepared { work, ack, weight }))
}

/// `{"ack": chunk}`, in the form that the peer speaks.
fn ack(chunk: &Bytes, json: bool, shared: &Shared) -> Vec<u8> {
    let mut out = Vec::with_capacity(chunk.len() + 16);
    if json {
        out.extend_from_slice(b"{\"ack\":");
        // The chunk was read as text from JSON a moment ago, so that it has a line.
        let _ = msgpack::measure(chunk, &shared.env.limits)
            .and_then(|measured| msgpack::line(chunk, &measured, &mut Line::new(&mut out)));
        out.extend_from_slice(b"}");
    } else {
        msgpack::write_map(1, &mut out);
        msgpack::write_str("ack", &mut out);
        out.extend_from_slice(chunk);
    }
    out
}

fn batch(shared: &Shared, peer: &Peer, streams: &mut Streams, events: &Events) -> Result<Batch, DecodeError> {
    let stream = streams.get(&events.tag, peer, shared);
    let received = shared.env.sys.clock.now();
    let len = events.body().len();
    // As many rows as messages of this length had last, and some room for what lines have more than msgpack.
    let rows = (stream.rows_per_byte * len as f64) as usize;
    let buffer = shared.lines.take_vec(len + len / 8);
    let mut rows =
        Rows::new(stream.names.clone(), buffer, (rows + rows / 16).min(len / LEAST).min(ROWS_MOST));
    let settings = &shared.settings;
    let address = settings.address_field.as_deref().map(|name| (name, peer.host.as_str()));
    let host = settings.host_field.as_deref().map(|name| (name, peer.name.as_str()));
    let added: Vec<(&str, &str)> = address.into_iter().chain(host).collect();
    events.each(&shared.env.limits, &mut |entry| match entry {
        Entry::Event(event) => rows.push(&event, received, &added, &shared.env.limits),
        Entry::Invalid(reason) if !settings.skips_invalid => {
            let what = format!("an entry of {} from {} is no event", events.tag, peer.host);
            Err(DecodeError { reason, what, at: 0 })
        }
        Entry::Invalid(reason) => {
            shared.intake.count_error(reason, &format!("{} from {}", events.tag, peer.host));
            Ok(())
        }
    })?;
    stream.names = rows.names.clone();
    stream.rows_per_byte = rows.rows.len() as f64 / len.max(1) as f64;
    let buffer = Bytes::from(rows.buffer);
    if len > READ {
        shared.lines.keep(&buffer);
    }
    Ok(Batch {
        tenant: peer.tenant,
        source: stream.source.clone(),
        epoch: 0,
        context: stream.context.clone(),
        buffer,
        names: rows.names,
        rows: rows.rows,
        slots: rows.slots,
        token: None,
    })
}

/// By what a chunk is known: tenants behind one address do not hide each other's.
fn chunk_id(peer: &Peer, tag: &str, chunk: &[u8]) -> u128 {
    Window::id(&[&peer.tenant.0.to_le_bytes(), peer.host.as_bytes(), tag.as_bytes(), chunk])
}

/// The batch of another sawlog. Its rows belong to the tenant that the peer may act for, whatever it says.
fn placed(
    shared: &Shared,
    peer: &Peer,
    events: &Events,
    span: Span,
    ack: Option<Vec<u8>>,
) -> Result<Prepared, DecodeError> {
    let wrong = |what: String| DecodeError { reason: "broken", what, at: 0 };
    let mut batch = sawlog_model::frame::decode(events.body().clone(), &shared.env.limits)
        .map_err(|error| wrong(error.to_string()))?;
    if batch.epoch != span.to.0 || batch.rows.last().is_none_or(|row| row.offset >= span.to.1) {
        return Err(wrong("a batch whose rows do not end where it says".to_owned()));
    }
    batch.tenant = peer.tenant;
    let weight = batch.weight();
    let encoded =
        sawlog_model::frame::after_tenant(events.body()).map_err(|error| wrong(error.to_string()))?;
    let work = Work::Placed(Placed { batch, from: span.from, to: span.to, encoded });
    Ok(Prepared { work, ack, weight })
}

impl Streams {
    fn get(&mut self, tag: &str, peer: &Peer, shared: &Shared) -> &mut Stream {
        if self.0.len() >= STREAMS_MOST && !self.0.contains_key(tag) {
            self.0.clear();
        }
        self.0.entry(tag.to_owned()).or_insert_with(|| Stream {
            source: shared.sources.of(peer.tenant).get(&format!("forward:{tag}@{}", peer.host)),
            context: Arc::new(Context::new([("_tag", tag), ("_host", peer.host.as_str())])),
            names: Arc::default(),
            rows_per_byte: 0.0,
        })
    }
}
