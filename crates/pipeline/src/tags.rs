//! Patterns of tags, as in Fluentd's `<match a.** {b,c}.*>` and in ik's dialect of it, and the tag of a batch. Knows nothing of
//! where patterns stand.

use std::borrow::Cow;
use std::fmt;

use regex::Regex;
use sawlog_model::Batch;

#[cfg(test)]
mod tests;

/// Which tags fit. Two patterns are equal where they are written alike in the same dialect.
#[derive(Clone)]
pub struct TagPattern {
    text: String,
    dialect: Dialect,
    test: Test,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Dialect {
    Fluentd,
    Ik,
}

#[derive(Clone)]
enum Test {
    All,
    /// One of these.
    Any(Vec<Alternative>),
}

#[derive(Clone)]
enum Alternative {
    Exactly(String),
    Fitting(Regex),
}

impl TagPattern {
    /// Every tag.
    pub fn all() -> Self {
        TagPattern { text: "**".to_owned(), dialect: Dialect::Fluentd, test: Test::All }
    }

    /// Reads a pattern as Fluentd does: alternatives apart by blanks; in each, `*` is any run without a dot (so between dots
    /// one part), `**` anything, `**.` any number of parts with their dots, `.**` any number of parts with their dots, so that
    /// `a.**` fits `a`; `{a,b}` one of several, also nested; `\` takes the character after it as it is; `/…/` is a regular
    /// expression for the whole tag.
    ///
    /// # Errors
    /// In words: empty, unbalanced braces, an expression that is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("a pattern of tags is missing; ** fits every tag".to_owned());
        }
        let mut any = Vec::new();
        for word in text.split_whitespace() {
            if word == "**" {
                return Ok(TagPattern { text: text.to_owned(), dialect: Dialect::Fluentd, test: Test::All });
            }
            any.push(alternative(word)?);
        }
        Ok(TagPattern { text: text.to_owned(), dialect: Dialect::Fluentd, test: Test::Any(any) })
    }

    /// Reads a pattern as ik does: one pattern; `*` is any run without a dot, `**` anything, `**.` anything that ends in a dot,
    /// or nothing at the start; `{a,b}` one of several, also nested; all else stands for itself.
    ///
    /// # Errors
    /// In words: empty, `***`, unbalanced braces.
    pub fn parse_ik(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a pattern of tags is missing; ** fits every tag".to_owned());
        }
        if text.contains("***") {
            return Err(format!("`{text}`: *** means nothing; write * for one part of a tag, ** for any"));
        }
        let test = if text == "**" {
            Test::All
        } else {
            let expression = translate(text, Dialect::Ik)?;
            Test::Any(vec![Alternative::Fitting(compile(text, &expression)?)])
        };
        Ok(TagPattern { text: text.to_owned(), dialect: Dialect::Ik, test })
    }

    /// Whether the tag fits.
    pub fn matches(&self, tag: &str) -> bool {
        match &self.test {
            Test::All => true,
            Test::Any(any) => any.iter().any(|alternative| match alternative {
                Alternative::Exactly(text) => text == tag,
                Alternative::Fitting(regex) => regex.is_match(tag),
            }),
        }
    }

    /// Whether it was read as ik reads patterns.
    pub fn is_ik(&self) -> bool {
        self.dialect == Dialect::Ik
    }

    /// Whether every tag fits.
    pub fn is_all(&self) -> bool {
        matches!(self.test, Test::All)
    }
}

impl Default for TagPattern {
    fn default() -> Self {
        Self::all()
    }
}

impl PartialEq for TagPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.dialect == other.dialect
    }
}

impl Eq for TagPattern {}

impl fmt::Debug for TagPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TagPattern({:?} {:?})", self.dialect, self.text)
    }
}

impl fmt::Display for TagPattern {
    /// As it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn alternative(word: &str) -> Result<Alternative, String> {
    if let Some(expression) = word.strip_prefix('/') {
        let expression = expression
            .strip_suffix('/')
            .ok_or_else(|| format!("`{word}` begins as a regular expression; end it with /"))?;
        return compile(word, expression).map(Alternative::Fitting);
    }
    if !word.contains(['*', '{', '}', '\\']) {
        return Ok(Alternative::Exactly(word.to_owned()));
    }
    compile(word, &translate(word, Dialect::Fluentd)?).map(Alternative::Fitting)
}

fn compile(text: &str, expression: &str) -> Result<Regex, String> {
    Regex::new(&format!(r"(?s)\A(?:{expression})\z")).map_err(|error| {
        let reason = error.to_string();
        format!("`{text}`: {}", reason.lines().last().unwrap_or_default().trim_start_matches("error: "))
    })
}

/// A pattern as a regular expression.
fn translate(text: &str, dialect: Dialect) -> Result<String, String> {
    let mut expression = String::new();
    let mut depth = 0usize;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (taken, part) = match first {
            '.' if dialect == Dialect::Fluentd && rest.starts_with(".**.") => (4, r"\.(?:.*\.)?"),
            '.' if dialect == Dialect::Fluentd && rest.starts_with(".**") => (3, r"(?:\..*|\z)"),
            '*' if rest.starts_with("**.") => (3, r"(?:.*\.|\A)"),
            '*' if rest.starts_with("**") => (2, ".*"),
            '*' => (1, "[^.]*"),
            '{' => {
                depth += 1;
                (1, "(?:")
            }
            '}' if depth > 0 => {
                depth -= 1;
                (1, ")")
            }
            '}' if dialect == Dialect::Ik => return Err(format!("`{text}`: a }} without its {{")),
            ',' if depth > 0 => (1, "|"),
            '\\' if dialect == Dialect::Fluentd => {
                let escaped = rest[1..].chars().next();
                let escaped = escaped
                    .ok_or_else(|| format!("`{text}`: \\ stands before nothing; write \\\\ for one"))?;
                expression.push_str(&regex::escape(escaped.encode_utf8(&mut [0; 4])));
                (1 + escaped.len_utf8(), "")
            }
            literal => {
                expression.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4])));
                (literal.len_utf8(), "")
            }
        };
        expression.push_str(part);
        rest = &rest[taken..];
    }
    if depth > 0 {
        return Err(format!("`{text}`: a {{ without its }}"));
    }
    Ok(expression)
}

/// The tag that a batch is routed by: its `_tag`; of rows without one, [`path_tag`].
pub fn tag_of(batch: &Batch) -> Cow<'_, str> {
    match batch.context.get("_tag") {
        Some(tag) => Cow::Borrowed(tag),
        None => path_tag(batch),
    }
}

/// The path of a file, or else the name of a source, as a tag: without the outer slashes, dots for the others.
pub fn path_tag(batch: &Batch) -> Cow<'_, str> {
    let path = batch.context.get("_path").unwrap_or(&batch.source.facts.name).trim_matches('/');
    if path.contains('/') { Cow::Owned(path.replace('/', ".")) } else { Cow::Borrowed(path) }
}
