//! What the pipeline writes into journal frames: rows with the positions of their files, and cursor frames that carry
//! positions and cursors on behalf of outputs that keep none. Knows nothing of when they are written.

use std::sync::Arc;

use bytes::Bytes;
use sawlog_journal::{Lsn, Payload};
use sawlog_model::frame::{self, FrameError, Reader, put_bytes, put_varint};
use sawlog_model::{Batch, KnownSource, Limits, Position, Tenant};

use crate::Note;

/// First byte of every payload; another number is of a version that this one does not know.
const VERSION: u8 = 1;
const HAS_POSITION: u8 = 1;
const LATE: u8 = 2;
const HAS_KEY: u8 = 4;
const HAS_LABEL: u8 = 8;
/// The name of the output that had late rows; without it (as the first version wrote them) it was the only one.
const HAS_TAKER: u8 = 16;
/// The name of the only output that gets the rows.
const HAS_ONLY: u8 = 32;
/// In the place of an item: an input's note, alone in its flags.
const NOTE: u8 = 64;
/// Version of cursor frames that hold notes, too.
const WITH_NOTES: u8 = 2;

/// Rows on their way to the outputs.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// The rows.
    pub batch: Arc<Batch>,
    /// Where their file stands after them; `None` for rows that are addressed by the journal.
    pub position: Option<Position>,
    /// The output that had them before they were journaled (late journaling).
    pub late: Option<Arc<str>>,
    /// The label that their input sends rows to; empty for none. Not part of the context: outputs have no use for it.
    pub label: Arc<str>,
    /// By which their message is recognised when it is sent again.
    pub key: Option<u128>,
    /// The only output that gets the rows, whatever others are on their way: they are a dead letter of it that is replayed.
    pub only: Option<Arc<str>>,
    /// The batch as it came encoded, but for the tenant ([`frame::after_tenant`]): until it is journaled, which then is not
    /// to encode it again.
    pub encoded: Option<Bytes>,
}

/// What a cursor frame says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Saved {
    /// Outputs by name with the position below which each holds everything.
    pub cursors: Vec<(String, Lsn)>,
    /// Sources with the positions from which they are to be read on.
    pub sources: Vec<KnownSource>,
    /// Keys of messages that were taken, oldest first.
    pub keys: Vec<u128>,
    /// Notes of inputs.
    pub notes: Vec<Note>,
}

fn put_position(out: &mut Vec<u8>, position: &Position) {
    put_varint(out, u64::from(position.epoch));
    put_varint(out, position.offset);
    put_bytes(out, &position.resume);
}

fn read_position(reader: &mut Reader) -> Result<Position, FrameError> {
    let (epoch, offset) = (reader.u32("epoch")?, reader.varint("offset")?);
    // Copied: a few bytes must not keep a whole frame in memory.
    let resume = Bytes::copy_from_slice(&reader.bytes("resume state")?);
    Ok(Position { epoch, offset, resume })
}

pub(crate) fn read_key(reader: &mut Reader) -> Result<u128, FrameError> {
    let bytes = reader.take(16, "key")?;
    Ok(u128::from_le_bytes(bytes[..].try_into().map_err(|_| FrameError::Short("key"))?))
}

fn expect_version(reader: &mut Reader) -> Result<(), FrameError> {
    if reader.byte("version")? == VERSION { Ok(()) } else { Err(FrameError::Wrong("version")) }
}

/// Appends one item; see [`begin`].
pub(crate) fn put_item(out: &mut Vec<u8>, item: &Item) {
    put_item_head(out, item);
    frame::encode(&item.batch, out);
}

/// As [`put_item`], to a frame of the journal, without copying the rows.
pub(crate) fn share_item(out: &mut Payload<'_>, item: &Item) {
    put_item_head(out.bytes(), item);
    let rest = match &item.encoded {
        Some(encoded) => {
            put_varint(out.bytes(), u64::from(item.batch.tenant.0));
            encoded.clone()
        }
        None => frame::encode_head(&item.batch, out.bytes()),
    };
    out.share(rest);
}

/// What stands before the batch of an item.
fn put_item_head(out: &mut Vec<u8>, item: &Item) {
    let position = if item.position.is_some() { HAS_POSITION } else { 0 };
    let key = if item.key.is_some() { HAS_KEY } else { 0 };
    let late = if item.late.is_some() { LATE | HAS_TAKER } else { 0 };
    let label = if item.label.is_empty() { 0 } else { HAS_LABEL };
    let only = if item.only.is_some() { HAS_ONLY } else { 0 };
    out.push(position | key | late | label | only);
    if let Some(key) = item.key {
        out.extend_from_slice(&key.to_le_bytes());
    }
    if let Some(taker) = &item.late {
        put_bytes(out, taker.as_bytes());
    }
    if !item.label.is_empty() {
        put_bytes(out, item.label.as_bytes());
    }
    if let Some(only) = &item.only {
        put_bytes(out, only.as_bytes());
    }
    if let Some(position) = &item.position {
        put_position(out, position);
    }
}

/// Appends an input's note; see [`begin`].
pub(crate) fn put_note(out: &mut Vec<u8>, note: &Note) {
    out.push(NOTE);
    put_bytes(out, note.name.as_bytes());
    put_bytes(out, &note.state);
}

fn read_note(reader: &mut Reader) -> Result<Note, FrameError> {
    let name = reader.text("name of a note")?;
    // Copied: a few bytes must not keep a whole frame in memory.
    let state = Bytes::copy_from_slice(&reader.bytes("note")?);
    Ok(Note { name, state })
}

/// Begins a payload of rows; items follow to its end.
pub(crate) fn begin(out: &mut Vec<u8>) {
    out.push(VERSION);
}

/// Reads the items of a payload. The journal has checked the bytes, and what was once acknowledged must be readable
/// again whatever the limits are now; so only the size of the bytes bounds it.
pub(crate) fn read_items(payload: Bytes) -> Result<Vec<Item>, FrameError> {
    read_all(payload).map(|(items, _)| items)
}

/// As [`read_items`], with the notes of inputs.
pub(crate) fn read_all(payload: Bytes) -> Result<(Vec<Item>, Vec<Note>), FrameError> {
    let limits = Limits { names: usize::MAX, fields: usize::MAX, ..Limits::default() };
    let mut reader = Reader::new(payload);
    expect_version(&mut reader)?;
    let (mut items, mut notes) = (Vec::new(), Vec::new());
    while reader.remaining() > 0 {
        let flags = reader.byte("flags")?;
        if flags == NOTE {
            notes.push(read_note(&mut reader)?);
            continue;
        }
        let mut item = read_item_head(&mut reader, flags)?;
        item.batch = Arc::new(frame::decode_from(&mut reader, &limits)?);
        items.push(item);
    }
    Ok((items, notes))
}

/// Reads what stands before the batch of an item, which is empty yet.
fn read_item_head(reader: &mut Reader, flags: u8) -> Result<Item, FrameError> {
    if flags & !(HAS_POSITION | LATE | HAS_KEY | HAS_LABEL | HAS_TAKER | HAS_ONLY) != 0 {
        return Err(FrameError::Wrong("flags"));
    }
    let key = if flags & HAS_KEY != 0 { Some(read_key(reader)?) } else { None };
    let taker = if flags & HAS_TAKER != 0 { reader.text("name of an output")? } else { String::new() };
    let late = (flags & LATE != 0).then(|| taker.into());
    let label = if flags & HAS_LABEL != 0 { reader.text("label")?.into() } else { Arc::default() };
    let only = if flags & HAS_ONLY != 0 { Some(reader.text("name of an output")?.into()) } else { None };
    let position = if flags & HAS_POSITION != 0 { Some(read_position(reader)?) } else { None };
    Ok(Item { batch: Arc::default(), position, late, label, key, only, encoded: None })
}

/// Whose the first item of a payload is.
pub(crate) fn tenant_of(payload: Bytes) -> Result<Tenant, FrameError> {
    let mut reader = Reader::new(payload);
    expect_version(&mut reader)?;
    let flags = reader.byte("flags")?;
    read_item_head(&mut reader, flags)?;
    Ok(Tenant(reader.u32("tenant")?))
}

/// Appends a cursor frame's payload.
pub(crate) fn put_saved(out: &mut Vec<u8>, saved: &Saved) {
    out.push(if saved.notes.is_empty() { VERSION } else { WITH_NOTES });
    put_varint(out, saved.cursors.len() as u64);
    for (name, lsn) in &saved.cursors {
        put_bytes(out, name.as_bytes());
        put_varint(out, lsn.0);
    }
    put_varint(out, saved.sources.len() as u64);
    for known in &saved.sources {
        frame::put_source(out, &known.source);
        put_position(out, &known.position);
    }
    if !saved.notes.is_empty() {
        put_varint(out, saved.notes.len() as u64);
        saved.notes.iter().for_each(|note| put_note(out, note));
    }
    for key in &saved.keys {
        out.extend_from_slice(&key.to_le_bytes());
    }
}

/// Reads what [`put_saved`] wrote.
pub(crate) fn read_saved(payload: Bytes) -> Result<Saved, FrameError> {
    let mut reader = Reader::new(payload);
    let version = reader.byte("version")?;
    if version != VERSION && version != WITH_NOTES {
        return Err(FrameError::Wrong("version"));
    }
    let mut saved = Saved::default();
    for _ in 0..reader.count("cursors")? {
        saved.cursors.push((reader.text("name of an output")?, Lsn(reader.varint("cursor")?)));
    }
    for _ in 0..reader.count("sources")? {
        let source = frame::read_source(&mut reader)?;
        saved.sources.push(KnownSource { source, position: read_position(&mut reader)? });
    }
    if version == WITH_NOTES {
        for _ in 0..reader.count("notes")? {
            if reader.byte("flags")? != NOTE {
                return Err(FrameError::Wrong("flags"));
            }
            saved.notes.push(read_note(&mut reader)?);
        }
    }
    while reader.remaining() > 0 {
        saved.keys.push(read_key(&mut reader)?);
    }
    Ok(saved)
}
