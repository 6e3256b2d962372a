//! What is known of every match of a regular expression: the literal text that it holds, so that a plain search can go first,
//! and whether it stands within a word. Knows nothing of rows.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};
use sawlog_model::Test;
use sawlog_model::token::is_token_byte;

/// Shorter literals are in nearly everything.
const SHORTEST: usize = 2;
/// So many literals narrow down enough.
const MOST: usize = 3;

/// Tests for parts that stand in every text which the expression matches; the longest first.
pub(super) fn required(pattern: &str) -> Vec<Test> {
    let Ok(hir) = ParserBuilder::new().utf8(false).build().parse(pattern) else { return Vec::new() };
    let mut search = Search::default();
    search.walk(&hir);
    search.end_run();
    search.found.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    search.found.truncate(MOST);
    search.found.into_iter().map(|(text, fold)| Test::Part { text, fold }).collect()
}

/// A match of an expression, where it always is part of one token or all of it, and does not depend on what stands beside it.
pub(super) struct InWord {
    /// It has a byte that is no digit.
    pub(super) has_letter: bool,
}

/// Whether matches of the expression stand within tokens.
pub(super) fn in_word(pattern: &str) -> Option<InWord> {
    let hir = ParserBuilder::new().utf8(false).build().parse(pattern).ok()?;
    let is_some = hir.properties().minimum_len().is_some_and(|len| len > 0);
    (is_some && is_wordy(&hir)).then(|| InWord { has_letter: has_letter(&hir) })
}

/// Whether nothing but bytes of tokens matches.
fn is_wordy(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty => true,
        HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.iter().copied().all(is_token_byte),
        HirKind::Class(class) => bytes_of(class).is_some_and(|mut bytes| bytes.all(is_token_byte)),
        HirKind::Repetition(repetition) => is_wordy(&repetition.sub),
        HirKind::Capture(capture) => is_wordy(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().all(is_wordy),
    }
}

/// Whether every match has a byte that is no digit.
fn has_letter(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.iter().any(|byte| !byte.is_ascii_digit()),
        HirKind::Class(class) => {
            bytes_of(class).is_some_and(|mut bytes| bytes.all(|byte| !byte.is_ascii_digit()))
        }
        HirKind::Repetition(repetition) => repetition.min > 0 && has_letter(&repetition.sub),
        HirKind::Capture(capture) => has_letter(&capture.sub),
        HirKind::Concat(parts) => parts.iter().any(has_letter),
        HirKind::Alternation(parts) => parts.iter().all(has_letter),
    }
}

/// The bytes of a class, where it is one of ASCII.
fn bytes_of(class: &Class) -> Option<Box<dyn Iterator<Item = u8> + '_>> {
    Some(match class {
        Class::Bytes(class) => Box::new(class.iter().flat_map(|range| range.start()..=range.end())),
        Class::Unicode(unicode) if unicode.is_ascii() => {
            Box::new(unicode.iter().flat_map(|range| range.start() as u8..=range.end() as u8))
        }
        Class::Unicode(_) => return None,
    })
}

#[derive(Default)]
struct Search {
    found: Vec<(String, bool)>,
    run: Vec<u8>,
    /// The run holds a letter that may stand in either case.
    fold: bool,
}

impl Search {
    fn walk(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Literal(literal) => self.run.extend_from_slice(&literal.0),
            HirKind::Class(class) => match either_case(class) {
                Some(letter) => {
                    self.run.push(letter);
                    self.fold = true;
                }
                None => self.end_run(),
            },
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.walk(part)),
            HirKind::Capture(capture) => self.walk(&capture.sub),
            HirKind::Repetition(repetition) => {
                self.end_run();
                if repetition.min > 0 {
                    self.walk(&repetition.sub);
                    self.end_run();
                }
            }
            // What is nowhere written stands between nothing.
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Alternation(_) => self.end_run(),
        }
    }

    fn end_run(&mut self) {
        let fold = std::mem::take(&mut self.fold);
        let mut run = std::mem::take(&mut self.run);
        if fold {
            run.make_ascii_lowercase();
        }
        // With folding only ASCII is compared without case, as the classes that count as letters are.
        if run.len() >= SHORTEST && (!fold || run.is_ascii()) {
            self.found.extend(String::from_utf8(run).map(|text| (text, fold)));
        }
    }
}

/// The lower-case letter where the class is just it and its upper case.
fn either_case(class: &Class) -> Option<u8> {
    let letters: Vec<char> = match class {
        Class::Unicode(class) => class.iter().flat_map(|range| [range.start(), range.end()]).collect(),
        Class::Bytes(class) => {
            class.iter().flat_map(|range| [char::from(range.start()), char::from(range.end())]).collect()
        }
    };
    match letters[..] {
        [upper, also_upper, lower, also_lower]
            if upper == also_upper
                && lower == also_lower
                && upper.is_ascii_uppercase()
                && lower == upper.to_ascii_lowercase() =>
        {
            u8::try_from(lower).ok()
        }
        _ => None,
    }
}
