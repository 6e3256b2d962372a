//! The literal text that every match of a regular expression holds, so that a plain search can go first. Knows nothing of
//! rows.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};
use sawlog_model::Test;

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
