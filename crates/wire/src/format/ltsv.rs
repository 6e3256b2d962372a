//! Labelled tab-separated values: `time:…<TAB>host:…<TAB>status:200`.

use sawlog_model::time::{read, read_epoch};

use super::line::{Format, Line, Out, Reading};

/// Labels that hold the time.
const TIMES: [&[u8]; 4] = [b"time", b"timestamp", b"ts", b"date"];

/// Reads LTSV lines.
#[derive(Default)]
pub(super) struct Ltsv;

/// The fields of a line: label and value. `None` where one has no label.
fn fields(text: &[u8]) -> impl Iterator<Item = Option<((usize, usize), (usize, usize))>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at > text.len() {
            return None;
        }
        let end = memchr::memchr(b'\t', &text[at..]).map_or(text.len(), |len| at + len);
        let colon = text[at..end].iter().position(|byte| *byte == b':').filter(|len| *len > 0);
        let labelled = colon.filter(|len| text[at..at + len].iter().all(|byte| is_label(*byte)));
        let field = labelled.map(|len| ((at, at + len), (at + len + 1, end)));
        at = end + 1;
        Some(field)
    })
}

fn is_label(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

impl Format for Ltsv {
    fn read(&mut self, line: Line<'_>, out: &mut Out<'_>) -> Reading {
        let before = out.slots.len();
        let mut time = None;
        for field in fields(line.bytes) {
            let Some((label, value)) = field else {
                out.slots.truncate(before);
                return Reading::UNPARSED;
            };
            if out.slots.len() - before >= out.limits.fields {
                break;
            }
            let label = &line.bytes[label.0..label.1];
            let Some(name) = out.name(label) else { continue };
            if time.is_none() && TIMES.contains(&label) {
                // Web servers put brackets around it.
                let at = value.0 + usize::from(line.bytes.get(value.0) == Some(&b'['));
                let text = &line.bytes[at..value.1];
                if let Some(stamp) = read(text).or_else(|| read_epoch(text)) {
                    time = out.stamp(line, at, &stamp, name);
                    continue;
                }
            }
            out.number(line, value, name);
        }
        Reading::event(time)
    }
}

/// Whether every field of the line has a label, and there are at least two.
pub(super) fn is_ltsv(text: &[u8]) -> bool {
    let (mut count, mut labelled) = (0, 0);
    for field in fields(text) {
        count += 1;
        labelled += usize::from(field.is_some());
    }
    count >= 2 && labelled == count
}
