//! MySQL's slow query log: comment lines with the time, who asked and what it cost, then the statement. The time may be
//! missing at the top (the server writes it once a second) and then stands in `SET timestamp=…`.

use std::sync::Arc;

use sawlog_model::time::{read, read_epoch};
use sawlog_model::{NameId, Names, Nanos};

use super::line::{Format, Line, Out, Part, Reading};

/// Reads slow query logs.
pub(super) struct MysqlSlow {
    time: NameId,
    user: NameId,
    host: NameId,
    message: NameId,
    /// Whether the line before was a comment of the event's top.
    top: bool,
    /// Whether the event has its time.
    timed: bool,
}

impl MysqlSlow {
    pub fn new(names: &mut Names) -> Self {
        MysqlSlow {
            time: names.intern("time"),
            user: names.intern("user"),
            host: names.intern("host"),
            message: names.intern("message"),
            top: false,
            timed: false,
        }
    }

    /// A comment of the top: `# Key: value  Key: value`. Gives the time where it has one.
    fn comment(&self, line: Line<'_>, out: &mut Out<'_>) -> Option<Nanos> {
        let text = line.bytes;
        let (mut at, mut time) = (1, None);
        while let Some((key, value)) = key(text, at) {
            at = match &text[key.0..key.1] {
                b"Time" => match out.read_stamp(line, value, self.time) {
                    Some((read, behind)) => {
                        time = Some(read);
                        behind
                    }
                    None => value,
                },
                b"User@Host" => self.user_and_host(line, value, out),
                _ => {
                    let end = value + word_len(&text[value..]);
                    if value < end
                        && let Some(name) = name(&text[key.0..key.1], out)
                    {
                        out.number(line, (value, end), name);
                    }
                    end
                }
            };
        }
        time
    }

    /// `root[root] @ localhost [127.0.0.1]`; gives the place behind.
    fn user_and_host(&self, line: Line<'_>, at: usize, out: &mut Out<'_>) -> usize {
        let text = line.bytes;
        let user = at + text[at..].iter().take_while(|byte| !matches!(byte, b'[' | b' ')).count();
        if at < user {
            out.text(line, (at, user), self.user);
        }
        let Some(host) = memchr::memmem::find(&text[user..], b" @ ").map(|len| user + len + 3) else {
            return user;
        };
        let host = host + text[host..].iter().take_while(|byte| **byte == b' ').count();
        let end = host + word_len(&text[host..]);
        if host < end {
            out.text(line, (host, end), self.host);
        }
        end
    }

    /// A line of the statement; gives the time where it sets one.
    fn statement(&self, line: Line<'_>, out: &mut Out<'_>) -> Option<Nanos> {
        let text = line.bytes;
        if !text.is_empty() {
            out.text(line, (0, text.len()), self.message);
        }
        let seconds = text.strip_prefix(b"SET timestamp=").filter(|_| !self.timed)?;
        out.clock.time(&read_epoch(seconds)?)
    }
}

/// The key at or behind `at`, and where its value begins: a word, a colon and a blank.
fn key(text: &[u8], at: usize) -> Option<((usize, usize), usize)> {
    let colon = at + memchr::memmem::find(text.get(at..)?, b": ")?;
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'@');
    let len = text[at..colon].iter().rev().take_while(|byte| is_key(byte)).count();
    let value = colon + 2 + text[colon + 2..].iter().take_while(|byte| **byte == b' ').count();
    Some(((colon - len, colon), value))
}

fn word_len(text: &[u8]) -> usize {
    text.iter().position(|byte| *byte == b' ').unwrap_or(text.len())
}

/// The name of a key, in lower case.
fn name(key: &[u8], out: &mut Out<'_>) -> Option<NameId> {
    let key = std::str::from_utf8(key).ok().filter(|key| !key.is_empty())?.to_ascii_lowercase();
    out.names
        .find(&key)
        .or_else(|| (out.names.len() < out.limits.names).then(|| Arc::make_mut(out.names).intern(&key)))
}

/// Whether the line is a comment of an event's top.
fn is_top(line: &[u8]) -> bool {
    line.starts_with(b"# ") && !line.starts_with(b"# administrator command")
}

impl Format for MysqlSlow {
    fn read(&mut self, line: Line<'_>, out: &mut Out<'_>) -> Reading {
        let top = is_top(line.bytes);
        let begins = top && !self.top;
        if begins {
            self.timed = false;
        }
        self.top = top;
        let time = if top { self.comment(line, out) } else { self.statement(line, out) };
        self.timed |= time.is_some();
        let part = if begins { Part::Event } else { Part::More };
        Reading { part, open: true, ..Reading::event(time) }
    }

    fn joins(&self) -> bool {
        true
    }

    fn again(&mut self) {
        (self.top, self.timed) = (false, false);
    }

    fn save(&self, state: &mut Vec<u8>) {
        state.extend_from_slice(&[u8::from(self.top), u8::from(self.timed)]);
    }

    fn restore(&mut self, state: &[u8], _names: &mut Arc<Names>, _most: usize) {
        if let [top, timed] = state {
            (self.top, self.timed) = (*top == 1, *timed == 1);
        }
    }
}

/// Whether the line is one that only such a log has.
pub(super) fn is_slow_query(line: &[u8]) -> bool {
    line.starts_with(b"# Query_time: ")
        || (line.starts_with(b"# Time: ") && read(line[8..].trim_ascii()).is_some())
}
