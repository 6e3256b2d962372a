//! Texts with `${…}` in them, and trees of such texts. Knows nothing of which fields they are for.

use std::borrow::Cow;

use sawlog_model::{Batch, Limits, Nanos, RowRef, Value};
use sawlog_pipeline::config::suggestion;

use crate::shared::record::{Accessor, Bound, plain_text, tag};
use crate::shared::strftime::TimeFormat;

/// What `${…}` stands for.
#[derive(Clone, Debug, PartialEq)]
enum Place {
    Tag,
    TagPart(i64),
    /// The tag up to and with this part.
    TagPrefix(i64),
    /// The tag from this part.
    TagSuffix(i64),
    Hostname,
    Time,
    Field(Accessor),
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Place(Place),
}

/// A text with places.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
}

/// Names that may stand behind `${`.
const NAMES: [&str; 7] = ["tag", "tag_parts", "tag_prefix", "tag_suffix", "hostname", "time", "record"];

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// In words, where something in `${…}` is not known.
    pub fn parse(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        let mut plain = String::new();
        while let Some(at) = rest.find("${") {
            plain.push_str(&rest[..at]);
            rest = &rest[at + 2..];
            let Some(end) = end_of_place(rest).filter(|end| *end > 0) else {
                plain.push_str("${");
                continue;
            };
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Place(place(&rest[..end])?));
            rest = &rest[end + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() || parts.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Template { parts })
    }

    /// The fields that it reads.
    pub fn fields(&self) -> impl Iterator<Item = &Accessor> {
        self.parts.iter().filter_map(|part| match part {
            Part::Place(Place::Field(accessor)) => Some(accessor),
            _ => None,
        })
    }

    /// Whether it is the same for all rows of a batch.
    pub fn is_constant(&self) -> bool {
        !self.parts.iter().any(|part| matches!(part, Part::Place(Place::Field(_) | Place::Time)))
    }

    /// What it is for a row of `scope`'s batch; `fields` are its own, for that batch. With `typed`, a template of nothing
    /// but one place has the type of what it stands for.
    pub fn value(
        &self,
        scope: &Scope<'_>,
        row: Option<RowRef<'_>>,
        fields: &[Bound<'_>],
        typed: bool,
    ) -> Value {
        if let ([Part::Place(place)], true) = (self.parts.as_slice(), typed) {
            return scope.value(place, row, fields.first());
        }
        Value::Str(self.text(scope, row, fields))
    }

    /// The same as text.
    pub fn text(&self, scope: &Scope<'_>, row: Option<RowRef<'_>>, fields: &[Bound<'_>]) -> String {
        let mut fields = fields.iter();
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Place(place) => {
                    let field = if let Place::Field(_) = place { fields.next() } else { None };
                    out.push_str(&String::from_utf8_lossy(&plain_text(&scope.value(place, row, field))));
                }
            }
        }
        out
    }
}

/// Where the `}` is that ends a place; one in quotes does not.
fn end_of_place(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (byte, quote) {
            (b'}', None) => return Some(at),
            (b'"' | b'\'', None) => quote = Some(byte),
            (_, Some(open)) if byte == open => quote = None,
            _ => {}
        }
    }
    // A quote that is not closed is no quote.
    text.find('}')
}

fn place(text: &str) -> Result<Place, String> {
    let text = text.trim();
    let indexed = |name: &str| -> Option<i64> {
        text.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?.trim().parse().ok()
    };
    match text {
        "tag" => return Ok(Place::Tag),
        "hostname" => return Ok(Place::Hostname),
        "time" => return Ok(Place::Time),
        "tag_parts.first" => return Ok(Place::TagPart(0)),
        "tag_parts.last" => return Ok(Place::TagPart(-1)),
        _ => {}
    }
    if let Some(index) = indexed("tag_parts").or_else(|| indexed("tag")) {
        return Ok(Place::TagPart(index));
    }
    if let Some(index) = indexed("tag_prefix") {
        return Ok(Place::TagPrefix(index));
    }
    if let Some(index) = indexed("tag_suffix") {
        return Ok(Place::TagSuffix(index));
    }
    if let Some(accessor) = text.strip_prefix("record").and_then(record_field) {
        return Ok(Place::Field(accessor));
    }
    let name: String = text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    if NAMES.contains(&name.as_str()) {
        return Err(format!(
            "`${{{text}}}` is an expression of Ruby; what computes a field is the filter `remap`"
        ));
    }
    Err(format!("`${{{text}}}` stands for nothing here{}", suggestion(&name, NAMES.into_iter())))
}

/// `["a"]["b"]`, `.dig("a", "b")`, `.a.b`
fn record_field(text: &str) -> Option<Accessor> {
    if text.starts_with('[') {
        return Accessor::parse(&format!("${text}")).ok();
    }
    let dotted = text.strip_prefix('.')?;
    if let Some(arguments) = dotted.strip_prefix("dig(").and_then(|text| text.strip_suffix(')')) {
        let keys = arguments.split(',').map(|key| {
            let key = key.trim();
            let inner = key.strip_prefix('"').and_then(|key| key.strip_suffix('"'));
            inner.or_else(|| key.strip_prefix('\'').and_then(|key| key.strip_suffix('\'')))
        });
        return Accessor::path(keys.collect::<Option<Vec<_>>>()?);
    }
    let is_name = |key: &str| {
        !key.is_empty()
            && key.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '@'))
    };
    dotted.split('.').all(is_name).then(|| Accessor::path(dotted.split('.')))?
}

/// What places stand for in the rows of one batch.
pub struct Scope<'a> {
    tag: Cow<'a, str>,
    host: &'a str,
    time: &'a TimeFormat,
    limits: &'a Limits,
}

impl<'a> Scope<'a> {
    /// That of a batch.
    pub fn new(batch: &'a Batch, host: &'a str, time: &'a TimeFormat, limits: &'a Limits) -> Self {
        Scope { tag: tag(batch), host, time, limits }
    }

    fn value(&self, place: &Place, row: Option<RowRef<'_>>, field: Option<&Bound<'_>>) -> Value {
        let text = |text: &str| Value::Str(text.to_owned());
        match place {
            Place::Tag => text(&self.tag),
            Place::Hostname => text(self.host),
            Place::TagPart(index) => {
                self.part(*index).map_or(Value::Nil, |(start, end)| text(&self.tag[start..end]))
            }
            Place::TagPrefix(index) => {
                self.part(*index).map_or(Value::Nil, |(_, end)| text(&self.tag[..end]))
            }
            Place::TagSuffix(index) => {
                self.part(*index).map_or(Value::Nil, |(start, _)| text(&self.tag[start..]))
            }
            Place::Time => {
                let time: Option<Nanos> = row.map(|row| row.row().time);
                time.map_or(Value::Nil, |time| Value::Str(self.time.text(time)))
            }
            Place::Field(_) => match (row, field) {
                (Some(row), Some(field)) => field.value(row, self.limits).unwrap_or(Value::Nil),
                _ => Value::Nil,
            },
        }
    }

    /// Where a part of the tag begins and ends; from its end where the number is negative.
    fn part(&self, index: i64) -> Option<(usize, usize)> {
        let count = self.tag.split('.').count();
        let index = if index < 0 { index.checked_add(i64::try_from(count).ok()?)? } else { index };
        let index = usize::try_from(index).ok()?;
        let start: usize = self.tag.split('.').take(index).map(|part| part.len() + 1).sum();
        self.tag.split('.').nth(index).map(|part| (start, start + part.len()))
    }
}

/// A value whose texts are templates.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// A text.
    Text(Template),
    /// Anything else that has nothing in it.
    Fixed(Value),
    /// A list.
    List(Vec<Tree>),
    /// A map; its keys are templates, too.
    Map(Vec<(Template, Tree)>),
}

impl Tree {
    /// Reads a value that was given as JSON.
    ///
    /// # Errors
    /// As [`Template::parse`].
    pub fn of(value: Value) -> Result<Tree, String> {
        Ok(match value {
            Value::Str(text) => Tree::Text(Template::parse(&text)?),
            Value::List(list) => Tree::List(list.into_iter().map(Tree::of).collect::<Result<_, _>>()?),
            Value::Map(entries) => {
                let entry = |(key, value): (Value, Value)| {
                    Ok((Template::parse(&String::from_utf8_lossy(&plain_text(&key)))?, Tree::of(value)?))
                };
                Tree::Map(entries.into_iter().map(entry).collect::<Result<_, String>>()?)
            }
            other => Tree::Fixed(other),
        })
    }

    /// Whether it is the same for all rows of a batch.
    pub fn is_constant(&self) -> bool {
        match self {
            Tree::Text(template) => template.is_constant(),
            Tree::Fixed(_) => true,
            Tree::List(list) => list.iter().all(Tree::is_constant),
            Tree::Map(entries) => entries.iter().all(|(key, value)| key.is_constant() && value.is_constant()),
        }
    }

    /// Its templates, in order.
    fn templates<'a>(&'a self, visit: &mut dyn FnMut(&'a Template)) {
        match self {
            Tree::Text(template) => visit(template),
            Tree::Fixed(_) => {}
            Tree::List(list) => list.iter().for_each(|item| item.templates(visit)),
            Tree::Map(entries) => entries.iter().for_each(|(key, value)| {
                visit(key);
                value.templates(visit);
            }),
        }
    }

    /// The fields that it reads, for the rows of a batch.
    pub fn bind(&self, batch: &Batch) -> Vec<Bound<'_>> {
        let mut bound = Vec::new();
        self.templates(&mut |template| bound.extend(template.fields().map(|field| field.of_batch(batch))));
        bound
    }

    /// What it is for a row; `fields` are those of [`Tree::bind`].
    pub fn value(
        &self,
        scope: &Scope<'_>,
        row: Option<RowRef<'_>>,
        fields: &[Bound<'_>],
        typed: bool,
    ) -> Value {
        let mut left = fields;
        self.take_value(scope, row, &mut left, typed)
    }

    fn take_value(
        &self,
        scope: &Scope<'_>,
        row: Option<RowRef<'_>>,
        fields: &mut &[Bound<'_>],
        typed: bool,
    ) -> Value {
        match self {
            Tree::Text(template) => {
                let own;
                (own, *fields) = fields.split_at(template.fields().count());
                template.value(scope, row, own, typed)
            }
            Tree::Fixed(value) => value.clone(),
            Tree::List(list) => {
                Value::List(list.iter().map(|item| item.take_value(scope, row, fields, typed)).collect())
            }
            Tree::Map(entries) => {
                let entry = |(key, value): &(Template, Tree)| {
                    let own;
                    (own, *fields) = fields.split_at(key.fields().count());
                    let key = Value::Str(key.text(scope, row, own));
                    (key, value.take_value(scope, row, fields, typed))
                };
                Value::Map(entries.iter().map(entry).collect())
            }
        }
    }
}
