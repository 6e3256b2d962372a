//! Words by which programs name the level of a line. Knows nothing of where in a line they stand.

/// The words, in lower case.
const WORDS: &[&str] = &[
    "trace",
    "debug",
    "info",
    "notice",
    "warn",
    "warning",
    "error",
    "err",
    "critical",
    "crit",
    "fatal",
    "severe",
    "alert",
    "emerg",
    "emergency",
    "panic",
    "fine",
    "finer",
    "finest",
    "config",
    "information",
    "verbose",
    "log",
    "debug1",
    "debug2",
    "debug3",
    "debug4",
    "debug5",
    "detail",
    "hint",
    "statement",
    "context",
    "system",
];

/// Levels as the Java platform writes them in Japanese.
const JAPANESE: &[&str] = &["情報", "警告", "重大", "普通", "詳細", "構成", "致命的"];

/// How long the level word is that `text` begins with: the whole run of letters, in one case or capitalised. 0 where
/// there is none.
pub(super) fn level_len(text: &[u8]) -> usize {
    match text.first() {
        Some(byte) if byte.is_ascii_alphabetic() => {}
        Some(byte) if *byte >= 0xE0 => return japanese_len(text),
        _ => return 0,
    }
    let len = text.iter().take(12).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    if !(3..=11).contains(&len) {
        return 0;
    }
    let word = &text[..len];
    let one_case = word[1..].iter().all(|byte| !byte.is_ascii_uppercase())
        || word.iter().all(|byte| !byte.is_ascii_lowercase());
    if one_case && WORDS.iter().any(|have| have.len() == len && have.as_bytes().eq_ignore_ascii_case(word)) {
        len
    } else {
        0
    }
}

fn japanese_len(text: &[u8]) -> usize {
    JAPANESE.iter().find(|word| text.starts_with(word.as_bytes())).map_or(0, |word| word.len())
}
