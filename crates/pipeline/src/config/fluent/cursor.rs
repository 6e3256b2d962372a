//! A place in the text of a file, moved forward over blanks, comments and words. Knows nothing of sections and values.

/// A place in a text, with its line.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    rest: &'a str,
    /// Line, from 1.
    pub line: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Cursor { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.rest = &self.rest[next.len_utf8()..];
        self.line += usize::from(next == '\n');
        Some(next)
    }

    /// What is still to be read.
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    /// Takes `text` where it stands next.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let found = self.rest.starts_with(text);
        if found {
            self.take(text.len());
        }
        found
    }

    /// Takes the next `len` bytes.
    fn take(&mut self, len: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(len);
        self.line += taken.bytes().filter(|byte| *byte == b'\n').count();
        self.rest = rest;
        taken
    }

    /// Takes characters while they fit.
    pub(super) fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let len = self.rest.find(|character| !fits(character)).unwrap_or(self.rest.len());
        self.take(len)
    }

    /// Passes over blanks, line ends and comments.
    pub(super) fn skip_space(&mut self) {
        loop {
            self.take_while(char::is_whitespace);
            if self.peek() != Some('#') {
                return;
            }
            self.skip_line();
        }
    }

    pub(super) fn skip_blanks(&mut self) {
        self.take_while(is_blank);
    }

    /// Passes over the rest of the line.
    pub(super) fn skip_line(&mut self) {
        self.take_while(|character| character != '\n');
    }

    /// Whether only blanks and a comment stand before the end of the line.
    pub(super) fn at_line_end(&self) -> bool {
        let rest = self.rest.trim_start_matches(is_blank);
        rest.is_empty() || rest.starts_with(['\r', '\n', '#'])
    }

    /// The rest of the line without blanks at its ends and without a comment, which begins with a `#` behind a blank.
    pub(super) fn take_value(&mut self) -> &'a str {
        let line = self.take_while(|character| !matches!(character, '\r' | '\n'));
        let comment = line.char_indices().find(|(at, character)| {
            *character == '#' && line[..*at].chars().next_back().is_none_or(is_blank)
        });
        line[..comment.map_or(line.len(), |(at, _)| at)].trim_matches(is_blank)
    }
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}
