//! What stands in the journal of dead letters: letters, and what became of them. docs/format.md draws both. Knows nothing of
//! when they are written.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use sawlog_journal::{Frame, Lsn};
use sawlog_model::frame::{FrameError, Reader, put_bytes, put_signed, put_varint};
use sawlog_model::time::rfc3339;
use sawlog_model::{Batch, Nanos, Tenant};

use super::Home;
use crate::payload::{self, Item};

/// First byte of every payload; another number is of a version that this one does not know.
const VERSION: u8 = 1;

/// Why an output did not get rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Why {
    /// It refused them for good.
    Refused = 1,
    /// It could not take them for longer, or after more tries, than its configuration allows.
    GivenUp = 2,
}

impl Why {
    /// As errors of outputs count it.
    pub fn word(self) -> &'static str {
        match self {
            Why::Refused => "refused",
            Why::GivenUp => "given_up",
        }
    }
}

/// Rows that an output did not get.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Tells it apart from the others of its node.
    pub number: u64,
    /// When it was written.
    pub time: Nanos,
    /// Name of the output.
    pub output: Arc<str>,
    /// Why the output did not get them.
    pub why: Why,
    /// In words, as the output said it.
    pub reason: String,
    /// The rows as their input gave them, before any filter, at their addresses.
    pub batch: Arc<Batch>,
    /// The label that their input sent them to; empty for none.
    pub label: Arc<str>,
    /// They were replayed before.
    pub(crate) again: bool,
}

/// On one line: number, time, output, rows, why. What could drive a terminal is written out.
impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, time, rows) = (self.number, rfc3339(self.time), self.batch.rows.len());
        let plain =
            |text: &str| {
                text.chars()
                    .flat_map(|letter| {
                        if letter.is_control() { letter.escape_default().collect() } else { vec![letter] }
                    })
                    .collect::<String>()
            };
        let (output, reason) = (plain(&self.output), plain(&self.reason));
        write!(f, "{number:>8}  {time}  {output:16} {rows:>7} rows  {}: {reason}", self.why.word())
    }
}

/// What a letter begins with.
pub(crate) struct Head<'a> {
    pub output: &'a Arc<str>,
    /// The journal frame that the rows are of, and which of its items.
    pub at: Lsn,
    pub index: u32,
    pub why: Why,
    pub reason: &'a str,
}

/// What is read of a letter without its rows.
pub(crate) struct Found {
    pub home: Home,
    pub rows: u64,
}

/// What becomes of letters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    /// They are about to go as one message under that key.
    Replay { key: u128, numbers: Vec<u64> },
    /// The message of that key is in the journal.
    Replayed { key: u128 },
    /// The message of that key was not and will not be sent.
    Left { key: u128 },
    /// They are not wanted.
    Dropped(Vec<u64>),
}

/// Appends a letter's payload.
pub(crate) fn put_letter(out: &mut Vec<u8>, head: &Head<'_>, time: Nanos, item: &Item) {
    out.push(VERSION);
    put_bytes(out, head.output.as_bytes());
    put_varint(out, head.at.0);
    put_varint(out, u64::from(head.index));
    put_varint(out, item.batch.rows.len() as u64);
    out.push(head.why as u8);
    put_signed(out, time);
    put_bytes(out, head.reason.as_bytes());
    payload::begin(out);
    payload::put_item(out, item);
}

fn begin(payload: Bytes) -> Result<Reader, FrameError> {
    let mut reader = Reader::new(payload);
    if reader.byte("version")? == VERSION { Ok(reader) } else { Err(FrameError::Wrong("version")) }
}

fn head(reader: &mut Reader) -> Result<Found, FrameError> {
    let output = reader.text("name of an output")?.into();
    let (at, index) = (Lsn(reader.varint("position")?), reader.u32("index")?);
    Ok(Found { home: Home { output, at, index }, rows: reader.varint("number of rows")? })
}

/// What a letter begins with, and whose its rows are.
pub(crate) fn read_head(payload: Bytes) -> Result<(Found, Tenant), FrameError> {
    let mut reader = begin(payload)?;
    let head = head(&mut reader)?;
    reader.byte("kind")?;
    reader.signed("time")?;
    reader.text("reason")?;
    let rest = reader.take(reader.remaining(), "rows")?;
    Ok((head, payload::tenant_of(rest)?))
}

pub(super) fn read_letter(frame: Frame) -> Result<Letter, FrameError> {
    read(&frame.payload, frame.lsn)
}

/// Reads the payload of the frame that stands there.
pub(crate) fn read(payload: &Bytes, lsn: Lsn) -> Result<Letter, FrameError> {
    let mut reader = begin(payload.clone())?;
    let head = head(&mut reader)?;
    let why = match reader.byte("kind")? {
        1 => Why::Refused,
        2 => Why::GivenUp,
        _ => return Err(FrameError::Wrong("kind")),
    };
    let time = reader.signed("time")?;
    let reason = reader.text("reason")?;
    let rest = reader.take(reader.remaining(), "rows")?;
    let item = payload::read_items(rest)?.pop().ok_or(FrameError::Short("rows"))?;
    Ok(Letter {
        number: lsn.0,
        time,
        output: head.home.output,
        why,
        reason,
        batch: item.batch,
        label: item.label,
        again: item.only.is_some(),
    })
}

/// Appends what becomes of letters.
pub(crate) fn put_change(out: &mut Vec<u8>, change: &Change) {
    out.push(VERSION);
    let (code, key, numbers): (u8, Option<u128>, &[u64]) = match change {
        Change::Replay { key, numbers } => (1, Some(*key), numbers),
        Change::Replayed { key } => (2, Some(*key), &[]),
        Change::Left { key } => (3, Some(*key), &[]),
        Change::Dropped(numbers) => (4, None, numbers),
    };
    out.push(code);
    if let Some(key) = key {
        out.extend_from_slice(&key.to_le_bytes());
    }
    numbers.iter().for_each(|number| put_varint(out, *number));
}

pub(crate) fn read_change(payload: Bytes) -> Result<Change, FrameError> {
    let mut reader = begin(payload)?;
    let code = reader.byte("kind of change")?;
    let key = if (1..=3).contains(&code) { payload::read_key(&mut reader)? } else { 0 };
    let mut numbers = Vec::new();
    while reader.remaining() > 0 {
        numbers.push(reader.varint("number of a letter")?);
    }
    match code {
        1 => Ok(Change::Replay { key, numbers }),
        2 => Ok(Change::Replayed { key }),
        3 => Ok(Change::Left { key }),
        4 => Ok(Change::Dropped(numbers)),
        _ => Err(FrameError::Wrong("kind of change")),
    }
}
