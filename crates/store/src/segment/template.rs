//! Cuts free text into a template (the words that come again and again) and its variables (words with digits, rare
//! words). Which words are frequent is learned from samples. Knows nothing of how either is stored.

use sawlog_model::Kind;
use sawlog_model::token::is_token_byte;
use xxhash_rust::xxh3::xxh3_64;

use super::hashes::Hashes;
use super::interner::IntMap;

/// Stands for a variable in a template; a text that holds this byte is one variable as a whole.
pub(super) const VARIABLE: u8 = 0;
/// The template of a text that is one variable.
pub(super) const WHOLE: &[u8] = &[VARIABLE];

/// Whether every byte is a digit, a letter from a to f or a sign that addresses have: few words are such.
pub(super) fn is_all_digits(text: &[u8]) -> bool {
    // Without an early end it is done several bytes at a time.
    text.iter().fold(true, |all, byte| all & IS_DIGITS[usize::from(*byte)])
}

const IS_DIGITS: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    while at < 256 {
        table[at] = matches!(at as u8, b'0'..=b'9' | b'a'..=b'f' | b'-' | b'.' | b':');
        at += 1;
    }
    table
};

/// How many variables a template has.
pub(super) fn variables(template: &[u8]) -> usize {
    memchr::memchr_iter(VARIABLE, template).count()
}

/// Most variables of a template.
const MOST_VARIABLES: usize = 512;
/// Longest text that is cut; longer ones are one variable.
const LONGEST: usize = 64 << 10;
/// Values that one sample looks at.
pub(super) const SAMPLE: usize = 2048;
/// The same where groups before taught the frequent words, and what is written is soon written anew.
pub(super) const SAMPLE_AGAIN: usize = 256;
/// A word is frequent where one value in so many of a sample has it.
const FREQUENT: usize = 400;
/// The same for a word with digits and letters: it must be nearly fixed.
const FREQUENT_MIXED: usize = 20;

/// The frequent words of one column.
#[derive(Default)]
pub(super) struct Vocabulary {
    words: Hashes<u64>,
}

/// What a word is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    Digits,
    Mixed,
}

/// One text, cut: the template's bytes and the spans of its variables. Kept and cleared between texts.
#[derive(Default)]
pub(super) struct Cut {
    /// Literal bytes with [`VARIABLE`] for each variable.
    pub(super) template: Vec<u8>,
    /// Start and end of each variable.
    pub(super) variables: Vec<(u32, u32)>,
}

impl Cut {
    fn whole(&mut self, len: usize) {
        self.template.clear();
        self.template.extend_from_slice(WHOLE);
        self.variables.clear();
        self.variables.push((0, len as u32));
    }

    fn variable(&mut self, start: usize, end: usize) {
        self.variables.push((start as u32, end as u32));
    }

    /// Makes the template: the text without its variables.
    fn literals(&mut self, text: &[u8]) {
        let mut at = 0;
        for (start, end) in &self.variables {
            self.template.extend_from_slice(&text[at..*start as usize]);
            self.template.push(VARIABLE);
            at = *end as usize;
        }
        self.template.extend_from_slice(&text[at..]);
    }
}

/// What of a byte: it can stand in a word (a token's bytes, and those of other scripts).
const WORD: u8 = 1;
/// It is a digit.
const DIGIT: u8 = 2;
/// A chunk of words ends before it.
const DELIMITER: u8 = 4;

const BYTES: [u8; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        if is_token_byte(byte) || byte >= 0x80 {
            table[at] |= WORD;
        }
        if byte.is_ascii_digit() {
            table[at] |= DIGIT;
        }
        if byte <= b' ' {
            table[at] |= DELIMITER;
        }
        at += 1;
    }
    let delimiters = b"\"'()[]{}<>,;=|:\\";
    let mut at = 0;
    while at < delimiters.len() {
        table[delimiters[at] as usize] |= DELIMITER;
        at += 1;
    }
    table
};

fn is(byte: u8, what: u8) -> bool {
    BYTES[usize::from(byte)] & what != 0
}

/// Whether a chunk of words ends before the byte: a variable has it only where it is a whole text.
pub(super) fn is_delimiter(byte: u8) -> bool {
    is(byte, DELIMITER)
}

/// The word that starts `text`, and what it is made of.
fn word(text: &[u8]) -> (&[u8], Class) {
    let (mut end, mut any, mut all) = (0, 0, DIGIT);
    for byte in text {
        let of = BYTES[usize::from(*byte)];
        if of & WORD == 0 {
            break;
        }
        any |= of;
        all &= of;
        end += 1;
    }
    let class = match (any & DIGIT, all) {
        (0, _) => Class::Word,
        (_, 0) => Class::Mixed,
        _ => Class::Digits,
    };
    (&text[..end], class)
}

/// A hash of a word. Words are mostly short, and each of every text is hashed.
#[inline]
fn hash(word: &[u8]) -> u64 {
    let (first, last) = match (word.first_chunk(), word.last_chunk()) {
        _ if word.len() > 16 => return xxh3_64(word),
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => match (word.first_chunk(), word.last_chunk()) {
            (Some(first), Some(last)) => {
                (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
            }
            _ => (word.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)), 0),
        },
    };
    let product = u128::from(first ^ HASH_KEYS[0]) * u128::from(last ^ HASH_KEYS[1] ^ word.len() as u64);
    (product ^ product >> 64) as u64
}

/// Numbers without a pattern, for [`hash`].
const HASH_KEYS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03];

/// The length of the JSON escape at the start of `text`, or `None` where it stands for a byte of a token, so that words
/// cannot be told in the written form.
fn escape_len(text: &[u8]) -> Option<usize> {
    match text.get(1) {
        Some(b'u') => {
            let digits = text.get(2..6)?;
            let ascii = &digits[..2] == b"00";
            (!ascii && digits.iter().all(u8::is_ascii_hexdigit)).then_some(6)
        }
        Some(_) => Some(2),
        None => Some(1),
    }
}

impl Vocabulary {
    /// Adds the frequent words of the sample.
    pub(super) fn learn<'a>(&mut self, sample: impl ExactSizeIterator<Item = &'a [u8]>, kind: Kind) {
        let json = kind == Kind::JsonText;
        let values = sample.len();
        let mut counts: IntMap<(u32, Class)> = IntMap::default();
        for text in sample {
            let mut at = 0;
            while at < text.len().min(LONGEST) {
                if json && text[at] == b'\\' {
                    at += escape_len(&text[at..]).unwrap_or(1);
                } else if is(text[at], WORD) {
                    let (word, class) = word(&text[at..]);
                    if class != Class::Digits {
                        counts.entry(hash(word) as i64).or_insert((0, class)).0 += 1;
                    }
                    at += word.len();
                } else {
                    at += 1;
                }
            }
        }
        let least = |one_in: usize| (values / one_in).max(2) as u32;
        for (hash, (count, class)) in counts {
            let needed = if class == Class::Word { least(FREQUENT) } else { least(FREQUENT_MIXED).max(4) };
            if count >= needed {
                self.words.insert(hash as u64);
            }
        }
    }

    /// Cuts a value of this kind. No cut stands inside a token or an escape. JSON with escapes is not cut: it has other
    /// words as it is written than as it is read, and tests look at both.
    pub(super) fn cut(&self, text: &[u8], kind: Kind, into: &mut Cut) {
        into.template.clear();
        into.variables.clear();
        let escaped = kind == Kind::Json && memchr::memchr(b'\\', text).is_some();
        let odd = escaped || text.len() > LONGEST;
        if odd || !self.cut_chunks(text, kind == Kind::JsonText, into) {
            into.whole(text.len());
        }
    }

    /// `false` where the text had better be one variable, or has to.
    fn cut_chunks(&self, text: &[u8], json: bool, into: &mut Cut) -> bool {
        let (mut at, mut odd_bytes, mut odd) = (0, 0, 0);
        while at < text.len() {
            if is(text[at], DELIMITER) {
                if json && text[at] == b'\\' {
                    let Some(len) = escape_len(&text[at..]) else { return false };
                    at += len - 1;
                }
                // Nothing but a delimiter, or what an escape covers, can be the byte that stands for variables.
                if text.get(at) == Some(&VARIABLE) {
                    return false;
                }
                at += 1;
            } else {
                let (end, unusual) = self.cut_chunk(text, at, into);
                if unusual > 0 {
                    odd += 1;
                    odd_bytes += unusual;
                }
                at = end;
                if into.variables.len() > MOST_VARIABLES {
                    return false;
                }
            }
        }
        let usual = odd < 3 || odd_bytes * 2 < text.len();
        if usual {
            into.literals(text);
        }
        usual
    }

    /// Cuts the chunk that starts at `start`; returns its end, and the bytes of its variables that are not all digits.
    fn cut_chunk(&self, text: &[u8], start: usize, into: &mut Cut) -> (usize, usize) {
        let variables = into.variables.len();
        let (mut first, mut last) = (None, start);
        let (mut words, mut odd) = (0, 0);
        let mut at = start;
        while at < text.len() && !is(text[at], DELIMITER) {
            if !is(text[at], WORD) {
                at += 1;
                continue;
            }
            let (word, class) = word(&text[at..]);
            let end = at + word.len();
            first.get_or_insert(at);
            last = end;
            words += 1;
            if class == Class::Digits || !self.words.has(hash(word)) {
                into.variable(at, end);
                odd += if class == Class::Digits { 0 } else { end - at };
            }
            at = end;
        }
        let (Some(first), true) = (first, odd > 0 && words > 1) else { return (at, odd) };
        into.variables.truncate(variables);
        into.variable(first, last);
        (at, last - first)
    }
}
