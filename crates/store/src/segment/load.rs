//! Columns of a row group from their streams: as its rows need them, and by themselves where nobody asks which row a value is
//! of. Knows nothing of rows.

use std::sync::Arc;

use sawlog_model::Nanos;

use super::bits::Bits;
use super::cache::{Part, PartKey, add};
use super::column::Column;
use super::counted::Told;
use super::cursor::{Cursor, Damage};
use super::decode::{LedBy, NO_CODES, NOT_LED, Sources, Stream};
use super::heads::Heads;
use super::reader::{self, Body};
use super::{fields, follow, ints, stream, tag};
use crate::StoreError;

impl Heads {
    /// A column of `count` values. `times` are those of the rows of the values, `lead` says who leads it by the number in its
    /// head and its form; both are asked only where they are needed.
    pub(super) fn read_column(
        &self,
        column: u32,
        count: usize,
        times: impl FnOnce() -> Result<Vec<Nanos>, StoreError>,
        lead: impl FnOnce(u32, u8) -> Result<LedBy, StoreError>,
    ) -> Result<Arc<Column>, StoreError> {
        let body = &self.body;
        let group = self.number as u32 + 1;
        let key = PartKey { segment: body.id, sort: reader::COLUMN, first: group, second: column };
        if let Some(Part::Column(column)) = body.cache.get(key) {
            return Ok(column);
        }
        let damaged = |damage| body.damaged(damage);
        let head = self.place(column).ok_or_else(|| damaged(Damage::Bytes("a column is missing")))?;
        let mut cursor = Cursor::new(&self.bytes()[head.clone()]);
        let leader = cursor.u32().map_err(damaged)?;
        let tag = cursor.clone().byte().map_err(damaged)?;
        let times = if matches!(tag, tag::PRINTED | tag::STAMPS) { times()? } else { Vec::new() };
        let stream = |part| Stream::new(Body::fetch(body, stream::of_column(column, part), group));
        let shared = |wanted, column, part| {
            // Elements of lists have a form of their own behind that of the lists.
            let used = tag == wanted || tag == tag::LISTS;
            if used { body.strings(stream::of_column(column, part)) } else { Ok(None) }
        };
        let sources = Sources {
            head: self.bytes().slice(head.end - cursor.remaining()..head.end),
            numbers: stream(stream::NUMBERS),
            text: stream(stream::TEXT),
            templates: stream(stream::TEMPLATES),
            dictionary: shared(tag::SHARED, fields::dictionary(&body.fields, column), stream::DICTIONARY)?,
            table: shared(tag::TEMPLATES, column, stream::TABLE)?,
            times,
            leader: lead(leader, tag)?,
        };
        let read = Arc::new(Column::read(count, sources).map_err(damaged)?);
        add(&body.cache.counts.columns, 1);
        if matches!(tag, tag::PLAIN | tag::TEMPLATES) {
            add(&body.cache.counts.texts, 1);
        }
        body.cache.put_column(key, read.clone());
        Ok(read)
    }

    /// The `count` values of a column of which no row has two; `None` where they cannot be read without the rows.
    pub(super) fn column_alone(&self, column: u32, count: u64) -> Result<Option<Arc<Column>>, StoreError> {
        let (Some(told), Some((leader, tag))) = (self.told()?, self.form(column)?) else { return Ok(None) };
        if matches!(tag, tag::PRINTED | tag::STAMPS | tag::LISTS) {
            return Ok(None);
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
        let none = || Ok(Vec::new());
        self.read_column(column, count as usize, none, |_, _| Ok(led)).map(Some)
    }

    /// Of what is led by the codes of another column, how many values pass, where `passes` says it of different ones: mostly these are
    /// few, and of what leads them only codes are read. `None` where that does not tell.
    pub(super) fn count_led(
        &self,
        column: u32,
        count: u64,
        passes: impl FnOnce(&Column) -> Result<Bits, Damage>,
    ) -> Result<Option<u64>, StoreError> {
        let (Some(told), Some(head), rows) = (self.told()?, self.of_column(column), count as usize) else {
            return Ok(None);
        };
        let damaged = |damage| self.body.damaged(damage);
        let mut head = Cursor::new(head);
        let (leader, tag) = (head.varint().map_err(damaged)?, head.byte().map_err(damaged)?);
        if leader == 0 || !matches!(tag, tag::INTEGERS | tag::SHARED) {
            return Ok(None);
        }
        let numbers = self.stream(stream::of_column(column, stream::NUMBERS))?;
        let missing = || damaged(Damage::Bytes("numbers end too early"));
        let (symbols, planes) = numbers.split_at_checked(rows).ok_or_else(missing)?;
        let (different, planes) = (follow::exceptions(symbols), &mut Cursor::new(planes));
        // Whatever value comes, it came as an exception first.
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
        let different = different.map_err(damaged)?;
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
        let counted = follow::count_passing(symbols, passing, &leaders, most);
        counted.map(Some).ok_or_else(|| damaged(NOT_LED))
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
        let skeletons = self.body.skeletons()?.len();
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
