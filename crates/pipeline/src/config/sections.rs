//! Reads `sawlog.toml`: its settings, inputs, filters and outputs, in the order of the file. Knows nothing of what the options of
//! a protocol mean.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{
    Action, Config, Known, NOT_IN_AGENT, OutputSection, Overflow, Problem, QueueOptions, Section, Step,
    Target, bytes, cases, check_value, duration, fill_defaults, kind_words, suggestion,
};
use crate::{Opt, OptKind, Options, Protocol, TagPattern};

type Value<'t> = Spanned<DeValue<'t>>;

/// Lists of tables at the root.
const ROLES: [&str; 4] = ["input", "filter", "output", "test"];
/// Keys that a section has beside the options of its protocol.
const OF_INPUT: &[&str] = &["type", "id", "label", "tenant"];
const OF_FILTER: &[&str] = &["type", "id", "label", "match", "match_ik"];
const OF_OUTPUT: &[&str] =
    &["type", "id", "label", "match", "match_ik", "last", "queue", "secondary", "to_label", "one_of"];
const OF_CHOICE: &[&str] = &["type", "id", "queue", "secondary", "to_label", "one_of", "weight"];
const OF_SECONDARY: &[&str] = &["type", "id"];
/// Keys of the table `queue`; `memory` stands for an option of the output that is called `queue`, too.
const OF_QUEUE: &[&str] = &[
    "limit",
    "overflow",
    "retry_wait",
    "retry_max_wait",
    "retry_growth",
    "retry_times",
    "retry_time",
    "memory",
];

/// Reads a configuration; with what is worth knowing of it.
pub(super) fn read(text: &str, known: Known<'_>) -> Result<(Config, Vec<Problem>), Vec<Problem>> {
    let mut reader = Reader {
        text,
        known,
        config: Config::default(),
        problems: Vec::new(),
        notes: Vec::new(),
        labels: Vec::new(),
    };
    match DeTable::parse(text) {
        Ok(table) => reader.root(table.get_ref()),
        Err(error) => {
            let at = error.span().unwrap_or(0..0);
            reader.problem(at, error.message().to_owned());
        }
    }
    reader.unknown_labels();
    if reader.problems.is_empty() {
        return Ok((reader.config, reader.notes));
    }
    reader.problems.sort_by_key(|problem| problem.line);
    Err(reader.problems)
}

struct Reader<'a> {
    text: &'a str,
    known: Known<'a>,
    config: Config,
    problems: Vec<Problem>,
    notes: Vec<Problem>,
    /// Labels that rows are sent to, and where it says so.
    labels: Vec<(Range<usize>, String)>,
}

impl<'a> Reader<'a> {
    fn line(&self, at: &Range<usize>) -> usize {
        line_of(self.text, at)
    }

    fn problem(&mut self, at: Range<usize>, message: String) {
        let line = self.line(&at);
        self.problems.push(Problem { line, message });
    }

    fn root(&mut self, table: &DeTable<'_>) {
        let mut sections: Vec<(&str, &Value<'_>)> = Vec::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let role = ROLES.into_iter().find(|role| *role == name);
            match (role, value.get_ref()) {
                (Some(role), DeValue::Array(list)) => {
                    sections.extend(list.iter().map(|section| (role, section)))
                }
                (Some(role), _) => {
                    self.problem(key.span(), format!("`{role}` is a list of tables; write it as [[{role}]]"));
                }
                (None, DeValue::Table(inner)) => {
                    for (sub, value) in inner {
                        let name = format!("{name}.{}", sub.get_ref());
                        match value.get_ref() {
                            DeValue::Array(list) => self.listed(&name, list),
                            _ => self.setting(name.clone(), name, sub.span(), value),
                        }
                    }
                }
                (None, DeValue::Boolean(flag)) if name == "only_listed" => self.config.only_listed = *flag,
                (None, _) => self.setting(name.to_owned(), name.to_owned(), key.span(), value),
            }
        }
        // Rows meet filters and outputs in the order of the file, whichever list they stand in.
        sections.sort_by_key(|(_, section)| section.span().start);
        for (role, section) in sections {
            match (section.get_ref(), role) {
                (DeValue::Table(table), "input") => self.input(table, section.span()),
                (DeValue::Table(table), "filter") => self.filter(table, section.span()),
                (DeValue::Table(table), "test") => self.test(table, section.span()),
                (DeValue::Table(table), _) => self.output(table, section.span()),
                _ => self.problem(section.span(), format!("write it as [[{role}]]")),
            }
        }
    }

    fn test(&mut self, table: &DeTable<'_>, at: Range<usize>) {
        let mut wrong = Vec::new();
        self.config.tests.extend(cases::read(self.text, table, at, &mut wrong));
        wrong.into_iter().for_each(|(at, message)| self.problem(at, message));
    }

    /// Settings that come in a list of tables: `a.b.*.c` where they are known, `a.b.0000.c` and on where they are given.
    fn listed(&mut self, name: &str, list: &[Value<'_>]) {
        for (number, table) in list.iter().enumerate() {
            match table.get_ref() {
                DeValue::Table(table) => {
                    for (key, value) in table {
                        let key_name = key.get_ref();
                        let (known, given) =
                            (format!("{name}.*.{key_name}"), format!("{name}.{number:04}.{key_name}"));
                        self.setting(known, given, key.span(), value);
                    }
                }
                _ => self.problem(table.span(), format!("write it as [[{name}]]")),
            }
        }
    }

    /// Takes a setting that is known as `name` and kept as `given`.
    fn setting(&mut self, name: String, given: String, at: Range<usize>, value: &Value<'_>) {
        let Some((_, kind, help)) = self.known.settings.iter().find(|(have, ..)| *have == name) else {
            let known =
                self.known.settings.iter().map(|(name, ..)| *name).chain(ROLES).chain(["only_listed"]);
            let message = format!("there is no setting `{name}`{}", suggestion(&name, known));
            return self.problem(at, message);
        };
        let opt = Opt { name: "", kind: *kind, default: "", help };
        let read = scalar(value.get_ref()).ok_or_else(|| "it takes one value".to_owned());
        match read.and_then(|text| check_value(&opt, &text).map(|()| text)) {
            Ok(text) => drop(self.config.settings.insert(given, text)),
            Err(message) => self.problem(value.span(), format!("`{name}`: {message}")),
        }
    }

    fn input(&mut self, table: &DeTable<'_>, at: Range<usize>) {
        let label = self.text(table, "label").unwrap_or_default();
        if let (false, Some(value)) = (label.is_empty(), table.get("label")) {
            self.labels.push((value.span(), label.clone()));
        }
        let offers = |protocol: &Protocol| protocol.input.is_some();
        let section = self.part(table, at, "input", offers, OF_INPUT);
        let tenant = self.text(table, "tenant").unwrap_or_default();
        let Some(section) = section else { return };
        self.config.inputs.push(Section { label, tenant, ..section });
    }

    fn filter(&mut self, table: &DeTable<'_>, at: Range<usize>) {
        let offers = |protocol: &Protocol| protocol.filter.is_some();
        let section = self.part(table, at, "filter", offers, OF_FILTER);
        let (label, tags) = (self.text(table, "label").unwrap_or_default(), self.tags(table));
        let Some(section) = section else { return };
        self.config.steps.push(Step { label, tags, action: Action::Filter(section) });
    }

    fn output(&mut self, table: &DeTable<'_>, at: Range<usize>) {
        let to = self.target(table, at, OF_OUTPUT);
        let (label, tags) = (self.text(table, "label").unwrap_or_default(), self.tags(table));
        let last = self.flag(table, "last");
        let Some(to) = to else { return };
        self.config.steps.push(Step { label, tags, action: Action::Send { to, last } });
    }

    fn tags(&mut self, table: &DeTable<'_>) -> TagPattern {
        let read = match (table.get("match"), table.get("match_ik")) {
            (None, None) => return TagPattern::all(),
            (Some(value), Some(_)) => {
                self.problem(value.span(), "`match` and `match_ik`: write one of them".to_owned());
                return TagPattern::all();
            }
            (Some(value), None) => (value, TagPattern::parse as fn(&str) -> _),
            (None, Some(value)) => (value, TagPattern::parse_ik as fn(&str) -> _),
        };
        let (value, parse) = read;
        let parsed = scalar(value.get_ref()).ok_or_else(|| "a pattern of tags is a text".to_owned());
        parsed.and_then(|text| parse(&text)).unwrap_or_else(|message| {
            self.problem(value.span(), message);
            TagPattern::all()
        })
    }

    fn target(&mut self, table: &DeTable<'_>, at: Range<usize>, keys: &[&str]) -> Option<Target> {
        let choices = ["type", "to_label", "one_of"].into_iter().filter(|key| table.contains_key(*key));
        match choices.collect::<Vec<_>>()[..] {
            ["to_label"] => {
                self.only(table, &["to_label", "label", "match", "match_ik", "last", "weight"], keys);
                let label = self.text(table, "to_label")?;
                self.labels.push((table.get("to_label").map_or(at, Spanned::span), label.clone()));
                Some(Target::Label(label))
            }
            ["one_of"] => {
                self.only(table, &["one_of", "label", "match", "match_ik", "last", "weight"], keys);
                self.one_of(table, at)
            }
            ["type"] => {
                let offers = |protocol: &Protocol| protocol.output.is_some();
                let section = self.part(table, at, "output", offers, keys);
                let (queue, secondary) = (self.queue(table), self.secondary(table));
                Some(Target::Output(OutputSection { section: section?, secondary, queue }))
            }
            _ => {
                let message =
                    "an output has one of type = \"…\", to_label = \"…\" and one_of = […]".to_owned();
                self.problem(at, message);
                None
            }
        }
    }

    /// Reports keys that are none of those that have a meaning here.
    fn only(&mut self, table: &DeTable<'_>, here: &[&str], keys: &[&str]) {
        let known: Vec<&str> = keys.iter().copied().filter(|key| here.contains(key)).collect();
        for (key, _) in table.iter().filter(|(key, _)| !known.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref().as_ref();
            let message = format!("`{name}` has no meaning here{}", suggestion(name, known.iter().copied()));
            self.problem(key.span(), message);
        }
    }

    fn one_of(&mut self, table: &DeTable<'_>, at: Range<usize>) -> Option<Target> {
        let Some(DeValue::Array(list)) = table.get("one_of").map(Spanned::get_ref) else {
            self.problem(at, "`one_of` is a list of tables; write them as [[output.one_of]]".to_owned());
            return None;
        };
        let mut targets = Vec::new();
        for choice in list.iter() {
            let DeValue::Table(table) = choice.get_ref() else {
                self.problem(choice.span(), "write it as [[output.one_of]]".to_owned());
                continue;
            };
            let weight = table.get("weight").map_or(Some(1), |value| scalar(value.get_ref())?.parse().ok());
            let Some(weight @ 1..) = weight else {
                self.problem(choice.span(), "`weight` is a whole number from 1 on".to_owned());
                continue;
            };
            let target = self.target(table, choice.span(), OF_CHOICE);
            targets.extend(target.map(|target| (weight, target)));
        }
        if list.is_empty() {
            self.problem(at, "`one_of` has nothing to choose from".to_owned());
        }
        Some(Target::OneOf(targets))
    }

    fn secondary(&mut self, table: &DeTable<'_>) -> Option<Section> {
        let value = table.get("secondary")?;
        let DeValue::Table(inner) = value.get_ref() else {
            self.problem(value.span(), "write it as secondary = { type = \"…\" }".to_owned());
            return None;
        };
        let offers = |protocol: &Protocol| protocol.output.is_some();
        self.part(inner, value.span(), "output", offers, OF_SECONDARY)
    }

    /// The options of a section; what is wrong with them is reported.
    fn part(
        &mut self,
        table: &DeTable<'_>,
        at: Range<usize>,
        role: &str,
        offers: fn(&Protocol) -> bool,
        own: &[&str],
    ) -> Option<Section> {
        let Some(kind) = table.get("type").and_then(|value| scalar(value.get_ref())) else {
            self.problem(at, format!("this [[{role}]] has no type; add type = \"…\""));
            return None;
        };
        let protocols = self.known.protocols.iter().copied().filter(|protocol| offers(protocol));
        let Some(protocol) = protocols.clone().find(|protocol| protocol.name == kind) else {
            let names = protocols.map(|protocol| protocol.name);
            let near = match (role, kind.as_str()) {
                ("filter", "remap") => format!("; {NOT_IN_AGENT}"),
                _ => suggestion(&kind, names),
            };
            let message = format!("there is no {role} of type `{kind}`{near}");
            self.problem(table.get("type").map_or(at, Spanned::span), message);
            return None;
        };
        let mut options = Options::default();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            match value.get_ref() {
                // A number of bytes is an option of the output; a table is its queue.
                value if own.contains(&name) && (name != "queue" || matches!(value, DeValue::Table(_))) => {}
                // A table of options that belong together: `[input.parse]`.
                DeValue::Table(inner) => inner.iter().for_each(|(sub, value)| {
                    let name = format!("{name}.{}", sub.get_ref());
                    self.option(protocol, own, name, value.get_ref(), sub.span(), &mut options);
                }),
                value => self.option(protocol, own, name.to_owned(), value, key.span(), &mut options),
            }
        }
        if let Some((DeValue::Table(queue), at)) =
            table.get("queue").map(|value| (value.get_ref(), value.span()))
            && let Some(memory) = queue.get("memory")
        {
            self.option(protocol, own, "queue".to_owned(), memory.get_ref(), at, &mut options);
        }
        fill_defaults(protocol, &mut options);
        self.check(protocol, table, &options);
        let (name, line) = (self.text(table, "id").unwrap_or_default(), self.line(&at));
        Some(Section { kind, name, options, line, ..Section::default() })
    }

    /// What the protocol itself says of its options.
    fn check(&mut self, protocol: &Protocol, table: &DeTable<'_>, options: &Options) {
        for wrong in protocol.check.map(|check| check(options)).unwrap_or_default() {
            let Some(at) = table.get(wrong.option).map(Spanned::span) else { continue };
            // A line break right behind three quotes is not of the text.
            let text = self.text.get(at.clone()).unwrap_or_default();
            let opens = ["\"\"\"", "'''"].iter().find_map(|quotes| text.strip_prefix(quotes));
            let skipped = opens.is_some_and(|text| text.starts_with(['\n', '\r']));
            let line = self.line(&at) + usize::from(skipped) + wrong.line;
            let of = if wrong.note { &mut self.notes } else { &mut self.problems };
            of.push(Problem { line, message: format!("`{}`: {}", wrong.option, wrong.message) });
        }
    }

    fn option(
        &mut self,
        protocol: &Protocol,
        own: &[&str],
        name: String,
        value: &DeValue<'_>,
        at: Range<usize>,
        into: &mut Options,
    ) {
        match option_values(protocol, own, &name, value) {
            Ok(values) => drop(into.0.insert(name, values)),
            Err(message) => self.problem(at, message),
        }
    }

    fn queue(&mut self, table: &DeTable<'_>) -> QueueOptions {
        let mut queue = QueueOptions::default();
        let Some(DeValue::Table(given)) = table.get("queue").map(Spanned::get_ref) else { return queue };
        for (key, value) in given {
            let name = key.get_ref().as_ref();
            let text = scalar(value.get_ref()).unwrap_or_default();
            let time = || Some(Duration::from_nanos(duration(&text)?.try_into().ok()?));
            let read = match name {
                "limit" => bytes(&text).map(|bytes| queue.limit = Some(bytes)),
                "overflow" => overflow(&text).map(|overflow| queue.overflow = overflow),
                "retry_wait" => time().map(|time| queue.retry_wait = time),
                "retry_max_wait" => time().map(|time| queue.retry_max_wait = time),
                "retry_growth" => text
                    .parse()
                    .ok()
                    .filter(|growth| *growth >= 100)
                    .map(|growth| queue.retry_growth = growth),
                "retry_times" => text.parse().ok().map(|times| queue.retry_times = Some(times)),
                "retry_time" => time().map(|time| queue.retry_time = Some(time)),
                "memory" => Some(()),
                _ => {
                    let near = suggestion(name, OF_QUEUE.iter().copied());
                    self.problem(key.span(), format!("a queue has no `{name}`{near}"));
                    continue;
                }
            };
            if read.is_none() {
                self.problem(value.span(), format!("`queue.{name}` takes {}", queue_words(name)));
            }
        }
        queue
    }

    fn text(&mut self, table: &DeTable<'_>, key: &str) -> Option<String> {
        let value = table.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            _ => {
                self.problem(value.span(), format!("`{key}` is a text"));
                None
            }
        }
    }

    fn flag(&mut self, table: &DeTable<'_>, key: &str) -> bool {
        match table.get(key).map(|value| (value.get_ref(), value.span())) {
            None => false,
            Some((DeValue::Boolean(flag), _)) => *flag,
            Some((_, at)) => {
                self.problem(at, format!("`{key}` is true or false"));
                false
            }
        }
    }

    fn unknown_labels(&mut self) {
        for (at, label) in std::mem::take(&mut self.labels) {
            let steps = &self.config.steps;
            if !label.is_empty() && !steps.iter().any(|step| step.label == label) {
                let have: Vec<String> =
                    steps.iter().map(|step| step.label.clone()).filter(|have| !have.is_empty()).collect();
                let near = match have.is_empty() {
                    true => "; give a [[filter]] or an [[output]] this `label`".to_owned(),
                    false => suggestion(&label, have.iter().map(String::as_str)),
                };
                self.problem(at, format!("no filter and no output has the label `{label}`{near}"));
            }
        }
    }
}

fn overflow(text: &str) -> Option<Overflow> {
    [Overflow::Block, Overflow::Refuse, Overflow::DropOldest]
        .into_iter()
        .find(|way| overflow_text(*way) == text)
}

/// What a configuration calls it.
pub(super) fn overflow_text(overflow: Overflow) -> &'static str {
    match overflow {
        Overflow::Block => "block",
        Overflow::Refuse => "refuse",
        Overflow::DropOldest => "drop_oldest",
    }
}

fn queue_words(name: &str) -> &'static str {
    match name {
        "limit" => kind_words(OptKind::Bytes),
        "overflow" => "block, refuse or drop_oldest",
        "retry_growth" => "a percentage from 100 on",
        "retry_times" => kind_words(OptKind::Number),
        _ => kind_words(OptKind::Duration),
    }
}

fn option_values(
    protocol: &Protocol,
    own: &[&str],
    name: &str,
    value: &DeValue<'_>,
) -> Result<Vec<String>, String> {
    let opt = protocol.options.iter().find(|opt| opt.name == name).ok_or_else(|| {
        let known = protocol.options.iter().map(|opt| opt.name).chain(own.iter().copied());
        format!("`{}` has no option `{name}`{}", protocol.name, suggestion(name, known))
    })?;
    let values = match (opt.kind, value) {
        (OptKind::List, DeValue::Array(list)) => list.iter().map(|item| scalar(item.get_ref())).collect(),
        _ => scalar(value).map(|text| vec![text]),
    };
    let values = values.ok_or_else(|| format!("`{name}` takes {}", kind_words(opt.kind)))?;
    for text in &values {
        check_value(opt, text).map_err(|message| format!("`{name}`: {message}"))?;
    }
    Ok(values)
}

/// The line of a place, from 1.
pub(super) fn line_of(text: &str, at: &Range<usize>) -> usize {
    let before = &text.as_bytes()[..at.start.min(text.len())];
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

pub(super) fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Datetime(time) => Some(time.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => None,
    }
}
