//! Pipes: what a query does with the rows that its search found. A pipe is one file here and one line in [`PIPES`].
//! Knows of the store only by what it can count.

use std::fmt::Debug;
use std::sync::Arc;

use datafusion::common::{Column, DataFusionError};
use datafusion::dataframe::DataFrame;
use datafusion::prelude::Expr;
use sawlog_model::{Nanos, Normalizers, Predicate};
use sawlog_store::CountBy;

use crate::QueryError;
use crate::number;
use crate::parse::cursor::Cursor;

mod aggregate;
mod fields;
mod filter;
mod limit;
mod normalize;
mod rename;
mod sort;
mod stats;
mod timechart;
mod top;
mod uniq;

pub(crate) use top::Top;

/// All pipes. Tests and the error for an unknown name read this list.
pub(crate) const PIPES: &[Pipe] = &[
    fields::PIPE,
    filter::PIPE,
    limit::PIPE,
    normalize::PIPE,
    rename::PIPE,
    sort::PIPE,
    stats::PIPE,
    timechart::PIPE,
    top::PIPE,
    uniq::PIPE,
];

/// A kind of pipe.
pub(crate) struct Pipe {
    /// The word that it begins with.
    pub(crate) name: &'static str,
    /// How it is written; also the remedy in errors.
    pub(crate) usage: &'static str,
    /// Reads what follows the name.
    pub(crate) parse: fn(&mut Cursor<'_>) -> Result<Arc<dyn Step>, QueryError>,
}

/// A pipe as it stands in a query.
pub(crate) trait Step: Debug + Send + Sync {
    /// Columns of the frame before it that it looks at.
    fn reads(&self) -> Vec<String>;

    /// Columns that it leaves, of those before it (`None`: the rows are still whole records). The default is for pipes
    /// that leave rows as they are.
    ///
    /// # Errors
    /// Why it cannot stand there.
    fn outputs(&self, before: Option<Vec<String>>) -> Result<Option<Vec<String>>, String> {
        Ok(before)
    }

    /// Adds it to the plan.
    fn plan(&self, frame: DataFrame, setting: &Setting) -> Result<DataFrame, DataFusionError>;

    /// What it does with the order in which rows come.
    fn order(&self) -> Order {
        Order::Keeps
    }

    /// The field by whose values it puts rows in order first, numbers before texts, and whether the least comes first.
    fn sorts_by(&self) -> Option<(&str, bool)> {
        None
    }

    /// Whether it only leaves rows out or puts them in another order, whatever they are.
    fn only_picks(&self) -> bool {
        self.filter().is_some() || self.limit().is_some()
    }

    /// Whether a filter behind it can as well stand before it.
    fn commutes(&self) -> bool {
        false
    }

    /// Whether it adds fields to whole records, which filters behind it may test.
    fn adds_fields(&self) -> bool {
        false
    }

    /// For the pipe `filter`: which rows stay.
    fn filter(&self) -> Option<&Predicate> {
        None
    }

    /// For the pipe `limit`: how many rows stay.
    fn limit(&self) -> Option<usize> {
        None
    }

    /// Where it only counts the rows that come: how. It then need not see them.
    fn counts(&self, _setting: &Setting) -> Option<Counting> {
        None
    }
}

/// How a pipe counts rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Counting {
    /// What rows are counted by, with the names of the result's columns.
    pub(crate) by: Vec<(String, CountBy)>,
    /// The name of the column that says how many.
    pub(crate) name: String,
    /// How the result is ordered and cut.
    pub(crate) result: Counted,
}

/// What becomes of counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// A row for each key, by keys; where there is no key, one row even if nothing was found.
    ByKey,
    /// So many rows: those with a value that come most often, then by value.
    Top(usize),
    /// One row: how many different values there are.
    Distinct,
}

/// The column as a key to count by, where it is the text of a field.
pub(crate) fn text_key(name: &str) -> Option<CountBy> {
    let own = name.starts_with('_') && !["_tag", "_host", "_path", "_source"].contains(&name);
    (!own && number::is_text(&sawlog_store::data_type(name))).then(|| CountBy::First(vec![name.to_owned()]))
}

/// What a pipe does with the order of rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// Rows go on in the order in which they come.
    Keeps,
    /// Which rows go on depends on it.
    Needs,
    /// It does not matter to what goes on.
    Drops,
}

/// What a plan needs to know of the question.
pub(crate) struct Setting {
    /// First and last time that rows can have.
    pub(crate) span: (Nanos, Nanos),
    /// Parsers that pipes may name.
    pub(crate) normalizers: Normalizers,
}

/// Reads one pipe.
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Result<Arc<dyn Step>, QueryError> {
    cursor.skip_spaces();
    let start = cursor.at;
    let names = || PIPES.iter().map(|pipe| pipe.name);
    let name = cursor.name("the name of a pipe").map_err(|_| {
        let message = format!("a pipe is missing here; there are {}", names().collect::<Vec<_>>().join(", "));
        cursor.error(start, cursor.word_end(), message)
    })?;
    let Some(pipe) = PIPES.iter().find(|pipe| pipe.name == name) else {
        let nearest = names()
            .min_by_key(|have| distance(have, &name))
            .filter(|have| distance(have, &name) <= name.len().min(5) / 2);
        let message = match nearest {
            Some(nearest) => format!("there is no pipe `{name}`; did you mean `{nearest}`?"),
            None => {
                format!("there is no pipe `{name}`; there are {}", names().collect::<Vec<_>>().join(", "))
            }
        };
        return Err(cursor.error_since(start, message));
    };
    (pipe.parse)(cursor).map_err(|error| match error {
        QueryError::Syntax { start, end, message } => {
            QueryError::Syntax { start, end, message: format!("{message}. It is written: {}", pipe.usage) }
        }
        other => other,
    })
}

/// How many letters must be added, taken away or changed to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let change = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Reads `a, b, c`, in parentheses or not.
fn names(cursor: &mut Cursor<'_>, what: &str) -> Result<Vec<String>, QueryError> {
    let open = cursor.eat("(");
    let mut names: Vec<String> = Vec::new();
    loop {
        let name = cursor.column(what)?;
        if !names.contains(&name) {
            names.push(name);
        }
        if !cursor.eat(",") {
            break;
        }
    }
    if open {
        cursor.expect(")", "a `)` is missing here")?;
    }
    Ok(names)
}

/// The column of this very name.
pub(crate) fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// The number in a column: itself where it is one, what its text says where it is text.
fn numeric(frame: &DataFrame, name: &str) -> Result<Expr, DataFusionError> {
    let field = frame.schema().field_with_unqualified_name(name)?;
    Ok(if number::is_text(field.data_type()) { number::num(column(name)) } else { column(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipes_are_listed_by_name_once() {
        assert!(PIPES.is_sorted_by(|a, b| a.name < b.name));
        assert!(PIPES.iter().all(|pipe| pipe.usage.starts_with(pipe.name)));
    }

    #[test]
    fn distances() {
        for (a, b, wanted) in
            [("stats", "stats", 0), ("stat", "stats", 1), ("", "abc", 3), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(a, b), wanted, "{a} {b}");
        }
    }
}
