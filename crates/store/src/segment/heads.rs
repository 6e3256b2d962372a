//! The heads of a row group: in which form its integers and columns are. Knows nothing of their values.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::cache::{Part, PartKey};
use super::counted::Told;
use super::cursor::{Cursor, Damage};
use super::offsets::Offsets;
use super::reader::{self, Body};
use super::{GroupMeta, ints, stream};
use crate::StoreError;

/// What stands before the columns, by the place of its head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    pub(super) shapes: usize,
    pub(super) times: usize,
    pub(super) received: usize,
    pub(super) contexts: usize,
    pub(super) offsets: usize,
}

/// What the heads of a row group say, kept from question to question.
pub(super) struct Outline {
    bytes: Bytes,
    places: Places,
    /// Columns that any row has a value in, ascending, and where in `bytes` their heads stand.
    columns: Vec<(u32, Range<usize>)>,
    /// What is counted, read when it is needed first; `None` where rows must be looked at.
    pub(super) told: OnceLock<Option<Told>>,
}

/// The heads of a row group.
pub(super) struct Heads {
    pub(super) body: Arc<Body>,
    pub(super) number: usize,
    pub(super) outline: Arc<Outline>,
}

impl Outline {
    fn read(bytes: Bytes, meta: &GroupMeta, fields: usize) -> Result<Outline, Damage> {
        let rows = meta.rows as usize;
        let mut head = Cursor::new(&bytes);
        let at = |head: &Cursor<'_>| bytes.len() - head.remaining();
        let integers = |head: &mut Cursor<'_>| {
            let start = at(head);
            ints::size(rows, head).map(|_| start)
        };
        let (shapes, times) = (integers(&mut head)?, integers(&mut head)?);
        let (received, contexts) = (integers(&mut head)?, integers(&mut head)?);
        let places = Places { shapes, times, received, contexts, offsets: at(&head) };
        Offsets::skip(meta, &mut head)?;
        let mut columns: Vec<(u32, Range<usize>)> = Vec::new();
        while head.remaining() > 0 {
            let column = head.u32()?;
            if columns.last().is_some_and(|(last, _)| *last >= column) || column as usize >= fields {
                return Err(Damage::Bytes("columns of a group are not in order"));
            }
            let len = head.bytes()?.len();
            let end = at(&head);
            columns.push((column, end - len..end));
        }
        Ok(Outline { bytes, places, columns, told: OnceLock::new() })
    }

    /// Bytes of memory, roughly, with what is counted.
    fn weight(&self) -> usize {
        self.bytes.len() * 4 + self.columns.len() * std::mem::size_of::<(u32, Range<usize>)>()
    }
}

impl Heads {
    pub(super) fn open(body: Arc<Body>, number: usize) -> Result<Heads, StoreError> {
        let key = PartKey { segment: body.id, sort: reader::OUTLINE, first: number as u32, second: 0 };
        if let Some(Part::Outline(outline)) = body.cache.get(key) {
            return Ok(Heads { body, number, outline });
        }
        let missing = || body.damaged(Damage::Bytes("a row group is missing"));
        let meta = body.meta.groups.get(number).ok_or_else(missing)?;
        let bytes = body.stream(stream::HEADS, number as u32 + 1)?;
        let outline = Outline::read(bytes, meta, body.fields.len());
        let outline = Arc::new(outline.map_err(|damage| body.damaged(damage))?);
        body.cache.put(key, Part::Outline(outline.clone()), outline.weight());
        Ok(Heads { body, number, outline })
    }

    /// The bytes of the heads.
    pub(super) fn bytes(&self) -> &Bytes {
        &self.outline.bytes
    }

    /// Where the heads of what rows have stand.
    pub(super) fn places(&self) -> Places {
        self.outline.places
    }

    /// Where the head of a column stands, where any row has a value in it.
    pub(super) fn place(&self, column: u32) -> Option<Range<usize>> {
        let at = self.outline.columns.binary_search_by_key(&column, |(column, _)| *column).ok()?;
        Some(self.outline.columns[at].1.clone())
    }

    /// The head of a column, where any row has a value in it.
    pub(super) fn of_column(&self, column: u32) -> Option<&[u8]> {
        Some(&self.outline.bytes[self.place(column)?])
    }

    /// The leader and the form of a column, where any row has a value in it.
    pub(super) fn form(&self, column: u32) -> Result<Option<(u64, u8)>, StoreError> {
        let Some(head) = self.of_column(column) else { return Ok(None) };
        let mut head = Cursor::new(head);
        let form = head.varint().and_then(|leader| Ok((leader, head.byte()?)));
        form.map(Some).map_err(|damage| self.body.damaged(damage))
    }

    /// The leader and the form of each column.
    #[cfg(test)]
    pub(super) fn forms(&self) -> Vec<(u64, u8)> {
        let form = |column: u32| self.form(column).expect("a head").expect("a column");
        self.outline.columns.iter().map(|(column, _)| form(*column)).collect()
    }

    /// What the footer says of the group.
    pub(super) fn meta(&self) -> &GroupMeta {
        &self.body.meta.groups[self.number]
    }

    /// A stream of the group.
    pub(super) fn stream(&self, stream: u32) -> Result<Bytes, StoreError> {
        self.body.stream(stream, self.number as u32 + 1)
    }

    /// The integers whose head stands at `place`, one for each row.
    pub(super) fn integers(&self, place: usize, stream: u32) -> Result<Vec<i64>, StoreError> {
        let rows = self.meta().rows as usize;
        let body = self.stream(stream)?;
        ints::decode(rows, &mut Cursor::new(&self.outline.bytes[place..]), &mut Cursor::new(&body))
            .map_err(|damage| self.body.damaged(damage))
    }

    /// The same where they must be below `limit`.
    pub(super) fn integers_below(
        &self,
        limit: usize,
        place: usize,
        stream: u32,
    ) -> Result<Vec<u32>, StoreError> {
        let rows = self.meta().rows as usize;
        let head = &mut Cursor::new(&self.outline.bytes[place..]);
        // Where all rows have the same integer, nothing more is read.
        let body = match ints::size(rows, &mut head.clone()) {
            Ok(0) => Bytes::new(),
            _ => self.stream(stream)?,
        };
        let codes = ints::decode_below(limit, rows, head, &mut Cursor::new(&body));
        codes.map_err(|damage| self.body.damaged(damage))
    }

    /// The one integer that all rows have, whose head stands at `place`; `None` where they differ.
    pub(super) fn constant(&self, place: usize) -> Result<Option<i64>, StoreError> {
        let mut head = Cursor::new(&self.outline.bytes[place..]);
        ints::constant(&mut head).map_err(|damage| self.body.damaged(damage))
    }
}
