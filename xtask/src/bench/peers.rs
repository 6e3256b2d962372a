//! Stores for analysts beside sawlog, from PyPI: CLP (`clp-s`), ClickHouse's engine (`chdb`) and DuckDB's Parquet. Each gets
//! the same JSON lines ([`super::events`]) as one file; bytes and processor time are those of storing it. One that cannot be
//! installed or does not take the lines is left out, loudly.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Bench, cost, events, files, size};
use crate::needs;

/// What they are called in tables, in the order of [`measure`].
pub(super) const NAMES: [&str; 3] = ["CLP-S", "ClickHouse", "Parquet (DuckDB, zstd)"];

/// Packages of PyPI, in the same order.
const PACKAGES: [&str; 3] = ["yscope-clp-core", "chdb", "duckdb"];

/// One column of the type JSON, merged to one part. Written to the second argument: the folder of its data.
const CLICKHOUSE: &str = r#"
import sys
from chdb import session
ask = session.Session(sys.argv[2]).query
ask("CREATE DATABASE bench ENGINE = Atomic")
ask("CREATE TABLE bench.lines (line JSON CODEC(ZSTD(3))) ENGINE = MergeTree ORDER BY tuple()")
ask(f"INSERT INTO bench.lines SELECT json FROM file('{sys.argv[1]}', 'JSONAsObject')")
ask("OPTIMIZE TABLE bench.lines FINAL")
parts = ask("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'bench'")
open(sys.argv[2] + "/bytes", "w").write(str(parts).strip())
"#;

/// A column for each field, as DuckDB makes them of all lines.
const PARQUET: &str = r#"
import sys
import duckdb
lines = f"read_json('{sys.argv[1]}', format = 'newline_delimited', maximum_object_size = 67108864, sample_size = -1)"
duckdb.sql(f"COPY (SELECT * FROM {lines}) TO '{sys.argv[2]}/lines.parquet' (FORMAT parquet, COMPRESSION zstd)")
"#;

/// What a peer made of a set: bytes, and seconds of processor time.
pub(super) type Taken = Option<(u64, f64)>;

/// Stores all files of a folder with each of them.
pub(super) fn measure(bench: &Bench, logs: &Path) -> Result<[Taken; 3]> {
    let folder = bench.scratch.join("peers");
    std::fs::create_dir_all(&folder)?;
    let lines = folder.join("lines.ndjson");
    let mut out = std::fs::File::create(&lines)?;
    events::each_body(logs, &mut events::plain(), |_, body| Ok(out.write_all(body)?))?;
    let mut taken = [None; 3];
    for (peer, taken) in taken.iter_mut().enumerate() {
        match store(bench, peer, &lines, &folder.join("out")) {
            Ok(have) => *taken = Some(have),
            Err(error) => eprintln!("LEFT OUT: {} of {}: {error:#}", NAMES[peer], logs.display()),
        }
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(taken)
}

fn store(bench: &Bench, peer: usize, lines: &Path, into: &Path) -> Result<(u64, f64)> {
    let bin = environment(bench, PACKAGES[peer])?.join("bin");
    if into.is_dir() {
        std::fs::remove_dir_all(into)?;
    }
    std::fs::create_dir_all(into)?;
    let (clp, python) = (bin.join("clp-s"), bin.join("python"));
    let (clp, python) = (clp.to_string_lossy(), python.to_string_lossy());
    let (lines, into_word) = (lines.to_string_lossy(), into.to_string_lossy());
    let spent = match peer {
        0 => cost(&[&clp, "c", "--timestamp-key", "_time", &into_word, &lines])?,
        1 => cost(&[&python, "-c", CLICKHOUSE, &lines, &into_word])?,
        _ => cost(&[&python, "-c", PARQUET, &lines, &into_word])?,
    };
    let bytes = match peer {
        1 => std::fs::read_to_string(into.join("bytes")).context("it did not store the lines")?.parse()?,
        _ => size(into)?,
    };
    anyhow::ensure!(bytes > 0 && !files(into)?.is_empty(), "it stored nothing");
    Ok((bytes, spent.cpu))
}

/// A virtual environment with the package, made once.
fn environment(bench: &Bench, package: &str) -> Result<PathBuf> {
    let target = bench.scratch.parent().context("the scratch folder lies in the target folder")?;
    let (environment, done) = (target.join("peers-venv"), target.join(format!("peers-venv/{package}.done")));
    if !done.is_file() {
        needs::succeed(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        needs::succeed(Command::new(environment.join("bin/pip")).args(["install", "-q", package]))?;
        std::fs::write(done, "")?;
    }
    Ok(environment)
}
