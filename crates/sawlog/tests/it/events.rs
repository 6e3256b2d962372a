//! Application events from the Rust library to the terminal: sent to a node that is killed in between, found by type and
//! id, drawn as trees; and reports that redraw themselves.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sawlog_client::{Options, context, flush, set, stats};
use serde_json::{Value, json};

use crate::node::{Node, output, sawlog, succeed};

/// The library sends to one receiver a process.
pub static CLIENT: Mutex<()> = Mutex::new(());

const PATIENCE: Duration = Duration::from_secs(60);

fn lines(command: &mut Command) -> Vec<Value> {
    let text = String::from_utf8(succeed(command)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

fn request(number: u32) {
    let _request = context("request");
    set("number", number);
    {
        let _load = context(".load");
        let sql = context(".sql");
        sql.set("query", "SELECT 1");
    }
    sawlog_client::log("ERROR", "app", "it failed");
}

#[test]
fn a_request_is_found_and_shown_as_a_tree_with_and_without_a_node() {
    let _turn = CLIENT.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&folder.path().join("data"), &[]);
    let _guard = Options::to(format!("127.0.0.1:{}", node.forward)).configure().unwrap();
    (0..3).for_each(request);
    drop(context("job"));
    assert!(flush(PATIENCE), "{:?}", stats());
    node.wait_for("id:*", 13);

    let data = node.data.clone();
    let ask = |arguments: &[&str]| {
        let mut command = sawlog();
        command.arg("events").args(arguments).arg("--data").arg(&data);
        command
    };
    let check = |where_: &str| {
        let trees = lines(&mut ask(&["--json", "request"]));
        assert_eq!(trees.len(), 3, "{where_}");
        let numbers: Vec<_> = trees.iter().map(|tree| tree["events"][0]["body"]["number"].clone()).collect();
        assert_eq!(numbers, [2, 1, 0], "{where_}: the newest first");
        let shape: Vec<_> = trees[0]["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| (event["depth"].as_u64().unwrap(), event["type"].as_str().unwrap()))
            .collect();
        let expected = [(0, "request"), (1, "request.load"), (2, "request.load.sql"), (1, "request.log")];
        assert_eq!(shape, expected, "{where_}");
        // A pattern finds the tree by any event in it.
        for types in ["*.sql", "request.*", "request.l*"] {
            assert_eq!(lines(&mut ask(&["--json", types])).len(), 3, "{where_}: {types}");
        }
        assert_eq!(lines(&mut ask(&["--json"])).len(), 4, "{where_}: all types");
        assert_eq!(lines(&mut ask(&["--json", "job", "request", "--limit", "2"])).len(), 2, "{where_}");
        assert!(lines(&mut ask(&["--json", "nothing*"])).is_empty(), "{where_}");
        assert!(lines(&mut ask(&["--json", "--until", "1h"])).is_empty(), "{where_}");
        assert_eq!(lines(&mut ask(&["--json", "--since", "1h"])).len(), 4, "{where_}");
        let id = trees[1]["id"].as_str().unwrap();
        assert_eq!(lines(&mut ask(&["--json", "--id", id])), [trees[1].clone()], "{where_}");

        let text = String::from_utf8(succeed(&mut ask(&["--id", id]))).unwrap();
        let drawn: Vec<&str> = text.lines().collect();
        assert_eq!(drawn.len(), 4, "{text}");
        assert!(
            drawn[0].starts_with("request  ") && drawn[0].contains(id) && drawn[0].contains("number=1"),
            "{text}"
        );
        assert!(drawn[1].starts_with("  .load  ") && drawn[2].starts_with("    .sql  "), "{text}");
        assert!(drawn[2].ends_with("query=SELECT 1") && drawn[3].contains("msg=it failed"), "{text}");
        assert!(text.contains('━') && !text.contains('\x1b'), "no colours in a pipe: {text}");
    };
    check("from the node");
    node.shut_down();
    check("from the directory");
}

#[test]
fn events_without_spans_make_a_tree_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&folder.path().join("data"), &[]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let event = |kind: &str, id: Value, after: f64, seconds: f64| {
        let (start, end) = (now + after, now + after + seconds);
        json!({"type": kind, "id": id, "host": "vm", "pid": 7, "start": start, "end": end, "body": null})
            .to_string()
    };
    let events = [
        event("request.sql", json!("6b00"), 0.1, 0.1),
        event("request", json!("6b00"), 0.0, 0.5),
        event("job", json!(17), 0.0, 2.0),
        // Something else with a type and an id.
        json!({"type": "invoice", "id": 17, "start": "monday", "end": "friday"}).to_string(),
    ];
    assert_eq!(node.ingest("?tag=old", events.join("\n").as_bytes()).0, 200);
    node.wait_for("_tag:old", 4);
    let ask =
        |arguments: &[&str]| lines(sawlog().arg("events").args(arguments).arg("--data").arg(&node.data));
    let trees = ask(&["--json", "request*"]);
    let shape = |tree: &Value| {
        let events = tree["events"].as_array().unwrap().iter();
        events
            .map(|event| format!("{}{}", event["depth"], event["type"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!((trees.len(), shape(&trees[0])), (1, vec!["0request".to_owned(), "1request.sql".to_owned()]));
    let jobs = ask(&["--json", "--id", "17"]);
    assert_eq!((jobs.len(), shape(&jobs[0])), (1, vec!["0job".to_owned()]));
    node.shut_down();
}

#[test]
fn what_the_library_sent_is_there_once_after_kills() {
    let _turn = CLIENT.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut node = Node::start(&data, &[]);
    let address = format!("127.0.0.1:{}", node.forward);
    let mut options = Options::to(address.clone());
    options.interval = Duration::from_millis(5);
    options.ack_timeout = Duration::from_secs(5);
    let _guard = options.configure().unwrap();
    let mut sent = 0;
    for _ in 0..3 {
        for _ in 0..200 {
            context("counted").set("number", sent);
            sent += 1;
            if sent % 50 == 0 {
                // Some are acknowledged when the node is killed, some are on their way, some wait.
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        node.kill();
        let killed = sent + 100;
        while sent < killed {
            context("counted").set("number", sent);
            sent += 1;
        }
        node = Node::start(&data, &["--forward", &address]);
    }
    assert!(flush(PATIENCE), "{:?}", stats());
    assert_eq!(stats().unwrap().acknowledged, sent);
    let found = node.wait_for("type:=counted", sent as usize);
    let mut numbers: Vec<u64> = found
        .iter()
        .map(|event| event["_line"].as_str().unwrap())
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["body"]["number"].as_u64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..sent), "each once");
    node.shut_down();
}

#[test]
fn a_report_is_asked_again_and_again_in_plain_lines() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&folder.path().join("data"), &[]);
    let event = |service: &str| format!("{{\"service\":\"{service}\",\"level\":\"error\"}}\n").into_bytes();
    assert_eq!(node.ingest("", &event("api").repeat(3)).0, 200);
    node.wait_for("service:api", 3);
    let query = "level:error | stats count() as n by (service) | sort n desc";
    let data = node.data.clone();
    let watch = |arguments: &[&str]| {
        let mut command = sawlog();
        command.args(["watch", query, "--interval", "100ms", "--data"]).arg(&data).args(arguments);
        command
    };
    let text = String::from_utf8(succeed(&mut watch(&["--count", "2"]))).unwrap();
    let rounds: Vec<&str> = text.lines().collect();
    assert_eq!(rounds.len(), 6, "{text}");
    assert!(
        rounds[0].starts_with("# 20") && rounds[1] == "service  n" && rounds[2] == "api      3",
        "{text}"
    );

    // Another process sees the change of what it watches, and ends at Ctrl-C as if nothing were wrong.
    let mut child = watch(&["--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&answers.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["rows"][0]["n"], 3);
    assert_eq!(node.ingest("", &event("shop")).0, 200);
    let until = Instant::now() + PATIENCE;
    while next()["rows"].as_array().unwrap().len() < 2 {
        assert!(Instant::now() < until, "the new row comes");
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let rest = answers.count();
    assert!(child.wait().unwrap().success() && rest < 100);

    let rows = lines(&mut watch(&["--json", "--count", "1", "--rows", "1"]));
    assert_eq!(rows[0]["rows"].as_array().unwrap().len(), 1, "bounded");
    assert!(
        lines(&mut watch(&["--json", "--count", "1", "--since", "1ms"]))[0]["rows"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let failed = |command: &mut Command| {
        let output = output(command);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(failed(sawlog().args(["watch", "a | stast", "--data"]).arg(&node.data)).contains("stats"));
    assert!(
        failed(sawlog().args(["watch", "--interval", "soon", "--data"]).arg(&data)).contains("no duration")
    );
    node.shut_down();
    assert!(failed(&mut watch(&[])).contains("sawlog run --data"));
}
