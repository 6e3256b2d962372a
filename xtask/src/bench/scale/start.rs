//! What it costs a node to start over many segments, and to rest and to answer over much data. Knows nothing of what is asked.

use std::time::Duration;

use anyhow::Result;

use super::questions::QUESTIONS;
use super::{REST, Scale};
use crate::bench::queries::{Node, encoded};
use crate::bench::{mb, start, weight};

/// Prints the table.
pub(super) fn run(scale: &Scale<'_>) -> Result<()> {
    println!("\n### Start, rest and memory\n");
    println!("| what | figure |");
    println!("|---|---|");
    start::over(scale.sawlog, &scale.folder.join("start"), start::SEGMENTS)?;
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
