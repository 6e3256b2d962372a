//! `sort a desc, b`: by columns. Values that are numbers come by size, before texts; rows without a value come last.

use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::dataframe::DataFrame;

use super::{Order, Pipe, Setting, Step, column, text_key};
use crate::QueryError;
use crate::number;
use crate::parse::cursor::Cursor;

pub(super) const PIPE: Pipe = Pipe { name: "sort", usage: "sort a desc, b", parse };

#[derive(Debug)]
struct Sort(Vec<(String, bool)>);

fn parse(cursor: &mut Cursor<'_>) -> Result<Arc<dyn Step>, QueryError> {
    let mut keys = Vec::new();
    loop {
        let name = cursor.column("a column")?;
        let ascending = cursor.eat_word("asc") || !cursor.eat_word("desc");
        keys.push((name, ascending));
        if !cursor.eat(",") {
            return Ok(Arc::new(Sort(keys)));
        }
    }
}

impl Step for Sort {
    fn reads(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }

    fn plan(&self, frame: DataFrame, _setting: &Setting) -> Result<DataFrame, DataFusionError> {
        let mut keys = Vec::new();
        for (name, ascending) in &self.0 {
            let field = frame.schema().field_with_unqualified_name(name)?;
            if number::is_text(field.data_type()) && !name.starts_with('_') {
                keys.push(number::num(column(name)).sort(*ascending, false));
            }
            keys.push(column(name).sort(*ascending, false));
        }
        frame.sort(keys)
    }

    fn sorts_by(&self) -> Option<(&str, bool)> {
        let (name, ascending) = self.0.first()?;
        text_key(name).filter(|_| !name.starts_with('_')).map(|_| (&**name, *ascending))
    }

    fn only_picks(&self) -> bool {
        true
    }

    fn commutes(&self) -> bool {
        true
    }

    fn order(&self) -> Order {
        Order::Drops
    }
}
