//! The fields of what was found: those of types and repetitions put together by the rules of names. Knows nothing of how lines
//! are looked up.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use sawlog_model::{Value, value};

use super::graph::{Edge, NO_RULE, Name};
use super::motif::{Entries, Motif, Nested, Suffixes, Tokens, Worthy, read_as};
use super::walk::{Capture, ITEM, Memory};
use super::{Rule, RuleBase};

/// A line that is of a rule.
pub struct Match<'a> {
    pub(super) base: &'a RuleBase,
    pub(super) line: &'a [u8],
    pub(super) memory: &'a mut Memory,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Found<'a> {
    /// A part of the line.
    Part(Range<usize>),
    /// Something else.
    Made(Cow<'a, Value>),
}

/// Names of a line's fields that were given already.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// By the numbers of names: the line in which each was seen last.
    lines: Vec<u64>,
    line: u64,
    others: HashSet<String>,
}

impl Seen {
    fn start(&mut self, names: usize) {
        self.lines.resize(names.max(self.lines.len()), 0);
        self.line += 1;
        if !self.others.is_empty() {
            self.others.clear();
        }
    }

    /// Whether a name comes for the first time.
    #[inline]
    fn is_new(&mut self, name: u32) -> bool {
        std::mem::replace(&mut self.lines[name as usize], self.line) != self.line
    }

    fn is_new_text(&mut self, base: &RuleBase, name: &str) -> bool {
        match base.names.find(name) {
            Some(number) => self.is_new(number),
            None => self.others.insert(name.to_owned()),
        }
    }
}

/// What a field is called: by its number, or as the line says.
enum Label<'a> {
    Number(u32),
    Text(&'a str),
}

/// What takes fields.
trait Taker {
    fn part(&mut self, label: Label<'_>, range: Range<usize>);
    fn made(&mut self, label: Label<'_>, value: Cow<'_, Value>);

    fn found(&mut self, label: Label<'_>, found: Found<'_>) {
        match found {
            Found::Part(range) => self.part(label, range),
            Found::Made(value) => self.made(label, value),
        }
    }
}

/// Gives fields to a function.
struct Each<'a, F>(&'a RuleBase, F);

impl<F: FnMut(&str, Found<'_>)> Taker for Each<'_, F> {
    fn part(&mut self, label: Label<'_>, range: Range<usize>) {
        self.found(label, Found::Part(range));
    }

    fn made(&mut self, label: Label<'_>, value: Cow<'_, Value>) {
        self.found(label, Found::Made(value));
    }

    fn found(&mut self, label: Label<'_>, found: Found<'_>) {
        match label {
            Label::Number(number) => (self.1)(self.0.names.name(number), found),
            Label::Text(name) => (self.1)(name, found),
        }
    }
}

/// Writes fields as JSON, each behind a comma.
struct Written<'a> {
    base: &'a RuleBase,
    line: &'a [u8],
    ascii: bool,
    out: &'a mut Vec<u8>,
}

impl Written<'_> {
    fn key(&mut self, name: &str) {
        self.out.extend_from_slice(b",\"");
        value::escape(name, self.out);
        self.out.extend_from_slice(b"\":");
    }
}

impl Taker for Written<'_> {
    #[inline]
    fn part(&mut self, label: Label<'_>, range: Range<usize>) {
        match label {
            Label::Number(name) => self.out.extend_from_slice(self.base.names.key_of_text(name)),
            Label::Text(name) => {
                self.key(name);
                self.out.push(b'"');
            }
        }
        write_text(&self.line[range], self.ascii, self.out);
        self.out.push(b'"');
    }

    fn made(&mut self, label: Label<'_>, value: Cow<'_, Value>) {
        match label {
            Label::Number(name) => self.out.extend_from_slice(self.base.names.key(name)),
            Label::Text(name) => self.key(name),
        }
        value::render(&value, self.out);
    }
}

impl Match<'_> {
    /// Gives each field, in the order of the line; of one name the first. Then the tags of the rule, and what they add.
    pub fn each(&mut self, give: impl FnMut(&str, Found<'_>)) {
        let base = self.base;
        let mut each = Each(base, give);
        self.visit(&mut each);
        for (name, value) in self.rule().into_iter().flat_map(|rule| &rule.adds) {
            each.made(Label::Number(*name), Cow::Borrowed(value));
        }
    }

    /// Appends the fields as an object of JSON.
    pub fn write_json(&mut self, out: &mut Vec<u8>) {
        let (base, line, start) = (self.base, self.line, out.len());
        self.visit(&mut Written { base, line, ascii: line.is_ascii(), out });
        if let Some(rule) = self.rule() {
            out.extend_from_slice(&rule.json);
        }
        // The first comma stands where the object opens.
        match out.get_mut(start) {
            Some(first) => *first = b'{',
            None => out.push(b'{'),
        }
        out.push(b'}');
    }

    /// The rule that the line is of, where it has tags.
    fn rule(&self) -> Option<&Rule> {
        self.base.rules.get(self.memory.rule as usize).filter(|rule| !rule.adds.is_empty())
    }

    /// Gives the fields that the line itself has.
    #[inline]
    fn visit(&mut self, taker: &mut impl Taker) {
        let (base, line) = (self.base, self.line);
        let Memory { captures, seen, rule, .. } = &mut *self.memory;
        seen.start(base.names.len());
        for (name, _) in base.rules.get(*rule as usize).into_iter().flat_map(|rule| &rule.adds) {
            // What tags add stands in the place of a field of that name.
            seen.is_new(*name);
        }
        let reader = Reader { base, line };
        for (edge, capture, inside) in reader.captures(captures) {
            match edge.name {
                Name::Nothing => {}
                Name::Is(name) if !seen.is_new(name) => {}
                Name::Is(name) if edge.is_text => {
                    taker.part(Label::Number(name), capture.from as usize..capture.to as usize);
                }
                Name::Is(name) => taker.found(Label::Number(name), reader.found(edge, capture, inside)),
                Name::Parent => reader.merged(edge, capture, inside, |name, found| {
                    if seen.is_new_text(base, &name) {
                        taker.found(Label::Text(&name), found);
                    }
                }),
            }
        }
    }
}

/// Appends text as it stands in a string of JSON.
#[inline]
pub(super) fn write_text(bytes: &[u8], ascii: bool, out: &mut Vec<u8>) {
    if ascii || std::str::from_utf8(bytes).is_ok() {
        value::escape_bytes(bytes, out);
    } else {
        value::escape(&String::from_utf8_lossy(bytes), out);
    }
}

/// Reads what was noted of a line.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub base: &'a RuleBase,
    pub line: &'a [u8],
}

type Fields<'a> = Entries<Cow<'a, str>, Found<'a>>;

impl<'a> Reader<'a> {
    /// The fields among captures, each with what stands in it.
    fn captures<'c>(
        self,
        captures: &'c [Capture],
    ) -> impl Iterator<Item = (&'a Edge, &'c Capture, &'c [Capture])> {
        items(captures)
            .map(move |(capture, inside)| (&self.base.edges[capture.edge as usize], capture, inside))
    }

    fn found(self, edge: &Edge, capture: &Capture, inside: &[Capture]) -> Found<'a> {
        let range = capture.from as usize..capture.to as usize;
        match &edge.motif {
            Motif::Type(_) => self.typed(inside),
            Motif::Repeat(_) => {
                made(Value::List(items(inside).map(|(_, inside)| self.repeated(inside)).collect()))
            }
            Motif::Nested(nested) if capture.rule != NO_RULE => self.nested(nested, capture, range, inside),
            motif => match motif.worth(self.line, range) {
                Worthy::Part(range) => Found::Part(range),
                Worthy::Made(value) => made(value),
            },
        }
    }

    /// What a field without a name of its own adds to what it stands in.
    fn merged(
        self,
        edge: &Edge,
        capture: &Capture,
        inside: &[Capture],
        mut add: impl FnMut(Cow<'a, str>, Found<'a>),
    ) {
        match &edge.motif {
            Motif::Type(_) => {
                self.fields(inside).into_list().into_iter().for_each(|(name, found)| add(name, found))
            }
            Motif::Pairs(pairs) => {
                for (name, value) in pairs.list(self.line, capture.from as usize) {
                    add(String::from_utf8_lossy(name), Found::Part(value));
                }
            }
            _ => match self.found(edge, capture, inside) {
                Found::Made(value) if matches!(*value, Value::Map(_)) => {
                    let Value::Map(entries) = value.into_owned() else { return };
                    for (key, value) in entries {
                        if let Value::Str(key) = key {
                            add(key.into(), made(value));
                        }
                    }
                }
                found => add(".".into(), found),
            },
        }
    }

    /// The fields of a graph of its own; of one name the first.
    fn fields(self, captures: &[Capture]) -> Fields<'a> {
        let mut fields = Fields::new();
        for (edge, capture, inside) in self.captures(captures) {
            match edge.name {
                Name::Nothing => {}
                Name::Is(name) => {
                    fields.add(self.base.names.name(name).into(), self.found(edge, capture, inside));
                }
                Name::Parent => {
                    self.merged(edge, capture, inside, |name, found| fields.add(name, found));
                }
            }
        }
        fields
    }

    /// A field of a type: an object, or what its only field called `..` is.
    fn typed(self, inside: &[Capture]) -> Found<'a> {
        let mut fields = self.fields(inside).into_list();
        if let [(name, _)] = fields.as_slice()
            && name == ".."
            && let Some((_, found)) = fields.pop()
        {
            return found;
        }
        made(self.object(fields))
    }

    fn object(self, fields: Vec<(Cow<'a, str>, Found<'a>)>) -> Value {
        let entry =
            |(name, found): (Cow<'a, str>, Found<'a>)| (Value::Str(name.into_owned()), self.value(found));
        Value::Map(fields.into_iter().map(entry).collect())
    }

    fn repeated(self, inside: &[Capture]) -> Value {
        let mut fields = self.fields(inside).into_list();
        match fields.iter().position(|(name, _)| name == ".") {
            Some(own) => self.value(fields.swap_remove(own).1),
            None => self.object(fields),
        }
    }

    fn value(self, found: Found<'a>) -> Value {
        match found {
            Found::Part(range) => Value::Str(String::from_utf8_lossy(&self.line[range]).into_owned()),
            Found::Made(value) => value.into_owned(),
        }
    }

    fn nested(
        self,
        nested: &Nested,
        capture: &Capture,
        range: Range<usize>,
        inside: &[Capture],
    ) -> Found<'a> {
        match nested {
            Nested::Rules { rest, .. } => made(self.by_rules(capture.rule, inside, Some(*rest))),
            Nested::Tokens(tokens) => made(Value::List(
                items(inside).map(|(item, inside)| self.token(tokens, item, inside)).collect(),
            )),
            Nested::Interpret { given, .. } => {
                let read = self
                    .named(inside, self.base.default)
                    .and_then(|found| read_as(*given, &self.value(found)));
                read.map_or(Found::Part(range), made)
            }
            Nested::Suffixed(suffixes) => made(self.suffixed(suffixes, range, inside)),
        }
    }

    /// What a line of rules is, with its tags, but for what is left of it.
    fn by_rules(self, rule: u32, captures: &[Capture], rest: Option<u32>) -> Value {
        let mut fields = self.fields(captures);
        for (name, value) in self.base.rules.get(rule as usize).into_iter().flat_map(|rule| &rule.adds) {
            fields.put(self.base.names.name(*name).into(), Found::Made(Cow::Borrowed(value)));
        }
        let mut fields = fields.into_list();
        if let Some(rest) = rest {
            fields.retain(|(name, _)| name != self.base.names.name(rest));
        }
        self.object(fields)
    }

    fn token(self, tokens: &Tokens, item: &Capture, inside: &[Capture]) -> Value {
        if tokens.are_lines {
            let left = self.text_len(inside, tokens.rest).filter(|left| *left > 0);
            return self.by_rules(item.rule, inside, left.map(|_| tokens.rest));
        }
        self.named(inside, self.base.default).map_or(Value::Nil, |found| self.value(found))
    }

    fn suffixed(self, suffixes: &Suffixes, range: Range<usize>, inside: &[Capture]) -> Value {
        let text = |text: &str| Value::Str(text.to_owned());
        let behind = self.line.len() - self.text_len(inside, self.base.tail).unwrap_or_default();
        let suffix = String::from_utf8_lossy(&self.line[behind.min(range.end)..range.end]).into_owned();
        let mut entries = Vec::new();
        if suffixes.value != suffixes.suffix {
            let value = self.named(inside, self.base.default).map_or(Value::Nil, |found| self.value(found));
            entries.push((text(&suffixes.value), value));
        }
        entries.push((text(&suffixes.suffix), Value::Str(suffix)));
        Value::Map(entries)
    }

    /// The first field of a name, as it was noted.
    fn first<'c>(self, captures: &'c [Capture], name: u32) -> Option<(&'a Edge, &'c Capture, &'c [Capture])> {
        self.captures(captures).find(|(edge, ..)| edge.name == Name::Is(name))
    }

    /// The first field of a name.
    fn named(self, captures: &[Capture], name: u32) -> Option<Found<'a>> {
        let (edge, capture, inside) = self.first(captures, name)?;
        Some(self.found(edge, capture, inside))
    }

    /// How long the text of a field is; none where there is no such field.
    pub(super) fn text_len(self, captures: &[Capture], name: u32) -> Option<usize> {
        let (edge, capture, inside) = self.first(captures, name)?;
        match &edge.motif {
            // Objects and lists are no text; they need not be made to know that.
            Motif::Nested(nested)
                if capture.rule != NO_RULE && !matches!(**nested, Nested::Interpret { .. }) =>
            {
                Some(0)
            }
            _ => match self.found(edge, capture, inside) {
                Found::Part(range) => Some(range.len()),
                Found::Made(value) => Some(value.as_str().map_or(0, str::len)),
            },
        }
    }
}

fn made<'a>(value: Value) -> Found<'a> {
    Found::Made(Cow::Owned(value))
}

/// What stands beside one another among captures, each with what stands in it.
fn items(mut captures: &[Capture]) -> impl Iterator<Item = (&Capture, &[Capture])> {
    std::iter::from_fn(move || {
        let (first, after) = captures.split_first()?;
        debug_assert!(first.edge != ITEM || first.inside as usize <= after.len());
        let (inside, next) = after.split_at(first.inside as usize);
        captures = next;
        Some((first, inside))
    })
}
