//! What `stats` and `timechart` compute of the rows of a group, and what they group by.

use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::dataframe::DataFrame;
use datafusion::functions_aggregate::expr_fn;
use datafusion::prelude::{Expr, lit};
use sawlog_model::Nanos;
use sawlog_store::CountBy;

use super::{Counted, Counting, column, numeric, text_key};
use crate::QueryError;
use crate::parse::cursor::Cursor;

/// A function of the rows of a group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Aggregate {
    function: Function,
    /// The column it is of; for `count` none is all rows.
    of: Option<String>,
    /// The name of its result.
    pub(super) name: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Function {
    Count,
    CountDistinct,
    Sum,
    Average,
    Min,
    Max,
    /// From 0 to 1.
    Percentile(f64),
}

/// What rows are grouped by.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Key {
    /// The values of a column.
    Column(String),
    /// `_time`, rounded down to a multiple of so many nanoseconds.
    Bucket(Nanos),
}

/// Reads `count(), p99(latency) as slow`.
pub(super) fn aggregates(cursor: &mut Cursor<'_>) -> Result<Vec<Aggregate>, QueryError> {
    let mut all: Vec<Aggregate> = Vec::new();
    loop {
        cursor.skip_spaces();
        let start = cursor.at;
        let one = aggregate(cursor)?;
        if all.iter().any(|have| have.name == one.name) {
            let message = format!("there are two results `{}`; name one of them with `as`", one.name);
            return Err(cursor.error_since(start, message));
        }
        all.push(one);
        if !cursor.eat(",") {
            return Ok(all);
        }
    }
}

fn aggregate(cursor: &mut Cursor<'_>) -> Result<Aggregate, QueryError> {
    let start = cursor.at;
    let word = cursor.name("a function, such as count()")?;
    let Some(function) = function(&word) else {
        let message = format!(
            "there is no function `{word}`; there are count, count_distinct, sum, avg, min, max and p50 to p99"
        );
        return Err(cursor.error_since(start, message));
    };
    cursor.expect("(", "here `(` is missing: `count()`, `sum(field)`")?;
    let of = if cursor.eat(")") {
        None
    } else {
        let of = cursor.column("a field")?;
        cursor.expect(")", "a `)` is missing here")?;
        Some(of)
    };
    if of.is_none() && function != Function::Count {
        return Err(cursor.error_since(start, format!("`{word}` needs a field: `{word}(latency)`")));
    }
    let name = if cursor.eat_word("as") {
        cursor.name("the name of the result")?
    } else {
        of.as_ref().map_or(word.clone(), |of| format!("{word}({of})"))
    };
    Ok(Aggregate { function, of, name })
}

fn function(word: &str) -> Option<Function> {
    Some(match word {
        "count" => Function::Count,
        "count_distinct" => Function::CountDistinct,
        "sum" => Function::Sum,
        "avg" => Function::Average,
        "min" => Function::Min,
        "max" => Function::Max,
        "median" => Function::Percentile(0.5),
        _ => {
            let percent: f64 = word
                .strip_prefix('p')
                .filter(|p| p.starts_with(|c: char| c.is_ascii_digit()))?
                .parse()
                .ok()?;
            Function::Percentile((0.0..=100.0).contains(&percent).then_some(percent / 100.0)?)
        }
    })
}

/// Reads `by (a, 5m)`, with or without parentheses, where one is next. One key may be a length of time.
pub(super) fn keys(cursor: &mut Cursor<'_>) -> Result<Vec<Key>, QueryError> {
    if !cursor.eat_word("by") {
        return Ok(Vec::new());
    }
    let open = cursor.eat("(");
    let mut keys: Vec<Key> = Vec::new();
    loop {
        cursor.skip_spaces();
        let start = cursor.at;
        let key = match cursor.duration() {
            Some(nanos) => Key::Bucket(nanos),
            None => Key::Column(cursor.column("a field or a length of time such as 5m")?),
        };
        if keys.iter().any(|have| have.name() == key.name()) {
            return Err(cursor.error_since(start, format!("rows are grouped by `{}` already", key.name())));
        }
        keys.push(key);
        if !cursor.eat(",") {
            break;
        }
    }
    if open {
        cursor.expect(")", "a `)` is missing here")?;
    }
    Ok(keys)
}

impl Key {
    /// The column it makes.
    pub(super) fn name(&self) -> &str {
        match self {
            Key::Column(name) => name,
            Key::Bucket(_) => "_time",
        }
    }

    fn expression(&self) -> Expr {
        let Key::Bucket(nanos) = self else { return column(self.name()) };
        let step = lit(ScalarValue::new_interval_mdn(0, 0, *nanos));
        let epoch = lit(ScalarValue::TimestampNanosecond(Some(0), Some("UTC".into())));
        datafusion::functions::datetime::expr_fn::date_bin(step, column("_time"), epoch).alias("_time")
    }
}

/// How rows are counted where that is all that is asked.
pub(super) fn counting(keys: &[Key], all: &[Aggregate]) -> Option<Counting> {
    let (name, distinct) = match all {
        [Aggregate { function: Function::Count, of: None, name }] => (name, None),
        [Aggregate { function: Function::CountDistinct, of: Some(of), name }] if keys.is_empty() => {
            (name, Some(of))
        }
        _ => return None,
    };
    if let Some(of) = distinct {
        let by = vec![(of.clone(), text_key(of)?)];
        return Some(Counting { by, name: name.clone(), result: Counted::Distinct });
    }
    let by = |key: &Key| {
        let by = match key {
            Key::Column(name) => text_key(name)?,
            Key::Bucket(nanos) => CountBy::Time(*nanos),
        };
        Some((key.name().to_owned(), by))
    };
    let by = keys.iter().map(by).collect::<Option<Vec<_>>>()?;
    Some(Counting { by, name: name.clone(), result: Counted::ByKey })
}

impl Aggregate {
    /// The column it is of.
    pub(super) fn reads(&self) -> Option<&String> {
        self.of.as_ref()
    }

    fn expression(&self, frame: &DataFrame) -> Result<Expr, DataFusionError> {
        let Some(of) = &self.of else { return Ok(expr_fn::count(lit(1_i64)).alias(&self.name)) };
        let result = match self.function {
            Function::Count => expr_fn::count(column(of)),
            Function::CountDistinct => expr_fn::count_distinct(column(of)),
            Function::Sum => expr_fn::sum(numeric(frame, of)?),
            Function::Average => expr_fn::avg(numeric(frame, of)?),
            Function::Min => expr_fn::min(numeric(frame, of)?),
            Function::Max => expr_fn::max(numeric(frame, of)?),
            Function::Percentile(part) => {
                expr_fn::approx_percentile_cont(numeric(frame, of)?.sort(true, false), lit(part), None)
            }
        };
        Ok(result.alias(&self.name))
    }
}

/// Groups a frame: the keys' columns, then the results.
pub(super) fn group(frame: DataFrame, keys: &[Key], all: &[Aggregate]) -> Result<DataFrame, DataFusionError> {
    let results = all.iter().map(|one| one.expression(&frame)).collect::<Result<Vec<_>, _>>()?;
    frame.aggregate(keys.iter().map(Key::expression).collect(), results)
}

/// The columns that a grouping reads and those that it makes.
pub(super) fn columns(keys: &[Key], all: &[Aggregate]) -> (Vec<String>, Vec<String>) {
    let keys: Vec<String> = keys.iter().map(|key| key.name().to_owned()).collect();
    let reads = keys.iter().chain(all.iter().filter_map(Aggregate::reads)).cloned().collect();
    let makes = keys.iter().chain(all.iter().map(|one| &one.name)).cloned().collect();
    (reads, makes)
}
