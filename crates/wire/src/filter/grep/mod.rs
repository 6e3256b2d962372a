//! Keeps the rows whose fields match. Knows nothing of routes.

use std::sync::Arc;

use regex_automata::meta::Regex;
use sawlog_model::{Batch, Limits, RowRef};
use sawlog_pipeline::config::{Element, ElementReader, FluentForm, Role};
use sawlog_pipeline::{ConfigError, Env, Filter, Filtered, Opt, OptKind, Options, Protocol};

use crate::shared::record::{Accessor, Bound, select};
use crate::shared::ruby_regex;

/// The filter.
pub const PROTOCOL: Protocol = Protocol {
    name: "grep",
    summary: "Keeps the rows whose fields match regular expressions.",
    options: OPTIONS,
    filter: Some(make),
    fluent: &[FluentForm { role: Role::Filter, names: &["grep"], read: from_fluent }],
    ..Protocol::EMPTY
};

const fn list(name: &'static str, help: &'static str) -> Opt {
    Opt { name, kind: OptKind::List, default: "", help }
}

const OPTIONS: &[Opt] = &[
    list("regexp", "Rows stay where all of these match; each is `KEY EXPRESSION`."),
    list("regexp_any", "Rows stay where one of these matches."),
    list("exclude", "Rows go where one of these matches."),
    list("exclude_all", "Rows go where all of these match."),
];

/// Fluentd numbers the options of its old form up to here.
const NUMBERED: [(&str, &str); 20] = [
    ("regexp1", "exclude1"),
    ("regexp2", "exclude2"),
    ("regexp3", "exclude3"),
    ("regexp4", "exclude4"),
    ("regexp5", "exclude5"),
    ("regexp6", "exclude6"),
    ("regexp7", "exclude7"),
    ("regexp8", "exclude8"),
    ("regexp9", "exclude9"),
    ("regexp10", "exclude10"),
    ("regexp11", "exclude11"),
    ("regexp12", "exclude12"),
    ("regexp13", "exclude13"),
    ("regexp14", "exclude14"),
    ("regexp15", "exclude15"),
    ("regexp16", "exclude16"),
    ("regexp17", "exclude17"),
    ("regexp18", "exclude18"),
    ("regexp19", "exclude19"),
    ("regexp20", "exclude20"),
];

fn from_fluent(reader: &mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)> {
    let (mut all, mut any, mut none, mut not_all) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (regexp, exclude) in NUMBERED {
        for (key, into) in [(regexp, &mut all), (exclude, &mut none)] {
            match reader.text(key) {
                Some(text) if !text.contains(' ') => reader.wrong(key, "write it as KEY EXPRESSION"),
                text => into.extend(text.map(str::to_owned)),
            }
        }
    }
    all.extend(conditions(reader, "regexp"));
    none.extend(conditions(reader, "exclude"));
    for group in ["and", "or"] {
        for element in reader.children(group) {
            let mut inside = reader.inside(element);
            let (regexps, excludes) = (conditions(&mut inside, "regexp"), conditions(&mut inside, "exclude"));
            inside.finish();
            if regexps.is_empty() == excludes.is_empty() {
                let what = format!("<{group}> holds either <regexp> or <exclude>");
                reader.wrong(group, &what);
            }
            // Of several expressions that must match each is a condition of its own, as is each that must not.
            let (keep, drop) = if group == "and" { (&mut all, &mut not_all) } else { (&mut any, &mut none) };
            keep.extend(regexps);
            drop.extend(excludes);
        }
    }
    vec![("regexp", all), ("regexp_any", any), ("exclude", none), ("exclude_all", not_all)]
}

/// `<regexp>` or `<exclude>` elements as `KEY EXPRESSION`.
fn conditions(reader: &mut ElementReader<'_>, name: &'static str) -> Vec<String> {
    let elements: Vec<&Element> = reader.children(name).collect();
    let mut found = Vec::new();
    for element in elements {
        let mut inside = reader.inside(element);
        let (key, pattern) = (inside.required("key"), inside.required("pattern"));
        if let Err(message) = ruby_regex::compile(pattern) {
            inside.wrong("pattern", &message);
        } else if let Err(message) = Accessor::parse(key) {
            inside.wrong("key", &message);
        }
        inside.finish();
        found.push(format!("{key} {pattern}"));
    }
    found
}

/// A field and what it must look like.
struct Condition {
    key: Accessor,
    expression: Regex,
}

/// As given: a key, which may have blanks in brackets, a blank, and the expression.
fn condition(text: &str) -> Result<Condition, String> {
    // In an accessor with brackets the key ends behind the last bracket before a blank.
    let end = if text.starts_with("$[") { text.find("] ").map(|at| at + 1) } else { text.find(' ') };
    let Some((key, expression)) = end.map(|end| (&text[..end], &text[end + 1..])) else {
        return Err(format!("`{text}`: write it as KEY EXPRESSION"));
    };
    Ok(Condition { key: Accessor::parse(key)?, expression: ruby_regex::compile(expression)? })
}

struct Grep {
    all: Vec<Condition>,
    any: Vec<Condition>,
    none: Vec<Condition>,
    not_all: Vec<Condition>,
    limits: Limits,
}

fn make(options: &Options, env: &Env) -> Result<Box<dyn Filter>, ConfigError> {
    let read = |name: &str| -> Result<Vec<Condition>, ConfigError> {
        let conditions = options.list(name).iter().map(|text| condition(text));
        conditions.collect::<Result<_, _>>().map_err(|message| ConfigError(format!("`{name}`: {message}")))
    };
    Ok(Box::new(Grep {
        all: read("regexp")?,
        any: read("regexp_any")?,
        none: read("exclude")?,
        not_all: read("exclude_all")?,
        limits: env.limits,
    }))
}

/// The fields of conditions, for the rows of one batch.
fn bind<'a>(conditions: &'a [Condition], batch: &Batch) -> Vec<Bound<'a>> {
    conditions.iter().map(|condition| condition.key.of_batch(batch)).collect()
}

impl Filter for Grep {
    fn apply(&self, batch: Arc<Batch>) -> Filtered {
        let (all, any, none, not_all) = (
            bind(&self.all, &batch),
            bind(&self.any, &batch),
            bind(&self.none, &batch),
            bind(&self.not_all, &batch),
        );
        let matches = |row: RowRef<'_>, condition: &Condition, key: &Bound<'_>| {
            condition.expression.is_match(&key.text(row, &self.limits)[..])
        };
        let keeps = |row: RowRef<'_>| {
            let matches = |(condition, key): (&Condition, &Bound<'_>)| matches(row, condition, key);
            self.all.iter().zip(&all).all(matches)
                && (any.is_empty() || self.any.iter().zip(&any).any(matches))
                && !self.none.iter().zip(&none).any(matches)
                && (not_all.is_empty() || !self.not_all.iter().zip(&not_all).all(matches))
        };
        select(&batch, keeps).into()
    }
}

#[cfg(test)]
mod tests;
