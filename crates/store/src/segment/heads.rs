//! The heads of a row group: in which form its integers and columns are. Knows nothing of their values.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::cursor::{Cursor, Damage};
use super::offsets::OffsetRules;
use super::reader::Body;
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

/// The heads of a row group.
pub(super) struct Heads {
    pub(super) body: Arc<Body>,
    pub(super) number: usize,
    pub(super) bytes: Bytes,
    pub(super) places: Places,
    /// Columns that any row has a value in, ascending, and where in `bytes` their heads stand.
    columns: Vec<(u32, Range<usize>)>,
}

impl Heads {
    pub(super) fn open(body: Arc<Body>, number: usize) -> Result<Heads, StoreError> {
        let bytes = body.stream(stream::HEADS, number as u32 + 1)?;
        Heads::read(body.clone(), number, bytes).map_err(|damage| body.damaged(damage))
    }

    fn read(body: Arc<Body>, number: usize, bytes: Bytes) -> Result<Heads, Damage> {
        let meta = body.meta.groups.get(number).ok_or(Damage::Bytes("a row group is missing"))?;
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
        OffsetRules::skip(meta, &mut head)?;
        let mut columns: Vec<(u32, Range<usize>)> = Vec::new();
        while head.remaining() > 0 {
            let column = head.u32()?;
            if columns.last().is_some_and(|(last, _)| *last >= column) || column as usize >= body.fields.len()
            {
                return Err(Damage::Bytes("columns of a group are not in order"));
            }
            let len = head.bytes()?.len();
            let end = at(&head);
            columns.push((column, end - len..end));
        }
        Ok(Heads { body, number, bytes, places, columns })
    }

    /// Where the head of a column stands, where any row has a value in it.
    pub(super) fn place(&self, column: u32) -> Option<Range<usize>> {
        let at = self.columns.binary_search_by_key(&column, |(column, _)| *column).ok()?;
        Some(self.columns[at].1.clone())
    }

    /// The head of a column, where any row has a value in it.
    pub(super) fn of_column(&self, column: u32) -> Option<&[u8]> {
        Some(&self.bytes[self.place(column)?])
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
        ints::decode(rows, &mut Cursor::new(&self.bytes[place..]), &mut Cursor::new(&body))
            .map_err(|damage| self.body.damaged(damage))
    }
}
