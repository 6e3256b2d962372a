//! What container runtimes write: Docker's json-file lines, `{"log":"…\n","stream":"stdout","time":"…"}`, and CRI lines,
//! `TIME stdout F text`. Both say where a long line was cut, and the row is marked as going on then.

use sawlog_model::{Marks, NameId, Names};

use super::json::Json;
use super::line::{Format, Line, Out, Reading};

/// Reads Docker's json-file lines.
pub(super) struct Docker {
    json: Json,
    log: NameId,
}

impl Docker {
    pub fn new(names: &mut Names) -> Self {
        Docker { json: Json::new(), log: names.intern("log") }
    }
}

impl Format for Docker {
    fn read(&mut self, line: Line<'_>, out: &mut Out<'_>) -> Reading {
        let before = out.slots.len();
        let mut reading = self.json.read(line, out);
        let log = out.slots[before..].iter().find(|slot| slot.name == self.log);
        let cut = log.is_some_and(|slot| {
            let end = (slot.start + slot.len) as usize - line.start;
            !line.bytes[..end].ends_with(b"\\n")
        });
        if cut {
            reading.marks = reading.marks.with(Marks::CONTINUES);
        }
        reading
    }
}

/// Whether the line is one of Docker's.
pub(super) fn is_docker(text: &[u8]) -> bool {
    text.starts_with(b"{\"log\":\"") && memchr::memmem::find(text, b"\"stream\":\"std").is_some()
}

/// Reads CRI lines.
pub(super) struct Cri {
    time: NameId,
    stream: NameId,
    message: NameId,
}

impl Cri {
    pub fn new(names: &mut Names) -> Self {
        Cri { time: names.intern("time"), stream: names.intern("stream"), message: names.intern("message") }
    }
}

impl Format for Cri {
    fn read(&mut self, line: Line<'_>, out: &mut Out<'_>) -> Reading {
        let before = out.slots.len();
        let Some((time, at)) = out.read_stamp(line, 0, self.time) else { return Reading::UNPARSED };
        let Some((stream, flag)) = head(&line.bytes[at..]) else {
            out.slots.truncate(before);
            return Reading::UNPARSED;
        };
        out.text(line, (at + 1, at + 1 + stream), self.stream);
        let message = (at + stream + 4).min(line.bytes.len());
        if message < line.bytes.len() {
            out.text(line, (message, line.bytes.len()), self.message);
        }
        let marks = if flag == b'P' { Marks::CONTINUES } else { Marks(0) };
        Reading { marks, ..Reading::event(Some(time)) }
    }
}

/// ` stdout F`: the length of the stream's name, and the flag.
fn head(text: &[u8]) -> Option<(usize, u8)> {
    let len = 6;
    let stream = text.starts_with(b" stdout ") || text.starts_with(b" stderr ");
    let flag = *text.get(len + 2)?;
    let ends = matches!(text.get(len + 3), None | Some(b' ' | b':'));
    (stream && matches!(flag, b'P' | b'F') && ends).then_some((len, flag))
}

/// Whether the line is one of a CRI runtime.
pub(super) fn is_cri(text: &[u8]) -> bool {
    sawlog_model::time::read(text).is_some_and(|stamp| head(&text[stamp.len..]).is_some())
}
