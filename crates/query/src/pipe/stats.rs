//! `stats count(), p99(latency) by (host, 5m)`: figures of groups of rows.

use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::dataframe::DataFrame;

use super::aggregate::{Aggregate, Key, aggregates, columns, counting, group, keys};
use super::{Counting, Order, Pipe, Setting, Step};
use crate::QueryError;
use crate::parse::cursor::Cursor;

pub(super) const PIPE: Pipe =
    Pipe { name: "stats", usage: "stats count(), p99(latency) by (host, 5m)", parse };

#[derive(Debug)]
struct Stats {
    all: Vec<Aggregate>,
    keys: Vec<Key>,
}

fn parse(cursor: &mut Cursor<'_>) -> Result<Arc<dyn Step>, QueryError> {
    cursor.skip_spaces();
    let start = cursor.at;
    let all = aggregates(cursor)?;
    let keys = keys(cursor)?;
    if let Some(both) = all.iter().find(|one| keys.iter().any(|key| key.name() == one.name)) {
        let message =
            format!("both a key and a result are called `{}`; name the result with `as`", both.name);
        return Err(cursor.error_since(start, message));
    }
    Ok(Arc::new(Stats { all, keys }))
}

impl Step for Stats {
    fn reads(&self) -> Vec<String> {
        columns(&self.keys, &self.all).0
    }

    fn outputs(&self, _before: Option<Vec<String>>) -> Result<Option<Vec<String>>, String> {
        Ok(Some(columns(&self.keys, &self.all).1))
    }

    fn plan(&self, frame: DataFrame, _setting: &Setting) -> Result<DataFrame, DataFusionError> {
        group(frame, &self.keys, &self.all)
    }

    fn order(&self) -> Order {
        Order::Drops
    }

    fn counts(&self, _setting: &Setting) -> Option<Counting> {
        counting(&self.keys, &self.all)
    }
}
