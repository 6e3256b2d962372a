//! What an idle node costs, as far as a test in the development profile can say: start time and wake-ups. The figures of
//! a release build stand in docs/benchmarks.md.

use std::collections::HashMap;
use std::ffi::OsString;
use std::time::Duration;

use crate::agent::Agent;
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

/// How often it wakes in six seconds, once what the start and the first line set in motion has settled, which is after so long.
fn wakes(pid: u32, settled: Duration) -> u64 {
    std::thread::sleep(settled);
    let before = switches(pid);
    std::thread::sleep(Duration::from_secs(6));
    let after = switches(pid);
    after.iter().map(|(task, now)| now - before.get(task).copied().unwrap_or(0)).sum()
}

#[test]
fn an_idle_node_wakes_at_most_once_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("a.log");
    std::fs::write(&log, "2026-01-02 03:04:05 INFO one line\n").unwrap();
    let node = Node::start(&folder.path().join("data"), &["--tail", &log.to_string_lossy()]);
    node.wait_for("one", 1);
    // By then the node has written what was counted of the question, too.
    let woke = wakes(node.pid(), Duration::from_secs(11));
    assert!(woke <= 6 + 2, "woke {woke} times in 6 s");
    node.shut_down();
}

#[test]
fn an_idle_agent_sleeps_whether_its_receiver_is_there_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("a.log");
    std::fs::write(&log, "2026-01-02 03:04:05 INFO one line\n").unwrap();
    let node = Node::start(&folder.path().join("data"), &["--forward", "127.0.0.1:0"]);
    let agent = Agent::follow(&folder.path().join("agent"), &log.to_string_lossy(), node.forward);
    node.wait_for("one", 1);
    // A port that was free a moment ago: nobody is there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let alone = Agent::follow(&folder.path().join("alone"), &log.to_string_lossy(), free);
    let (woke, woke_alone) = std::thread::scope(|scope| {
        let woke = scope.spawn(|| wakes(agent.pid(), Duration::from_secs(4)));
        let woke_alone = wakes(alone.pid(), Duration::from_secs(4));
        (woke.join().unwrap(), woke_alone)
    });
    assert!(woke <= 1, "woke {woke} times in 6 s with a receiver");
    assert!(woke_alone <= 6, "woke {woke_alone} times in 6 s without a receiver");
    alone.stop();
    agent.stop();
    node.shut_down();
}
