//! What texts would take as a column, roughly: how often each make of text comes, and the letters of those that came once,
//! of whose sort more will come. Knows nothing of frames.

use sawlog_model::token::is_token_byte;

use crate::segment::interner::IntMap;

/// Bits of a letter of what is new, and of a byte of a word with digits.
const OF_LETTER: f64 = 5.0;
const OF_DIGIT: f64 = 2.0;
/// Bits of a text that is new, beside its letters.
const OF_NEW: f64 = 16.0;
/// A word with digits is a variable of each template, and says less where it is divided among many: bits for each bit that
/// tells which template it is.
const OF_DIVIDED: f64 = 0.4;

/// A text without its words with digits: a hash, its letters, the bytes of those words and how many they are.
fn make(text: &[u8]) -> (u64, usize, usize, usize) {
    let (mut hash, mut letters, mut digits, mut words) = (0u64, 0, 0, 0);
    let mut at = 0;
    while at < text.len() {
        let start = at;
        let (mut word, mut has_digit) = (hash, false);
        while at < text.len() && is_token_byte(text[at]) {
            has_digit |= text[at].is_ascii_digit();
            word = (word ^ u64::from(text[at])).wrapping_mul(0x0000_0100_0000_01b3);
            at += 1;
        }
        if has_digit {
            digits += at - start;
            words += 1;
            hash = (hash ^ 0x100).wrapping_mul(0x0000_0100_0000_01b3);
        } else {
            letters += at - start;
            hash = word;
        }
        if at < text.len() {
            hash = (hash ^ u64::from(text[at])).wrapping_mul(0x0000_0100_0000_01b3);
            letters += 1;
            at += 1;
        }
    }
    (hash, letters, digits, words)
}

/// Bits that a text takes, on average.
pub(super) fn cost<'a>(texts: impl ExactSizeIterator<Item = &'a [u8]>) -> f64 {
    let count = texts.len() as f64;
    let mut makes: IntMap<(u32, usize)> = IntMap::default();
    let (mut digits, mut words) = (0, 0);
    for text in texts {
        let (hash, letters, of_digits, of_words) = make(text);
        makes.entry(hash as i64).or_insert((0, letters)).0 += 1;
        digits += of_digits;
        words += of_words;
    }
    if count == 0.0 {
        return 0.0;
    }
    let of_codes = |times: u32| f64::from(times) * (count / f64::from(times)).log2();
    let codes: f64 = makes.values().map(|(times, _)| of_codes(*times)).sum();
    let mut bits = codes + digits as f64 * OF_DIGIT + words as f64 * OF_DIVIDED * codes / count;
    for (times, letters) in makes.into_values() {
        if times == 1 {
            bits += OF_NEW + letters as f64 * OF_LETTER;
        }
    }
    bits / count
}
