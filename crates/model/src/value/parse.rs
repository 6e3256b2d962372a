//! JSON to values, without recursion: a sender's JSON as it is ([`parse_json`]), or a line that [`super::render`] wrote,
//! where [`form`]s are what they stand for ([`parse`]). Knows nothing of slots: formats find those in place.

use std::borrow::Cow;

use super::{Value, form, unescape};
use crate::Limits;

/// The bytes are not a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not JSON: what was wanted, and where.
    #[error("not JSON: {wanted} expected at byte {at}")]
    Syntax {
        /// What was wanted.
        wanted: &'static str,
        /// Where.
        at: usize,
    },
    /// Nested deeper than the limit.
    #[error("lists and maps are nested deeper than {0}")]
    Deep(usize),
    /// Longer than the limit.
    #[error("longer than {0} bytes")]
    Long(usize),
}

/// Reads a line that [`super::render`] wrote, with or without a terminator. Any other JSON is read too.
///
/// # Errors
/// [`ValueError`].
pub fn parse(line: &[u8], limits: &Limits) -> Result<Value, ValueError> {
    // A map written as pairs takes three levels of JSON for one of its own.
    Parser::new(line, true, limits.depth.saturating_mul(3).saturating_add(3)).document(limits)
}

/// Reads JSON of a sender: an object whose key begins with `$` is just that. A string that is not UTF-8 becomes
/// [`Value::Bin`]; a whole number beyond u64 becomes a float.
///
/// # Errors
/// [`ValueError`].
pub fn parse_json(text: &[u8], limits: &Limits) -> Result<Value, ValueError> {
    Parser::new(text, false, limits.depth).document(limits)
}

/// A list or map that is not closed yet.
enum Open {
    List(Vec<Value>),
    /// Entries, and the key whose value comes next.
    Map(Vec<(Value, Value)>, Value),
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    forms: bool,
    depth: usize,
    open: Vec<Open>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a [u8], forms: bool, depth: usize) -> Self {
        Parser { text, at: 0, forms, depth, open: Vec::new() }
    }

    fn document(mut self, limits: &Limits) -> Result<Value, ValueError> {
        if self.text.len() > limits.event.max(limits.message) {
            return Err(ValueError::Long(limits.event.max(limits.message)));
        }
        let value = self.value()?;
        self.blanks();
        if self.at < self.text.len() { Err(self.wanted("the end")) } else { Ok(value) }
    }

    fn wanted(&self, wanted: &'static str) -> ValueError {
        ValueError::Syntax { wanted, at: self.at }
    }

    fn blanks(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        self.blanks();
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// One value with all that is in it: opens go on a stack, and each whole value is put into what is open.
    fn value(&mut self) -> Result<Value, ValueError> {
        loop {
            let mut whole = match self.peek() {
                Some(b'{') => match self.open_map()? {
                    Some(empty) => empty,
                    None => continue,
                },
                Some(b'[') => match self.open_list()? {
                    Some(empty) => empty,
                    None => continue,
                },
                _ => self.scalar()?,
            };
            loop {
                match self.put(whole)? {
                    Put::More => break,
                    Put::Closed(value) => whole = value,
                    Put::Done(value) => return Ok(value),
                }
            }
        }
    }

    fn check_depth(&self) -> Result<(), ValueError> {
        if self.open.len() >= self.depth { Err(ValueError::Deep(self.depth)) } else { Ok(()) }
    }

    /// Opens a map, up to the value of its first key; gives it where it is empty.
    fn open_map(&mut self) -> Result<Option<Value>, ValueError> {
        self.check_depth()?;
        self.at += 1;
        if self.take(b'}') {
            return Ok(Some(Value::Map(Vec::new())));
        }
        let key = self.key()?;
        self.open.push(Open::Map(Vec::new(), key));
        Ok(None)
    }

    fn open_list(&mut self) -> Result<Option<Value>, ValueError> {
        self.check_depth()?;
        self.at += 1;
        if self.take(b']') {
            return Ok(Some(Value::List(Vec::new())));
        }
        self.open.push(Open::List(Vec::new()));
        Ok(None)
    }

    fn key(&mut self) -> Result<Value, ValueError> {
        if self.peek() != Some(b'"') {
            return Err(self.wanted("a key"));
        }
        let key = self.string()?;
        if self.take(b':') { Ok(key) } else { Err(self.wanted("':'")) }
    }

    /// Puts a whole value into the innermost open list or map, and closes that where it ends here.
    fn put(&mut self, value: Value) -> Result<Put, ValueError> {
        let Some(open) = self.open.pop() else { return Ok(Put::Done(value)) };
        match open {
            Open::List(mut list) => {
                list.push(value);
                if self.take(b',') {
                    self.open.push(Open::List(list));
                    Ok(Put::More)
                } else if self.take(b']') {
                    Ok(Put::Closed(Value::List(list)))
                } else {
                    Err(self.wanted("',' or ']'"))
                }
            }
            Open::Map(mut entries, key) => {
                entries.push((key, value));
                if self.take(b',') {
                    let key = self.key()?;
                    self.open.push(Open::Map(entries, key));
                    Ok(Put::More)
                } else if self.take(b'}') {
                    Ok(Put::Closed(if self.forms { close_map(entries) } else { Value::Map(entries) }))
                } else {
                    Err(self.wanted("',' or '}'"))
                }
            }
        }
    }

    fn scalar(&mut self) -> Result<Value, ValueError> {
        for (word, value) in
            [(&b"null"[..], Value::Nil), (b"true", Value::Bool(true)), (b"false", Value::Bool(false))]
        {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        match self.text.get(self.at) {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.wanted("a value")),
        }
    }

    /// A string; `at` stands on its first quote.
    fn string(&mut self) -> Result<Value, ValueError> {
        let start = self.at + 1;
        let mut at = start;
        loop {
            match self.text.get(at) {
                Some(b'"') => break,
                Some(b'\\') => at += escape_len(&self.text[at..]).ok_or_else(|| self.wanted("a string"))?,
                Some(0x20..) => at += 1,
                _ => return Err(self.wanted("a string")),
            }
        }
        self.at = at + 1;
        let bytes = unescape(Cow::Borrowed(&self.text[start..at])).into_owned();
        Ok(String::from_utf8(bytes).map_or_else(|error| Value::Bin(error.into_bytes()), Value::Str))
    }

    fn digits(&mut self) -> Result<usize, ValueError> {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == start { Err(self.wanted("a digit")) } else { Ok(self.at - start) }
    }

    fn number(&mut self) -> Result<Value, ValueError> {
        let start = self.at;
        self.at += usize::from(self.text[start] == b'-');
        let leading_zero = self.text.get(self.at) == Some(&b'0');
        if self.digits()? > 1 && leading_zero {
            return Err(self.wanted("a number without leading zeros"));
        }
        let mut whole = true;
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            whole = false;
            self.digits()?;
        }
        if matches!(self.text.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            whole = false;
            self.at += usize::from(matches!(self.text.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).map_err(|_| self.wanted("a number"))?;
        if whole && text != "-0" {
            if let Ok(number) = text.parse() {
                return Ok(Value::Int(number));
            }
            if let Ok(number) = text.parse() {
                return Ok(Value::UInt(number));
            }
        }
        text.parse().map(Value::Float).map_err(|_| self.wanted("a number"))
    }
}

enum Put {
    /// The next value belongs to what is open.
    More,
    /// This list or map is whole.
    Closed(Value),
    /// Nothing is open: this is the document.
    Done(Value),
}

fn close_map(mut entries: Vec<(Value, Value)>) -> Value {
    if !form::needs_pairs(&entries) || entries.len() != 1 {
        return Value::Map(entries);
    }
    match entries.pop() {
        Some((Value::Str(name), content)) => match form::read(&name, content) {
            Ok(value) => value,
            Err(content) => Value::Map(vec![(Value::Str(name), content)]),
        },
        other => Value::Map(other.into_iter().collect()),
    }
}

/// The length of the escape at the start of `text`, where it is one.
fn escape_len(text: &[u8]) -> Option<usize> {
    match text.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => text.get(2..6)?.iter().all(u8::is_ascii_hexdigit).then_some(6),
        _ => None,
    }
}
