//! kill -9 at random moments while a file grows and rotates and a forward client sends with ack: afterwards every line
//! and every acknowledged event is there exactly once and in order.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use sawlog_sys::sim::Dice;

use crate::forward::Sender;
use crate::node::Node;

/// How often the node is killed; `SAWLOG_SLOW` makes it a longer evening.
fn cycles() -> usize {
    if std::env::var_os("SAWLOG_SLOW").is_some() { 1_000 } else { 100 }
}

/// Writes numbered lines, some in two pieces, and renames the file now and then; gives how many lines.
fn write_lines(folder: PathBuf, stop: Arc<AtomicBool>) -> u64 {
    let path = folder.join("app.log");
    let mut dice = Dice(7);
    let mut file = std::fs::File::create(&path).unwrap();
    let (mut number, mut rotations) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..=dice.below(40) {
            let line = format!("2026-11-20 10:00:00,000 INFO  writer line {number} of the test\n");
            let cut = dice.below(line.len());
            file.write_all(&line.as_bytes()[..cut]).unwrap();
            if dice.below(50) == 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
            file.write_all(&line.as_bytes()[cut..]).unwrap();
            number += 1;
        }
        if dice.below(60) == 0 {
            rotations += 1;
            std::fs::rename(&path, folder.join(format!("app.log.{rotations}"))).unwrap();
            file = std::fs::File::create(&path).unwrap();
        }
        std::thread::sleep(Duration::from_millis(3));
    }
    number
}

/// Sends numbered events, each until it is acknowledged, always under its own chunk id; gives how many.
fn send_events(port: Arc<AtomicU16>, stop: Arc<AtomicBool>, acknowledged: Arc<AtomicU64>) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut sender) = Sender::connect(port.load(Ordering::Relaxed)) else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        while !stop.load(Ordering::Relaxed) {
            let chunk = format!("chunk-{number:012}");
            match sender.send("crash.events", 1_763_600_000 + number as u32, 5, number, &chunk) {
                Ok(true) => number += 1,
                Ok(false) => panic!("the ack of another chunk"),
                Err(_) => break,
            }
            acknowledged.store(number, Ordering::Relaxed);
        }
    }
}

fn kill_again_and_again(data: &Path, glob: &str, port: &AtomicU16) {
    let mut dice = Dice(0x5eed);
    for _ in 0..cycles() {
        let node = Node::start(data, &["--tail", glob]);
        port.store(node.forward, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(dice.below(250) as u64));
        node.kill();
    }
}

/// The numbers after `word` in each record's line, in the order of the records' addresses per source.
fn numbers(records: &[serde_json::Value], field: impl Fn(&serde_json::Value) -> Option<u64>) -> Vec<u64> {
    records.iter().filter_map(field).collect()
}

fn assert_each_once(what: &str, mut found: Vec<u64>, expected: u64) {
    found.sort_unstable();
    let doubled: Vec<u64> = found.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    let lost: Vec<u64> = (0..expected).filter(|number| found.binary_search(number).is_err()).collect();
    assert!(doubled.is_empty(), "{what}: {} doubled, first {:?}", doubled.len(), doubled.first());
    assert!(lost.is_empty(), "{what}: {} of {expected} lost, first {:?}", lost.len(), lost.first());
}

#[test]
fn killed_a_hundred_times_nothing_is_lost_or_doubled() {
    let folder = tempfile::tempdir().unwrap();
    let (logs, data) = (folder.path().join("logs"), folder.path().join("data"));
    std::fs::create_dir(&logs).unwrap();
    let glob = logs.join("app.log*").to_string_lossy().into_owned();
    let stop = Arc::new(AtomicBool::new(false));
    let port = Arc::new(AtomicU16::new(1));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let writer = std::thread::spawn({
        let (logs, stop) = (logs.clone(), stop.clone());
        move || write_lines(logs, stop)
    });
    let sender = std::thread::spawn({
        let (port, stop, acknowledged) = (port.clone(), stop.clone(), acknowledged.clone());
        move || send_events(port, stop, acknowledged)
    });
    kill_again_and_again(&data, &glob, &port);

    let node = Node::start(&data, &["--tail", &glob]);
    port.store(node.forward, Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(200));
    stop.store(true, Ordering::Relaxed);
    let lines = writer.join().unwrap();
    sender.join().unwrap();
    let events = acknowledged.load(Ordering::Relaxed);
    assert!(lines > 1_000 && events > 100, "the test did too little: {lines} lines, {events} events");

    let found = wait_for_lines(&node, lines);
    let line_number = |record: &serde_json::Value| {
        record["_line"].as_str()?.split(" line ").nth(1)?.split(' ').next()?.parse().ok()
    };
    assert_each_once("lines", numbers(&found, line_number), lines);
    assert_in_order(&found, line_number);
    let found = node.search("_tag:crash.events");
    // At most one event more than was acknowledged: the one in flight when the test ended.
    let sent = numbers(&found, |record| record["n"].as_u64());
    assert!(sent.len() as u64 <= events + 1);
    assert_each_once("events", sent, events);
    node.shut_down();
}

/// The records of the followed files, once there are as many as were written (or 20 s have passed).
fn wait_for_lines(node: &Node, lines: u64) -> Vec<serde_json::Value> {
    for _ in 0..100 {
        let counts = node.search("writer | stats count() as n");
        if counts.first().and_then(|row| row["n"].as_u64()) >= Some(lines) {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    node.search("writer")
}

/// Within a source and epoch, numbers grow with the offset.
fn assert_in_order(records: &[serde_json::Value], number: impl Fn(&serde_json::Value) -> Option<u64>) {
    let mut rows: Vec<(String, u64, u64, u64)> = records
        .iter()
        .map(|record| {
            let source = record["_source"].as_str().unwrap().to_owned();
            let epoch = record["_epoch"].as_u64().unwrap();
            (source, epoch, record["_offset"].as_u64().unwrap(), number(record).unwrap())
        })
        .collect();
    rows.sort();
    for pair in rows.windows(2).filter(|pair| pair[0].0 == pair[1].0 && pair[0].1 == pair[1].1) {
        assert!(pair[0].3 < pair[1].3, "out of order: {:?} before {:?}", pair[0], pair[1]);
    }
}
