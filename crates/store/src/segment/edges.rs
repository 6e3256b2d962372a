//! Whether a phrase can stand across the edges of the parts of a line: told from the literal text between slots, and from
//! what the columns beside an edge can hold. Knows nothing of rows.

use std::cell::Cell;

use sawlog_model::Test;
use sawlog_model::token::is_token_byte;

use super::heads::Heads;
use super::needle::{Needle, Reading};
use super::shape::{Shape, ShapeSlot};
use super::skeleton::Item;
use crate::StoreError;

/// A part of a line.
enum Part<'a> {
    Literal(&'a [u8]),
    Slot(ShapeSlot),
}

/// A way in which a needle can stand across edges.
pub(super) struct Crossing {
    /// The slot in which it begins (`None`: in literal text), whose value then ends with `before`.
    pub(super) left: Option<ShapeSlot>,
    pub(super) before: Test,
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

impl Heads {
    /// The ways in which the needle can stand across edges of the parts of such lines. No token does: the shape is not
    /// [`glued`](super::skeleton::Skeleton::glued).
    pub(super) fn crossings(&self, shape: &Shape, needle: &Needle<'_>) -> Result<Vec<Crossing>, StoreError> {
        let mut all = Vec::new();
        let Some((text, fold)) = needle.text() else { return Ok(all) };
        let phrase = Phrase { text, fold, steps: Cell::new(STEPS) };
        if !text.is_ascii() {
            // A slot may begin within a character, and no text stands for half of one.
            all.push(Crossing { left: None, before: phrase.part(text) });
            return Ok(all);
        }
        let mut slots = shape.slots.iter();
        let mut parts = Vec::new();
        for item in &shape.skeleton.items {
            match item {
                Item::Literal(text) => parts.push(Part::Literal(text)),
                Item::Slot { printed, .. } => {
                    parts.extend(slots.next().filter(|_| *printed).map(|slot| Part::Slot(*slot)));
                }
            }
        }
        for (at, part) in parts.iter().enumerate() {
            for cut in (1..phrase.text.len()).filter(|cut| phrase.is_cut(*cut)) {
                let (before, after) = phrase.text.split_at(cut);
                let (begins, left) = match part {
                    Part::Literal(literal) => (phrase.ends(literal, before), None),
                    Part::Slot(slot) => (true, Some(*slot)),
                };
                if begins
                    && self.goes_on(&parts[at + 1..], after, &phrase)?
                    && self.may_end(part, before, &phrase)?
                {
                    all.push(Crossing { left, before: phrase.part(before) });
                }
            }
        }
        Ok(all)
    }

    /// Whether a part can end with this beginning of the phrase.
    fn may_end(&self, part: &Part<'_>, before: &str, phrase: &Phrase<'_>) -> Result<bool, StoreError> {
        match part {
            Part::Literal(_) => Ok(true),
            Part::Slot(slot) => self.may_hold_piece(slot.column, before, phrase),
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
            Some((Part::Slot(slot), further)) => {
                let column = slot.column;
                if self.may_hold_piece(column, rest, phrase)? {
                    return Ok(true);
                }
                // The value may also be the rest's beginning (or nothing), and the next part goes on.
                let before = phrase.text.len() - rest.len();
                for cut in (0..rest.len()).filter(|cut| phrase.is_cut(before + cut)) {
                    let (value, rest) = rest.split_at(cut);
                    if self.goes_on(further, rest, phrase)?
                        && (value.is_empty() || self.may_hold_piece(column, value, phrase)?)
                    {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    fn may_hold_piece(&self, column: u32, piece: &str, phrase: &Phrase<'_>) -> Result<bool, StoreError> {
        Ok(!self.cannot_hold(column, &Needle::new(&phrase.part(piece)), Reading::Written)?)
    }
}

impl Phrase<'_> {
    /// Whether an edge can stand there: never within a token.
    fn is_cut(&self, at: usize) -> bool {
        let text = self.text.as_bytes();
        !(at > 0 && is_token_byte(text[at - 1]) && is_token_byte(text[at]))
    }

    /// The test for a piece of it.
    fn part(&self, piece: &str) -> Test {
        Test::Part { text: piece.to_owned(), fold: self.fold }
    }

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
