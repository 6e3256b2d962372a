//! A message of the forward protocol: its mode, options and entries. Knows nothing of connections or of where events go.

use bytes::Bytes;
use sawlog_model::Limits;
use sawlog_model::time::SECOND;
use sawlog_pipeline::DecodeError;

use super::frame::broken;
use crate::shared::inflate::{Compression, InflateError, inflate};
use crate::shared::msgpack::{Item, Measured, Measurer, MsgpackError, Reader, event_time, measure};

/// Longest tag, bytes: it is kept in memory for each that is known.
const TAG_MOST: usize = 4096;

/// What a peer sent.
#[derive(Debug)]
pub enum Message {
    /// nil: nothing but a sign of life.
    Heartbeat,
    /// Events.
    Events(Events),
    /// Something else; the word is for counters. The sender is not answered, but may go on.
    Unknown(&'static str),
}

/// A message with events.
#[derive(Debug)]
pub struct Events {
    /// The tag.
    pub tag: String,
    /// What the sender wants to have acknowledged: the msgpack of the `chunk` option.
    pub chunk: Option<Bytes>,
    /// The body is a batch of another sawlog, whose rows keep their addresses ([`sawlog_model::frame`]); not entries.
    pub placed: Option<Span>,
    body: Bytes,
    form: Body,
}

/// Where a source stands before (where the sender knows) and after a batch: epoch and offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Before.
    pub from: Option<(u32, u64)>,
    /// After.
    pub to: (u32, u64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Body {
    /// A time and a record, one after the other.
    One,
    /// So many entries.
    List(u32),
    /// Entries up to the end.
    Packed,
    /// Nothing that can be read; the word is for counters.
    Invalid(&'static str),
}

/// An entry.
pub enum Entry<'a> {
    /// An event.
    Event(Event<'a>),
    /// Not an event; the word is for counters.
    Invalid(&'static str),
}

/// An event as it stands in the message.
pub struct Event<'a> {
    /// Nanoseconds; `None` where the sender leaves the time to us.
    pub time: Option<i64>,
    /// What v1.5 adds to the time, a map in msgpack; `None` where it is absent or empty.
    pub metadata: Option<(&'a [u8], Measured)>,
    /// The record, a map in msgpack.
    pub record: &'a [u8],
    /// What its line needs.
    pub measured: Measured,
}

#[derive(Default)]
struct Options {
    chunk: Option<Bytes>,
    compressed: Option<Compression>,
    unknown_compression: bool,
    signal: i64,
    from: Option<(u32, u64)>,
    to: Option<(u32, u64)>,
}

/// Reads a whole message.
///
/// # Errors
/// [`DecodeError`] where its packed entries cannot be unpacked; nothing is acknowledged then.
pub fn read(message: &Bytes, limits: &Limits) -> Result<Message, DecodeError> {
    read_parts(message, limits)
        .map_err(|error| broken(error, 0))?
        .map_or(Ok(Message::Unknown("not_a_message")), |parts| finish(parts, limits))
}

enum Parts {
    Heartbeat,
    Events { tag: Option<String>, body: Bytes, form: Body, options: Options },
}

fn read_parts(message: &Bytes, limits: &Limits) -> Result<Option<Parts>, MsgpackError> {
    let mut reader = Reader::new(message);
    let count = match reader.item()? {
        Item::Nil => return Ok(Some(Parts::Heartbeat)),
        Item::List(count @ 2..) => count,
        _ => return Ok(None),
    };
    let tag = read_tag(&mut reader, limits)?;
    let mut peek = reader.clone();
    let (body, form, options_left) = match peek.item()? {
        Item::Str(bytes) | Item::Bin(bytes) => {
            reader = peek;
            (message.slice_ref(bytes), Body::Packed, count > 2)
        }
        Item::List(entries) if entries == 0 || matches!(peek.item()?, Item::List(_)) => {
            let whole = skip(&mut reader, limits)?;
            // The head is read again here, to leave the entries without it.
            let mut inside = Reader::new(whole);
            inside.item()?;
            (message.slice_ref(inside.rest()), Body::List(entries), count > 2)
        }
        _ if count < 3 => return Ok(None),
        _ => {
            let start = reader.at();
            skip(&mut reader, limits)?;
            skip(&mut reader, limits)?;
            (message.slice(start..reader.at()), Body::One, count > 3)
        }
    };
    let options = if options_left { read_options(&mut reader, message, limits)? } else { Options::default() };
    Ok(Some(Parts::Events { tag, body, form, options }))
}

fn finish(parts: Parts, limits: &Limits) -> Result<Message, DecodeError> {
    let Parts::Events { tag, mut body, mut form, options } = parts else { return Ok(Message::Heartbeat) };
    if options.signal != 0 {
        form = Body::Invalid("not_logs");
    }
    if form == Body::Packed && options.unknown_compression {
        let what = "a compression other than gzip, zstd, lz4 or text".to_owned();
        return Err(DecodeError { reason: "broken", what, at: 0 });
    }
    if let Some(compression) = options.compressed.filter(|_| form == Body::Packed) {
        body = inflate(&body, compression, limits.message).map(Bytes::from).map_err(|error| {
            let reason = if matches!(error, InflateError::Long(_)) { "too_large" } else { "broken" };
            DecodeError { reason, what: error.to_string(), at: 0 }
        })?;
    }
    if tag.is_none() {
        form = Body::Invalid("no_tag");
    }
    let placed = options.to.filter(|_| form == Body::Packed).map(|to| Span { from: options.from, to });
    Ok(Message::Events(Events { tag: tag.unwrap_or_default(), chunk: options.chunk, placed, body, form }))
}

/// The tag, where it is one.
fn read_tag(reader: &mut Reader<'_>, limits: &Limits) -> Result<Option<String>, MsgpackError> {
    let whole = skip(reader, limits)?;
    Ok(match Reader::new(whole).item()? {
        Item::Str(bytes) | Item::Bin(bytes) if bytes.len() <= TAG_MOST => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
        _ => None,
    })
}

/// Passes over a value of a message and gives its bytes. The message was scanned when it was framed, so that its depth
/// and length are known to be in bounds.
fn skip<'a>(reader: &mut Reader<'a>, limits: &Limits) -> Result<&'a [u8], MsgpackError> {
    let limits = Limits { depth: usize::MAX, event: limits.message, ..*limits };
    let len = measure(reader.rest(), &limits)?.len;
    Ok(reader.take(len))
}

fn read_options(reader: &mut Reader<'_>, message: &Bytes, limits: &Limits) -> Result<Options, MsgpackError> {
    let mut options = Options::default();
    let mut peek = reader.clone();
    let Item::Map(count) = peek.item()? else { return Ok(options) };
    *reader = peek;
    for _ in 0..count {
        let key = Reader::new(skip(reader, limits)?).item()?;
        let whole = skip(reader, limits)?;
        let value = Reader::new(whole).item()?;
        match (key, value) {
            (Item::Str(b"chunk"), Item::Str(_) | Item::Bin(_)) => {
                options.chunk = Some(message.slice_ref(whole))
            }
            (Item::Str(b"compressed"), Item::Str(name) | Item::Bin(name)) => match name {
                b"gzip" => options.compressed = Some(Compression::Gzip),
                b"zstd" => options.compressed = Some(Compression::Zstd),
                b"lz4" => options.compressed = Some(Compression::Lz4),
                b"text" => {}
                _ => options.unknown_compression = true,
            },
            (Item::Str(b"fluent_signal"), Item::Int(signal)) => options.signal = signal,
            (Item::Str(b"sawlog_from"), Item::List(2)) => options.from = read_mark(whole),
            (Item::Str(b"sawlog_to"), Item::List(2)) => options.to = read_mark(whole),
            _ => {}
        }
    }
    Ok(options)
}

/// `[epoch, offset]`
fn read_mark(bytes: &[u8]) -> Option<(u32, u64)> {
    let mut reader = Reader::new(bytes);
    reader.item().ok()?;
    let Item::Int(epoch) = reader.item().ok()? else { return None };
    let offset = match reader.item().ok()? {
        Item::Int(offset) => u64::try_from(offset).ok()?,
        Item::UInt(offset) => offset,
        _ => return None,
    };
    Some((u32::try_from(epoch).ok()?, offset))
}

impl Events {
    /// The body: the batch's bytes where it is [one](Events::placed).
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Calls `visit` with every entry, in order.
    ///
    /// # Errors
    /// [`DecodeError`] where the entries are broken off or pass a limit; nothing of the message may be acknowledged.
    pub fn each(
        &self,
        limits: &Limits,
        visit: &mut dyn FnMut(Entry<'_>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let (mut reader, mut measurer) = (Reader::new(&self.body), Measurer::default());
        let mut left = match self.form {
            Body::Invalid(reason) => return visit(Entry::Invalid(reason)),
            Body::One => {
                let entry = event(&mut reader, limits, &mut measurer).map_err(|error| broken(error, 0))?;
                return visit(entry);
            }
            Body::List(count) => u64::from(count),
            Body::Packed => u64::MAX,
        };
        while left > 0 && !reader.rest().is_empty() {
            left -= 1;
            let entry = entry(&mut reader, limits, &mut measurer)
                .map_err(|error| broken(error, reader.at() as u64))?;
            visit(entry)?;
        }
        Ok(())
    }
}

/// `[time, record]`
fn entry<'a>(
    reader: &mut Reader<'a>,
    limits: &Limits,
    measurer: &mut Measurer,
) -> Result<Entry<'a>, MsgpackError> {
    let mut inside = reader.clone();
    if let Item::List(2) = inside.item()? {
        *reader = inside;
        return event(reader, limits, measurer);
    }
    let len = measurer.measure(reader.rest(), limits)?.len;
    reader.take(len);
    Ok(Entry::Invalid("not_an_entry"))
}

/// A time and a record.
fn event<'a>(
    reader: &mut Reader<'a>,
    limits: &Limits,
    measurer: &mut Measurer,
) -> Result<Entry<'a>, MsgpackError> {
    let time_len = measurer.measure(reader.rest(), limits)?.len;
    let time = reader.take(time_len);
    let measured = measurer.measure(reader.rest(), limits)?;
    let record = reader.take(measured.len);
    let Some((time, metadata)) = read_time(time, limits)? else { return Ok(Entry::Invalid("bad_time")) };
    if !matches!(Reader::new(record).item()?, Item::Map(_)) {
        return Ok(Entry::Invalid("not_a_map"));
    }
    Ok(Entry::Event(Event { time, metadata, record, measured }))
}

type Time<'a> = (Option<i64>, Option<(&'a [u8], Measured)>);

/// A time, or `[time, {metadata}]`; `None` where it is neither.
fn read_time<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Option<Time<'a>>, MsgpackError> {
    let mut reader = Reader::new(bytes);
    let first = reader.item()?;
    let Item::List(2) = first else { return Ok(nanos(first).map(|time| (time, None))) };
    let Some(time) = nanos(reader.item()?) else { return Ok(None) };
    let metadata = reader.rest();
    Ok(match Reader::new(metadata).item()? {
        Item::Map(0) => Some((time, None)),
        Item::Map(_) => Some((time, Some((metadata, measure(metadata, limits)?)))),
        _ => None,
    })
}

/// Nanoseconds of a time; the inner `None` where the sender leaves it to us (0 or nil), the outer where it is no time.
fn nanos(item: Item<'_>) -> Option<Option<i64>> {
    let nanos = match item {
        Item::Nil => return Some(None),
        Item::Int(seconds) => seconds.checked_mul(SECOND)?,
        Item::F64(seconds) if seconds.is_finite() && seconds.abs() < 9e9 => (seconds * 1e9) as i64,
        Item::Ext(kind, bytes) => event_time(kind, bytes)?,
        _ => return None,
    };
    Some(Some(nanos).filter(|nanos| *nanos != 0))
}
