//! Which rows are wanted. [`Predicate::keeps`] is the slow and obvious meaning; the store's fast one is tested against
//! it. Knows nothing of how a predicate is written (`query` parses) or how it is evaluated on columns (`store`).

use std::cmp::Ordering;
use std::net::IpAddr;

use crate::record::{FieldValue, Fields};
use crate::{Marks, token};

mod decimal;
mod fold;
mod list;
#[cfg(test)]
mod tests;

pub use decimal::Decimal;
pub use fold::find_folded;
pub use list::elements;

/// A condition on a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Predicate {
    /// Every row.
    All,
    /// All of these.
    And(Vec<Predicate>),
    /// One of these.
    Or(Vec<Predicate>),
    /// Not this.
    Not(Box<Predicate>),
    /// A test of the line's values and its `_tag`: of a text line the whole line, of a line marked
    /// [`JSON`](Marks::JSON) or [`MAP`](Marks::MAP) each value by itself (not the keys), of either the unprinted slots.
    Any(Test),
    /// A test of one field, by its dotted name, as [`Fields::field`] finds it.
    Field(String, Test),
}

/// A test of one value. A JSON list passes where one of its elements does ([`elements`]), but for [`Test::Exists`] and
/// [`Test::Null`], which look at the list itself.
#[derive(Clone, Debug)]
pub enum Test {
    /// Holds these words in a row, as a whole ([`token::contains_word`]). With `fold` the text is lower case and
    /// letters compare without case; a text with bytes from 0x80 on is then folded by Unicode's simple rules
    /// ([`find_folded`]) and is a plain substring where it begins or ends in such a byte.
    Phrase {
        /// The words and what stands between them.
        text: String,
        /// Whether letters compare without case.
        fold: bool,
    },
    /// Holds this part anywhere.
    Part {
        /// The part.
        text: String,
        /// Whether letters compare without case; as in [`Test::Phrase`].
        fold: bool,
    },
    /// Is this text; where both are numbers, is this number (`1` is `1.0`).
    Is(String),
    /// Is one of these texts, as [`Test::Is`] compares.
    In(Vec<String>),
    /// Starts, ends and goes on as the pattern says: `*` stands for any bytes, and nothing stands for a star itself.
    Glob {
        /// The pattern.
        pattern: String,
        /// Whether letters compare without case; as in [`Test::Phrase`].
        fold: bool,
    },
    /// Matches the expression somewhere (compiled without Unicode requirement on the text: bytes).
    Regex(regex::bytes::Regex),
    /// Compares as a decimal number, not kept where the text is none.
    Number(Compare, String),
    /// An IPv4 or IPv6 address in this network (its first address and how many leading bits count).
    Network(IpAddr, u8),
    /// Is there and not null.
    Exists,
    /// Is JSON null.
    Null,
}

/// How numbers are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compare {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A test cannot be made from what was given.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// The regular expression is wrong or too large.
    #[error("this regular expression cannot be used: {0}")]
    Regex(#[from] regex::Error),
}

impl PartialEq for Test {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

impl Predicate {
    /// Whether the row is kept.
    pub fn keeps(&self, row: &dyn Fields) -> bool {
        match self {
            Predicate::All => true,
            Predicate::And(all) => all.iter().all(|one| one.keeps(row)),
            Predicate::Or(any) => any.iter().any(|one| one.keeps(row)),
            Predicate::Not(one) => !one.keeps(row),
            Predicate::Any(test) => keeps_any(test, row),
            Predicate::Field(name, test) => row.field(name).is_some_and(|value| test.keeps_value(&value)),
        }
    }

    /// Both conditions, without needless nesting.
    pub fn and(self, other: Predicate) -> Predicate {
        let mut all = match self {
            Predicate::All => return other,
            Predicate::And(all) => all,
            one => vec![one],
        };
        match other {
            Predicate::All => {}
            Predicate::And(more) => all.extend(more),
            one => all.push(one),
        }
        if all.len() == 1 { all.remove(0) } else { Predicate::And(all) }
    }
}

/// [`Predicate::Any`]: the line or its values, the unprinted slots, the tag.
fn keeps_any(test: &Test, row: &dyn Fields) -> bool {
    let marks = row.marks();
    let by_value = marks.has(Marks::JSON) || marks.has(Marks::MAP);
    if !by_value && test.keeps_text(row.line()) {
        return true;
    }
    let mut found = row.context().get("_tag").is_some_and(|tag| test.keeps_text(tag.as_bytes()));
    row.each_slot(&mut |_, value, printed| {
        found = found || ((by_value || !printed) && test.keeps_value(&value));
    });
    found
}

impl Test {
    /// A test by regular expression (syntax of the `regex` crate); `fold` compares without case.
    ///
    /// # Errors
    /// [`TestError::Regex`] where it is wrong, or takes more than 4 MiB when compiled.
    pub fn regex(pattern: &str, fold: bool) -> Result<Test, TestError> {
        // The flag is part of the text, so that whoever reads the expression's text again knows of it.
        let text = if fold { format!("(?i){pattern}") } else { pattern.to_owned() };
        let mut builder = regex::bytes::RegexBuilder::new(&text);
        builder.size_limit(4 << 20).dfa_size_limit(4 << 20).nest_limit(64);
        Ok(Test::Regex(builder.build()?))
    }

    /// Whether the value passes; see [`Test`] for lists.
    pub fn keeps_value(&self, value: &FieldValue<'_>) -> bool {
        match (self, value) {
            (Test::Null, _) => matches!(value, FieldValue::Null),
            (_, FieldValue::Null) => false,
            (Test::Exists, _) => true,
            (_, FieldValue::Json(json)) => match elements(json) {
                Some(list) => list.iter().any(|element| self.keeps_value(element)),
                None => self.keeps_text(json),
            },
            _ => value.text().is_some_and(|text| self.keeps_text(text)),
        }
    }

    /// Whether a value that is this text passes.
    pub fn keeps_text(&self, text: &[u8]) -> bool {
        match self {
            Test::Phrase { text: phrase, fold } => match *fold && !phrase.is_ascii() {
                true => fold::contains_folded_word(text, phrase),
                false => token::contains_word(text, phrase.as_bytes(), *fold),
            },
            Test::Part { text: part, fold } => find_part(text, part, *fold).is_some(),
            Test::Is(wanted) => is(text, wanted),
            Test::In(list) => list.iter().any(|wanted| is(text, wanted)),
            Test::Glob { pattern, fold } => matches_glob(text, pattern, *fold),
            Test::Regex(regex) => regex.is_match(text),
            Test::Number(compare, wanted) => {
                let order = Decimal::parse(text).zip(Decimal::parse(wanted.as_bytes()));
                order.is_some_and(|(have, wanted)| compare.holds(have.cmp(&wanted)))
            }
            Test::Network(network, bits) => in_network(text, *network, *bits),
            Test::Exists => true,
            Test::Null => false,
        }
    }
}

impl Compare {
    /// Whether a value that stands in this order to the wanted one passes.
    pub fn holds(self, order: Ordering) -> bool {
        match self {
            Compare::Less => order.is_lt(),
            Compare::LessOrEqual => order.is_le(),
            Compare::Greater => order.is_gt(),
            Compare::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// [`Test::Is`].
fn is(text: &[u8], wanted: &str) -> bool {
    text == wanted.as_bytes()
        || Decimal::parse(wanted.as_bytes())
            .is_some_and(|wanted| Decimal::parse(text).is_some_and(|have| have == wanted))
}

/// Where `part` stands in `text` first: its first byte and the one after its last.
fn find_part(text: &[u8], part: &str, fold: bool) -> Option<(usize, usize)> {
    if part.is_empty() {
        return Some((0, 0));
    }
    if fold && !part.is_ascii() {
        return find_folded(text, part);
    }
    token::find(text, part.as_bytes(), fold).map(|start| (start, start + part.len()))
}

/// [`Test::Glob`]: the first piece at the start, the last at the end, those between as early as they come.
fn matches_glob(text: &[u8], pattern: &str, fold: bool) -> bool {
    let mut pieces: Vec<&str> = pattern.split('*').collect();
    let Some(last) = pieces.pop() else { return false };
    let starts = |text: &[u8], piece: &str| match fold && !piece.is_ascii() {
        true => fold::starts_folded(text, piece),
        false => {
            let head = text.get(..piece.len())?;
            let same =
                if fold { head.eq_ignore_ascii_case(piece.as_bytes()) } else { head == piece.as_bytes() };
            same.then_some(piece.len())
        }
    };
    let Some((first, middle)) = pieces.split_first() else {
        return starts(text, last) == Some(text.len());
    };
    let Some(mut at) = starts(text, first) else { return false };
    for piece in middle {
        let Some((_, end)) = find_part(&text[at..], piece, fold) else { return false };
        at += end;
    }
    (at..=text.len()).rev().any(|start| starts(&text[start..], last) == Some(text.len() - start))
}

/// [`Test::Network`]. An IPv4 address written as IPv6 (`::ffff:10.0.0.1`) counts as IPv4.
fn in_network(text: &[u8], network: IpAddr, bits: u8) -> bool {
    let address = std::str::from_utf8(text).ok().and_then(|text| text.parse::<IpAddr>().ok());
    match (address.map(|address| address.to_canonical()), network) {
        (Some(IpAddr::V4(have)), IpAddr::V4(network)) => {
            let shift = 32 - u32::from(bits.min(32));
            (have.to_bits() ^ network.to_bits()).checked_shr(shift).unwrap_or(0) == 0
        }
        (Some(IpAddr::V6(have)), IpAddr::V6(network)) => {
            let shift = 128 - u32::from(bits.min(128));
            (have.to_bits() ^ network.to_bits()).checked_shr(shift).unwrap_or(0) == 0
        }
        _ => false,
    }
}
