//! The scripts of docs/examples, as their readers would start them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use sawlog_client::{Options, context, flush, set};

use crate::events::CLIENT;
use crate::node::{Node, sawlog};

const PATIENCE: Duration = Duration::from_secs(60);

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples").join(name)
}

fn has_python(test: &str) -> bool {
    let found = Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        println!("SKIPPED {test}: there is no python3");
    }
    found
}

/// Makes events until the script has seen enough of them and ends; what it printed. A live stream has only what comes after
/// it was opened, and nobody says from outside when that was.
fn while_it_reads(mut script: Child) -> String {
    let until = Instant::now() + PATIENCE;
    while script.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "the script ends");
        for _ in 0..5 {
            let _request = context("request");
            context(".sql").set("query", "SELECT 1");
            set("exception", "it failed");
        }
        flush(Duration::from_secs(5));
    }
    let output = script.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn errors_are_told_by_service() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&folder.path().join("data"), &[]);
    let event = |service: &str| format!("{{\"service\":\"{service}\",\"level\":\"error\"}}\n");
    assert_eq!(node.ingest("", (event("api").repeat(7) + &event("shop")).as_bytes()).0, 200);
    node.wait_for("level:error", 8);
    let bin = Path::new(env!("CARGO_BIN_EXE_sawlog")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut script = Command::new("sh");
    script.arg(example("errors.sh")).args(["--count", "1", "--data"]).arg(&node.data);
    let output = script.env("PATH", path).env("MOST", "5").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let words: Vec<&str> = text.split_whitespace().collect();
    assert!(words.len() == 3 && words[0].starts_with("20") && words[1..] == ["api", "7"], "{text}");
}

#[test]
fn slow_events_are_told_by_type() {
    if !has_python("slow_events_are_told_by_type") {
        return;
    }
    let _turn = CLIENT.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&folder.path().join("data"), &[]);
    let _guard = Options::to(format!("127.0.0.1:{}", node.forward)).configure().unwrap();
    let mut tail = sawlog();
    tail.args(["tail", "--json", "type:*", "--data"]).arg(&node.data).stdout(Stdio::piped());
    let mut tail = tail.spawn().unwrap();
    let mut script = Command::new("python3");
    script.arg(example("slow.py")).args(["--every", "10", "--events", "20"]);
    let script = script.stdin(tail.stdout.take().unwrap()).stdout(Stdio::piped()).spawn().unwrap();
    let text = while_it_reads(script);
    let _ = tail.kill();
    let _ = tail.wait();
    assert_eq!(text.matches("median").count(), 2, "{text}");
    for name in ["request ", "request.sql "] {
        let line = text.lines().rev().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{text}"));
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(words[1].parse::<u32>().unwrap() >= 5 && words[5].len() == 32, "{line}");
    }
}

#[test]
fn types_are_counted_over_http() {
    if !has_python("types_are_counted_over_http") {
        return;
    }
    let _turn = CLIENT.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&folder.path().join("data"), &[]);
    let _guard = Options::to(format!("127.0.0.1:{}", node.forward)).configure().unwrap();
    let mut script = Command::new("python3");
    script.arg(example("event_types.py")).args(["--every", "0.2", "--reports", "2", &node.http]);
    let text = while_it_reads(script.stdout(Stdio::piped()).spawn().unwrap());
    let line = text.lines().find(|line| line.starts_with("  request ")).unwrap_or_else(|| panic!("{text}"));
    let words: Vec<&str> = line.split_whitespace().collect();
    assert!(words[1] == words[2] && words[1] != "0", "all requests failed: {text}");
    let sql = text.lines().find(|line| line.starts_with("  request.sql ")).unwrap();
    assert!(sql.ends_with(" 0 failed"), "{text}");
}
