//! A value: quoted in either way, plain, or a JSON list or object over any number of lines, with its embedded expressions
//! resolved. Knows nothing of what it is the value of.

use sawlog_model::{Limits, value};

use super::Surroundings;
use super::cursor::Cursor;
use super::ruby::{self, Embedded};

/// What was read, or in words why not.
pub(super) type Read = Result<Value, String>;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Its text.
    Text(String),
    /// An expression in it says that the option is not given (`use_default`).
    Absent,
}

/// Reads the value that stands next, up to where `plain` says that an unquoted one ends.
pub(super) fn read<'a>(
    cursor: &mut Cursor<'a>,
    around: &Surroundings,
    plain: impl FnOnce(&mut Cursor<'a>) -> &'a str,
) -> Read {
    match cursor.peek() {
        Some('"') => double_quoted(cursor, around),
        Some('\'') => single_quoted(cursor),
        _ => Ok(Value::Text(plain(cursor).to_owned())),
    }
}

/// Reads an option's value: as [`read`], and JSON.
pub(super) fn read_option(cursor: &mut Cursor<'_>, around: &Surroundings) -> Read {
    match cursor.peek() {
        Some('[' | '{') => json(cursor, around),
        _ => read(cursor, around, Cursor::take_value),
    }
}

/// Puts what an expression gives into the text; whether the option is there at all.
fn embed(cursor: &mut Cursor<'_>, around: &Surroundings, into: &mut String) -> Result<bool, String> {
    let len = ruby::length(cursor.rest()).ok_or("the expression `#{` has no end")?;
    let code = cursor.rest()[..len].to_owned();
    for _ in 0..=code.chars().count() {
        cursor.next();
    }
    match ruby::value(&code, around)? {
        Embedded::Text(text) => into.push_str(&text),
        Embedded::Nil => {}
        Embedded::Absent => return Ok(false),
    }
    Ok(true)
}

fn double_quoted(cursor: &mut Cursor<'_>, around: &Surroundings) -> Read {
    cursor.next();
    let (mut text, mut given) = (String::new(), true);
    loop {
        if cursor.eat("#{") {
            given &= embed(cursor, around, &mut text)?;
            continue;
        }
        match cursor.next().ok_or("a text in double quotes has no end")? {
            '"' => return Ok(if given { Value::Text(text) } else { Value::Absent }),
            '\\' => match cursor.next().ok_or("a text in double quotes has no end")? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                'f' => text.push('\u{c}'),
                'b' => text.push('\u{8}'),
                '0' => text.push('\0'),
                '\n' => {}
                other if other.is_ascii_alphanumeric() => {
                    return Err(format!("`\\{other}` is no escape; write `\\\\{other}` for a backslash"));
                }
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
}

fn single_quoted(cursor: &mut Cursor<'_>) -> Read {
    cursor.next();
    let mut text = String::new();
    loop {
        match cursor.next().ok_or("a text in single quotes has no end")? {
            '\'' => return Ok(Value::Text(text)),
            '\\' if matches!(cursor.peek(), Some('\\' | '\'')) => text.extend(cursor.next()),
            other => text.push(other),
        }
    }
}

/// A JSON list or object; comments between its items are left out, expressions in its texts resolved.
fn json(cursor: &mut Cursor<'_>, around: &Surroundings) -> Read {
    let (mut text, mut depth, mut quoted) = (String::new(), 0_usize, false);
    loop {
        if quoted && cursor.eat("#{") {
            let mut inner = String::new();
            embed(cursor, around, &mut inner)?;
            let mut escaped = Vec::new();
            value::render(&value::Value::Str(inner), &mut escaped);
            text.push_str(String::from_utf8_lossy(&escaped).trim_matches('"'));
            continue;
        }
        let next = cursor.next().ok_or("a JSON value has no end; quote it if it is a plain text")?;
        match next {
            '#' if !quoted => {
                cursor.skip_line();
                continue;
            }
            '\\' if quoted => {
                text.push(next);
                text.extend(cursor.next());
                continue;
            }
            '"' => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        text.push(if next == '\n' || next == '\r' { ' ' } else { next });
        if depth == 0 {
            break;
        }
    }
    match value::parse_json(text.as_bytes(), &Limits::default()) {
        Ok(_) => Ok(Value::Text(text)),
        Err(error) => Err(format!("`{text}` is not JSON ({error}); quote it if it is a plain text")),
    }
}
