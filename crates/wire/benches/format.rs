//! How fast line formats are read: MB/s of raw bytes on one core, for each set of unpacked logs under `SAWLOG_DATA`.
//! `cargo bench -p sawlog-wire --bench format [-- [--parse=TYPE] SET …]`; with a type (`nginx`, `syslog`, …) lines are read by
//! that configured parser, and the lines that do not match are left out.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use sawlog_model::Limits;
use sawlog_pipeline::Options;
use sawlog_sys::Sys;
use sawlog_wire::format::parse::Spec;
use sawlog_wire::format::{More, Parser, Settings};

/// Bytes given to a parser at once.
const PIECE: usize = 1 << 20;
/// Bytes of a set that are read, at most.
const ENOUGH: u64 = 64 << 20;

fn main() {
    let sys = Sys::real();
    let Some(data) = std::env::var_os("SAWLOG_DATA").map(PathBuf::from) else {
        println!("SKIPPED: SAWLOG_DATA does not name a directory of unpacked logs");
        return;
    };
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let parse =
        std::env::args().find_map(|word| word.strip_prefix("--parse=").map(str::to_owned)).map(|name| {
            let given = [("parse.type", name.as_str()), ("parse.unmatched", "drop")];
            let given = given.map(|(name, value)| (name.to_owned(), vec![value.to_owned()]));
            Spec::from_options(&Options(given.into())).expect("a parser")
        });
    println!("{:<20} {:>8} {:>9} {:>10} {:>8}", "set", "MB", "rows", "slots", "MB/s");
    for set in sys.fs.list(&data).expect("the directory of logs can be listed") {
        let name = set.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if wanted.is_empty() || wanted.contains(&name) {
            bench(&sys, &name, &set.path, parse.as_ref());
        }
    }
}

fn bench(sys: &Sys, name: &str, dir: &Path, parse: Option<&Spec>) {
    let mut files = Vec::new();
    collect(sys, dir, &mut files);
    let mut best = f64::MAX;
    let (mut total, mut rows, mut slots) = (0, 0, 0);
    for _ in 0..3 {
        (total, rows, slots) = (0, 0, 0);
        let mut seconds = 0.0;
        for bytes in &files {
            let start = sys.clock.monotonic();
            let (some_rows, some_slots) = read(bytes, parse);
            seconds += (sys.clock.monotonic() - start).as_secs_f64();
            total += bytes.len();
            rows += some_rows;
            slots += some_slots;
        }
        best = best.min(seconds);
    }
    let megabytes = total as f64 / 1e6;
    println!("{name:<20} {megabytes:>8.1} {rows:>9} {slots:>10} {:>8.0}", megabytes / best);
}

/// All files below `dir`, until there are enough.
fn collect(sys: &Sys, dir: &Path, files: &mut Vec<Bytes>) {
    for entry in sys.fs.list(dir).expect("a directory of logs can be listed") {
        let have: u64 = files.iter().map(|bytes| bytes.len() as u64).sum();
        if entry.is_dir {
            collect(sys, &entry.path, files);
        } else if have < ENOUGH {
            files.push(sys.fs.read(&entry.path).expect("a log can be read").into());
        }
    }
}

/// Rows and slots of a whole file.
fn read(bytes: &Bytes, parse: Option<&Spec>) -> (usize, usize) {
    let reference = 1_700_000_000_000_000_000;
    let settings = Settings { reference, parse: parse.cloned(), ..Settings::default() };
    let mut parser = Parser::new(settings, Limits::default());
    let (mut done, mut end, mut rows, mut slots) = (0, 0, 0, 0);
    while done < bytes.len() {
        end = (end + PIECE).min(bytes.len());
        let more = if end == bytes.len() { More::No } else { More::Yes };
        let parsed = parser.parse(&bytes.slice(done..end), done as u64, more);
        done += parsed.consumed;
        rows += parsed.rows.len();
        slots += parsed.slots.len();
    }
    (rows, slots)
}
