//! The elements of a JSON list, for tests that look into lists. Knows nothing of the tests. Lists come from rows that a
//! decoder has already read, so what is not JSON is never refused here: it is split as well as can be.

use std::borrow::Cow;

use crate::record::FieldValue;

/// The elements of a list as tests see them: strings decoded, the elements of lists in the list in their place, maps as
/// written. `None` where the text is no list.
pub fn elements(json: &[u8]) -> Option<Vec<FieldValue<'_>>> {
    let inner = json.trim_ascii().strip_prefix(b"[")?.strip_suffix(b"]")?;
    let mut found = Vec::new();
    let mut start = 0;
    let mut maps = 0_usize;
    let mut at = 0;
    while at < inner.len() {
        match inner[at] {
            b'"' => at = string_end(inner, at),
            b'{' => maps += 1,
            b'}' => maps = maps.saturating_sub(1),
            b',' | b'[' | b']' if maps == 0 => {
                found.extend(element(&inner[start..at]));
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    found.extend(element(&inner[start.min(inner.len())..]));
    Some(found)
}

/// The index of the quote that ends the string begun at `at`, or of the last byte.
fn string_end(text: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at.min(text.len() - 1)
}

/// One element; `None` for the nothing between brackets.
fn element(text: &[u8]) -> Option<FieldValue<'_>> {
    let text = text.trim_ascii();
    Some(match text {
        b"" => return None,
        b"null" => FieldValue::Null,
        b"true" => FieldValue::Bool(true),
        b"false" => FieldValue::Bool(false),
        [b'"', body @ .., b'"'] => FieldValue::Text(crate::value::unescape(Cow::Borrowed(body))),
        [b'{', ..] => FieldValue::Json(Cow::Borrowed(text)),
        _ => FieldValue::Number(Cow::Borrowed(text)),
    })
}
