//! A word, phrase or part looked for in whole columns: decided on templates and dictionary entries first, then over whole
//! buffers, and only where that cannot tell on single values. Gives exactly what [`Test::keeps_value`] gives. Knows
//! nothing of rows.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::RangeInclusive;
use std::sync::Arc;

use memchr::memmem::Finder;
use regex::bytes::Regex;
use sawlog_model::{Compare, Decimal, FieldValue, Kind, Test, token};

use super::bits::Bits;
use super::column::{Column, Lists, Printed, Strings};
use super::cursor::Damage;
use super::literal::{self, InWord};
use super::{template, times, tokens};

/// From so many entries on what was found in a dictionary is remembered.
pub(super) const LARGE_DICTIONARY: usize = 256;

/// In which form values are tested.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Reading {
    /// As a value, escapes resolved.
    Decoded,
    /// As it stands in the line.
    Written,
}

/// Tokens of what is looked for that stand in no variable of a template, by where they begin and end in it.
pub(super) type Absent = Vec<(usize, usize)>;

/// What is looked for.
pub(super) struct Needle<'a> {
    pub(super) test: &'a Test,
    /// The text, where it can be looked for byte by byte.
    pub(super) text: Option<Text<'a>>,
    /// An expression whose matches stand within words, so that parts of a line tell.
    in_word: Option<(&'a Regex, InWord)>,
}

/// A word, phrase or part of which letters beyond ASCII need no folding.
pub(super) struct Text<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) fold: bool,
    /// It must stand as a whole word or phrase.
    word: bool,
    search: Search<'a>,
    /// Its tokens, and whether each must stand in a matching text as a whole.
    pub(super) tokens: Vec<(&'a [u8], bool)>,
    /// Where they begin and end.
    pub(super) spans: Vec<(usize, usize)>,
    /// It is (part of) one token, so that it cannot stand across two parts of a line.
    pub(super) single: bool,
    /// Hashes of the addresses that a matching text must hold as a whole.
    pub(super) addresses: Vec<u32>,
}

impl<'a> Needle<'a> {
    pub(super) fn new(test: &'a Test) -> Self {
        let text = match test {
            Test::Phrase { text, fold } => Text::new(text, *fold, true),
            Test::Part { text, fold } => Text::new(text, *fold, false),
            _ => None,
        };
        let in_word = match test {
            Test::Regex(regex) => literal::in_word(regex.as_str()).map(|known| (regex, known)),
            _ => None,
        };
        Needle { test, text, in_word }
    }

    /// The expression, where its matches stand within words.
    pub(super) fn in_word(&self) -> Option<&'a Regex> {
        self.in_word.as_ref().map(|(regex, _)| *regex)
    }

    /// Whether it can stand in a line only within one of its parts.
    pub(super) fn is_single(&self) -> bool {
        self.in_word.is_some() || self.text.as_ref().is_some_and(|text| text.single)
    }

    /// The text that is looked for, and whether letters compare without case.
    pub(super) fn text(&self) -> Option<(&'a str, bool)> {
        let text = self.text.as_ref()?;
        std::str::from_utf8(text.bytes).ok().map(|bytes| (bytes, text.fold))
    }

    /// A part of a token that a matching value must hold, where one is not all digits.
    pub(super) fn probe(&self) -> Option<Probe<'_>> {
        let text = self.text.as_ref()?;
        let wordy = text.tokens.iter().filter(|(token, _)| !token.iter().all(u8::is_ascii_digit));
        let (bytes, is_token) = wordy.copied().max_by_key(|(token, whole)| (*whole, token.len()))?;
        Some(Probe { bytes, is_token, search: Search::new(bytes, text.fold) })
    }

    /// All of it, as what a matching value must hold in one piece.
    pub(super) fn whole(&self) -> Option<Probe<'_>> {
        let text = self.text.as_ref().filter(|text| !text.bytes.is_empty())?;
        Some(Probe::of(text.bytes, text.fold))
    }

    /// Whether its probe is this one.
    pub(super) fn has_probe(&self, probe: &Probe<'_>) -> bool {
        self.probe().is_some_and(|own| own.bytes == probe.bytes)
    }

    /// Whether the line that holds it can be told from its parts at all.
    pub(super) fn is_text(&self) -> bool {
        // A line end may be the terminator, which is not part of the line; nothing is in an empty line, too.
        let is_one_line =
            |text: &Text<'_>| !text.bytes.is_empty() && memchr::memchr2(b'\n', b'\r', text.bytes).is_none();
        self.in_word.is_some() || self.text.as_ref().is_some_and(is_one_line)
    }

    /// Tests that a text must pass piece by piece if it is to hold a phrase or part of several words.
    pub(super) fn words(&self) -> Vec<Test> {
        let Some(text) = &self.text else { return Vec::new() };
        let test = |(token, whole): &(&[u8], bool)| {
            let (token, fold) = (String::from_utf8_lossy(token).into_owned(), text.fold);
            if *whole { Test::Phrase { text: token, fold } } else { Test::Part { text: token, fold } }
        };
        text.tokens.iter().map(test).collect()
    }

    /// Whether the literal text holds it.
    pub(super) fn is_in(&self, literal: &[u8]) -> bool {
        match self.in_word() {
            Some(regex) => regex.is_match(literal),
            None => self.text.as_ref().is_some_and(|text| text.is_in(literal)),
        }
    }

    /// Which values of the column pass.
    pub(super) fn find(&self, column: &Column, kind: Kind) -> Result<Bits, Damage> {
        self.find_knowing(column, kind, &Absent::new())
    }

    /// The same; the index says that the tokens that are `absent` are none of the variables of templates.
    pub(super) fn find_knowing(&self, column: &Column, kind: Kind, absent: &Absent) -> Result<Bits, Damage> {
        let count = column.len();
        if let (Some(passing), Column::Integers(values) | Column::Padded { values, .. }) =
            (self.integers(), column)
            && kind != Kind::Bool
        {
            return Ok(Bits::of(count, |index| passing.contains(&values[index])));
        }
        Ok(match column {
            Column::Constant { value, .. } => {
                if self.keeps(kind, value) {
                    Bits::all(count)
                } else {
                    Bits::none(count)
                }
            }
            Column::Dictionary { entries, codes } => {
                let found = self.find_in_dictionary(entries, kind);
                if found.is_empty() {
                    Bits::none(count)
                } else {
                    Bits::of(count, |index| found.has(codes[index] as usize))
                }
            }
            // Whatever a boolean is written as, it reads as a word.
            Column::Integers(_) | Column::Padded { .. } if kind != Kind::Bool && !self.may_be_number() => {
                Bits::none(count)
            }
            Column::Integers(values) if kind != Kind::Bool && self.number().is_some() => {
                let wanted = self.number().unwrap_or_default();
                Bits::of(count, |index| values[index].unsigned_abs() == wanted)
            }
            Column::Plain(strings) => self.find_in_strings(strings, kind),
            Column::Printed(printed) if self.is_no_time(printed) => {
                let mut bits = Bits::none(count);
                for (index, text) in &printed.exceptions {
                    bits.put(*index as usize, self.keeps(kind, text));
                }
                bits
            }
            Column::Templates(templates) if kind != Kind::Json => {
                self.find_in_templates(templates, kind, absent)?
            }
            Column::Lists(lists) if kind == Kind::Json => self.find_in_lists(lists)?,
            Column::Equal { base, places, other } => {
                let mut bits = self.find(base, kind)?;
                if let Some(other) = other {
                    let found = self.find(other, kind)?;
                    places
                        .iter()
                        .enumerate()
                        .for_each(|(index, place)| bits.put(*place as usize, found.has(index)));
                }
                bits
            }
            _ => self.find_in_strings(&column.strings()?, kind),
        })
    }

    /// Whether it holds a sign that the layout of the times never prints.
    fn is_no_time(&self, printed: &Printed) -> bool {
        if let Some((_, known)) = &self.in_word {
            return known.has_letter && times::has_no_letter(printed.layout);
        }
        self.text.as_ref().is_some_and(|text| times::has_foreign_sign(printed.layout, text.bytes))
    }

    /// Finds the lists of which an element holds the words, and asks the test itself of these.
    fn find_in_lists(&self, lists: &Lists) -> Result<Bits, Damage> {
        let count = lists.starts.len() - 1;
        let mut maybe = Bits::all(count);
        let escape = Test::Part { text: "\\u".to_owned(), fold: false };
        for word in self.raw_words() {
            // An escape may stand for a letter of the word.
            let mut elements = Needle::new(&word).find(&lists.elements, Kind::Text)?;
            elements.or(&Needle::new(&escape).find(&lists.elements, Kind::Text)?);
            let mut with_word = Bits::none(count);
            let mut value = 0;
            for element in elements.iter() {
                value += lists.starts[value..].partition_point(|start| *start as usize <= element) - 1;
                with_word.set(value);
            }
            maybe.and(&with_word);
        }
        let mut bits = Bits::none(count);
        let mut bytes = Vec::new();
        for index in maybe.iter() {
            bytes.clear();
            lists.append(index, &mut bytes)?;
            bits.put(index, self.keeps(Kind::Json, &bytes));
        }
        Ok(bits)
    }

    /// Parts that escaped text which passes must hold as it is written, but for letters written as `\u…`.
    fn raw_words(&self) -> Vec<Test> {
        let Some(text) = &self.text else { return Vec::new() };
        let part = |(token, _): &(&[u8], bool)| Test::Part {
            text: String::from_utf8_lossy(token).into_owned(),
            fold: text.fold,
        };
        text.tokens.iter().map(part).collect()
    }

    /// Whether escaped text can pass at all.
    fn may_be_in_escaped(&self, bytes: &[u8]) -> bool {
        let Some(text) = &self.text else { return true };
        let holds = |(token, _): &(&[u8], bool)| token::find(bytes, token, text.fold).is_some();
        text.tokens.iter().all(holds) || memchr::memmem::find(bytes, b"\\u").is_some()
    }

    /// Whether a value passes.
    pub(super) fn keeps(&self, kind: Kind, bytes: &[u8]) -> bool {
        if matches!(kind, Kind::Json | Kind::JsonText) && !self.may_be_in_escaped(bytes) {
            return false;
        }
        match (&self.text, kind) {
            (Some(text), Kind::Text) => text.is_in(bytes),
            (Some(text), Kind::JsonText) if memchr::memchr(b'\\', bytes).is_none() => text.is_in(bytes),
            _ => self.test.keeps_value(&FieldValue::read(kind, Cow::Borrowed(bytes))),
        }
    }

    /// The number that it is, where a column of integers is asked for a word that is one: with either sign it is a word.
    fn number(&self) -> Option<u64> {
        let text = self.text.as_ref().filter(|text| text.word && text.single)?;
        super::encode::canonical_integer(text.bytes).map(i64::unsigned_abs)
    }

    /// Whether it can stand in digits with a sign.
    pub(super) fn may_be_number(&self) -> bool {
        if let Some((_, known)) = &self.in_word {
            return !known.has_letter;
        }
        let Some(text) = &self.text else { return true };
        text.bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-')
    }

    /// How many values pass, of integers that ascend with how many values each is.
    pub(super) fn count_integers(&self, kind: Kind, list: &[(u32, u32)]) -> u64 {
        let of = |list: &[(u32, u32)]| list.iter().map(|(_, count)| u64::from(*count)).sum();
        if kind != Kind::Bool {
            let number = self.number().and_then(|number| i64::try_from(number).ok());
            if let Some(passing) = self.integers().or(number.map(|number| number..=number)) {
                let start = list.partition_point(|(value, _)| i64::from(*value) < *passing.start());
                let end = list.partition_point(|(value, _)| i64::from(*value) <= *passing.end());
                return of(list.get(start..end).unwrap_or_default());
            }
            if !self.may_be_number() {
                return 0;
            }
        }
        let keeps = |(value, _): &&(u32, u32)| self.keeps(kind, value.to_string().as_bytes());
        list.iter().filter(keeps).map(|(_, count)| u64::from(*count)).sum()
    }

    /// The same, remembered for the next row group where the dictionary is large.
    pub(super) fn find_in_dictionary(&self, entries: &Strings, kind: Kind) -> Arc<Bits> {
        if entries.len() < LARGE_DICTIONARY {
            return Arc::new(self.find_in_strings(entries, kind));
        }
        let key = format!("{kind:?} {:?}", self.test);
        entries.found.get(key, || self.find_in_strings(entries, kind))
    }

    /// The integers that pass, where the test is one of integers.
    fn integers(&self) -> Option<RangeInclusive<i64>> {
        let number = |text: &str| super::encode::canonical_integer(text.as_bytes());
        Some(match self.test {
            Test::Is(wanted) => {
                let wanted = number(wanted)?;
                wanted..=wanted
            }
            Test::Number(compare, wanted) => {
                let wanted = Decimal::parse(wanted.as_bytes())?;
                match compare {
                    Compare::Less => i64::MIN..=first_integer(|order| order.is_ge(), &wanted)? - 1,
                    Compare::LessOrEqual => i64::MIN..=first_integer(|order| order.is_gt(), &wanted)? - 1,
                    Compare::Greater => first_integer(|order| order.is_gt(), &wanted)?..=i64::MAX,
                    Compare::GreaterOrEqual => first_integer(|order| order.is_ge(), &wanted)?..=i64::MAX,
                }
            }
            _ => return None,
        })
    }

    fn find_in_strings(&self, strings: &Strings, kind: Kind) -> Bits {
        let plain = match kind {
            Kind::Text | Kind::Time | Kind::Number | Kind::Bool => true,
            Kind::JsonText => memchr::memchr(b'\\', &strings.bytes).is_none(),
            Kind::Null | Kind::Json => false,
        };
        match (&self.text, self.in_word()) {
            (Some(text), _) if plain && kind != Kind::Bool && !text.bytes.is_empty() => {
                text.find_all(strings)
            }
            (None, Some(regex)) if plain && kind != Kind::Bool => match_all(regex, strings),
            _ => {
                let mut bits = Bits::none(strings.len());
                for index in 0..strings.len() {
                    if self.keeps(kind, strings.get(index)) {
                        bits.set(index);
                    }
                }
                bits
            }
        }
    }
}

/// Integers of columns have at most eighteen digits.
const LARGEST: i64 = 999_999_999_999_999_999;

/// The first integer that a column may have which stands so to the wanted number, where `stands` holds from one on; one more than the
/// largest where none does.
fn first_integer(stands: impl Fn(Ordering) -> bool, wanted: &Decimal<'_>) -> Option<i64> {
    let (mut low, mut high) = (-LARGEST, LARGEST + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let holds = stands(Decimal::parse(middle.to_string().as_bytes())?.cmp(wanted));
        if holds { high = middle } else { low = middle + 1 }
    }
    Some(low)
}

/// Which of the strings the expression matches, of which a match does not depend on what stands beside it: it goes over the whole
/// buffer at once, and where a match stands over the end of a string, that string is asked by itself.
fn match_all(regex: &Regex, strings: &Strings) -> Bits {
    let mut bits = Bits::none(strings.len());
    let (mut from, mut index) = (0, 0);
    while let Some(found) = regex.find_at(&strings.bytes, from) {
        index += strings.ends[index..].partition_point(|end| *end as usize <= found.start());
        if index >= strings.len() {
            break;
        }
        let range = strings.range(index);
        if found.end() <= range.end || regex.is_match(&strings.bytes[found.start()..range.end]) {
            bits.set(index);
        }
        from = range.end;
    }
    bits
}

/// Part of a token, looked for in text that may be escaped.
pub(super) struct Probe<'a> {
    pub(super) bytes: &'a [u8],
    /// It is a token as a whole.
    pub(super) is_token: bool,
    pub(super) search: Search<'a>,
}

impl<'a> Probe<'a> {
    /// A part of the text.
    pub(super) fn of(bytes: &'a [u8], fold: bool) -> Self {
        Probe { bytes, is_token: false, search: Search::new(bytes, fold) }
    }

    /// Whether it may stand in text that is digits.
    pub(super) fn is_all_digits(&self) -> bool {
        template::is_all_digits(&self.bytes.to_ascii_lowercase())
    }

    /// Whether JSON writes it as it is, but for letters written as `\u…`.
    pub(super) fn is_never_escaped(&self) -> bool {
        !self.bytes.iter().any(|byte| *byte < b' ' || b"\"\\/".contains(byte))
    }

    /// The same of strings that the segment has once, remembered for the next row group.
    pub(super) fn may_be_in_any(&self, kind: Kind, strings: &Strings) -> bool {
        if strings.len() < LARGE_DICTIONARY {
            return self.may_be_in(kind, &strings.bytes);
        }
        let key = format!("{kind:?} {} {:?}", matches!(self.search, Search::Exact(_)), self.bytes);
        let look = || if self.may_be_in(kind, &strings.bytes) { Bits::all(1) } else { Bits::none(1) };
        !strings.found.get(key, look).is_empty()
    }

    /// Whether values on this buffer may hold it.
    pub(super) fn may_be_in(&self, kind: Kind, bytes: &[u8]) -> bool {
        let escaped = matches!(kind, Kind::Json | Kind::JsonText);
        self.search.find(bytes).is_some() || escaped && memchr::memmem::find(bytes, b"\\u").is_some()
    }
}

/// A search over long buffers.
#[derive(Clone)]
pub(super) enum Search<'a> {
    Exact(Box<Finder<'a>>),
    /// ASCII letters in either case, by the place of its rarest byte.
    Folded {
        bytes: &'a [u8],
        rarest: usize,
    },
    /// The text is not in lower case: it compares as [`token::find`] does.
    Odd(&'a [u8]),
}

/// Bytes of logs, the most frequent first; others are rarer.
const FREQUENT: &[u8] = b" e0a1tioncrsd2l3m54p.6789uf/-:_ghb\"v=,k";

impl<'a> Search<'a> {
    fn new(bytes: &'a [u8], fold: bool) -> Self {
        if !fold || !bytes.iter().any(u8::is_ascii_alphabetic) {
            return Search::Exact(Box::new(Finder::new(bytes)));
        }
        if bytes.is_empty() || bytes.iter().any(u8::is_ascii_uppercase) {
            return Search::Odd(bytes);
        }
        let rank = |byte: &u8| FREQUENT.iter().position(|have| have == byte).unwrap_or(FREQUENT.len());
        let rarest = (0..bytes.len()).max_by_key(|at| rank(&bytes[*at])).unwrap_or(0);
        Search::Folded { bytes, rarest }
    }

    pub(super) fn find(&self, text: &[u8]) -> Option<usize> {
        match self {
            Search::Exact(finder) => finder.find(text),
            Search::Odd(bytes) => token::find(text, bytes, true),
            Search::Folded { bytes, rarest } => {
                let last = text.len().checked_sub(bytes.len())?;
                let byte = bytes[*rarest];
                let window = &text[*rarest..=last + rarest];
                let hits = memchr::memchr2_iter(byte, byte.to_ascii_uppercase(), window);
                hits.into_iter().find(|at| text[*at..][..bytes.len()].eq_ignore_ascii_case(bytes))
            }
        }
    }
}

impl<'a> Text<'a> {
    /// `None` where the text needs more than ASCII folding.
    fn new(text: &'a str, fold: bool, word: bool) -> Option<Self> {
        if fold && !text.is_ascii() {
            return None;
        }
        let bytes = text.as_bytes();
        let mut spans = Vec::new();
        let mut at = 0;
        token::tokens(bytes, |token| {
            // Tokens come in order, so the next one stands at or behind `at`.
            while !bytes[at..].starts_with(token) || (at > 0 && token::is_token_byte(bytes[at - 1])) {
                at += 1;
            }
            spans.push((at, at + token.len()));
            at += token.len();
        });
        let single = spans.first() == Some(&(0, bytes.len()));
        let whole = |start, end| word || (start > 0 && end < bytes.len());
        let tokens = spans.iter().map(|(start, end)| (&bytes[*start..*end], whole(*start, *end))).collect();
        let mut addresses = Vec::new();
        tokens::addresses(bytes, |hash, range| {
            addresses.extend((word || (range.start > 0 && range.end < bytes.len())).then_some(hash));
        });
        Some(Text { bytes, fold, word, search: Search::new(bytes, fold), tokens, spans, single, addresses })
    }

    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        if self.word {
            token::contains_word(text, self.bytes, self.fold)
        } else {
            token::find(text, self.bytes, self.fold).is_some() || self.bytes.is_empty()
        }
    }

    /// Looks over the whole buffer at once and says which strings the hits stand in.
    pub(super) fn find_all(&self, strings: &Strings) -> Bits {
        let mut bits = Bits::none(strings.len());
        let (mut from, mut index) = (0, 0);
        while let Some(at) = self.search.find(&strings.bytes[from..]) {
            let (start, end) = (from + at, from + at + self.bytes.len());
            index += strings.ends[index..].partition_point(|end| *end as usize <= start);
            if index >= strings.len() {
                break;
            }
            let range = strings.range(index);
            if end <= range.end && self.stands_alone(&strings.bytes[range.clone()], start - range.start) {
                bits.set(index);
                from = range.end;
            } else {
                from = start + 1;
            }
        }
        bits
    }

    /// Whether the hit at `start` is a whole word, where one is asked for.
    fn stands_alone(&self, text: &[u8], start: usize) -> bool {
        if !self.word {
            return true;
        }
        let end = start + self.bytes.len();
        let glued = |at: usize| {
            at > 0 && at < text.len() && token::is_token_byte(text[at - 1]) && token::is_token_byte(text[at])
        };
        !glued(start) && !glued(end)
    }
}
