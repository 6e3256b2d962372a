//! What is saved with a position of a file so that it is found and checked again: the running hash, the last bytes'
//! hash (anchor), the first bytes' hash (head), the epochs that ended, and the format's state. Knows nothing of files.

use bytes::Bytes;
use sawlog_model::Position;
use sawlog_model::frame::{FrameError, Reader, put_bytes, put_varint};
use xxhash_rust::xxh3::xxh3_64;

use super::hash::RunningHash;

const VERSION: u8 = 1;
/// Bytes of the anchor and of the head at most.
pub(crate) const ANCHOR: usize = 1024;
pub(crate) const HEAD: usize = 256;
/// How many ended epochs are remembered: a copy of one may be found a few truncations later.
const ENDED: usize = 4;

/// An epoch that ended (by truncation or rewriting): how far it was read, and the hash of that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ended {
    pub len: u64,
    pub hash: u128,
    pub head: Head,
}

/// The hash of the first bytes, at most [`HEAD`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Head {
    pub len: u16,
    pub hash: u64,
}

impl Head {
    /// Of an epoch that begins with `bytes`.
    pub(crate) fn of(bytes: &[u8]) -> Head {
        let bytes = &bytes[..bytes.len().min(HEAD)];
        Head { len: bytes.len() as u16, hash: xxh3_64(bytes) }
    }

    /// Whether `bytes`, the beginning of something, begin with the bytes that this is of.
    pub(crate) fn begins(&self, bytes: &[u8]) -> bool {
        let len = usize::from(self.len);
        bytes.len() >= len && Head::of(&bytes[..len]) == *self
    }
}

/// Where a file stands, and everything to go on from there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Mark {
    pub epoch: u32,
    pub offset: u64,
    pub hash: RunningHash,
    /// The last bytes before the offset; only its hash and length are saved.
    pub anchor: Anchor,
    pub head: Head,
    pub ended: Vec<Ended>,
    pub format: Bytes,
    /// The file was read to its end and is gone.
    pub done: bool,
}

/// The hash of the last bytes before an offset, at most [`ANCHOR`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Anchor {
    pub len: u16,
    pub hash: u64,
}

impl Anchor {
    /// Of `bytes`, which end at the offset.
    pub(crate) fn of(bytes: &[u8]) -> Anchor {
        let bytes = &bytes[bytes.len().saturating_sub(ANCHOR)..];
        Anchor { len: bytes.len() as u16, hash: xxh3_64(bytes) }
    }
}

impl Mark {
    /// As the pipeline carries it.
    pub(crate) fn position(&self) -> Position {
        let mut out = vec![VERSION, u8::from(self.done)];
        self.hash.save(&mut out);
        put_varint(&mut out, u64::from(self.anchor.len));
        out.extend_from_slice(&self.anchor.hash.to_le_bytes());
        put_head(&mut out, &self.head);
        put_varint(&mut out, self.ended.len() as u64);
        for ended in &self.ended {
            put_varint(&mut out, ended.len);
            out.extend_from_slice(&ended.hash.to_le_bytes());
            put_head(&mut out, &ended.head);
        }
        put_bytes(&mut out, &self.format);
        Position { epoch: self.epoch, offset: self.offset, resume: out.into() }
    }

    /// Of a position; `None` where that was not written by this input, so that only epoch and offset can be used.
    pub(crate) fn read(position: &Position) -> Option<Mark> {
        let mut mark = read_mark(&mut Reader::new(position.resume.clone())).ok()?;
        (mark.epoch, mark.offset) = (position.epoch, position.offset);
        (mark.hash.len() == mark.offset).then_some(mark)
    }

    /// The next epoch, at its beginning.
    pub(crate) fn next_epoch(&self) -> Mark {
        let mut ended = self.ended.clone();
        if self.offset > 0 {
            ended.push(Ended { len: self.offset, hash: self.hash.value(), head: self.head });
        }
        ended.drain(..ended.len().saturating_sub(ENDED));
        Mark { epoch: self.epoch + 1, ended, ..Mark::default() }
    }
}

fn put_head(out: &mut Vec<u8>, head: &Head) {
    put_varint(out, u64::from(head.len));
    out.extend_from_slice(&head.hash.to_le_bytes());
}

fn read_u64(reader: &mut Reader) -> Result<u64, FrameError> {
    let bytes = reader.take(8, "hash")?;
    bytes[..].try_into().map(u64::from_le_bytes).map_err(|_| FrameError::Short("hash"))
}

fn read_len(reader: &mut Reader) -> Result<u16, FrameError> {
    u16::try_from(reader.varint("length")?).map_err(|_| FrameError::Wrong("length"))
}

fn read_head(reader: &mut Reader) -> Result<Head, FrameError> {
    Ok(Head { len: read_len(reader)?, hash: read_u64(reader)? })
}

fn read_mark(reader: &mut Reader) -> Result<Mark, FrameError> {
    if reader.byte("version")? != VERSION {
        return Err(FrameError::Wrong("version"));
    }
    let done = reader.byte("flag")? != 0;
    let hash = reader.take(RunningHash::SAVED, "running hash")?;
    let hash = hash[..].try_into().map(RunningHash::load).map_err(|_| FrameError::Short("running hash"))?;
    let anchor = Anchor { len: read_len(reader)?, hash: read_u64(reader)? };
    let head = read_head(reader)?;
    let mut ended = Vec::new();
    for _ in 0..reader.count("ended epochs")?.min(ENDED) {
        let len = reader.varint("length")?;
        let hash = reader.take(16, "hash")?;
        let hash = hash[..].try_into().map(u128::from_le_bytes).map_err(|_| FrameError::Short("hash"))?;
        ended.push(Ended { len, hash, head: read_head(reader)? });
    }
    let format = reader.bytes("format state")?;
    Ok(Mark { hash, anchor, head, ended, format, done, ..Mark::default() })
}
