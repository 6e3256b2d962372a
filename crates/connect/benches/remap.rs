//! How fast rows pass the filter `remap`, beside the filters of our own that do the same: MB/s of raw lines and rows a second on
//! one core, over a set of unpacked logs under `SAWLOG_DATA`: `cargo bench -p sawlog-connect --bench remap [-- SET]`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sawlog_model::{Access, AccessError, Batch, Limits, Right, Tenant};
use sawlog_pipeline::{Env, Filter, Protocol, config};
use sawlog_sys::Sys;
use sawlog_sys::task::{self, Stop};
use sawlog_wire::format::{More, Parser, Settings};

/// Bytes of a batch, and of a set that are read, at most.
const PIECE: usize = 256 << 10;
const ENOUGH: usize = 64 << 20;

/// What is done, by which filter, with which option.
const WORK: &[(&str, &str, &str, &str)] = &[
    (
        "keep rows by a field",
        "remap",
        "source",
        "if !starts_with(string(.method) ?? \"\", \"GET\") { abort }",
    ),
    ("keep rows by a field", "grep", "regexp", "method ^GET"),
    ("add a field", "remap", "source", ".service = \"web\""),
    ("add a field", "record_transformer", "set", "service=web"),
    ("change a field", "remap", "source", ".path = downcase(string(.path) ?? \"\")"),
];

struct Nobody;

impl Access for Nobody {
    fn admit(&self, _credential: &[u8], _right: Right) -> Result<Tenant, AccessError> {
        Err(AccessError)
    }
}

fn main() {
    let sys = Sys::real();
    let Some(data) = std::env::var_os("SAWLOG_DATA").map(PathBuf::from) else {
        println!("SKIPPED: SAWLOG_DATA does not name a directory of unpacked logs");
        return;
    };
    let set =
        std::env::args().skip(1).find(|word| !word.starts_with("--")).unwrap_or("nginx_m5it".to_owned());
    let mut batches = Vec::new();
    read(&sys, &data.join(&set), &mut batches);
    let rows: usize = batches.iter().map(|batch| batch.rows.len()).sum();
    let bytes: u64 = batches.iter().map(|batch| batch.raw_len()).sum();
    println!("{set}: {rows} rows, {:.1} MB", bytes as f64 / 1e6);
    println!("{:<24} {:<20} {:>9} {:>8} {:>12}", "what", "filter", "rows left", "MB/s", "rows/s");
    for (what, name, option, value) in WORK {
        let filter = filter(&sys, name, option, value);
        let (mut best, mut left) = (f64::MAX, 0);
        for _ in 0..3 {
            let start = sys.clock.monotonic();
            left = batches.iter().map(|batch| filter.apply(batch.clone()).batch.rows.len()).sum();
            best = best.min((sys.clock.monotonic() - start).as_secs_f64());
        }
        let (megabytes, per_second) = (bytes as f64 / 1e6 / best, rows as f64 / best);
        println!("{what:<24} {name:<20} {left:>9} {megabytes:>8.0} {per_second:>12.0}");
    }
}

fn filter(sys: &Sys, name: &str, option: &str, value: &str) -> Box<dyn Filter> {
    let all = [sawlog_wire::PROTOCOLS, sawlog_connect::PROTOCOLS].concat();
    let protocol: &Protocol = all.iter().find(|protocol| protocol.name == name).expect("a filter");
    let options = config::options(protocol, &[(option, vec![value.to_owned()])]).expect("its options");
    let runtime = task::runtime("bench", 1).expect("a runtime");
    let env = Env {
        name: name.into(),
        sys: sys.clone(),
        dir: std::path::PathBuf::new(),
        runtime: runtime.handle().clone(),
        limits: Limits::default(),
        stop: Stop::default(),
        access: Arc::new(Nobody),
    };
    protocol.filter.expect("it is a filter")(&options, &env).expect("a filter")
}

/// The rows of all files below `dir`, until there are enough.
fn read(sys: &Sys, dir: &Path, batches: &mut Vec<Arc<Batch>>) {
    let mut files = sys.fs.list(dir).expect("a directory of logs can be listed");
    files.sort_by(|a, b| a.path.cmp(&b.path));
    for entry in files {
        let have: u64 = batches.iter().map(|batch| batch.raw_len()).sum();
        if entry.is_dir {
            read(sys, &entry.path, batches);
        } else if have < ENOUGH as u64 {
            rows(sys.fs.read(&entry.path).expect("a log can be read").into(), batches);
        }
    }
}

fn rows(bytes: bytes::Bytes, batches: &mut Vec<Arc<Batch>>) {
    let mut parser = Parser::new(Settings::default(), Limits::default());
    let (mut done, mut end) = (0, 0);
    while done < bytes.len() {
        end = (end + PIECE).min(bytes.len());
        let more = if end == bytes.len() { More::No } else { More::Yes };
        let piece = bytes.slice(done..end);
        let parsed = parser.parse(&piece, done as u64, more);
        done += parsed.consumed;
        let (buffer, names) = (parsed.whole(piece), parser.names());
        if !parsed.rows.is_empty() {
            batches.push(Arc::new(Batch {
                buffer,
                names,
                rows: parsed.rows,
                slots: parsed.slots,
                ..Batch::default()
            }));
        }
    }
}
