//! Real logs against counts made by other means: `golden.tsv` beside the archives, where they are at hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sawlog_model::time::read;
use sawlog_model::{Batch, Fields, Limits, Marks};
use sawlog_sys::Sys;

use super::super::{More, Parser, Settings};
use super::NOW;

/// `golden.tsv`, which stands beside the archives: next to the workspace, or next to the unpacked logs.
fn golden(sys: &Sys, data: &Path) -> Option<String> {
    let beside =
        [Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), data.join("../shared/data")];
    let bytes = beside.iter().find_map(|dir| sys.fs.read(&dir.join("golden.tsv")).ok())?;
    String::from_utf8(bytes).ok()
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
    let sys = Sys::real();
    let Some(data) = std::env::var_os("SAWLOG_DATA").map(PathBuf::from) else {
        println!("SKIPPED real_logs: SAWLOG_DATA does not name a directory of unpacked logs");
        return;
    };
    let Some(golden) = golden(&sys, &data) else {
        println!("SKIPPED real_logs: no golden.tsv");
        return;
    };
    let slow = std::env::var_os("SAWLOG_SLOW").is_some();
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for (index, row) in golden.lines().skip(1).enumerate() {
        let (set, file, expected) = expected(row);
        if !slow && index % 5 != 0 && expected.lines > 2_000 {
            continue;
        }
        let bytes = sys.fs.read(&data.join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let found = count(&bytes, expected.levels.is_some());
        checked += 1;
        if found != expected {
            wrong.push(format!("{set} {file}:\n  expected {expected:?}\n  found    {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {checked} files:\n{}", wrong.len(), wrong.join("\n"));
}
