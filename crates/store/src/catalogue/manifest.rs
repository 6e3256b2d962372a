//! One manifest as bytes (docs/format.md, "Catalogue"). Knows nothing of files, chains or of how the changes are used.

use std::path::Path;

use bytes::Bytes;
use sawlog_model::frame::{FrameError, Reader, put_signed, put_varint};
use sawlog_model::{Nanos, Tenant};

use super::stored::StoredSource;
use crate::StoreError;

// 0        8       12     13                 21            29         37        n      n+4
// +--------+-------+------+------------------+-------------+----------+---------+------+
// | magic  |format | kind | number           | writer epoch| body len | body    | crc  |
// +--------+-------+------+------------------+-------------+----------+---------+------+
const MAGIC: &[u8; 8] = b"sawlogCT";
pub(crate) const FORMAT: u32 = 1;
const FORMAT_AT: usize = MAGIC.len();
const KIND_AT: usize = FORMAT_AT + size_of::<u32>();
const NUMBER_AT: usize = KIND_AT + 1;
const EPOCH_AT: usize = NUMBER_AT + size_of::<u64>();
const BODY_LEN_AT: usize = EPOCH_AT + size_of::<u64>();
pub(super) const BODY_AT: usize = BODY_LEN_AT + size_of::<u64>();
pub(super) const CRC_LEN: usize = size_of::<u32>();

const KIND_CHANGE: u8 = 0;
const KIND_CHECKPOINT: u8 = 1;

/// A segment as the catalogue knows it: enough to plan without opening the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SegmentEntry {
    /// Names the file; never used twice.
    pub number: u64,
    /// Whose.
    pub tenant: Tenant,
    /// Written by compaction.
    pub strong: bool,
    /// Rows.
    pub rows: u64,
    /// Bytes of their lines.
    pub raw_bytes: u64,
    /// Bytes of the file.
    pub stored_bytes: u64,
    /// First time.
    pub first_time: Nanos,
    /// Last time.
    pub last_time: Nanos,
    /// The youngest row's age counts from here: the largest of all rows' min(time, received).
    pub newest: Nanos,
}

/// What of the journal's frames is in segments, for one tenant: all below frame `at`, and so many batches of that frame.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct JournalMark {
    /// Position of a frame.
    pub at: u64,
    /// Batches of it, in their order, that are stored.
    pub batches: u64,
}

/// What one commit changes.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Change {
    /// Segments that count from now on.
    pub added: Vec<SegmentEntry>,
    /// Numbers of segments that no longer count.
    pub removed: Vec<u64>,
    /// How far sources are stored.
    pub positions: Vec<StoredSource>,
    /// What is stored of the journal, by tenant.
    pub marks: Vec<(Tenant, JournalMark)>,
    /// Journal position below which everything is stored; one lower than before changes nothing.
    pub cursor: u64,
    /// No segment has this number yet, nor a higher one.
    pub next_segment: u64,
}

/// A manifest.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Manifest {
    /// Its number in the chain.
    pub number: u64,
    /// Counts the writers that the store has had.
    pub epoch: u64,
    /// Whether the change is one from nothing, so that no manifest before it matters.
    pub checkpoint: bool,
    /// What it says.
    pub change: Change,
}

impl Manifest {
    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.push(if self.checkpoint { KIND_CHECKPOINT } else { KIND_CHANGE });
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&0u64.to_le_bytes());
        put_change(&mut out, &self.change);
        let body_len = (out.len() - BODY_AT) as u64;
        out[BODY_LEN_AT..BODY_AT].copy_from_slice(&body_len.to_le_bytes());
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where they are not a whole manifest, [`StoreError::Format`] where they are one of
    /// another format.
    pub fn decode(bytes: &Bytes, path: &Path) -> Result<Manifest, StoreError> {
        let wrong = |reason: &str| StoreError::damaged(path, reason);
        if bytes.len() < BODY_AT + CRC_LEN || &bytes[..FORMAT_AT] != MAGIC {
            return Err(wrong("it is not a manifest"));
        }
        let u64_at = |at: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(eight)
        };
        let (signed, crc) = bytes.split_at(bytes.len() - CRC_LEN);
        let found = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
        if crc != crc32c::crc32c(signed).to_le_bytes() {
            return Err(wrong("its checksum does not match"));
        }
        if found != FORMAT {
            return Err(StoreError::Format { path: path.display().to_string(), found, known: FORMAT });
        }
        if u64_at(BODY_LEN_AT) != (signed.len() - BODY_AT) as u64 {
            return Err(wrong("its length does not match"));
        }
        let body = bytes.slice(BODY_AT..signed.len());
        let (change, rest) = read_change(body).map_err(|error| wrong(&error.to_string()))?;
        if rest > 0 {
            return Err(wrong("something follows its body"));
        }
        let checkpoint = match bytes[KIND_AT] {
            KIND_CHANGE => false,
            KIND_CHECKPOINT => true,
            _ => return Err(wrong("its kind is unknown")),
        };
        Ok(Manifest { number: u64_at(NUMBER_AT), epoch: u64_at(EPOCH_AT), checkpoint, change })
    }
}

fn put_change(out: &mut Vec<u8>, change: &Change) {
    put_varint(out, change.cursor);
    put_varint(out, change.next_segment);
    put_varint(out, change.removed.len() as u64);
    for number in &change.removed {
        put_varint(out, *number);
    }
    put_varint(out, change.added.len() as u64);
    for entry in &change.added {
        put_varint(out, entry.number);
        put_varint(out, u64::from(entry.tenant.0));
        out.push(u8::from(entry.strong));
        for value in [entry.rows, entry.raw_bytes, entry.stored_bytes] {
            put_varint(out, value);
        }
        for time in [entry.first_time, entry.last_time, entry.newest] {
            put_signed(out, time);
        }
    }
    put_varint(out, change.positions.len() as u64);
    out.reserve(change.positions.iter().map(|source| source.bytes().len()).sum());
    change.positions.iter().for_each(|source| out.extend_from_slice(source.bytes()));
    put_varint(out, change.marks.len() as u64);
    for (tenant, mark) in &change.marks {
        put_varint(out, u64::from(tenant.0));
        put_varint(out, mark.at);
        put_varint(out, mark.batches);
    }
}

fn read_change(body: Bytes) -> Result<(Change, usize), FrameError> {
    let reader = &mut Reader::new(body.clone());
    let mut change = Change {
        cursor: reader.varint("cursor")?,
        next_segment: reader.varint("segment number")?,
        ..Change::default()
    };
    for _ in 0..reader.count("removed segments")? {
        change.removed.push(reader.varint("segment number")?);
    }
    for _ in 0..reader.count("segments")? {
        change.added.push(SegmentEntry {
            number: reader.varint("segment number")?,
            tenant: Tenant(reader.u32("tenant")?),
            strong: reader.byte("effort")? != 0,
            rows: reader.varint("rows")?,
            raw_bytes: reader.varint("raw bytes")?,
            stored_bytes: reader.varint("stored bytes")?,
            first_time: reader.signed("first time")?,
            last_time: reader.signed("last time")?,
            newest: reader.signed("newest time")?,
        });
    }
    for _ in 0..reader.count("sources")? {
        change.positions.push(StoredSource::read(&body, reader)?);
    }
    for _ in 0..reader.count("marks")? {
        let tenant = Tenant(reader.u32("tenant")?);
        change
            .marks
            .push((tenant, JournalMark { at: reader.varint("frame")?, batches: reader.varint("batches")? }));
    }
    Ok((change, reader.remaining()))
}
