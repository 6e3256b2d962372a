//! The largest (or least) integers of a field in a row group, where they are told without its rows: from how often each comes, or from a
//! column that nothing leads. Knows nothing of which rows have them.

use sawlog_model::Kind;

use super::column::Column;
use super::encode::canonical_integer;
use super::heads::Heads;
use super::{Segment, stream, tag};
use crate::StoreError;

/// The first integers in an order, with how many rows have each.
pub(crate) struct First {
    least_first: bool,
    rows: u64,
    /// In their order, as many as the rows take.
    found: Vec<(i64, u64)>,
}

impl First {
    /// Those of so many rows.
    pub(crate) fn new(least_first: bool, rows: u64) -> First {
        First { least_first, rows, found: Vec::new() }
    }

    /// Adds integers that ascend.
    fn add(&mut self, ascending: impl DoubleEndedIterator<Item = (i64, u64)>) {
        let (mut left, rows) = (self.rows, self.rows);
        let mut enough = |(_, count): &(i64, u64)| {
            let wanted = left > 0;
            left = left.saturating_sub(*count);
            wanted
        };
        match self.least_first {
            true => self.found.extend(ascending.take_while(&mut enough)),
            false => self.found.extend(ascending.rev().take_while(&mut enough)),
        }
        self.found.sort_unstable_by_key(|(value, _)| *value);
        if !self.least_first {
            self.found.reverse();
        }
        let mut left = rows;
        self.found.retain(|(_, count)| {
            let wanted = left > 0;
            left = left.saturating_sub(*count);
            wanted
        });
    }

    /// The last of them; `None` where fewer rows have one.
    pub(crate) fn last(&self) -> Option<i64> {
        let rows: u64 = self.found.iter().map(|(_, rows)| rows).sum();
        self.found.last().filter(|_| rows >= self.rows).map(|(value, _)| *value)
    }
}

impl Segment {
    /// Adds the integers that rows of a group have in a field; gives whether all its values are told so.
    ///
    /// # Errors
    /// As the disk says.
    pub(crate) fn first_integers(
        &self,
        index: usize,
        field: &str,
        into: &mut First,
    ) -> Result<bool, StoreError> {
        Heads::open(self.body.clone(), index)?.first_integers(field, into)
    }
}

impl Heads {
    fn first_integers(&self, name: &str, into: &mut First) -> Result<bool, StoreError> {
        let Some(columns) = self.columns_named(name)? else { return Ok(false) };
        for (column, rows) in columns {
            let kind = self.body.fields[column as usize].role.kind();
            if !matches!(kind, Kind::Number | Kind::Text) {
                return Ok(false);
            }
            match (self.form(column)?, self.counted_all(column, rows)?) {
                (Some((_, tag::CONSTANT)), _) => {
                    let value = self.stream(stream::of_column(column, stream::TEXT))?;
                    let Some(value) = canonical_integer(&value) else { return Ok(false) };
                    into.add(std::iter::once((value, rows)));
                }
                (Some((_, tag::INTEGERS)), Some(list)) => {
                    into.add(list.iter().map(|(value, rows)| (i64::from(*value), u64::from(*rows))));
                }
                (Some((0, tag::INTEGERS)), None) => {
                    let Some(values) = self.column_alone(column, rows)? else { return Ok(false) };
                    let Column::Integers(values) = &*values else { return Ok(false) };
                    let mut values = values.clone();
                    values.sort_unstable();
                    into.add(values.into_iter().map(|value| (value, 1)));
                }
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}
