//! Which rows are wanted. [`Predicate::keeps`] is the slow and obvious meaning; the store's fast one is tested against
//! it. Knows nothing of how a predicate is written (`query` parses) or how it is evaluated on columns (`store`).

use crate::Fields;

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
    /// A test of the line's values and its `_tag`: of a text line the whole line, of a JSON line each value by itself
    /// (not the keys), of either the unprinted slots.
    Any(Test),
    /// A test of one field, by its dotted name. A list is kept where an element is.
    Field(String, Test),
}

/// A test of one text.
#[derive(Clone, Debug)]
pub enum Test {
    /// Holds these words in a row, as a whole ([`crate::token::contains_word`]). With `fold` the text is lower case and
    /// letters compare without case; a text with bytes from 0x80 on is then folded by Unicode's simple rules and is a
    /// plain substring where it ends in such a byte.
    Phrase { text: String, fold: bool },
    /// Holds this part anywhere.
    Part { text: String, fold: bool },
    /// Is this text; where both are numbers, is this number.
    Is(String),
    /// Is one of these texts.
    In(Vec<String>),
    /// Starts, ends and goes on as the pattern says: `*` stands for any bytes. `*` alone is [`Test::Exists`].
    Glob { pattern: String, fold: bool },
    /// Matches the expression somewhere (compiled without Unicode requirement on the text: bytes).
    Regex(regex::bytes::Regex),
    /// Compares as a decimal number, not kept where the text is none.
    Number(Compare, String),
    /// An IPv4 or IPv6 address in this network.
    Network(std::net::IpAddr, u8),
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
            Predicate::Any(_) | Predicate::Field(..) => todo!("query helper"),
        }
    }
}
