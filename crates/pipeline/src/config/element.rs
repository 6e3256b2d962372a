//! Elements of a Fluentd configuration (`<source>`, `<parse>` and so on) as a tree, and reading one element's options with
//! everything that is wrong told with file and line. Knows nothing of the file's syntax, nor of what options mean.

use std::path::PathBuf;
use std::sync::Arc;

use sawlog_model::{Limits, value};

use super::{Compat, suggestion};

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
    /// Its name as it is written: `<source>`, or `[section]`.
    fn shown(&self) -> String {
        if self.name.starts_with('[') { self.name.clone() } else { format!("<{}>", self.name) }
    }

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

/// Options of ours by name, with their values.
pub type Given = Vec<(&'static str, Vec<String>)>;

/// What Fluentd's configurations call a protocol in one role, and how its options are read.
pub struct FluentForm {
    /// Where it may stand.
    pub role: Role,
    /// Values of `@type`.
    pub names: &'static [&'static str],
    /// Gives the options of ours that the element means. It takes every option it knows from the reader; what is left is
    /// reported as unknown, with the nearest name. `@type`, `@id`, `@label`, `@log_level` and `<buffer>`, `<secondary>`
    /// are read by the caller.
    pub read: fn(&mut ElementReader<'_>) -> Given,
}

/// Options that every element may have; they are read elsewhere.
const EVERYWHERE: &[&str] = &["@type", "type", "@id", "id", "@label", "@log_level", "log_level"];

/// Reads the options of an element: each is taken by its name once; whatever was not taken is unknown.
pub struct ElementReader<'a> {
    element: &'a Element,
    compat: Compat,
    known: Vec<&'static str>,
    findings: &'a mut Vec<Finding>,
}

impl<'a> ElementReader<'a> {
    /// A reader; what is wrong goes to `findings`.
    pub fn new(element: &'a Element, findings: &'a mut Vec<Finding>) -> Self {
        Self::compatible(element, Compat::Fluentd, findings)
    }

    /// A reader of the dialect: it decides what units of sizes and times mean.
    pub fn compatible(element: &'a Element, compat: Compat, findings: &'a mut Vec<Finding>) -> Self {
        ElementReader { element, compat, known: EVERYWHERE.to_vec(), findings }
    }

    /// The dialect that the element is written in.
    pub fn compat(&self) -> Compat {
        self.compat
    }

    /// Says that these are read elsewhere.
    pub(super) fn knows(&mut self, keys: &[&'static str]) {
        self.known.extend_from_slice(keys);
    }

    /// The element.
    pub fn element(&self) -> &'a Element {
        self.element
    }

    /// The options that were asked for so far: those that the element may have.
    pub fn asked(&self) -> &[&'static str] {
        &self.known[EVERYWHERE.len()..]
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
            let (name, line) = (self.element.shown(), self.element.line);
            let message = format!("this {name} needs `{key}`");
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

    /// A number, also with a fraction.
    pub fn decimal(&mut self, key: &'static str) -> Option<f64> {
        let text = self.text(key)?;
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        if number.is_none() {
            self.wrong(key, &format!("`{text}` is not a number"));
        }
        number
    }

    /// A size in bytes: digits and `k m g t`, also as `kb` and `KiB`, or nothing. Fluentd counts in 1024s, ik in 1000s but for
    /// `ki`, `mi` and so on.
    pub fn size(&mut self, key: &'static str) -> Option<u64> {
        let text = self.text(key)?;
        let size = size(text, self.compat);
        if size.is_none() {
            self.wrong(key, &format!("`{text}` is not a size, such as 8m"));
        }
        size
    }

    /// A time in nanoseconds: a number, also with a fraction, of seconds, or digits and `s m h d`; in ik's dialect also as
    /// Go writes it (`1m30s`, `250ms`).
    pub fn time(&mut self, key: &'static str) -> Option<i64> {
        let text = self.text(key)?;
        let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
        let time = super::duration(text).or(seconds.map(|seconds| (seconds * 1e9) as i64));
        let time = if self.compat == Compat::Ik { time.or_else(|| go_duration(text)) } else { time };
        if time.is_none() {
            self.wrong(key, &format!("`{text}` is not a time, such as 5s"));
        }
        time
    }

    /// A list: comma-separated, or a JSON list of texts.
    pub fn list(&mut self, key: &'static str) -> Option<Vec<String>> {
        let text = self.text(key)?.trim();
        let items = if text.starts_with('[') {
            match value::parse_json(text.as_bytes(), &Limits::default()) {
                Ok(value::Value::List(items)) => items.iter().map(plain).collect(),
                _ => {
                    self.wrong(key, &format!("`{text}` is not a list, such as [\"a\", \"b\"] or a,b"));
                    return None;
                }
            }
        } else {
            text.split(',').map(|item| item.trim().trim_matches('"').to_owned()).collect::<Vec<_>>()
        };
        Some(items.into_iter().filter(|item| !item.is_empty()).collect())
    }

    /// Pairs of names and texts: `a:x,b:y`, or a JSON object.
    pub fn map(&mut self, key: &'static str) -> Option<Vec<(String, String)>> {
        let text = self.text(key)?.trim();
        let pairs = if text.starts_with('{') {
            match value::parse_json(text.as_bytes(), &Limits::default()) {
                Ok(value::Value::Map(entries)) => {
                    Some(entries.iter().map(|(name, value)| (plain(name), plain(value))).collect())
                }
                _ => None,
            }
        } else {
            let pair = |item: &str| {
                let (name, value) = item.split_once(':')?;
                Some((name.trim().to_owned(), value.trim().to_owned()))
            };
            text.split(',').filter(|item| !item.trim().is_empty()).map(pair).collect()
        };
        if pairs.is_none() {
            self.wrong(key, &format!("`{text}` are no pairs, such as a:x,b:y or {{\"a\": \"x\"}}"));
        }
        pairs
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
        ElementReader::compatible(child, self.compat, self.findings)
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

    /// Reports a line of an option's value, counted from 0, as wrong or as worth knowing.
    pub fn tell_at(&mut self, key: &str, line: usize, message: &str, note: bool) {
        self.report(key, &format!("`{key}`: {message}"), note);
        if let Some(finding) = self.findings.last_mut() {
            finding.line += line;
        }
    }

    /// Reports what is worth knowing of an option.
    pub fn note(&mut self, key: &str, message: &str) {
        self.report(key, message, true);
    }

    /// Reports what is worth knowing of an element.
    pub fn note_at(&mut self, element: &Element, message: String) {
        self.findings.push(Finding { file: element.file.clone(), line: element.line, message, note: true });
    }

    fn report(&mut self, key: &str, message: &str, note: bool) {
        let pair = self.element.pairs.iter().rev().find(|pair| pair.key == key);
        let place = pair.map_or((&self.element.file, self.element.line), |pair| (&pair.file, pair.line));
        let message = message.to_owned();
        self.findings.push(Finding { file: place.0.clone(), line: place.1, message, note });
    }

    /// Reports what nobody asked for.
    pub fn finish(self) {
        let ElementReader { element, mut known, findings, .. } = self;
        known.sort_unstable();
        known.dedup();
        let mut unknown = |file: &Arc<PathBuf>, line, what: String, name: &str| {
            let message = format!("{what}{}", suggestion(name, known.iter().copied()));
            findings.push(Finding { file: file.clone(), line, message, note: false });
        };
        let of = element.shown();
        for pair in element.pairs.iter().filter(|pair| !known.contains(&pair.key.as_str())) {
            unknown(&pair.file, pair.line, format!("{of} has no option `{}`", pair.key), &pair.key);
        }
        for child in element.children.iter().filter(|child| !known.contains(&child.name.as_str())) {
            unknown(&child.file, child.line, format!("{of} has no <{}> inside", child.name), &child.name);
        }
    }
}

/// A value as a text without quotes.
fn plain(value: &value::Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    let mut text = Vec::new();
    value::render(value, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn size(text: &str, compat: Compat) -> Option<u64> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = (text[..end].parse::<u64>().ok()?, text[end..].trim().to_ascii_lowercase());
    let mut unit = unit.chars();
    let power = match unit.next() {
        None => return Some(number),
        Some('b') if unit.as_str().is_empty() => return Some(number),
        Some(letter) => "kmgtpe".find(letter)? + 1,
    };
    let base: u64 = match (compat, unit.as_str()) {
        (_, "ib" | "i") => 1024,
        (Compat::Ik, "" | "b") => 1000,
        (_, "" | "b") => 1024,
        _ => return None,
    };
    number.checked_mul(base.checked_pow(power as u32)?)
}

/// `1h15m30.918s`: numbers, each with its unit.
fn go_duration(text: &str) -> Option<i64> {
    let (mut rest, mut total) = (text, 0_f64);
    while !rest.is_empty() {
        let end = rest.find(|character: char| !(character.is_ascii_digit() || character == '.'))?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|character: char| character.is_ascii_digit()).unwrap_or(rest.len());
        total += number * super::duration(&format!("1{}", rest[..end].replace('µ', "u")))? as f64;
        rest = &rest[end..];
    }
    (!text.is_empty()).then_some(total as i64)
}
