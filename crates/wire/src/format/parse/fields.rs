//! Reading one text by a [`Spec`](super::Spec): its fields as slots, its time, and the conversions that were asked for.
//! Knows nothing of buffers or of lines that belong together.

use std::sync::Arc;

use sawlog_model::{Kind, Limits, Marks, NameId, Names, Nanos, Slot, Value};

use super::convert::{Ready, make};
use super::expression::{Expression, Searcher};
use super::separated;
use super::time::TimeReader;
use super::{Plan, Type};
use crate::format::json::Json;
use crate::format::line::{Format, Line, Out, Reading};
use crate::format::logfmt::Logfmt;
use crate::format::lognorm::{Found, Memory, RuleBase};
use crate::format::zone::Clock;
use crate::shared::{msgpack, ruby_regex};

/// How the fields of a text are found.
enum Body {
    Expression { groups: Vec<Group>, searcher: Box<Searcher> },
    Syslog { groups: [Vec<Group>; 2], searchers: Box<[Searcher; 2]> },
    Apache2 { groups: Vec<Group>, searcher: Box<Searcher> },
    Json(Box<Json>),
    Logfmt(Logfmt),
    Labelled,
    Csv { keys: Vec<NameId> },
    Tsv { keys: Vec<NameId> },
    Whole(NameId),
    Msgpack,
    Lognorm(Memory),
}

/// A named group of an expression.
struct Group {
    number: usize,
    name: NameId,
    /// There is another one inside it.
    around: bool,
}

fn groups(expression: &Expression, names: &mut Names) -> Vec<Group> {
    let group = |(name, number): &(Arc<str>, usize)| Group {
        number: *number,
        name: names.intern(name),
        around: expression.around.contains(number),
    };
    expression.groups.iter().map(group).collect()
}

/// A reader of configured texts.
pub(in crate::format) struct Configured {
    plan: Arc<Plan>,
    body: Body,
    time_name: Option<NameId>,
    time: TimeReader,
    types: Vec<(NameId, Ready)>,
    converts: bool,
}

/// The text is not of the configured form.
pub(super) struct Unmatched;

impl Configured {
    /// `zone` is that of times without one where the configuration has none.
    pub(super) fn new(plan: &Arc<Plan>, names: &mut Names, zone: Option<&str>, reference: Nanos) -> Self {
        let zone = plan.zone.as_deref().or(zone);
        let body = match &plan.kind {
            Type::Regexp(expression) | Type::Multiline { expression, .. } => {
                Body::Expression { groups: groups(expression, names), searcher: Box::default() }
            }
            Type::Syslog { plain, structured, .. } => Body::Syslog {
                groups: [plain, structured].map(|one| groups(one, names)),
                searchers: Default::default(),
            },
            Type::Apache2(expression) => {
                Body::Apache2 { groups: groups(expression, names), searcher: Box::default() }
            }
            Type::Json => Body::Json(Box::new(Json::plain())),
            Type::Logfmt => Body::Logfmt(Logfmt),
            Type::Ltsv { .. } => Body::Labelled,
            Type::Csv { keys, .. } => Body::Csv { keys: keys.iter().map(|key| names.intern(key)).collect() },
            Type::Tsv { keys, .. } => Body::Tsv { keys: keys.iter().map(|key| names.intern(key)).collect() },
            Type::None { key } => Body::Whole(names.intern(key)),
            Type::Msgpack => Body::Msgpack,
            Type::Lognorm(_) => Body::Lognorm(Memory::default()),
        };
        let clock = Clock::new(zone, reference).unwrap_or_else(|()| Clock::utc(reference));
        let types = &plan.conversions.types;
        Configured {
            body,
            time_name: plan.time_key.as_deref().map(|key| names.intern(key)),
            time: TimeReader::new(plan.how.clone(), clock),
            types: types
                .iter()
                .map(|(name, of)| (names.intern(name), Ready::new(of, zone, reference)))
                .collect(),
            converts: !plan.conversions.is_empty(),
            plan: plan.clone(),
        }
    }

    /// Notes the slots of a text, and gives its time where it has one.
    pub(super) fn text(&mut self, line: Line<'_>, out: &mut Out<'_>) -> Result<Option<Nanos>, Unmatched> {
        let before = out.slots.len();
        let read = self.fields(line, out).and_then(|()| self.finish(line, out, before));
        if read.is_err() {
            out.slots.truncate(before);
        }
        read
    }

    fn fields(&mut self, line: Line<'_>, out: &mut Out<'_>) -> Result<(), Unmatched> {
        let text = line.bytes;
        match (&mut self.body, &self.plan.kind) {
            (
                Body::Expression { groups, searcher },
                Type::Regexp(expression) | Type::Multiline { expression, .. },
            ) => expressed(expression, groups, searcher, line, out),
            (
                Body::Syslog { groups, searchers },
                Type::Syslog { plain, structured, detect, only_structured },
            ) => {
                let structured_now = match detect {
                    Some(detect) => detect.is_match(text),
                    None => *only_structured,
                };
                let expression = if structured_now { structured } else { plain };
                let number = usize::from(structured_now);
                expressed(expression, &groups[number], &mut searchers[number], line, out)
            }
            (Body::Apache2 { groups, searcher }, Type::Apache2(expression)) => {
                apache2(expression, groups, searcher, line, out)
            }
            (Body::Json(json), _) => {
                let reading = json.read(line, out);
                if reading.marks.has(Marks::UNPARSED) { Err(Unmatched) } else { Ok(()) }
            }
            (Body::Logfmt(logfmt), _) => {
                let before = out.slots.len();
                let reading = logfmt.read(line, out);
                for slot in out.slots[before..].iter_mut().filter(|slot| slot.kind == Kind::Time) {
                    (slot.kind, slot.layout) = (Kind::Text, 0);
                }
                if reading.marks.has(Marks::UNPARSED) { Err(Unmatched) } else { Ok(()) }
            }
            (Body::Labelled, Type::Ltsv { cut, label, pattern }) => {
                separated::labelled(line, cut, label, pattern.as_ref(), out);
                Ok(())
            }
            (Body::Csv { keys }, Type::Csv { cut, .. }) => separated::csv(line, cut, keys, out),
            (Body::Tsv { keys }, Type::Tsv { cut, .. }) => {
                separated::tsv(line, cut, keys, out);
                Ok(())
            }
            (Body::Whole(name), _) => {
                out.text(line, (0, text.len()), *name);
                Ok(())
            }
            (Body::Msgpack, _) => packed(text, out),
            (Body::Lognorm(memory), Type::Lognorm(base)) => normalized(base, memory, line, out),
            _ => Err(Unmatched),
        }
    }

    /// Reads the time of the slots noted, and converts what is to be converted.
    fn finish(
        &mut self,
        line: Line<'_>,
        out: &mut Out<'_>,
        before: usize,
    ) -> Result<Option<Nanos>, Unmatched> {
        let mut time = None;
        if !self.converts && self.time_name.is_none() {
            return Ok(None);
        }
        let all = before..out.slots.len();
        for index in all {
            let mut slot = out.slots[index];
            if Some(slot.name) == self.time_name {
                let read = with_text(slot, line, out.base, out.made, |text| match slot.kind {
                    Kind::JsonText => self.time.read(&sawlog_model::value::unescape(text.into())),
                    Kind::Text | Kind::Number => self.time.read(text),
                    _ => None,
                });
                let (read, layout) = read.ok_or(Unmatched)?;
                time = Some(read);
                if !self.plan.keep_time_key {
                    (slot.kind, slot.layout) = (Kind::Time, layout);
                    out.slots[index] = slot;
                    continue;
                }
            }
            if self.converts && slot.kind != Kind::Null {
                let was = slot;
                self.convert(line, &mut slot, out);
                if slot != was && matches!(self.body, Body::Json(_)) {
                    replace(line, slot, out);
                } else {
                    out.slots[index] = slot;
                }
            }
        }
        Ok(time)
    }

    fn convert(&mut self, line: Line<'_>, slot: &mut Slot, out: &mut Out<'_>) {
        let conversions = &self.plan.conversions;
        let is_text = matches!(slot.kind, Kind::Text | Kind::JsonText);
        if is_text && with_text(*slot, line, out.base, out.made, |text| conversions.is_null(text)) {
            slot.kind = Kind::Null;
            return;
        }
        if let Some((_, ready)) = self.types.iter_mut().find(|(name, _)| *name == slot.name) {
            // A value that was made already is copied: what it becomes is made behind it.
            if slot.start as usize >= out.base {
                let text = with_text(*slot, line, out.base, out.made, <[u8]>::to_vec);
                ready.convert(slot, &text, out);
            } else {
                let from = slot.start as usize - line.start;
                ready.convert(slot, &line.bytes[from..from + slot.len as usize], out);
            }
        }
    }
}

/// Adds what a field of a JSON line was converted to: the record is made of the line, and of what was added to it.
fn replace(line: Line<'_>, mut slot: Slot, out: &mut Out<'_>) {
    if (slot.start as usize) < out.base {
        let from = slot.start as usize - line.start;
        let text =
            if slot.kind == Kind::Null { &b"null"[..] } else { &line.bytes[from..from + slot.len as usize] };
        let kind = slot.kind;
        make(&mut slot, kind, text, out);
    }
    out.slots.push(slot);
}

/// The bytes of a slot of the line, or behind the lines.
fn with_text<T>(slot: Slot, line: Line<'_>, base: usize, made: &[u8], f: impl FnOnce(&[u8]) -> T) -> T {
    let (start, len) = (slot.start as usize, slot.len as usize);
    if start >= base { f(&made[start - base..][..len]) } else { f(&line.bytes[start - line.start..][..len]) }
}

/// Notes the groups of an expression that matches.
#[inline]
fn expressed(
    expression: &Expression,
    groups: &[Group],
    searcher: &mut Searcher,
    line: Line<'_>,
    out: &mut Out<'_>,
) -> Result<(), Unmatched> {
    if !expression.search(line.bytes, searcher) {
        return Err(Unmatched);
    }
    let before = out.slots.len();
    let mut sorted = true;
    for group in groups {
        let Some((from, to)) = expression.group(group.number, searcher) else { continue };
        if group.around {
            let mut slot = Slot { start: 0, len: 0, name: group.name, kind: Kind::Text, layout: 0 };
            make(&mut slot, Kind::Text, &line.bytes[from..to], out);
            out.slots.push(slot);
            sorted = false;
            continue;
        }
        let start = (line.start + from) as u32;
        sorted &= out.slots[before..].last().is_none_or(|last| last.start + last.len <= start);
        out.slots.push(Slot {
            start,
            len: (to - from) as u32,
            name: group.name,
            kind: Kind::Text,
            layout: 0,
        });
    }
    if !sorted {
        out.slots[before..].sort_by_key(|slot| slot.start);
    }
    Ok(())
}

/// Fluentd's apache2: dashes are null, code and size are numbers, and every field is there.
fn apache2(
    expression: &Expression,
    groups: &[Group],
    searcher: &mut Searcher,
    line: Line<'_>,
    out: &mut Out<'_>,
) -> Result<(), Unmatched> {
    if !expression.search(line.bytes, searcher) {
        return Err(Unmatched);
    }
    let mut end = 0;
    for (group, (name, _)) in groups.iter().zip(&expression.groups) {
        let found = expression.group(group.number, searcher);
        let span = found.unwrap_or((end, end));
        end = span.1;
        let text = &line.bytes[span.0..span.1];
        let mut slot = Slot {
            start: (line.start + span.0) as u32,
            len: (span.1 - span.0) as u32,
            name: group.name,
            kind: Kind::Text,
            layout: 0,
        };
        let dash = text == b"-" && !matches!(&**name, "method" | "path" | "time");
        match &**name {
            _ if found.is_none() || dash => slot.kind = Kind::Null,
            "code" | "size" => {
                Ready::Integer.convert(&mut slot, text, out);
                let zero = with_text(slot, line, out.base, out.made, |text| text == b"0");
                if zero && &**name == "code" {
                    slot.kind = Kind::Null;
                }
            }
            _ => {}
        }
        out.slots.push(slot);
    }
    Ok(())
}

/// Notes the fields that a rule of a rule base finds.
fn normalized(
    base: &RuleBase,
    memory: &mut Memory,
    line: Line<'_>,
    out: &mut Out<'_>,
) -> Result<(), Unmatched> {
    let mut found = base.find(line.bytes, memory).map_err(|_| Unmatched)?;
    let before = out.slots.len();
    let mut text = Vec::new();
    found.each(|name, found| {
        if out.slots.len() - before >= out.limits.fields {
            return;
        }
        let Some(name) = out.name(name.as_bytes()) else { return };
        let mut slot = Slot { start: 0, len: 0, name, kind: Kind::Text, layout: 0 };
        match found {
            Found::Part(range) => {
                (slot.start, slot.len) = ((line.start + range.start) as u32, range.len() as u32);
            }
            Found::Made(value) => {
                if let Some(text) = value.as_str() {
                    make(&mut slot, Kind::Text, text.as_bytes(), out);
                    out.slots.push(slot);
                    return;
                }
                let kind = match *value {
                    Value::Int(_) | Value::UInt(_) | Value::Float(_) => Kind::Number,
                    Value::Bool(_) => Kind::Bool,
                    Value::Nil => Kind::Null,
                    _ => Kind::Json,
                };
                text.clear();
                sawlog_model::value::render(&value, &mut text);
                make(&mut slot, kind, &text, out);
            }
        }
        out.slots.push(slot);
    });
    // Those of the line in its order, then what was made. Fields of a rule do not overlap: each begins where the one before ends.
    out.slots[before..].sort_by_key(|slot| slot.start);
    Ok(())
}

/// The entries of a MessagePack map, each as a value behind the lines.
fn packed(text: &[u8], out: &mut Out<'_>) -> Result<(), Unmatched> {
    use sawlog_model::value::render;
    let (value, _) = msgpack::value(text, out.limits).map_err(|_| Unmatched)?;
    let Value::Map(entries) = value else { return Err(Unmatched) };
    let mut line = Vec::new();
    for (key, value) in entries.iter().take(out.limits.fields) {
        let Some(name) = key.as_str().and_then(|key| out.name(key.as_bytes())) else { continue };
        let mut slot = Slot { start: 0, len: 0, name, kind: Kind::Text, layout: 0 };
        line.clear();
        match value {
            Value::Str(text) => make(&mut slot, Kind::Text, text.as_bytes(), out),
            Value::Nil => make(&mut slot, Kind::Null, b"null", out),
            other => {
                render(other, &mut line);
                let kind = match other {
                    Value::Bool(_) => Kind::Bool,
                    _ if crate::format::line::is_number(&line) => Kind::Number,
                    _ => Kind::Json,
                };
                make(&mut slot, kind, &line, out);
            }
        }
        out.slots.push(slot);
    }
    Ok(())
}

impl Format for Configured {
    fn read(&mut self, line: Line<'_>, out: &mut Out<'_>) -> Reading {
        let Ok(time) = self.text(line, out) else { return Reading::UNPARSED };
        if time.is_none() && !self.plan.estimate_current_event {
            return Reading::UNPARSED;
        }
        let json = if matches!(self.body, Body::Json(_)) { Marks::JSON } else { Marks(0) };
        Reading { marks: Marks::TIME_TAKEN.with(json), ..Reading::event(time) }
    }

    fn refer(&mut self, reference: Nanos) {
        self.time.refer(reference);
    }

    fn begins(&mut self, text: &[u8], last: Option<&[u8]>) -> bool {
        let joins = &self.plan.joins;
        match &self.plan.kind {
            Type::Multiline { first: Some(first), .. } => first.is_match(text),
            _ => {
                let belongs = joins.before.as_ref().is_some_and(|before| before.is_match(text));
                let goes_on = |last: &[u8]| joins.after.as_ref().is_some_and(|after| after.is_match(last));
                !belongs && !last.is_some_and(goes_on)
            }
        }
    }
}

/// Detects RFC 5424 behind a priority.
///
/// # Errors
/// Never in truth: the expression is fixed.
pub(super) fn detects_structured() -> Result<regex_automata::meta::Regex, String> {
    ruby_regex::compile(r"\A<[0-9]{1,3}>[1-9][0-9]{0,2} ")
}

/// Reads single texts, such as fields of records and datagrams, by a [`Spec`](super::Spec).
pub struct TextReader {
    configured: Configured,
    names: Arc<Names>,
    clock: Clock,
    limits: Limits,
}

/// What was read of a text.
pub struct Text {
    /// Its time, where it has one that could be read.
    pub time: Option<Nanos>,
    /// Marks of a row of it.
    pub marks: Marks,
}

impl TextReader {
    pub(super) fn with(plan: &Arc<Plan>, zone: Option<&str>, reference: Nanos, limits: Limits) -> Self {
        let mut names = Names::default();
        let configured = Configured::new(plan, &mut names, zone, reference);
        TextReader { configured, names: Arc::new(names), clock: Clock::utc(reference), limits }
    }

    /// The id of a name, for fields that are added to a row beside those of its text.
    pub fn name(&mut self, name: &str) -> NameId {
        self.names.find(name).unwrap_or_else(|| Arc::make_mut(&mut self.names).intern(name))
    }

    /// Names of the slots; grows only.
    pub fn names(&self) -> &Arc<Names> {
        &self.names
    }

    /// Takes another reference for times without a year.
    pub fn refer(&mut self, reference: Nanos) {
        self.configured.refer(reference);
    }

    /// Reads a text that stands at `start` of a buffer of `base` bytes. Adds its slots; those of values that do not stand in
    /// the text as they are lie behind the buffer, in `made`. `None`, and nothing added, where the text is not of the
    /// configured form.
    pub fn read(
        &mut self,
        text: &[u8],
        start: usize,
        base: usize,
        slots: &mut Vec<Slot>,
        made: &mut Vec<u8>,
    ) -> Option<Text> {
        let mut out =
            Out { slots, names: &mut self.names, clock: &mut self.clock, limits: &self.limits, made, base };
        let time = self.configured.text(Line { bytes: text, start }, &mut out).ok()?;
        let json = if matches!(self.configured.body, Body::Json(_)) { Marks::JSON } else { Marks(0) };
        Some(Text { time, marks: Marks::TIME_TAKEN.with(json) })
    }
}
