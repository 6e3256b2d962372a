//! How many rows of a row group are in which step of time, where heads and skeletons say which rows are wanted, so that only times are
//! read. Knows nothing of predicates that values decide.

use sawlog_model::{Kind, Nanos, Predicate, Test, TimeRange};

use super::bits::Bits;
use super::heads::Heads;
use super::{Segment, stream};
use crate::StoreError;

/// Times that are looked at together.
const BLOCK: usize = 64;

/// A time rounded down to a multiple of `step`, where there is one.
pub(crate) fn rounded(time: Nanos, step: Nanos) -> Nanos {
    time.saturating_sub(time.rem_euclid(step))
}

impl Segment {
    /// The steps of `step` nanoseconds that rows of the group which pass are in, by their beginning, with how many rows are in each;
    /// `None` where more than times must be read to know it.
    ///
    /// # Errors
    /// As the disk says.
    pub(crate) fn by_step(
        &self,
        index: usize,
        predicate: &Predicate,
        range: TimeRange,
        step: Nanos,
    ) -> Result<Option<Vec<(Nanos, u64)>>, StoreError> {
        let Some(meta) = self.body.meta.groups.get(index) else { return Ok(None) };
        if !range.covers(meta.first_time, meta.last_time) {
            return Ok(None);
        }
        let heads = Heads::open(self.body.clone(), index)?;
        let Some(times) = heads.times_of(predicate)? else { return Ok(None) };
        Ok(Some(count_steps(&times, step)))
    }
}

impl Heads {
    /// The times of the rows that have what the predicate asks for; `None` where it asks for more than that.
    fn times_of(&self, predicate: &Predicate) -> Result<Option<Vec<Nanos>>, StoreError> {
        let all = u64::from(self.meta().rows);
        let times = || self.integers(self.places().times, stream::TIMES);
        let name = match predicate {
            Predicate::All => return times().map(Some),
            Predicate::Field(name, Test::Exists) => name,
            _ => return Ok(None),
        };
        let Some(mut columns) = self.columns_named(name)? else { return Ok(None) };
        // Null is no value.
        columns.retain(|(column, _)| self.body.fields[*column as usize].role.kind() != Kind::Null);
        match columns.iter().map(|(_, rows)| rows).sum::<u64>() {
            0 => return Ok(Some(Vec::new())),
            rows if rows == all => return times().map(Some),
            _ => {}
        }
        let Some(told) = self.told()? else { return Ok(None) };
        let skeletons = self.body.shapes()?.len();
        let mut having = Bits::none(skeletons);
        columns.iter().for_each(|(column, _)| having.or(&told.having(*column, skeletons)));
        let ids = self.integers_below(skeletons, self.places().shapes, stream::SHAPES)?;
        let of_rows = times()?.into_iter().zip(ids);
        Ok(Some(of_rows.filter(|(_, id)| having.has(*id as usize)).map(|(time, _)| time).collect()))
    }
}

/// A step of time.
#[derive(Clone, Copy)]
struct Step {
    start: Nanos,
    last: Nanos,
    /// Its first and last time are none that a step of its length can have: one time says nothing of others.
    cut: bool,
}

impl Step {
    /// The one that a time is in.
    fn of(time: Nanos, len: Nanos) -> Step {
        let start = rounded(time, len);
        let last = start.checked_add(len - 1);
        Step { start, last: last.unwrap_or(start), cut: start.rem_euclid(len) != 0 || last.is_none() }
    }

    /// Whether all these are in it, without a branch for each.
    fn holds(self, times: &[Nanos]) -> bool {
        // Both differences are positive only between its ends: their sum is its length.
        let outside = |all, time: &Nanos| all | time.wrapping_sub(self.start) | self.last.wrapping_sub(*time);
        !self.cut && times.iter().fold(0, outside) >= 0
    }
}

/// How many of the times are in which step, ascending. Rows mostly stand in the order of their times.
fn count_steps(times: &[Nanos], len: Nanos) -> Vec<(Nanos, u64)> {
    let Some(first) = times.first() else { return Vec::new() };
    let mut step = Step::of(*first, len);
    let mut runs = vec![(step.start, 0)];
    let mut add = |times: &[Nanos]| match runs.last_mut().filter(|_| step.holds(times)) {
        Some((_, rows)) => *rows += times.len() as u64,
        None => {
            for time in times {
                if !step.holds(&[*time]) {
                    step = Step::of(*time, len);
                    runs.push((step.start, 0));
                }
                runs.last_mut().into_iter().for_each(|(_, rows)| *rows += 1);
            }
        }
    };
    times.chunks(BLOCK).for_each(&mut add);
    runs.retain(|(_, rows)| *rows > 0);
    runs.sort_unstable_by_key(|(start, _)| *start);
    runs.dedup_by(|next, first| {
        let same = next.0 == first.0;
        first.1 += if same { next.1 } else { 0 };
        same
    });
    runs
}

#[cfg(test)]
mod tests;
