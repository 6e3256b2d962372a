//! A node with a followed file, a forward sender and HTTP: what arrives is found at once, everywhere.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::forward::Sender;
use crate::node::{Node, sawlog, succeed};

#[test]
fn a_line_appended_to_a_followed_file_is_found_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("app.log");
    let mut file = std::fs::File::create(&log).unwrap();
    let node =
        Node::start(&folder.path().join("data"), &["--tail", &folder.path().join("*.log").to_string_lossy()]);
    // A machine that does much else may keep one of them waiting.
    let quickest = (1..=5).map(|count| {
        writeln!(file, "2026-11-20 10:02:17,113 ERROR upstream timeout after 30 s").unwrap();
        let start = Instant::now();
        node.wait_for("upstream timeout", count);
        start.elapsed()
    });
    let quickest = quickest.min().unwrap();
    assert!(quickest < Duration::from_secs(1), "found after {quickest:?}");
    let found = node.wait_for("upstream timeout", 5);
    assert_eq!(found[0]["_line"], "2026-11-20 10:02:17,113 ERROR upstream timeout after 30 s");
    assert_eq!(found[0]["_time"], "2026-11-20T10:02:17.113Z");
    assert_eq!(found[0]["level"], "ERROR");
    assert_eq!(found[0]["_path"], *log.to_string_lossy());
    let printed =
        succeed(sawlog().args(["search", "timeout", "--json", "--limit", "1", "--data"]).arg(&node.data));
    let printed: serde_json::Value = serde_json::from_slice(&printed).unwrap();
    assert_eq!(printed["_offset"], 4 * 58, "the newest");
    node.shut_down();
}

#[test]
fn forward_events_keep_tag_nanoseconds_and_types() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&folder.path().join("data"), &[]);
    let mut sender = Sender::connect(node.forward).unwrap();
    assert!(sender.send("app.web", 1_700_000_000, 123_456_789, 17, "Y2h1bms=").unwrap());
    let found = node.wait_for("n:17", 1);
    assert_eq!(found[0]["_tag"], "app.web");
    assert_eq!(found[0]["_time"], "2023-11-14T22:13:20.123456789Z");
    assert_eq!(found[0]["n"], 17);
    assert_eq!(found[0]["_line"], r#"{"n":17,"text":"an event of the test"}"#);
    // A sender that did not see the ack sends the same chunk again: it is one event all the same.
    assert!(sender.send("app.web", 1_700_000_000, 123_456_789, 17, "Y2h1bms=").unwrap());
    assert!(sender.send("app.web", 1_700_000_001, 0, 18, "b3RoZXI=").unwrap());
    assert_eq!(node.wait_for("event", 2).len(), 2);
    node.shut_down();
}

#[test]
fn http_events_are_durable_when_answered_and_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let node = Node::start(&data, &[]);
    let (status, answer) =
        node.ingest("?tag=shop", b"{\"level\":\"warn\",\"user\":{\"id\":7}}\n{\"level\":\"info\"}\n");
    assert!((200..300).contains(&status), "{status} {answer}");
    node.kill();
    let node = Node::start(&data, &[]);
    let found = node.wait_for("user.id:=7", 1);
    assert_eq!(found[0]["_tag"], "shop");
    assert_eq!(node.search("").len(), 2);
    let counts = node.search("* | stats count() as n by (level) | sort level");
    assert_eq!(counts.len(), 2);
    assert_eq!(counts[0]["level"], "info");
    node.shut_down();
    // The same without a node: the directory is read.
    let text =
        succeed(sawlog().args(["sql", "SELECT count(*) AS n FROM logs", "--json", "--data"]).arg(&data));
    assert_eq!(String::from_utf8(text).unwrap().trim(), r#"{"n":2}"#);
}

#[test]
fn a_live_tail_gives_what_its_query_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&folder.path().join("data"), &[]);
    let mut tail = sawlog();
    tail.args(["tail", "wanted", "--json", "--data"]).arg(&node.data).stdout(Stdio::piped());
    let mut tail = tail.spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(tail.stdout.take().unwrap()));
    // The tail has begun when the node counts it; sending until it is seen needs no such knowledge.
    let (send, seen) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || send.send(lines.next().unwrap().unwrap()));
    let first = loop {
        node.ingest("", b"{\"m\":\"other\"}\n{\"m\":\"wanted one\"}\n");
        match seen.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => break line,
            Err(error) => assert_eq!(error, std::sync::mpsc::RecvTimeoutError::Timeout),
        }
    };
    tail.kill().unwrap();
    tail.wait().unwrap();
    reader.join().unwrap().unwrap();
    let record: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert_eq!(record["m"], "wanted one");
    node.shut_down();
}

#[test]
fn a_second_node_on_the_same_directory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&folder.path().join("data"), &[]);
    let second = sawlog().args(["run", "--http", "127.0.0.1:0", "--data"]).arg(&node.data).output().unwrap();
    assert!(!second.status.success());
    let words = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(words.contains("in use by another sawlog"), "{words}");
    node.shut_down();
}

#[test]
fn a_directory_that_is_let_go_in_a_moment_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let node = Node::start(&data, &[]);
    let mut second = sawlog();
    second
        .args(["run", "--http", "127.0.0.1:0", "--forward", "127.0.0.1:0", "--data"])
        .arg(&data)
        .stdout(Stdio::piped());
    let mut second = second.spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    node.kill();
    let mut ready = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(second.stdout.take().unwrap()), &mut ready)
        .unwrap();
    second.kill().unwrap();
    second.wait().unwrap();
    assert!(ready.starts_with("sawlog ready"), "{ready:?}");
}
