//! One field of a record by its key or by Fluentd's record accessor: `user`, `$.user.name`, `$['user']['names'][0]`. Where the
//! field is a slot of its row nothing is parsed.

use std::borrow::Cow;

use sawlog_model::{Batch, FieldValue, Kind, Limits, NameId, RowRef, Slot, Value, strip_terminator};

use super::{FORM, MESSAGE, Shape, line_entries, plain_text, shape, text, value};

/// A step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    /// Place in a list; from its end where it is negative.
    Place(i64),
}

/// Which field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accessor {
    first: String,
    rest: Vec<Step>,
    /// The keys up to the first place in a list, dotted: the name of the slot that holds the field or the list.
    dotted: String,
}

impl Accessor {
    /// The field of this very name.
    pub fn key(name: &str) -> Self {
        Accessor { first: name.to_owned(), rest: Vec::new(), dotted: name.to_owned() }
    }

    /// Reads a key or an accessor.
    ///
    /// # Errors
    /// In words, where it begins as an accessor and is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let steps = match (text.strip_prefix("$."), text.starts_with("$[")) {
            (Some(dotted), _) => dot_steps(dotted),
            (None, true) => bracket_steps(&text[1..]),
            (None, false) => return Ok(Accessor::key(text)),
        };
        let steps = steps.map_err(|what| format!("`{text}`: {what}"))?;
        Accessor::of(steps)
            .ok_or_else(|| format!("`{text}` must begin with a key, as in $.user or $['user']"))
    }

    /// The field at the end of these keys; `None` where there is none.
    pub fn path<'a>(keys: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        Accessor::of(keys.into_iter().map(|key| Step::Key(key.to_owned())).collect())
    }

    fn of(steps: Vec<Step>) -> Option<Self> {
        let mut steps = steps.into_iter();
        let Some(Step::Key(first)) = steps.next() else { return None };
        let rest: Vec<_> = steps.collect();
        let mut dotted = first.clone();
        for step in &rest {
            let Step::Key(key) = step else { break };
            dotted.push('.');
            dotted.push_str(key);
        }
        Some(Accessor { first, rest, dotted })
    }

    /// The name of the field, keys joined by dots.
    pub fn name(&self) -> &str {
        &self.dotted
    }

    /// The accessor for the rows of one batch.
    pub fn of_batch<'a>(&'a self, batch: &Batch) -> Bound<'a> {
        let inside =
            |name: &str| name.strip_prefix(self.dotted.as_str()).is_some_and(|rest| rest.starts_with('.'));
        let below = batch.names.iter().any(|name| inside(name));
        Bound { accessor: self, name: batch.names.find(&self.dotted), below }
    }

    /// The value in a record.
    pub fn find<'v>(&self, entries: &'v [(Value, Value)]) -> Option<&'v Value> {
        let last = |entries: &'v [(Value, Value)], key: &str| {
            entries.iter().rev().find(|(have, _)| have.as_str() == Some(key)).map(|(_, value)| value)
        };
        let mut at = last(entries, &self.first)?;
        for step in &self.rest {
            at = match (step, at) {
                (Step::Key(key), Value::Map(entries)) => last(entries, key)?,
                (Step::Place(place), Value::List(list)) => list.get(index(*place, list.len())?)?,
                _ => return None,
            };
        }
        Some(at)
    }

    /// The value in a record, to be changed.
    pub fn find_mut<'v>(&self, entries: &'v mut [(Value, Value)]) -> Option<&'v mut Value> {
        let mut at = last_of(entries, &self.first)?;
        for step in &self.rest {
            at = step.inside(at)?;
        }
        Some(at)
    }

    /// Takes the field out of a record, as far as it is there.
    pub fn remove(&self, entries: &mut Vec<(Value, Value)>) {
        let is = |have: &Value, key: &str| have.as_str() == Some(key);
        let Some((last, way)) = self.rest.split_last() else {
            return entries.retain(|(have, _)| !is(have, &self.first));
        };
        let mut at = last_of(entries, &self.first);
        for step in way {
            at = at.and_then(|at| step.inside(at));
        }
        match (last, at) {
            (Step::Key(key), Some(Value::Map(entries))) => entries.retain(|(have, _)| !is(have, key)),
            (Step::Place(place), Some(Value::List(list))) => {
                if let Some(place) = index(*place, list.len()).filter(|place| *place < list.len()) {
                    list.remove(place);
                }
            }
            _ => {}
        }
    }
}

impl Step {
    /// What is there in a value.
    fn inside<'v>(&self, value: &'v mut Value) -> Option<&'v mut Value> {
        match (self, value) {
            (Step::Key(key), Value::Map(entries)) => last_of(entries, key),
            (Step::Place(place), Value::List(list)) => {
                index(*place, list.len()).and_then(|place| list.get_mut(place))
            }
            _ => None,
        }
    }
}

/// The value of the last entry of that key.
fn last_of<'v>(entries: &'v mut [(Value, Value)], key: &str) -> Option<&'v mut Value> {
    entries.iter_mut().rev().find(|(have, _)| have.as_str() == Some(key)).map(|(_, value)| value)
}

fn index(place: i64, len: usize) -> Option<usize> {
    let place = if place < 0 { place.checked_add(i64::try_from(len).ok()?)? } else { place };
    usize::try_from(place).ok()
}

/// `a.b[0].c`
fn dot_steps(text: &str) -> Result<Vec<Step>, &'static str> {
    let mut steps = Vec::new();
    for part in text.split('.') {
        let (key, places) = part.split_at(part.find('[').unwrap_or(part.len()));
        if key.contains(char::is_whitespace) {
            return Err("a key with a blank is written in brackets, as $['a key']");
        }
        if !key.is_empty() {
            steps.push(Step::Key(key.to_owned()));
        } else if places.is_empty() {
            return Err("a key is missing");
        }
        steps.extend(bracket_steps(places)?);
    }
    Ok(steps)
}

/// `['a'][0]["b"]`
fn bracket_steps(mut text: &str) -> Result<Vec<Step>, &'static str> {
    let mut steps = Vec::new();
    while !text.is_empty() {
        text = text.strip_prefix('[').ok_or("`[` expected behind `]`")?;
        let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'));
        if let Some(quote) = quote {
            let end = text[1..].find(&format!("{quote}]")).ok_or("a bracket is not closed")?;
            steps.push(Step::Key(text[1..=end].to_owned()));
            text = &text[end + 3..];
        } else {
            let (place, rest) = text.split_once(']').ok_or("a bracket is not closed")?;
            let place = place.trim().parse().map_err(|_| "a bracket holds a number or a quoted key")?;
            steps.push(Step::Place(place));
            text = rest;
        }
    }
    Ok(steps)
}

/// Whether a slot is what stands in a form (`{"$bin":"…"}` and so on), and not the value itself.
fn is_in_form(row: RowRef<'_>, slot: &Slot) -> bool {
    let forms: [&[u8]; 5] =
        [b"{\"$bin\":\"", b"{\"$time\":\"", b"{\"$f64\":\"", b"{\"$f32\":\"", b"{\"$f32\":"];
    let before = &row.batch.buffer[row.row().start.min(slot.start) as usize..slot.start as usize];
    shape(row) == Shape::Map && row.is_printed(slot) && forms.iter().any(|form| before.ends_with(form))
}

/// Whether a row's line may have fields without a slot: beyond a limit, or in a map that is written as pairs.
fn has_more(row: RowRef<'_>, limits: &Limits) -> bool {
    let full = row.slots().len() >= limits.fields || row.batch.names.len() >= limits.names;
    match shape(row) {
        Shape::Map => full || FORM.find(strip_terminator(row.raw())).is_some(),
        Shape::Json => full,
        Shape::Fields | Shape::Line => false,
    }
}

/// An [`Accessor`] for the rows of one batch.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a> {
    accessor: &'a Accessor,
    name: Option<NameId>,
    /// Whether there are fields inside of it, so that it can be a map.
    below: bool,
}

impl Bound<'_> {
    /// The slot that is the field, or the list that it is in.
    pub fn slot(self, row: RowRef<'_>) -> Option<&Slot> {
        let name = self.name?;
        let shape = shape(row);
        let counts = |slot: &&Slot| {
            let in_record = match shape {
                Shape::Map | Shape::Json => true,
                Shape::Fields => slot.kind != Kind::Time,
                Shape::Line => false,
            };
            slot.name == name && (in_record || !row.is_printed(slot))
        };
        row.slots().iter().rev().find(counts)
    }

    /// Whether the record has the field, perhaps: what says no is right.
    pub fn may_have(self, row: RowRef<'_>, limits: &Limits) -> bool {
        self.slot(row).is_some() || self.below || self.is_line(row) || has_more(row, limits)
    }

    /// Whether the field is the line itself.
    fn is_line(self, row: RowRef<'_>) -> bool {
        self.accessor.rest.is_empty() && self.accessor.first == MESSAGE && shape(row) == Shape::Line
    }

    /// The field as text: nothing where it is absent or null, lists and maps as JSON.
    pub fn text<'r>(self, row: RowRef<'r>, limits: &Limits) -> Cow<'r, [u8]> {
        let simple = self.accessor.rest.iter().all(|step| matches!(step, Step::Key(_)));
        if let Some(slot) = self.slot(row).filter(|slot| simple && !is_in_form(row, slot)) {
            return match FieldValue::read(slot.kind, Cow::Borrowed(row.slot(slot))) {
                FieldValue::Text(bytes) | FieldValue::Number(bytes) | FieldValue::Json(bytes) => bytes,
                FieldValue::Bool(flag) => Cow::Borrowed(if flag { b"true" } else { b"false" }),
                FieldValue::Null => Cow::Borrowed(b""),
            };
        }
        if self.is_line(row) {
            return Cow::Borrowed(strip_terminator(row.raw()));
        }
        match self.value(row, limits) {
            Some(Value::Str(text)) => Cow::Owned(text.into_bytes()),
            Some(value) => Cow::Owned(plain_text(&value).into_owned()),
            None => Cow::Borrowed(b""),
        }
    }

    /// The field with its type; `None` where it is absent.
    pub fn value(self, row: RowRef<'_>, limits: &Limits) -> Option<Value> {
        let shape = shape(row);
        let line = strip_terminator(row.raw());
        let slot = self.slot(row);
        // A list of a map that was rendered may have forms in it.
        let formed = |slot| {
            is_in_form(row, slot)
                || (shape == Shape::Map && slot.kind == Kind::Json && FORM.find(line).is_some())
        };
        match slot {
            Some(slot) if !row.is_printed(slot) || !formed(slot) => {
                let places = self.accessor.rest.iter().position(|step| matches!(step, Step::Place(_)));
                let found = value(row, slot, limits);
                let Some(places) = places else { return Some(found) };
                let way = Accessor {
                    first: String::new(),
                    rest: self.accessor.rest[places..].to_vec(),
                    dotted: String::new(),
                };
                way.find(&[(Value::Str(String::new()), found)]).cloned()
            }
            None if self.is_line(row) => Some(text(line)),
            None if !self.below && !has_more(row, limits) => None,
            _ => self.accessor.find(&line_entries(row, shape, limits)?).cloned(),
        }
    }
}
