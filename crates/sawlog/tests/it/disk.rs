//! The directory of a node or agent: who may hold it and for how long, and how little is left in it where nothing waits.

use std::path::Path;
use std::time::{Duration, Instant};

use sawlog_sys::Sys;

use crate::agent::{Agent, program};
use crate::node::{Node, output, sawlog, succeed};

/// Bytes of the files in a directory.
fn bytes(dir: &Path) -> u64 {
    std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn a_flush_leaves_next_to_nothing_in_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let node = Node::start(&data, &["--syslog", "off"]);
    let lines: String =
        (0..20_000).map(|number| format!("{{\"n\":{number},\"text\":\"a line\"}}\n")).collect();
    let ingest =
        |node: &Node, tag: &str| assert_eq!(node.ingest(&format!("?tag={tag}"), lines.as_bytes()).0, 200);
    (0..3).for_each(|_| ingest(&node, "a"));
    let full = bytes(&data.join("journal"));
    assert!(full > lines.len() as u64, "{full}");
    assert_eq!(ureq::post(format!("{}/api/v1/flush", node.http)).send_empty().unwrap().status(), 200);
    let left = bytes(&data.join("journal"));
    assert!(left < 4_096, "{left} bytes of {full} are left");
    // What comes then is kept as ever.
    ingest(&node, "b");
    node.kill();
    let node = Node::start(&data, &["--syslog", "off"]);
    let counted = node.search("* | stats count() as n");
    assert_eq!(counted[0]["n"], 80_000, "{counted:?}");
}

#[test]
fn what_is_only_in_the_journal_is_compacted_with_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let node = Node::start(&data, &["--syslog", "off"]);
    let lines: String = (0..1_000).map(|number| format!("{{\"n\":{number}}}\n")).collect();
    assert_eq!(node.ingest("?tag=a", lines.as_bytes()).0, 200);
    assert_eq!(ureq::post(format!("{}/api/v1/flush", node.http)).send_empty().unwrap().status(), 200);
    assert_eq!(node.ingest("?tag=b", lines.as_bytes()).0, 200);
    node.kill();
    // Writers of the segments, and their rows.
    let segments = || -> Vec<(String, String)> {
        let listed = succeed(sawlog().args(["store", "inspect", "--data"]).arg(&data));
        let listed = String::from_utf8(listed).unwrap();
        let words = listed.lines().skip(1).map(|line| line.split_whitespace().map(str::to_owned));
        words.map(|mut words| (words.nth(2).unwrap(), words.next().unwrap())).collect()
    };
    let of = |by: &str, rows: &str| vec![(by.to_owned(), rows.to_owned())];
    assert_eq!(segments(), of("flush", "1000"));
    succeed(sawlog().args(["store", "compact", "--data"]).arg(&data));
    assert_eq!(segments(), of("compaction", "2000"));
    // The journal still has the frames, which are known.
    let node = Node::start(&data, &["--syslog", "off"]);
    let counted = node.search("* | stats count() as n");
    assert_eq!(counted[0]["n"], 2_000, "{counted:?}");
}

/// Another process's lock on a directory, for a moment.
fn hold(lock: &Path, time: Duration) -> std::thread::JoinHandle<()> {
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    let held = Sys::real().fs.lock(lock).unwrap().expect("nobody has it");
    std::thread::spawn(move || {
        std::thread::sleep(time);
        drop(held);
    })
}

/// As of `dead drop`, which holds the dead letters while it changes them.
const MOMENT: Duration = Duration::from_millis(400);

#[test]
fn who_starts_waits_for_a_command_that_holds_its_directory() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("agent");
    let holding =
        [data.join("data/dead/lock"), data.join("data/journal/lock")].map(|lock| hold(&lock, MOMENT));
    let config = "[[input]]\ntype = \"forward\"\nlisten = \"127.0.0.1:0\"\n\n[[output]]\ntype = \"null\"\n";
    let agent = Agent::start(&data, config);
    holding.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(agent.forward > 0);

    let data = folder.path().join("node");
    let holding = hold(&data.join("dead/lock"), MOMENT);
    let node = Node::start(&data, &["--syslog", "off"]);
    holding.join().unwrap();
    assert_eq!(node.ingest("?tag=a", b"{\"n\":1}\n").0, 200);
}

#[test]
fn a_command_waits_for_who_starts_and_then_asks_it() {
    let folder = tempfile::tempdir().unwrap();
    for (mut command, data) in [
        (std::process::Command::new(program()), folder.path().join("agent")),
        (sawlog(), folder.path().join("node")),
    ] {
        let began = Instant::now();
        let holding = hold(&data.join("dead/lock"), MOMENT);
        command.args(["dead", "drop", "--all", "--data"]).arg(&data);
        let printed = String::from_utf8(succeed(&mut command)).unwrap();
        assert_eq!(printed, "0 letters with 0 records dropped\n");
        assert!(began.elapsed() >= MOMENT);
        holding.join().unwrap();
        // One that does not let go is named.
        let holding = hold(&data.join("dead/lock"), Duration::from_secs(4));
        let refused = output(&mut command);
        assert!(!refused.status.success());
        assert!(String::from_utf8_lossy(&refused.stderr).contains("another process uses this directory"));
        holding.join().unwrap();
    }
}
