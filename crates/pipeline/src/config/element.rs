//! Elements of a Fluentd configuration (`<source>`, `<parse>` and so on) as a tree, and reading one element's options with
//! everything that is wrong told with file and line. Knows nothing of the file's syntax, nor of what options mean.

use std::path::PathBuf;
use std::sync::Arc;

use super::suggestion;

/// `<name argument> … </name>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// `source`, `match`, `parse`, …
    pub name: String,
    /// What stands behind the name, trimmed; empty where nothing does.
    pub argument: String,
    /// `key value` lines, in order.
    pub pairs: Vec<Pair>,
    /// Elements inside, in order.
    pub children: Vec<Element>,
    /// The file that it stands in.
    pub file: Arc<PathBuf>,
    /// The line of its opening, from 1.
    pub line: usize,
}

/// A `key value` line. Quotes, continuation lines and embedded expressions are resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// As `path` or `@type`.
    pub key: String,
    /// The value.
    pub value: String,
    /// The file that it stands in.
    pub file: Arc<PathBuf>,
    /// The line of its beginning, from 1.
    pub line: usize,
}

impl Element {
    /// The value of `key`, the last one where it stands several times.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|pair| pair.key == key).map(|pair| pair.value.as_str())
    }
}

/// Something that is wrong, or, as a `note`, only worth knowing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub file: Arc<PathBuf>,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong and what would do.
    pub message: String,
    /// Not wrong: an option without an effect here, a difference to expect.
    pub note: bool,
}

/// Where an element may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `<source>`
    Source,
    /// `<filter>`
    Filter,
    /// `<match>` and `<store>`
    Match,
}

/// What Fluentd's configurations call a protocol in one role, and how its options are read.
pub struct FluentForm {
    /// Where it may stand.
    pub role: Role,
    /// Values of `@type`.
    pub names: &'static [&'static str],
    /// Gives the options of ours that the element means. It takes every option it knows from the reader; what is left is
    /// reported as unknown, with the nearest name. `@type`, `@id`, `@label`, `@log_level` and `<buffer>`, `<secondary>`
    /// are read by the caller.
    pub read: fn(&mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)>,
}

/// Reads the options of an element: each is taken by its name once; whatever was not taken is unknown.
pub struct ElementReader<'a> {
    element: &'a Element,
    known: Vec<&'static str>,
    findings: &'a mut Vec<Finding>,
}

impl<'a> ElementReader<'a> {
    /// A reader; what is wrong goes to `findings`.
    pub fn new(element: &'a Element, findings: &'a mut Vec<Finding>) -> Self {
        let known = vec!["@type", "type", "@id", "id", "@label", "@log_level", "log_level"];
        ElementReader { element, known, findings }
    }

    /// The element.
    pub fn element(&self) -> &'a Element {
        self.element
    }

    /// The text of an option. `key` is from now on known.
    pub fn text(&mut self, key: &'static str) -> Option<&'a str> {
        self.known.push(key);
        self.element.get(key)
    }

    /// A text that must be there.
    pub fn required(&mut self, key: &'static str) -> &'a str {
        let found = self.text(key);
        if found.is_none() {
            let (name, line) = (&self.element.name, self.element.line);
            let message = format!("this <{name}> needs `{key}`");
            self.findings.push(Finding { file: self.element.file.clone(), line, message, note: false });
        }
        found.unwrap_or_default()
    }

    /// `true` or `false` (also `yes` and `no`, and nothing, which is `true`).
    pub fn flag(&mut self, key: &'static str) -> Option<bool> {
        match self.text(key)? {
            "true" | "yes" | "" => Some(true),
            "false" | "no" => Some(false),
            other => {
                self.wrong(key, &format!("`{other}` is neither true nor false"));
                None
            }
        }
    }

    /// A whole number.
    pub fn number(&mut self, key: &'static str) -> Option<i64> {
        let text = self.text(key)?;
        let number = text.parse().ok();
        if number.is_none() {
            self.wrong(key, &format!("`{text}` is not a whole number"));
        }
        number
    }

    /// A size in bytes: digits and `k m g t` (1024s), or nothing.
    pub fn size(&mut self, key: &'static str) -> Option<u64> {
        let text = self.text(key)?;
        let size = super::bytes(text);
        if size.is_none() {
            self.wrong(key, &format!("`{text}` is not a size, such as 8m"));
        }
        size
    }

    /// A time in nanoseconds: a number, also with a fraction, of seconds, or digits and `s m h d`.
    pub fn time(&mut self, key: &'static str) -> Option<i64> {
        let text = self.text(key)?;
        let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
        let time = super::duration(text).or(seconds.map(|seconds| (seconds * 1e9) as i64));
        if time.is_none() {
            self.wrong(key, &format!("`{text}` is not a time, such as 5s"));
        }
        time
    }

    /// A list: comma-separated, or a JSON list of texts.
    pub fn list(&mut self, key: &'static str) -> Option<Vec<String>> {
        let text = self.text(key)?.trim();
        let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        let items = inner.split(',').map(|item| item.trim().trim_matches('"').to_owned());
        Some(items.filter(|item| !item.is_empty()).collect())
    }

    /// The first element of this name inside; `name` is from now on known.
    pub fn child(&mut self, name: &'static str) -> Option<&'a Element> {
        self.known.push(name);
        self.element.children.iter().find(|child| child.name == name)
    }

    /// All elements of this name inside; `name` is from now on known.
    pub fn children(&mut self, name: &'static str) -> impl Iterator<Item = &'a Element> + use<'a> {
        self.known.push(name);
        self.element.children.iter().filter(move |child| child.name == name)
    }

    /// A reader for an element inside; to be ended with [`ElementReader::finish`].
    pub fn inside<'b>(&'b mut self, child: &'b Element) -> ElementReader<'b> {
        ElementReader::new(child, self.findings)
    }

    /// Options that are understood and have no effect here, `why`; told as notes where they are given.
    pub fn without_effect(&mut self, keys: &[&'static str], why: &str) {
        for key in keys {
            if self.text(key).is_some() {
                self.report(key, &format!("`{key}` has no effect: {why}"), true);
            }
        }
    }

    /// Reports an option's value as wrong.
    pub fn wrong(&mut self, key: &str, message: &str) {
        self.report(key, &format!("`{key}`: {message}"), false);
    }

    fn report(&mut self, key: &str, message: &str, note: bool) {
        let pair = self.element.pairs.iter().rev().find(|pair| pair.key == key);
        let place = pair.map_or((&self.element.file, self.element.line), |pair| (&pair.file, pair.line));
        let message = message.to_owned();
        self.findings.push(Finding { file: place.0.clone(), line: place.1, message, note });
    }

    /// Reports what nobody asked for.
    pub fn finish(self) {
        let ElementReader { element, known, findings } = self;
        let mut unknown = |file: &Arc<PathBuf>, line, what: String, name: &str| {
            let message = format!("{what}{}", suggestion(name, known.iter().copied()));
            findings.push(Finding { file: file.clone(), line, message, note: false });
        };
        let of = format!("<{}>", element.name);
        for pair in element.pairs.iter().filter(|pair| !known.contains(&pair.key.as_str())) {
            unknown(&pair.file, pair.line, format!("{of} has no option `{}`", pair.key), &pair.key);
        }
        for child in element.children.iter().filter(|child| !known.contains(&child.name.as_str())) {
            unknown(&child.file, child.line, format!("{of} has no <{}> inside", child.name), &child.name);
        }
    }
}
