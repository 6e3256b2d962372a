//! Counts the rows that a predicate keeps from what a group says of itself (its heads, and how often each code comes),
//! where that is enough: no row is looked at. Gives exactly what [`super::Group::count`] gives, or nothing.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use sawlog_model::{Kind, Predicate, Test};

use super::bits::Bits;
use super::column::Templates;
use super::counts::{self, Counted, Counts};
use super::cursor::Cursor;
use super::decode::{LedBy, Sources};
use super::fields::{self, Role};
use super::group::once;
use super::heads::Heads;
use super::needle::{Needle, Reading};
use super::shape::Shape;
use super::skeleton::Skeleton;
use super::{select, stream, tag};
use crate::StoreError;

#[cfg(test)]
mod tests;

/// A skeleton of the group, and how many rows have it.
struct CountedShape {
    /// Its number.
    code: u32,
    shape: Arc<Shape>,
    rows: u64,
}

/// How often codes and skeletons come in a group.
pub(super) struct Told {
    counts: Counts,
    shapes: Vec<CountedShape>,
}

impl Told {
    /// How many values a column has; `None` where a row has two.
    pub(super) fn values(&self, column: u32) -> Option<u64> {
        self.shapes.iter().try_fold(0, |values, counted| match counted.shape.count(column) {
            0 => Some(values),
            1 => Some(values + counted.rows),
            _ => None,
        })
    }

    /// The skeletons whose rows have a value in the column, by their numbers below `count`.
    pub(super) fn having(&self, column: u32, count: usize) -> Bits {
        let mut having = Bits::none(count);
        let has = |counted: &&CountedShape| counted.shape.count(column) > 0;
        self.shapes.iter().filter(has).for_each(|counted| having.set(counted.code as usize));
        having
    }
}

impl Heads {
    /// How many rows of the group the predicate keeps; `None` where rows must be looked at to know.
    pub(super) fn count(&self, predicate: &Predicate) -> Result<Option<u64>, StoreError> {
        match predicate {
            Predicate::All => Ok(Some(u64::from(self.meta().rows))),
            Predicate::Not(one) => {
                Ok(self.count(one)?.map(|kept| u64::from(self.meta().rows).saturating_sub(kept)))
            }
            Predicate::And(_) | Predicate::Or(_) => Ok(None),
            Predicate::Any(test) => self.count_in(Asked::Anything, test),
            Predicate::Field(name, test) if name == "_line" && !self.has_field(name) => {
                self.count_in(Asked::Line, test)
            }
            Predicate::Field(name, test) => match self.columns_named(name)? {
                Some(columns) => self.count_field(test, columns),
                None => Ok(None),
            },
        }
    }

    /// The counts of the group and its skeletons; `None` where there are too many, or rows that are kept whole.
    pub(super) fn told(&self) -> Result<Option<&Told>, StoreError> {
        let told = once(&self.outline.told, || {
            let counts =
                Counts::read(&self.stream(stream::COUNTS)?).map_err(|damage| self.body.damaged(damage))?;
            let Some(list) = counts.of(counts::SKELETONS) else { return Ok(None) };
            let all = self.body.shapes()?;
            let mut shapes = Vec::with_capacity(list.len());
            for &(code, rows) in list {
                match all.get(code as usize) {
                    Some(shape) if !shape.skeleton.whole => {
                        shapes.push(CountedShape { code, shape: shape.clone(), rows: u64::from(rows) });
                    }
                    _ => return Ok(None),
                }
            }
            Ok(Some(Told { counts, shapes }))
        });
        told.map(Option::as_ref)
    }

    /// How often each code of a column comes; `None` where that was not written.
    fn counted(&self, column: u32) -> Result<Option<Cow<'_, Counted>>, StoreError> {
        if let Some(list) = self.told()?.and_then(|told| told.counts.of(column + 1)) {
            return Ok(Some(Cow::Borrowed(list)));
        }
        let bytes = self.stream(stream::of_column(column, stream::COUNTED))?;
        let most = self.meta().rows as usize;
        let list = counts::read_alone(&bytes, most).map_err(|damage| self.body.damaged(damage))?;
        Ok(list.map(Cow::Owned))
    }

    /// The same where all of the `rows` values of the column are counted.
    pub(super) fn counted_all(&self, column: u32, rows: u64) -> Result<Option<Cow<'_, Counted>>, StoreError> {
        let is_all =
            |list: &Cow<'_, Counted>| list.iter().map(|(_, count)| u64::from(*count)).sum::<u64>() == rows;
        Ok(self.counted(column)?.filter(is_all))
    }

    /// The columns of a field with how many rows have a value in each, where no row has two, and nothing but columns says
    /// what the field is.
    pub(super) fn columns_named(&self, name: &str) -> Result<Option<Vec<(u32, u64)>>, StoreError> {
        if select::OWN.contains(&name) || self.body.contexts.iter().any(|context| context.get(name).is_some())
        {
            return Ok(None);
        }
        let Some(told) = self.told()? else { return Ok(None) };
        let mut columns: Vec<(u32, u64)> = Vec::new();
        for CountedShape { shape, rows, .. } in &told.shapes {
            let mut named = shape.slots.iter().filter(|slot| self.body.is_named(slot.column, name));
            let Some(slot) = named.next() else { continue };
            if named.next().is_some() {
                return Ok(None);
            }
            match columns.iter_mut().find(|(column, _)| *column == slot.column) {
                Some((_, all)) => *all += rows,
                None => columns.push((slot.column, *rows)),
            }
        }
        Ok(Some(columns))
    }

    /// [`Predicate::Field`].
    fn count_field(&self, test: &Test, columns: Vec<(u32, u64)>) -> Result<Option<u64>, StoreError> {
        let mut total = 0;
        for (column, rows) in columns {
            let kind = self.body.fields[column as usize].role.kind();
            total += match (test, kind) {
                (Test::Null, Kind::Null) => rows,
                (Test::Null, _) | (_, Kind::Null) => 0,
                (Test::Exists, _) => rows,
                _ => match self.passing(column, &Needle::new(test), Reading::Decoded, rows)? {
                    Some(passing) => passing,
                    None => return Ok(None),
                },
            };
        }
        Ok(Some(total))
    }

    /// Whether rows of the segment have a field of the name.
    fn has_field(&self, name: &str) -> bool {
        self.body.fields.iter().any(|field| matches!(field.role, Role::Field(_)) && &*field.name == name)
    }

    /// [`Predicate::Any`], or a test of the line.
    fn count_in(&self, asked: Asked, test: &Test) -> Result<Option<u64>, StoreError> {
        let Some(Told { shapes, .. }) = self.told()? else { return Ok(None) };
        let needle = Needle::new(test);
        let tagged = |tag: Option<&str>| tag.is_some_and(|tag| test.keeps_text(tag.as_bytes()));
        if !needle.is_text()
            || shapes.iter().any(|counted| counted.shape.skeleton.glued)
            || asked == Asked::Anything
                && self.body.contexts.iter().any(|context| tagged(context.get("_tag")))
        {
            return Ok(None);
        }
        let mut total = 0;
        let mut open: Vec<&CountedShape> = Vec::new();
        for counted in shapes {
            let skeleton = &counted.shape.skeleton;
            if asked.is_of_line(skeleton) && skeleton.literals().any(|text| needle.is_in(text)) {
                total += counted.rows;
            } else {
                open.push(counted);
            }
        }
        let mut with_hits = 0;
        let mut columns = columns_of(&open, asked);
        if columns.windows(2).any(|two| two[0].0 == two[1].0) {
            return Ok(None);
        }
        // Texts come last: where another column has hits, they need not be looked at for nothing.
        columns.sort_by_key(|(column, _)| self.is_of_templates(*column));
        columns = self.that_may_hold(columns, &needle)?;
        if columns.len() > 1 && self.are_two_sure(&columns, &needle)? {
            return Ok(None);
        }
        for (column, reading) in columns {
            // A column is counted as a whole, so it must be one value of each row that is still open, and of no other.
            let single = |counted: &CountedShape| {
                let mut slots = counted.shape.slots.iter().filter(|slot| slot.column == column);
                let printed = slots.next().is_some_and(|slot| slot.printed);
                slots.next().is_none() && (printed || asked == Asked::Anything)
            };
            let has = |counted: &CountedShape| counted.shape.count(column) > 0;
            let rows = open.iter().filter(|counted| has(counted)).map(|counted| counted.rows).sum();
            let all: u64 = shapes.iter().filter(|counted| has(counted)).map(|counted| counted.rows).sum();
            if all != rows || open.iter().any(|counted| has(counted) && !single(counted)) {
                return Ok(None);
            }
            if with_hits > 0 && self.is_in_templates(column, &needle)? {
                return Ok(None);
            }
            match self.passing(column, &needle, reading, rows)? {
                Some(0) => {}
                // Rows with hits in two columns would count twice.
                Some(_) if with_hits > 0 => return Ok(None),
                Some(hits) => {
                    with_hits += 1;
                    total += hits;
                }
                None => return Ok(None),
            }
        }
        if !needle.is_single() {
            for counted in open.iter().filter(|counted| asked.is_of_line(&counted.shape.skeleton)) {
                if !self.crossings(&counted.shape, &needle)?.is_empty() {
                    return Ok(None);
                }
            }
        }
        Ok(Some(total))
    }

    /// Of the columns those that are not known to lack the needle.
    fn that_may_hold(
        &self,
        columns: Vec<(u32, Reading)>,
        needle: &Needle<'_>,
    ) -> Result<Vec<(u32, Reading)>, StoreError> {
        let mut left = Vec::new();
        for (column, reading) in columns {
            if !self.cannot_hold(column, needle, reading)? {
                left.push((column, reading));
            }
        }
        Ok(left)
    }

    /// Whether two of the columns are known to hold the needle, as far as few codes tell.
    fn are_two_sure(&self, columns: &[(u32, Reading)], needle: &Needle<'_>) -> Result<bool, StoreError> {
        let mut sure = 0;
        for (column, _) in columns {
            let is_sure = self.is_in_templates(*column, needle)? || self.is_led_by(*column, needle)?;
            sure += u32::from(is_sure);
        }
        Ok(sure > 1)
    }

    /// Whether a value of a column whose codes are led is known to pass.
    fn is_led_by(&self, column: u32, needle: &Needle<'_>) -> Result<bool, StoreError> {
        let Some(told) = self.told()? else { return Ok(false) };
        let (Some((_, tag::SHARED)), Some(values)) = (self.form(column)?, told.values(column)) else {
            return Ok(false);
        };
        let Some(led) = self.led(column, values)? else { return Ok(false) };
        let kind = self.body.fields[column as usize].role.kind();
        let found = needle.find(&led.different, kind).map_err(|damage| self.body.damaged(damage))?;
        Ok(!found.is_empty())
    }

    fn is_of_templates(&self, column: u32) -> bool {
        matches!(self.form(column), Ok(Some((_, tag::TEMPLATES))))
    }

    /// Whether a template that texts of the column have is known to hold the needle.
    fn is_in_templates(&self, column: u32, needle: &Needle<'_>) -> Result<bool, StoreError> {
        if !self.is_of_templates(column) {
            return Ok(false);
        }
        let table = self.body.strings(stream::of_column(column, stream::TABLE))?;
        let (Some(table), Some(list)) = (table, self.counted(column)?) else { return Ok(false) };
        let kind = self.body.fields[column as usize].role.kind();
        let hits = needle.in_literals(&table, kind);
        Ok(list
            .iter()
            .any(|(template, _)| (*template as usize) < table.len() && hits.has(*template as usize)))
    }

    /// How many of the `rows` values of a column pass.
    fn passing(
        &self,
        column: u32,
        needle: &Needle<'_>,
        reading: Reading,
        rows: u64,
    ) -> Result<Option<u64>, StoreError> {
        if self.cannot_hold(column, needle, reading)? {
            return Ok(Some(0));
        }
        let kind = self.body.fields[column as usize].role.kind();
        let Some(head) = self.of_column(column) else { return Ok(None) };
        let mut cursor = Cursor::new(head);
        let damaged = |damage| self.body.damaged(damage);
        let leader = cursor.varint().map_err(damaged)?;
        let tag = cursor.byte().map_err(damaged)?;
        if reading == Reading::Written && kind != Kind::Text {
            return Ok(None);
        }
        match (tag, self.counted_all(column, rows)?) {
            (tag::CONSTANT, _) => {
                let value = self.stream(stream::of_column(column, stream::TEXT))?;
                Ok(Some(if needle.keeps(kind, &value) { rows } else { 0 }))
            }
            (tag::SHARED, Some(list)) => {
                let owner = fields::dictionary(&self.body.fields, column);
                let Some(entries) = self.body.strings(stream::of_column(owner, stream::DICTIONARY))? else {
                    return Ok(None);
                };
                let found = needle.find_in_dictionary(&entries, kind);
                if list.iter().any(|(code, _)| *code as usize >= entries.len()) {
                    return Ok(None);
                }
                let hits = list.iter().filter(|(code, _)| found.has(*code as usize));
                Ok(Some(hits.map(|(_, count)| u64::from(*count)).sum()))
            }
            (tag::INTEGERS, Some(list)) => Ok(Some(needle.count_integers(kind, &list))),
            (tag::TEMPLATES, Some(list)) => {
                let head = self.bytes().slice_ref(&head[head.len() - cursor.remaining() - 1..]);
                let texts = self.by_template(column, head, leader > 0, &list)?;
                let absent = self.text_lacks(column, needle, reading)?;
                needle.count_in_templates(&texts, kind, &absent).map(Some).map_err(damaged)
            }
            // Rows are narrowed by the words of an expression before it is asked.
            _ if matches!(needle.test, Test::Regex(_)) => Ok(None),
            _ => {
                if let Some(passing) = self.count_led(column, rows, |values| needle.find(values, kind))? {
                    return Ok(Some(passing));
                }
                let Some(values) = self.column_alone(column, rows)? else { return Ok(None) };
                let absent = self.text_lacks(column, needle, reading)?;
                let found = needle.find_knowing(&values, kind, &absent).map_err(damaged)?;
                Ok(Some(found.count() as u64))
            }
        }
    }

    /// The texts of a column by their templates.
    fn by_template(
        &self,
        column: u32,
        head: Bytes,
        led: bool,
        list: &[(u32, u32)],
    ) -> Result<Templates, StoreError> {
        let sources = Sources {
            head,
            streams: self.streams(column),
            templates: self.lazy(column, stream::TEMPLATES),
            dictionary: None,
            table: self.body.strings(stream::of_column(column, stream::TABLE))?,
            times: Vec::new(),
            leader: LedBy::Nobody,
        };
        Templates::of_runs(list, led, sources).map_err(|damage| self.body.damaged(damage))
    }
}

/// What of a row is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// [`Predicate::Any`].
    Anything,
    /// Its line.
    Line,
}

impl Asked {
    /// Whether of such rows the line is asked.
    fn is_of_line(self, skeleton: &Skeleton) -> bool {
        self == Asked::Line || !skeleton.is_by_value()
    }

    /// How the value of a slot is read, where it is asked.
    fn reading(self, skeleton: &Skeleton, printed: bool) -> Option<Reading> {
        match self {
            Asked::Anything if !printed || skeleton.is_by_value() => Some(Reading::Decoded),
            Asked::Line if !printed => None,
            Asked::Anything | Asked::Line => Some(Reading::Written),
        }
    }
}

/// The columns of the shapes with how they are read.
fn columns_of(shapes: &[&CountedShape], asked: Asked) -> Vec<(u32, Reading)> {
    let mut columns: Vec<(u32, Reading)> = Vec::new();
    for CountedShape { shape, .. } in shapes {
        let reading = |printed| asked.reading(&shape.skeleton, printed);
        columns.extend(shape.slots.iter().filter_map(|slot| Some((slot.column, reading(slot.printed)?))));
    }
    columns.sort_unstable();
    columns.dedup();
    columns
}
