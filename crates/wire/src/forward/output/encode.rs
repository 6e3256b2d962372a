//! Batches to messages. Knows nothing of connections.

use std::io::Write;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sawlog_model::time::SECOND;
use sawlog_model::{Batch, Limits, RowRef, Value, frame};

use crate::shared::{msgpack, record};

/// How payloads are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Compress {
    Text,
    Gzip,
    Zstd,
}

/// A level that costs little: a forwarder is measured by its CPU time.
const ZSTD_LEVEL: i32 = 1;

/// How messages are made.
#[derive(Clone, Debug)]
pub(super) struct Style {
    /// For another sawlog: the batch itself and not entries.
    pub lane: bool,
    /// Tag of rows without one; `*` stands for the path, dots for slashes.
    pub tag: String,
    pub compress: Compress,
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

/// A message as it goes over the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    pub bytes: Bytes,
    /// The id that its acknowledgement must bear.
    pub chunk: String,
    /// Where it says up to where its receiver was given the source before.
    pub start: Option<Start>,
}

/// Places in a message: the head of its options, and the last option, `sawlog_from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    options: usize,
    from: usize,
}

impl Message {
    /// Leaves out up to where the receiver was given the source: another one gets it now.
    pub(super) fn forget_start(&mut self) {
        let Some(Start { options, from }) = self.start.take() else { return };
        let mut bytes = self.bytes[..from].to_vec();
        // The head of a map of fewer than 16 pairs is one byte with their number.
        bytes[options] -= 1;
        self.bytes = bytes.into();
    }
}

/// The message for a batch with rows.
///
/// # Errors
/// Where the payload cannot be compressed; in words.
pub(super) fn encode(batch: &Batch, span: Span, style: &Style) -> Result<Message, String> {
    let chunk = chunk(batch, span.to);
    let mut bytes = Vec::with_capacity(batch.buffer.len() + 32 * batch.rows.len() + 512);
    msgpack::write_list(3, &mut bytes);
    msgpack::write_str(&tag(batch, &style.tag), &mut bytes);
    payload(batch, style, &mut bytes)?;
    let mut options =
        vec![("size", Value::Int(batch.rows.len() as i64)), ("chunk", Value::Str(chunk.clone()))];
    match style.compress {
        Compress::Text => {}
        Compress::Gzip => options.push(("compressed", Value::Str("gzip".to_owned()))),
        Compress::Zstd => options.push(("compressed", Value::Str("zstd".to_owned()))),
    }
    let mut from = None;
    if style.lane {
        options.push(("sawlog_to", mark(span.to)));
        from = span.from.map(|from| ("sawlog_from", mark(from)));
    }
    let head = bytes.len();
    msgpack::write_map(options.len() + usize::from(from.is_some()), &mut bytes);
    let write = |(key, value): (&str, Value), bytes: &mut Vec<u8>| {
        msgpack::write_str(key, bytes);
        msgpack::write(&value, bytes);
    };
    options.into_iter().for_each(|option| write(option, &mut bytes));
    let start = from.is_some().then_some(Start { options: head, from: bytes.len() });
    from.into_iter().for_each(|option| write(option, &mut bytes));
    Ok(Message { bytes: bytes.into(), chunk, start })
}

/// Appends the payload. What is not compressed is written where it is to stand, with its length filled in afterwards.
fn payload(batch: &Batch, style: &Style, out: &mut Vec<u8>) -> Result<(), String> {
    let write = |out: &mut Vec<u8>| match style.lane {
        true => frame::encode(batch, out),
        false => batch.iter().for_each(|row| entry(row, style, out)),
    };
    if style.compress != Compress::Text {
        let mut plain = Vec::with_capacity(out.capacity());
        write(&mut plain);
        let packed = compress(&plain, style.compress).map_err(|error| error.to_string())?;
        msgpack::write_bin(&packed, out);
        return Ok(());
    }
    // The head of binary data with a length of 32 bits.
    out.extend_from_slice(&[0xc6, 0, 0, 0, 0]);
    let start = out.len();
    write(out);
    let len = u32::try_from(out.len() - start).map_err(|_| "a message of more than 4 GiB".to_owned())?;
    out[start - 4..start].copy_from_slice(&len.to_be_bytes());
    Ok(())
}

fn mark((epoch, offset): (u32, u64)) -> Value {
    let offset = i64::try_from(offset).map_or(Value::UInt(offset), Value::Int);
    Value::List(vec![Value::Int(epoch.into()), offset])
}

fn compress(plain: &[u8], how: Compress) -> std::io::Result<Vec<u8>> {
    match how {
        Compress::Text => Ok(plain.to_vec()),
        Compress::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(plain)?;
            encoder.finish()
        }
        Compress::Zstd => zstd::bulk::compress(plain, ZSTD_LEVEL),
    }
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
