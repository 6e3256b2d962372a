//! `cargo xtask bench load [--at-once N]`: a node that takes all real logs over HTTP as fast as it can, so many folders at once (else one
//! after the other), while it flushes and compacts: the most memory that is resident until it is at rest again. Knows nothing of what
//! it stores.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
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
pub(super) fn run(bench: &Bench, at_once: usize) -> Result<()> {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(&bench.logs)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    folders.retain(|folder| folder.is_dir());
    folders.sort();
    let node = Node::start(bench, "load")?;
    let bytes = take_all(&node, &folders, at_once)?;
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
    println!("| JSON lines of {} sets, {at_once} at once, MB | {} |", folders.len(), mb(bytes));
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

/// Brings the folders, each over a connection of its own; gives the bytes of the bodies.
fn take_all(node: &Node, folders: &[PathBuf], at_once: usize) -> Result<u64> {
    let next = AtomicUsize::new(0);
    let take = || -> Result<u64> {
        let mut bytes = 0;
        while let Some(folder) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
            eprintln!("load {}", folder.display());
            bytes += node.take(folder)?;
        }
        Ok(bytes)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..at_once).map(|_| scope.spawn(take)).collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).sum()
    })
}
