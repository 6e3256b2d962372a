//! The query language: text becomes a [`Query`], or an error that says where and what would do. docs/query.md is the
//! reference. Knows nothing of how a query runs.

use std::sync::Arc;

use sawlog_model::{Nanos, Predicate, TimeRange};

use crate::QueryError;
use crate::pipe::Step;
use cursor::Cursor;

pub(crate) use search::filter;

pub(crate) mod cursor;
mod search;
#[cfg(test)]
mod tests;
pub(crate) mod time;
mod value;

/// The longest query, in bytes.
const MAX_LENGTH: usize = 64 << 10;
/// Most pipes in a query.
const MAX_PIPES: usize = 64;

/// A question as it was understood.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// Which rows.
    pub(crate) predicate: Predicate,
    /// Which times, by the query's own words.
    pub(crate) range: TimeRange,
    /// What is done with them, in order.
    pub(crate) pipes: Vec<Arc<dyn Step>>,
}

/// Reads a query; `now` is what its relative times count from.
pub(crate) fn parse(text: &str, now: Nanos) -> Result<Query, QueryError> {
    let mut cursor = Cursor::new(text, now);
    if text.len() > MAX_LENGTH {
        let message = "this query is too long; 64 KiB is the most. `field:in(a, b)` is shorter than many ORs";
        return Err(cursor.error(MAX_LENGTH, text.len(), message));
    }
    let (predicate, range) = search::search(&mut cursor)?;
    let mut query = Query { predicate, range, pipes: Vec::new() };
    let mut columns = None;
    while cursor.eat("|") {
        cursor.skip_spaces();
        let start = cursor.at;
        let step = crate::pipe::parse(&mut cursor)?;
        let end = cursor.at;
        cursor.skip_spaces();
        if !cursor.rest().is_empty() && !cursor.rest().starts_with('|') {
            let message = "this does not belong to the pipe before it; put `|` between pipes";
            return Err(cursor.error(cursor.at, cursor.word_end(), message));
        }
        if query.pipes.len() == MAX_PIPES {
            return Err(cursor.error(start, end, "this query has too many pipes; 64 is the most"));
        }
        columns = add(&mut query, step, columns).map_err(|message| cursor.error(start, end, message))?;
    }
    Ok(query)
}

/// Adds a pipe behind the others, whose columns are `before` (`None`: whole records); gives the columns after it. The
/// error says why it cannot stand there.
fn add(
    query: &mut Query,
    step: Arc<dyn Step>,
    before: Option<Vec<String>>,
) -> Result<Option<Vec<String>>, String> {
    if let Some(have) = &before {
        if let Some(missing) = step.reads().iter().find(|name| !have.contains(name)) {
            return Err(format!(
                "there is no column `{missing}` here; the pipe before leaves {}",
                have.join(", ")
            ));
        }
    } else if let Some(more) = step.filter().filter(|_| !query.pipes.iter().any(|pipe| pipe.adds_fields())) {
        if !query.pipes.iter().all(|pipe| pipe.commutes()) {
            return Err("a filter of whole rows stands before `limit`".into());
        }
        let search = std::mem::replace(&mut query.predicate, Predicate::All);
        query.predicate = search.and(more.clone());
        return Ok(None);
    }
    let after = step.outputs(before)?;
    query.pipes.push(step);
    Ok(after)
}

/// Reads a search without pipes; for live tails, which test each new row.
///
/// # Errors
/// [`QueryError::Syntax`], also where there are pipes.
pub fn predicate(text: &str, now: Nanos) -> Result<(Predicate, TimeRange), QueryError> {
    let query = parse(text, now)?;
    if query.pipes.is_empty() {
        return Ok((query.predicate, query.range));
    }
    let start = text.rfind('|').unwrap_or(0);
    let message = "here only a search can stand, no pipes; take away what follows `|`";
    Err(QueryError::Syntax { start, end: text.len(), message: message.into() })
}
