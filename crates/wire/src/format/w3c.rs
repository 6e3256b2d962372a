//! Tables whose header is among their lines: the W3C extended log format of IIS and others (`#Fields: date time c-ip …`,
//! columns between blanks, times in UTC), and Zeek's tables (`#fields<TAB>ts<TAB>…`, columns between tabs).

use std::sync::Arc;

use sawlog_model::time::{read, read_epoch};
use sawlog_model::{Kind, NameId, Names, Nanos};

use super::line::{Format, Line, Out, Reading, is_number};

/// Longest header that is kept, in bytes: it is part of the parser's state. Columns of a longer one have no names.
const LONGEST: usize = 3_000;

/// What a column is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Value,
    /// The date; the time of day may stand in the next column.
    Date,
    /// The time of day.
    Clock,
    /// A whole time.
    Time,
}

/// Reads tables with a header.
pub(super) struct W3c {
    /// The header's text, with a tab or a blank before it: what separates the columns.
    header: Vec<u8>,
    columns: Vec<(NameId, Role)>,
    /// The last `#Date`, for tables that have a column of clocks only.
    date: Vec<u8>,
    time: NameId,
}

impl W3c {
    pub fn new(names: &mut Names) -> Self {
        W3c { header: Vec::new(), columns: Vec::new(), date: Vec::new(), time: names.intern("time") }
    }

    /// Takes the names of the columns from a header; `false` where the line is none.
    fn learn(&mut self, line: &[u8], names: &mut Arc<Names>, most: usize) -> bool {
        let Some((separator, fields)) = header(line) else { return false };
        self.columns.clear();
        self.header.clear();
        if fields.len() > LONGEST {
            return true;
        }
        self.header.push(separator);
        self.header.extend_from_slice(fields);
        for word in fields.split(|byte| *byte == separator).filter(|word| !word.is_empty()) {
            let name = String::from_utf8_lossy(word);
            let known = names.find(&name);
            if known.is_none() && names.len() >= most {
                break;
            }
            let id = known.unwrap_or_else(|| Arc::make_mut(names).intern(&name));
            self.columns.push((id, role(&name)));
        }
        true
    }

    /// Notes the columns of a line; gives its time.
    fn row(&self, line: Line<'_>, out: &mut Out<'_>) -> Option<Nanos> {
        let tabs = self.header.first() == Some(&b'\t');
        let (mut at, mut time) = (0, None);
        let mut date: Option<(usize, usize)> = None;
        for (name, role) in &self.columns {
            let Some((span, behind)) = column(line.bytes, at, tabs) else { break };
            at = behind;
            match role {
                Role::Clock if time.is_none() => time = self.date_and_clock(line, date, span, *name, out),
                Role::Time if time.is_none() => time = whole_time(line, span, *name, out),
                _ => note(line, span, *name, out),
            }
            if *role == Role::Date {
                date = Some(span);
            }
        }
        time
    }

    /// The time of a date and a clock in two columns, or that of the clock on the last `#Date`. Where the columns are
    /// neighbours they become one slot.
    fn date_and_clock(
        &self,
        line: Line<'_>,
        date: Option<(usize, usize)>,
        clock: (usize, usize),
        name: NameId,
        out: &mut Out<'_>,
    ) -> Option<Nanos> {
        let text = line.bytes;
        let day = date.map_or(&self.date[..], |date| &text[date.0..date.1]);
        let both = [day, &text[clock.0..clock.1]].join(&b' ');
        let Some(mut stamp) = read(&both).filter(|stamp| stamp.len == both.len()) else {
            note(line, clock, name, out);
            return None;
        };
        stamp.zone = Some(0);
        if let Some((from, to)) = date
            && to + 1 == clock.0
            && text[to] == b' '
        {
            out.slots.pop();
            return out.stamp(line, from, &stamp, self.time);
        }
        note(line, clock, name, out);
        out.clock.time(&stamp)
    }
}

fn role(name: &str) -> Role {
    match name {
        "date" | "date-local" => Role::Date,
        "time" | "time-local" => Role::Clock,
        "ts" | "timestamp" | "date-time" | "datetime" => Role::Time,
        _ => Role::Value,
    }
}

fn note(line: Line<'_>, span: (usize, usize), name: NameId, out: &mut Out<'_>) {
    let kind = if is_number(&line.bytes[span.0..span.1]) { Kind::Number } else { Kind::Text };
    out.slot(line, span, name, kind);
}

/// Notes a column that may hold a time by itself.
fn whole_time(line: Line<'_>, span: (usize, usize), name: NameId, out: &mut Out<'_>) -> Option<Nanos> {
    let text = &line.bytes[span.0..span.1];
    match read(text).or_else(|| read_epoch(text)).filter(|stamp| stamp.len == text.len()) {
        Some(stamp) => out.stamp(line, span.0, &stamp, name),
        None => {
            note(line, span, name, out);
            None
        }
    }
}

/// Separator and names, where the line is a header.
fn header(line: &[u8]) -> Option<(u8, &[u8])> {
    if let Some(fields) = line.strip_prefix(b"#Fields:") {
        let separator = if fields.contains(&b'\t') { b'\t' } else { b' ' };
        return Some((separator, fields));
    }
    line.strip_prefix(b"#fields\t").map(|fields| (b'\t', fields))
}

/// The column that begins at `at`, without its quotes, and the place behind it and its separator.
fn column(text: &[u8], mut at: usize, tabs: bool) -> Option<((usize, usize), usize)> {
    if tabs {
        let rest = text.get(at..)?;
        let end = memchr::memchr(b'\t', rest).map_or(text.len(), |len| at + len);
        return Some(((at, end), end + 1));
    }
    while text.get(at) == Some(&b' ') {
        at += 1;
    }
    if text.get(at)? == &b'"' {
        let close = closing(text, at + 1)?;
        return Some(((at + 1, close), close + 1));
    }
    let end = memchr::memchr(b' ', &text[at..]).map_or(text.len(), |len| at + len);
    Some(((at, end), end))
}

/// The quote that ends a text begun at `at`; a quote inside is written twice.
fn closing(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr(b'"', text.get(at..)?)?;
        if text.get(at + 1) != Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

impl Format for W3c {
    fn read(&mut self, line: Line<'_>, out: &mut Out<'_>) -> Reading {
        if line.bytes.first() == Some(&b'#') {
            self.learn(line.bytes, out.names, out.limits.names);
            if let Some(date) = line.bytes.strip_prefix(b"#Date: ").and_then(|rest| rest.get(..10)) {
                self.date = date.to_vec();
            }
            return Reading::event(None);
        }
        let before = out.slots.len();
        let time = self.row(line, out);
        let reading = Reading::event(time);
        if out.slots.len() == before && !line.bytes.is_empty() { Reading::UNPARSED } else { reading }
    }

    fn save(&self, state: &mut Vec<u8>) {
        state.push(self.date.len() as u8);
        state.extend_from_slice(&self.date);
        state.extend_from_slice(&self.header);
    }

    fn restore(&mut self, state: &[u8], names: &mut Arc<Names>, most: usize) {
        let Some((len, rest)) = state.split_first() else { return };
        let Some((date, header)) = rest.split_at_checked(usize::from(*len)) else { return };
        self.date = date.to_vec();
        if let Some((separator, fields)) = header.split_first() {
            let word: &[u8] = if *separator == b'\t' { b"#fields\t" } else { b"#Fields:" };
            self.learn(&[word, fields].concat(), names, most);
        }
    }
}

/// Whether the line is the header of a table.
pub(super) fn is_header(line: &[u8]) -> bool {
    header(line).is_some()
}
