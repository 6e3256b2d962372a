//! Regular expressions, of version 1: in the words of Perl, without what needs looking back and forth, so that a search takes no
//! longer than the line is long.

use std::ops::Range;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};
use sawlog_model::Value;

use super::super::rule::{Field, unescape};
use super::nested::arguments;

/// Largest automaton of an expression, and most memory that a search keeps for its next one, bytes.
const SIZE_MOST: usize = 4 << 20;
const CACHE: usize = 1 << 20;

/// An expression, and which of its groups are the field and its value.
#[derive(Debug)]
pub(in super::super) struct Expression {
    regex: Regex,
    field: usize,
    value: usize,
}

impl Expression {
    pub fn new(field: &Field) -> Result<Expression, String> {
        let usage =
            || "such a field is written as %NAME:regex:EXPRESSION:GROUP:GROUP OF THE VALUE%".to_owned();
        let Some(Value::Bin(raw)) = field.parameter("raw") else { return Err(usage()) };
        let parts = arguments(raw, 3);
        let text = String::from_utf8(unescape(parts[0])).map_err(|_| usage())?;
        let group = |part: Option<&&[u8]>, or: usize| match part {
            None => Ok(or),
            Some(part) => std::str::from_utf8(part).ok().and_then(|part| part.parse().ok()).ok_or_else(usage),
        };
        let field = group(parts.get(1), 0)?;
        let value = group(parts.get(2), field)?;
        let limits =
            Regex::config().utf8_empty(false).nfa_size_limit(Some(SIZE_MOST)).hybrid_cache_capacity(CACHE);
        let syntax = syntax::Config::new().unicode(false).utf8(false);
        let regex = Regex::builder().configure(limits).syntax(syntax).build(&text);
        let regex = regex.map_err(|error| {
            let why = error.syntax_error().map_or_else(|| error.to_string(), ToString::to_string);
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            format!("`{text}`: {why}")
        })?;
        if text.is_empty()
            || field.max(value) >= regex.group_info().group_len(regex_automata::PatternID::ZERO)
        {
            return Err(usage());
        }
        Ok(Expression { regex, field, value })
    }

    /// A group that begins here, and the one of the value.
    fn find(&self, line: &[u8], at: usize) -> Option<(Range<usize>, Range<usize>)> {
        let input = Input::new(line).span(at..line.len()).anchored(Anchored::Yes);
        let mut groups = self.regex.create_captures();
        self.regex.search_captures(&input, &mut groups);
        let field = groups.get_group(self.field)?;
        let value = groups.get_group(self.value).map_or(at..at, |value| value.start..value.end);
        (field.start == at).then_some((field.start..field.end, value))
    }

    pub fn end(&self, line: &[u8], at: usize) -> Option<usize> {
        self.find(line, at).map(|(field, _)| field.end)
    }

    pub fn value(&self, line: &[u8], at: usize) -> Range<usize> {
        self.find(line, at).map_or(at..at, |(_, value)| value)
    }
}
