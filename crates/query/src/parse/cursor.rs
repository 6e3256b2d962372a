//! A place in the text of a query, and the small things that are read there: words, quoted texts, names, numbers.
//! Knows nothing of what they mean.

use sawlog_model::Nanos;

use crate::QueryError;

/// Most regular expressions in a query: each may take milliseconds to compile and megabytes to keep.
const MAX_REGEXES: usize = 16;

/// Where the parser stands.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    /// First byte not yet read.
    pub(crate) at: usize,
    /// What relative times count from.
    pub(crate) now: Nanos,
    regexes: usize,
}

/// A word or a quoted text, escapes resolved.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text {
    /// First byte.
    pub(crate) start: usize,
    /// One after the last byte.
    pub(crate) end: usize,
    /// Whether it stood in quotes.
    pub(crate) quoted: bool,
    /// What stands between its stars; one piece where there is none.
    pub(crate) pieces: Vec<String>,
}

impl Text {
    /// The text where it has no stars.
    pub(crate) fn plain(&self) -> Option<&str> {
        match &self.pieces[..] {
            [one] => Some(one),
            _ => None,
        }
    }

    /// The text with its stars.
    pub(crate) fn joined(&self) -> String {
        self.pieces.join("*")
    }
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str, now: Nanos) -> Self {
        Cursor { text, at: 0, now, regexes: 0 }
    }

    /// What is not yet read.
    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The next character.
    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes the next character.
    pub(crate) fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    pub(crate) fn skip_spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Skips spaces and takes `token` where it is next.
    pub(crate) fn eat(&mut self, token: &str) -> bool {
        self.skip_spaces();
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    /// Skips spaces and takes the keyword where it is next, as a whole word.
    pub(crate) fn eat_word(&mut self, word: &str) -> bool {
        self.skip_spaces();
        let after = self.rest().strip_prefix(word);
        let found = after.is_some_and(|after| !after.chars().next().is_some_and(is_name));
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// Takes `token`, or says that it is missing.
    pub(crate) fn expect(&mut self, token: &str, message: &str) -> Result<(), QueryError> {
        match self.eat(token) {
            true => Ok(()),
            false => Err(self.error(self.at, self.word_end(), message)),
        }
    }

    /// Where the word here ends, for errors that point at it.
    pub(crate) fn word_end(&self) -> usize {
        let len = self.rest().find([' ', '|', ')', ',']).unwrap_or(self.rest().len());
        self.at + if len == 0 { self.peek().map_or(0, char::len_utf8) } else { len }
    }

    /// An error about these bytes.
    pub(crate) fn error(&self, start: usize, end: usize, message: impl Into<String>) -> QueryError {
        QueryError::Syntax { start, end, message: message.into() }
    }

    /// An error about what was read since `start`.
    pub(crate) fn error_since(&self, start: usize, message: impl Into<String>) -> QueryError {
        self.error(start, self.at, message)
    }

    /// Reads a quoted text or a word that ends before a space, a parenthesis, `|`, a quote or one of `stops`. In a word
    /// a backslash takes the meaning off the sign after it; between quotes only off a quote or a backslash.
    pub(crate) fn text(&mut self, stops: &[char]) -> Result<Text, QueryError> {
        let start = self.at;
        if self.peek() == Some('"') {
            return self.quoted();
        }
        let mut pieces = vec![String::new()];
        while let Some(next) = self.peek() {
            if next.is_whitespace() || matches!(next, '(' | ')' | '|' | '"') || stops.contains(&next) {
                break;
            }
            self.bump();
            let piece = pieces.len() - 1;
            match (next, self.peek()) {
                ('\\', Some(sign)) if !sign.is_alphanumeric() => {
                    self.bump();
                    pieces[piece].push(sign);
                }
                ('*', _) => pieces.push(String::new()),
                _ => pieces[piece].push(next),
            }
        }
        Ok(Text { start, end: self.at, quoted: false, pieces })
    }

    fn quoted(&mut self) -> Result<Text, QueryError> {
        let start = self.at;
        let mut text = String::new();
        self.bump();
        loop {
            match (self.bump(), self.peek()) {
                (None, _) => return Err(self.error_since(start, "this quote is never closed; add a \"")),
                (Some('"'), _) => break,
                (Some('\\'), Some(sign @ ('"' | '\\'))) => {
                    self.bump();
                    text.push(sign);
                }
                (Some(other), _) => text.push(other),
            }
        }
        Ok(Text { start, end: self.at, quoted: true, pieces: vec![text] })
    }

    /// Reads the name of a field: bare or quoted. `what` says what it is for.
    pub(crate) fn name(&mut self, what: &str) -> Result<String, QueryError> {
        self.skip_spaces();
        if self.peek() == Some('"') {
            return Ok(self.quoted()?.joined());
        }
        let start = self.at;
        while self.peek().is_some_and(is_name) {
            self.bump();
        }
        if self.at == start {
            let message = format!(
                "here {what} is missing; names with other signs than letters, digits and `_.@-` go in quotes"
            );
            return Err(self.error(start, self.word_end(), message));
        }
        Ok(self.text[start..self.at].to_owned())
    }

    /// Reads the name of a column, which may be one that `stats` made: `p99(latency)`.
    pub(crate) fn column(&mut self, what: &str) -> Result<String, QueryError> {
        let mut name = self.name(what)?;
        if let Some(inner) = self.rest().strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            // `count()` is the column `count`.
            if !inner.0.trim().is_empty() {
                name = format!("{name}({})", inner.0.trim());
            }
            self.at += inner.0.len() + 2;
        }
        Ok(name)
    }

    /// Reads a whole number of at least 1.
    pub(crate) fn count(&mut self, what: &str) -> Result<usize, QueryError> {
        self.skip_spaces();
        let len = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let number = self.rest()[..len].parse().ok().filter(|number| *number > 0);
        match number {
            Some(number) => {
                self.at += len;
                Ok(number)
            }
            None => Err(self.error(
                self.at,
                self.word_end(),
                format!("here {what} is missing, a number from 1 on"),
            )),
        }
    }

    /// Reads a duration such as `5m` where one is next.
    pub(crate) fn duration(&mut self) -> Option<Nanos> {
        self.skip_spaces();
        let len = self.rest().bytes().take_while(u8::is_ascii_alphanumeric).count();
        let nanos = super::time::duration(&self.rest()[..len])?;
        self.at += len;
        Some(nanos)
    }

    /// Reads `/expression/` where one is next: the closing slash must end the term, or it is a path.
    pub(crate) fn regex(&mut self) -> Result<Option<Text>, QueryError> {
        let Some(inner) = self.rest().strip_prefix('/') else { return Ok(None) };
        let mut pattern = String::new();
        let mut signs = inner.char_indices().peekable();
        while let Some((at, sign)) = signs.next() {
            match (sign, signs.peek().map(|(_, next)| *next)) {
                ('/', next) => {
                    let ends = next.is_none_or(|next| next.is_whitespace() || matches!(next, ')' | '|'));
                    if !ends || pattern.is_empty() {
                        return Ok(None);
                    }
                    let start = self.at;
                    self.at += at + 2;
                    self.regexes += 1;
                    if self.regexes > MAX_REGEXES {
                        let message =
                            "too many regular expressions; 16 is the most, join them with `|` inside one";
                        return Err(self.error_since(start, message));
                    }
                    return Ok(Some(Text { start, end: self.at, quoted: true, pieces: vec![pattern] }));
                }
                ('\\', Some('/')) => {
                    signs.next();
                    pattern.push('/');
                }
                ('\\', Some(next)) => {
                    signs.next();
                    pattern.extend(['\\', next]);
                }
                _ => pattern.push(sign),
            }
        }
        Ok(None)
    }
}

/// Whether the character can stand in a bare name.
pub(crate) fn is_name(sign: char) -> bool {
    sign.is_alphanumeric() || matches!(sign, '_' | '.' | '@' | '-')
}
