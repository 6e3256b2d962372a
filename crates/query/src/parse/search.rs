//! The search part of a query: terms joined by AND, OR, NOT and parentheses. Knows nothing of pipes.

use sawlog_model::{Predicate, Test, TimeRange};

use super::cursor::{Cursor, is_name};
use super::value;
use crate::QueryError;

/// Deepest nesting of parentheses: whoever walks a predicate does it by recursion.
const MAX_DEPTH: usize = 64;
/// Most terms of a query.
const MAX_TERMS: usize = 2_000;

/// Reads a search, up to the first pipe or the end.
pub(super) fn search(cursor: &mut Cursor<'_>) -> Result<(Predicate, TimeRange), QueryError> {
    let mut reader = Reader { cursor, depth: 0, terms: 0, range: TimeRange::ALL, time: None };
    reader.cursor.skip_spaces();
    if reader.at_end() {
        return Ok((Predicate::All, TimeRange::ALL));
    }
    let predicate = reader.any(None)?;
    let (range, time) = (reader.range, reader.time);
    if cursor.peek() == Some(')') {
        return Err(cursor.error(cursor.at, cursor.at + 1, "this `)` has no `(` before it"));
    }
    if let (Some((start, end)), Predicate::Or(_)) = (time, &predicate) {
        return Err(cursor.error(start, end, TIME_MUST_NARROW));
    }
    Ok((predicate, range))
}

/// Reads the search of the pipe `filter`, in which times have no place.
pub(crate) fn filter(cursor: &mut Cursor<'_>) -> Result<Predicate, QueryError> {
    let mut reader = Reader { cursor, depth: 1, terms: 0, range: TimeRange::ALL, time: None };
    reader.cursor.skip_spaces();
    if reader.at_end() {
        return Err(cursor.error(cursor.at, cursor.at, "filter needs a search, such as `filter count:>10`"));
    }
    reader.any(None)
}

const TIME_MUST_NARROW: &str = "`_time` narrows the whole search: put it outside of parentheses, NOT and OR, such as `_time:1h (a OR b)`";

struct Reader<'c, 'a> {
    cursor: &'c mut Cursor<'a>,
    depth: usize,
    terms: usize,
    /// What the `_time` terms leave.
    range: TimeRange,
    /// Where the last of them stands.
    time: Option<(usize, usize)>,
}

impl Reader<'_, '_> {
    fn at_end(&self) -> bool {
        matches!(self.cursor.peek(), None | Some('|'))
    }

    /// Terms joined by OR. `field` is the one whose group this is.
    fn any(&mut self, field: Option<&str>) -> Result<Predicate, QueryError> {
        let mut all = vec![self.all(field)?];
        while self.cursor.eat_word("OR") {
            all.push(self.all(field)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Predicate::Or(all) })
    }

    /// Terms joined by AND, said or unsaid.
    fn all(&mut self, field: Option<&str>) -> Result<Predicate, QueryError> {
        let mut start = self.cursor.at;
        let mut all = Predicate::All;
        let mut found = false;
        loop {
            let mut wanted = !found;
            while self.cursor.eat_word("AND") {
                if wanted {
                    let message = "AND joins two terms; one is missing before it (a word AND goes in quotes)";
                    return Err(self.cursor.error(self.cursor.at - 3, self.cursor.at, message));
                }
                wanted = true;
                start = self.cursor.at - 3;
            }
            self.cursor.skip_spaces();
            let or = self.cursor.rest().strip_prefix("OR");
            let at_or = or.is_some_and(|after| !after.chars().next().is_some_and(is_name));
            if self.at_end() || self.cursor.peek() == Some(')') || at_or {
                if !wanted {
                    return Ok(all);
                }
                let end = if at_or { self.cursor.at + 2 } else { self.cursor.at };
                let message = "a term is missing here; a search is words, \"phrases\" and `field:value`";
                return Err(self.cursor.error(start.min(end), end, message));
            }
            all = all.and(self.term(field)?);
            found = true;
        }
    }

    /// One term with the signs before it that turn it round.
    fn term(&mut self, field: Option<&str>) -> Result<Predicate, QueryError> {
        let start = self.cursor.at;
        let mut negated = false;
        let mut signs = 0;
        loop {
            if self.cursor.eat_word("NOT") || self.eat_sign() {
                (negated, signs) = (!negated, signs + 1);
                self.cursor.skip_spaces();
                continue;
            }
            break;
        }
        if self.at_end() || self.cursor.peek() == Some(')') {
            return Err(self
                .cursor
                .error_since(start, "what is not wanted is missing here, such as `NOT debug`"));
        }
        self.terms += 1;
        if self.terms > MAX_TERMS {
            let message = "too many terms; 2000 is the most. `field:in(a, b)` is one term for many values";
            return Err(self.cursor.error_since(start, message));
        }
        let nested = usize::from(signs > 0);
        self.depth += nested;
        let one = self.primary(field)?;
        self.depth -= nested;
        Ok(if negated { Predicate::Not(Box::new(one)) } else { one })
    }

    /// Takes a `-` or `!` that stands right before a term.
    fn eat_sign(&mut self) -> bool {
        let mut signs = self.cursor.rest().chars();
        let is_sign = matches!(signs.next(), Some('-' | '!'));
        let before_term =
            signs.next().is_some_and(|next| !next.is_whitespace() && !matches!(next, ')' | '|'));
        self.cursor.at += usize::from(is_sign && before_term);
        is_sign && before_term
    }

    fn primary(&mut self, field: Option<&str>) -> Result<Predicate, QueryError> {
        if self.cursor.peek() == Some('(') {
            return self.group(field);
        }
        if let Some(field) = field {
            return self.field(field.to_owned());
        }
        match self.field_name()? {
            Some(name) => self.field(name),
            None => value::bare(self.cursor),
        }
    }

    fn group(&mut self, field: Option<&str>) -> Result<Predicate, QueryError> {
        let start = self.cursor.at;
        self.cursor.bump();
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.cursor.error_since(start, "parentheses are nested too deep; 64 is the most"));
        }
        let inner = self.any(field)?;
        if !self.cursor.eat(")") {
            return Err(self.cursor.error(start, start + 1, "this `(` is never closed; add a `)`"));
        }
        self.depth -= 1;
        Ok(inner)
    }

    /// Takes `name:` where one is next. `http://x`, `a::b`, `10:02` and `word: ` are no fields.
    fn field_name(&mut self) -> Result<Option<String>, QueryError> {
        let start = self.cursor.at;
        let name = match self.cursor.peek() {
            Some('"') => self.cursor.text(&[])?.joined(),
            Some(first) if first.is_alphabetic() || matches!(first, '_' | '@' | '.') => {
                self.cursor.name("a field")?
            }
            _ => return Ok(None),
        };
        let mut after = self.cursor.rest().chars();
        let colon = after.next() == Some(':');
        let is_url = self.cursor.rest().starts_with("://");
        let value =
            after.next().is_some_and(|next| !next.is_whitespace() && !matches!(next, ':' | ')' | '|'));
        if colon && value && !is_url && !name.is_empty() {
            self.cursor.bump();
            return Ok(Some(name));
        }
        self.cursor.at = start;
        Ok(None)
    }

    /// What is asked of a field.
    fn field(&mut self, name: String) -> Result<Predicate, QueryError> {
        let start = self.cursor.at;
        if self.cursor.peek() == Some('(') {
            return self.group(Some(&name));
        }
        if name != "_time" {
            return value::of_field(self.cursor, name);
        }
        let range = value::time(self.cursor)?;
        let span = (start - "_time:".len().min(start), self.cursor.at);
        if self.depth > 0 {
            return Err(self.cursor.error(span.0, span.1, TIME_MUST_NARROW));
        }
        self.range = self.range.intersect(&range);
        self.time = Some(span);
        Ok(Predicate::All)
    }
}

/// A test of one field.
pub(super) fn of(name: String, test: Test) -> Predicate {
    Predicate::Field(name, test)
}
