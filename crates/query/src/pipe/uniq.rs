//! `uniq by (a, b)`: each combination of values once.

use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::dataframe::DataFrame;

use super::{Order, Pipe, Setting, Step, column, names};
use crate::QueryError;
use crate::parse::cursor::Cursor;

pub(super) const PIPE: Pipe = Pipe { name: "uniq", usage: "uniq by (host, service)", parse };

#[derive(Debug)]
struct Uniq(Vec<String>);

fn parse(cursor: &mut Cursor<'_>) -> Result<Arc<dyn Step>, QueryError> {
    cursor.eat_word("by");
    Ok(Arc::new(Uniq(names(cursor, "a field")?)))
}

impl Step for Uniq {
    fn reads(&self) -> Vec<String> {
        self.0.clone()
    }

    fn outputs(&self, _before: Option<Vec<String>>) -> Result<Option<Vec<String>>, String> {
        Ok(Some(self.0.clone()))
    }

    fn plan(&self, frame: DataFrame, _setting: &Setting) -> Result<DataFrame, DataFusionError> {
        frame.aggregate(self.0.iter().map(|name| column(name)).collect(), Vec::new())
    }

    fn order(&self) -> Order {
        Order::Drops
    }
}
