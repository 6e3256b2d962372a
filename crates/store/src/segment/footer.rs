//! The head and the end of a segment file: magic, version, and the footer that says what is where. Knows nothing of
//! streams' insides.

use sawlog_model::{SourceId, Tenant};

use zstd::bulk::Compressor;

use super::cursor::{Cursor, Damage, put_bytes, put_signed, put_varint};
use super::{GroupMeta, SegmentMeta, SourceRange, SourceRun};
use crate::FieldCount;

/// First and last bytes of a segment.
const MAGIC: [u8; 8] = *b"SAWLOGSG";
/// The format that this code writes; it reads this and all before.
pub(crate) const VERSION: u32 = 4;
/// The first that it reads.
pub(super) const FIRST_VERSION: u32 = 1;
/// Bytes before the first chunk.
pub(super) const HEAD: usize = 12;
/// Bytes after the footer.
pub(super) const TAIL: usize = 24;

/// The first bytes of the file.
pub(super) fn head() -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend_from_slice(&VERSION.to_le_bytes());
    head
}

/// The footer and the tail.
pub(super) fn seal(body: &[u8], packer: &mut Compressor<'_>) -> Vec<u8> {
    let packed = packer.set_compression_level(9).and_then(|()| packer.compress(body)).unwrap_or_default();
    let mut file = packed;
    let (len, checksum) = (file.len() as u32, crc32c::crc32c(&file));
    file.extend_from_slice(&len.to_le_bytes());
    file.extend_from_slice(&(body.len() as u32).to_le_bytes());
    file.extend_from_slice(&checksum.to_le_bytes());
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.extend_from_slice(&MAGIC);
    file
}

/// What the tail says.
pub(super) struct Tail {
    pub(super) packed: usize,
    pub(super) raw: usize,
    checksum: u32,
    pub(super) version: u32,
}

impl Tail {
    pub(super) fn read(bytes: &[u8]) -> Result<Tail, Damage> {
        let word =
            |at: usize| bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map(u32::from_le_bytes);
        let short = || Damage::Bytes("it is too short for a segment");
        if bytes.get(16..TAIL) != Some(&MAGIC[..]) {
            return Err(Damage::Bytes("it does not end as a segment does"));
        }
        Ok(Tail {
            packed: word(0).ok_or_else(short)? as usize,
            raw: word(4).ok_or_else(short)? as usize,
            checksum: word(8).ok_or_else(short)?,
            version: word(12).ok_or_else(short)?,
        })
    }

    /// Unpacks the footer.
    pub(super) fn unpack(&self, packed: &[u8]) -> Result<Vec<u8>, Damage> {
        if crc32c::crc32c(packed) != self.checksum {
            return Err(Damage::Bytes("its footer's checksum is wrong"));
        }
        let body = super::reader::unpack(packed, self.raw)
            .map_err(|_| Damage::Bytes("its footer does not unpack"))?;
        if body.len() == self.raw {
            Ok(body)
        } else {
            Err(Damage::Bytes("its footer has another length than its tail says"))
        }
    }
}

pub(super) fn put_meta(meta: &SegmentMeta, out: &mut Vec<u8>) {
    put_varint(out, u64::from(meta.tenant.0));
    out.push(u8::from(meta.strong));
    put_varint(out, meta.sources.len() as u64);
    for source in &meta.sources {
        out.extend_from_slice(&source.source.0.to_le_bytes());
        put_bytes(out, source.name.as_bytes());
        put_varint(out, u64::from(source.epoch));
        put_varint(out, source.first);
        put_varint(out, source.last.wrapping_sub(source.first));
        put_varint(out, source.rows);
    }
    put_varint(out, meta.groups.len() as u64);
    for group in &meta.groups {
        put_varint(out, group.raw_bytes);
        put_signed(out, group.first_time);
        put_varint(out, group.last_time.wrapping_sub(group.first_time) as u64);
        put_varint(out, group.runs.len() as u64);
        for run in &group.runs {
            put_varint(out, u64::from(run.source));
            put_varint(out, u64::from(run.rows));
            put_varint(out, run.first);
            put_varint(out, run.last.wrapping_sub(run.first));
        }
    }
    put_varint(out, meta.fields.len() as u64);
    for field in &meta.fields {
        put_bytes(out, field.name.as_bytes());
        put_varint(out, field.rows);
    }
}

pub(super) fn read_meta(from: &mut Cursor<'_>) -> Result<SegmentMeta, Damage> {
    let tenant = Tenant(from.u32()?);
    let strong = from.byte()? != 0;
    let sources: Vec<SourceRange> =
        (0..from.count()?).map(|_| read_source(from)).collect::<Result<_, Damage>>()?;
    let groups: Vec<GroupMeta> =
        (0..from.count()?).map(|_| read_group(from, sources.len())).collect::<Result<_, Damage>>()?;
    let fields = (0..from.count()?)
        .map(|_| Ok(FieldCount { name: from.text()?.to_owned(), rows: from.varint()? }))
        .collect::<Result<_, Damage>>()?;
    Ok(SegmentMeta {
        tenant,
        rows: groups.iter().map(|group| u64::from(group.rows)).sum(),
        raw_bytes: groups.iter().fold(0, |all, group| all.saturating_add(group.raw_bytes)),
        first_time: groups.iter().map(|group| group.first_time).min().unwrap_or(0),
        last_time: groups.iter().map(|group| group.last_time).max().unwrap_or(0),
        strong,
        sources,
        groups,
        fields,
    })
}

fn read_source(from: &mut Cursor<'_>) -> Result<SourceRange, Damage> {
    let source = SourceId(u128::from_le_bytes(from.take(16)?.try_into().unwrap_or_default()));
    let name = from.text()?.to_owned();
    let epoch = from.u32()?;
    let first = from.varint()?;
    let last = first.wrapping_add(from.varint()?);
    Ok(SourceRange { source, name, epoch, first, last, rows: from.varint()? })
}

fn read_group(from: &mut Cursor<'_>, sources: usize) -> Result<GroupMeta, Damage> {
    let raw_bytes = from.varint()?;
    let first_time = from.signed()?;
    let last_time = first_time.wrapping_add(from.varint()? as i64);
    let mut start = 0u32;
    let mut runs = Vec::new();
    for _ in 0..from.count()? {
        let (source, rows) = (from.u32()?, from.u32()?);
        if source as usize >= sources || rows > super::GROUP_ROWS as u32 {
            return Err(Damage::Bytes("its footer speaks of a source that is not there"));
        }
        let first = from.varint()?;
        let last = first.wrapping_add(from.varint()?);
        runs.push(SourceRun { source, start, rows, first, last });
        start = start
            .checked_add(rows)
            .filter(|rows| *rows <= super::GROUP_ROWS as u32)
            .ok_or(Damage::Bytes("a row group has too many rows"))?;
    }
    Ok(GroupMeta { rows: start, raw_bytes, first_time, last_time, runs })
}
