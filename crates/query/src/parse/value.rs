//! What is asked of a value: the part of a term behind `field:`, or a term without a field. Knows nothing of how terms
//! are joined.

use std::net::IpAddr;

use sawlog_model::{Compare, Decimal, Predicate, Test, TimeRange};

use super::cursor::{Cursor, Text};
use super::search::of;
use super::time;
use crate::QueryError;

/// Most values of one `in(…)`.
const MAX_VALUES: usize = 10_000;

/// Reads a term without a field: a word, a phrase, a pattern or `/expression/`.
pub(super) fn bare(cursor: &mut Cursor<'_>) -> Result<Predicate, QueryError> {
    if let Some(regex) = cursor.regex()? {
        let line = format!("(?m){}", regex.joined());
        return Ok(of("_line".into(), compile(cursor, &regex, &line)?));
    }
    let word = cursor.text(&[])?;
    if let Some(plain) = word.plain() {
        return Ok(if plain.is_empty() { Predicate::All } else { Predicate::Any(phrase(plain)) });
    }
    let fold = is_folded(&word.joined());
    let [first, middle @ .., last] = &word.pieces[..] else { return Ok(Predicate::All) };
    match (&first[..], middle, &last[..]) {
        ("", middle, "") if middle.iter().all(String::is_empty) => Ok(Predicate::All),
        ("", [part], "") => Ok(of("_line".into(), Test::Part { text: part.clone(), fold })),
        _ => {
            let pattern = word_pattern(&word.pieces, fold);
            Ok(Predicate::Any(compile(cursor, &word, &pattern)?))
        }
    }
}

/// A word in which stars stand for any signs of a word, as an expression.
fn word_pattern(pieces: &[String], fold: bool) -> String {
    let is_word = |sign: Option<char>| sign.is_some_and(|sign| sign.is_ascii_alphanumeric() || sign == '_');
    let inner: Vec<String> = pieces.iter().map(|piece| regex::escape(piece)).collect();
    let mut pattern = String::from(if fold { "(?i)" } else { "" });
    // Behind a star at the end, and before one at the start, the word may go on, so nothing is asked of the border.
    if is_word(pieces[0].chars().next()) {
        pattern.push_str("(?:^|(?-u:[^0-9A-Za-z_]))");
    }
    pattern.push_str(&inner.join("(?-u:[0-9A-Za-z_])*"));
    if is_word(pieces[pieces.len() - 1].chars().last()) {
        pattern.push_str("(?:$|(?-u:[^0-9A-Za-z_]))");
    }
    pattern
}

/// Reads what is asked of the field `name`.
pub(super) fn of_field(cursor: &mut Cursor<'_>, name: String) -> Result<Predicate, QueryError> {
    if let Some(regex) = cursor.regex()? {
        let test = compile(cursor, &regex, &regex.joined())?;
        return Ok(of(name, test));
    }
    if cursor.peek() == Some('[') {
        return number_range(cursor, name);
    }
    let start = cursor.at;
    if let Some(compare) = comparison(cursor) {
        let number = number(cursor, start, &[])?;
        return Ok(of(name, Test::Number(compare, number)));
    }
    if cursor.rest().starts_with('=') {
        cursor.bump();
        return Ok(of(name, Test::Is(cursor.text(&[])?.joined())));
    }
    if cursor.rest().starts_with("in(") {
        return Ok(of(name, list(cursor)?));
    }
    let word = cursor.text(&[])?;
    if word.start == word.end {
        let message = "a value is missing here; signs such as `(` and `|` go in quotes";
        return Err(cursor.error(start, cursor.word_end(), message));
    }
    Ok(of(name, test(cursor, &word)?))
}

/// The test that a word or phrase behind `field:` means.
fn test(cursor: &Cursor<'_>, word: &Text) -> Result<Test, QueryError> {
    let Some(plain) = word.plain() else { return glob(cursor, word) };
    if word.quoted {
        return Ok(if plain.is_empty() { Test::Is(String::new()) } else { phrase(plain) });
    }
    if plain == "null" {
        return Ok(Test::Null);
    }
    match plain.split_once('/').and_then(|(address, bits)| Some((address.parse::<IpAddr>().ok()?, bits))) {
        None => Ok(phrase(plain)),
        Some((address, bits)) => {
            let most = if address.is_ipv4() { 32 } else { 128 };
            match bits.parse::<u8>().ok().filter(|bits| *bits <= most) {
                Some(bits) => Ok(Test::Network(address, bits)),
                None => {
                    let message = format!("a network ends in a number of bits from /0 to /{most}");
                    Err(cursor.error(word.start, word.end, message))
                }
            }
        }
    }
}

/// A pattern with stars. A star that was escaped cannot stand in a glob, so that becomes an expression.
fn glob(cursor: &Cursor<'_>, word: &Text) -> Result<Test, QueryError> {
    let pattern = word.joined();
    let fold = is_folded(&pattern);
    if word.pieces.iter().all(String::is_empty) {
        return Ok(Test::Exists);
    }
    if !word.pieces.iter().any(|piece| piece.contains('*')) {
        return Ok(Test::Glob { pattern, fold });
    }
    let pieces: Vec<String> = word.pieces.iter().map(|piece| regex::escape(piece)).collect();
    let expression = format!("(?s{})^{}$", if fold { "i" } else { "" }, pieces.join("(?-u:.)*"));
    compile(cursor, word, &expression)
}

/// Smart case: no capital means any case.
fn is_folded(text: &str) -> bool {
    !text.chars().any(char::is_uppercase)
}

fn phrase(text: &str) -> Test {
    Test::Phrase { text: text.to_owned(), fold: is_folded(text) }
}

fn compile(cursor: &Cursor<'_>, from: &Text, pattern: &str) -> Result<Test, QueryError> {
    Test::regex(pattern, false).map_err(|error| cursor.error(from.start, from.end, error.to_string()))
}

/// Takes `>=`, `>`, `<=` or `<`.
fn comparison(cursor: &mut Cursor<'_>) -> Option<Compare> {
    let signs = [
        (">=", Compare::GreaterOrEqual),
        (">", Compare::Greater),
        ("<=", Compare::LessOrEqual),
        ("<", Compare::Less),
    ];
    let (sign, compare) = signs.into_iter().find(|(sign, _)| cursor.rest().starts_with(sign))?;
    cursor.at += sign.len();
    Some(compare)
}

/// Reads a number.
fn number(cursor: &mut Cursor<'_>, start: usize, stops: &[char]) -> Result<String, QueryError> {
    cursor.skip_spaces();
    let text = cursor.text(stops)?.joined();
    if Decimal::parse(text.as_bytes()).is_some() {
        return Ok(text);
    }
    let message = "numbers are compared here, such as `status:>=500` or `size:[1, 10]`; \
                   addresses go by network (`ip:10.0.0.0/8`), times by `_time`";
    Err(cursor.error(start, cursor.at.max(start + 1), message))
}

/// Reads `[a, b]` or `[a, b)` of numbers.
fn number_range(cursor: &mut Cursor<'_>, name: String) -> Result<Predicate, QueryError> {
    let start = cursor.at;
    let stops = [',', ']'];
    cursor.bump();
    let low = number(cursor, start, &stops)?;
    cursor.expect(",", RANGE)?;
    let high = number(cursor, start, &stops)?;
    let compare = range_end(cursor)?;
    let low = of(name.clone(), Test::Number(Compare::GreaterOrEqual, low));
    Ok(low.and(of(name, Test::Number(compare, high))))
}

const RANGE: &str = "a range is written `[from, to]`, or `[from, to)` without its end";

/// Takes the bracket that ends a range: `]` for one with its end, `)` without.
fn range_end(cursor: &mut Cursor<'_>) -> Result<Compare, QueryError> {
    if cursor.eat("]") {
        return Ok(Compare::LessOrEqual);
    }
    cursor.expect(")", RANGE)?;
    Ok(Compare::Less)
}

/// Reads `in(a, "b c", d)`.
fn list(cursor: &mut Cursor<'_>) -> Result<Test, QueryError> {
    let start = cursor.at;
    cursor.at += "in(".len();
    let mut values = Vec::new();
    loop {
        cursor.skip_spaces();
        let value = cursor.text(&[','])?;
        if value.start == value.end {
            let message = "a value is missing here; a list is written `field:in(a, \"b c\")`";
            return Err(cursor.error(start, cursor.word_end(), message));
        }
        values.push(value.joined());
        if values.len() > MAX_VALUES {
            return Err(cursor.error_since(start, "this list is too long; 10000 values are the most"));
        }
        if cursor.eat(")") {
            return Ok(Test::In(values));
        }
        cursor.expect(",", "between two values stands a comma; a value with spaces goes in quotes")?;
    }
}

/// Reads what is asked of `_time`.
pub(super) fn time(cursor: &mut Cursor<'_>) -> Result<TimeRange, QueryError> {
    let start = cursor.at;
    let all = TimeRange::ALL;
    if cursor.peek() == Some('[') {
        cursor.bump();
        let from = moment(cursor, start)?;
        cursor.expect(",", RANGE)?;
        let to = moment(cursor, start)?;
        let with_end = range_end(cursor)? == Compare::LessOrEqual;
        return Ok(TimeRange { start: from.start, end: if with_end { to.end } else { to.start } });
    }
    if let Some(compare) = comparison(cursor) {
        let time = moment(cursor, start)?;
        return Ok(match compare {
            Compare::Less => TimeRange { end: time.start, ..all },
            Compare::LessOrEqual => TimeRange { end: time.end, ..all },
            Compare::Greater => TimeRange { start: time.end, ..all },
            Compare::GreaterOrEqual => TimeRange { start: time.start, ..all },
        });
    }
    let text = cursor.text(&[])?.joined();
    if text == "*" {
        return Ok(all);
    }
    if let Some(nanos) = time::duration(&text) {
        return Ok(TimeRange { start: cursor.now.saturating_sub(nanos), ..all });
    }
    time::moment(&text, cursor.now).ok_or_else(|| cursor.error_since(start, TIME))
}

const TIME: &str =
    "this is no time; write `5m`, `2026-11-20`, `2026-11-20T10:02:17Z`, `now-2h` or seconds since 1970";

/// Reads one end of a time range.
fn moment(cursor: &mut Cursor<'_>, start: usize) -> Result<TimeRange, QueryError> {
    cursor.skip_spaces();
    let text = cursor.text(&[',', ']'])?.joined();
    time::moment(&text, cursor.now).ok_or_else(|| cursor.error_since(start, TIME))
}
