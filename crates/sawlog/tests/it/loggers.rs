//! Loggers of a running node: made and changed by command, and what they keep no longer goes with its bytes.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::node::{Node, sawlog, succeed};

/// Bytes of the segments below a directory of data.
fn segments(data: &Path) -> u64 {
    let mut bytes = 0;
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "seg") {
                // A file may go while it is looked at.
                bytes += entry.metadata().map_or(0, |metadata| metadata.len());
            }
        }
    }
    bytes
}

/// Lines of an hour that are hard to compress, so that bytes tell.
fn lines(days_ago: u64, name: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let mut state = days_ago * 7 + name.len() as u64 + 1;
    let line = |row: u64, state: &mut u64| {
        let mut word = String::new();
        for _ in 0..4 {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            word += &format!("{:016x}", *state);
        }
        let time = now - days_ago * 86_400 + row;
        format!("{{\"time\":{time},\"message\":\"{name} {row} {word}\"}}\n")
    };
    (0..2_000).map(|row| line(row, &mut state)).collect()
}

#[test]
fn what_loggers_keep_no_longer_goes_with_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let node = Node::start(&data, &[]);
    for (tag, days_ago) in [("web", 40), ("web", 1), ("audit", 40), ("other", 40)] {
        let (status, words) = node.ingest(&format!("?tag={tag}"), lines(days_ago, tag).as_bytes());
        assert_eq!(status, 200, "{words}");
    }
    let old = format!("_time:[\"{}\", now]", "2000-01-01");
    let count = |query: &str| -> u64 {
        let found = node.search(&format!("{query} {old} | stats count() as n"));
        found.first().and_then(|row: &Value| row["n"].as_u64()).unwrap_or(0)
    };
    assert_eq!(count("*"), 8_000);
    ureq::post(format!("{}/api/v1/flush", node.http)).send_empty().unwrap();
    let before = segments(&data);
    let logger = |words: &[&str]| {
        succeed(sawlog().args(["logger", "set"]).args(words).arg("--data").arg(&data));
    };
    // Made in this order, so that nothing of `audit` goes before it is told to stay.
    logger(&["audit", "--selector", "_tag:audit", "--days", "365"]);
    logger(&["all", "--selector", "_tag:web OR _tag:audit", "--days", "30"]);
    let began = Instant::now();
    while count("_tag:web") > 2_000 {
        assert!(began.elapsed() < Duration::from_secs(120), "old rows do not go");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!((count("_tag:web"), count("_tag:audit"), count("_tag:other")), (2_000, 2_000, 2_000));
    // The files of before go a little later.
    while segments(&data) * 100 > before * 85 {
        assert!(began.elapsed() < Duration::from_secs(120), "{} bytes of {before} are left", segments(&data));
        std::thread::sleep(Duration::from_millis(200));
    }
    node.shut_down();
    let node = Node::start(&data, &[]);
    assert_eq!(node.search(&format!("{old} | stats count() as n"))[0]["n"], 6_000);
    node.shut_down();
}
