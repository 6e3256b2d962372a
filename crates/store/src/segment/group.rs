//! An open row group: which columns each row has values in, and the columns, read when they are asked for. Knows nothing
//! of predicates or of Arrow.

use std::sync::{Arc, OnceLock};

use sawlog_model::{Context, Nanos};

use super::bits::Bits;
use super::column::Column;
use super::cursor::Damage;
use super::decode::LedBy;
use super::framed::{Beside, Framed};
use super::heads::Heads;
use super::offsets::Offsets;
use super::reader::Body;
use super::shape::{Shape, local_shapes};
use super::{GroupMeta, stream};
use crate::StoreError;

/// An open row group.
pub struct Group {
    pub(super) body: Arc<Body>,
    pub(super) number: usize,
    pub(super) heads: Heads,
    /// Index into `shapes` of each row.
    pub(super) codes: Vec<u32>,
    /// The skeletons that rows of the group have.
    pub(super) shapes: Vec<Arc<Shape>>,
    contexts: OnceLock<Contexts>,
    times: OnceLock<Arc<Vec<Nanos>>>,
    received: OnceLock<Arc<Vec<Nanos>>>,
    pub(super) offsets: OnceLock<Offsets>,
    columns: Vec<OnceLock<Values>>,
    places: Vec<OnceLock<Arc<Places>>>,
    framed: Vec<OnceLock<Option<Arc<Framed>>>>,
}

/// The contexts of the rows.
struct Contexts {
    /// That of each row; empty where all have the first.
    of_rows: Vec<u32>,
    first: u32,
}

impl Contexts {
    fn of(&self, row: usize) -> u32 {
        self.of_rows.get(row).copied().unwrap_or(self.first)
    }
}

/// A column, and which of its values are those of a row.
pub(super) struct Values {
    pub(super) column: Arc<Column>,
    places: Arc<Places>,
}

impl Values {
    /// The number of the first value of the row.
    pub(super) fn start(&self, row: usize) -> usize {
        self.places.start(row)
    }
}

/// Which of the values of a column are those of a row.
pub(super) struct Places {
    of_rows: OfRows,
    /// How many values there are.
    count: usize,
}

/// Where the values of rows stand.
#[derive(PartialEq, Eq)]
enum OfRows {
    /// Each row has one.
    OneEach,
    /// First value of each row.
    Starts(Vec<u32>),
    /// The row of each value, where values are few: a group of rows of many makes has very many columns of which each row has some.
    Few(Vec<u32>),
}

/// Values are few where there is at most one for so many rows.
const FEW: usize = 4;

impl Places {
    /// How many values there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Whether each row has one value.
    pub(super) fn is_one_each(&self) -> bool {
        self.of_rows == OfRows::OneEach
    }

    /// The number of the first value of the row.
    pub(super) fn start(&self, row: usize) -> usize {
        match &self.of_rows {
            OfRows::OneEach => row,
            OfRows::Starts(starts) => starts[row] as usize,
            OfRows::Few(rows) => rows.partition_point(|have| (*have as usize) < row),
        }
    }
}

/// What a cell holds, made where it is empty.
pub(super) fn once<T>(
    cell: &OnceLock<T>,
    make: impl FnOnce() -> Result<T, StoreError>,
) -> Result<&T, StoreError> {
    match cell.get() {
        Some(have) => Ok(have),
        None => {
            let made = make()?;
            Ok(cell.get_or_init(|| made))
        }
    }
}

impl Group {
    pub(super) fn open(heads: Heads) -> Result<Group, StoreError> {
        let body = heads.body.clone();
        let all = body.shapes()?;
        let ids = heads.integers_below(all.len(), heads.places().shapes, stream::SHAPES)?;
        let (codes, shapes) = local_shapes(ids, &all).map_err(|damage| body.damaged(damage))?;
        let columns = body.fields.iter().map(|_| OnceLock::new()).collect();
        let places = body.fields.iter().map(|_| OnceLock::new()).collect();
        let framed = body.fields.iter().map(|_| OnceLock::new()).collect();
        Ok(Group {
            body,
            number: heads.number,
            heads,
            codes,
            shapes,
            contexts: OnceLock::new(),
            times: OnceLock::new(),
            received: OnceLock::new(),
            offsets: OnceLock::new(),
            columns,
            places,
            framed,
        })
    }

    /// For each shape where the value of a field is, a column and which of the row's values in it: the last slot of the name.
    pub(super) fn last_named(&self, name: &str) -> Vec<Option<(u32, u32)>> {
        let last = |shape: &Arc<Shape>| {
            let slot = shape.slots.iter().rev().find(|slot| self.body.is_named(slot.column, name))?;
            Some((slot.column, slot.which))
        };
        self.shapes.iter().map(last).collect()
    }

    /// What the footer says of it.
    pub(super) fn meta(&self) -> &GroupMeta {
        &self.body.meta.groups[self.number]
    }

    /// How many rows it has.
    pub(super) fn rows(&self) -> usize {
        self.codes.len()
    }

    /// Times of all rows.
    ///
    /// # Errors
    /// As the disk says.
    pub fn times(&self) -> Result<Arc<Vec<Nanos>>, StoreError> {
        once(&self.times, || self.heads.integers(self.heads.places().times, stream::TIMES).map(Arc::new))
            .cloned()
    }

    /// When the rows came.
    pub(super) fn received(&self) -> Result<Arc<Vec<Nanos>>, StoreError> {
        once(&self.received, || {
            self.heads.integers(self.heads.places().received, stream::RECEIVED).map(Arc::new)
        })
        .cloned()
    }

    fn contexts(&self) -> Result<&Contexts, StoreError> {
        once(&self.contexts, || {
            let (known, place) = (self.body.contexts.len(), self.heads.places().contexts);
            let (first, of_rows) = match self.heads.constant(place)? {
                Some(context) => (u32::try_from(context).unwrap_or(u32::MAX), Vec::new()),
                None => {
                    let ids = self.heads.integers_below(known, place, stream::CONTEXTS)?;
                    (ids.first().copied().unwrap_or(0), ids)
                }
            };
            if first as usize >= known {
                return Err(self.body.damaged(Damage::Bytes("a row has a context that is not there")));
            }
            let all_one = of_rows.iter().all(|context| *context == first);
            Ok(Contexts { of_rows: if all_one { Vec::new() } else { of_rows }, first })
        })
    }

    /// The number of a row's context.
    pub(super) fn context_id(&self, row: usize) -> Result<u32, StoreError> {
        Ok(self.contexts()?.of(row))
    }

    pub(super) fn context(&self, row: usize) -> Result<&Arc<Context>, StoreError> {
        Ok(&self.body.contexts[self.context_id(row)? as usize])
    }

    /// Of `rows`, those with a context that passes.
    pub(super) fn by_context(
        &self,
        rows: &Bits,
        passes: impl Fn(&Context) -> bool,
    ) -> Result<Bits, StoreError> {
        let mut kept = Bits::none(self.rows());
        let passing: Vec<bool> = self.body.contexts.iter().map(|context| passes(context)).collect();
        // Where none does, nothing need be read to know it.
        if passing.contains(&true) && !rows.is_empty() {
            let contexts = self.contexts()?;
            let hits = rows.iter().filter(|row| passing[contexts.of(*row) as usize]);
            hits.for_each(|row| kept.set(row));
        }
        Ok(kept)
    }

    /// A column, with the places of the rows' values.
    pub(super) fn values(&self, column: u32) -> Result<&Values, StoreError> {
        once(&self.columns[column as usize], || {
            let places = self.places(column).clone();
            let beside = BesideRows { group: self, of: column };
            let column = match self.framed(column)? {
                Some(framed) => {
                    self.heads.read_parts(framed, &beside)?;
                    Arc::new(Column::Parts(framed.clone()))
                }
                None => self.heads.read_column(column, places.count, &beside)?,
            };
            Ok(Values { column, places })
        })
    }

    /// The places of the rows' values in a column.
    pub(super) fn places(&self, column: u32) -> &Arc<Places> {
        self.places[column as usize].get_or_init(|| {
            let per_shape: Vec<u32> = self.shapes.iter().map(|shape| shape.count(column) as u32).collect();
            if per_shape.iter().all(|count| *count == 1) {
                return Arc::new(Places { of_rows: OfRows::OneEach, count: self.rows() });
            }
            let of_row = |code: &u32| per_shape[*code as usize];
            let count = self.codes.iter().map(|code| of_row(code) as usize).sum();
            let of_rows = if count * FEW <= self.rows() {
                let rows = self.codes.iter().zip(0..);
                let mut of_values = Vec::with_capacity(count);
                rows.for_each(|(code, row)| {
                    of_values.extend(std::iter::repeat_n(row, of_row(code) as usize))
                });
                OfRows::Few(of_values)
            } else {
                let mut next = 0;
                let start = |code: &u32| {
                    let start = next;
                    next += of_row(code);
                    start
                };
                OfRows::Starts(self.codes.iter().map(start).collect())
            };
            Arc::new(Places { of_rows, count })
        })
    }

    /// The parts of the values of a column that is kept so; each is read when it is needed.
    pub(super) fn framed(&self, column: u32) -> Result<Option<&Arc<Framed>>, StoreError> {
        let framed = once(&self.framed[column as usize], || {
            Ok(self.heads.framed(column, self.places(column).count)?.map(Arc::new))
        });
        framed.map(Option::as_ref)
    }

    /// The values of a part of a frame of a column.
    pub(super) fn part<'a>(
        &self,
        column: u32,
        framed: &'a Framed,
        frame: usize,
        part: usize,
    ) -> Result<&'a Arc<Column>, StoreError> {
        self.heads.part(framed, frame, part, &BesideRows { group: self, of: column })
    }

    /// The row of each value of a column.
    fn rows_of_values(&self, column: u32) -> impl Iterator<Item = usize> {
        let places = self.places(column);
        let (one_each, count) = (places.is_one_each(), places.count);
        let per_shape: Vec<usize> =
            self.shapes.iter().map(|shape| if one_each { 1 } else { shape.count(column) }).collect();
        let rows = self.codes.iter().enumerate();
        rows.flat_map(move |(row, code)| std::iter::repeat_n(row, per_shape[*code as usize])).take(count)
    }

    /// Appends a value.
    pub(super) fn append(&self, values: &Values, index: usize, out: &mut Vec<u8>) -> Result<(), StoreError> {
        values.column.append(index, out).map_err(|damage| self.body.damaged(damage))
    }
}

/// What stands beside the values of a column, by its rows.
struct BesideRows<'a> {
    group: &'a Group,
    of: u32,
}

impl Beside for BesideRows<'_> {
    fn times(&self) -> Result<Vec<Nanos>, StoreError> {
        let times = self.group.times()?;
        let mut beside = Vec::with_capacity(self.group.places(self.of).count);
        beside.extend(self.group.rows_of_values(self.of).map(|row| times[row]));
        Ok(beside)
    }

    fn led(&self, leader: u32, _: u32, tag: u8) -> Result<LedBy, StoreError> {
        let BesideRows { group, of } = *self;
        let places = group.places(of);
        let values = group.values(leader - 2)?;
        let led = LedBy::column(&values.column, tag).map_err(|damage| group.body.damaged(damage))?;
        // Where both have one value in the same rows, one stands beside the other.
        let single = places.is_one_each() || group.shapes.iter().all(|shape| shape.count(of) <= 1);
        let LedBy::Codes(numbers, different) = led else { return Ok(led) };
        if single && values.places.of_rows == places.of_rows && numbers.len() == places.count {
            return Ok(LedBy::Codes(numbers, different));
        }
        let end = |row: usize| match row + 1 {
            next if next < group.rows() => values.start(next),
            _ => numbers.len(),
        };
        let of_row = |row: usize| {
            let start = values.start(row);
            if start < end(row) { numbers[start] } else { different as u32 }
        };
        let mut beside = Vec::with_capacity(places.count);
        beside.extend(group.rows_of_values(of).map(of_row));
        Ok(LedBy::Codes(beside, different + 1))
    }
}
