//! A node that takes all real logs over HTTP as fast as it can, one folder after the other, while it flushes and compacts: the most
//! memory that is resident until it is at rest again. Knows nothing of what it stores.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::ingest::Node;
use super::{Bench, mb};

/// A node is at rest when it took no more than this, processor seconds, in this time.
const CALM: f64 = 0.3;
const STRETCH: Duration = Duration::from_secs(30);
/// It is waited for so many of these.
const PATIENCE: usize = 10;

/// Prints the table.
pub(super) fn run(bench: &Bench) -> Result<()> {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(&bench.logs)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    folders.retain(|folder| folder.is_dir());
    folders.sort();
    let node = Node::start(bench, "load")?;
    let mut bytes = 0;
    for folder in &folders {
        eprintln!("load {}", folder.display());
        bytes += node.take(folder)?;
    }
    let sent = node.process.used()?;
    let (mut last, mut rounds) = (sent, 0);
    let calm = loop {
        std::thread::sleep(STRETCH);
        let now = node.process.used()?;
        if now.cpu - last.cpu <= CALM {
            break now;
        }
        (last, rounds) = (now, rounds + 1);
        ensure!(rounds < PATIENCE, "the node does not come to rest");
    };
    println!("\n### A node under load of many sets\n\n| what | figure |\n|---|---|");
    println!("| JSON lines of {} sets, MB | {} |", folders.len(), mb(bytes));
    println!(
        "| most resident when all was sent, MB; processor seconds | {}; {:.1} |",
        mb(sent.resident),
        sent.cpu
    );
    println!("| the same when it was at rest | {}; {:.1} |", mb(calm.resident), calm.cpu);
    println!("| resident then, MB | {} |", mb(node.process.activity()?.resident));
    node.process.end()?;
    Ok(())
}
