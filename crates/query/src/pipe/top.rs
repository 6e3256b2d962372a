//! `top 5 host`: the values that most rows have, with how many.

use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::dataframe::DataFrame;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::prelude::lit;

use super::{Counted, Counting, Order, Pipe, Setting, Step, column, text_key};
use crate::QueryError;
use crate::parse::cursor::{Cursor, is_name};

pub(super) const PIPE: Pipe = Pipe { name: "top", usage: "top 10 host", parse };

/// Rows of the result where no number is given.
const USUAL: usize = 10;

/// The values of `field` that most rows have.
#[derive(Debug)]
pub(crate) struct Top {
    pub(crate) field: String,
    pub(crate) limit: usize,
}

fn parse(cursor: &mut Cursor<'_>) -> Result<Arc<dyn Step>, QueryError> {
    cursor.skip_spaces();
    let start = cursor.at;
    let digits = cursor.rest().bytes().take_while(u8::is_ascii_digit).count();
    // A field may have a name that begins with a digit.
    let is_count = digits > 0 && !cursor.rest()[digits..].starts_with(is_name);
    let limit = if is_count { cursor.count("how many")? } else { USUAL };
    let field = cursor.column("a field")?;
    if field == "count" {
        return Err(cursor
            .error_since(start, "the result is called `count` itself; use `stats count() as rows by …`"));
    }
    Ok(Arc::new(Top { field, limit }))
}

impl Step for Top {
    fn reads(&self) -> Vec<String> {
        vec![self.field.clone()]
    }

    fn outputs(&self, _before: Option<Vec<String>>) -> Result<Option<Vec<String>>, String> {
        Ok(Some(vec![self.field.clone(), "count".into()]))
    }

    fn plan(&self, frame: DataFrame, _setting: &Setting) -> Result<DataFrame, DataFusionError> {
        let field = column(&self.field);
        frame
            .filter(field.clone().is_not_null())?
            .aggregate(vec![field.clone()], vec![count(lit(1_i64)).alias("count")])?
            .sort(vec![column("count").sort(false, false), field.sort(true, false)])?
            .limit(0, Some(self.limit))
    }

    fn order(&self) -> Order {
        Order::Drops
    }

    fn counts(&self, _setting: &Setting) -> Option<Counting> {
        let by = vec![(self.field.clone(), text_key(&self.field)?)];
        Some(Counting { by, name: "count".into(), result: Counted::Top(self.limit) })
    }
}
