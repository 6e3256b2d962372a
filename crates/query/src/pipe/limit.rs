//! `limit n`: the first rows. Behind nothing but a search these are the newest.

use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::dataframe::DataFrame;

use super::{Order, Pipe, Setting, Step};
use crate::QueryError;
use crate::parse::cursor::Cursor;

pub(super) const PIPE: Pipe = Pipe { name: "limit", usage: "limit 20", parse };

#[derive(Debug)]
struct Limit(usize);

fn parse(cursor: &mut Cursor<'_>) -> Result<Arc<dyn Step>, QueryError> {
    Ok(Arc::new(Limit(cursor.count("how many rows are wanted")?)))
}

impl Step for Limit {
    fn reads(&self) -> Vec<String> {
        Vec::new()
    }

    fn plan(&self, frame: DataFrame, _setting: &Setting) -> Result<DataFrame, DataFusionError> {
        frame.limit(0, Some(self.0))
    }

    fn order(&self) -> Order {
        Order::Needs
    }

    fn limit(&self) -> Option<usize> {
        Some(self.0)
    }
}
