//! Batches to messages. Knows nothing of connections.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sawlog_model::time::SECOND;
use sawlog_model::{Batch, Limits, RowRef, Value, frame};

use super::compress::{Compress, Compressor};
use crate::shared::{msgpack, record};

/// Most bytes of the head of binary data.
const BINARY_HEAD: usize = 5;

/// How messages are made.
#[derive(Clone, Debug)]
pub(super) struct Style {
    /// For another sawlog: the batch itself and not entries.
    pub lane: bool,
    /// Tag of rows without one; `*` stands for the path, dots for slashes.
    pub tag: String,
    /// Times as whole seconds, for receivers older than EventTime.
    pub whole_seconds: bool,
    pub limits: Limits,
}

/// Where a source stands before (where that is known) and after a batch: epoch and offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub from: Option<(u32, u64)>,
    pub to: (u32, u64),
}

/// The bytes of a message, one after the other: what is written for it (with its payload, where that is not the next part),
/// the batch's own buffer, and its options.
pub(super) type Parts = [Bytes; 3];

/// A message as it goes over the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    pub parts: Parts,
    /// The id that its acknowledgement must bear.
    pub chunk: String,
    /// Bytes of memory that wait with it, its rows' among them: they are held until it is acknowledged, however well it
    /// was compressed.
    pub weight: usize,
    /// Where it says up to where its receiver was given the source before.
    pub start: Option<Start>,
}

/// Where the option `sawlog_from` begins, the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start(usize);

impl Message {
    /// Leaves out up to where the receiver was given the source: another one gets it now.
    pub(super) fn forget_start(&mut self) {
        let Some(Start(from)) = self.start.take() else { return };
        let mut options = self.parts[2][..from].to_vec();
        // The head of a map of fewer than 16 pairs is one byte with their number.
        options[0] -= 1;
        self.parts[2] = options.into();
    }
}

/// The message for a batch with rows.
///
/// # Errors
/// Where the payload cannot be compressed; in words.
pub(super) fn encode(
    batch: &Batch,
    span: Span,
    style: &Style,
    compressor: &mut Compressor,
) -> Result<Message, String> {
    let chunk = chunk(batch, span.to);
    let mut head = Vec::new();
    msgpack::write_list(3, &mut head);
    msgpack::write_str(&tag(batch, &style.tag), &mut head);
    let body = payload(batch, style, compressor, &mut head)?;
    let (options, start) = options(batch, &chunk, span, style, compressor.how());
    let weight = head.capacity() + options.capacity() + batch.buffer.len();
    Ok(Message { parts: [head.into(), body, options.into()], chunk, weight, start })
}

/// Appends the payload but for what it has in common with the batch's buffer at its end, which is given.
fn payload(
    batch: &Batch,
    style: &Style,
    compressor: &mut Compressor,
    out: &mut Vec<u8>,
) -> Result<Bytes, String> {
    let entries = |out: &mut Vec<u8>| batch.iter().for_each(|row| entry(row, style, out));
    let len = batch.buffer.len() + 32 * batch.rows.len();
    if compressor.how() != Compress::Text {
        let write = |out: &mut Vec<u8>| if style.lane { frame::encode(batch, out) } else { entries(out) };
        let packed = compressor.compress(len, write).map_err(|error| error.to_string())?;
        out.reserve_exact(packed.len() + BINARY_HEAD);
        msgpack::write_bin(packed, out);
        return Ok(Bytes::new());
    }
    if !style.lane {
        out.reserve(len);
    }
    // The head of binary data with a length of 32 bits, which is filled in when it is known.
    out.extend_from_slice(&[0xc6, 0, 0, 0, 0]);
    let start = out.len();
    let body = if style.lane {
        frame::encode_head(batch, out)
    } else {
        entries(out);
        Bytes::new()
    };
    let len = out.len() - start + body.len();
    let len = u32::try_from(len).map_err(|_| "a message of more than 4 GiB".to_owned())?;
    out[start - 4..start].copy_from_slice(&len.to_be_bytes());
    Ok(body)
}

/// The options, and where the last of them begins if that is `sawlog_from`.
fn options(batch: &Batch, chunk: &str, span: Span, style: &Style, how: Compress) -> (Vec<u8>, Option<Start>) {
    let mut options =
        vec![("size", Value::Int(batch.rows.len() as i64)), ("chunk", Value::Str(chunk.to_owned()))];
    if how != Compress::Text {
        options.push(("compressed", Value::Str(how.name().to_owned())));
    }
    let mut from = None;
    if style.lane {
        options.push(("sawlog_to", mark(span.to)));
        from = span.from.map(|from| ("sawlog_from", mark(from)));
    }
    let mut bytes = Vec::new();
    msgpack::write_map(options.len() + usize::from(from.is_some()), &mut bytes);
    let write = |(key, value): (&str, Value), bytes: &mut Vec<u8>| {
        msgpack::write_str(key, bytes);
        msgpack::write(&value, bytes);
    };
    options.into_iter().for_each(|option| write(option, &mut bytes));
    let start = from.is_some().then_some(Start(bytes.len()));
    from.into_iter().for_each(|option| write(option, &mut bytes));
    (bytes, start)
}

fn mark((epoch, offset): (u32, u64)) -> Value {
    let offset = i64::try_from(offset).map_or(Value::UInt(offset), Value::Int);
    Value::List(vec![Value::Int(epoch.into()), offset])
}

/// An id that the same rows always have: 128 bits of a hash of their addresses.
fn chunk(batch: &Batch, to: (u32, u64)) -> String {
    let first = batch.rows.first().map_or(0, |row| row.offset);
    let mut facts = Vec::with_capacity(48);
    facts.extend_from_slice(&batch.source.id.0.to_le_bytes());
    facts.extend_from_slice(&batch.tenant.0.to_le_bytes());
    facts.extend_from_slice(&batch.epoch.to_le_bytes());
    facts.extend_from_slice(&first.to_le_bytes());
    facts.extend_from_slice(&to.1.to_le_bytes());
    STANDARD.encode(xxhash_rust::xxh3::xxh3_128(&facts).to_le_bytes())
}

fn tag(batch: &Batch, default: &str) -> Arc<str> {
    if let Some(tag) = batch.context.get("_tag") {
        return tag.into();
    }
    let path = batch.context.get("_path").unwrap_or(&batch.source.facts.name);
    default.replace('*', path.trim_matches('/').replace('/', ".").as_str()).into()
}

/// `[time, record]`
fn entry(row: RowRef<'_>, style: &Style, out: &mut Vec<u8>) {
    let time = row.row().time;
    msgpack::write_list(2, out);
    if !style.whole_seconds && (0..=i64::from(u32::MAX) * SECOND).contains(&time) {
        msgpack::write_time(time, out);
    } else {
        // What an EventTime cannot hold goes as whole seconds.
        msgpack::write(&Value::Int(time.div_euclid(SECOND)), out);
    }
    record::write_msgpack(row, &style.limits, out);
}
