//! What an operator does with a running node and a running agent: dead letters, reload, status, tap, the listener of the state.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::agent::{Agent, program};
use crate::node::{Node, output, sawlog, succeed};

/// An HTTP server that answers every request alike, and keeps the bodies that it has answered with 200.
struct Server {
    port: u16,
    state: Arc<Mutex<(u16, Vec<String>)>>,
}

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new((400, Vec::new())));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = shared.clone();
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Server { port, state }
    }

    fn answer(&self, status: u16) {
        self.state.lock().unwrap().0 = status;
    }

    fn bodies(&self) -> Vec<String> {
        self.state.lock().unwrap().1.clone()
    }
}

/// Answers requests until the other side goes.
fn serve(stream: TcpStream, state: &Mutex<(u16, Vec<String>)>) -> Option<()> {
    let mut lines = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.to_ascii_lowercase();
            if let Some(text) = line.strip_prefix("content-length:") {
                length = text.trim().parse().ok()?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        lines.read_exact(&mut body).ok()?;
        let mut state = state.lock().unwrap();
        if state.0 == 200 {
            state.1.push(String::from_utf8(body).unwrap());
        }
        let answer = format!("HTTP/1.1 {} X\r\ncontent-length: 4\r\n\r\nwhy!", state.0);
        drop(state);
        lines.get_mut().write_all(answer.as_bytes()).ok()?;
    }
}

fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what} did not come about in a minute");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// `[TAG, 1, {"m": WORD}]` of the forward protocol.
fn send(stream: &mut TcpStream, tag: &str, word: &str) {
    let mut message = vec![0x93, 0xa0 + tag.len() as u8];
    message.extend_from_slice(tag.as_bytes());
    message.extend_from_slice(&[1, 0x81, 0xa1, b'm', 0xa0 + word.len() as u8]);
    message.extend_from_slice(word.as_bytes());
    stream.write_all(&message).expect("the connection stays");
}

fn http_output(port: u16) -> String {
    format!("[[output]]\ntype = \"http\"\nendpoint = \"http://127.0.0.1:{port}/\"\nid = \"web\"\n")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn on(data: &Path, arguments: &[&str]) -> String {
    text(succeed(sawlog().args(arguments).arg("--data").arg(data)))
}

#[test]
fn a_refused_row_is_shown_and_replayed_once_over_kills() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("sawlog.toml"));
    let server = Server::start();
    std::fs::write(&config, http_output(server.port)).unwrap();
    let start = || Node::start(&data, &["--config", config.to_str().unwrap()]);
    let node = start();
    send(&mut TcpStream::connect(("127.0.0.1", node.forward)).unwrap(), "app", "alpha");
    let list = || on(&data, &["dead", "list", "--json"]);
    wait_until("a letter", || list().lines().count() == 1);
    let letter: Value = serde_json::from_str(&list()).unwrap();
    assert_eq!((letter["output"].as_str(), letter["why"].as_str()), (Some("web"), Some("refused")));
    assert!(letter["reason"].as_str().unwrap().contains("400"), "{letter}");
    assert!(letter["time"].as_str().unwrap().starts_with("20"), "{letter}");
    let found = node.wait_for("alpha", 1);
    let shown: Value = serde_json::from_str(&on(&data, &["dead", "show", "--json"])).unwrap();
    let address = shown["address"].as_str().unwrap();
    assert!(address.ends_with(&format!(":{}", found[0]["_offset"])), "{address}");
    assert_eq!(shown["line"], "{\"m\":\"alpha\"}");
    assert!(on(&data, &["dead", "show"]).contains("{\"m\":\"alpha\"}"));
    wait_until("its being counted", || {
        let metrics = node.get("/metrics");
        metrics.lines().any(|line| line == "sawlog_output_dead_records{role=\"output\",part=\"web\"} 1")
    });
    node.kill();

    assert_eq!(list().lines().count(), 1, "it outlives a kill");
    let node = start();
    assert_eq!(list().lines().count(), 1);
    let none = output(sawlog().args(["dead", "replay"]).arg("--data").arg(&data));
    assert!(!none.status.success(), "what is meant must be named");
    server.answer(200);
    let number = letter["number"].to_string();
    assert_eq!(on(&data, &["dead", "replay", &number]), "1 letters with 1 records replayed\n");
    wait_until("its delivery", || server.bodies().len() == 1);
    assert_eq!(list(), "");
    node.get("/healthz");
    ureq::post(format!("{}/api/v1/flush", node.http)).send_empty().unwrap();
    node.kill();

    let node = start();
    send(&mut TcpStream::connect(("127.0.0.1", node.forward)).unwrap(), "app", "beta");
    wait_until("what comes next", || server.bodies().iter().any(|body| body.contains("beta")));
    let alphas = server.bodies().iter().filter(|body| body.contains("alpha")).count();
    assert_eq!(alphas, 1, "{:?}", server.bodies());
    assert_eq!(node.search("alpha").len(), 1, "the store had it already");
    node.shut_down();
}

#[test]
fn letters_are_replayed_or_dropped_also_while_no_node_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("sawlog.toml"));
    let server = Server::start();
    std::fs::write(&config, http_output(server.port)).unwrap();
    let start = || Node::start(&data, &["--config", config.to_str().unwrap()]);
    let node = start();
    let mut stream = TcpStream::connect(("127.0.0.1", node.forward)).unwrap();
    let list = || on(&data, &["dead", "list", "--output", "web"]);
    for (index, word) in ["alpha", "beta"].iter().enumerate() {
        send(&mut stream, "app", word);
        wait_until("a letter", || list().lines().count() == index + 1);
    }
    node.shut_down();
    let numbers: Vec<String> =
        list().lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
    assert_eq!(on(&data, &["dead", "drop", &numbers[0]]), "1 letters with 1 records dropped\n");
    let asked = on(&data, &["dead", "replay", "--output", "web"]);
    assert_eq!(asked, "1 letters with 1 records will be replayed when a node starts here\n");
    server.answer(200);
    let node = start();
    wait_until("its delivery", || server.bodies().len() == 1);
    assert!(server.bodies()[0].contains("beta"));
    wait_until("its going", || list().is_empty());
    node.shut_down();
}

#[test]
fn a_reload_says_what_changed_or_everything_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (data, config) = (path("data"), path("sawlog.toml"));
    let tail = |name: &str| format!("[[input]]\ntype = \"tail\"\npaths = {:?}\n", path(name));
    std::fs::write(&config, tail("one.log")).unwrap();
    let node = Node::start(&data, &["--config", config.to_str().unwrap()]);
    assert_eq!(on(&data, &["reload"]), "nothing has changed\n");
    std::fs::write(path("two.log"), "beta\n").unwrap();
    std::fs::write(&config, tail("one.log") + &tail("two.log")).unwrap();
    assert_eq!(on(&data, &["reload"]), "input tail: added\n");
    node.wait_for("beta", 1);
    std::fs::write(&config, "[[input]]\ntype = \"tial\"\n\n[[output]]\ntype = \"stdoot\"\n").unwrap();
    let refused = output(sawlog().args(["reload", "--data"]).arg(&data));
    assert!(!refused.status.success());
    let words = text(refused.stderr);
    for part in ["sawlog.toml:2:", "`tail`", "sawlog.toml:5:", "`stdout`", "still holds"] {
        assert!(words.contains(part), "{part} in {words}");
    }
    let mut two = std::fs::File::options().append(true).open(path("two.log")).unwrap();
    two.write_all(b"beta again\n").unwrap();
    node.wait_for("beta", 2);
    node.shut_down();
}

#[test]
fn status_tells_of_queue_lag_and_retries() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("sawlog.toml"));
    let server = Server::start();
    server.answer(503);
    std::fs::write(&config, "status = \"127.0.0.1:0\"\n".to_owned() + &http_output(server.port)).unwrap();
    let node = Node::start(&data, &["--config", config.to_str().unwrap()]);
    send(&mut TcpStream::connect(("127.0.0.1", node.forward)).unwrap(), "app", "alpha");
    let web = || {
        let status: Value = serde_json::from_str(&on(&data, &["status", "--json"])).unwrap();
        let parts = status["parts"].as_array().unwrap().clone();
        parts.into_iter().find(|part| part["name"] == "web").expect("the output")
    };
    wait_until("a retry", || {
        web()["retries"].as_u64().unwrap() > 0 && web()["lag_seconds"].as_f64().unwrap() > 0.0
    });
    let part = web();
    assert_eq!(part["state"], "retrying", "{part}");
    assert!(part["queue_bytes"].as_u64().unwrap() > 0, "{part}");
    assert!(part["last_error"].as_str().unwrap().contains("503"), "{part}");
    let plain = on(&data, &["status"]);
    let line = plain.lines().find(|line| line.starts_with("output\tweb\tretrying\t")).expect("a line");
    assert!(line.contains("\tqueue_bytes=") && line.contains("\tlast_error=http://"), "{line}");
    let board = node.status.clone().expect("a listener");
    let page = ureq::get(&board).call().unwrap().body_mut().read_to_string().unwrap();
    assert!(page.contains("Ik Scoreboard") && page.contains("Retrying"), "{page}");
    server.answer(200);
    wait_until("its delivery", || {
        let part = web();
        part["state"] == "running" && part["queue_bytes"] == 0 && part["lag_seconds"] == 0.0
    });
    node.shut_down();
}

/// A command that goes on, with the lines that it has printed.
struct Following {
    child: Child,
    lines: Arc<Mutex<VecDeque<String>>>,
}

impl Following {
    fn start(command: &mut Command) -> Following {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
        let (out, lines) = (child.stdout.take().unwrap(), Arc::new(Mutex::new(VecDeque::new())));
        let shared = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                shared.lock().unwrap().push_back(line);
            }
        });
        Following { child, lines }
    }

    /// The first line, once there is one; `again` is done until then.
    fn first(&self, mut again: impl FnMut()) -> String {
        let start = Instant::now();
        loop {
            if let Some(line) = self.lines.lock().unwrap().front() {
                return line.clone();
            }
            assert!(start.elapsed() < Duration::from_secs(60), "nothing was printed");
            again();
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn has(&self, word: &str) -> bool {
        self.lines.lock().unwrap().iter().any(|line| line.contains(word))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_tap_shows_what_passes_with_a_tag_that_fits() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let node = Node::start(&data, &[]);
    let mut stream = TcpStream::connect(("127.0.0.1", node.forward)).unwrap();
    let tap = Following::start(sawlog().args(["tap", "app.**", "--json", "--data"]).arg(&data));
    let line = tap.first(|| {
        send(&mut stream, "other", "beta");
        send(&mut stream, "app.web", "alpha");
    });
    let record: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(record["_line"], "{\"m\":\"alpha\"}");
    assert!(!tap.has("beta"));
    let wrong = output(sawlog().args(["tap", "a{", "--data"]).arg(&data));
    assert!(!wrong.status.success());
    node.shut_down();
}

#[test]
fn an_agent_is_asked_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start();
    let input = "[[input]]\ntype = \"forward\"\nlisten = \"127.0.0.1:0\"\n";
    let agent_dir = folder.path().join("agent");
    let agent = Agent::start(&agent_dir, &(input.to_owned() + &http_output(server.port)));
    let command = |arguments: &[&str]| {
        let mut command = Command::new(program());
        command.args(arguments).arg("--data").arg(agent_dir.join("data"));
        command
    };
    let ask = |arguments: &[&str]| text(succeed(&mut command(arguments)));
    let mut stream = TcpStream::connect(("127.0.0.1", agent.forward)).unwrap();
    let tap = Following::start(&mut command(&["tap", "app.*"]));
    let line = tap.first(|| {
        send(&mut stream, "other", "beta");
        send(&mut stream, "app.web", "alpha");
    });
    assert!(line.contains(" app.web {\"m\":\"alpha\"}"), "{line}");
    assert!(!tap.has("beta"));
    drop(tap);
    wait_until("letters", || ask(&["dead", "list"]).lines().count() >= 2);
    let status: Value = serde_json::from_str(&ask(&["status"])).unwrap();
    let parts = status["parts"].as_array().unwrap();
    let web = parts.iter().find(|part| part["name"] == "web").expect("the output");
    assert!(web["dead"].as_u64().unwrap() >= 2, "{web}");
    assert!(ask(&["dead", "show"]).contains("{\"m\":\"alpha\"}"));
    server.answer(200);
    assert!(ask(&["dead", "replay", "--output", "web"]).ends_with(" records replayed\n"));
    wait_until("delivery", || server.bodies().iter().any(|body| body.contains("alpha")));
    wait_until("the letters' going", || ask(&["dead", "list"]).is_empty());

    assert_eq!(ask(&["reload"]), "nothing has changed\n");
    std::fs::write(agent_dir.join("agent.toml"), "[[input]]\ntype = \"forwrad\"\n").unwrap();
    let refused = output(&mut command(&["reload"]));
    assert!(!refused.status.success());
    let words = text(refused.stderr);
    assert!(words.contains("agent.toml:2:") && words.contains("`forward`"), "{words}");
    let changed = input.to_owned() + &http_output(server.port) + "retryable_response_codes = [\"500\"]\n";
    std::fs::write(agent_dir.join("agent.toml"), changed).unwrap();
    assert_eq!(ask(&["reload"]), "output web: changed\n");
    agent.stop();
    let nobody = output(&mut command(&["status"]));
    assert!(text(nobody.stderr).contains("no agent runs on"));
}

#[test]
fn what_a_forwarder_gave_up_arrives_once_when_it_is_replayed_over_kills() {
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = format!(
        "[[input]]\ntype = \"forward\"\nlisten = \"127.0.0.1:0\"\n\n[[output]]\ntype = \"forward\"\nid = \"hub\"\n\
         to = \"127.0.0.1:{port}\"\nqueue.retry_times = 2\n"
    );
    let agent_dir = folder.path().join("agent");
    let start = || Agent::start(&agent_dir, &config);
    let ask = |arguments: &[&str]| {
        text(succeed(Command::new(program()).args(arguments).arg("--data").arg(agent_dir.join("data"))))
    };
    let agent = start();
    send(&mut TcpStream::connect(("127.0.0.1", agent.forward)).unwrap(), "app", "alpha");
    wait_until("a letter", || ask(&["dead", "list"]).contains("given_up"));
    agent.kill();
    let agent = start();
    assert_eq!(ask(&["dead", "list"]).lines().count(), 1);
    let node = Node::start(&folder.path().join("data"), &["--forward", &format!("127.0.0.1:{port}")]);
    send(&mut TcpStream::connect(("127.0.0.1", agent.forward)).unwrap(), "app", "beta");
    node.wait_for_within("beta", 1, Duration::from_secs(60));
    assert_eq!(ask(&["dead", "replay", "--all"]), "1 letters with 1 records replayed\n");
    agent.kill();
    let agent = start();
    node.wait_for_within("alpha", 1, Duration::from_secs(60));
    send(&mut TcpStream::connect(("127.0.0.1", agent.forward)).unwrap(), "app", "gamma");
    node.wait_for_within("gamma", 1, Duration::from_secs(60));
    assert_eq!(node.search("alpha").len(), 1);
    assert_eq!(ask(&["dead", "list"]), "");
    agent.stop();
    node.shut_down();
}
