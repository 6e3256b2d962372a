//! `timechart 5m count() by level`: figures per length of time, oldest first. Without a length the whole span makes at
//! most a hundred steps.

use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::dataframe::DataFrame;
use sawlog_model::Nanos;
use sawlog_model::time::SECOND;

use super::aggregate::{Aggregate, Key, aggregates, columns, counting, group, keys};
use super::{Counting, Order, Pipe, Setting, Step, column};
use crate::QueryError;
use crate::parse::cursor::Cursor;

pub(super) const PIPE: Pipe = Pipe { name: "timechart", usage: "timechart 5m count() by level", parse };

/// Most steps where none was asked for.
const STEPS: Nanos = 100;

#[derive(Debug)]
struct Timechart {
    step: Option<Nanos>,
    all: Vec<Aggregate>,
    /// The first stands for the time.
    keys: Vec<Key>,
}

fn parse(cursor: &mut Cursor<'_>) -> Result<Arc<dyn Step>, QueryError> {
    cursor.skip_spaces();
    let start = cursor.at;
    let step = cursor.duration();
    let all = aggregates(cursor)?;
    let mut all_keys = vec![Key::Bucket(step.unwrap_or(SECOND))];
    all_keys.extend(keys(cursor)?);
    let names: Vec<&str> =
        all_keys.iter().map(Key::name).chain(all.iter().map(|one| &one.name[..])).collect();
    if let Some(at) = (1..names.len()).find(|at| names[..*at].contains(&names[*at])) {
        let message = format!("two columns would be called `{}`; name a result with `as`", names[at]);
        return Err(cursor.error_since(start, message));
    }
    Ok(Arc::new(Timechart { step, all, keys: all_keys }))
}

/// The shortest usual length of which `span` has at most [`STEPS`].
pub(super) fn usual_step(span: (Nanos, Nanos)) -> Nanos {
    const USUAL: [Nanos; 20] = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
        604_800, 2_592_000,
    ];
    let least = span.1.saturating_sub(span.0) / STEPS;
    let usual = USUAL.iter().map(|seconds| seconds * SECOND).find(|step| *step >= least);
    usual.unwrap_or_else(|| (least / (86_400 * SECOND) + 1) * 86_400 * SECOND)
}

impl Timechart {
    /// The keys with the length of a step.
    fn keys_of(&self, setting: &Setting) -> Vec<Key> {
        let mut keys = self.keys.clone();
        keys[0] = Key::Bucket(self.step.unwrap_or_else(|| usual_step(setting.span)));
        keys
    }
}

impl Step for Timechart {
    fn reads(&self) -> Vec<String> {
        columns(&self.keys, &self.all).0
    }

    fn outputs(&self, _before: Option<Vec<String>>) -> Result<Option<Vec<String>>, String> {
        Ok(Some(columns(&self.keys, &self.all).1))
    }

    fn plan(&self, frame: DataFrame, setting: &Setting) -> Result<DataFrame, DataFusionError> {
        let keys = self.keys_of(setting);
        let frame = group(frame, &keys, &self.all)?;
        frame.sort(keys.iter().map(|key| column(key.name()).sort(true, false)).collect())
    }

    fn order(&self) -> Order {
        Order::Drops
    }

    fn counts(&self, setting: &Setting) -> Option<Counting> {
        counting(&self.keys_of(setting), &self.all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_makes_at_most_a_hundred_steps() {
        for (seconds, step) in [(0, 1), (100, 1), (101, 2), (3_600, 60), (86_400, 900), (31_536_000, 604_800)]
        {
            assert_eq!(usual_step((5, 5 + seconds * SECOND)) / SECOND, step, "{seconds}");
        }
        let all = usual_step((i64::MIN, i64::MAX));
        assert!(i64::MAX / all <= STEPS);
    }
}
