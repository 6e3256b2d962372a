//! `fields a, b`: only these columns.

use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::dataframe::DataFrame;

use super::{Pipe, Setting, Step, column, names};
use crate::QueryError;
use crate::parse::cursor::Cursor;

pub(super) const PIPE: Pipe = Pipe { name: "fields", usage: "fields a, b", parse };

#[derive(Debug)]
struct Fields(Vec<String>);

fn parse(cursor: &mut Cursor<'_>) -> Result<Arc<dyn Step>, QueryError> {
    Ok(Arc::new(Fields(names(cursor, "a field")?)))
}

impl Step for Fields {
    fn reads(&self) -> Vec<String> {
        self.0.clone()
    }

    fn outputs(&self, _before: Option<Vec<String>>) -> Result<Option<Vec<String>>, String> {
        Ok(Some(self.0.clone()))
    }

    fn plan(&self, frame: DataFrame, _setting: &Setting) -> Result<DataFrame, DataFusionError> {
        frame.select(self.0.iter().map(|name| column(name)).collect::<Vec<_>>())
    }
}
