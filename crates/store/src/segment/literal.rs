//! The literal text that every match of a regular expression holds, so that a plain search can go first. Knows nothing of
//! rows.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};
use sawlog_model::Test;

/// Shorter literals are in nearly everything.
const SHORTEST: usize = 2;

/// A test for a part that stands in every text which the expression matches; the longest that is found.
pub(super) fn required(pattern: &str) -> Option<Test> {
    let hir = ParserBuilder::new().utf8(false).build().parse(pattern).ok()?;
    let mut search = Search::default();
    search.walk(&hir);
    search.end_run();
    search.best.map(|(text, fold)| Test::Part { text, fold })
}

#[derive(Default)]
struct Search {
    best: Option<(String, bool)>,
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
        let longer = self.best.as_ref().is_none_or(|(best, _)| best.len() < run.len());
        // With folding only ASCII is compared without case, as the classes that count as letters are.
        if run.len() >= SHORTEST && longer && (!fold || run.is_ascii()) {
            self.best = String::from_utf8(run).ok().map(|text| (text, fold)).or(self.best.take());
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
