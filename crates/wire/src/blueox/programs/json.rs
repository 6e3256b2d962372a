//! JSON as Python's `json.dumps` writes it, which whoever reads oxview's output is used to: ASCII only, a blank behind commas
//! and colons. Knows nothing of events.

use std::fmt::Write;

use sawlog_model::Value;
use sawlog_model::value::parse_json;

use crate::shared::record::{plain_text, write_plain};

/// How it is laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// On one line, keys as they come.
    Line,
    /// Keys sorted, each on a line, four blanks deeper at each level.
    Pretty,
}

/// Appends a value.
pub(super) fn dump(value: &Value, layout: Layout, depth: usize, out: &mut String) {
    match value {
        Value::Map(entries) if entries.is_empty() => out.push_str("{}"),
        Value::List(list) if list.is_empty() => out.push_str("[]"),
        Value::Map(entries) => {
            let mut entries: Vec<(String, &Value)> = entries
                .iter()
                .map(|(key, value)| (String::from_utf8_lossy(&plain_text(key)).into_owned(), value))
                .collect();
            if layout == Layout::Pretty {
                entries.sort_by(|a, b| a.0.cmp(&b.0));
            }
            out.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                next(index, layout, depth + 1, out);
                string(&key, out);
                out.push_str(": ");
                dump(value, layout, depth + 1, out);
            }
            end('}', layout, depth, out);
        }
        Value::List(list) => {
            out.push('[');
            for (index, value) in list.iter().enumerate() {
                next(index, layout, depth + 1, out);
                dump(value, layout, depth + 1, out);
            }
            end(']', layout, depth, out);
        }
        Value::Str(text) => string(text, out),
        Value::Bin(bytes) => string(&String::from_utf8_lossy(bytes), out),
        Value::Float(float) if float.is_nan() => out.push_str("NaN"),
        Value::Float(float) if float.is_infinite() => {
            out.push_str(if *float > 0.0 { "Infinity" } else { "-Infinity" });
        }
        Value::Float(float) => out.push_str(&number(*float)),
        Value::Time(nanos) => out.push_str(&number(*nanos as f64 / 1e9)),
        other => {
            let mut plain = Vec::new();
            write_plain(other, &mut plain);
            out.push_str(&String::from_utf8_lossy(&plain));
        }
    }
}

/// A float with as many digits as tell it apart, as Python's `repr` has them.
fn number(float: f64) -> String {
    let magnitude = float.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{float:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{float:?}")
}

fn next(index: usize, layout: Layout, depth: usize, out: &mut String) {
    match layout {
        Layout::Line if index > 0 => out.push_str(", "),
        Layout::Line => {}
        Layout::Pretty => {
            out.push_str(if index > 0 { ",\n" } else { "\n" });
            out.push_str(&"    ".repeat(depth));
        }
    }
}

fn end(close: char, layout: Layout, depth: usize, out: &mut String) {
    if layout == Layout::Pretty {
        out.push('\n');
        out.push_str(&"    ".repeat(depth));
    }
    out.push(close);
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(letter),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

/// A value of JSON; what is none is text.
pub(super) fn read(text: &str) -> Value {
    parse_json(text.as_bytes(), &sawlog_model::Limits::default())
        .unwrap_or_else(|_| Value::Str(text.to_owned()))
}
