//! nginx's error log: `2026/08/05 00:17:58 [error] 848654#848654: *2188783 message, client: …, server: …, request: "…"`.
//! What a backend wrote to stderr is part of the message and may go over several lines; client, server and the rest stand
//! on the last.

use memchr::memmem;
use sawlog_model::{NameId, Names, Nanos};

use super::access::closing_quote;
use super::level::level_len;
use super::line::{Format, Line, Out, Part, Reading};

/// Fields behind the message, as they are written and as they are named.
const TAIL: [(&str, &str); 7] = [
    ("client", "client"),
    ("server", "server"),
    ("request", "request"),
    ("subrequest", "subrequest"),
    ("upstream", "upstream"),
    ("host", "host"),
    ("referrer", "referer"),
];

/// Reads nginx's error log.
pub(super) struct NginxError {
    time: NameId,
    level: NameId,
    pid: NameId,
    tid: NameId,
    connection: NameId,
    message: NameId,
    tail: [NameId; 7],
}

impl NginxError {
    pub fn new(names: &mut Names) -> Self {
        NginxError {
            time: names.intern("time"),
            level: names.intern("level"),
            pid: names.intern("pid"),
            tid: names.intern("tid"),
            connection: names.intern("connection"),
            message: names.intern("message"),
            tail: TAIL.map(|(_, name)| names.intern(name)),
        }
    }

    /// Notes what stands before the message; gives the time and where the message begins.
    fn head(&self, line: Line<'_>, out: &mut Out<'_>) -> Option<(Nanos, usize)> {
        let text = line.bytes;
        let (time, at) = out.read_stamp(line, 0, self.time)?;
        let level = text.get(at..)?.strip_prefix(b" [")?;
        let at = at + 2;
        let len = level_len(level);
        if len == 0 || level.get(len) != Some(&b']') {
            return None;
        }
        out.text(line, (at, at + len), self.level);
        let pid = at + len + 2;
        let digits = |at: usize| {
            text.get(at..).map_or(0, |rest| rest.iter().take_while(|byte| byte.is_ascii_digit()).count())
        };
        let hash = pid + digits(pid);
        if hash == pid || text.get(hash) != Some(&b'#') {
            return None;
        }
        out.number(line, (pid, hash), self.pid);
        let colon = hash + 1 + digits(hash + 1);
        out.number(line, (hash + 1, colon), self.tid);
        let mut at = colon + 1;
        at += usize::from(text.get(at) == Some(&b' '));
        let connection = text.get(at..).map_or(0, |rest| usize::from(rest.first() == Some(&b'*')));
        let end = at + connection + digits(at + connection);
        if connection == 1 && text.get(end) == Some(&b' ') {
            out.number(line, (at + 1, end), self.connection);
            at = end + 1;
        }
        Some((time, at.min(text.len())))
    }

    /// Notes the message from `at`, and the fields behind it where the line has them. `true` where it has none, and the
    /// message may go on.
    fn rest(&self, line: Line<'_>, at: usize, out: &mut Out<'_>) -> bool {
        let text = line.bytes;
        let Some(mut end) = memmem::rfind(&text[at..], b", client: ").map(|len| at + len) else {
            if at < text.len() {
                out.text(line, (at, text.len()), self.message);
            }
            return true;
        };
        if at < end {
            out.text(line, (at, end), self.message);
        }
        while let Some((field, value, behind)) = tail_field(text, end) {
            out.text(line, value, self.tail[field]);
            end = behind;
        }
        false
    }
}

/// `, name: value` at `at`, the value with or without quotes: which field, the value's span, the place behind.
fn tail_field(text: &[u8], at: usize) -> Option<(usize, (usize, usize), usize)> {
    let rest = text.get(at..)?.strip_prefix(b", ")?;
    let field = TAIL.iter().position(|(written, _)| {
        rest.strip_prefix(written.as_bytes()).is_some_and(|rest| rest.starts_with(b": "))
    })?;
    let from = at + 2 + TAIL[field].0.len() + 2;
    if text.get(from) == Some(&b'"') {
        let close = closing_quote(text, from + 1)?;
        return Some((field, (from + 1, close), close + 1));
    }
    let end = memmem::find(&text[from..], b", ").map_or(text.len(), |len| from + len);
    Some((field, (from, end), end))
}

impl Format for NginxError {
    fn read(&mut self, line: Line<'_>, out: &mut Out<'_>) -> Reading {
        let before = out.slots.len();
        if let Some((time, at)) = self.head(line, out) {
            let open = self.rest(line, at, out);
            return Reading { open, ..Reading::event(Some(time)) };
        }
        out.slots.truncate(before);
        let open = self.rest(line, 0, out);
        Reading { part: Part::More, open, ..Reading::event(None) }
    }

    fn joins(&self) -> bool {
        true
    }
}

/// Whether the line begins as nginx's errors do.
pub(super) fn is_nginx_error(text: &[u8]) -> bool {
    let Some(stamp) = sawlog_model::time::read(text) else { return false };
    let Some(level) = text[stamp.len..].strip_prefix(b" [") else { return false };
    let len = level_len(level);
    let pid = level.get(len..).and_then(|rest| rest.strip_prefix(b"] ")).unwrap_or(b"");
    let digits = pid.iter().take_while(|byte| byte.is_ascii_digit()).count();
    len > 0 && digits > 0 && pid.get(digits) == Some(&b'#')
}
