//! Files of events: `DIR/YYYYMMDD/TYPE-YYYYMMDD[HH][-HOST].log[.bz2|.gz]`, each holding maps of msgpack one behind the other.
//! Knows nothing of programs.

use std::cmp::Ordering;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::civil::{Date, DateTime, Time};
use sawlog_model::{Limits, Nanos, Value};
use sawlog_sys::{File, Open, Sys};

use super::dates;
use crate::shared::msgpack::{self, Scanner};

/// Bytes read at once.
const READ: usize = 64 << 10;

/// A file, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LogFile {
    /// Type of its events.
    pub kind: String,
    /// The first moment that it is of.
    pub from: DateTime,
    /// It is of an hour (or a few), not of a day.
    pub hourly: bool,
    /// The host that it came from, where the name says that.
    pub host: String,
    /// How it is compressed.
    pub packing: Packing,
    /// Where it is.
    pub path: PathBuf,
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Packing {
    Plain,
    Bzip2,
    Gzip,
}

impl Packing {
    /// How names of such files end.
    pub fn ending(self) -> &'static str {
        match self {
            Packing::Plain => "",
            Packing::Bzip2 => ".bz2",
            Packing::Gzip => ".gz",
        }
    }

    /// What is in bytes that are compressed so.
    pub fn unpacked<'a>(self, bytes: Box<dyn Read + 'a>) -> Box<dyn Read + 'a> {
        match self {
            Packing::Plain => bytes,
            Packing::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(bytes)),
            Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(bytes)),
        }
    }
}

impl LogFile {
    /// What a path says; `None` where it is no file of events.
    pub fn read(path: &Path) -> Option<LogFile> {
        let name = path.file_name()?.to_str()?;
        let packings = [Packing::Bzip2, Packing::Gzip, Packing::Plain].into_iter();
        let (name, packing) =
            packings.filter_map(|packing| Some((name.strip_suffix(packing.ending())?, packing))).next()?;
        let name = name.strip_suffix(".log")?;
        // The date is the first part that is one: a host behind it may have dashes, and so may the type before it.
        let dated = |at: usize| {
            let digits = name[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
            let (date, rest) = name[at + 1..].split_at(digits);
            let host = match rest.strip_prefix('-') {
                Some(host) => host,
                None => rest,
            };
            let (day, hour) = match digits {
                8 => (date, None),
                10 => (&date[..8], Some(date[8..].parse::<i8>().ok()?)),
                _ => return None,
            };
            let from = Time::new(hour.unwrap_or(0), 0, 0, 0).ok()?;
            Some(LogFile {
                kind: name[..at].to_owned(),
                from: dates::day(day)?.to_datetime(from),
                hourly: hour.is_some(),
                host: host.to_owned(),
                packing,
                path: path.to_owned(),
            })
        };
        name.match_indices('-').filter(|(at, _)| *at > 0).find_map(|(at, _)| dated(at))
    }

    /// Whether it is compressed.
    pub fn is_packed(&self) -> bool {
        self.packing != Packing::Plain
    }
}

/// The directories of days, in order.
pub(super) fn days(sys: &Sys, root: &Path) -> io::Result<Vec<(Date, PathBuf)>> {
    let mut days: Vec<(Date, PathBuf)> = sys
        .fs
        .list(root)?
        .into_iter()
        .filter(|entry| entry.is_dir)
        .filter_map(|entry| Some((dates::day(entry.path.file_name()?.to_str()?)?, entry.path)))
        .collect();
    days.sort();
    Ok(days)
}

/// All files of events below a directory, by time, type and host.
pub(super) fn list(sys: &Sys, root: &Path) -> io::Result<Vec<LogFile>> {
    let mut files = Vec::new();
    for (_, day) in days(sys, root)? {
        let entries = sys.fs.list(&day)?;
        files.extend(entries.iter().filter_map(|entry| LogFile::read(&entry.path)));
    }
    files.sort_by(order);
    Ok(files)
}

/// By time, type and host.
pub(super) fn order(a: &LogFile, b: &LogFile) -> Ordering {
    (a.from, &a.kind, &a.host).cmp(&(b.from, &b.kind, &b.host))
}

/// Which types are meant: a name, a name that ends in `*`, or all.
pub(super) fn fits(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => kind.starts_with(prefix),
        None => pattern.is_empty() || pattern == kind,
    }
}

/// A file of the system as a reader.
struct Bytes {
    file: Box<dyn File>,
    at: u64,
}

impl Read for Bytes {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(into, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// The bytes of a file.
pub(super) fn plain(sys: &Sys, path: &Path) -> io::Result<Box<dyn Read + Send>> {
    Ok(Box::new(Bytes { file: sys.fs.open(path, Open::Read)?, at: 0 }))
}

/// The bytes of a file's events.
pub(super) fn unpacked(sys: &Sys, file: &LogFile) -> io::Result<Box<dyn Read>> {
    Ok(file.packing.unpacked(plain(sys, &file.path)?))
}

/// Maps of msgpack one behind the other.
pub(super) struct Events<R> {
    from: R,
    buffer: Vec<u8>,
    start: usize,
    scanner: Scanner,
    limits: Limits,
    ended: bool,
}

impl<R: Read> Events<R> {
    pub fn new(from: R) -> Self {
        let (buffer, scanner, limits) = Default::default();
        Events { from, buffer, start: 0, scanner, limits, ended: false }
    }

    /// The next one, with its bytes; `None` at the end.
    ///
    /// # Errors
    /// Where the bytes are no msgpack, or end in the middle.
    pub fn next(&mut self) -> io::Result<Option<Value>> {
        let broken = |error: String| io::Error::new(io::ErrorKind::InvalidData, error);
        loop {
            let end = self.scanner.next_end(&self.buffer[self.start..], self.limits.depth, self.limits.event);
            if let Some(len) = end.map_err(|error| broken(error.to_string()))? {
                let read = msgpack::value(&self.buffer[self.start..self.start + len], &self.limits);
                self.start += len;
                return Ok(Some(read.map_err(|error| broken(error.to_string()))?.0));
            }
            if self.ended {
                return match self.start == self.buffer.len() {
                    true => Ok(None),
                    false => Err(broken("it ends in the middle of an event".to_owned())),
                };
            }
            self.buffer.drain(..std::mem::take(&mut self.start));
            let before = self.buffer.len();
            self.buffer.resize(before + READ, 0);
            let read = self.from.read(&mut self.buffer[before..]);
            self.buffer.truncate(before + read.as_ref().copied().unwrap_or(0));
            match read {
                Ok(count) => self.ended = count == 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// When an event ended, to the microsecond: a number of seconds says no more in these times, and less than it seems.
pub(super) fn end(event: &Value) -> Option<Nanos> {
    match event.get("end")? {
        Value::Float(seconds) if seconds.abs() < 9e9 => Some((seconds * 1e6).round() as Nanos * 1000),
        Value::Int(seconds) => seconds.checked_mul(sawlog_model::SECOND),
        _ => None,
    }
}

/// Text of an event's field.
pub(super) fn text(event: &Value, name: &str) -> String {
    let value = event.get(name).unwrap_or(&Value::Nil);
    String::from_utf8_lossy(&crate::shared::record::plain_text(value)).into_owned()
}
