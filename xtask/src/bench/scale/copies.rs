//! Copies of two real sets under earlier times, as files, and as the events that VictoriaLogs is given of them. Knows nothing of
//! who stores them.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::stamp::{Stamp, rfc3339};
use crate::bench::events::escape;

/// The sets: folder of a copy, and folder in the unpacked logs.
const SETS: [(&str, &str); 2] = [("iotdb", "iotdb"), ("nginx", "nginx_m5it")];

/// Files that are left out: marks of the experiment without times of their own.
const LEFT_OUT: &str = "inject.log";

/// Each copy is so many days earlier than the one before.
const DAYS: i64 = 7;

/// The word that only one line of one copy has.
pub(super) fn needle(copy: usize) -> String {
    format!("Needle{copy:04}")
}

/// Writes copy number `copy` (0 has the times of the logs) into a folder, if it is not there yet; its bytes.
pub(super) fn make(logs: &Path, folder: &Path, copy: usize) -> Result<u64> {
    if folder.is_dir() {
        return crate::bench::size(folder);
    }
    let unfinished = folder.with_extension("unfinished");
    if unfinished.is_dir() {
        std::fs::remove_dir_all(&unfinished)?;
    }
    let mut needle = Some(needle(copy));
    for (name, set) in SETS {
        let from = logs.join(set);
        for file in crate::bench::files(&from)? {
            if file.ends_with(LEFT_OUT) {
                continue;
            }
            let to = unfinished.join(name).join(file.strip_prefix(&from)?);
            std::fs::create_dir_all(to.parent().context("a file is in a folder")?)?;
            shift(&file, &to, copy as i64 * DAYS, &mut needle)?;
        }
    }
    std::fs::rename(&unfinished, folder)?;
    crate::bench::size(folder)
}

/// The file, so many days earlier; the needle, if it is not placed yet, comes behind its first line with a time.
fn shift(from: &Path, to: &PathBuf, days: i64, needle: &mut Option<String>) -> Result<()> {
    let mut lines = BufReader::with_capacity(1 << 20, File::open(from)?);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(to)?);
    let (mut line, mut moved) = (Vec::new(), Vec::new());
    while lines.read_until(b'\n', &mut line)? > 0 {
        let stamp = Stamp::of(&line);
        match &stamp {
            Some(stamp) => stamp.earlier(&line, days, &mut moved),
            None => moved.extend_from_slice(&line),
        }
        out.write_all(&moved)?;
        if let (Some(stamp), Some(word)) = (&stamp, needle.take_if(|_| stamp.is_some())) {
            let mut hay = Vec::new();
            let text = rfc3339(stamp.millis).replace('T', " ").replace('.', ",");
            let text =
                format!("{} [main] INFO  o.a.i.Hay:1 - the {word} is here\n", text.trim_end_matches('Z'));
            Stamp::of(text.as_bytes()).context("a time that was just written")?.earlier(
                text.as_bytes(),
                days,
                &mut hay,
            );
            out.write_all(&hay)?;
        }
        line.clear();
        moved.clear();
    }
    Ok(out.flush()?)
}

/// Makes events for VictoriaLogs: the line as the message, with the fields that sawlog finds in it and questions name, and its
/// time, or that of the line before.
#[derive(Default)]
pub(super) struct Events {
    file: PathBuf,
    millis: i64,
}

impl Events {
    /// Appends the event of a line.
    pub(super) fn event(&mut self, out: &mut Vec<u8>, file: &Path, line: &[u8]) {
        if self.file != file {
            *self = Events { file: file.to_owned(), millis: 0 };
        }
        if let Some(stamp) = Stamp::of(line) {
            self.millis = stamp.millis;
        }
        let head = format!("{{\"_time\":{:?},\"file\":{:?}", rfc3339(self.millis), file.to_string_lossy());
        out.extend_from_slice(head.as_bytes());
        let text = String::from_utf8_lossy(line);
        for (name, value) in fields(&text) {
            write!(out, ",\"{name}\":\"").ok();
            escape(out, value);
            out.push(b'"');
        }
        out.extend_from_slice(b",\"_msg\":\"");
        escape(out, &text);
        out.extend_from_slice(b"\"}\n");
    }
}

/// Fields of a line.
fn fields(line: &str) -> Vec<(&'static str, &str)> {
    (access(line).or_else(|| logback(line)).or_else(|| error(line))).unwrap_or_default()
}

fn access(line: &str) -> Option<Vec<(&'static str, &str)>> {
    let (address, rest) = line.split_once(" [")?;
    let (_, rest) = rest.split_once("] \"").filter(|_| !address.contains(' '))?;
    let (_, rest) = rest.split_once("\" ")?;
    let mut numbers = rest.split(' ');
    Some(vec![("remote_addr", address), ("status", numbers.next()?), ("bytes", numbers.next()?)])
}

fn logback(line: &str) -> Option<Vec<(&'static str, &str)>> {
    let line = line.strip_prefix("- ").unwrap_or(line);
    let (_, rest) =
        line.split_once(" [").filter(|(time, _)| time.len() == 23 && time.as_bytes()[4] == b'-')?;
    let (thread, rest) = rest.split_once("] ")?;
    let (level, rest) = rest.split_once(' ')?;
    let (logger, _) = rest.trim_start().split_once(" - ")?;
    Some(vec![("thread", thread), ("level", level), ("logger", logger)])
}

fn error(line: &str) -> Option<Vec<(&'static str, &str)>> {
    let (_, rest) =
        line.split_once(" [").filter(|(time, _)| time.len() == 19 && time.as_bytes()[4] == b'/')?;
    let (level, _) = rest.split_once(']')?;
    Some(vec![("level", level)])
}
