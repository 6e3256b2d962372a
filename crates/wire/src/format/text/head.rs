//! What stands around the time of a text line: level, thread, process, logger, and the message behind them. The parts are
//! taken in whatever order they come; the first thing that is none of them begins the message.

use super::super::level::level_len;
use super::super::line::{Line, Out};
use super::dialect::{self, Lettered, PREFIX_KEYS};
use super::{Slots, Span};

/// Most parts that a head has.
const PARTS: usize = 7;
/// A bracket that goes on for longer is part of the message.
const LONGEST_BRACKET: usize = 160;

/// What was found so far.
#[derive(Default)]
struct Head {
    level: Option<Span>,
    thread: Option<Span>,
    logger: Option<Span>,
    pid: Option<Span>,
    tid: Option<Span>,
    /// Where the message begins, if nothing more is found.
    message: usize,
}

/// Notes what stands around the time, which begins at `at` and ends at `behind`.
pub(super) fn note(line: Line<'_>, at: usize, behind: usize, slots: &Slots, out: &mut Out<'_>) {
    let text = line.bytes;
    let mut head = Head { message: separators(text, behind), ..Head::default() };
    let before = level_before(text, at);
    if let Some(level) = before {
        // It stands before the time, whose slot is the last one: slots keep the order of their bytes.
        let time = out.slots.pop();
        out.text(line, level, slots.level);
        out.slots.extend(time);
        head.level = Some(level);
    }
    read_parts(text, &mut head);
    let mut prefix = None;
    if head.level.is_none()
        && let Some((level, message)) = dialect::postgres(text, head.message)
    {
        prefix = Some((head.message, level.0));
        (head.level, head.message) = (Some(level), message);
    }
    let level = if before.is_some() { None } else { head.level };
    // A level of PostgreSQL stands behind all other parts, and the prefix right before it.
    let first = if prefix.is_some() { None } else { level };
    let mut parts = [
        (first, slots.level),
        (head.thread, slots.thread),
        (head.logger, slots.logger),
        (head.pid, slots.pid),
        (head.tid, slots.tid),
    ];
    parts.sort_unstable_by_key(|(span, _)| span.map_or(usize::MAX, |span| span.0));
    for (span, name) in parts {
        if let Some(span) = span {
            out.number(line, span, name);
        }
    }
    if let (Some((from, to)), Some(level)) = (prefix, level) {
        note_prefix(line, (from, to), slots, out);
        out.text(line, level, slots.level);
    }
    if head.message < text.len() {
        out.text(line, (head.message, text.len()), slots.message);
    }
}

/// The pairs of PostgreSQL's prefix, each name once.
fn note_prefix(line: Line<'_>, (mut from, to): Span, slots: &Slots, out: &mut Out<'_>) {
    let mut noted = [false; PREFIX_KEYS.len()];
    while let Some((which, value, behind)) = dialect::prefix_pair(line.bytes, from, to) {
        if !std::mem::replace(&mut noted[which], true) {
            out.text(line, value, slots.prefix[which]);
        }
        from = behind;
    }
}

/// A level word right before the time, as in `MainThread::INFO::2011-12-05 …`, or the letter of `I0507 11:59:44.523502`.
fn level_before(text: &[u8], at: usize) -> Option<Span> {
    if at == 1 && text[0].is_ascii_uppercase() {
        return Some((0, 1));
    }
    let end = at - text[..at].iter().rev().take_while(|byte| !byte.is_ascii_alphanumeric()).count();
    let start = end - text[..end].iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
    (end > start && end - start == level_len(&text[start..at])).then_some((start, end))
}

/// A part as it stands: what it holds, whether brackets are around it, and the place behind.
struct Token {
    span: Span,
    bracketed: bool,
    end: usize,
}

fn token(text: &[u8], at: usize) -> Option<Token> {
    Some(match text.get(at)? {
        b'[' | b'(' | b'<' => {
            let close = closing(text, at)?;
            Token { span: (at + 1, close), bracketed: true, end: close + 1 }
        }
        _ => {
            let end = at + token_len(&text[at..]);
            Token { span: (at, end), bracketed: false, end }
        }
    })
}

fn read_parts(text: &[u8], head: &mut Head) {
    // A bracket counts as the thread only once a level or a logger shows that this is a head.
    let mut bracket = None;
    let mut at = head.message;
    for _ in 0..PARTS {
        at = separators(text, at);
        if head.level.is_none()
            && let Some(lettered) = lettered(text, at, head)
        {
            head.take(lettered);
            return;
        }
        let Some(Token { span, bracketed, end }) = token(text, at) else { break };
        let word = &text[span.0..span.1];
        let leveled = head.level.is_some();
        if !leveled && is_level(word) {
            head.level = Some(span);
            head.thread = head.thread.or(bracket.take());
        } else if is_count(word) && head.pid.is_none() && behind_part(text, end) {
            head.pid = Some(span);
        } else if is_count(word) && head.tid.is_none() && behind_part(text, end) {
            head.tid = Some(span);
        } else if bracketed && bracket.is_none() && head.thread.is_none() {
            if leveled && text[end..].starts_with(b" - ") {
                head.thread = Some(span);
                head.message = separators(text, end);
                break;
            }
            bracket = Some(span);
            at = end;
            continue;
        } else if !bracketed && leveled && is_logger(word, text, end) {
            head.thread = head.thread.or(bracket.take());
            head.logger = Some(trim_colon(text, span));
            head.message = separators(text, pid_behind(text, end, head));
            break;
        } else {
            break;
        }
        at = end;
        head.message = separators(text, end);
    }
    if head.level.is_none() {
        head.thread = None;
    }
}

/// A level of one letter: Android's behind process and thread, MongoDB's else.
fn lettered(text: &[u8], at: usize, head: &Head) -> Option<Lettered> {
    if head.tid.is_some() { dialect::android(text, at) } else { dialect::mongodb(text, at) }
}

impl Head {
    fn take(&mut self, lettered: Lettered) {
        self.level = Some(lettered.level);
        self.logger = lettered.logger;
        self.thread = lettered.thread;
        self.message = lettered.message;
    }
}

/// The `[45715]` of `vpxd[45715]`: notes it and gives the place behind, or the place it would begin.
fn pid_behind(text: &[u8], at: usize, head: &mut Head) -> usize {
    match numbered(text, at) {
        Some(end) if head.pid.is_none() => {
            head.pid = Some((at + 1, end - 1));
            end
        }
        _ => at,
    }
}

/// The place behind the bracketed number at `at`.
fn numbered(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?.strip_prefix(b"[")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0 && rest.get(digits) == Some(&b']')).then_some(at + digits + 2)
}

/// The place behind what separates parts of a head: blanks, and marks that stand alone.
fn separators(text: &[u8], mut at: usize) -> usize {
    while let Some(byte) = text.get(at) {
        let next = text.get(at + 1);
        match byte {
            b' ' | b'\t' | b':' | b'|' | b',' | b';' => at += 1,
            b']' | b')' | b'>' => at += 1,
            0x1b => at += super::colour_len(&text[at..]),
            b'-' if matches!(next, None | Some(b' ')) => at += 1,
            _ => break,
        }
    }
    at
}

/// The bracket that closes the one at `at`; brackets of its kind inside count.
fn closing(text: &[u8], at: usize) -> Option<usize> {
    let open = text[at];
    let close = match open {
        b'[' => b']',
        b'(' => b')',
        _ => b'>',
    };
    let mut depth = 0;
    for (index, byte) in text[at..].iter().take(LONGEST_BRACKET).enumerate() {
        if *byte == open {
            depth += 1;
        } else if *byte == close {
            depth -= 1;
            if depth == 0 {
                return Some(at + index);
            }
        }
    }
    None
}

/// How long the word is that `text` begins with. A colon ends it only before a blank, or if it is a level.
fn token_len(text: &[u8]) -> usize {
    let level = level_len(text);
    if level > 0 {
        return level;
    }
    text.iter()
        .position(|byte| matches!(byte, b' ' | b'\t' | b'|' | b'[' | b']' | b'(' | b',' | 0x1b))
        .unwrap_or(text.len())
}

fn is_level(word: &[u8]) -> bool {
    let word = word.trim_ascii();
    !word.is_empty() && level_len(word) == word.len()
}

/// Digits as processes and threads have: `848654`, `848654#848654`, `25746`.
fn is_count(word: &[u8]) -> bool {
    !word.is_empty() && word.len() <= 20 && word.iter().all(|byte| byte.is_ascii_digit() || *byte == b'#')
}

/// Whether a part may end at `end`.
fn behind_part(text: &[u8], end: usize) -> bool {
    matches!(text.get(end), None | Some(b' ' | b'\t' | b':' | b'|' | b']'))
}

/// Whether the word names who logs: dotted names, or any name before a colon or ` - `.
fn is_logger(word: &[u8], text: &[u8], end: usize) -> bool {
    let name = word.strip_suffix(b":").unwrap_or(word);
    let plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.$-/:#@*<>".contains(byte));
    let starts = name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    if !plain || !starts {
        return false;
    }
    if name.ends_with(b":") {
        return false;
    }
    let dotted = name.contains(&b'.') && name.last() != Some(&b'.') && !name.contains(&b'/');
    match text.get(end) {
        Some(b' ') => name.len() < word.len() || dotted || text[end..].starts_with(b" - "),
        // `file.go:187] message` and `daemon[123] message`
        Some(b']') => name.contains(&b':'),
        Some(b'[') => numbered(text, end).is_some(),
        _ => name.len() < word.len(),
    }
}

fn trim_colon(text: &[u8], (from, to): Span) -> Span {
    if text[to - 1] == b':' { (from, to - 1) } else { (from, to) }
}
