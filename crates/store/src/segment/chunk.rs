//! Streams (the bytes of one part of one column of one row group) gathered into compressed chunks of about a megabyte:
//! those of one column stand together over the row groups, small ones of several columns share a chunk. Knows nothing of
//! what the streams hold.

use std::collections::BTreeMap;
use std::io;

use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

use super::cursor::{Cursor, Damage, put_signed, put_varint};
use super::out::Out;
use super::{Effort, footer, stream};

/// A chunk is closed at so many bytes before compression.
const CHUNK: usize = 1 << 20;
/// In a segment that is soon merged, at so many: who reads a row group has the chunks of all its columns in memory.
const CHEAP_CHUNK: usize = 256 << 10;
/// Pools below this share chunks at the end.
const SMALL: usize = 128 << 10;
/// So many row groups are a few: a chunk of theirs is worth little to the questions that come to others.
const FEW: usize = 16;
/// Bytes that wait in all pools together before the largest is closed.
const WAITING: usize = 16 << 20;
/// How zstd packs what is soon merged.
const CHEAP: [CParameter; 4] = packing(1, 0, 0, 0);
/// How it packs text that is kept for long; its table takes 8 MB, also where a stream is larger than a chunk.
const TEXT: [CParameter; 4] = packing(10, 21, 0, 0);
/// How it packs numbers that are kept for long. A search for the best parse is worth its time where bytes are few of each
/// hundred (in text it takes ten times as long for a twentieth of the bytes); with a table of 2 MB, among fewer candidates for a
/// match and content with a shorter one than the level says: that took 8 % of all compaction's time off, for 0.6 % more bytes.
const NUMBERS: [CParameter; 4] = packing(16, 19, 3, 24);

/// A level of zstd, the logarithm of how many entries its table of what bytes begin with has, that of how many candidates it
/// looks at, and a length of a match that it takes at once; 0 is as the level says.
const fn packing(level: i32, heads: u32, candidates: u32, enough: u32) -> [CParameter; 4] {
    [
        CParameter::CompressionLevel(level),
        CParameter::HashLog(heads),
        CParameter::SearchLog(candidates),
        CParameter::TargetLength(enough),
    ]
}

/// Which stream: a row group (0 for what the segment has once, else its number plus 1) and a number within it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct StreamKey {
    pub(super) stream: u32,
    pub(super) group: u32,
}

/// Where a stream stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) chunk: u32,
    pub(super) start: u32,
    pub(super) len: u32,
}

/// A chunk in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChunkMeta {
    pub(super) offset: u64,
    pub(super) stored: u32,
    pub(super) raw: u32,
    pub(super) checksum: u32,
    /// All its streams are of a few row groups.
    pub(super) few_groups: bool,
}

#[derive(Default)]
struct Pool {
    bytes: Vec<u8>,
    streams: Vec<(StreamKey, u32)>,
}

/// Gathers streams and writes chunks.
pub(super) struct Chunks {
    out: Out,
    effort: Effort,
    /// Kept between chunks: its tables are megabytes.
    packer: Compressor<'static>,
    pools: BTreeMap<u32, Pool>,
    waiting: usize,
    chunks: Vec<(ChunkMeta, Vec<(StreamKey, u32)>)>,
}

impl Chunks {
    pub(super) fn new(effort: Effort, mut out: Out) -> Self {
        out.put(&footer::head());
        Chunks {
            out,
            effort,
            packer: Compressor::default(),
            pools: BTreeMap::new(),
            waiting: 0,
            chunks: Vec::new(),
        }
    }

    /// Adds a stream; those of one `pool` share chunks. An empty stream is not kept.
    pub(super) fn put(&mut self, pool: u32, key: StreamKey, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let most = if self.effort == Effort::Cheap { CHEAP_CHUNK } else { CHUNK };
        let to = self.pools.entry(pool).or_default();
        if !to.bytes.is_empty() && to.bytes.len() + bytes.len() > most {
            let full = std::mem::take(to);
            self.waiting -= full.bytes.len();
            self.write(stream::sort(pool), full);
        }
        let to = self.pools.entry(pool).or_default();
        to.bytes.extend_from_slice(bytes);
        to.streams.push((key, bytes.len() as u32));
        self.waiting += bytes.len();
        while self.waiting > WAITING {
            let largest = self.pools.iter().max_by_key(|(_, pool)| pool.bytes.len()).map(|(key, _)| *key);
            let Some((key, full)) = largest.and_then(|key| self.pools.remove_entry(&key)) else { break };
            self.waiting -= full.bytes.len();
            self.write(stream::sort(key), full);
        }
    }

    fn write(&mut self, sort: u32, pool: Pool) {
        let parameters = match self.effort {
            Effort::Cheap => CHEAP,
            Effort::Strong if sort == stream::NUMBERS || sort == stream::LISTS => NUMBERS,
            Effort::Strong => TEXT,
        };
        let packer = &mut self.packer;
        let set = parameters.into_iter().try_for_each(|parameter| packer.set_parameter(parameter));
        let packed = set.and_then(|()| packer.compress(&pool.bytes));
        let packed = packed.unwrap_or_default();
        let stored =
            if packed.is_empty() || packed.len() >= pool.bytes.len() { &pool.bytes } else { &packed };
        let meta = ChunkMeta {
            offset: self.out.len(),
            stored: stored.len() as u32,
            raw: pool.bytes.len() as u32,
            checksum: crc32c::crc32c(stored),
            few_groups: is_of_few_groups(pool.streams.iter().map(|(key, _)| key.group)),
        };
        self.out.put(stored);
        self.chunks.push((meta, pool.streams));
    }

    /// Writes what waits, and the table of chunks behind `body`, which then is the footer, and makes it all durable; gives the
    /// length of the file.
    ///
    /// # Errors
    /// As the disk says.
    pub(super) fn finish(mut self, mut body: Vec<u8>) -> io::Result<u64> {
        let mut shared: BTreeMap<u32, Pool> = BTreeMap::new();
        for (key, pool) in std::mem::take(&mut self.pools) {
            // Numbers and text compress better apart.
            let sort = stream::sort(key);
            if pool.bytes.len() >= SMALL {
                self.write(sort, pool);
                continue;
            }
            let to = shared.entry(sort).or_default();
            to.bytes.extend_from_slice(&pool.bytes);
            to.streams.extend(pool.streams);
            if to.bytes.len() >= SMALL * 2 {
                let full = std::mem::take(to);
                self.write(sort, full);
            }
        }
        for (sort, pool) in shared.into_iter().filter(|(_, pool)| !pool.streams.is_empty()) {
            self.write(sort, pool);
        }
        let table = &mut body;
        put_varint(table, self.chunks.len() as u64);
        let mut before = StreamKey { stream: 0, group: 0 };
        for (meta, streams) in &self.chunks {
            put_varint(table, u64::from(meta.stored));
            put_varint(table, u64::from(meta.raw));
            table.extend_from_slice(&meta.checksum.to_le_bytes());
            put_varint(table, streams.len() as u64);
            for (key, len) in streams {
                put_signed(table, i64::from(key.stream) - i64::from(before.stream));
                put_signed(table, i64::from(key.group) - i64::from(before.group));
                put_varint(table, u64::from(*len));
                before = *key;
            }
        }
        self.out.put(&footer::seal(&body, &mut self.packer));
        self.out.finish()
    }
}

/// Chunks and the places of streams, sorted by their keys.
pub(super) type Table = (Vec<ChunkMeta>, Vec<(StreamKey, Place)>);

/// Whether these are a few row groups, and nothing that the segment has once.
fn is_of_few_groups(groups: impl Iterator<Item = u32>) -> bool {
    let mut seen = [0; FEW];
    for group in groups {
        match seen.iter_mut().find(|seen| **seen == 0 || **seen == group) {
            Some(place) if group > 0 => *place = group,
            _ => return false,
        }
    }
    true
}

/// Reads the table of chunks. `offset` is where the first chunk stands.
pub(super) fn read_table(cursor: &mut Cursor<'_>, mut offset: u64) -> Result<Table, Damage> {
    let mut chunks = Vec::new();
    let mut places = Vec::new();
    let (mut stream, mut group) = (0i64, 0i64);
    for chunk in 0..cursor.count()? {
        let (stored, raw) = (cursor.u32()?, cursor.u32()?);
        let checksum = u32::from_le_bytes(cursor.take(4)?.try_into().unwrap_or_default());
        offset += u64::from(stored);
        let first_place = places.len();
        let mut start = 0u32;
        for _ in 0..cursor.count()? {
            stream = stream.wrapping_add(cursor.signed()?);
            group = group.wrapping_add(cursor.signed()?);
            let len = cursor.u32()?;
            let end = start.checked_add(len).filter(|end| *end <= raw);
            let end = end.ok_or(Damage::Bytes("a stream reaches over the end of its chunk"))?;
            let key = StreamKey { stream: stream as u32, group: group as u32 };
            places.push((key, Place { chunk: chunk as u32, start, len }));
            start = end;
        }
        let few_groups =
            is_of_few_groups(places[first_place..].iter().map(|(key, _): &(StreamKey, _)| key.group));
        chunks.push(ChunkMeta { offset: offset - u64::from(stored), stored, raw, checksum, few_groups });
    }
    places.sort_unstable_by_key(|(key, _)| *key);
    Ok((chunks, places))
}

#[cfg(test)]
mod tests {
    use sawlog_sys::{Open, Sys};

    use super::*;

    #[test]
    fn small_lists_of_counts_do_not_stand_beside_the_index() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("segment");
        let out = Out::new(Sys::real().fs.open(&path, Open::Create).unwrap());
        let mut chunks = Chunks::new(Effort::Strong, out);
        let key = |stream, group| StreamKey { stream, group };
        let of = |column, part| stream::of_column(column, part);
        for group in 1..4 {
            for column in 0..3 {
                for part in [stream::TEMPLATES, stream::COUNTED, stream::LENGTHS] {
                    chunks.put(of(column, part), key(of(column, part), group), &[group as u8; 1000]);
                }
            }
        }
        chunks.put(stream::INDEX, key(stream::INDEX, 0), &[7; 1000]);
        chunks.finish(Vec::new()).unwrap();

        let file = Sys::real().fs.read(&path).unwrap();
        let (rest, end) = file.split_at(file.len() - footer::TAIL);
        let tail = footer::Tail::read(end).unwrap();
        let body = tail.unpack(&rest[rest.len() - tail.packed..]).unwrap();
        let (_, places) = read_table(&mut Cursor::new(&body), footer::HEAD as u64).unwrap();
        let chunk = |wanted| places[places.binary_search_by_key(&wanted, |(key, _)| *key).unwrap()].1.chunk;
        let index = chunk(key(stream::INDEX, 0));
        assert_eq!(chunk(key(of(2, stream::TEMPLATES), 3)), index);
        let lists = chunk(key(of(0, stream::COUNTED), 1));
        assert_eq!(chunk(key(of(2, stream::COUNTED), 3)), lists);
        assert_ne!(lists, index);
        assert_ne!(chunk(key(of(0, stream::LENGTHS), 1)), lists);
    }
}
