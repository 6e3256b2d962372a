//! The values of a field by number, for counting: each value is made text once. Knows nothing of what is counted by what.

use std::collections::HashMap;

use sawlog_model::{FieldValue, Kind, Predicate, Test};

use super::column::Column;
use super::cursor::{Cursor, Damage};
use super::fields::{self, Role};
use super::group::Group;
use super::heads::Heads;
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

impl Heads {
    /// How many rows of the group have which text in a field, where counts tell.
    pub(super) fn tally(&self, name: &str, predicate: &Predicate) -> Result<Option<Tallied>, StoreError> {
        // Rows without the field may be left out.
        let only_with = match predicate {
            Predicate::All => false,
            Predicate::Field(field, Test::Exists) if field == name => true,
            _ => return Ok(None),
        };
        let Some((counts, columns)) = self.columns_named(name)? else { return Ok(None) };
        let mut tallied: HashMap<Option<String>, u64> = HashMap::new();
        let mut without = u64::from(self.meta().rows);
        for (column, rows) in columns {
            without = without.saturating_sub(rows);
            let kind = self.body.fields[column as usize].role.kind();
            let Some(head) = self.of_column(column) else { return Ok(None) };
            let mut cursor = Cursor::new(head);
            let tag =
                cursor.varint().and_then(|_| cursor.byte()).map_err(|damage| self.body.damaged(damage))?;
            match (tag, counts.of_column(column)) {
                (tag::CONSTANT, _) => {
                    let value = self.stream(stream::of_column(column, stream::TEXT))?;
                    *tallied.entry(text(kind, &value)).or_default() += rows;
                }
                (tag::INTEGERS, Some(list)) if is_all(list, rows) => {
                    for (number, count) in list {
                        *tallied.entry(text(kind, number.to_string().as_bytes())).or_default() +=
                            u64::from(*count);
                    }
                }
                (tag::SHARED, Some(list)) if is_all(list, rows) => {
                    let owner = fields::dictionary(&self.body.fields, column);
                    let entries = self.body.strings(stream::of_column(owner, stream::DICTIONARY))?;
                    let missing = || self.body.damaged(Damage::Bytes("a dictionary is missing"));
                    let entries = entries.ok_or_else(missing)?;
                    for (code, count) in list {
                        let entry = (*code as usize) < entries.len();
                        let bytes = entry.then(|| entries.get(*code as usize)).ok_or_else(missing)?;
                        *tallied.entry(text(kind, bytes)).or_default() += u64::from(*count);
                    }
                }
                _ => return Ok(None),
            }
        }
        if only_with {
            tallied.remove(&None);
        } else if without > 0 {
            *tallied.entry(None).or_default() += without;
        }
        Ok(Some(tallied.into_iter().collect()))
    }
}

/// Texts of a field with how many rows have each.
pub(crate) type Tallied = Vec<(Option<String>, u64)>;

/// Whether these are the counts of so many values.
fn is_all(list: &[(u32, u32)], rows: u64) -> bool {
    list.iter().map(|(_, count)| u64::from(*count)).sum::<u64>() == rows
}
