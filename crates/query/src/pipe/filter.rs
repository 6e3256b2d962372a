//! `filter status:>=500`: rows that pass a search. Where rows are still records it is part of the search itself; behind
//! pipes that make new columns it tests those.

use std::sync::Arc;

use datafusion::common::{DataFusionError, plan_err};
use datafusion::dataframe::DataFrame;
use datafusion::prelude::{Expr, lit};
use sawlog_model::{Predicate, Test};

use super::{Pipe, Setting, Step, column};
use crate::QueryError;
use crate::keeps::keeps;
use crate::parse::cursor::Cursor;

pub(super) const PIPE: Pipe =
    Pipe { name: "filter", usage: "filter field:value, or any other search", parse };

#[derive(Debug)]
struct Filter {
    predicate: Predicate,
    reads: Vec<String>,
}

fn parse(cursor: &mut Cursor<'_>) -> Result<Arc<dyn Step>, QueryError> {
    let predicate = crate::parse::filter(cursor)?;
    let mut reads = Vec::new();
    collect(&predicate, &mut reads);
    Ok(Arc::new(Filter { predicate, reads }))
}

/// The fields that a predicate tests; a word looks at the line.
fn collect(predicate: &Predicate, into: &mut Vec<String>) {
    match predicate {
        Predicate::All => {}
        Predicate::And(all) | Predicate::Or(all) => all.iter().for_each(|one| collect(one, into)),
        Predicate::Not(one) => collect(one, into),
        Predicate::Any(_) => into.push("_line".into()),
        Predicate::Field(name, _) => into.push(name.clone()),
    }
}

impl Step for Filter {
    fn reads(&self) -> Vec<String> {
        self.reads.clone()
    }

    fn plan(&self, frame: DataFrame, _setting: &Setting) -> Result<DataFrame, DataFusionError> {
        frame.filter(expression(&self.predicate)?)
    }

    fn filter(&self) -> Option<&Predicate> {
        Some(&self.predicate)
    }
}

/// The predicate as a condition on columns.
fn expression(predicate: &Predicate) -> Result<Expr, DataFusionError> {
    let joined = |all: &[Predicate], join: fn(Expr, Expr) -> Expr, none: bool| {
        let all = all.iter().map(expression).collect::<Result<Vec<_>, _>>()?;
        Ok::<_, DataFusionError>(all.into_iter().reduce(join).unwrap_or(lit(none)))
    };
    Ok(match predicate {
        Predicate::All => lit(true),
        Predicate::And(all) => joined(all, Expr::and, true)?,
        Predicate::Or(any) => joined(any, Expr::or, false)?,
        Predicate::Not(one) => datafusion::prelude::not(expression(one)?),
        Predicate::Any(_) => {
            return plan_err!("behind other pipes `filter` tests columns: `filter count:>10`");
        }
        Predicate::Field(name, Test::Exists) => column(name).is_not_null(),
        Predicate::Field(name, test) => keeps(test.clone(), column(name)),
    })
}
