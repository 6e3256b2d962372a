//! The one tokeniser that encoder, index and query share. A token is a run of `[A-Za-z0-9_]`; an IPv4 address is also
//! one token. Bytes from 0x80 on are never part of one, so that a query word holding them is a substring test.

/// Whether the byte can stand in a token.
#[inline]
pub const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Calls `visit` with every token of `text`, in order.
pub fn tokens(text: &[u8], mut visit: impl FnMut(&[u8])) {
    let mut at = 0;
    while at < text.len() {
        if !is_token_byte(text[at]) {
            at += 1;
            continue;
        }
        let start = at;
        while at < text.len() && is_token_byte(text[at]) {
            at += 1;
        }
        visit(&text[start..at]);
    }
}

/// The length of the IPv4 address that starts at `text[0]`, or 0. It must not be followed by a token byte, nor by a dot
/// and a digit.
pub fn ipv4_len(text: &[u8]) -> usize {
    let mut at = 0;
    for part in 0..4 {
        if part > 0 {
            if text.get(at) != Some(&b'.') {
                return 0;
            }
            at += 1;
        }
        let start = at;
        let mut value = 0u32;
        while at < text.len() && text[at].is_ascii_digit() && at - start < 3 {
            value = value * 10 + u32::from(text[at] - b'0');
            at += 1;
        }
        if at == start || value > 255 {
            return 0;
        }
    }
    let more = text.get(at).is_some_and(|byte| is_token_byte(*byte));
    let longer = text.get(at) == Some(&b'.') && text.get(at + 1).is_some_and(u8::is_ascii_digit);
    if more || longer { 0 } else { at }
}

/// Whether `word` stands in `text` as a whole: where the word's first or last byte can stand in a token, the byte before
/// or after it must not. `fold` compares ASCII letters without case (the word must be in lower case then).
pub fn contains_word(text: &[u8], word: &[u8], fold: bool) -> bool {
    if word.is_empty() {
        return true;
    }
    let (first, last) = (is_token_byte(word[0]), is_token_byte(word[word.len() - 1]));
    let mut from = 0;
    while let Some(at) = find(&text[from..], word, fold) {
        let (start, end) = (from + at, from + at + word.len());
        let glued_before = first && start > 0 && is_token_byte(text[start - 1]);
        let glued_after = last && end < text.len() && is_token_byte(text[end]);
        if !glued_before && !glued_after {
            return true;
        }
        from = start + 1;
    }
    false
}

/// Where `part` first stands in `text`. `fold` compares ASCII letters without case (`part` must be in lower case then).
pub fn find(text: &[u8], part: &[u8], fold: bool) -> Option<usize> {
    if !fold {
        return memchr::memmem::find(text, part);
    }
    let (&first, rest) = part.split_first()?;
    let mut from = 0;
    while from + part.len() <= text.len() {
        let window = &text[from..text.len() - rest.len()];
        let at = memchr::memchr2(first, first.to_ascii_uppercase(), window)?;
        if text[from + at + 1..][..rest.len()].eq_ignore_ascii_case(rest) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}
