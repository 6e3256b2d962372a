//! Parsers as a configuration describes them, with Fluentd's kinds, names and defaults: what a line's fields are, which of them
//! is its time, of which types they are. The record of a row read so is what Fluentd would make of the line. Knows nothing of
//! where lines come from.
//!
//! In reading order: `options` makes a [`Spec`] of options, `fluent` makes options of Fluentd's configurations; `fields` reads
//! one text; `expression`, `lower` and `program` are the regular expressions, `separated` what is cut at separators, `time` and
//! `strptime` the times, `convert` the types.

mod convert;
mod expression;
mod fields;
mod fluent;
mod lower;
mod options;
mod program;
mod separated;
mod strptime;
#[cfg(test)]
mod tests;
mod time;

use std::sync::Arc;

use regex_automata::meta::Regex;
use sawlog_model::{Limits, Names, Nanos};

pub use fields::{Text, TextReader};
pub use fluent::from_fluent;
pub use options::OPTIONS;

pub(in crate::format) use fields::Configured;

use super::lognorm::RuleBase;
use convert::Conversions;
use expression::Expression;
use time::How;

/// A configured parser, checked and compiled; copies share it.
#[derive(Clone, Debug)]
pub struct Spec {
    /// `None`: formats are detected.
    plan: Option<Arc<Plan>>,
    unmatched: Unmatched,
}

/// What becomes of a line that is not of the configured form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unmatched {
    /// It is kept whole and marked as unparsed.
    #[default]
    Keep,
    /// It is left out, and counted.
    Drop,
    /// It is kept as the record `{"unmatched_line": …}`.
    Emit,
}

/// Everything that a configured parser knows.
#[derive(Debug)]
struct Plan {
    name: &'static str,
    kind: Type,
    time_key: Option<String>,
    keep_time_key: bool,
    estimate_current_event: bool,
    how: How,
    zone: Option<String>,
    conversions: Conversions,
    /// Lines that go on with the one before them, and lines that the next goes on with.
    joins: Joins,
}

/// Which lines belong together by what they look like, whatever the kind.
#[derive(Debug, Default)]
struct Joins {
    before: Option<Regex>,
    after: Option<Regex>,
}

/// How fields are found.
#[derive(Debug)]
enum Type {
    Regexp(Expression),
    Multiline {
        first: Option<Regex>,
        expression: Expression,
    },
    Syslog {
        plain: Box<Expression>,
        structured: Box<Expression>,
        detect: Option<Regex>,
        only_structured: bool,
    },
    Apache2(Expression),
    Json,
    Logfmt,
    Ltsv {
        cut: Vec<u8>,
        label: Vec<u8>,
        pattern: Option<Regex>,
    },
    Csv {
        keys: Vec<String>,
        cut: Vec<u8>,
    },
    Tsv {
        keys: Vec<String>,
        cut: Vec<u8>,
    },
    None {
        key: String,
    },
    Msgpack,
    Lognorm(Box<RuleBase>),
}

/// How the lines of a source come together to texts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Gathering {
    /// A text goes from one line that begins one up to the next such.
    ByFirstLine,
    /// A text goes on until it matches.
    UntilMatch,
    /// A text goes on with lines that look like it, or after lines that do.
    ByNeighbours,
}

/// For fuzzing: an expression finds in a text by the program that it was lowered to what the general engine finds.
///
/// # Panics
/// Where it does not.
pub(crate) fn engines_agree(expression: &str, text: &[u8]) {
    let Ok(expression) = Expression::new(expression, false) else { return };
    let (mut one, mut other) = (expression::Searcher::default(), expression::Searcher::default());
    let found = expression.search(text, &mut one);
    assert_eq!(found, expression.search_generally(text, &mut other));
    for (name, number) in expression.groups.iter().filter(|_| found) {
        assert_eq!(expression.group(*number, &one), expression.group(*number, &other), "group {name}");
    }
}

/// For fuzzing: reads a time by a format.
pub(crate) fn read_time(format: &str, text: &[u8]) {
    if let Ok(format) = strptime::Format::new(format)
        && let Some(told) = format.read(text)
    {
        let _ = told.wall(0);
    }
}

impl Spec {
    /// Whether formats are detected: nothing is configured.
    pub fn is_auto(&self) -> bool {
        self.plan.is_none()
    }

    /// Its kind, as configured: `regexp`, `json`, …; `auto` where formats are detected.
    pub fn name(&self) -> &'static str {
        self.plan.as_ref().map_or("auto", |plan| plan.name)
    }

    /// Whether it reads lines of text, and not a binary stream.
    pub fn reads_lines(&self) -> bool {
        self.plan.as_ref().is_none_or(|plan| !matches!(plan.kind, Type::Msgpack))
    }

    /// What becomes of lines that are not of the configured form.
    pub fn unmatched(&self) -> Unmatched {
        self.unmatched
    }

    /// Whether a text without a time has that of its reading. Where it has not, a line without a time is not of the
    /// configured form.
    pub fn estimates(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.estimate_current_event)
    }

    /// A reader of single texts; `None` where nothing is configured. `zone` is that of times without one where the
    /// configuration has none; years that times do not say are those up to `reference`.
    pub fn reader(&self, zone: Option<&str>, reference: Nanos, limits: Limits) -> Option<TextReader> {
        Some(TextReader::with(self.plan.as_ref()?, zone, reference, limits))
    }

    pub(super) fn format(
        &self,
        names: &mut Names,
        zone: Option<&str>,
        reference: Nanos,
    ) -> Option<(&'static str, Configured)> {
        let plan = self.plan.as_ref()?;
        Some((plan.name, Configured::new(plan, names, zone, reference)))
    }

    pub(super) fn gathering(&self) -> Option<Gathering> {
        let plan = self.plan.as_ref()?;
        if plan.joins.before.is_some() || plan.joins.after.is_some() {
            return Some(Gathering::ByNeighbours);
        }
        match &plan.kind {
            Type::Multiline { first: Some(_), .. } => Some(Gathering::ByFirstLine),
            Type::Multiline { first: None, .. } => Some(Gathering::UntilMatch),
            _ => None,
        }
    }
}
