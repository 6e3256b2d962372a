//! The values of a field by number, for counting: each value is made text once. Knows nothing of what is counted by what.

use std::collections::HashMap;
use std::sync::Arc;

use sawlog_model::{FieldValue, Kind, Predicate, Test, TimeRange};
use sawlog_sys::task::Stop;
use xxhash_rust::xxh3::xxh3_64;

use super::cache::{Part, PartKey};
use super::column::{Column, Strings};
use super::cursor::Damage;
use super::fields;
use super::group::Group;
use super::heads::Heads;
use super::texts::{SegmentTexts, Source, TextCounts};
use super::{GroupMeta, Segment, reader, select, stream, tag};
use crate::StoreError;

/// For each row the index of its text, and the texts (`None`: the row has no such field).
pub(crate) type Texts = (Vec<u32>, Vec<Option<String>>);

/// A value's text as columns show it.
fn text(kind: Kind, bytes: &[u8]) -> Option<String> {
    let value = FieldValue::read(kind, bytes.into());
    value.text().map(|text| String::from_utf8_lossy(text).into_owned())
}

/// Texts that were met, by number.
#[derive(Default)]
struct Met {
    numbers: HashMap<Option<String>, u32>,
    texts: Vec<Option<String>>,
}

impl Met {
    fn number(&mut self, text: Option<String>) -> u32 {
        if let Some(number) = self.numbers.get(&text) {
            return *number;
        }
        self.texts.push(text.clone());
        let number = self.texts.len() as u32 - 1;
        self.numbers.insert(text, number);
        number
    }
}

/// Values below this are found by their place.
const SMALL: u64 = 1 << 16;

/// Numbers of texts by the values of columns: codes are small.
#[derive(Default)]
struct ByValue {
    /// By column; 0 is none, others are one too large.
    small: Vec<(u32, Vec<u32>)>,
    large: HashMap<(u32, u64), u32>,
}

impl ByValue {
    fn get(&self, column: u32, value: u64) -> Option<u32> {
        if value >= SMALL {
            return self.large.get(&(column, value)).copied();
        }
        let (_, numbers) = self.small.iter().find(|(known, _)| *known == column)?;
        numbers.get(value as usize)?.checked_sub(1)
    }

    fn put(&mut self, column: u32, value: u64, number: u32) {
        if value >= SMALL {
            self.large.insert((column, value), number);
            return;
        }
        let at = self.small.iter().position(|(known, _)| *known == column).unwrap_or_else(|| {
            self.small.push((column, Vec::new()));
            self.small.len() - 1
        });
        let numbers = &mut self.small[at].1;
        if numbers.len() <= value as usize {
            numbers.resize((value as usize + 1).next_power_of_two(), 0);
        }
        numbers[value as usize] = number + 1;
    }
}

impl Group {
    /// The texts of a field of the line in these rows; `None` where the field is of another sort, or in rows that are kept
    /// whole.
    ///
    /// # Errors
    /// As the disk says.
    pub(crate) fn texts(&self, name: &str, rows: &[u32]) -> Result<Option<Texts>, StoreError> {
        if select::OWN.contains(&name)
            || self.shapes.iter().any(|shape| shape.skeleton.whole)
            || self.body.contexts.iter().any(|context| context.get(name).is_some())
        {
            return Ok(None);
        }
        let places = self.last_named(name);
        let mut met = Met::default();
        let mut by_value = ByValue::default();
        let mut bytes = Vec::new();
        let mut numbers = Vec::with_capacity(rows.len());
        let mut before = ((u32::MAX, 0), 0);
        let mut without = None;
        for row in rows.iter().map(|row| *row as usize) {
            let Some((column, which)) = places[self.codes[row] as usize] else {
                numbers.push(*without.get_or_insert_with(|| met.number(None)));
                continue;
            };
            let kind = self.body.fields[column as usize].role.kind();
            let values = self.values(column)?;
            let index = values.start(row) + which as usize;
            // What equal values have in common, where the column has such a thing.
            let same = match &*values.column {
                Column::Constant { .. } => Some(0),
                Column::Integers(values) | Column::Padded { values, .. } => Some(values[index] as u64),
                Column::Dictionary { codes, .. } => Some(u64::from(codes[index])),
                _ => None,
            };
            if let Some(same) = same
                && before.0 == (column, same)
            {
                numbers.push(before.1);
                continue;
            }
            if let Some((same, number)) = same.and_then(|same| Some((same, by_value.get(column, same)?))) {
                before = ((column, same), number);
                numbers.push(number);
                continue;
            }
            bytes.clear();
            self.append(values, index, &mut bytes)?;
            let number = met.number(text(kind, &bytes));
            if let Some(same) = same {
                by_value.put(column, same, number);
                before = ((column, same), number);
            }
            numbers.push(number);
        }
        Ok(Some((numbers, met.texts)))
    }
}

/// Longer questions are not remembered, bytes.
const LONGEST: usize = 256;

/// What a segment says of a question for texts.
#[derive(Clone)]
pub(crate) struct ToldTexts {
    /// What was counted.
    pub(crate) texts: Arc<SegmentTexts>,
    /// Groups whose rows must be looked at.
    pub(crate) left: Arc<Vec<usize>>,
}

impl Segment {
    /// Counts the rows of the group by their texts in a field where that needs no look at rows; gives whether it did.
    ///
    /// # Errors
    /// As the disk says.
    pub(crate) fn tally(
        &self,
        index: usize,
        field: &str,
        predicate: &Predicate,
        range: TimeRange,
        into: &mut TextCounts,
    ) -> Result<bool, StoreError> {
        let mut texts = SegmentTexts::default();
        let told = self.tally_group(index, field, predicate, range, &mut texts)?;
        if told {
            into.add_segment(&texts);
        }
        Ok(told)
    }

    fn tally_group(
        &self,
        index: usize,
        field: &str,
        predicate: &Predicate,
        range: TimeRange,
        into: &mut SegmentTexts,
    ) -> Result<bool, StoreError> {
        let covered = |meta: &GroupMeta| range.covers(meta.first_time, meta.last_time);
        if !self.body.meta.groups.get(index).is_some_and(covered) {
            return Ok(false);
        }
        Heads::open(self.body.clone(), index)?.tally(field, predicate, into)
    }

    /// The same of all groups with rows of these times, remembered with what else is kept of segments; `None` where there are more
    /// than `most` texts, or `stop` says that nobody wants to know any more.
    ///
    /// # Errors
    /// As the disk says.
    pub(crate) fn tally_all(
        &self,
        field: &str,
        predicate: &Predicate,
        range: TimeRange,
        most: usize,
        stop: &Stop,
    ) -> Result<Option<ToldTexts>, StoreError> {
        let meta = &self.body.meta;
        let question = format!("{field} {predicate:?}");
        let whole = range.covers(meta.first_time, meta.last_time) && question.len() <= LONGEST;
        let hash = xxh3_64(question.as_bytes());
        let (first, second) = (hash as u32, (hash >> 32) as u32);
        let key = PartKey { segment: self.body.id, sort: reader::TEXTS, first, second };
        if let Some(Part::Texts(asked, told)) = self.body.cache.get(key).filter(|_| whole)
            && *asked == *question
        {
            return Ok(Some(told));
        }
        let (mut texts, mut left) = (SegmentTexts::default(), Vec::new());
        for (index, group) in meta.groups.iter().enumerate() {
            if !range.overlaps(group.first_time, group.last_time) {
                continue;
            }
            if stop.requested() {
                return Ok(None);
            }
            if !self.tally_group(index, field, predicate, range, &mut texts)? {
                left.push(index);
            }
            if texts.different() > most {
                return Ok(None);
            }
        }
        let weight = question.len() + texts.weight() + left.len() * 8;
        let told = ToldTexts { texts: Arc::new(texts), left: Arc::new(left) };
        if whole {
            self.body.cache.put(key, Part::Texts(question.into(), told.clone()), weight);
        }
        Ok(Some(told))
    }
}

impl Heads {
    /// Counts the rows of the group by their texts in a field, without looking at rows; gives whether that could be done.
    pub(super) fn tally(
        &self,
        name: &str,
        predicate: &Predicate,
        into: &mut SegmentTexts,
    ) -> Result<bool, StoreError> {
        // Rows without the field may be left out.
        let only_with = match predicate {
            Predicate::All => false,
            Predicate::Field(field, Test::Exists) if field == name => true,
            _ => return Ok(false),
        };
        let Some(columns) = self.columns_named(name)? else { return Ok(false) };
        let mut without = u64::from(self.meta().rows);
        let mut sources: Vec<(Kind, Source)> = Vec::new();
        for (column, rows) in columns {
            without = without.saturating_sub(rows);
            let kind = self.body.fields[column as usize].role.kind();
            let Some(source) = self.source(column, rows)? else { return Ok(false) };
            sources.push((kind, source));
        }
        for (kind, source) in &sources {
            into.add(*kind, source).map_err(|damage| self.body.damaged(damage))?;
        }
        into.add_without((!only_with).then_some(without));
        Ok(true)
    }

    /// The values of a column that `rows` rows have; `None` where they cannot be had without the rows.
    fn source(&self, column: u32, rows: u64) -> Result<Option<Source>, StoreError> {
        Ok(match (self.form(column)?, self.counted_all(column, rows)?) {
            (None, _) => None,
            (Some((_, tag::CONSTANT)), _) => {
                Some(Source::Constant(self.stream(stream::of_column(column, stream::TEXT))?, rows))
            }
            (Some((_, tag::INTEGERS)), Some(list)) => Some(Source::Integers(list.into_owned())),
            (Some((_, tag::SHARED)), Some(list)) => {
                let owner = fields::dictionary(&self.body.fields, column);
                let entries = self.body.strings(stream::of_column(owner, stream::DICTIONARY))?;
                let fits =
                    |entries: &Arc<Strings>| list.iter().all(|(code, _)| (*code as usize) < entries.len());
                let entries = entries.filter(fits);
                let missing = || self.body.damaged(Damage::Bytes("a dictionary is missing"));
                Some(Source::Codes(entries.ok_or_else(missing)?, list.into_owned()))
            }
            (Some((_, tag::SHARED)), None) => self.column_alone(column, rows)?.map(Source::Shared),
            _ => self.column_alone(column, rows)?.map(Source::Values),
        })
    }
}
