//! An open segment: its footer, and streams on demand. Knows nothing of predicates.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use sawlog_model::{Context, Source, SourceFacts};
use sawlog_sys::File;
use zstd::bulk::Decompressor;

use super::cache::{Cache, Part, PartKey, add};
use super::chunk::{self, ChunkMeta, Place, StreamKey};
use super::column::Strings;
use super::cursor::{Cursor, Damage};
use super::decode::Fetch;
use super::fields::{self, Field, Role};
use super::footer::{self, Tail};
use super::index::Index;
use super::lately::Lately;
use super::remembered::Remembered;
use super::shape::Shape;
use super::skeleton::Skeleton;
use super::{SegmentMeta, stream};
use crate::StoreError;

/// Bytes that the first read takes from the end of the file.
const FIRST_READ: usize = 64 << 10;

/// Sorts of cached parts.
const CHUNK: u8 = 0;
const STRINGS: u8 = 1;
const SHAPES: u8 = 2;
pub(super) const COLUMN: u8 = 3;
pub(super) const OUTLINE: u8 = 4;
pub(super) const TEXTS: u8 = 5;

/// What all groups of an open segment share.
pub(super) struct Body {
    file: Arc<dyn File>,
    path: String,
    pub(super) cache: Arc<Cache>,
    pub(super) id: u64,
    pub(super) meta: SegmentMeta,
    pub(super) fields: Vec<Field>,
    pub(super) contexts: Vec<Arc<Context>>,
    pub(super) sources: Vec<Arc<Source>>,
    pub(super) time_shapes: Vec<Vec<u8>>,
    /// Integers of each group that are not indexed, least and largest.
    pub(super) ranges: Vec<(u64, u64)>,
    /// Columns with values that are addresses as a whole, which are not indexed.
    pub(super) addressed: Vec<u32>,
    pub(super) index: Index,
    /// That of what stands in no dictionary and no template.
    pub(super) text_index: Index,
    /// Which groups have a hash, by the stream of the pages: each group asks for the same ones.
    pub(super) lookups: Lately<(u32, u32), Vec<bool>>,
    /// How many rows of each group passed the last questions.
    pub(super) counted: Remembered,
    chunks: Vec<ChunkMeta>,
    places: Vec<(StreamKey, Place)>,
}

impl Body {
    pub(super) fn open(file: Arc<dyn File>, path: &str, cache: Arc<Cache>) -> Result<Body, StoreError> {
        let io = |error| io_error(path, error);
        let damaged = |damage: Damage| damage_error(path, damage);
        let len = file.metadata().map_err(io)?.len as usize;
        let mut end = vec![0; len.min(FIRST_READ)];
        let start = len - end.len();
        file.read_exact_at(&mut end, start as u64).map_err(io)?;
        let tail_at = end
            .len()
            .checked_sub(footer::TAIL)
            .ok_or(damaged(Damage::Bytes("it is too short for a segment")))?;
        let tail = Tail::read(&end[tail_at..]).map_err(damaged)?;
        if !(footer::FIRST_VERSION..=footer::VERSION).contains(&tail.version) {
            let (found, known) = (tail.version, footer::VERSION);
            return Err(StoreError::Format { path: path.to_owned(), found, known });
        }
        let whole = tail.packed + footer::TAIL;
        if whole > len {
            return Err(damaged(Damage::Bytes("its footer is longer than the file")));
        }
        if whole > end.len() {
            end = vec![0; whole];
            file.read_exact_at(&mut end, (len - whole) as u64).map_err(io)?;
        }
        add(&cache.counts.opened, 1);
        add(&cache.counts.bytes, end.len());
        let packed = &end[end.len() - whole..end.len() - footer::TAIL];
        let raw = tail.unpack(packed).map_err(damaged)?;
        let id = cache.new_segment();
        Body::read(&raw, file, path, cache, id).map_err(damaged)
    }

    fn read(raw: &[u8], file: Arc<dyn File>, path: &str, cache: Arc<Cache>, id: u64) -> Result<Body, Damage> {
        let mut cursor = Cursor::new(raw);
        let meta = footer::read_meta(&mut cursor)?;
        let fields = fields::read(&mut cursor)?;
        let contexts = (0..cursor.count()?)
            .map(|_| {
                let entries = (0..cursor.count()?)
                    .map(|_| Ok((cursor.text()?, cursor.text()?)))
                    .collect::<Result<Vec<_>, Damage>>()?;
                Ok(Arc::new(Context::new(entries)))
            })
            .collect::<Result<Vec<_>, Damage>>()?;
        let time_shapes =
            (0..cursor.count()?).map(|_| Ok(cursor.bytes()?.to_vec())).collect::<Result<Vec<_>, Damage>>()?;
        let ranges = meta.groups.iter().map(|_| Ok((cursor.varint()?, cursor.varint()?)));
        let ranges = ranges.collect::<Result<Vec<_>, Damage>>()?;
        let addressed = (0..cursor.count()?).map(|_| cursor.u32()).collect::<Result<Vec<_>, Damage>>()?;
        let index = Index::read(&mut cursor)?;
        let text_index = Index::read(&mut cursor)?;
        let (chunks, places) = chunk::read_table(&mut cursor, footer::HEAD as u64)?;
        let sources = meta
            .sources
            .iter()
            .map(|range| {
                let facts = SourceFacts { name: range.name.clone(), ..SourceFacts::default() };
                Arc::new(Source { id: range.source, facts })
            })
            .collect();
        let (path, groups) = (path.to_owned(), meta.groups.len());
        Ok(Body {
            file,
            path,
            cache,
            id,
            meta,
            fields,
            contexts,
            sources,
            time_shapes,
            ranges,
            addressed,
            index,
            text_index,
            lookups: Lately::default(),
            counted: Remembered::new(groups),
            chunks,
            places,
        })
    }

    /// An error that names the file.
    pub(super) fn damaged(&self, damage: Damage) -> StoreError {
        damage_error(&self.path, damage)
    }

    /// Takes the chunks as they are, so that what a fuzzer made of them is read.
    pub(super) fn accept_checksums(&mut self) -> Result<(), StoreError> {
        let len = self.file.metadata().map_err(|error| io_error(&self.path, error))?.len;
        for chunk in &mut self.chunks {
            if chunk.offset.saturating_add(u64::from(chunk.stored)) > len {
                return Err(damage_error(&self.path, Damage::Bytes("a chunk is not there")));
            }
            let mut stored = vec![0; chunk.stored as usize];
            self.file
                .read_exact_at(&mut stored, chunk.offset)
                .map_err(|error| io_error(&self.path, error))?;
            chunk.checksum = crc32c::crc32c(&stored);
        }
        Ok(())
    }

    /// What the bytes of the file are spent on: names of columns (or of what else there is) with their parts, and bytes,
    /// largest first. Streams of one chunk share its bytes by their sizes before compression.
    pub(super) fn sizes(&self) -> Vec<(String, f64)> {
        let mut sizes: HashMap<(u32, bool), f64> = HashMap::new();
        for (key, place) in &self.places {
            let chunk = self.chunks[place.chunk as usize];
            let share = f64::from(place.len) / f64::from(chunk.raw) * f64::from(chunk.stored);
            *sizes.entry((key.stream, key.group == 0)).or_default() += share;
        }
        let name = |(key, once)| stream::name(key, once, &self.fields);
        let mut sizes: Vec<(String, f64)> =
            sizes.into_iter().map(|(key, bytes)| (name(key), bytes)).collect();
        sizes.sort_by(|a, b| b.1.total_cmp(&a.1));
        sizes
    }

    /// A stream; empty where it was not kept.
    pub(super) fn stream(&self, stream: u32, group: u32) -> Result<Bytes, StoreError> {
        let key = StreamKey { stream, group };
        let Ok(at) = self.places.binary_search_by_key(&key, |(key, _)| *key) else { return Ok(Bytes::new()) };
        let place = self.places[at].1;
        let chunk = self.chunk(place.chunk)?;
        let start = place.start as usize;
        if start + place.len as usize > chunk.len() {
            return Err(self.damaged(Damage::Bytes("a chunk is shorter than its streams")));
        }
        Ok(chunk.slice(start..start + place.len as usize))
    }

    /// How to get a stream later. What keeps it is kept in turn by the segment's cache, so it must not keep the segment.
    pub(super) fn fetch(body: &Arc<Body>, stream: u32, group: u32) -> Fetch {
        let body = Arc::downgrade(body);
        Box::new(move || match body.upgrade() {
            Some(body) => body.stream(stream, group).map_err(Damage::Store),
            None => Err(Damage::Bytes("a segment was closed while it was read")),
        })
    }

    fn chunk(&self, number: u32) -> Result<Bytes, StoreError> {
        let key = PartKey { segment: self.id, sort: CHUNK, first: number, second: 0 };
        if let Some(Part::Chunk(bytes)) = self.cache.get(key) {
            return Ok(bytes);
        }
        let meta = self.chunks[number as usize];
        let mut stored = vec![0; meta.stored as usize];
        self.file.read_exact_at(&mut stored, meta.offset).map_err(|error| io_error(&self.path, error))?;
        if crc32c::crc32c(&stored) != meta.checksum {
            return Err(self.damaged(Damage::Bytes("a chunk's checksum is wrong")));
        }
        let raw = if meta.stored == meta.raw {
            stored
        } else {
            unpack(&stored, meta.raw as usize)
                .map_err(|_| self.damaged(Damage::Bytes("a chunk does not unpack")))?
        };
        if raw.len() != meta.raw as usize {
            return Err(self.damaged(Damage::Bytes("a chunk has another length than the footer says")));
        }
        let bytes = Bytes::from(raw);
        add(&self.cache.counts.bytes, meta.stored as usize);
        add(&self.cache.counts.unpacked, bytes.len());
        self.cache.put_chunk(key, bytes.clone(), meta.few_groups);
        Ok(bytes)
    }

    /// Reads and unpacks every chunk.
    pub(super) fn verify_chunks(&self) -> Result<(), StoreError> {
        (0..self.chunks.len()).try_for_each(|number| self.chunk(number as u32).map(drop))
    }

    /// A list of strings that the segment has once.
    pub(super) fn strings(&self, stream: u32) -> Result<Option<Arc<Strings>>, StoreError> {
        let key = PartKey { segment: self.id, sort: STRINGS, first: stream, second: 0 };
        if let Some(Part::Strings(strings)) = self.cache.get(key) {
            return Ok(Some(strings));
        }
        let bytes = self.stream(stream, 0)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let strings = Arc::new(Strings::read(&bytes).map_err(|damage| self.damaged(damage))?);
        self.cache.put(key, Part::Strings(strings.clone()), strings.weight());
        Ok(Some(strings))
    }

    /// Whether a column has values of the field.
    pub(super) fn is_named(&self, column: u32, name: &str) -> bool {
        let field = &self.fields[column as usize];
        matches!(field.role, Role::Field(_)) && &*field.name == name
    }

    /// All skeletons, by their numbers.
    pub(super) fn shapes(&self) -> Result<Arc<Vec<Arc<Shape>>>, StoreError> {
        let key = PartKey { segment: self.id, sort: SHAPES, first: 0, second: 0 };
        if let Some(Part::Shapes(shapes)) = self.cache.get(key) {
            return Ok(shapes);
        }
        let bytes = self.stream(stream::SKELETONS, 0)?;
        let read = || {
            let strings = Strings::read(&bytes)?;
            let skeleton =
                |index| Skeleton::read(&strings.bytes.slice(strings.range(index)), self.fields.len());
            (0..strings.len())
                .map(|index| Ok(Arc::new(Shape::new(skeleton(index)?))))
                .collect::<Result<Vec<_>, Damage>>()
        };
        let shapes = Arc::new(read().map_err(|damage| self.damaged(damage))?);
        let weight = bytes.len() + shapes.iter().map(|shape| shape.weight()).sum::<usize>();
        self.cache.put(key, Part::Shapes(shapes.clone()), weight);
        Ok(shapes)
    }
}

thread_local! {
    /// What unpacks chunks: it has tables that are not to be made anew for each.
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// What claims to be longer is unpacked piece by piece, so that memory is taken only for bytes that are there.
const AT_ONCE: usize = 4 << 20;

/// The bytes that a zstd frame holds, which are said to be `raw`.
pub(super) fn unpack(stored: &[u8], raw: usize) -> io::Result<Vec<u8>> {
    if raw > AT_ONCE {
        let mut bytes = Vec::new();
        zstd::Decoder::new(stored)?.take(raw as u64).read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    UNPACKER.with_borrow_mut(|unpacker| {
        let unpacker = match unpacker {
            Some(unpacker) => unpacker,
            none => none.insert(Decompressor::new()?),
        };
        unpacker.decompress(stored, raw)
    })
}

fn io_error(path: &str, error: io::Error) -> StoreError {
    StoreError::Io { path: path.to_owned(), source: Arc::new(error) }
}

fn damage_error(path: &str, damage: Damage) -> StoreError {
    match damage {
        Damage::Bytes(reason) => StoreError::Damaged { path: path.to_owned(), reason: reason.to_owned() },
        Damage::Store(error) => error,
    }
}
