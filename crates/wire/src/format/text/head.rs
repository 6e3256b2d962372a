//! What stands around the time of a text line: level, thread, process, logger, and the message behind them. The parts are
//! taken in whatever order they come; the first thing that is none of them begins the message.

use super::super::level::level_len;
use super::super::line::{Line, Out};
use super::Slots;

/// Most parts that a head has.
const PARTS: usize = 7;
/// A bracket that goes on for longer is part of the message.
const LONGEST_BRACKET: usize = 160;

/// A part of the head, as a span of the line.
type Span = (usize, usize);

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

/// Notes what stands behind the time, which begins at `at` and ends at `behind`.
pub(super) fn note(line: Line<'_>, at: usize, behind: usize, slots: &Slots, out: &mut Out<'_>) {
    let text = line.bytes;
    let mut head = Head { message: separators(text, behind), ..Head::default() };
    if let Some(level) = level_before(text, at) {
        // It stands before the time, whose slot is the last one: slots keep the order of their bytes.
        let time = out.slots.pop();
        out.text(line, level, slots.level);
        out.slots.extend(time);
        head.level = Some(level);
    }
    let before = head.level;
    read_parts(text, &mut head);
    if head.level == before {
        head.level = None;
    }
    let mut parts = [
        (head.level, slots.level),
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
    if head.message < text.len() {
        out.text(line, (head.message, text.len()), slots.message);
    }
}

/// A level word right before the time, as in `MainThread::INFO::2011-12-05 …`.
fn level_before(text: &[u8], at: usize) -> Option<Span> {
    let end = at - text[..at].iter().rev().take_while(|byte| !byte.is_ascii_alphanumeric()).count();
    let start = end - text[..end].iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
    (end > start && end - start == level_len(&text[start..at])).then_some((start, end))
}

fn read_parts(text: &[u8], head: &mut Head) {
    let mut at = head.message;
    // A bracket counts as the thread only once a level or a logger shows that this is a head.
    let mut bracket: Option<(Span, usize)> = None;
    for _ in 0..PARTS {
        at = separators(text, at);
        let Some(byte) = text.get(at) else { break };
        let (span, end) = match byte {
            b'[' | b'(' | b'<' => match closing(text, at) {
                Some(close) => ((at + 1, close), close + 1),
                None => break,
            },
            _ => {
                let end = at + token_len(&text[at..]);
                ((at, end), end)
            }
        };
        let word = &text[span.0..span.1];
        let bracketed = span.0 > at;
        if head.level.is_none() && is_level(word) {
            head.level = Some(span);
            head.thread = head.thread.or(bracket.take().map(|(span, _)| span));
        } else if is_count(word) && head.pid.is_none() && behind_part(text, end) {
            head.pid = Some(span);
        } else if is_count(word) && head.tid.is_none() && behind_part(text, end) {
            head.tid = Some(span);
        } else if bracketed && bracket.is_none() && head.thread.is_none() && head.logger.is_none() {
            bracket = Some((span, end));
            at = end;
            if head.level.is_some() && text[end..].starts_with(b" - ") {
                head.thread = Some(span);
                head.message = separators(text, end);
                break;
            }
            continue;
        } else if !bracketed && head.level.is_some() && is_logger(word, text, end) {
            head.thread = head.thread.or(bracket.take().map(|(span, _)| span));
            head.logger = Some(trim_colon(text, span));
            head.message = separators(text, end);
            break;
        } else {
            break;
        }
        at = end;
        head.message = separators(text, end);
    }
    if head.level.is_none() {
        (head.thread, head.logger) = (None, None);
    }
}

/// The place behind what separates parts of a head: blanks, and marks that stand alone.
fn separators(text: &[u8], mut at: usize) -> usize {
    while let Some(byte) = text.get(at) {
        let next = text.get(at + 1);
        match byte {
            b' ' | b'\t' | b':' | b'|' | b',' | b';' => at += 1,
            b']' | b')' | b'>' => at += 1,
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
        .position(|byte| matches!(byte, b' ' | b'\t' | b'|' | b'[' | b']' | b'(' | b','))
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
    name.len() < word.len() || text[end..].starts_with(b" - ") || (dotted && text.get(end) == Some(&b' '))
}

fn trim_colon(text: &[u8], (from, to): Span) -> Span {
    if text[to - 1] == b':' { (from, to - 1) } else { (from, to) }
}
