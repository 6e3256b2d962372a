//! Conditions of SQL as far as the store can decide them. A condition that becomes a predicate must keep every row that
//! SQL keeps; it may keep more, since the plan tests again. Times are exact.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{InList, Like, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use sawlog_model::{Compare, Nanos, Predicate, Test, TimeRange};

/// What the store can do of a condition.
#[derive(Debug, PartialEq)]
pub(super) enum Pushed {
    /// Exactly these times.
    Time(TimeRange),
    /// At least the rows that SQL keeps.
    Rows(Predicate),
}

/// What the store can do of a condition, `None` where nothing.
pub(super) fn pushed(condition: &Expr) -> Option<Pushed> {
    match times(condition) {
        Some(range) => Some(Pushed::Time(range)),
        None => rows(condition).map(Pushed::Rows),
    }
}

/// Times that the condition names, where it names nothing else.
fn times(condition: &Expr) -> Option<TimeRange> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { return None };
    if *op == Operator::And {
        return Some(times(left)?.intersect(&times(right)?));
    }
    let (time, op) = match (is_time(left), nanos(left)) {
        (true, _) => (nanos(right)?, *op),
        (false, Some(time)) if is_time(right) => (time, op.swap()?),
        _ => return None,
    };
    // The end of a range is not in it, and the last time of all stands for no end: such a condition stays SQL's.
    let after = time.checked_add(1).filter(|after| *after != Nanos::MAX)?;
    let all = TimeRange::ALL;
    Some(match op {
        Operator::Eq => TimeRange { start: time, end: after },
        Operator::Lt => TimeRange { end: time, ..all },
        Operator::LtEq => TimeRange { end: after, ..all },
        Operator::Gt => TimeRange { start: after, ..all },
        Operator::GtEq => TimeRange { start: time, ..all },
        _ => return None,
    })
}

fn is_time(value: &Expr) -> bool {
    matches!(value, Expr::Column(column) if column.name == "_time")
}

fn nanos(value: &Expr) -> Option<Nanos> {
    match value {
        Expr::Literal(ScalarValue::TimestampNanosecond(Some(nanos), Some(zone)), _) if &**zone == "UTC" => {
            Some(*nanos)
        }
        _ => None,
    }
}

/// Rows that the condition keeps, and perhaps more.
fn rows(condition: &Expr) -> Option<Predicate> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => match (rows(left), rows(right)) {
            (Some(left), Some(right)) => Some(left.and(right)),
            (one, other) => one.or(other),
        },
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            Some(Predicate::Or(vec![rows(left)?, rows(right)?]))
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            comparison(left, *op, right).or_else(|| comparison(right, op.swap()?, left))
        }
        Expr::InList(InList { expr, list, negated: false }) => {
            let values = list.iter().map(literal).collect::<Option<Vec<_>>>()?;
            Some(Predicate::Field(field(expr)?, Test::In(values)))
        }
        Expr::IsNotNull(value) => {
            let name = number(value).or_else(|| field(value))?;
            Some(Predicate::Field(name, Test::Exists))
        }
        Expr::Like(like) => pattern(like),
        _ => None,
    }
}

/// `field = 'text'`, `num(field) < 5`.
fn comparison(value: &Expr, op: Operator, other: &Expr) -> Option<Predicate> {
    if let (Operator::Eq, Some(name)) = (op, field(value)) {
        return Some(Predicate::Field(name, Test::Is(literal(other)?)));
    }
    let (name, Expr::Literal(ScalarValue::Float64(Some(wanted)), _)) = (number(value)?, other) else {
        return None;
    };
    numbers(&name, op, *wanted)
}

/// At least the rows whose number in the field stands so to the wanted one.
pub(crate) fn numbers(name: &str, op: Operator, wanted: f64) -> Option<Predicate> {
    // SQL compares numbers after rounding to 64 bits, the store compares decimals: two steps make up for that.
    let low = Test::Number(Compare::GreaterOrEqual, decimal(wanted.next_down().next_down())?);
    let high = Test::Number(Compare::LessOrEqual, decimal(wanted.next_up().next_up())?);
    let of = |test| Predicate::Field(name.to_owned(), test);
    match op {
        Operator::Eq => Some(of(low).and(of(high))),
        Operator::Gt | Operator::GtEq => Some(of(low)),
        Operator::Lt | Operator::LtEq => Some(of(high)),
        _ => None,
    }
}

fn decimal(number: f64) -> Option<String> {
    number.is_finite().then(|| format!("{number:e}"))
}

/// The name of a column of text.
fn field(value: &Expr) -> Option<String> {
    let Expr::Column(column) = value else { return None };
    let is_text = crate::number::is_text(&sawlog_store::data_type(&column.name));
    (is_text && column.name != "_fields").then(|| column.name.clone())
}

/// The name of the column in `num(column)`.
fn number(value: &Expr) -> Option<String> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = value else { return None };
    (func.name() == "num").then(|| field(args.first()?)).flatten()
}

/// A text that a row's value can be. To SQL a list is the text of a list, to the store its elements; and a sign that
/// stands for bytes that are not UTF-8 is not in the store.
fn literal(value: &Expr) -> Option<String> {
    let Expr::Literal(
        ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text),
        _,
    ) = value
    else {
        return None;
    };
    text.clone().filter(|text| !text.starts_with('[') && !text.contains(char::REPLACEMENT_CHARACTER))
}

/// `_line LIKE '%part%'`. Only for columns that never hold a list.
fn pattern(like: &Like) -> Option<Predicate> {
    let name = field(&like.expr).filter(|name| ["_line", "_tag", "_host", "_path"].contains(&&name[..]))?;
    let Expr::Literal(ScalarValue::Utf8(text) | ScalarValue::Utf8View(text), _) = &*like.pattern else {
        return None;
    };
    let text = text.as_ref()?;
    if like.negated || text.contains(['\\', char::REPLACEMENT_CHARACTER]) {
        return None;
    }
    let parts = text.split(['%', '_']).filter(|part| !part.is_empty());
    let tests = parts.map(|part| match like.case_insensitive {
        true => Test::regex(&regex::escape(part), true).ok(),
        false => Some(Test::Part { text: part.to_owned(), fold: false }),
    });
    let tests = tests.collect::<Option<Vec<_>>>()?;
    tests.into_iter().map(|test| Predicate::Field(name.clone(), test)).reduce(Predicate::and)
}
