//! A word, phrase or part looked for in texts that are kept as templates and variables: decided for all texts of a template
//! at once where its literals, or one search over the text of all variables, tell. Knows nothing of rows.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;
use std::slice;
use std::sync::Arc;

use sawlog_model::token::is_token_byte;
use sawlog_model::{Kind, Test, value};

use super::bits::Bits;
use super::column::{Strings, TemplateRun, Templates, Variable};
use super::cursor::Damage;
use super::needle::{Absent, LARGE_DICTIONARY, Needle, Probe, Text};
use super::template::{VARIABLE, WHOLE, is_delimiter};

#[cfg(test)]
mod tests;

/// What is known of the values of a template.
enum Found {
    All,
    None,
    Some { sure: Bits, maybe: Option<Bits> },
}

impl Needle<'_> {
    /// Which texts pass. The index says that the tokens that are `absent` are none of the variables.
    pub(super) fn find_in_templates(
        &self,
        templates: &Templates,
        kind: Kind,
        absent: &Absent,
    ) -> Result<Bits, Damage> {
        let count = templates.codes.len();
        let found = self.found_in_runs(templates, kind, absent)?;
        if !found.iter().any(|found| matches!(found, Found::Some { .. })) {
            let all: Vec<bool> = found.iter().map(|found| matches!(found, Found::All)).collect();
            return Ok(Bits::of(count, |index| all[templates.codes[index] as usize]));
        }
        let mut bits = Bits::none(count);
        let mut bytes = Vec::new();
        for (index, (code, rank)) in templates.codes.iter().zip(templates.ranks()).enumerate() {
            let hit = match &found[*code as usize] {
                Found::All => true,
                Found::None => false,
                Found::Some { sure, maybe } => {
                    let rank = *rank as usize;
                    sure.has(rank)
                        || maybe.as_ref().is_some_and(|maybe| maybe.has(rank))
                            && self.keeps_text(templates, (*code as usize, rank), kind, &mut bytes)?
                }
            };
            if hit {
                bits.set(index);
            }
        }
        Ok(bits)
    }

    /// How many texts pass, as [`Needle::find_in_templates`] finds them; which these are is not asked.
    pub(super) fn count_in_templates(
        &self,
        templates: &Templates,
        kind: Kind,
        absent: &Absent,
    ) -> Result<u64, Damage> {
        let (mut count, mut bytes) = (0, Vec::new());
        let found = self.found_in_runs(templates, kind, absent)?;
        for (number, (found, run)) in found.iter().zip(&templates.runs).enumerate() {
            count += match found {
                Found::All => run.values,
                Found::None => 0,
                Found::Some { sure, maybe } => {
                    let mut hits = sure.count();
                    for rank in maybe.iter().flat_map(Bits::iter).filter(|rank| !sure.has(*rank)) {
                        hits += usize::from(self.keeps_text(templates, (number, rank), kind, &mut bytes)?);
                    }
                    hits
                }
            } as u64;
        }
        Ok(count)
    }

    /// Whether a text passes, by the run that it is of and its rank there.
    fn keeps_text(
        &self,
        templates: &Templates,
        (run, rank): (usize, usize),
        kind: Kind,
        bytes: &mut Vec<u8>,
    ) -> Result<bool, Damage> {
        bytes.clear();
        templates.append_text(run, rank, self.looks_past_numbers(kind), bytes)?;
        Ok(self.keeps(kind, bytes))
    }

    /// Whether it stands in a text no matter which numbers are in it: it holds none, and no sign of one.
    fn looks_past_numbers(&self, kind: Kind) -> bool {
        let is_of_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'-';
        kind == Kind::Text && self.text.as_ref().is_some_and(|text| !text.bytes.iter().any(is_of_number))
    }

    /// What is known of the texts of each template.
    fn found_in_runs(
        &self,
        templates: &Templates,
        kind: Kind,
        absent: &Absent,
    ) -> Result<Vec<Found>, Damage> {
        let runs = &templates.runs;
        match &self.text {
            None if self.in_word().is_some() && kind != Kind::Json => {
                let in_literals = self.in_literals(&templates.table, kind);
                (0..runs.len()).map(|run| self.match_in_run(run, templates, kind, &in_literals)).collect()
            }
            Some(text) if kind != Kind::Json => {
                let look = Look::new(self, text, templates, kind, absent)?;
                (0..runs.len()).map(|run| self.find_in_run(run, &look)).collect()
            }
            _ => {
                let all = |run: &TemplateRun| Found::Some {
                    sure: Bits::none(run.values),
                    maybe: Some(Bits::all(run.values)),
                };
                Ok(runs.iter().map(all).collect())
            }
        }
    }

    /// The values of one template that an expression matches whose matches stand in one part.
    fn match_in_run(
        &self,
        number: usize,
        templates: &Templates,
        kind: Kind,
        in_literals: &Bits,
    ) -> Result<Found, Damage> {
        let run = &templates.runs[number];
        if in_literals.has(run.template as usize) {
            return Ok(Found::All);
        }
        let mut sure = Bits::none(run.values);
        for variable in templates.variables(number)? {
            sure.or(&self.find(templates.variable(number, variable)?, kind)?);
        }
        Ok(if sure.is_empty() { Found::None } else { Found::Some { sure, maybe: None } })
    }

    /// Decides the values of one template as far as its parts tell.
    fn find_in_run(&self, number: usize, look: &Look<'_>) -> Result<Found, Damage> {
        let Look { templates, kind, .. } = *look;
        let run = &templates.runs[number];
        let template = run.template as usize;
        if look.in_literals.has(template) {
            return Ok(Found::All);
        }
        let across = look.across.has(template);
        if look.is_in_no_variable() && !across {
            return Ok(Found::None);
        }
        if !look.in_one && !across {
            return Ok(Found::None);
        }
        let variables = templates.variables(number)?;
        let in_one = look.in_one && look.may_hold(variables);
        if !in_one && !across {
            return Ok(Found::None);
        }
        let mut sure = Bits::none(run.values);
        for variable in variables.iter().filter(|variable| in_one && look.may_hold(slice::from_ref(variable)))
        {
            sure.or(&self.find(templates.variable(number, variable)?, kind)?);
        }
        let mut maybe = None;
        if across {
            let mut all = Bits::all(run.values);
            for word in &look.words {
                let needle = Needle::new(&word.test);
                if !all.is_empty() && !word.in_literals.has(template) {
                    let mut anywhere = Bits::none(run.values);
                    let hits = look.hits_of(word, &needle)?;
                    for variable in
                        variables.iter().filter(|variable| may_hold(hits, slice::from_ref(variable)))
                    {
                        anywhere.or(&needle.find(templates.variable(number, variable)?, kind)?);
                    }
                    all.and(&anywhere);
                }
            }
            maybe = Some(all);
        }
        let nothing = sure.is_empty() && maybe.as_ref().is_none_or(Bits::is_empty);
        Ok(if nothing { Found::None } else { Found::Some { sure, maybe } })
    }

    /// Templates with a literal that holds it, remembered for the next row group.
    pub(super) fn in_literals(&self, table: &Strings, kind: Kind) -> Arc<Bits> {
        let holds_literal = |template: usize| {
            table.get(template).split(|byte| *byte == VARIABLE).any(|literal| match kind {
                Kind::JsonText => self.is_in(&value::unescape(Cow::Borrowed(literal))),
                _ => self.is_in(literal),
            })
        };
        let Some(text) = &self.text else {
            return remembered(table, "in literals", self.test, kind, || {
                Bits::of(table.len(), holds_literal)
            });
        };
        // A literal stands between bytes that stand in no word and in nothing that is looked for.
        let at_once = !text.bytes.is_empty()
            && memchr::memchr(VARIABLE, text.bytes).is_none()
            && (kind != Kind::JsonText || memchr::memchr(b'\\', &table.bytes).is_none());
        remembered(table, "in literals", self.test, kind, || match at_once {
            true => text.find_all(table),
            false => Bits::of(table.len(), holds_literal),
        })
    }
}

/// What `find` gives, kept for the next row group where there are many templates.
fn remembered(
    table: &Strings,
    what: impl std::fmt::Display,
    test: &Test,
    kind: Kind,
    find: impl FnOnce() -> Bits,
) -> Arc<Bits> {
    match table.len() < LARGE_DICTIONARY {
        true => Arc::new(find()),
        false => table.found.get(format!("{what} {kind:?} {test:?}"), find),
    }
}

/// A look for text over the templates of one column.
struct Look<'a> {
    templates: &'a Templates,
    kind: Kind,
    /// Where the variables hold what is needed; `None` where that is not known.
    hits: Option<Hits>,
    /// One variable may hold all of it.
    in_one: bool,
    /// Templates with a literal that holds the text.
    in_literals: Arc<Bits>,
    /// Templates of texts in which it may stand over several parts.
    across: Bits,
    words: Vec<Word>,
}

/// A word of what is looked for.
struct Word {
    test: Test,
    /// Templates with a literal that holds it.
    in_literals: Arc<Bits>,
    /// It is what the hits are of.
    is_probe: bool,
    /// Where the variables hold it, once that is asked; `None` where that is not known.
    hits: OnceCell<Option<Hits>>,
}

/// Where something stands in the text of all variables, ascending.
#[derive(Default)]
struct Hits {
    in_text: Vec<usize>,
    in_digits: Vec<usize>,
}

impl Hits {
    fn of(probe: &Probe<'_>, templates: &Templates) -> Result<Hits, Damage> {
        let in_text = places(probe, templates.streams.text.bytes()?);
        let in_digits = match probe.is_all_digits() {
            true => places(probe, templates.streams.digits.bytes()?),
            false => Vec::new(),
        };
        Ok(Hits { in_text, in_digits })
    }

    fn is_empty(&self) -> bool {
        self.in_text.is_empty() && self.in_digits.is_empty()
    }

    /// Whether any begins within these variables, which stand one behind the other.
    fn are_in(&self, variables: &[Variable]) -> bool {
        let (Some(first), Some(last)) = (variables.first(), variables.last()) else { return false };
        let any = |hits: &[usize], range: Range<usize>| {
            let next = hits.partition_point(|hit| *hit < range.start);
            hits.get(next).is_some_and(|hit| *hit < range.end)
        };
        any(&self.in_text, first.text().start..last.text().end)
            || any(&self.in_digits, first.digits().start..last.digits().end)
    }
}

/// Where the probe stands in some bytes.
fn places(probe: &Probe<'_>, bytes: &[u8]) -> Vec<usize> {
    let mut hits = Vec::new();
    let mut from = 0;
    while let Some(at) = probe.search.find(&bytes[from..]) {
        hits.push(from + at);
        from += at + 1;
    }
    hits
}

impl<'a> Look<'a> {
    fn new(
        needle: &Needle<'_>,
        text: &Text<'_>,
        templates: &'a Templates,
        kind: Kind,
        absent: &Absent,
    ) -> Result<Self, Damage> {
        let table = &templates.table;
        let in_literals = needle.in_literals(table, kind);
        let (in_one, across) = (absent.is_empty(), Bits::none(table.len()));
        let mut look = Look {
            templates,
            kind,
            hits: Some(Hits::default()),
            in_one,
            in_literals,
            across,
            words: Vec::new(),
        };
        if in_one {
            look.hits = hits(needle, text, templates, kind)?;
        }
        if text.single {
            return Ok(look);
        }
        look.across = Bits::all(table.len());
        for (test, span) in needle.words().into_iter().zip(&text.spans) {
            let word = Needle::new(&test);
            let is_probe = word.probe().is_some_and(|probe| needle.has_probe(&probe));
            let in_literals = word.in_literals(table, kind);
            // A word that no variable holds must be in a literal.
            if absent.contains(span) || is_probe && in_one && look.is_in_no_variable() {
                look.across.and(&in_literals);
            }
            look.words.push(Word { in_literals, is_probe, hits: OnceCell::new(), test });
        }
        // The word that is looked for in few variables goes first: mostly it leaves nothing to look for.
        look.words.sort_by_key(|word| !word.is_probe);
        if text.bytes.is_ascii()
            && look.may_go_across()
            && (has_only_delimiters(text) || !holds_joints(text, templates)?)
        {
            look.across.and(&remembered(table, format_args!("across {absent:?}"), needle.test, kind, || {
                Bits::of(table.len(), |template| goes_across(table.get(template), text, absent, kind))
            }));
        }
        // Only now the text is needed, and mostly it is not.
        if !in_one && look.may_go_across() {
            look.hits = hits(needle, text, templates, kind)?;
        }
        Ok(look)
    }

    /// Whether it may stand over several parts in a text of the group.
    fn may_go_across(&self) -> bool {
        let is_open = |run: &TemplateRun| {
            let template = run.template as usize;
            self.across.has(template) && !self.in_literals.has(template)
        };
        self.templates.runs.iter().any(is_open)
    }

    /// Whether no variable holds what is needed.
    fn is_in_no_variable(&self) -> bool {
        self.hits.as_ref().is_some_and(Hits::is_empty)
    }

    /// Whether one of the variables may hold it.
    fn may_hold(&self, variables: &[Variable]) -> bool {
        may_hold(self.hits.as_ref(), variables)
    }

    /// Where the variables hold a word.
    fn hits_of<'b>(&'b self, word: &'b Word, needle: &Needle<'_>) -> Result<Option<&'b Hits>, Damage> {
        if word.is_probe {
            return Ok(self.hits.as_ref());
        }
        let found = match (word.hits.get(), &needle.text) {
            (Some(found), _) => found,
            (None, text) => {
                let found = match text {
                    Some(text) => hits(needle, text, self.templates, self.kind)?,
                    None => None,
                };
                word.hits.get_or_init(|| found)
            }
        };
        Ok(found.as_ref())
    }
}

/// Whether one of the variables may hold what has these hits.
fn may_hold(hits: Option<&Hits>, variables: &[Variable]) -> bool {
    hits.is_none_or(|hits| hits.are_in(variables))
}

/// Where in the text of all variables that stands without which no variable passes: a part of a word, or where all are
/// digits, the whole of several. `None` where that does not tell.
fn hits(
    needle: &Needle<'_>,
    text: &Text<'_>,
    templates: &Templates,
    kind: Kind,
) -> Result<Option<Hits>, Damage> {
    // Several words do not stand in a variable that is a number.
    let several =
        |whole: &Probe<'_>| text.tokens.len() > 1 && (kind == Kind::Text || whole.is_never_escaped());
    let Some(probe) = needle.probe().or_else(|| needle.whole().filter(several)) else { return Ok(None) };
    // Escapes may stand for letters of the word.
    if kind != Kind::Text && memchr::memmem::find(templates.streams.text.bytes()?, b"\\u").is_some() {
        return Ok(None);
    }
    Hits::of(&probe, templates).map(Some)
}

/// Whether a sign that no variable holds stands between all words of the text: only texts that are one variable as a whole have
/// it there, and these are searched as such.
fn has_only_delimiters(text: &Text<'_>) -> bool {
    let spans = &text.spans;
    let cut = |start: usize, end: usize| text.bytes[start..end].iter().copied().any(is_delimiter);
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return false };
    (first.0 == 0 || cut(0, first.0))
        && (last.1 == text.bytes.len() || cut(last.1, text.bytes.len()))
        && spans.windows(2).all(|two| cut(two[0].1, two[1].0))
}

/// Whether a variable may hold signs of the text beside one of its words. Variables begin and end within words, but for
/// texts that are one variable as a whole.
fn holds_joints(text: &Text<'_>, templates: &Templates) -> Result<bool, Damage> {
    let spans = &text.spans;
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return Ok(true) };
    let mut joints: Vec<(usize, usize)> = spans.windows(2).map(|two| (two[0].0, two[1].1)).collect();
    joints.extend((first.0 > 0).then_some((0, first.1)));
    joints.extend((last.1 < text.bytes.len()).then_some((last.0, text.bytes.len())));
    for (start, end) in joints {
        if !Hits::of(&Probe::of(&text.bytes[start..end], text.fold), templates)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A part of a text.
#[derive(Clone, Copy)]
enum Part<'a> {
    Literal(&'a [u8]),
    Variable,
}

/// Whether the text can stand over several parts of texts with this template, of which no variable holds a sign of it
/// beside a word, and none the words that are `absent`.
fn goes_across(template: &[u8], text: &Text<'_>, absent: &Absent, kind: Kind) -> bool {
    if template == WHOLE {
        return false;
    }
    if kind == Kind::JsonText && memchr::memchr(b'\\', template).is_some() {
        return true;
    }
    // Its signs that are no word's all stand in literals.
    let sign = text.bytes.iter().copied().find(|byte| !is_token_byte(*byte));
    let count = |bytes: &[u8]| sign.map_or(0, |sign| memchr::memchr_iter(sign, bytes).count());
    if count(template) < count(text.bytes) {
        return false;
    }
    let mut parts = Vec::new();
    for (index, literal) in template.split(|byte| *byte == VARIABLE).enumerate() {
        parts.extend((index > 0).then_some(Part::Variable));
        parts.extend((!literal.is_empty()).then_some(Part::Literal(literal)));
    }
    let bytes = text.bytes;
    let is_cut = |at: usize| !(is_token_byte(bytes[at - 1]) && is_token_byte(bytes[at]));
    let cuts: Vec<usize> = (1..bytes.len()).filter(|at| is_cut(*at)).collect();
    (0..parts.len()).any(|at| {
        cuts.iter().any(|cut| {
            let (before, after) = bytes.split_at(*cut);
            let begins = match parts[at] {
                Part::Literal(literal) => ends(literal, before, text.fold),
                Part::Variable => before.iter().copied().all(is_token_byte) && !absent.contains(&(0, *cut)),
            };
            let absent: Vec<usize> = absent.iter().map(|(start, _)| bytes.len() - start).collect();
            begins && goes_on(&parts[at + 1..], after, &absent, text.fold)
        })
    })
}

/// Whether a text can go on with `rest` where these parts begin. No variable holds a word that is `absent`: so many bytes before
/// the end.
fn goes_on(parts: &[Part<'_>], rest: &[u8], absent: &[usize], fold: bool) -> bool {
    match parts.split_first() {
        None => rest.is_empty(),
        Some((Part::Literal(literal), further)) => {
            let len = literal.len().min(rest.len());
            same(&literal[..len], &rest[..len], fold)
                && (len == rest.len() || goes_on(further, &rest[len..], absent, fold))
        }
        Some((Part::Variable, further)) => {
            let len = rest.iter().take_while(|byte| is_token_byte(**byte)).count();
            len > 0
                && !absent.contains(&rest.len())
                && (len == rest.len() || goes_on(further, &rest[len..], absent, fold))
        }
    }
}

fn ends(literal: &[u8], with: &[u8], fold: bool) -> bool {
    literal.len().checked_sub(with.len()).is_some_and(|at| same(&literal[at..], with, fold))
}

fn same(a: &[u8], b: &[u8], fold: bool) -> bool {
    if fold { a.eq_ignore_ascii_case(b) } else { a == b }
}
