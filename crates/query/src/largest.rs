//! Few rows out of many in the order of a field's numbers: how large the number of a row must be that is left at all, told from how
//! many rows have which value. Knows nothing of how rows are counted or put in order.

use std::sync::Arc;

use datafusion::logical_expr::Operator;
use sawlog_model::{Predicate, Test};
use sawlog_store::{CountKey, Tally};

use crate::number;
use crate::pipe::Step;
use crate::table;

/// The field that whole records are put in the order of first, and whether the least comes first, where nothing is left out between
/// that and the first so many rows.
pub(crate) fn field(pipes: &[Arc<dyn Step>]) -> Option<(&str, bool)> {
    let (sort, others) = pipes.split_first()?;
    others.iter().all(|pipe| pipe.limit().is_some()).then(|| sort.sorts_by()).flatten()
}

/// Whether rows of this predicate are counted by their values in the field without being looked at.
pub(crate) fn is_told(predicate: &Predicate, field: &str) -> bool {
    match predicate {
        Predicate::All => true,
        Predicate::Field(name, Test::Exists) => name == field,
        _ => false,
    }
}

/// What the first `rows` rows all pass, in the order of the numbers of a field that were counted; `None` where fewer rows have a
/// number.
pub(crate) fn bound(counted: Tally, field: &str, least_first: bool, rows: u64) -> Option<Predicate> {
    let counted = counted.into_rows().into_iter();
    let mut numbers: Vec<(f64, u64)> = counted
        .filter_map(|(keys, rows)| match &keys[..] {
            [CountKey::Text(Some(text))] => Some((number::parse(text)?, rows)),
            _ => None,
        })
        .collect();
    numbers.sort_by(|a, b| if least_first { a.0.total_cmp(&b.0) } else { b.0.total_cmp(&a.0) });
    let mut left = rows;
    let (last, _) = numbers.into_iter().find(|(_, rows)| {
        left = left.saturating_sub(*rows);
        left == 0
    })?;
    passing(field, least_first, last)
}

/// What rows pass that do not come behind this number.
pub(crate) fn passing(field: &str, least_first: bool, last: f64) -> Option<Predicate> {
    table::numbers(field, if least_first { Operator::LtEq } else { Operator::GtEq }, last)
}
