//! `cargo xtask bench start [--segments N]`: how long a node takes to be ready over many segments, with their files in memory and
//! with none of them there. What was made stays in `bench-start` below the target folder and has to be removed after a change of
//! the store's format. Knows nothing of what is asked.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::queries::Node;
use super::{cost, files, forget, forget_file, mb, processor, weight};

/// Segments, where nothing else is said.
pub(super) const SEGMENTS: usize = 1_000;
/// Lines of a segment.
const LINES: usize = 100;
/// Each start is tried so often.
const STARTS: usize = 20;

/// Prints a table of its own.
pub(super) fn run(sawlog: &Path, folder: &Path, segments: usize) -> Result<()> {
    println!("\n### Start\n\n| what | figure |\n|---|---|");
    over(sawlog, folder, segments)
}

/// Prints the lines for a start over so many segments, which are made in a folder and stay there.
pub(super) fn over(sawlog: &Path, folder: &Path, segments: usize) -> Result<()> {
    let data = folder.join("data");
    std::fs::create_dir_all(&data)?;
    let made = files_of_segments(&data)?;
    ensure!(made <= segments, "{} has {made} segments; remove it", data.display());
    eprintln!("{} segments are made", segments - made);
    (made..segments).try_for_each(|segment| import(sawlog, &data, segment))?;
    // The first makes what every start finds.
    start(sawlog, &data)?;
    for (how, is_cold) in [("files in memory", false), ("files dropped from the page cache", true)] {
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            if is_cold {
                // The program is read again, too.
                forget(&data)?;
                forget_file(sawlog)?;
            }
            starts.push(start(sawlog, &data)?);
        }
        starts.sort_by(|one, other| one.ready.total_cmp(&other.ready));
        let cpu = starts.iter().map(|start| start.cpu).sum::<f64>() / STARTS as f64;
        let resident = starts.iter().map(|start| start.resident).max().unwrap_or(0);
        println!(
            "| {segments} segments, {how}: ready after, median and worst of {STARTS}, ms; processor time, ms; resident at most, MB | \
             {:.0}, {:.0}; {:.0}; {} |",
            starts[STARTS / 2].ready * 1e3,
            starts[STARTS - 1].ready * 1e3,
            cpu * 1e3,
            mb(resident)
        );
    }
    let left = files_of_segments(&data)?;
    ensure!(left == segments, "of {segments} segments {left} are left: they were merged meanwhile");
    Ok(())
}

/// What a start cost until the node answered.
struct Start {
    /// Seconds until it answered.
    ready: f64,
    /// Processor seconds.
    cpu: f64,
    /// Bytes.
    resident: u64,
}

/// Starts a node, asks it how it is, and kills it.
fn start(sawlog: &Path, data: &Path) -> Result<Start> {
    let began = Instant::now();
    let node = Node::start(sawlog, data)?;
    node.get("/healthz")?;
    let ready = began.elapsed().as_secs_f64();
    Ok(Start { ready, cpu: processor(node.id())?, resident: weight::resident(node.id())? })
}

fn files_of_segments(data: &Path) -> Result<usize> {
    let tenant = data.join("t0");
    Ok(if tenant.is_dir() { files(&tenant)?.len() } else { 0 })
}

/// Imports one short file, which becomes a segment.
fn import(sawlog: &Path, data: &Path, segment: usize) -> Result<()> {
    let mut text = String::new();
    for line in 0..LINES {
        let (minute, second) = (line / 60, line % 60);
        let (day, hour) = (segment / 24 % 28 + 1, segment % 24);
        let took = line * 7;
        text += &format!(
            "2026-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z INFO request {segment}-{line} took {took} ms\n",
            segment / 672 % 12 + 1
        );
    }
    let file = data.with_file_name(format!("short-{segment}.log"));
    std::fs::write(&file, text)?;
    let paths = [sawlog, &file, data].map(Path::to_string_lossy);
    cost(&[&paths[0], "import", &paths[1], "--data", &paths[2]])?;
    Ok(std::fs::remove_file(file)?)
}
