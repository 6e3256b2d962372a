//! Real logs against counts made by other means: `golden.tsv` beside the archives, where they are at hand.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sawlog_model::time::read;
use sawlog_model::{Batch, Fields, Limits, Marks};
use sawlog_sys::Sys;

use super::super::{More, Parser, Settings};
use super::NOW;

/// Where the files of the oracle are: unpacked under `SAWLOG_DATA`, else in archives next to the workspace.
enum Logs {
    Unpacked(PathBuf),
    Packed(PathBuf),
}

impl Logs {
    fn find() -> Logs {
        match std::env::var_os("SAWLOG_DATA") {
            Some(dir) => Logs::Unpacked(dir.into()),
            None => Logs::Packed(beside()),
        }
    }

    /// The oracle's rows.
    fn golden(&self, sys: &Sys) -> Option<String> {
        let mut places = vec![beside()];
        if let Logs::Unpacked(dir) = self {
            places.push(dir.join("../shared/data"));
        }
        let bytes = places.iter().find_map(|dir| sys.fs.read(&dir.join("golden.tsv")).ok())?;
        String::from_utf8(bytes).ok()
    }

    /// Calls `visit` with name and bytes of each wanted file of a set.
    fn each(
        &self,
        sys: &Sys,
        set: &str,
        wanted: &BTreeMap<String, Counts>,
        visit: &mut dyn FnMut(&str, &[u8]),
    ) {
        match self {
            Logs::Unpacked(dir) => {
                for name in wanted.keys() {
                    let bytes =
                        sys.fs.read(&dir.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
                    visit(name, &bytes);
                }
            }
            Logs::Packed(dir) => {
                let archive = sys.fs.read(&dir.join(format!("{set}.tar.zst"))).expect("the archive of a set");
                let mut decoder = zstd::stream::read::Decoder::new(&archive[..]).expect("zstd");
                decoder.window_log_max(27).expect("a window of 128 MB");
                each_in_tar(decoder, wanted, visit);
            }
        }
    }
}

/// The directory of the archives and of `golden.tsv`.
fn beside() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data")
}

/// Calls `visit` with name and bytes of each wanted file of a tar archive: blocks of 512 bytes, a header (name at 0, size
/// in octal at 124), then the file, padded.
fn each_in_tar(mut tar: impl Read, wanted: &BTreeMap<String, Counts>, visit: &mut dyn FnMut(&str, &[u8])) {
    let mut header = [0; 512];
    while tar.read_exact(&mut header).is_ok() && header[0] != 0 {
        let text = |bytes: &[u8]| {
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            String::from_utf8_lossy(&bytes[..end]).into_owned()
        };
        let size = usize::from_str_radix(text(&header[124..136]).trim(), 8).expect("a size in octal");
        let mut bytes = vec![0; size.next_multiple_of(512)];
        tar.read_exact(&mut bytes).expect("a whole archive");
        let name = text(&header[..100]);
        if wanted.contains_key(&name) {
            visit(&name, &bytes[..size]);
        }
    }
}

/// What the oracle says of a file, or what we found.
#[derive(PartialEq, Eq, Debug)]
struct Counts {
    lines: usize,
    timed: usize,
    first: Option<i64>,
    last: Option<i64>,
    levels: Option<BTreeMap<String, usize>>,
}

fn time(text: &str) -> Option<i64> {
    read(text.as_bytes()).and_then(|stamp| stamp.time(0, 0))
}

/// `{"DEBUG": 1, "INFO": 2}`
fn levels(text: &str) -> Option<BTreeMap<String, usize>> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let pairs = inner.split(", ").filter(|pair| !pair.is_empty());
    Some(
        pairs
            .map(|pair| {
                let (name, count) = pair.split_once(": ").expect("name: count");
                (name.trim_matches('"').to_owned(), count.parse().expect("a count"))
            })
            .collect(),
    )
}

fn expected(row: &str) -> (String, String, Counts) {
    let columns: Vec<&str> = row.split('\t').collect();
    let counts = Counts {
        lines: columns[2].parse().expect("lines"),
        timed: columns[3].parse().expect("lines with own time"),
        first: time(columns[4]),
        last: time(columns[5]),
        levels: levels(columns[6]),
    };
    (columns[0].to_owned(), columns[1].to_owned(), counts)
}

/// Reads the bytes in buffers of a megabyte, line by line.
fn count(bytes: &[u8], with_levels: bool) -> Counts {
    let settings = Settings { reference: NOW, multiline: Some(false), ..Settings::default() };
    let mut parser = Parser::new(settings, Limits::default());
    let mut found =
        Counts { lines: 0, timed: 0, first: None, last: None, levels: with_levels.then(BTreeMap::new) };
    let whole = Bytes::copy_from_slice(bytes);
    let (mut done, mut end) = (0, 0);
    while done < whole.len() {
        end = (end + (1 << 20)).min(whole.len());
        let buffer = whole.slice(done..end);
        let more = if end == whole.len() { More::No } else { More::Yes };
        let parsed = parser.parse(&buffer, done as u64, more);
        done += parsed.consumed;
        let batch = Batch {
            buffer,
            names: parser.names(),
            rows: parsed.rows,
            slots: parsed.slots,
            ..Batch::default()
        };
        for row in batch.iter() {
            found.lines += 1;
            if !row.row().marks.has(Marks::NO_TIME) {
                found.timed += 1;
                // The oracle cuts digits beyond microseconds.
                let time = row.time().div_euclid(1_000) * 1_000;
                found.first = found.first.or(Some(time)).min(Some(time));
                found.last = found.last.max(Some(time));
            }
            if let (Some(levels), Some(level)) = (&mut found.levels, row.field("level")) {
                let level = String::from_utf8_lossy(level.text().unwrap_or(b"")).into_owned();
                *levels.entry(level).or_insert(0) += 1;
            }
        }
    }
    found
}

#[test]
fn real_logs_have_the_lines_times_and_levels_that_they_should() {
    let (sys, logs) = (Sys::real(), Logs::find());
    let Some(golden) = logs.golden(&sys) else {
        println!("SKIPPED real_logs: no golden.tsv, neither beside the workspace nor beside SAWLOG_DATA");
        return;
    };
    let slow = std::env::var_os("SAWLOG_SLOW").is_some();
    let mut sets: BTreeMap<String, BTreeMap<String, Counts>> = BTreeMap::new();
    for (index, row) in golden.lines().skip(1).enumerate() {
        let (set, file, counts) = expected(row);
        if slow || index % 5 == 0 || counts.lines <= 2_000 {
            sets.entry(set).or_default().insert(file, counts);
        }
    }
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for (set, files) in &sets {
        logs.each(&sys, set, files, &mut |file, bytes| {
            let found = count(bytes, files[file].levels.is_some());
            checked += 1;
            if found != files[file] {
                wrong.push(format!("{file}:\n  expected {:?}\n  found    {found:?}", files[file]));
            }
        });
    }
    assert_eq!(
        checked,
        sets.values().map(BTreeMap::len).sum::<usize>(),
        "files that are missing in the archives"
    );
    assert!(wrong.is_empty(), "{} of {checked} files:\n{}", wrong.len(), wrong.join("\n"));
}
