//! One pass over JSON text: where values end, and whether they are JSON. Knows nothing of names or slots. Bytes from
//! 0x80 on are taken as they are: a string that is not UTF-8 is still a string of its line.

/// The text is not JSON.
#[derive(Clone, Copy, Debug)]
pub(super) struct Invalid;

/// Deepest nesting inside a value that is taken whole.
const DEEPEST: u32 = 127;

/// The place behind blanks.
#[inline]
pub(super) fn blanks(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        at += 1;
    }
    at
}

/// The place of the closing quote of the string whose body begins at `at`.
#[inline]
pub(super) fn string(text: &[u8], mut at: usize) -> Result<usize, Invalid> {
    loop {
        at = plain(text, at);
        match text.get(at) {
            Some(b'"') => return Ok(at),
            Some(b'\\') => at = escape(text, at)?,
            _ => return Err(Invalid),
        }
    }
}

/// The place of the first byte from `at` that is a quote, a backslash or a control character, or the end.
#[inline]
fn plain(text: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // Of long strings many bytes are looked at together: without an early end that is done in wide registers.
    let is_end = |byte: &u8| (*byte == b'"') | (*byte == b'\\') | (*byte < 0x20);
    while let Some(many) = text.get(at..).and_then(<[u8]>::first_chunk::<32>)
        && !many.iter().fold(false, |any, byte| any | is_end(byte))
    {
        at += many.len();
    }
    while let Some(chunk) = text.get(at..at + 8) {
        let word = u64::from_le_bytes([
            chunk[0], chunk[1], chunk[2], chunk[3], chunk[4], chunk[5], chunk[6], chunk[7],
        ]);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        // A byte is marked where it is zero (or, for the last, below 0x20); a borrow can only mark a byte behind a true
        // mark, and the first is what counts.
        let zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let marks = (zero(quote) | zero(backslash) | control) & HIGHS;
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while text.get(at).is_some_and(|byte| !is_end(byte)) {
        at += 1;
    }
    at
}

/// The place behind the escape at `at`.
fn escape(text: &[u8], at: usize) -> Result<usize, Invalid> {
    match text.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => {
            let hex = text.get(at + 2..at + 6).ok_or(Invalid)?;
            if hex.iter().all(u8::is_ascii_hexdigit) { Ok(at + 6) } else { Err(Invalid) }
        }
        _ => Err(Invalid),
    }
}

/// The place behind the number at `at`.
#[inline]
pub(super) fn number(text: &[u8], at: usize) -> Result<usize, Invalid> {
    let digits = |mut at: usize| {
        while text.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let first = at + usize::from(text.get(at) == Some(&b'-'));
    let mut end = digits(first);
    if end == first || (end > first + 1 && text[first] == b'0') {
        return Err(Invalid);
    }
    if text.get(end) == Some(&b'.') {
        let from = end + 1;
        end = digits(from);
        if end == from {
            return Err(Invalid);
        }
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let from = end + 1 + usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        end = digits(from);
        if end == from {
            return Err(Invalid);
        }
    }
    Ok(end)
}

/// The place behind `true`, `false` or `null` at `at`.
#[inline]
pub(super) fn word(text: &[u8], at: usize) -> Result<usize, Invalid> {
    let word: &[u8] = match text.get(at) {
        Some(b't') => b"true",
        Some(b'f') => b"false",
        Some(b'n') => b"null",
        _ => return Err(Invalid),
    };
    if text[at..].starts_with(word) { Ok(at + word.len()) } else { Err(Invalid) }
}

/// The place behind the scalar at `at`.
#[inline]
fn scalar(text: &[u8], at: usize) -> Result<usize, Invalid> {
    match text.get(at) {
        Some(b'"') => Ok(string(text, at + 1)? + 1),
        Some(b'-' | b'0'..=b'9') => number(text, at),
        _ => word(text, at),
    }
}

/// The place behind the list or map at `at`, however much it holds.
pub(super) fn nested(text: &[u8], mut at: usize) -> Result<usize, Invalid> {
    // A bit for each level that is open, 1 for a map.
    let (mut maps, mut depth) = (0u128, 0);
    'value: loop {
        match text.get(at) {
            Some(open @ (b'{' | b'[')) => {
                depth += 1;
                if depth > DEEPEST {
                    return Err(Invalid);
                }
                let map = *open == b'{';
                maps = maps << 1 | u128::from(map);
                at = blanks(text, at + 1);
                if text.get(at) != Some(if map { &b'}' } else { &b']' }) {
                    if map {
                        at = key(text, at)?;
                    }
                    continue 'value;
                }
            }
            _ => at = blanks(text, scalar(text, at)?),
        }
        loop {
            match (text.get(at), maps & 1 == 1) {
                (Some(b','), map) => {
                    at = blanks(text, at + 1);
                    if map {
                        at = key(text, at)?;
                    }
                    continue 'value;
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    depth -= 1;
                    maps >>= 1;
                    at += 1;
                    if depth == 0 {
                        return Ok(at);
                    }
                    at = blanks(text, at);
                }
                _ => return Err(Invalid),
            }
        }
    }
}

/// The place of the value behind the key at `at`.
fn key(text: &[u8], at: usize) -> Result<usize, Invalid> {
    if text.get(at) != Some(&b'"') {
        return Err(Invalid);
    }
    let at = blanks(text, string(text, at + 1)? + 1);
    if text.get(at) == Some(&b':') { Ok(blanks(text, at + 1)) } else { Err(Invalid) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_ends_where_it_does_however_long_it_is() {
        for len in 0..100 {
            let inside = "é".repeat(len / 2) + &"x".repeat(len % 2);
            for (end, wanted) in
                [("\"", Some(len)), ("\\\"\"", Some(len + 2)), ("\u{1f}\"", None), ("", None)]
            {
                let text = format!("\"{inside}{end} and what follows, which is not of it");
                let text = if end.is_empty() { format!("\"{inside}") } else { text };
                assert_eq!(string(text.as_bytes(), 1).ok(), wanted.map(|end| end + 1), "{text}");
            }
        }
    }
}
