//! A configured regular expression with its named groups: lowered to a program where that can be, else (or where that turns
//! back too often) searched by a general engine. Knows nothing of records.

use std::sync::Arc;

use regex_automata::Input;
use regex_automata::meta::{Cache, Regex};
use regex_automata::util::primitives::NonMaxUsize;

use super::lower::lower;
use super::program::{Memory, NOWHERE, Program};
use crate::shared::ruby_regex;

/// An expression.
pub(super) struct Expression {
    program: Option<Program>,
    regex: Regex,
    /// Names of groups and their numbers, in order.
    pub groups: Vec<(Arc<str>, usize)>,
    /// Those of them that have another named group inside.
    pub around: Vec<usize>,
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expression").field("groups", &self.groups).finish_non_exhaustive()
    }
}

/// What a search keeps for the next one.
#[derive(Default)]
pub(super) struct Searcher {
    memory: Memory,
    cache: Option<Cache>,
    slots: Vec<Option<NonMaxUsize>>,
}

impl Expression {
    /// Reads an expression as Ruby or Python write it; `dot_all`: `.` takes line breaks, too.
    ///
    /// # Errors
    /// In words.
    pub fn new(text: &str, dot_all: bool) -> Result<Self, String> {
        let (hir, regex) = ruby_regex::parts(text, dot_all)?;
        let names: Vec<Option<Arc<str>>> =
            regex.group_info().pattern_names(Default::default()).map(|name| name.map(Arc::from)).collect();
        let groups: Vec<(Arc<str>, usize)> =
            names.iter().enumerate().filter_map(|(number, name)| Some((name.clone()?, number))).collect();
        let program = lower(&hir, names.len());
        let mut around = Vec::new();
        nested(&hir, &mut around);
        Ok(Expression { program, regex, groups, around })
    }

    /// Whether it was lowered.
    #[cfg(test)]
    pub fn is_lowered(&self) -> bool {
        self.program.is_some()
    }

    /// Whether it matches somewhere in the text; [`Expression::group`] gives the groups then.
    #[inline]
    pub fn search(&self, text: &[u8], searcher: &mut Searcher) -> bool {
        if let Some(program) = &self.program
            && let Ok(found) = program.search(text, &mut searcher.memory)
        {
            return found;
        }
        self.search_generally(text, searcher)
    }

    /// The same by the general engine.
    pub fn search_generally(&self, text: &[u8], searcher: &mut Searcher) -> bool {
        let Searcher { memory, cache, slots } = searcher;
        let cache = cache.get_or_insert_with(|| self.regex.create_cache());
        slots.clear();
        slots.resize(self.regex.group_info().slot_len(), None);
        let found = self.regex.search_slots_with(cache, &Input::new(text), slots).is_some();
        memory.places.clear();
        memory.places.extend(slots.iter().map(|slot| slot.map_or(NOWHERE, |place| place.get() as u32)));
        found
    }

    /// The place of a group after a search that found; `None` where it was not part of the match.
    #[inline]
    pub fn group(&self, number: usize, searcher: &Searcher) -> Option<(usize, usize)> {
        let places = searcher.memory.places.get(number * 2..number * 2 + 2)?;
        (places[0] != NOWHERE && places[1] != NOWHERE).then_some((places[0] as usize, places[1] as usize))
    }
}

/// Numbers of named groups with a named group inside; gives whether there is one in `hir`.
fn nested(hir: &regex_syntax::hir::Hir, around: &mut Vec<usize>) -> bool {
    use regex_syntax::hir::HirKind;
    if let HirKind::Capture(capture) = hir.kind() {
        let inside = nested(&capture.sub, around);
        if inside && capture.name.is_some() {
            around.push(capture.index as usize);
        }
        return inside || capture.name.is_some();
    }
    hir.kind().subs().iter().fold(false, |any, sub| nested(sub, around) | any)
}
