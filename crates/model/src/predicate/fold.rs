//! Search without case in texts beyond ASCII: letters are folded one by one (Unicode's simple rules), so that a letter
//! never becomes two. Bytes that are not UTF-8 stand for themselves.

use crate::token::is_token_byte;

/// Where `part` first stands in `text` when both are folded: first byte and the one after the last.
pub fn find_folded(text: &[u8], part: &str) -> Option<(usize, usize)> {
    find_from(text, part, 0)
}

/// As [`find_folded`], not before `from`.
fn find_from(text: &[u8], part: &str, from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    while at <= text.len() {
        if let Some(len) = starts_folded(&text[at..], part) {
            return Some((at, at + len));
        }
        at += next(&text[at..]).map_or(1, |(_, len)| len);
    }
    None
}

/// How many bytes of `text` the folded `part` takes at its start; `None` where it does not start so.
pub(super) fn starts_folded(text: &[u8], part: &str) -> Option<usize> {
    let mut at = 0;
    for wanted in part.chars() {
        let (have, len) = next(&text[at..])?;
        if have.map(fold) != Some(fold(wanted)) {
            return None;
        }
        at += len;
    }
    Some(at)
}

/// [`crate::token::contains_word`] with folding beyond ASCII.
pub(super) fn contains_folded_word(text: &[u8], word: &str) -> bool {
    let bytes = word.as_bytes();
    let is_word_at = |at: usize| bytes.get(at).is_some_and(|byte| is_token_byte(*byte));
    let (first, last) = (is_word_at(0), is_word_at(bytes.len().wrapping_sub(1)));
    let mut from = 0;
    while let Some((start, end)) = find_from(text, word, from) {
        let glued_before = first && start > 0 && is_token_byte(text[start - 1]);
        let glued_after = last && text.get(end).is_some_and(|byte| is_token_byte(*byte));
        if !glued_before && !glued_after {
            return true;
        }
        from = start + 1;
    }
    false
}

/// The first character of `text` and its length; no character where the bytes are not UTF-8.
fn next(text: &[u8]) -> Option<(Option<char>, usize)> {
    let first = *text.first()?;
    let len = match first {
        0x00..=0x7F => return Some((Some(char::from(first)), 1)),
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return Some((None, 1)),
    };
    let character =
        text.get(..len).and_then(|bytes| std::str::from_utf8(bytes).ok()).and_then(|s| s.chars().next());
    Some((character, if character.is_some() { len } else { 1 }))
}

/// The one character that stands for all cases of `character`. Going by way of the capital joins forms that have the
/// same one, such as the two small sigmas; the dotless i is a letter of its own though its capital is `I`.
fn fold(character: char) -> char {
    fn single(mut letters: impl Iterator<Item = char>, or: char) -> char {
        match (letters.next(), letters.next()) {
            (Some(one), None) => one,
            _ => or,
        }
    }
    if character == 'ı' {
        return character;
    }
    let capital = single(character.to_uppercase(), character);
    single(capital.to_lowercase(), capital)
}
