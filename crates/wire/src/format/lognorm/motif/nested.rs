//! The fields of version 1 that are made of others: the rest of the line is looked up as a line of its own, in which a field
//! takes what is left. Knows nothing of how that is done.

use sawlog_model::Value;

use super::super::graph::Builder;
use super::super::rule::{Field, unescape};

/// The field that takes what is left, where nothing else is said.
pub(in super::super) const TAIL: &str = "tail";
/// The field that others are made of.
pub(in super::super) const DEFAULT: &str = "default";

/// A field that is made of others.
#[derive(Debug)]
pub(in super::super) enum Nested {
    /// A line of these rules.
    Rules {
        root: u32,
        rest: u32,
    },
    Tokens(Tokens),
    Interpret {
        root: u32,
        given: As,
    },
    Suffixed(Suffixes),
}

/// A list with something between its items.
#[derive(Debug)]
pub(in super::super) struct Tokens {
    pub root: u32,
    pub rest: u32,
    pub between: Vec<u8>,
    /// Items are lines of rules, not single fields.
    pub are_lines: bool,
}

/// A field with one of these behind it.
#[derive(Debug)]
pub(in super::super) struct Suffixes {
    pub root: u32,
    pub list: Vec<Vec<u8>>,
    /// What the field and what is behind it are called.
    pub value: String,
    pub suffix: String,
}

/// What a text is read as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum As {
    Int,
    Hex,
    Float,
    Bool,
}

/// Names of these types.
pub(super) const NAMES: &[&str] =
    &["tokenized", "recursive", "descent", "interpret", "suffixed", "named_suffixed"];

/// What stands between colons; the last of so many takes the rest.
pub(super) fn arguments(raw: &[u8], most: usize) -> Vec<&[u8]> {
    raw.splitn(most, |byte| *byte == b':').collect()
}

/// Makes one of the type of that name.
pub(super) fn make(field: &Field, builder: &mut Builder) -> Result<Nested, String> {
    let raw = match field.parameter("raw") {
        Some(Value::Bin(raw)) => raw.as_slice(),
        _ => &[],
    };
    match field.kind.as_str() {
        "tokenized" => tokens(raw, builder).map(Nested::Tokens),
        "interpret" => interpret(raw, builder),
        "suffixed" => suffixed(raw, ["value", "suffix"], builder),
        "named_suffixed" => {
            let parts = arguments(raw, 3);
            let [value, suffix, rest] = parts[..] else {
                return Err(wrong("named_suffixed:VALUE:SUFFIX:DELIMITERS:SUFFIXES:TYPE"));
            };
            suffixed(rest, [&*text(value), &*text(suffix)], builder)
        }
        name => {
            let (root, rest) = rules(name, raw, builder)?;
            Ok(Nested::Rules { root, rest })
        }
    }
}

fn wrong(usage: &str) -> String {
    format!("such a field is written as %NAME:{usage}%")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The rules that `recursive` and `descent` mean, and what their remainder is called.
fn rules(name: &str, raw: &[u8], builder: &mut Builder) -> Result<(u32, u32), String> {
    let (root, rest) = if name == "recursive" {
        (builder.root, Some(raw).filter(|raw| !raw.is_empty()))
    } else {
        let parts = arguments(raw, 2);
        let file = unescape(parts[0]);
        if file.is_empty() {
            return Err(wrong("descent:FILE:REST"));
        }
        (builder.rule_base(&text(&file)), parts.get(1).copied())
    };
    let rest = rest.map_or_else(|| TAIL.to_owned(), text);
    Ok((root, builder.names.number(&rest)))
}

fn tokens(raw: &[u8], builder: &mut Builder) -> Result<Tokens, String> {
    let parts = arguments(raw, 2);
    let [between, field] = parts[..] else { return Err(wrong("tokenized:BETWEEN:TYPE")) };
    let between = unescape(&unescape(between));
    if between.is_empty() || field.is_empty() {
        return Err(wrong("tokenized:BETWEEN:TYPE"));
    }
    let named = arguments(field, 2);
    let kind = text(named[0]);
    let are_lines = matches!(kind.trim_end(), "recursive" | "descent");
    let (root, rest) = if are_lines {
        rules(kind.trim_end(), named.get(1).copied().unwrap_or_default(), builder)?
    } else {
        (builder.field_alone(field)?, builder.names.number(TAIL))
    };
    Ok(Tokens { root, rest, between, are_lines })
}

fn interpret(raw: &[u8], builder: &mut Builder) -> Result<Nested, String> {
    let parts = arguments(raw, 2);
    let [given, field] = parts[..] else { return Err(wrong("interpret:AS:TYPE")) };
    let given = match given {
        b"int" | b"base10int" => As::Int,
        b"base16int" => As::Hex,
        b"float" => As::Float,
        b"bool" => As::Bool,
        other => {
            let other = text(other);
            return Err(format!(
                "`interpret` reads as int, base10int, base16int, float or bool, not `{other}`"
            ));
        }
    };
    Ok(Nested::Interpret { root: builder.field_alone(field)?, given })
}

fn suffixed(raw: &[u8], names: [&str; 2], builder: &mut Builder) -> Result<Nested, String> {
    let usage = "suffixed:DELIMITERS:SUFFIXES:TYPE";
    let parts = arguments(raw, 3);
    let [delimiters, suffixes, field] = parts[..] else { return Err(wrong(usage)) };
    let (delimiters, suffixes) = (unescape(delimiters), unescape(suffixes));
    // Each byte of the delimiters is one, and what is empty is none.
    let list = suffixes.split(|byte| delimiters.contains(byte)).filter(|suffix| !suffix.is_empty());
    let list: Vec<Vec<u8>> = list.map(<[u8]>::to_vec).collect();
    if list.is_empty() || delimiters.is_empty() {
        return Err(wrong(usage));
    }
    let root = builder.field_alone(field)?;
    let [value, suffix] = names.map(str::to_owned);
    Ok(Nested::Suffixed(Suffixes { root, list, value, suffix }))
}

/// A value as it is to be read; `None` where it is text whatever is asked.
pub(in super::super) fn read_as(given: As, value: &Value) -> Option<Value> {
    let text = value.as_str();
    Some(match given {
        As::Int | As::Hex => match (text, value) {
            (Some(text), _) => Value::Int(whole(text, if given == As::Int { 10 } else { 16 })),
            (None, Value::Int(number)) => Value::Int(*number),
            _ => return None,
        },
        As::Float => Value::Float(match (text, value) {
            (Some(text), _) => fraction(text),
            (None, Value::Int(number)) => *number as f64,
            (None, Value::Float(number)) => *number,
            (None, Value::Bool(true)) => 1.0,
            _ => 0.0,
        }),
        As::Bool => Value::Bool(match (text, value) {
            (Some(text), _) => !text.eq_ignore_ascii_case("false") && !text.eq_ignore_ascii_case("no"),
            (None, Value::Int(number)) => *number != 0,
            (None, Value::Float(number)) => *number != 0.0,
            (None, Value::Bool(is)) => *is,
            _ => false,
        }),
    })
}

/// The number that a text begins with, as the C library reads it.
fn whole(text: &str, base: u32) -> i64 {
    let text = text.trim_start_matches(|letter: char| letter.is_ascii() && super::is_blank(letter as u8));
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let prefixed = digits
        .strip_prefix("0x")
        .or(digits.strip_prefix("0X"))
        .filter(|digits| base == 16 && digits.starts_with(|digit: char| digit.is_ascii_hexdigit()));
    let mut number: i64 = 0;
    for digit in prefixed.unwrap_or(digits).chars().map_while(|digit| digit.to_digit(base)) {
        let digit = i64::from(if negative { -(digit as i32) } else { digit as i32 });
        number = number.saturating_mul(i64::from(base)).saturating_add(digit);
    }
    number
}

/// The number that a text is; 0 where it is none.
fn fraction(text: &str) -> f64 {
    let text = text.trim_start_matches(|letter: char| letter.is_ascii() && super::is_blank(letter as u8));
    let hex = text.strip_prefix("0x").or(text.strip_prefix("0X"));
    if let Some(number) = hex.and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
        return number as f64;
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => number,
        _ => 0.0,
    }
}
