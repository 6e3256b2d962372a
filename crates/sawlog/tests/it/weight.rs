//! What an idle node costs, as far as a test in the development profile can say: start time and wake-ups. The figures of
//! a release build stand in docs/benchmarks.md.

use std::collections::HashMap;
use std::ffi::OsString;
use std::time::Duration;

use crate::node::Node;

/// Voluntary switches of each thread so far: how often it went to sleep, so how often it woke.
fn switches(pid: u32) -> HashMap<OsString, u64> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks
        .filter_map(|task| {
            let task = task.ok()?;
            let status = std::fs::read_to_string(task.path().join("status")).ok()?;
            let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"))?;
            Some((task.file_name(), line.split_whitespace().nth(1)?.parse().ok()?))
        })
        .collect()
}

#[test]
fn an_idle_node_wakes_at_most_once_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("a.log");
    std::fs::write(&log, "2026-01-02 03:04:05 INFO one line\n").unwrap();
    let node = Node::start(&folder.path().join("data"), &["--tail", &log.to_string_lossy()]);
    node.wait_for("one", 1);
    // What the start and the first line set in motion has settled by then.
    std::thread::sleep(Duration::from_secs(4));
    let before = switches(node.pid());
    std::thread::sleep(Duration::from_secs(6));
    let after = switches(node.pid());
    let woke: u64 = after.iter().map(|(task, now)| now - before.get(task).copied().unwrap_or(0)).sum();
    assert!(woke <= 6 + 2, "woke {woke} times in 6 s");
    node.shut_down();
}
