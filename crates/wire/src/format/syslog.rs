//! Syslog as it stands in files and on the wire: `<PRI>Nov 18 08:46:14 host app[pid]: message` (RFC 3164, the priority
//! may be missing, the time may be ISO 8601), and RFC 5424.

use sawlog_model::{NameId, Names};

use super::level::level_len;
use super::line::{Format, Line, Out, Part, Reading};

/// Reads syslog lines.
pub(super) struct Syslog {
    pri: NameId,
    time: NameId,
    host: NameId,
    app: NameId,
    pid: NameId,
    msgid: NameId,
    data: NameId,
    message: NameId,
}

impl Syslog {
    pub fn new(names: &mut Names) -> Self {
        Syslog {
            pri: names.intern("pri"),
            time: names.intern("time"),
            host: names.intern("host"),
            app: names.intern("app"),
            pid: names.intern("pid"),
            msgid: names.intern("msgid"),
            data: names.intern("structured_data"),
            message: names.intern("message"),
        }
    }

    /// Notes the slots; `None` where the line has no time where it should be.
    fn fields(&self, line: Line<'_>, out: &mut Out<'_>) -> Option<i64> {
        let text = line.bytes;
        let mut at = 0;
        if let Some(end) = priority(text) {
            out.number(line, (1, end), self.pri);
            at = end + 1;
            if text[at..].starts_with(b"1 ") {
                return self.rfc5424(line, out, at + 2);
            }
        }
        let (time, behind) = out.read_stamp(line, at, self.time)?;
        at = blank(text, behind)?;
        let host = word(text, at);
        if host.0 == host.1 {
            return None;
        }
        if text[host.1 - 1] == b':' {
            // No host: this is the tag already.
            self.tagged(line, out, at);
            return Some(time);
        }
        out.text(line, host, self.host);
        self.tagged(line, out, (host.1 + 1).min(text.len()));
        Some(time)
    }

    /// `app[pid]: message`, or a message without a tag.
    fn tagged(&self, line: Line<'_>, out: &mut Out<'_>, at: usize) {
        let text = line.bytes;
        let mut message = at;
        if let Some((app, pid, behind)) = tag(text, at) {
            out.text(line, app, self.app);
            if let Some(pid) = pid {
                out.number(line, pid, self.pid);
            }
            message = behind + usize::from(text.get(behind) == Some(&b' '));
        }
        if message < text.len() {
            out.text(line, (message, text.len()), self.message);
        }
    }

    /// `TIME HOST APP PROCID MSGID DATA MESSAGE`, a dash for each that is missing.
    fn rfc5424(&self, line: Line<'_>, out: &mut Out<'_>, at: usize) -> Option<i64> {
        let text = line.bytes;
        let (time, mut at) = out.read_stamp(line, at, self.time)?;
        for name in [self.host, self.app, self.pid, self.msgid] {
            let span = word(text, blank(text, at)?);
            if &text[span.0..span.1] != b"-" {
                out.text(line, span, name);
            }
            at = span.1;
        }
        at = blank(text, at)?;
        if text.get(at) == Some(&b'-') {
            at += 1;
        } else {
            let end = structured_data(text, at)?;
            out.text(line, (at, end), self.data);
            at = end;
        }
        let message = at + usize::from(text.get(at) == Some(&b' '));
        if message < text.len() {
            out.text(line, (message, text.len()), self.message);
        }
        Some(time)
    }
}

impl Format for Syslog {
    fn read(&mut self, line: Line<'_>, out: &mut Out<'_>) -> Reading {
        let before = out.slots.len();
        if let Some(time) = self.fields(line, out) {
            return Reading { open: true, ..Reading::event(Some(time)) };
        }
        out.slots.truncate(before);
        if !line.bytes.is_empty() {
            out.text(line, (0, line.bytes.len()), self.message);
        }
        Reading { part: Part::More, open: true, ..Reading::event(None) }
    }

    fn joins(&self) -> bool {
        true
    }
}

/// Whether the line is syslog: a priority, or time, host and a tag.
pub(super) fn is_syslog(text: &[u8]) -> bool {
    let at = match priority(text) {
        Some(end) if text[end + 1..].starts_with(b"1 ") => return true,
        Some(end) => end + 1,
        None => 0,
    };
    let Some(stamp) = sawlog_model::time::read(&text[at..]) else { return false };
    let Some(host) = blank(text, at + stamp.len) else { return false };
    let host = word(text, host);
    let named =
        text[host.0..host.1].iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._:@/".contains(byte));
    let tagged = tag(text, host.1 + 1).is_some() || text[host.1..].starts_with(b" last message repeated");
    let is_name = host.0 < host.1
        && text[host.0].is_ascii_alphanumeric()
        && text[host.1 - 1] != b':'
        && level_len(&text[host.0..host.1]) == 0;
    at > 0 || (named && tagged && is_name)
}

/// The place of the `>` of a priority at the start.
fn priority(text: &[u8]) -> Option<usize> {
    let end = text.iter().take(5).position(|byte| *byte == b'>')?;
    let digits = text.first() == Some(&b'<') && end > 1 && text[1..end].iter().all(u8::is_ascii_digit);
    digits.then_some(end)
}

/// `app:`, `app[pid]:`, also with blanks in the app's name if brackets end it; gives app, pid and the place behind.
#[expect(clippy::type_complexity, reason = "three places of one line")]
fn tag(text: &[u8], at: usize) -> Option<((usize, usize), Option<(usize, usize)>, usize)> {
    let rest = text.get(at..)?;
    let end = rest.iter().take(80).position(|byte| matches!(byte, b':' | b'[' | b' '))?;
    if end == 0 {
        return None;
    }
    match rest[end] {
        b':' => Some(((at, at + end), None, at + end + 1)),
        b'[' => {
            let close = rest[end..].iter().take(40).position(|byte| *byte == b']')? + end;
            let colon = rest.get(close + 1) == Some(&b':');
            let pid = (at + end + 1, at + close);
            (colon && pid.0 < pid.1).then_some(((at, at + end), Some(pid), at + close + 2))
        }
        _ => None,
    }
}

/// The place behind `[id name="value" …][…]`.
fn structured_data(text: &[u8], mut at: usize) -> Option<usize> {
    let start = at;
    while text.get(at) == Some(&b'[') {
        loop {
            at += 1;
            match text.get(at)? {
                b']' => break,
                b'"' => at = super::access::closing_quote(text, at + 1)?,
                _ => {}
            }
        }
        at += 1;
    }
    (at > start).then_some(at)
}

fn blank(text: &[u8], at: usize) -> Option<usize> {
    (text.get(at) == Some(&b' ')).then_some(at + 1)
}

/// The word that begins at `at`.
fn word(text: &[u8], at: usize) -> (usize, usize) {
    let rest = text.get(at..).unwrap_or(b"");
    (at.min(text.len()), at.min(text.len()) + memchr::memchr(b' ', rest).unwrap_or(rest.len()))
}
