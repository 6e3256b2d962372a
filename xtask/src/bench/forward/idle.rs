//! What two agents do when nothing is written, one following a file and connected to the other: a minute of it.

use std::time::Duration;

use anyhow::Result;

use super::agent::{self, Agents};
use super::{Bench, Job, Lines, fresh, mb};

/// After the start, before anything is counted: what moved last is saved once more.
const SETTLING: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);

/// Prints memory, wake-ups and processor time of a minute.
pub(super) fn run(bench: &Bench) -> Result<()> {
    println!("\nIdle for a minute, connected, after one line\n");
    println!("| what | resident MB | wake-ups | CPU ms |");
    println!("|---|---|---|---|");
    let scratch = fresh(bench)?;
    let followed = scratch.join("a.log");
    std::fs::write(&followed, "a line\n")?;
    let how = Agents { lane: true, compress: "text", ack: true, in_memory: false, by_expression: false };
    let job = Job { pattern: followed, lines: &Lines::AsTheyAre, bytes: 7, events: 1 };
    let pair = agent::start_pair(&bench.agent, &how, &job, &scratch, &scratch, false)?;
    std::thread::sleep(SETTLING);
    let both = [("agent that follows a file", &pair.sender), ("agent that receives", &pair.receiver)];
    let before = both.iter().map(|(_, process)| process.activity()).collect::<Result<Vec<_>>>()?;
    std::thread::sleep(MINUTE);
    for ((name, process), before) in both.iter().zip(before) {
        let after = process.activity()?;
        println!(
            "| {name} | {} | {} | {} |",
            mb(after.resident),
            after.switches - before.switches,
            (after.cpu_nanos - before.cpu_nanos) / 1_000_000,
        );
    }
    Ok(())
}
