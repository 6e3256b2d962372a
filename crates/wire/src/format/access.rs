//! Access logs of web servers: `addresses [time] "request" status bytes "referer" "agent" …`, as Apache's and nginx's
//! common and combined formats and the usual variations of them write it.

use memchr::memchr2;
use sawlog_model::{NameId, Names};

use super::line::{Format, Line, Out, Reading, is_number};

/// What stands before the time, by how many words there are.
const HEADS: [&[&str]; 4] = [
    &["remote_addr"],
    &["remote_addr", "user"],
    &["remote_addr", "ident", "user"],
    &["host", "remote_addr", "ident", "user"],
];
/// Quoted parts behind the number of bytes, in their usual order.
const QUOTED: [&str; 3] = ["referer", "user_agent", "forwarded_for"];
/// Unquoted parts behind it.
const BARE: [&str; 3] = ["request_time", "upstream_time", "upstream_addr"];

/// Reads access logs.
pub(super) struct Access {
    heads: [Vec<NameId>; 4],
    time: NameId,
    request: NameId,
    method: NameId,
    path: NameId,
    query: NameId,
    protocol: NameId,
    status: NameId,
    bytes: NameId,
    quoted: Vec<NameId>,
    bare: Vec<NameId>,
}

impl Access {
    pub fn new(names: &mut Names) -> Self {
        let mut all = |list: &[&str]| list.iter().map(|name| names.intern(name)).collect::<Vec<_>>();
        Access {
            heads: HEADS.map(&mut all),
            quoted: all(&QUOTED),
            bare: all(&BARE),
            time: names.intern("time"),
            request: names.intern("request"),
            method: names.intern("method"),
            path: names.intern("path"),
            query: names.intern("query"),
            protocol: names.intern("protocol"),
            status: names.intern("status"),
            bytes: names.intern("bytes"),
        }
    }

    /// Notes the slots; `None` where the line is something else.
    fn fields(&self, line: Line<'_>, out: &mut Out<'_>) -> Option<i64> {
        let text = line.bytes;
        let (words, count, bracket) = head(text)?;
        for (span, name) in words[..count].iter().zip(&self.heads[count - 1]) {
            out.text(line, *span, *name);
        }
        let (time, behind) = out.read_stamp(line, bracket + 1, self.time)?;
        let open = text.get(behind..behind + 3)?;
        if open != b"] \"" {
            return None;
        }
        let from = behind + 3;
        let close = closing_quote(text, from)?;
        self.request(line, out, (from, close));
        let at = blank(text, close + 1)?;
        let (status, at) = word(text, at);
        if !is_status(&text[status.0..status.1]) {
            return None;
        }
        out.number(line, status, self.status);
        let at = blank(text, at)?;
        let (bytes, at) = word(text, at);
        if bytes.0 == bytes.1 || text[bytes.0] == b'"' {
            return None;
        }
        out.number(line, bytes, self.bytes);
        self.tail(line, out, at)?;
        Some(time)
    }

    /// `GET /path?query HTTP/1.1`, or whatever the client sent, whole.
    fn request(&self, line: Line<'_>, out: &mut Out<'_>, (from, to): (usize, usize)) {
        let text = &line.bytes[from..to];
        let method = text.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
        let protocol = memchr::memrchr(b' ', text).unwrap_or(0);
        let well = method > 0
            && text.get(method) == Some(&b' ')
            && protocol > method
            && text[protocol..].starts_with(b" HTTP/");
        if !well {
            out.text(line, (from, to), self.request);
            return;
        }
        out.text(line, (from, from + method), self.method);
        let (start, end) = (from + method + 1, from + protocol);
        match memchr::memchr(b'?', &line.bytes[start..end]) {
            Some(mark) => {
                out.text(line, (start, start + mark), self.path);
                out.text(line, (start + mark + 1, end), self.query);
            }
            None => out.text(line, (start, end), self.path),
        }
        out.text(line, (from + protocol + 1, to), self.protocol);
    }

    /// Parts behind the number of bytes; those beyond the names known stay in the line.
    fn tail(&self, line: Line<'_>, out: &mut Out<'_>, mut at: usize) -> Option<()> {
        let text = line.bytes;
        let (mut quoted, mut bare) = (self.quoted.iter(), self.bare.iter());
        while at < text.len() {
            while text.get(at) == Some(&b' ') {
                at += 1;
            }
            if text.get(at) == Some(&b'"') {
                let close = closing_quote(text, at + 1)?;
                if let Some(name) = quoted.next() {
                    out.text(line, (at + 1, close), *name);
                }
                at = close + 1;
            } else {
                let (span, behind) = word(text, at);
                if span.0 < span.1
                    && let Some(name) = bare.next()
                {
                    out.number(line, span, *name);
                }
                at = behind;
            }
        }
        Some(())
    }
}

impl Format for Access {
    fn read(&mut self, line: Line<'_>, out: &mut Out<'_>) -> Reading {
        let before = out.slots.len();
        match self.fields(line, out) {
            Some(time) => Reading::event(Some(time)),
            None => {
                out.slots.truncate(before);
                Reading::UNPARSED
            }
        }
    }
}

/// Spans of the words before the time.
type Words = [(usize, usize); 4];

/// The words before the bracket of the time, how many there are, and where the bracket stands. A user's name may hold
/// blanks: it is what stands between the third word and the bracket.
fn head(text: &[u8]) -> Option<(Words, usize, usize)> {
    let mut words = [(0, 0); 4];
    let (mut count, mut at) = (0, 0);
    while text.get(at) != Some(&b'[') {
        let (span, behind) = word(text, at);
        if span.0 == span.1 || text.get(behind) != Some(&b' ') {
            return None;
        }
        if count == 4 {
            words[3].1 = span.1;
        } else {
            words[count] = span;
            count += 1;
        }
        at = behind + 1;
    }
    (count > 0).then_some((words, count, at))
}

/// The word at `at`: up to the next blank, and the place of that.
#[inline]
fn word(text: &[u8], at: usize) -> ((usize, usize), usize) {
    let end = memchr::memchr(b' ', &text[at..]).map_or(text.len(), |len| at + len);
    ((at, end), end)
}

/// The place behind the one blank at `at`.
fn blank(text: &[u8], at: usize) -> Option<usize> {
    (text.get(at) == Some(&b' ')).then_some(at + 1)
}

/// Three digits, or the dash of a request that got no answer.
fn is_status(text: &[u8]) -> bool {
    text == b"-" || (text.len() == 3 && is_number(text))
}

/// The quote that ends the text begun at `from`: not one behind a backslash.
#[inline]
pub(super) fn closing_quote(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}
