//! How many rows have which text in a field: of a segment by the codes of its dictionaries, over all segments by the texts
//! themselves, which become strings only where they are shown. Knows nothing of how values are read.

use std::sync::Arc;

use bytes::Bytes;
use sawlog_model::{FieldValue, Kind};

use super::column::{Column, Strings};
use super::cursor::Damage;
use super::interner::{IntMap, Interner};

/// Where the values of a column come from, with how many rows have each.
pub(super) enum Source {
    Constant(Bytes, u64),
    Integers(Vec<(u32, u32)>),
    Codes(Arc<Strings>, Vec<(u32, u32)>),
    /// Codes of a dictionary that all groups of the segment share.
    Shared(Arc<Column>),
    Values(Arc<Column>),
}

/// How many rows have which text, over any number of segments.
#[derive(Default)]
pub(crate) struct TextCounts {
    texts: Interner,
    rows: Vec<u64>,
    /// Rows without a text.
    without: u64,
}

impl TextCounts {
    /// How many different texts were met.
    pub(crate) fn different(&self) -> usize {
        self.rows.len()
    }

    /// Rows that were counted.
    pub(crate) fn rows(&self) -> u64 {
        self.rows.iter().sum::<u64>() + self.without
    }

    /// Adds rows with a text (`None`: without).
    pub(crate) fn add(&mut self, text: Option<&str>, rows: u64) {
        match text {
            Some(text) => self.add_text(text.as_bytes(), rows),
            None => self.without += rows,
        }
    }

    fn add_text(&mut self, text: &[u8], rows: u64) {
        let (number, is_new) = self.texts.intern(text);
        if is_new {
            self.rows.push(0);
        }
        self.rows[number as usize] += rows;
    }

    /// Adds rows with a value, by its text as columns show it.
    fn add_value(&mut self, kind: Kind, bytes: &[u8], rows: u64) {
        let value = FieldValue::read(kind, bytes.into());
        match value.text() {
            Some(text) => self.add_text(String::from_utf8_lossy(text).as_bytes(), rows),
            None => self.without += rows,
        }
    }

    /// Adds what another part counted.
    pub(crate) fn merge(&mut self, other: &TextCounts) {
        other.texts.iter().zip(&other.rows).for_each(|(text, rows)| self.add_text(text, *rows));
        self.without += other.without;
    }

    /// Adds what was counted of a segment.
    pub(crate) fn add_segment(&mut self, of: &SegmentTexts) {
        let without = self.without;
        of.coded.iter().for_each(|coded| self.add_coded(coded));
        self.merge(&of.others);
        if of.only_with {
            self.without = without;
        }
    }

    fn add_coded(&mut self, coded: &Coded) {
        let met = coded.rows.iter().enumerate().filter(|(_, rows)| **rows > 0);
        met.for_each(|(code, rows)| self.add_value(coded.kind, coded.entries.get(code), *rows));
    }

    fn text(&self, number: usize) -> String {
        String::from_utf8_lossy(self.texts.get(number as u32)).into_owned()
    }

    /// The texts (`None`: rows without) with how many rows have each.
    pub(crate) fn into_rows(self) -> impl Iterator<Item = (Option<String>, u64)> {
        let without = (self.without > 0).then_some((None, self.without));
        let numbers = 0..self.different();
        numbers.map(move |number| (Some(self.text(number)), self.rows[number])).chain(without)
    }

    /// Up to `limit` texts that most rows have, the most frequent first; where as many rows have two, by the texts.
    pub(crate) fn top(&self, limit: usize) -> Vec<(String, u64)> {
        let by_rows = |a: &u32, b: &u32| {
            let rows = |number: u32| self.rows[number as usize];
            rows(*b).cmp(&rows(*a)).then_with(|| self.texts.get(*a).cmp(self.texts.get(*b)))
        };
        let mut numbers: Vec<u32> = (0..self.different() as u32).collect();
        if limit < numbers.len() {
            numbers.select_nth_unstable_by(limit, by_rows);
            numbers.truncate(limit);
        }
        numbers.sort_unstable_by(by_rows);
        numbers.into_iter().map(|number| (self.text(number as usize), self.rows[number as usize])).collect()
    }
}

/// Rows by the codes of a dictionary.
struct Coded {
    kind: Kind,
    entries: Arc<Strings>,
    rows: Vec<u64>,
}

impl Coded {
    fn new(kind: Kind, entries: &Arc<Strings>) -> Coded {
        Coded { kind, entries: entries.clone(), rows: vec![0; entries.len()] }
    }

    fn add(&mut self, codes: &[u32]) {
        codes.iter().for_each(|code| self.rows[*code as usize] += 1);
    }
}

/// How many rows of a segment have which text.
#[derive(Default)]
pub(crate) struct SegmentTexts {
    coded: Vec<Coded>,
    others: TextCounts,
    /// Rows without a text are left out.
    only_with: bool,
}

impl SegmentTexts {
    /// How many different texts there may be.
    pub(super) fn different(&self) -> usize {
        let met = |coded: &Coded| coded.rows.iter().filter(|rows| **rows > 0).count();
        self.others.different() + self.coded.iter().map(met).sum::<usize>()
    }

    /// Bytes of memory, roughly.
    pub(super) fn weight(&self) -> usize {
        let coded = self.coded.iter().map(|coded| coded.rows.len() * 8 + coded.entries.weight());
        coded.sum::<usize>() + self.others.texts.weight() + self.others.different() * 40
    }

    /// Adds rows without the field; `None` leaves out all rows without a text.
    pub(super) fn add_without(&mut self, rows: Option<u64>) {
        self.others.without += rows.unwrap_or(0);
        self.only_with |= rows.is_none();
    }

    /// Adds the rows of a column of a group.
    pub(super) fn add(&mut self, kind: Kind, source: &Source) -> Result<(), Damage> {
        match source {
            Source::Constant(value, rows) => self.others.add_value(kind, value, *rows),
            Source::Integers(list) => {
                for (value, rows) in list {
                    self.others.add_value(kind, value.to_string().as_bytes(), u64::from(*rows));
                }
            }
            Source::Codes(entries, list) => {
                let rows = &mut self.of_dictionary(kind, entries).rows;
                list.iter().for_each(|(code, more)| rows[*code as usize] += u64::from(*more));
            }
            Source::Shared(column) | Source::Values(column) => match (&**column, source) {
                (Column::Dictionary { entries, codes }, Source::Shared(_)) => {
                    self.of_dictionary(kind, entries).add(codes);
                }
                (Column::Integers(values), _) => {
                    let mut rows = IntMap::default();
                    values.iter().for_each(|value| *rows.entry(*value).or_insert(0) += 1);
                    for (value, rows) in rows {
                        self.others.add_value(kind, value.to_string().as_bytes(), rows);
                    }
                }
                (Column::Dictionary { entries, codes }, _) => {
                    let mut coded = Coded::new(kind, entries);
                    coded.add(codes);
                    self.others.add_coded(&coded);
                }
                (column, _) => {
                    let mut bytes = Vec::new();
                    for index in 0..column.len() {
                        bytes.clear();
                        column.append(index, &mut bytes)?;
                        self.others.add_value(kind, &bytes, 1);
                    }
                }
            },
        }
        Ok(())
    }

    fn of_dictionary(&mut self, kind: Kind, entries: &Arc<Strings>) -> &mut Coded {
        let is_it = |coded: &Coded| Arc::ptr_eq(&coded.entries, entries) && coded.kind == kind;
        let at = self.coded.iter().position(is_it).unwrap_or_else(|| {
            self.coded.push(Coded::new(kind, entries));
            self.coded.len() - 1
        });
        &mut self.coded[at]
    }
}
