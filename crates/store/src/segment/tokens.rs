//! The tokens of a row group, gathered while it is written: as hashes of the words of its values, without regard to case, each once. Numbers
//! of fewer than five digits are in too many rows to be worth it and are left out, but four with dots between them are not, as an
//! address; of times only the looks are kept. Knows nothing of how an index is written.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use sawlog_model::{Kind, token, value};

use super::hashes::Hashes;
use super::template::VARIABLE;

/// Numbers below so many digits are not indexed.
const SHORT_NUMBER: usize = 5;

/// The integer that a token is.
fn integer(token: &[u8]) -> Option<u64> {
    token.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// For each byte its ASCII-folded form, 0 where it cannot stand in a token.
const FOLD: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if token::is_token_byte(byte as u8) {
            table[byte] = (byte as u8).to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const PRIME: u64 = 0x0000_0100_0000_01b3;

fn finish(hash: u64) -> u32 {
    let mixed = (hash ^ hash >> 29).wrapping_mul(SEED);
    (mixed ^ mixed >> 32) as u32
}

/// The hash of a token, without regard to case; `None` where it is not indexed.
pub(super) fn hash(token: &[u8]) -> Option<u32> {
    if token.len() < SHORT_NUMBER && token.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let folded = token
        .iter()
        .fold(SEED, |hash, byte| (hash ^ u64::from(FOLD[usize::from(*byte)])).wrapping_mul(PRIME));
    Some(finish(folded))
}

/// Calls `visit` with the hash of each dotted address in the text, and where it stands: four tokens that are numbers of at
/// most three digits, with a dot between one and the next. Of five of these each four are one, since a phrase of four is in
/// them, too.
pub(super) fn addresses(text: &[u8], mut visit: impl FnMut(u32, Range<usize>)) {
    let (mut at, mut count, mut chain) = (0, 0usize, 0u64);
    let mut starts = [0; 4];
    while at < text.len() {
        let start = at;
        let mut number = Some(0u64);
        while at < text.len() && token::is_token_byte(text[at]) {
            let digit = text[at].is_ascii_digit().then(|| u64::from(text[at] - b'0'));
            number = number.zip(digit).map(|(number, digit)| number * 10 + digit).filter(|_| at - start < 3);
            at += 1;
        }
        match number.filter(|_| at > start) {
            Some(number) => {
                chain = (chain << 10 | number) & ((1 << 40) - 1);
                starts[count % 4] = start;
                count += 1;
                if count >= 4 {
                    visit(finish((chain ^ SEED).wrapping_mul(PRIME)), starts[count % 4]..at);
                }
            }
            None => count = 0,
        }
        if text.get(at) != Some(&b'.') || !text.get(at + 1).is_some_and(|byte| token::is_token_byte(*byte)) {
            count = 0;
        }
        at += 1;
    }
}

/// The byte of the shape of a token: digits are all alike, letters without case.
fn shape_byte(byte: u8) -> u8 {
    if byte.is_ascii_digit() { b'0' } else { byte.to_ascii_lowercase() }
}

/// How a token of a time looks.
pub(super) fn shape(token: &[u8]) -> Vec<u8> {
    token.iter().map(|byte| shape_byte(*byte)).collect()
}

/// How values are decoded before their tokens are taken.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Decode {
    #[default]
    Plain,
    Escaped,
    Both,
    Bool,
}

/// The tokens of a row group: those of what it shares with others (dictionaries, templates, skeletons) or writes as
/// numbers, and those of text of its own.
#[derive(Default)]
pub(super) struct Tokens {
    shared: Hashes<u32>,
    text: Hashes<u32>,
    /// What comes next is text.
    in_text: bool,
    decode: Decode,
    ignore: bool,
    /// Addresses of what comes next were added before.
    has_addresses: bool,
    /// The values that come next are numbers of JSON.
    measures: bool,
    range: Option<(u64, u64)>,
    shapes: BTreeSet<Vec<u8>>,
    last_shape: Vec<u8>,
    /// Within a column: whether a value of it is an address as a whole. Such are not indexed, the column is marked.
    has_whole_address: Option<bool>,
}

impl Tokens {
    /// Takes nothing.
    pub(super) fn none() -> Self {
        Tokens { ignore: true, ..Tokens::default() }
    }

    /// What comes next is one column, until [`Tokens::end_column`].
    pub(super) fn begin_column(&mut self) {
        self.has_whole_address = Some(false);
    }

    /// Whether a value of the column is an address as a whole.
    pub(super) fn end_column(&mut self) -> bool {
        self.has_whole_address.take().unwrap_or(false)
    }

    /// Adds the addresses in a text, beside its tokens.
    pub(super) fn add_addresses(&mut self, text: &[u8]) {
        if self.ignore {
            return;
        }
        let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
        // Places of the last three dots between digits.
        let (mut dots, mut done) = ([0; 3], 0);
        for dot in memchr::memchr_iter(b'.', text) {
            if dot == 0 || dot < done || !is_digit(dot - 1) || !is_digit(dot + 1) {
                continue;
            }
            dots = [dots[1], dots[2], dot];
            if dots[0] == 0 || dots[2] - dots[1] > 4 || dots[1] - dots[0] > 4 {
                continue;
            }
            let belongs = |byte: &u8| *byte == b'.' || token::is_token_byte(*byte);
            let start = text[..dots[0]].iter().rposition(|byte| !belongs(byte)).map_or(0, |at| at + 1);
            done = dot + text[dot..].iter().position(|byte| !belongs(byte)).unwrap_or(text.len() - dot);
            addresses(&text[start..done], |hash, range| match &mut self.has_whole_address {
                Some(has) if start + range.start == 0 && start + range.end == text.len() => *has = true,
                _ => self.insert(hash),
            });
            dots = [0; 3];
        }
    }

    /// Adds tokens of parts of texts of which all addresses were added.
    pub(super) fn of_parts(&mut self, add: impl FnOnce(&mut Self)) {
        self.has_addresses = true;
        add(self);
        self.has_addresses = false;
    }

    /// Says of which kind the values are that come next.
    pub(super) fn of_kind(&mut self, kind: Kind) -> &mut Self {
        self.measures = matches!(kind, Kind::Number | Kind::Json);
        self.decode = match kind {
            Kind::JsonText => Decode::Escaped,
            Kind::Json => Decode::Both,
            Kind::Bool => Decode::Bool,
            _ => Decode::Plain,
        };
        self
    }

    /// Adds the tokens of a value.
    pub(super) fn add(&mut self, value: &[u8]) {
        if self.ignore {
            return;
        }
        if self.decode == Decode::Bool && value != b"true" {
            // Whatever is not true reads as false.
            self.add_plain(b"false");
        }
        if matches!(self.decode, Decode::Plain | Decode::Bool) || memchr::memchr(b'\\', value).is_none() {
            self.add_plain(value);
            return;
        }
        self.add_plain(&value::unescape(Cow::Borrowed(value)));
        if self.decode == Decode::Both {
            self.add_plain(value);
        }
    }

    /// Adds the tokens of a value that is written as text.
    pub(super) fn add_text(&mut self, value: &[u8]) {
        self.in_text = true;
        self.add(value);
        self.in_text = false;
    }

    /// Adds values that are integers. Those of JSON, which measure more often than they identify, only widen the range
    /// of numbers that the group may hold; looking for one then asks the columns.
    pub(super) fn add_numbers(&mut self, values: &[&[u8]], numbers: &[i64]) {
        if self.ignore {
            return;
        }
        if self.measures {
            numbers.iter().for_each(|number| self.widen(number.unsigned_abs()));
            return;
        }
        values.iter().filter(|value| value.len() >= SHORT_NUMBER).for_each(|value| self.add_plain(value));
    }

    /// The least and the largest of the integers that are not indexed.
    pub(super) fn range(&self) -> Option<(u64, u64)> {
        self.range
    }

    /// Adds the literal words of a template.
    pub(super) fn add_template(&mut self, template: &[u8]) {
        for literal in template.split(|byte| *byte == VARIABLE) {
            self.add(literal);
        }
    }

    /// Notes how the tokens of times look; the times themselves are not indexed.
    pub(super) fn add_times(&mut self, texts: &[&[u8]]) {
        for text in texts {
            let same = text.len() == self.last_shape.len()
                // Without an early end it is done several bytes at a time.
                && text.iter().zip(&self.last_shape).fold(0, |all, (byte, have)| all | (shape_byte(*byte) ^ have)) == 0;
            if same {
                continue;
            }
            // A time of that look is not indexed either.
            addresses(text, |_, _| self.has_whole_address = Some(true));
            self.last_shape.clear();
            self.last_shape.extend(text.iter().map(|byte| shape_byte(*byte)));
            token::tokens(&self.last_shape, |shape| {
                self.shapes.insert(shape.to_vec());
            });
        }
    }

    /// The shapes of tokens of times.
    pub(super) fn shapes(&self) -> impl Iterator<Item = &[u8]> {
        self.shapes.iter().map(Vec::as_slice)
    }

    /// Adds the tokens of a number or of JSON: those that are integers widen the range.
    fn add_measures(&mut self, text: &[u8]) {
        token::tokens(text, |token| {
            let number = if token[0].is_ascii_digit() { integer(token) } else { None };
            match (number, hash(token)) {
                (Some(number), Some(_)) => self.widen(number),
                (None, Some(hash)) => self.insert(hash),
                (_, None) => {}
            }
        });
    }

    fn widen(&mut self, number: u64) {
        let (least, most) = self.range.unwrap_or((number, number));
        self.range = Some((least.min(number), most.max(number)));
    }

    fn add_plain(&mut self, text: &[u8]) {
        if !self.has_addresses {
            self.add_addresses(text);
        }
        if self.measures {
            self.add_measures(text);
            return;
        }
        let mut at = 0;
        while at < text.len() {
            let (start, mut hash) = (at, SEED);
            while let Some(byte) = text.get(at).map(|byte| FOLD[usize::from(*byte)]).filter(|byte| *byte != 0)
            {
                hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
                at += 1;
            }
            let token = &text[start..at];
            if token.len() >= SHORT_NUMBER || !token.iter().all(u8::is_ascii_digit) {
                self.insert(finish(hash));
            }
            at += 1;
        }
    }

    fn insert(&mut self, hash: u32) {
        if self.in_text { self.text.insert(hash) } else { self.shared.insert(hash) }
    }

    /// The hashes of what is shared and those of text, each ascending.
    pub(super) fn sorted(self) -> [Vec<u32>; 2] {
        [self.shared.sorted(), self.text.sorted()]
    }
}
