//! Import: processor seconds and bytes on disk per set, with what of them is index, beside zstd and VictoriaLogs.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::process::Used;
use super::{Bench, Cost, cost, events, ingest, mb, peers, size, victoria};
use crate::needs;

/// A set's stores after the import.
pub(super) struct Stored {
    pub(super) name: &'static str,
    pub(super) raw: PathBuf,
    pub(super) sawlog: PathBuf,
    pub(super) victoria: Option<victoria::Stored>,
}

struct Row {
    name: &'static str,
    raw: u64,
    zstd: [u64; 3],
    import: Cost,
    compact: Cost,
    flushed: u64,
    compacted: u64,
    /// Of these, the bytes of indexes.
    index: u64,
    http: ingest::Measured,
    forward: ingest::Measured,
    victoria: Option<(Used, f64, u64)>,
    peers: [peers::Taken; 3],
    /// Events, first and last time, as `store stats` says them.
    content: String,
}

/// Bytes of a set, or of all.
#[derive(Clone, Copy)]
struct Sizes {
    raw: u64,
    zstd: [u64; 3],
    /// 0 where it is not there.
    victoria: u64,
    flushed: u64,
    compacted: u64,
    index: u64,
}

impl Row {
    fn sizes(&self) -> Sizes {
        let Row { raw, zstd, flushed, compacted, index, .. } = *self;
        Sizes {
            raw,
            zstd,
            victoria: self.victoria.map_or(0, |(_, _, bytes)| bytes),
            flushed,
            compacted,
            index,
        }
    }
}

/// How hard zstd tries, each over all files of a set as one stream.
const ZSTD: [&[&str]; 3] = [&["-3"], &["-9"], &["-19", "--long=27"]];

/// Imports the sets; with `tables` what that took is printed, beside zstd.
pub(super) fn run(bench: &Bench, tables: bool) -> Result<Vec<Stored>> {
    let mut rows = Vec::new();
    let mut stores = Vec::new();
    for (name, folder) in &bench.sets {
        eprintln!("import {name}");
        let raw = bench.logs.join(folder);
        let data = bench.scratch.join(format!("sawlog-{name}"));
        let (sawlog, data_word) = (bench.sawlog.to_string_lossy(), data.to_string_lossy());
        let import = cost(&[&sawlog, "import", "--data", &data_word, &raw.to_string_lossy()])?;
        let flushed = size(&data)?;
        let compact = cost(&[&sawlog, "store", "compact", "--data", &data_word])?;
        let compacted = size(&data)?;
        let peer = match victoria::is_there() {
            true => {
                let folder = bench.scratch.join(format!("victoria-{name}"));
                Some(victoria::ingest(&folder, std::slice::from_ref(&raw), &mut events::plain())?)
            }
            false => None,
        };
        if tables {
            let mut packed = [0; ZSTD.len()];
            for (bytes, arguments) in packed.iter_mut().zip(ZSTD) {
                *bytes = zstd(&raw, arguments)?;
            }
            rows.push(Row {
                name,
                raw: size(&raw)?,
                zstd: packed,
                import,
                compact,
                flushed,
                compacted,
                index: index(&sawlog, &data_word)?,
                http: ingest::http(bench, &raw)?,
                forward: ingest::forward(bench, &raw)?,
                victoria: peer.as_ref().map(|peer| (peer.flushed, peer.cpu, peer.bytes)),
                peers: peers::measure(bench, &raw)?,
                content: content(&sawlog, &data_word)?,
            });
        }
        stores.push(Stored { name, raw, sawlog: data, victoria: peer });
    }
    if tables {
        print(&rows);
    }
    Ok(stores)
}

/// Bytes of indexes, out of what `sawlog store inspect` says of each segment.
fn index(sawlog: &str, data: &str) -> Result<u64> {
    let inspect = |more: &[&str]| -> Result<String> {
        let output = Command::new(sawlog).args(["store", "inspect", "--data", data]).args(more).output()?;
        Ok(String::from_utf8(output.stdout)?)
    };
    let mut bytes = 0;
    for segment in inspect(&[])?.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)) {
        for line in inspect(&["--segment", segment])?.lines() {
            if let Some((size, "index" | "index of text")) = line.trim().split_once("  ") {
                bytes += size.parse::<u64>()?;
            }
        }
    }
    Ok(bytes)
}

/// `1,234 | 2026-01-01T00:00:00Z | 2026-01-02T00:00:00Z`, out of `sawlog store stats`.
fn content(sawlog: &str, data: &str) -> Result<String> {
    let output = Command::new(sawlog).args(["store", "stats", "--data", data]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let after = |word: &str| text.lines().find_map(|line| line.strip_prefix(word)).unwrap_or("–").trim();
    Ok(format!("{} | {}", after("records"), after("times").replace(" to ", " | ")))
}

/// Bytes of all files of a folder, one after the other, through zstd.
fn zstd(folder: &std::path::Path, arguments: &[&str]) -> Result<u64> {
    needs::debian(&["zstd"], &["zstd"])?;
    let mut zstd = Command::new("zstd")
        .args(arguments)
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = zstd.stdin.take().context("zstd takes input")?;
    let files = super::files(folder)?;
    let feeder = std::thread::spawn(move || -> std::io::Result<()> {
        for file in files {
            std::io::copy(&mut std::fs::File::open(file)?, &mut input)?;
        }
        Ok(())
    });
    let bytes = std::io::copy(&mut zstd.stdout.take().context("zstd gives output")?, &mut std::io::sink())?;
    feeder.join().map_err(|_| anyhow::anyhow!("feeding zstd panicked"))??;
    zstd.wait()?;
    Ok(bytes)
}

fn print(rows: &[Row]) {
    println!("\n### Events\n");
    println!("| set | events | first time | last time |");
    println!("|---|---|---|---|");
    for row in rows {
        println!("| {} | {} |", row.name, row.content);
    }
    println!("\n### Bytes on disk, MB\n");
    println!(
        "| set | raw | zstd -3 | zstd -9 | zstd -19 --long=27 | VictoriaLogs | sawlog after import | after compaction | of it index | to VictoriaLogs | to zstd -19 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let ratio =
        |a: u64, b: u64| if b == 0 { "–".to_owned() } else { format!("{:.2}", a as f64 / b as f64) };
    let line = |name: &str, sizes: Sizes| {
        let Sizes { raw, zstd, victoria, flushed, compacted, index } = sizes;
        let peer = if victoria == 0 { "–".to_owned() } else { mb(victoria) };
        println!(
            "| {name} | {} | {} | {} | {} | {peer} | {} | {} | {} | {} | {} |",
            mb(raw),
            mb(zstd[0]),
            mb(zstd[1]),
            mb(zstd[2]),
            mb(flushed),
            mb(compacted),
            mb(index),
            ratio(compacted, victoria),
            ratio(compacted, zstd[2]),
        );
    };
    let sum = |of: &dyn Fn(&Sizes) -> u64| rows.iter().map(|row| of(&row.sizes())).sum::<u64>();
    rows.iter().for_each(|row| line(row.name, row.sizes()));
    let all = Sizes {
        raw: sum(&|sizes| sizes.raw),
        zstd: [0, 1, 2].map(|level| sum(&|sizes| sizes.zstd[level])),
        victoria: sum(&|sizes| sizes.victoria),
        flushed: sum(&|sizes| sizes.flushed),
        compacted: sum(&|sizes| sizes.compacted),
        index: sum(&|sizes| sizes.index),
    };
    line("all", all);
    print_import(rows);
    print_ingest(rows);
    print_peers(rows);
}

/// Seconds per gigabyte.
fn per_gb(seconds: f64, raw: u64) -> f64 {
    seconds / (raw as f64 / 1e9)
}

fn print_import(rows: &[Row]) {
    println!("\n### Import\n");
    println!("| set | CPU s | MB per CPU s | peak resident MB | compaction CPU s | per GB raw |");
    println!("|---|---|---|---|---|---|");
    let (mut raw, mut import, mut compact) = (0, 0.0, 0.0);
    let line = |name: &str, raw: u64, import: f64, resident: &str, compact: f64| {
        let speed = raw as f64 / 1e6 / import;
        println!(
            "| {name} | {import:.2} | {speed:.0} | {resident} | {compact:.2} | {:.1} |",
            per_gb(compact, raw)
        );
    };
    for row in rows {
        (raw, import, compact) = (raw + row.raw, import + row.import.cpu, compact + row.compact.cpu);
        line(row.name, row.raw, row.import.cpu, &mb(row.import.resident), row.compact.cpu);
    }
    line("all", raw, import, "", compact);
}

/// What of a way is printed: processor seconds and memory until flushed, processor seconds of compaction, bytes.
type Way = (f64, u64, f64, u64);

fn print_ingest(rows: &[Row]) {
    println!("\n### Ingest over the network\n");
    println!(
        "| set | HTTP: CPU s | peak MB | compaction CPU s | MB on disk | forward: CPU s | peak MB | compaction CPU s | MB on disk | VictoriaLogs: CPU s | peak MB | merged, CPU s | MB on disk | VictoriaLogs / HTTP, CPU | VictoriaLogs / forward, CPU |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    let of = |way: &ingest::Measured| (way.flushed.cpu, way.flushed.resident, way.compact.cpu, way.bytes);
    let ways = |row: &Row| -> [Way; 3] {
        let peer =
            row.victoria.map_or((0.0, 0, 0.0, 0), |(used, cpu, bytes)| (used.cpu, used.resident, cpu, bytes));
        [of(&row.http), of(&row.forward), peer]
    };
    let line = |name: &str, ways: &[Way; 3]| {
        print!("| {name} ");
        for (cpu, resident, compact, bytes) in ways {
            print!("| {cpu:.2} | {} | {compact:.2} | {} ", mb(*resident), mb(*bytes));
        }
        println!("| {:.2} | {:.2} |", ways[2].0 / ways[0].0, ways[2].0 / ways[1].0);
    };
    let mut all = [(0.0, 0, 0.0, 0); 3];
    for row in rows {
        let ways = ways(row);
        line(row.name, &ways);
        for (sum, way) in all.iter_mut().zip(ways) {
            // Of memory the most that any took.
            *sum = (sum.0 + way.0, sum.1.max(way.1), sum.2 + way.2, sum.3 + way.3);
        }
    }
    line("all", &all);
}

fn print_peers(rows: &[Row]) {
    println!("\n### Other stores, the same JSON lines: MB, CPU s\n");
    println!("| set | {} | sawlog, HTTP, flushed and compacted |", peers::NAMES.join(" | "));
    println!("|---|---|---|---|---|");
    let cell = |taken: peers::Taken| {
        taken.map_or("–".to_owned(), |(bytes, cpu)| format!("{}, {cpu:.2}", mb(bytes)))
    };
    let mut all = [Some((0, 0.0)); 4];
    for row in rows {
        let [clp, clickhouse, parquet] = row.peers;
        let own = Some((row.http.bytes, row.http.flushed.cpu + row.http.compact.cpu));
        let line = [clp, clickhouse, parquet, own];
        println!("| {} | {} |", row.name, line.map(cell).join(" | "));
        for (sum, taken) in all.iter_mut().zip(line) {
            // Of a peer that left a set out there is no sum.
            *sum = sum.zip(taken).map(|((bytes, cpu), (more, spent))| (bytes + more, cpu + spent));
        }
    }
    println!("| all | {} |", all.map(cell).join(" | "));
}
