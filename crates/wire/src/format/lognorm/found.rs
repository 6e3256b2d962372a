//! The fields of what was found: those of types and repetitions put together by the rules of names. Knows nothing of how lines
//! are looked up.

use std::ops::Range;

use sawlog_model::Value;

use super::RuleBase;
use super::graph::Name;
use super::motif::{Motif, Repeat, Worthy};
use super::walk::{Capture, Memory, find_part};

/// A line that is of a rule.
pub struct Match<'a> {
    pub(super) base: &'a RuleBase,
    pub(super) line: &'a [u8],
    pub(super) memory: &'a Memory,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// A part of the line.
    Part(Range<usize>),
    /// Something else.
    Made(Value),
}

/// Names of what a rule adds.
const TAGS: &str = "event.tags";

impl Match<'_> {
    /// Gives each field, in the order of the line; of one name the first. Then the tags of the rule, and what they add.
    pub fn each(&self, mut give: impl FnMut(&str, Found)) {
        let fields = Reader { base: self.base, line: self.line, depth: 0 }.fields(&self.memory.captures);
        let Some(rule) =
            self.base.rule_of(self.memory.end).and_then(|rule| self.base.rules.get(rule as usize))
        else {
            return fields.into_iter().for_each(|(name, found)| give(&name, found));
        };
        let adds = |name: &str| name == TAGS || rule.annotations.iter().any(|(have, _)| have == name);
        let tagged = !rule.tags.is_empty();
        for (name, found) in fields {
            if !(tagged && adds(&name)) {
                give(&name, found);
            }
        }
        if tagged {
            let tags = rule.tags.iter().map(|tag| Value::Str(tag.clone())).collect();
            give(TAGS, Found::Made(Value::List(tags)));
            for (name, value) in &rule.annotations {
                give(name, Found::Made(Value::Str(value.clone())));
            }
        }
    }

    /// The fields as entries.
    pub(super) fn entries(&self, entries: &mut Vec<(Value, Value)>) {
        self.each(|name, found| entries.push((Value::Str(name.to_owned()), value(self.line, found))));
    }
}

fn value(line: &[u8], found: Found) -> Value {
    match found {
        Found::Part(range) => Value::Str(String::from_utf8_lossy(&line[range]).into_owned()),
        Found::Made(value) => value,
    }
}

struct Reader<'a> {
    base: &'a RuleBase,
    line: &'a [u8],
    depth: usize,
}

type Fields<'a> = Vec<(std::borrow::Cow<'a, str>, Found)>;

/// Adds a field, unless there is one of the name.
fn add<'a>(fields: &mut Fields<'a>, name: std::borrow::Cow<'a, str>, found: Found) {
    if fields.iter().all(|(have, _)| *have != name) {
        fields.push((name, found));
    }
}

impl<'a> Reader<'a> {
    fn fields(&mut self, captures: &[Capture]) -> Fields<'a> {
        let mut fields = Fields::new();
        for capture in captures {
            let edge = &self.base.edges[capture.edge as usize];
            let range = capture.from as usize..capture.to as usize;
            let name = match (&edge.name, &edge.motif) {
                (Name::Nothing, _) => continue,
                (Name::Parent, Motif::Type(number)) => {
                    let inside = self.inside(self.base.types[*number as usize], range.start);
                    let inside = inside.map_or_else(Vec::new, |(fields, _)| fields);
                    inside.into_iter().for_each(|(name, found)| add(&mut fields, name, found));
                    continue;
                }
                (Name::Parent, Motif::Pairs(pairs)) => {
                    for (name, value) in pairs.list(self.line, range.start) {
                        let name = String::from_utf8_lossy(&self.line[name]).into_owned();
                        add(&mut fields, name.into(), Found::Part(value));
                    }
                    continue;
                }
                (Name::Parent, _) => None,
                (Name::Is(name), _) => Some(&**name),
            };
            let found = match &edge.motif {
                Motif::Type(number) => self.typed(*number, range),
                Motif::Repeat(repeat) => Found::Made(self.repeated(repeat, range)),
                motif => match motif.worth(self.line, range) {
                    Worthy::Part(range) => Found::Part(range),
                    Worthy::Made(value) => Found::Made(value),
                },
            };
            match (name, found) {
                (None, Found::Made(Value::Map(entries))) => {
                    for (key, value) in entries {
                        if let Value::Str(key) = key {
                            add(&mut fields, key.into(), Found::Made(value));
                        }
                    }
                }
                (name, found) => add(&mut fields, name.unwrap_or(".").into(), found),
            }
        }
        fields
    }

    /// What a part of the line is in a graph of its own.
    fn inside(&mut self, root: u32, at: usize) -> Option<(Fields<'a>, usize)> {
        if self.depth >= self.base.limits.depth {
            return None;
        }
        let mut memory = Memory::default();
        let end = find_part(self.base, root, self.line, at, self.depth + 1, &mut memory)?;
        self.depth += 1;
        let fields = self.fields(&memory.captures);
        self.depth -= 1;
        Some((fields, end))
    }

    /// A field of a type: an object, or what its only field called `..` is.
    fn typed(&mut self, number: u32, range: Range<usize>) -> Found {
        let root = self.base.types[number as usize];
        let Some((mut fields, _)) = self.inside(root, range.start) else { return Found::Part(range) };
        if let [(name, _)] = fields.as_slice()
            && name == ".."
            && let Some((_, found)) = fields.pop()
        {
            return found;
        }
        Found::Made(self.object(fields))
    }

    fn object(&self, fields: Fields<'a>) -> Value {
        let entry = |(name, found): (std::borrow::Cow<'a, str>, Found)| {
            (Value::Str(name.into_owned()), value(self.line, found))
        };
        Value::Map(fields.into_iter().map(entry).collect())
    }

    fn repeated(&mut self, repeat: &Repeat, range: Range<usize>) -> Value {
        let (mut list, mut at) = (Vec::new(), range.start);
        while let Some((mut fields, end)) = self.inside(repeat.parser, at) {
            let own = fields.iter().position(|(name, _)| name == ".");
            list.push(match own {
                Some(own) => value(self.line, fields.swap_remove(own).1),
                None => self.object(fields),
            });
            if end >= range.end && !(repeat.permits_mismatch && end == at) {
                break;
            }
            match self.inside(repeat.condition, end) {
                Some((_, next)) if next > at && list.len() < self.base.limits.fields => at = next,
                _ => break,
            }
        }
        Value::List(list)
    }
}
