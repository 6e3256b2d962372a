//! `rename a as b`: other names for columns that a pipe made.

use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::dataframe::DataFrame;

use super::{Pipe, Setting, Step, column};
use crate::QueryError;
use crate::parse::cursor::Cursor;

pub(super) const PIPE: Pipe = Pipe { name: "rename", usage: "rename a as b, c as d", parse };

#[derive(Debug)]
struct Rename(Vec<(String, String)>);

fn parse(cursor: &mut Cursor<'_>) -> Result<Arc<dyn Step>, QueryError> {
    let mut pairs = Vec::new();
    loop {
        let from = cursor.column("a column")?;
        if !cursor.eat_word("as") {
            return Err(cursor.error(cursor.at, cursor.word_end(), "here `as` and the new name are missing"));
        }
        pairs.push((from, cursor.column("the new name")?));
        if !cursor.eat(",") {
            return Ok(Arc::new(Rename(pairs)));
        }
    }
}

impl Rename {
    fn renamed(&self, name: &str) -> String {
        self.0.iter().find(|(from, _)| from == name).map_or(name, |(_, to)| to).to_owned()
    }
}

impl Step for Rename {
    fn reads(&self) -> Vec<String> {
        self.0.iter().map(|(from, _)| from.clone()).collect()
    }

    fn outputs(&self, before: Option<Vec<String>>) -> Result<Option<Vec<String>>, String> {
        match before {
            Some(names) => Ok(Some(names.iter().map(|name| self.renamed(name)).collect())),
            None => Err("whole rows keep their names; `rename` stands behind `fields` or `stats`".into()),
        }
    }

    fn plan(&self, frame: DataFrame, _setting: &Setting) -> Result<DataFrame, DataFusionError> {
        let names: Vec<String> = frame.schema().fields().iter().map(|field| field.name().clone()).collect();
        frame.select(names.iter().map(|name| column(name).alias(self.renamed(name))).collect::<Vec<_>>())
    }
}
