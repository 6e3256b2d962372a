//! Columns of a row group from their streams: as its rows need them, and by themselves where nobody asks which row a value is
//! of. Knows nothing of rows.

use std::sync::Arc;

use bytes::Bytes;
use sawlog_model::Nanos;

use super::bits::Bits;
use super::cache::{Part, PartKey, add};
use super::column::Column;
use super::counted::Told;
use super::cursor::{Cursor, Damage};
use super::decode::{LedBy, NO_CODES, NOT_LED, Sources, Stream, Streams};
use super::framed::Beside;
use super::heads::Heads;
use super::reader::{self, Body};
use super::{fields, follow, ints, stream, tag};
use crate::StoreError;

/// Values whose codes follow from others.
pub(super) struct Led {
    leader: u64,
    /// Of each its place among the last codes.
    symbols: Bytes,
    /// Those that have no place: whatever value comes, it came so first.
    pub(super) different: Column,
}

impl Heads {
    /// A column of `count` values, with what stands beside them.
    pub(super) fn read_column(
        &self,
        column: u32,
        count: usize,
        beside: &dyn Beside,
    ) -> Result<Arc<Column>, StoreError> {
        if let Some(framed) = self.framed(column, count)? {
            self.read_parts(&framed, beside)?;
            return Ok(Arc::new(Column::Parts(Arc::new(framed))));
        }
        if let Some(column) = self.cached(column) {
            return Ok(column);
        }
        let (leader, tag, _) = self.split_head(column)?;
        let times = if matches!(tag, tag::PRINTED | tag::STAMPS) { beside.times()? } else { Vec::new() };
        let led = match leader {
            0 => LedBy::Nobody,
            1 => LedBy::Before,
            // Columns are led by earlier ones only, and by none that are read from later ones, so that this comes to an end.
            _ if leader - 2 >= column || self.is_in_parts(leader - 2)? => {
                return Err(self.body.damaged(Damage::Bytes("a column is led by a later one")));
            }
            _ => beside.led(leader, column, tag)?,
        };
        self.read_led(column, count, times, led)
    }

    /// Whether the values of a column are kept by their parts.
    pub(super) fn is_in_parts(&self, column: u32) -> Result<bool, StoreError> {
        Ok(self.form(column)?.is_some_and(|(_, tag)| tag == tag::PARTS))
    }

    fn cached(&self, column: u32) -> Option<Arc<Column>> {
        match self.body.cache.get(self.key(column)) {
            Some(Part::Column(column)) => Some(column),
            _ => None,
        }
    }

    fn key(&self, column: u32) -> PartKey {
        let group = self.number as u32 + 1;
        PartKey { segment: self.body.id, sort: reader::COLUMN, first: group, second: column }
    }

    /// A stream of a column of the group, fetched when it is needed.
    pub(super) fn lazy(&self, column: u32, part: u32) -> Stream {
        Stream::new(Body::fetch(&self.body, stream::of_column(column, part), self.number as u32 + 1))
    }

    /// The streams of the values of a column.
    pub(super) fn streams(&self, column: u32) -> Streams {
        let lazy = |part| self.lazy(column, part);
        let (numbers, lengths) = (lazy(stream::NUMBERS), lazy(stream::LENGTHS));
        Streams { numbers, lengths, text: lazy(stream::TEXT), digits: lazy(stream::DIGITS) }
    }

    /// The number of what leads a column, its form, and its head from there on.
    fn split_head(&self, column: u32) -> Result<(u32, u8, Bytes), StoreError> {
        let damaged = |damage| self.body.damaged(damage);
        let head = self.place(column).ok_or_else(|| damaged(Damage::Bytes("a column is missing")))?;
        let mut cursor = Cursor::new(&self.bytes()[head.clone()]);
        let leader = cursor.u32().map_err(damaged)?;
        let tag = cursor.clone().byte().map_err(damaged)?;
        Ok((leader, tag, self.bytes().slice(head.end - cursor.remaining()..head.end)))
    }

    /// A column of which all is known that stands beside it.
    fn read_led(
        &self,
        column: u32,
        count: usize,
        times: Vec<Nanos>,
        leader: LedBy,
    ) -> Result<Arc<Column>, StoreError> {
        let body = &self.body;
        let (_, tag, head) = self.split_head(column)?;
        let shared = |wanted, column, part| {
            // Elements of lists have a form of their own behind that of the lists.
            let used = tag == wanted || tag == tag::LISTS;
            if used { body.strings(stream::of_column(column, part)) } else { Ok(None) }
        };
        let sources = Sources {
            head,
            streams: self.streams(column),
            templates: self.lazy(column, stream::TEMPLATES),
            dictionary: shared(tag::SHARED, fields::dictionary(&body.fields, column), stream::DICTIONARY)?,
            table: shared(tag::TEMPLATES, column, stream::TABLE)?,
            times,
            leader,
        };
        let read = Arc::new(Column::read(count, sources).map_err(|damage| body.damaged(damage))?);
        add(&body.cache.counts.columns, 1);
        if matches!(tag, tag::PLAIN | tag::DIGITS | tag::TEMPLATES) {
            add(&body.cache.counts.texts, 1);
        }
        body.cache.put_column(self.key(column), read.clone());
        Ok(read)
    }

    /// The `count` values of a column of which no row has two; `None` where they cannot be read without the rows.
    pub(super) fn column_alone(&self, column: u32, count: u64) -> Result<Option<Arc<Column>>, StoreError> {
        let (Some(told), Some((leader, tag))) = (self.told()?, self.form(column)?) else { return Ok(None) };
        if matches!(tag, tag::PRINTED | tag::STAMPS | tag::LISTS | tag::PARTS) {
            return Ok(None);
        }
        if let Some(column) = self.cached(column) {
            return Ok(Some(column));
        }
        let led = match leader {
            0 => LedBy::Nobody,
            1 => LedBy::Before,
            _ => {
                let led = |values: &Arc<Column>| LedBy::column(values, tag);
                let Some(led) = self.led_alone(told, column, leader, led)? else { return Ok(None) };
                led
            }
        };
        self.read_led(column, count as usize, Vec::new(), led).map(Some)
    }

    /// Of what is led by the codes of another column, how many values pass, where `passes` says it of different ones: mostly these are
    /// few, and of what leads them only codes are read. `None` where that does not tell.
    pub(super) fn count_led(
        &self,
        column: u32,
        count: u64,
        passes: impl FnOnce(&Column) -> Result<Bits, Damage>,
    ) -> Result<Option<u64>, StoreError> {
        let damaged = |damage| self.body.damaged(damage);
        let (Some(told), Some(Led { leader, symbols, different })) = (self.told()?, self.led(column, count)?)
        else {
            return Ok(None);
        };
        let passing = passes(&different).map_err(damaged)?;
        match passing.count() {
            0 => return Ok(Some(0)),
            all if all == different.len() => return Ok(Some(count)),
            _ if leader == 1 => return Ok(None),
            _ => {}
        }
        let led = |values: &Arc<Column>| {
            let (codes, most) = values.codes().ok_or(NO_CODES)?;
            Ok(LedBy::Codes(codes.into_owned(), most))
        };
        let Some(LedBy::Codes(leaders, most)) = self.led_alone(told, column, leader, led)? else {
            return Ok(None);
        };
        let passing = (0..different.len()).map(|index| passing.has(index));
        let counted = follow::count_passing(&symbols, passing, &leaders, most);
        counted.map(Some).ok_or_else(|| damaged(NOT_LED))
    }

    /// The `count` values of a column whose codes are led, as they are written.
    pub(super) fn led(&self, column: u32, count: u64) -> Result<Option<Led>, StoreError> {
        let Some(head) = self.of_column(column) else { return Ok(None) };
        let damaged = |damage| self.body.damaged(damage);
        let mut head = Cursor::new(head);
        let (leader, tag) = (head.varint().map_err(damaged)?, head.byte().map_err(damaged)?);
        if leader == 0 || !matches!(tag, tag::INTEGERS | tag::SHARED) {
            return Ok(None);
        }
        let mut symbols = self.stream(stream::of_column(column, stream::NUMBERS))?;
        if symbols.len() < count as usize {
            return Err(damaged(Damage::Bytes("numbers end too early")));
        }
        let planes = symbols.split_off(count as usize);
        let (different, planes) = (follow::exceptions(&symbols), &mut Cursor::new(&planes));
        let different = match tag {
            tag::INTEGERS => ints::decode(different, &mut head, planes).map(Column::Integers),
            _ => {
                let owner = fields::dictionary(&self.body.fields, column);
                let entries = self.body.strings(stream::of_column(owner, stream::DICTIONARY))?;
                let Some(entries) = entries else { return Ok(None) };
                let codes = ints::decode_below(entries.len(), different, &mut head, planes);
                codes.map(|codes| Column::Dictionary { entries, codes })
            }
        };
        Ok(Some(Led { leader, symbols, different: different.map_err(damaged)? }))
    }

    /// What leads a column, beside its values, as `led` takes it from the values of the leader; `None` where that cannot be had without
    /// the rows.
    fn led_alone(
        &self,
        told: &Told,
        column: u32,
        leader: u64,
        led: impl FnOnce(&Arc<Column>) -> Result<LedBy, Damage>,
    ) -> Result<Option<LedBy>, StoreError> {
        let base = self.base(column, leader)?;
        let Some(values) = told.values(base) else { return Ok(None) };
        let Some(values) = self.column_alone(base, values)? else { return Ok(None) };
        let led = led(&values).map_err(|damage| self.body.damaged(damage))?;
        Ok(match (led, self.having(told, column, base)?) {
            (led, None) => Some(led),
            (LedBy::Codes(numbers, different), Some(rows)) => Some(beside(&numbers, different, rows)),
            _ => None,
        })
    }

    /// Of each row whether it has a value in a column and in its leader; `None` where all have both or none.
    fn having(
        &self,
        told: &Told,
        column: u32,
        base: u32,
    ) -> Result<Option<impl Iterator<Item = (bool, bool)>>, StoreError> {
        let skeletons = self.body.shapes()?.len();
        let (own, leading) = (told.having(column, skeletons), told.having(base, skeletons));
        if own == leading {
            return Ok(None);
        }
        let ids = self.integers_below(skeletons, self.places().shapes, stream::SHAPES)?;
        Ok(Some(ids.into_iter().map(move |id| (own.has(id as usize), leading.has(id as usize)))))
    }
}

/// The numbers of a leader that stand beside the values of a column, by which rows have either; one more than there are where a row
/// has no leader.
fn beside(numbers: &[u32], different: usize, rows: impl Iterator<Item = (bool, bool)>) -> LedBy {
    let mut leading = numbers.iter();
    let mut beside = Vec::with_capacity(numbers.len());
    for (has_own, has_leader) in rows {
        let number = if has_leader { leading.next().copied() } else { None };
        if has_own {
            beside.push(number.unwrap_or(different as u32));
        }
    }
    LedBy::Codes(beside, different + 1)
}
