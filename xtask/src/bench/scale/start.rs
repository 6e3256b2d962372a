//! What it costs a node to start over many segments, and to rest and to answer over much data. Knows nothing of what is asked.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::questions::QUESTIONS;
use super::{REST, Scale};
use crate::bench::queries::{Node, encoded};
use crate::bench::{mb, weight};

/// Segments of the stores that are started over.
const SEGMENTS: [usize; 1] = [1_000];
/// Lines of a segment.
const LINES: usize = 100;
/// Each start is tried so often; the best counts, since others use the machine, too.
const STARTS: usize = 5;

/// Prints the table.
pub(super) fn run(scale: &Scale<'_>) -> Result<()> {
    println!("\n### Start, rest and memory\n");
    println!("| what | figure |");
    println!("|---|---|");
    for segments in SEGMENTS {
        let store = many(scale, segments)?;
        let mut best = Duration::MAX;
        for _ in 0..STARTS {
            let start = Instant::now();
            let node = Node::start(scale.sawlog, &store)?;
            best = best.min(start.elapsed());
            drop(node);
        }
        println!("| {segments} segments: ready after, ms | {:.0} |", best.as_secs_f64() * 1e3);
    }
    let (store, raw) = much(scale)?;
    let node = Node::start(scale.sawlog, &store)?;
    std::thread::sleep(Duration::from_secs(5));
    println!("| {} MB raw: resident at rest, MB | {} |", mb(raw), mb(weight::resident(node.id())?));
    for question in QUESTIONS {
        node.get(&format!("/api/v1/search?query={}", encoded(question.sawlog)))?;
    }
    println!(
        "| the same: most resident in all questions one after the other, MB | {} |",
        mb(weight::most(node.id())?)
    );
    std::thread::sleep(Duration::from_secs(15));
    println!("| the same: resident a quarter of a minute later, MB | {} |", mb(weight::resident(node.id())?));
    Ok(())
}

/// A store of so many segments: each the import of one short file.
fn many(scale: &Scale<'_>, segments: usize) -> Result<std::path::PathBuf> {
    let folder = scale.folder.join("many");
    let data = folder.join("data");
    std::fs::create_dir_all(&folder)?;
    for segment in 0..segments {
        scale.once(&format!("segment-{segment:04}"), || short(scale, &data, segment))?;
    }
    let kept = scale.folder.join(format!("segments-{segments}"));
    scale.once(&format!("segments-{segments}"), || super::copy(&data, &kept))?;
    Ok(kept)
}

/// Imports one short file of its own day.
fn short(scale: &Scale<'_>, data: &Path, segment: usize) -> Result<()> {
    let mut text = String::new();
    for line in 0..LINES {
        let millis = segment as i64 * 86_400_000 + line as i64 * 1000;
        text += &format!(
            "{} INFO request {segment}-{line} took {} ms\n",
            super::stamp::rfc3339(millis),
            line * 7
        );
    }
    let file = data.with_file_name(format!("short-{segment}.log"));
    std::fs::write(&file, text)?;
    scale.sawlog(&["import", &file.to_string_lossy()], data)?;
    Ok(std::fs::remove_file(file)?)
}

/// A store of so many raw bytes as a node is to rest over, and how many these are; what is made for it is not kept.
fn much(scale: &Scale<'_>) -> Result<(std::path::PathBuf, u64)> {
    let copies = (REST / super::COPY).ceil() as usize;
    let (mut raw, stage) = (0, scale.stage(copies));
    // The raw bytes are said beside the store.
    let said = stage.with_extension("bytes");
    if let Ok(text) = std::fs::read_to_string(&said) {
        return Ok((stage, text.trim().parse()?));
    }
    for copy in 0..copies {
        let kept = scale.copy(copy).is_dir();
        raw += scale.raw(copy)?;
        scale.import(copy)?;
        if !kept {
            std::fs::remove_dir_all(scale.copy(copy))?;
        }
    }
    scale.keep(copies)?;
    std::fs::write(said, raw.to_string())?;
    Ok((stage, raw))
}
