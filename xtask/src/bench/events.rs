//! Logs as JSON lines, the same bytes for whoever takes them over HTTP: JSON logs as fields, other lines as the message,
//! with the file that each is of and times a millisecond apart. Knows nothing of who takes them.

use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::Result;

/// Bytes of a body, about.
const BODY: usize = 1 << 20;

/// Appends the event of a line of a file.
pub(super) type Event<'a> = dyn FnMut(&mut Vec<u8>, &Path, &[u8]) + 'a;

/// Events of lines as they are, a millisecond after one another.
pub(super) fn plain() -> impl FnMut(&mut Vec<u8>, &Path, &[u8]) {
    let mut milli = 0;
    move |out, file, line| {
        milli += 1;
        event(out, file, &time(milli), line);
    }
}

/// Calls `take` with one body after the other, each of one file.
pub(super) fn each_body(
    logs: &Path,
    event: &mut Event<'_>,
    mut take: impl FnMut(&Path, &[u8]) -> Result<()>,
) -> Result<()> {
    for file in super::files(logs)? {
        let mut lines = BufReader::with_capacity(1 << 20, std::fs::File::open(&file)?);
        let (mut line, mut body) = (Vec::new(), Vec::new());
        loop {
            line.clear();
            let read = lines.read_until(b'\n', &mut line)?;
            if !body.is_empty() && (read == 0 || body.len() > BODY) {
                take(&file, &body)?;
                body.clear();
            }
            if read == 0 {
                break;
            }
            event(&mut body, &file, line.trim_ascii_end());
        }
    }
    Ok(())
}

/// So many milliseconds after a day's begin.
fn time(milli: u64) -> String {
    let (second, milli) = (milli / 1000, milli % 1000);
    let (day, hour, minute) = (1 + second / 86_400, second / 3600 % 24, second / 60 % 60);
    format!("2026-01-{day:02}T{hour:02}:{minute:02}:{:02}.{milli:03}Z", second % 60)
}

fn event(out: &mut Vec<u8>, file: &Path, time: &str, line: &[u8]) {
    let head = format!("{{\"_time\":\"{time}\",\"file\":{:?}", file.to_string_lossy());
    out.extend_from_slice(head.as_bytes());
    if line.starts_with(b"{") && line.ends_with(b"}") && line.len() > 2 {
        out.push(b',');
        out.extend_from_slice(&line[1..]);
    } else {
        out.extend_from_slice(b",\"_msg\":\"");
        escape(out, &String::from_utf8_lossy(line));
        out.extend_from_slice(b"\"}");
    }
    out.push(b'\n');
}

/// Appends text as JSON writes it between quotes.
pub(super) fn escape(out: &mut Vec<u8>, text: &str) {
    if text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_control() || b"\"\\".contains(&byte)) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            c if c.is_control() => out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes()),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}
