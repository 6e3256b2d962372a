//! Position files of Fluentd's in_tail and of ik, and Beaver's sincedb, so that a move starts where they stopped. Knows nothing
//! of how sawlog keeps positions.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sawlog_sys::Metadata;

use super::sincedb;

/// How much of a file another program had read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// So many bytes.
    Byte(u64),
    /// So many lines.
    Line(u64),
}

/// Where a file was when it was followed by another program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Saved {
    place: Place,
    inode: u64,
}

/// What a position file says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct PosFile {
    files: HashMap<PathBuf, Saved>,
}

/// The offset by which Fluentd says that it follows a file no longer.
const UNWATCHED: u64 = u64::MAX;
/// Files under one name that a position file is believed to name.
const MOST: usize = 1_000_000;

impl PosFile {
    /// Reads a position file; lines that are of no such program are passed over, and of a path that comes twice the last counts.
    pub fn read(bytes: &[u8]) -> PosFile {
        if bytes.starts_with(sincedb::MAGIC) {
            let rows = sincedb::read(bytes).unwrap_or_default().into_iter();
            let saved = |row: sincedb::Read| {
                (PathBuf::from(row.path), Saved { place: Place::Line(row.lines), inode: row.inode })
            };
            return PosFile { files: rows.map(saved).collect() };
        }
        let lines = bytes.split(|byte| *byte == b'\n').take(MOST).filter_map(line);
        PosFile { files: lines.filter(|(_, saved)| saved.place != Place::Byte(UNWATCHED)).collect() }
    }

    /// From where on a file is to be read, where it was followed: its beginning where another file bears its name now, or where
    /// it was truncated, as far as its length tells.
    pub fn place(&self, path: &Path, file: &Metadata) -> Option<Place> {
        let saved = self.files.get(path)?;
        let same = saved.inode == 0 || saved.inode == file.inode;
        let (Place::Byte(least) | Place::Line(least)) = saved.place;
        Some(if same && least <= file.len { saved.place } else { Place::Byte(0) })
    }
}

/// `PATH<tab>offset<tab>inode`, both as 16 hexadecimal digits (Fluentd), or `PATH<tab>offset<tab>…`, the offset as 20 decimal
/// digits, then the parts of the file's id, the inode last (ik).
fn line(line: &[u8]) -> Option<(PathBuf, Saved)> {
    let text = String::from_utf8_lossy(line);
    let mut columns = text.split('\t').collect::<Vec<_>>();
    // A path may hold tabs: the columns of numbers are those at the end.
    let numbers = columns.iter().rev().take_while(|column| is_number(column)).count();
    let fluentd = numbers >= 2 && columns[columns.len() - 2..].iter().all(|column| column.len() == 16);
    if fluentd {
        let numbers = columns.split_off(columns.len() - 2);
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let saved = Saved { place: Place::Byte(number(numbers[0])?), inode: number(numbers[1])? };
        return Some((PathBuf::from(columns.join("\t")), saved));
    }
    let at = columns.len() - numbers
        + columns[columns.len() - numbers..].iter().position(|column| column.len() == 20)?;
    let numbers = columns.split_off(at);
    let number = |text: &str| text.parse().ok();
    let inode = numbers[1..].last().map_or(Some(0), |text| number(text))?;
    Some((PathBuf::from(columns.join("\t")), Saved { place: Place::Byte(number(numbers[0])?), inode }))
}

fn is_number(column: &str) -> bool {
    matches!(column.len(), 3 | 5 | 10 | 16 | 20) && column.bytes().all(|byte| byte.is_ascii_hexdigit())
}
