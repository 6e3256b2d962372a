//! The bytes of the journal: file names, file headers, frames. Knows nothing of files, threads or what a payload means.
//!
//! ```text
//! file    0        8          12          20       24
//!         | magic  | version  | first LSN | crc32c | frame | frame | ...
//!         | 8      | u32      | u64       | u32    |
//!
//! frame   0        4      8      9       10     12                                     12 or 44
//!         | crc32c | body | kind | flags | zero | producer u128, incarnation u64,     | payload
//!         | u32    | u32  | u8   | u8    | u16  | sequence u64: only with flags bit 0 |
//! ```
//!
//! All numbers are little-endian. `body` counts the bytes after the first twelve. A file's checksum covers the bytes
//! before it. A frame's covers its position (LSN, 8 bytes), then all of the frame after the checksum: so bytes that a
//! recycled disk block still holds from another place in the journal never pass for a frame.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::gather::{At, Gathered};
use crate::{FrameKind, Lane, Lsn};

/// Bytes before the first frame of a file.
pub(crate) const FILE_HEADER: usize = 24;
/// Bytes of a frame before its lane and payload.
pub(crate) const FRAME_HEADER: usize = 12;
/// Largest lane and payload of one frame, bytes.
pub(crate) const MAX_BODY: usize = 1 << 28;

/// No journal gets so far: a file whose name says more is none of ours, and positions in a file never overflow.
pub(crate) const MAX_POSITION: u64 = 1 << 62;

/// The format that is written, and the only one that is read.
pub(crate) const VERSION: u32 = 1;
const MAGIC: [u8; 8] = *b"sawlogJ\n";
const LANE: usize = 32;
const HAS_LANE: u8 = 1;
const SUFFIX: &str = ".log";

/// Path of the file whose first frame stands at `first`.
pub(crate) fn file_path(dir: &Path, first: Lsn) -> PathBuf {
    dir.join(format!("{:016x}{SUFFIX}", first.0))
}

/// The first position of the file of that name; `None` where it is no file of a journal.
pub(crate) fn first_of(path: &Path) -> Option<Lsn> {
    let digits = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?;
    let canonical =
        digits.len() == 16 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let first = canonical.then(|| u64::from_str_radix(digits, 16).ok()).flatten()?;
    (first <= MAX_POSITION).then_some(Lsn(first))
}

/// Position after the last byte of a file of that length.
pub(crate) fn end_of_file(first: Lsn, len: u64) -> Lsn {
    Lsn(first.0 + len.saturating_sub(FILE_HEADER as u64))
}

/// Writes the header of a file into `into`, which has its length.
pub(crate) fn write_file_header(into: &mut [u8], first: Lsn) {
    into[..8].copy_from_slice(&MAGIC);
    into[8..12].copy_from_slice(&VERSION.to_le_bytes());
    into[12..20].copy_from_slice(&first.0.to_le_bytes());
    let checksum = crc32c::crc32c(&into[..20]);
    into[20..24].copy_from_slice(&checksum.to_le_bytes());
}

/// The version of a file that is whole and of another format than ours. A damaged header gives `None`: every frame
/// proves itself, so a header decides nothing else.
pub(crate) fn foreign_version(header: &[u8; FILE_HEADER]) -> Option<u32> {
    let whole = header[..8] == MAGIC && crc32c::crc32c(&header[..20]) == u32_at(header, 20);
    let version = u32_at(header, 8);
    (whole && version != VERSION).then_some(version)
}

/// Puts the beginning of a frame, all but its payload, at the end of `buffer`.
pub(crate) fn begin_frame(buffer: &mut Vec<u8>, kind: FrameKind, lane: &Lane) {
    let has_lane = *lane != Lane::default();
    buffer.extend_from_slice(&[0; 8]);
    buffer.extend_from_slice(&[kind as u8, if has_lane { HAS_LANE } else { 0 }, 0, 0]);
    if has_lane {
        buffer.extend_from_slice(&lane.producer.to_le_bytes());
        buffer.extend_from_slice(&lane.incarnation.to_le_bytes());
        buffer.extend_from_slice(&lane.sequence.to_le_bytes());
    }
}

/// Seals the frame that stands at `at` in `bytes`, up to their end: begun by [`begin_frame`] and followed by its payload, `len`
/// bytes in all, at most [`MAX_BODY`] of them after its header.
pub(crate) fn seal_frame(bytes: &mut Gathered, at: At, len: usize, lsn: Lsn) {
    let body = (len - FRAME_HEADER) as u32;
    bytes.own_from(at)[4..8].copy_from_slice(&body.to_le_bytes());
    let mut slices = bytes.slices(at);
    // The header is never of others.
    let first = slices.next().unwrap_or_default();
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&lsn.0.to_le_bytes()), &first[4..]);
    let checksum = slices.fold(checksum, crc32c::crc32c_append);
    bytes.own_from(at)[..4].copy_from_slice(&checksum.to_le_bytes());
}

/// What stands at a position.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// A frame.
    Frame(Span),
    /// That many bytes from the position on must be seen to tell.
    Need(usize),
    /// No frame, and why.
    Bad(&'static str),
}

/// A frame in a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub kind: FrameKind,
    pub lane: Lane,
    /// Where its payload is, from the frame's beginning.
    pub payload: Range<usize>,
}

/// Reads the frame at the beginning of `bytes`, of which there may be fewer or more than the frame has.
pub(crate) fn decode_frame(bytes: &[u8], lsn: Lsn) -> Decoded {
    if bytes.len() < FRAME_HEADER {
        return Decoded::Need(FRAME_HEADER);
    }
    let (body, flags) = (u32_at(bytes, 4) as usize, bytes[9]);
    let kind = match bytes[8] {
        1 => FrameKind::Data,
        2 => FrameKind::Cursor,
        _ => return Decoded::Bad("there is no frame"),
    };
    let payload = FRAME_HEADER + if flags == HAS_LANE { LANE } else { 0 };
    if flags > HAS_LANE
        || bytes[10] != 0
        || bytes[11] != 0
        || body > MAX_BODY
        || FRAME_HEADER + body < payload
    {
        return Decoded::Bad("there is no frame");
    }
    let Some(frame) = bytes.get(..FRAME_HEADER + body) else { return Decoded::Need(FRAME_HEADER + body) };
    if frame_checksum(frame, lsn) != u32_at(frame, 0) {
        return Decoded::Bad("the checksum of a frame is wrong");
    }
    let lane = if flags == HAS_LANE { lane_of(frame) } else { Lane::default() };
    Decoded::Frame(Span { kind, lane, payload: payload..frame.len() })
}

fn frame_checksum(frame: &[u8], lsn: Lsn) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&lsn.0.to_le_bytes()), &frame[4..])
}

fn lane_of(frame: &[u8]) -> Lane {
    let producer = (u128::from(u64_at(frame, 20)) << 64) | u128::from(u64_at(frame, 12));
    Lane { producer, incarnation: u64_at(frame, 28), sequence: u64_at(frame, 36) }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at + 4)) << 32 | u64::from(u32_at(bytes, at))
}
