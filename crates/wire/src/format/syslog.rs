//! Syslog as it stands in files and on the wire: `<PRI>Nov 18 08:46:14 host app[pid]: message` (RFC 3164, the priority
//! may be missing, the time may be ISO 8601), and RFC 5424.

use std::sync::Arc;

use sawlog_model::{Kind, NameId, Names};

use super::BOM;
use super::level::level_len;
use super::line::{Format, Line, Out, Part, Reading};

/// What names of parameters of structured data begin with.
const PREFIX: &str = "sd.";

/// Reads syslog lines.
pub(super) struct Syslog {
    pri: NameId,
    time: NameId,
    host: NameId,
    app: NameId,
    pid: NameId,
    msgid: NameId,
    message: NameId,
    /// Where names of parameters of structured data are put together: `sd.ID.NAME`.
    dotted: String,
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
            message: names.intern("message"),
            dotted: PREFIX.to_owned(),
        }
    }

    /// Notes the slots and gives the time, where there is one; `None` where the line is not syslog.
    fn fields(&mut self, line: Line<'_>, out: &mut Out<'_>) -> Option<Option<i64>> {
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
            return Some(Some(time));
        }
        out.text(line, host, self.host);
        self.tagged(line, out, (host.1 + 1).min(text.len()));
        Some(Some(time))
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
    fn rfc5424(&mut self, line: Line<'_>, out: &mut Out<'_>, at: usize) -> Option<Option<i64>> {
        let text = line.bytes;
        let (time, mut at) = match text.get(at..)? {
            [b'-', b' ', ..] => (None, at + 1),
            _ => out.read_stamp(line, at, self.time).map(|(time, at)| (Some(time), at))?,
        };
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
            at = self.structured_data(line, out, at)?;
        }
        let mut message = at + usize::from(text.get(at) == Some(&b' '));
        if text[message..].starts_with(BOM) {
            message += BOM.len();
        }
        if message < text.len() {
            out.text(line, (message, text.len()), self.message);
        }
        Some(time)
    }
}

impl Syslog {
    /// Notes the parameters of `[id name="value" …][…]`, each as the field `sd.id.name`, and gives the place behind.
    fn structured_data(&mut self, line: Line<'_>, out: &mut Out<'_>, mut at: usize) -> Option<usize> {
        let (text, start) = (line.bytes, at);
        let most = out.slots.len() + out.limits.fields;
        while text.get(at) == Some(&b'[') {
            let mut word_at = at + 1;
            let mut id = None;
            loop {
                at += 1;
                match text.get(at)? {
                    b']' => break,
                    b' ' => {
                        id = id.or(Some((word_at, at)));
                        word_at = at + 1;
                    }
                    b'"' => {
                        let value = (at + 1, super::access::closing_quote(text, at + 1)?);
                        let name = (word_at, at.saturating_sub(1).max(word_at));
                        if out.slots.len() < most {
                            self.parameter(line, out, id.unwrap_or((word_at, word_at)), name, value);
                        }
                        at = value.1;
                    }
                    _ => {}
                }
            }
            at += 1;
        }
        (at > start).then_some(at)
    }

    fn parameter(&mut self, line: Line<'_>, out: &mut Out<'_>, id: Span, name: Span, value: Span) {
        let bytes = |span: Span| &line.bytes[span.0..span.1];
        self.dotted.truncate(PREFIX.len());
        self.dotted.push_str(&String::from_utf8_lossy(bytes(id)));
        self.dotted.push('.');
        self.dotted.push_str(&String::from_utf8_lossy(bytes(name)));
        let name = match out.names.find(&self.dotted) {
            Some(name) => name,
            // Still in the line, as all that is over a limit.
            None if out.names.len() >= out.limits.names => return,
            None => Arc::make_mut(out.names).intern(&self.dotted),
        };
        out.slot(line, value, name, value_kind(bytes(value)));
    }
}

/// A place in a line, from and to.
type Span = (usize, usize);

/// How a parameter's value is read: JSON's escapes say what those of syslog do where only quotes and backslashes are
/// escaped, which is nearly always.
fn value_kind(value: &[u8]) -> Kind {
    let mut rest = value;
    let mut escaped = false;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        escaped = true;
        if !matches!(rest.get(at + 1), Some(b'"' | b'\\')) {
            return Kind::Text;
        }
        rest = &rest[at + 2..];
    }
    if escaped { Kind::JsonText } else { Kind::Text }
}

impl Format for Syslog {
    fn read(&mut self, line: Line<'_>, out: &mut Out<'_>) -> Reading {
        let before = out.slots.len();
        if let Some(time) = self.fields(line, out) {
            return Reading { open: true, ..Reading::event(time) };
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

fn blank(text: &[u8], at: usize) -> Option<usize> {
    (text.get(at) == Some(&b' ')).then_some(at + 1)
}

/// The word that begins at `at`.
fn word(text: &[u8], at: usize) -> (usize, usize) {
    let rest = text.get(at..).unwrap_or(b"");
    (at.min(text.len()), at.min(text.len()) + memchr::memchr(b' ', rest).unwrap_or(rest.len()))
}
