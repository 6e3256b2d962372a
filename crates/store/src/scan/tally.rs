//! Counts rows by the values of fields and by time, without making rows of them. Knows nothing of how segments find values.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use sawlog_model::Nanos;

use super::Any;
use super::piece::{Counters, Opened, Piece, Rows, Wanted};
use crate::engine::lock;
use crate::handle::Handle;
use crate::segment::{First, Segment, TextCounts, rounded};
use crate::{Column, StoreError, columns};

/// What rows are counted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CountBy {
    /// The first of these columns (of text) that a row has.
    First(Vec<Column>),
    /// `_time`, rounded down to a multiple of so many nanoseconds.
    Time(Nanos),
}

/// What a row is counted under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CountKey {
    /// The text of a field; `None` where the row has none.
    Text(Option<String>),
    /// A time.
    Time(Nanos),
}

/// Rows by their keys, in the order of what they are counted by.
#[derive(Default)]
pub struct Tally {
    rows: HashMap<Vec<CountKey>, u64>,
    /// Those that are counted by one text alone.
    texts: TextCounts,
}

impl Tally {
    /// All of the rows with the same keys.
    pub fn of(keys: Vec<CountKey>, rows: u64) -> Tally {
        let mut tally = Tally::default();
        tally.add(keys, rows);
        tally
    }

    /// Adds what another part counted.
    pub fn merge(&mut self, other: Tally) {
        for (keys, rows) in other.rows {
            self.add(keys, rows);
        }
        self.texts.merge(&other.texts);
    }

    /// How many different keys there are, those without a text left aside where it is the only key.
    pub fn different(&self) -> usize {
        self.rows.len() + self.texts.different()
    }

    /// How many rows were counted.
    pub fn total(&self) -> u64 {
        self.rows.values().sum::<u64>() + self.texts.rows()
    }

    /// Of rows that are counted by one text alone, up to `limit` texts that most of them have, with how many: the most frequent
    /// first, those of as many rows by the texts.
    pub fn top(&self, limit: usize) -> Vec<(Vec<CountKey>, u64)> {
        let key = |(text, rows)| (vec![CountKey::Text(Some(text))], rows);
        self.texts.top(limit).into_iter().map(key).collect()
    }

    /// How many rows have which keys.
    pub fn into_rows(self) -> HashMap<Vec<CountKey>, u64> {
        let mut all = self.rows;
        let texts = self.texts.into_rows().filter(|(_, rows)| *rows > 0);
        all.extend(texts.map(|(text, rows)| (vec![CountKey::Text(text)], rows)));
        all
    }

    fn add(&mut self, keys: Vec<CountKey>, rows: u64) {
        match &keys[..] {
            [CountKey::Text(text)] => self.texts.add(text.as_deref(), rows),
            _ => *self.rows.entry(keys).or_default() += rows,
        }
    }
}

impl Any {
    /// The next segment as a whole, where rows are counted by one text alone.
    pub(super) fn next_segment(&self, by: &[CountBy]) -> Option<Arc<Handle>> {
        let mut queue = lock(&self.queue);
        match (queue.front(), by) {
            (Some(Piece::Segment(handle)), [CountBy::First(_)]) => {
                let handle = handle.clone();
                queue.pop_front();
                Some(handle)
            }
            _ => None,
        }
    }

    /// Counts the rows of a segment by their texts in one field, the first of `by`, as far as that is told without looking at rows;
    /// the other groups wait as pieces.
    ///
    /// # Errors
    /// As [`Piece::open`].
    pub(super) fn tally_segment(
        &self,
        handle: &Arc<Handle>,
        by: &[CountBy],
        wanted: &Wanted,
        most: usize,
        into: &mut Tally,
    ) -> Result<bool, StoreError> {
        let Some(segment) = handle.segment()? else { return Ok(true) };
        let mut left = Piece::groups(handle, &segment, wanted, None);
        if let [CountBy::First(names)] = by
            && let mut names = names.iter().filter(|name| segment.may_have(name))
            && let (Some(name), None) = (names.next(), names.next())
        {
            match segment.tally_all(name, &wanted.predicate, wanted.range, most, &wanted.stop) {
                Ok(Some(told)) => {
                    into.texts.add_segment(&told.texts);
                    left.retain(
                        |piece| matches!(piece, Piece::Group { group, .. } if told.left.contains(group)),
                    );
                }
                Ok(None) => {}
                Err(error) => return handle.quarantine(error).map(|()| true),
            }
        }
        let mut queue = lock(&self.queue);
        left.into_iter().rev().for_each(|piece| queue.push_front(piece));
        Ok(true)
    }

    /// [`super::Scan::bound`]. Rows that are left out only make the bound weaker.
    ///
    /// # Errors
    /// As [`Piece::open`].
    pub(super) fn bound(
        &self,
        field: &str,
        mut first: First,
        wanted: &Wanted,
    ) -> Result<Option<i64>, StoreError> {
        let handles: Vec<Arc<Handle>> = lock(&self.queue)
            .iter()
            .filter_map(|piece| if let Piece::Segment(handle) = piece { Some(handle.clone()) } else { None })
            .collect();
        for handle in handles {
            let Some(segment) = handle.segment()? else { continue };
            for index in Piece::indexes(&segment, wanted) {
                let meta = &segment.meta().groups[index];
                if wanted.stop.requested() || !wanted.range.covers(meta.first_time, meta.last_time) {
                    continue;
                }
                match segment.first_integers(index, field, &mut first) {
                    Ok(true) => {}
                    Ok(false) => return Ok(None),
                    Err(error) => {
                        handle.quarantine(error)?;
                        break;
                    }
                }
            }
        }
        Ok(first.last())
    }

    /// Counts the rows of the next group or batch; gives whether there was one.
    ///
    /// # Errors
    /// As [`Piece::open`].
    pub(super) fn tally_piece(
        &mut self,
        by: &[CountBy],
        wanted: &Wanted,
        counters: &mut Counters,
        into: &mut Tally,
    ) -> Result<bool, StoreError> {
        let (tally, more) = self.with_next(wanted, |piece| piece.tally(by, wanted, counters).map(Some))?;
        into.merge(tally.unwrap_or_default());
        Ok(more)
    }
}

/// One key of some rows: for each row the index of its value.
pub(crate) struct Keyed {
    pub codes: Vec<u32>,
    pub values: Vec<CountKey>,
}

impl Keyed {
    /// Rounds times down.
    fn by_time(times: impl Iterator<Item = Nanos>, step: Nanos) -> Keyed {
        let mut known: HashMap<Nanos, u32> = HashMap::new();
        let mut values = Vec::new();
        let mut last = (Nanos::MAX, 0);
        let codes = times
            .map(|time| {
                let start = rounded(time, step);
                if values.is_empty() || start != last.0 {
                    let code = *known.entry(start).or_insert_with(|| {
                        values.push(CountKey::Time(start));
                        values.len() as u32 - 1
                    });
                    last = (start, code);
                }
                last.1
            })
            .collect();
        Keyed { codes, values }
    }

    /// The texts of an array.
    fn by_text(array: &dyn Array) -> Keyed {
        let mut known: HashMap<Option<&str>, u32> = HashMap::new();
        let mut values = Vec::new();
        let texts = array.as_string_view();
        let code = |text: Option<&'_ str>| -> Option<String> { text.map(str::to_owned) };
        let codes = (0..texts.len())
            .map(|row| {
                let text = texts.is_valid(row).then(|| texts.value(row));
                *known.entry(text).or_insert_with(|| {
                    values.push(CountKey::Text(code(text)));
                    values.len() as u32 - 1
                })
            })
            .collect();
        Keyed { codes, values }
    }

    /// Takes from `next` where there is no text yet.
    fn or_else(self, next: Keyed) -> Keyed {
        let nothing = CountKey::Text(None);
        if !self.values.contains(&nothing) {
            return self;
        }
        let (mut known, mut values): (HashMap<CountKey, u32>, Vec<CountKey>) = (HashMap::new(), Vec::new());
        let mut places = |from: &[CountKey]| -> Vec<u32> {
            let place = |value: &CountKey| {
                *known.entry(value.clone()).or_insert_with(|| {
                    values.push(value.clone());
                    values.len() as u32 - 1
                })
            };
            from.iter().map(place).collect()
        };
        let (first, second) = (places(&self.values), places(&next.values));
        let chosen =
            self.codes.iter().zip(&next.codes).map(|(a, b)| match self.values[*a as usize] == nothing {
                true => second[*b as usize],
                false => first[*a as usize],
            });
        let codes = chosen.collect();
        Keyed { codes, values }
    }
}

/// So many combinations that may occur have a place each.
const TABLE: usize = 1 << 18;

/// Numbers the combinations of those so far (`combined` are their numbers, by row) and a further key; gives these.
fn combine(combined: &mut [u32], so_far: &[Vec<u32>], key: &Keyed) -> Vec<Vec<u32>> {
    let mut next: Vec<Vec<u32>> = Vec::new();
    let mut give = |place: u32, code: u32| {
        let mut combination = so_far[place as usize].clone();
        combination.push(code);
        next.push(combination);
        next.len() as u32 - 1
    };
    if so_far.len().saturating_mul(key.values.len()) <= TABLE {
        let mut table = vec![u32::MAX; so_far.len() * key.values.len()];
        for (place, code) in combined.iter_mut().zip(&key.codes) {
            let slot = &mut table[*place as usize * key.values.len() + *code as usize];
            if *slot == u32::MAX {
                *slot = give(*place, *code);
            }
            *place = *slot;
        }
    } else {
        let mut known: HashMap<(u32, u32), u32> = HashMap::new();
        for (place, code) in combined.iter_mut().zip(&key.codes) {
            let pair = (*place, *code);
            *place = *known.entry(pair).or_insert_with(|| give(pair.0, pair.1));
        }
    }
    next
}

/// Counts the rows of a group where it says of itself what they are counted by, so that none is looked at: its times are of
/// one step, and of the fields it has just one; or they are counted by time alone, and times are read.
fn told(
    segment: &Segment,
    group: usize,
    by: &[CountBy],
    wanted: &Wanted,
) -> Result<Option<Tally>, StoreError> {
    let (predicate, range) = (&wanted.predicate, wanted.range);
    let meta = &segment.meta().groups[group];
    if !range.covers(meta.first_time, meta.last_time) {
        return Ok(None);
    }
    let by_it_alone = by.len() == 1;
    let mut field: Option<&str> = None;
    let mut keys = Vec::with_capacity(by.len());
    for by in by {
        match by {
            CountBy::Time(step) => {
                let start = rounded(meta.first_time, *step);
                if start != rounded(meta.last_time, *step) {
                    return if by_it_alone { by_step(segment, group, *step, wanted) } else { Ok(None) };
                }
                keys.push(Some(CountKey::Time(start)));
            }
            CountBy::First(names) => {
                let mut names = names.iter().filter(|name| segment.may_have(name));
                let name = names.next();
                if names.next().is_some() || field.is_some() {
                    return Ok(None);
                }
                field = name.map(|name| &**name);
                keys.push(name.is_none().then_some(CountKey::Text(None)));
            }
        }
    }
    let counted: Vec<(Option<String>, u64)> = match field {
        Some(name) => {
            let mut texts = TextCounts::default();
            if !segment.tally(group, name, predicate, range, &mut texts)? {
                return Ok(None);
            }
            texts.into_rows().collect()
        }
        None => vec![(None, segment.count(group, predicate, range)?)],
    };
    let mut tally = Tally::default();
    for (text, rows) in counted.into_iter().filter(|(_, rows)| *rows > 0) {
        let text = CountKey::Text(text);
        let keys = keys.iter().map(|key| key.clone().unwrap_or_else(|| text.clone()));
        tally.add(keys.collect(), rows);
    }
    Ok(Some(tally))
}

/// Counts the rows of a group by time alone, where no more than times must be read for it.
fn by_step(
    segment: &Segment,
    group: usize,
    step: Nanos,
    wanted: &Wanted,
) -> Result<Option<Tally>, StoreError> {
    let Some(steps) = segment.by_step(group, &wanted.predicate, wanted.range, step)? else { return Ok(None) };
    let mut tally = Tally::default();
    steps.into_iter().for_each(|(start, rows)| tally.add(vec![CountKey::Time(start)], rows));
    Ok(Some(tally))
}

impl Piece {
    /// Counts the rows of a group or batch that are wanted.
    ///
    /// # Errors
    /// As [`Piece::open`].
    pub fn tally(
        self,
        by: &[CountBy],
        wanted: &Wanted,
        counters: &mut Counters,
    ) -> Result<Tally, StoreError> {
        if let Piece::Group { segment, group, rows: None, .. } = &self
            && let Some(tally) = told(segment, *group, by, wanted)?
        {
            return Ok(tally);
        }
        let mut tally = Tally::default();
        let Some(opened) = self.open(wanted, None, counters)? else { return Ok(tally) };
        let keyed = by.iter().map(|by| opened.keyed(by)).collect::<Result<Vec<_>, _>>()?;
        // A number for each combination of keys that occurs, one key after the other.
        let mut combined: Vec<u32> = vec![0; opened.rows_left().len()];
        let mut combinations: Vec<Vec<u32>> = vec![Vec::new()];
        for key in &keyed {
            combinations = combine(&mut combined, &combinations, key);
        }
        let mut counts = vec![0u64; combinations.len()];
        combined.iter().for_each(|combination| counts[*combination as usize] += 1);
        for (combination, rows) in combinations.iter().zip(counts) {
            let value = |(key, code): (&Keyed, &u32)| key.values[*code as usize].clone();
            tally.add(keyed.iter().zip(combination).map(value).collect(), rows);
        }
        Ok(tally)
    }
}

impl Opened {
    fn keyed(&self, by: &CountBy) -> Result<Keyed, StoreError> {
        let rows = self.rows_left();
        match (by, &self.rows) {
            (CountBy::Time(step), Rows::Group(group)) => {
                let times = group.group.times()?;
                Ok(Keyed::by_time(rows.iter().map(|row| times[*row as usize]), *step))
            }
            (CountBy::Time(step), Rows::Memory(entry)) => {
                Ok(Keyed::by_time(rows.iter().map(|row| entry.batch.rows[*row as usize].time), *step))
            }
            (CountBy::First(names), _) => {
                let mut keyed: Option<Keyed> = None;
                for name in names {
                    let nothing = CountKey::Text(None);
                    if keyed.as_ref().is_some_and(|keyed| !keyed.values.contains(&nothing)) {
                        break;
                    }
                    let next = self.keyed_by_column(name, rows)?;
                    keyed = Some(match keyed {
                        Some(keyed) => keyed.or_else(next),
                        None => next,
                    });
                }
                Ok(keyed.unwrap_or(Keyed { codes: vec![0; rows.len()], values: vec![CountKey::Text(None)] }))
            }
        }
    }

    fn keyed_by_column(&self, name: &str, rows: &[u32]) -> Result<Keyed, StoreError> {
        match &self.rows {
            Rows::Group(group) => {
                if let Some((codes, values)) = group.group.texts(name, rows)? {
                    return Ok(Keyed { codes, values: values.into_iter().map(CountKey::Text).collect() });
                }
                let arrays = group.group.columns(&[name.to_owned()], rows)?;
                Ok(Keyed::by_text(&arrays[0]))
            }
            Rows::Memory(entry) => {
                let rows: Vec<_> = rows.iter().map(|row| entry.batch.row(*row as usize)).collect();
                Ok(Keyed::by_text(&columns::arrays(&[name.to_owned()], &rows)[0]))
            }
        }
    }
}
