//! The values of a field by number, for counting: each value is made text once. Knows nothing of what is counted by what.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use sawlog_model::{FieldValue, Kind, Predicate, Test};

use super::column::{Column, Strings};
use super::counts::Counts;
use super::cursor::Damage;
use super::fields::{self, Role};
use super::group::Group;
use super::heads::Heads;
use super::interner::Interner;
use super::{select, stream, tag};
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
        let is_named = |column: u32| {
            let field = &self.body.fields[column as usize];
            matches!(field.role, Role::Field(_)) && &*field.name == name
        };
        if select::OWN.contains(&name)
            || self.shapes.iter().any(|shape| shape.skeleton.whole)
            || self.body.contexts.iter().any(|context| context.get(name).is_some())
        {
            return Ok(None);
        }
        let last = |shape: &super::shape::Shape| {
            shape.slots.iter().rev().find(|slot| is_named(slot.column)).map(|slot| (slot.column, slot.which))
        };
        let places: Vec<Option<(u32, u32)>> = self.shapes.iter().map(last).collect();
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

/// Where the values of a column come from, with how many rows have each.
enum Source {
    Constant(Bytes, u64),
    Integers(Vec<(u32, u32)>),
    Codes(Arc<Strings>, Vec<(u32, u32)>),
    Values(Arc<Column>),
}

impl Heads {
    /// Counts the rows of the group by their texts in a field, without looking at rows; gives whether that could be done.
    pub(super) fn tally(
        &self,
        name: &str,
        predicate: &Predicate,
        into: &mut TextCounts,
    ) -> Result<bool, StoreError> {
        // Rows without the field may be left out.
        let only_with = match predicate {
            Predicate::All => false,
            Predicate::Field(field, Test::Exists) if field == name => true,
            _ => return Ok(false),
        };
        let Some((counts, columns)) = self.columns_named(name)? else { return Ok(false) };
        let mut without = u64::from(self.meta().rows);
        let mut sources: Vec<(Kind, Source)> = Vec::new();
        for (column, rows) in columns {
            without = without.saturating_sub(rows);
            let kind = self.body.fields[column as usize].role.kind();
            let Some(source) = self.source(column, rows, counts)? else { return Ok(false) };
            sources.push((kind, source));
        }
        let before = into.without;
        for (kind, source) in &sources {
            into.add_all(*kind, source).map_err(|damage| self.body.damaged(damage))?;
        }
        into.without = if only_with { before } else { into.without + without };
        Ok(true)
    }

    /// The values of a column that `rows` rows have; `None` where they cannot be had without the rows.
    fn source(&self, column: u32, rows: u64, counts: &Counts) -> Result<Option<Source>, StoreError> {
        let list = counts.of_column(column).filter(|list| is_all(list, rows));
        Ok(match (self.form(column)?, list) {
            (None, _) => None,
            (Some((_, tag::CONSTANT)), _) => {
                Some(Source::Constant(self.stream(stream::of_column(column, stream::TEXT))?, rows))
            }
            (Some((_, tag::INTEGERS)), Some(list)) => Some(Source::Integers(list.to_vec())),
            (Some((_, tag::SHARED)), Some(list)) => {
                let owner = fields::dictionary(&self.body.fields, column);
                let entries = self.body.strings(stream::of_column(owner, stream::DICTIONARY))?;
                let fits =
                    |entries: &Arc<Strings>| list.iter().all(|(code, _)| (*code as usize) < entries.len());
                let entries = entries.filter(fits);
                let missing = || self.body.damaged(Damage::Bytes("a dictionary is missing"));
                Some(Source::Codes(entries.ok_or_else(missing)?, list.to_vec()))
            }
            _ => self.column_alone(column, rows)?.map(Source::Values),
        })
    }
}

/// Dictionaries of which is remembered what their entries are counted under.
const DICTIONARIES: usize = 4;

/// What entries of a dictionary are counted under, one too large; 0 where that is not known yet.
struct Known {
    entries: Arc<Strings>,
    kind: Kind,
    numbers: Vec<u32>,
}

/// How many rows have which text, over any number of groups and segments.
#[derive(Default)]
pub(crate) struct TextCounts {
    texts: Interner,
    rows: Vec<u64>,
    /// Rows without a text.
    without: u64,
    known: Vec<Known>,
}

impl TextCounts {
    /// How many different texts were met.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The texts (`None`: rows without) with how many rows have each; what is not UTF-8 may come twice.
    pub(crate) fn into_rows(self) -> impl Iterator<Item = (Option<String>, u64)> {
        let TextCounts { texts, rows, without, .. } = self;
        let text = move |number: usize| String::from_utf8_lossy(texts.get(number as u32)).into_owned();
        let counted = rows.into_iter().enumerate().map(move |(number, rows)| (Some(text(number)), rows));
        counted.chain((without > 0).then_some((None, without)))
    }

    /// The number of a value's text; `None` where it has none.
    fn number(&mut self, kind: Kind, bytes: &[u8]) -> Option<u32> {
        let value = FieldValue::read(kind, bytes.into());
        let (number, is_new) = self.texts.intern(value.text()?);
        if is_new {
            self.rows.push(0);
        }
        Some(number)
    }

    fn add(&mut self, kind: Kind, bytes: &[u8], rows: u64) {
        match self.number(kind, bytes) {
            Some(number) => self.rows[number as usize] += rows,
            None => self.without += rows,
        }
    }

    fn add_all(&mut self, kind: Kind, source: &Source) -> Result<(), Damage> {
        let mut bytes = Vec::new();
        match source {
            Source::Constant(value, rows) => self.add(kind, value, *rows),
            Source::Integers(list) => {
                for (value, rows) in list {
                    self.add(kind, value.to_string().as_bytes(), u64::from(*rows));
                }
            }
            Source::Codes(entries, list) => {
                self.add_codes(kind, entries, list.iter().map(|(code, rows)| (*code, u64::from(*rows))));
            }
            Source::Values(column) => match &**column {
                Column::Dictionary { entries, codes } => {
                    self.add_codes(kind, entries, codes.iter().map(|code| (*code, 1)));
                }
                column => {
                    for index in 0..column.len() {
                        bytes.clear();
                        column.append(index, &mut bytes)?;
                        self.add(kind, &bytes, 1);
                    }
                }
            },
        }
        Ok(())
    }

    /// Adds rows by codes of a dictionary, of which each is made text once.
    fn add_codes(&mut self, kind: Kind, entries: &Arc<Strings>, rows: impl Iterator<Item = (u32, u64)>) {
        let is_known = |known: &Known| Arc::ptr_eq(&known.entries, entries) && known.kind == kind;
        let mut known = match self.known.iter().position(is_known) {
            Some(at) => self.known.remove(at),
            None => Known { entries: entries.clone(), kind, numbers: vec![0; entries.len()] },
        };
        for (code, rows) in rows {
            let number = match known.numbers[code as usize] {
                0 => {
                    let number = self.number(kind, entries.get(code as usize));
                    known.numbers[code as usize] = number.map_or(0, |number| number + 1);
                    number
                }
                number => Some(number - 1),
            };
            match number {
                Some(number) => self.rows[number as usize] += rows,
                None => self.without += rows,
            }
        }
        self.known.insert(0, known);
        self.known.truncate(DICTIONARIES);
    }
}

/// Whether these are the counts of so many values.
fn is_all(list: &[(u32, u32)], rows: u64) -> bool {
    list.iter().map(|(_, count)| u64::from(*count)).sum::<u64>() == rows
}
