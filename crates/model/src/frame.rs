//! A batch as bytes, for the journal and for lanes between nodes: a head (tenant, source, epoch, context, names), the
//! rows' and slots' spans as variable-length integers, then the buffer. Knows nothing of checksums or of what lies
//! around it. docs/format.md draws it.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    Batch, Context, Kind, Limits, Marks, NameId, Names, Row, Slot, Source, SourceFacts, SourceId, Tenant,
};

/// The bytes are not a batch.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FrameError {
    /// They end too early.
    #[error("the batch ends in the middle of its {0}")]
    Short(&'static str),
    /// A number is out of its range or points outside the buffer.
    #[error("the batch has a {0} that cannot be")]
    Wrong(&'static str),
}

/// Appends `value` in groups of seven bits, low ones first (LEB128).
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends `value` so that small absolute values are short (zigzag).
pub fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Appends a length and the bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads what the `put_` functions wrote, from a buffer that others may share.
#[derive(Clone, Debug)]
pub struct Reader {
    bytes: Bytes,
    /// Where it stands. (To move the start of `bytes` itself for each byte costs more than reading it.)
    at: usize,
}

impl Reader {
    /// A reader of these bytes.
    pub fn new(bytes: Bytes) -> Self {
        Reader { bytes, at: 0 }
    }

    /// Bytes left.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next byte.
    ///
    /// # Errors
    /// [`FrameError::Short`], naming `what`, where there is none.
    pub fn byte(&mut self, what: &'static str) -> Result<u8, FrameError> {
        let byte = *self.bytes.get(self.at).ok_or(FrameError::Short(what))?;
        self.at += 1;
        Ok(byte)
    }

    /// The next integer.
    ///
    /// # Errors
    /// [`FrameError`], naming `what`, where there is none or it has more than 64 bits.
    pub fn varint(&mut self, what: &'static str) -> Result<u64, FrameError> {
        let first = self.byte(what)?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        let mut value = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = self.byte(what)?;
            if shift == 63 && byte > 1 {
                return Err(FrameError::Wrong(what));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(FrameError::Wrong(what))
    }

    /// The next integer, as one that fits 32 bits.
    ///
    /// # Errors
    /// As [`Reader::varint`].
    pub fn u32(&mut self, what: &'static str) -> Result<u32, FrameError> {
        u32::try_from(self.varint(what)?).map_err(|_| FrameError::Wrong(what))
    }

    /// The next signed integer.
    ///
    /// # Errors
    /// As [`Reader::varint`].
    pub fn signed(&mut self, what: &'static str) -> Result<i64, FrameError> {
        let value = self.varint(what)?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The next `len` bytes, shared.
    ///
    /// # Errors
    /// [`FrameError::Short`] where there are fewer.
    pub fn take(&mut self, len: usize, what: &'static str) -> Result<Bytes, FrameError> {
        if len > self.remaining() {
            return Err(FrameError::Short(what));
        }
        let taken = self.bytes.slice(self.at..self.at + len);
        self.at += len;
        Ok(taken)
    }

    /// The next length and its bytes, shared.
    ///
    /// # Errors
    /// As [`Reader::varint`] and [`Reader::take`].
    pub fn bytes(&mut self, what: &'static str) -> Result<Bytes, FrameError> {
        let len = usize::try_from(self.varint(what)?).map_err(|_| FrameError::Wrong(what))?;
        self.take(len, what)
    }

    /// The next length and its text.
    ///
    /// # Errors
    /// As [`Reader::bytes`], and [`FrameError::Wrong`] where it is not UTF-8.
    pub fn text(&mut self, what: &'static str) -> Result<String, FrameError> {
        String::from_utf8(self.bytes(what)?.to_vec()).map_err(|_| FrameError::Wrong(what))
    }

    /// A count of things that take at least one byte each, so that a lying count cannot make a large allocation.
    ///
    /// # Errors
    /// As [`Reader::varint`], and [`FrameError::Short`] where there cannot be so many.
    pub fn count(&mut self, what: &'static str) -> Result<usize, FrameError> {
        let count = self.varint(what)?;
        if count > self.remaining() as u64 {
            return Err(FrameError::Short(what));
        }
        Ok(count as usize)
    }
}

/// Appends a source's id and facts.
pub fn put_source(out: &mut Vec<u8>, source: &Source) {
    out.extend_from_slice(&source.id.0.to_le_bytes());
    let facts = &source.facts;
    put_bytes(out, facts.name.as_bytes());
    put_bytes(out, facts.path.as_bytes());
    for value in [facts.filesystem, facts.inode, facts.generation, facts.birth as u64] {
        put_varint(out, value);
    }
}

/// Reads what [`put_source`] wrote.
///
/// # Errors
/// [`FrameError`] where it is not that.
pub fn read_source(reader: &mut Reader) -> Result<Source, FrameError> {
    let id = reader.take(16, "source id")?;
    let id = SourceId(u128::from_le_bytes(id[..].try_into().map_err(|_| FrameError::Short("source id"))?));
    let (name, path) = (reader.text("source name")?, reader.text("source path")?);
    let (filesystem, inode) = (reader.varint("file system")?, reader.varint("inode")?);
    let (generation, birth) = (reader.varint("generation")?, reader.varint("birth time")? as i64);
    Ok(Source { id, facts: SourceFacts { name, path, filesystem, inode, generation, birth } })
}

/// The few numbers of a row or slot, gathered so that `out` is asked for room once for all of them. Six integers and two
/// bytes fit.
struct Few {
    bytes: [u8; 64],
    len: usize,
}

impl Default for Few {
    fn default() -> Self {
        Few { bytes: [0; 64], len: 0 }
    }
}

impl Few {
    fn byte(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    fn signed(&mut self, value: i64) {
        self.varint(((value << 1) ^ (value >> 63)) as u64);
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Appends the batch to `out`. Only the part of the buffer that spans need is written where all rows and slots lie in
/// one range of it.
pub fn encode(batch: &Batch, out: &mut Vec<u8>) {
    let bytes = encode_head(batch, out);
    out.extend_from_slice(&bytes);
}

/// As [`encode`], but for the last part of it, which is given: bytes of the batch's own buffer.
pub fn encode_head(batch: &Batch, out: &mut Vec<u8>) -> Bytes {
    put_varint(out, u64::from(batch.tenant.0));
    put_source(out, &batch.source);
    put_varint(out, u64::from(batch.epoch));
    put_varint(out, batch.context.iter().len() as u64);
    for (name, value) in batch.context.iter() {
        put_bytes(out, name.as_bytes());
        put_bytes(out, value.as_bytes());
    }
    // A parser's name table outlives batches; only the names this batch uses are written, renumbered.
    let mut local: Vec<u32> = vec![u32::MAX; batch.names.len()];
    let mut used: Vec<NameId> = Vec::new();
    for slot in &batch.slots {
        let entry = &mut local[slot.name.0 as usize];
        if *entry == u32::MAX {
            *entry = used.len() as u32;
            used.push(slot.name);
        }
    }
    put_varint(out, used.len() as u64);
    for id in &used {
        put_bytes(out, batch.names.name(*id).as_bytes());
    }
    let spans =
        || batch.rows.iter().map(|r| (r.start, r.len)).chain(batch.slots.iter().map(|s| (s.start, s.len)));
    let first = spans().map(|(start, _)| start).min().unwrap_or(0);
    let last = spans().map(|(start, len)| start + len).max().unwrap_or(0);
    out.reserve(16 * batch.rows.len() + 6 * batch.slots.len());
    put_varint(out, batch.rows.len() as u64);
    let (mut offset, mut time, mut received, mut end, mut slots_end) = (0u64, 0i64, 0i64, first, 0u32);
    for row in &batch.rows {
        let mut few = Few::default();
        few.signed(i64::from(row.start) - i64::from(end));
        few.varint(u64::from(row.len));
        few.signed(row.offset.wrapping_sub(offset) as i64);
        few.signed(row.time.wrapping_sub(time));
        few.signed(row.received.wrapping_sub(received));
        few.varint(u64::from(row.slots_end - slots_end));
        few.byte(row.marks.0);
        out.extend_from_slice(few.bytes());
        (offset, time, received) = (row.offset.wrapping_add(u64::from(row.len)), row.time, row.received);
        (end, slots_end) = (row.start + row.len, row.slots_end);
    }
    let mut end = first;
    for slot in &batch.slots {
        let mut few = Few::default();
        few.signed(i64::from(slot.start) - i64::from(end));
        few.varint(u64::from(slot.len));
        few.varint(u64::from(local[slot.name.0 as usize]));
        few.byte(slot.kind as u8);
        if slot.kind == Kind::Time {
            few.byte(slot.layout);
        }
        out.extend_from_slice(few.bytes());
        end = slot.start + slot.len;
    }
    put_varint(out, u64::from(last - first));
    batch.buffer.slice(first as usize..last as usize)
}

/// What stands behind the tenant in an encoded batch: all that does not depend on whose it is.
///
/// # Errors
/// [`FrameError`] where not even the tenant can be read.
pub fn after_tenant(encoded: &Bytes) -> Result<Bytes, FrameError> {
    let mut reader = Reader::new(encoded.clone());
    reader.u32("tenant")?;
    reader.take(reader.remaining(), "batch")
}

/// Reads a batch; the buffer is shared with `bytes`, not copied.
///
/// # Errors
/// [`FrameError`] where the bytes are not a batch; nothing larger than the bytes is allocated before that is known.
pub fn decode(bytes: Bytes, limits: &Limits) -> Result<Batch, FrameError> {
    let mut reader = Reader::new(bytes);
    if reader.remaining() > u32::MAX as usize {
        return Err(FrameError::Wrong("size"));
    }
    let batch = decode_from(&mut reader, limits)?;
    if reader.remaining() > 0 { Err(FrameError::Wrong("size")) } else { Ok(batch) }
}

/// Reads a batch from where the reader stands, and leaves it after the batch.
///
/// # Errors
/// As [`decode`].
pub fn decode_from(reader: &mut Reader, limits: &Limits) -> Result<Batch, FrameError> {
    let tenant = Tenant(reader.u32("tenant")?);
    let source = Arc::new(read_source(reader)?);
    let epoch = reader.u32("epoch")?;
    let mut context = Context::default();
    for _ in 0..reader.count("context")? {
        context.set(reader.text("context name")?, reader.text("context value")?);
    }
    let mut names = Names::default();
    let mut ids = Vec::new();
    let count = reader.count("names")?;
    if count > limits.names.max(limits.fields) {
        return Err(FrameError::Wrong("number of names"));
    }
    for _ in 0..count {
        ids.push(names.intern(&reader.text("name")?));
    }
    let rows = decode_rows(reader)?;
    let total = rows.last().map_or(0, |row| row.slots_end);
    let slots = decode_slots(reader, total, &ids)?;
    let buffer = reader.bytes("buffer")?;
    let inside =
        |start: u32, len: u32| (start as usize).checked_add(len as usize).is_some_and(|e| e <= buffer.len());
    if !rows.iter().all(|r| inside(r.start, r.len)) || !slots.iter().all(|s| inside(s.start, s.len)) {
        return Err(FrameError::Wrong("span"));
    }
    Ok(Batch {
        tenant,
        source,
        epoch,
        context: Arc::new(context),
        buffer,
        names: Arc::new(names),
        rows,
        slots,
        token: None,
    })
}

/// A span relative to the end of the one before.
fn decode_span(reader: &mut Reader, end: u32) -> Result<(u32, u32), FrameError> {
    let start = i64::from(end).checked_add(reader.signed("span")?).ok_or(FrameError::Wrong("span"))?;
    let start = u32::try_from(start).map_err(|_| FrameError::Wrong("span"))?;
    let len = reader.u32("span")?;
    start.checked_add(len).ok_or(FrameError::Wrong("span"))?;
    Ok((start, len))
}

fn decode_rows(reader: &mut Reader) -> Result<Vec<Row>, FrameError> {
    let mut rows = Vec::with_capacity(reader.count("rows")?);
    let (mut offset, mut time, mut received, mut end, mut slots_end) = (0u64, 0i64, 0i64, 0u32, 0u32);
    for _ in 0..rows.capacity() {
        let (start, len) = decode_span(reader, end)?;
        offset = offset.wrapping_add(reader.signed("offset")? as u64);
        time = time.wrapping_add(reader.signed("time")?);
        received = received.wrapping_add(reader.signed("time")?);
        slots_end = slots_end.checked_add(reader.u32("slots")?).ok_or(FrameError::Wrong("slots"))?;
        let marks = Marks(reader.byte("marks")?);
        rows.push(Row { start, len, offset, time, received, slots_end, marks });
        offset = offset.wrapping_add(u64::from(len));
        end = start + len;
    }
    Ok(rows)
}

fn decode_slots(reader: &mut Reader, count: u32, ids: &[NameId]) -> Result<Vec<Slot>, FrameError> {
    if count as usize > reader.remaining() {
        return Err(FrameError::Short("slots"));
    }
    let mut slots = Vec::with_capacity(count as usize);
    let mut end = 0u32;
    for _ in 0..count {
        let (start, len) = decode_span(reader, end)?;
        let name = *ids.get(reader.u32("slot name")? as usize).ok_or(FrameError::Wrong("slot name"))?;
        let kind = Kind::from_u8(reader.byte("slot kind")?).ok_or(FrameError::Wrong("slot kind"))?;
        let layout = if kind == Kind::Time { reader.byte("slot layout")? } else { 0 };
        slots.push(Slot { start, len, name, kind, layout });
        end = start + len;
    }
    Ok(slots)
}
