//! An open row group: which columns each row has values in, and the columns, read when they are asked for. Knows nothing
//! of predicates or of Arrow.

use std::sync::{Arc, OnceLock};

use sawlog_model::{Context, Nanos};

use super::bits::Bits;
use super::column::Column;
use super::cursor::Damage;
use super::decode::LedBy;
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
    pub(super) shapes: Vec<Shape>,
    contexts: OnceLock<Contexts>,
    times: OnceLock<Arc<Vec<Nanos>>>,
    received: OnceLock<Arc<Vec<Nanos>>>,
    pub(super) offsets: OnceLock<Offsets>,
    columns: Vec<OnceLock<Values>>,
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
    /// First value of each row; empty where each row has one.
    starts: Vec<u32>,
}

impl Values {
    /// Whether each row has one value.
    pub(super) fn is_one_each(&self) -> bool {
        self.starts.is_empty()
    }

    /// The number of the first value of the row.
    pub(super) fn start(&self, row: usize) -> usize {
        if self.starts.is_empty() { row } else { self.starts[row] as usize }
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
        let skeletons = body.skeletons()?;
        let ids = heads.integers_below(skeletons.len(), heads.places().shapes, stream::SHAPES)?;
        let (codes, shapes) = local_shapes(ids, &skeletons).map_err(|damage| body.damaged(damage))?;
        let columns = body.fields.iter().map(|_| OnceLock::new()).collect();
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
        })
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
            let (starts, count) = self.starts(column);
            Ok(Values { column: self.load(column, &starts, count)?, starts })
        })
    }

    /// The first value of each row (none where each row has just one), and how many values there are.
    fn starts(&self, column: u32) -> (Vec<u32>, usize) {
        let per_shape: Vec<u32> = self.shapes.iter().map(|shape| shape.count(column) as u32).collect();
        if per_shape.iter().all(|count| *count == 1) {
            return (Vec::new(), self.rows());
        }
        let mut next = 0;
        let starts = self
            .codes
            .iter()
            .map(|code| {
                let start = next;
                next += per_shape[*code as usize];
                start
            })
            .collect();
        (starts, next as usize)
    }

    fn load(&self, column: u32, starts: &[u32], count: usize) -> Result<Arc<Column>, StoreError> {
        let times = || {
            let times = self.times()?;
            let mut beside = Vec::with_capacity(count);
            beside.extend(self.rows_of_values(column, starts, count).map(|row| times[row]));
            Ok(beside)
        };
        let lead = |leader, tag| self.led_by(leader, column, tag, starts, count);
        self.heads.read_column(column, count, times, lead)
    }

    /// Who leads a column, by the number in its head.
    fn led_by(
        &self,
        leader: u32,
        column: u32,
        tag: u8,
        starts: &[u32],
        count: usize,
    ) -> Result<LedBy, StoreError> {
        let damaged = |reason| self.body.damaged(Damage::Bytes(reason));
        match leader {
            0 => return Ok(LedBy::Nobody),
            1 => return Ok(LedBy::Before),
            // Columns are led by earlier ones only, so that this comes to an end.
            _ if leader - 2 >= column => return Err(damaged("a column is led by a later one")),
            _ => {}
        }
        let values = self.values(leader - 2)?;
        let led = LedBy::column(&values.column, tag).map_err(|damage| self.body.damaged(damage))?;
        // Where both have one value in the same rows, one stands beside the other.
        let single = starts.is_empty() || self.shapes.iter().all(|shape| shape.count(column) <= 1);
        let LedBy::Codes(numbers, different) = led else { return Ok(led) };
        if single && values.starts == starts && numbers.len() == count {
            return Ok(LedBy::Codes(numbers, different));
        }
        let end = |row: usize| match row + 1 {
            next if next < self.rows() => values.start(next),
            _ => numbers.len(),
        };
        let of_row = |row: usize| {
            let start = values.start(row);
            if start < end(row) { numbers[start] } else { different as u32 }
        };
        let mut beside = Vec::with_capacity(count);
        beside.extend(self.rows_of_values(column, starts, count).map(of_row));
        Ok(LedBy::Codes(beside, different + 1))
    }

    /// The row of each value of a column.
    fn rows_of_values(&self, column: u32, starts: &[u32], count: usize) -> impl Iterator<Item = usize> {
        let per_shape: Vec<usize> =
            self.shapes.iter().map(|shape| if starts.is_empty() { 1 } else { shape.count(column) }).collect();
        let rows = self.codes.iter().enumerate();
        rows.flat_map(move |(row, code)| std::iter::repeat_n(row, per_shape[*code as usize])).take(count)
    }

    /// Appends a value.
    pub(super) fn append(&self, values: &Values, index: usize, out: &mut Vec<u8>) -> Result<(), StoreError> {
        values.column.append(index, out).map_err(|damage| self.body.damaged(damage))
    }
}
