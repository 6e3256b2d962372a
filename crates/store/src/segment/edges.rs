//! Whether a phrase can stand across the edges of the parts of a line: told from the literal text between slots, and from
//! what the columns beside an edge can hold. Knows nothing of rows.

use std::cell::Cell;

use sawlog_model::Test;

use super::bits::Bits;
use super::group::Group;
use super::needle::Needle;
use super::shape::Shape;
use super::skeleton::Item;
use crate::StoreError;

/// A part of a line.
enum Part<'a> {
    Literal(&'a [u8]),
    Slot(u32),
}

/// The text that is looked for.
struct Phrase<'a> {
    text: &'a str,
    fold: bool,
    /// Steps that may still be taken; when they are spent, everything is possible.
    steps: Cell<usize>,
}

/// A phrase of many like words over many like slots has too many ways to stand in a line to try them all.
const STEPS: usize = 2_000;

impl Group {
    /// For each shape that `rows` have, whether the needle can stand across an edge of two parts of their lines.
    pub(super) fn crossing_shapes(&self, needle: &Needle<'_>, rows: &Bits) -> Result<Vec<bool>, StoreError> {
        let mut crossing = vec![false; self.shapes.len()];
        for code in self.present_shapes(rows) {
            crossing[code] = match needle.text() {
                Some((text, fold)) if text.is_ascii() => {
                    self.may_cross(&self.shapes[code], &Phrase { text, fold, steps: Cell::new(STEPS) })?
                }
                _ => true,
            };
        }
        Ok(crossing)
    }

    fn may_cross(&self, shape: &Shape, phrase: &Phrase<'_>) -> Result<bool, StoreError> {
        let parts: Vec<Part<'_>> = shape
            .skeleton
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Literal(text) => Some(Part::Literal(text)),
                Item::Slot { printed: true, column } => Some(Part::Slot(*column)),
                Item::Slot { printed: false, .. } => None,
            })
            .collect();
        for (at, part) in parts.iter().enumerate() {
            for cut in 1..phrase.text.len() {
                let (before, after) = phrase.text.split_at(cut);
                let begins = match part {
                    Part::Literal(literal) => phrase.ends(literal, before),
                    Part::Slot(_) => true,
                };
                if begins
                    && self.goes_on(&parts[at + 1..], after, phrase)?
                    && self.may_end(part, before, phrase)?
                {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether a part can end with this beginning of the phrase.
    fn may_end(&self, part: &Part<'_>, before: &str, phrase: &Phrase<'_>) -> Result<bool, StoreError> {
        match part {
            Part::Literal(_) => Ok(true),
            Part::Slot(column) => self.may_hold_piece(*column, before, phrase),
        }
    }

    /// Whether the line can go on with `rest` at the beginning of these parts.
    fn goes_on(&self, parts: &[Part<'_>], rest: &str, phrase: &Phrase<'_>) -> Result<bool, StoreError> {
        if phrase.steps.get() == 0 {
            return Ok(true);
        }
        phrase.steps.set(phrase.steps.get() - 1);
        match parts.split_first() {
            None => Ok(false),
            Some((Part::Literal(literal), further)) => {
                if phrase.starts(literal, rest) {
                    return Ok(true);
                }
                let whole =
                    literal.len() < rest.len() && phrase.same(&rest.as_bytes()[..literal.len()], literal);
                if whole { self.goes_on(further, &rest[literal.len()..], phrase) } else { Ok(false) }
            }
            Some((Part::Slot(column), further)) => {
                if self.may_hold_piece(*column, rest, phrase)? {
                    return Ok(true);
                }
                // The value may also be the rest's beginning (or nothing), and the next part goes on.
                for cut in 0..rest.len() {
                    let (value, rest) = rest.split_at(cut);
                    if self.goes_on(further, rest, phrase)?
                        && (value.is_empty() || self.may_hold_piece(*column, value, phrase)?)
                    {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    fn may_hold_piece(&self, column: u32, piece: &str, phrase: &Phrase<'_>) -> Result<bool, StoreError> {
        let test = Test::Part { text: piece.to_owned(), fold: phrase.fold };
        Ok(!self.cannot_hold(column, &Needle::new(&test))?)
    }
}

impl Phrase<'_> {
    fn same(&self, a: &[u8], b: &[u8]) -> bool {
        if self.fold { a.eq_ignore_ascii_case(b) } else { a == b }
    }

    /// Whether the literal ends with this beginning of the phrase.
    fn ends(&self, literal: &[u8], before: &str) -> bool {
        literal.len().checked_sub(before.len()).is_some_and(|at| self.same(&literal[at..], before.as_bytes()))
    }

    /// Whether the literal begins with the rest of the phrase.
    fn starts(&self, literal: &[u8], rest: &str) -> bool {
        literal.get(..rest.len()).is_some_and(|head| self.same(head, rest.as_bytes()))
    }
}
