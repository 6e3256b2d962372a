//! Fluentd's and ik's configurations of many shapes, run as they are: the records that come out are those that Fluentd gives.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long a record may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn shape(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fluent").join(name)
}

/// An agent that runs a configuration, in a directory of its own with the files of `input` as `logs`.
struct Agent {
    child: Child,
    lines: Receiver<String>,
    /// What it printed before it was ready.
    early: Vec<String>,
    ready: String,
    dir: tempfile::TempDir,
}

impl Agent {
    fn start(name: &str, port: u16, arguments: &[&str]) -> Agent {
        let dir = tempfile::tempdir().expect("a directory");
        let logs = dir.path().join("logs");
        std::fs::create_dir_all(&logs).expect("a directory");
        copy(&shape(name).join("input"), &logs);
        let mut child = Command::new(env!("CARGO_BIN_EXE_sawlog-agent"))
            .args(["run", "--data", "data", "-c"])
            .arg(shape(name).join("fluent.conf"))
            .args(arguments)
            .current_dir(dir.path())
            .envs([("LOGS", logs.to_str().expect("a name")), ("PORT", &port.to_string()), ("TZ", "UTC")])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the agent starts");
        let out = BufReader::new(child.stdout.take().expect("its output"));
        let (sender, lines) = channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut agent = Agent { child, lines, early: Vec::new(), ready: String::new(), dir };
        // What followed files hold may be printed before all inputs are there.
        while !agent.ready.starts_with("sawlog-agent ready") {
            let line = agent.lines.recv_timeout(PATIENCE).expect("it says that it is ready");
            agent
                .early
                .extend(Some(std::mem::replace(&mut agent.ready, line)).filter(|line| !line.is_empty()));
        }
        agent
    }

    /// The port that an input listens on.
    fn port(&self) -> u16 {
        let address = self.ready.split_whitespace().find_map(|word| word.split_once("=127.0.0.1:"));
        address.and_then(|(_, port)| port.parse().ok()).unwrap_or_else(|| panic!("no port in {}", self.ready))
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port())).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    /// The first lines that it prints, but for that it is ready.
    fn printed(&self, count: usize) -> Vec<String> {
        let later = (self.early.len()..count).map(|_| self.lines.recv_timeout(PATIENCE).expect("a record"));
        self.early.iter().cloned().chain(later).collect()
    }

    /// The lines of the file whose name begins so, as soon as there are so many.
    fn written(&self, start: &str, count: usize) -> Vec<String> {
        let path = self.dir.path().join("logs").join(start);
        let until = Instant::now() + PATIENCE;
        loop {
            let entries =
                std::fs::read_dir(path.parent().expect("a directory")).into_iter().flatten().flatten();
            let name = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
            let of = path.file_name().expect("a name").to_string_lossy().into_owned();
            let found = entries.filter(|entry| name(entry).starts_with(&of));
            let text: String = found.filter_map(|entry| std::fs::read_to_string(entry.path()).ok()).collect();
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            if lines.len() >= count || Instant::now() > until {
                return lines;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).into_iter().flatten().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            std::fs::create_dir_all(&to).expect("a directory");
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).expect("a copy");
        }
    }
}

fn text(name: &str, file: &str) -> String {
    std::fs::read_to_string(shape(name).join(file)).expect("a file of the shape")
}

/// Lines in any order; one that is expected with `*` for its time may have any.
fn same(name: &str, mut got: Vec<String>) {
    let expected = text(name, "expected");
    let mut expected: Vec<&str> = expected.lines().collect();
    got.iter_mut().for_each(|line| {
        let rest = line.splitn(4, ' ').nth(3).unwrap_or_default();
        let timeless = format!("* {rest}");
        if expected.contains(&timeless.as_str()) {
            *line = timeless;
        }
    });
    got.sort();
    expected.sort_unstable();
    assert_eq!(got, expected, "{name}");
}

/// Runs the shape and compares what it prints.
fn prints(name: &str, send: bool) {
    let agent = Agent::start(name, 0, &[]);
    if send {
        agent.connect().write_all(text(name, "send").as_bytes()).expect("it takes what is sent");
    }
    let count = text(name, "expected").lines().count();
    same(name, agent.printed(count));
    assert!(agent.lines.recv_timeout(Duration::from_millis(300)).is_err(), "{name}: more than was expected");
}

#[test]
fn nginx_logs_go_to_an_aggregator_with_labels() {
    let relay = Agent::start("relay", 0, &[]);
    let _leaf = Agent::start("nginx", relay.port(), &[]);
    same("relay", relay.printed(3));
}

#[test]
fn stack_traces_are_one_event() {
    prints("java", false);
}

#[test]
fn syslog_goes_to_a_file() {
    let agent = Agent::start("syslog", 0, &[]);
    agent.connect().write_all(text("syslog", "send").as_bytes()).expect("it takes what is sent");
    same("syslog", agent.written("out/syslog", 2));
}

#[test]
fn posted_events_are_kept_and_shown() {
    let agent = Agent::start("http", 0, &[]);
    for (time, body) in [
        ("1772359200.5", r#"{"user":"kim","n":3}"#),
        ("1772359201", r#"{"user":"lee","nested":{"a":[1,null]}}"#),
    ] {
        let mut stream = agent.connect();
        let head =
            format!("POST /app.click?time={time} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json");
        write!(stream, "{head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            .expect("it takes it");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    same("http", agent.printed(2));
    let kept = agent.written("kept/events", 2);
    let expected = [
        "2026-03-01T10:00:00Z\tapp.click\t{\"user\":\"kim\",\"n\":3}",
        "2026-03-01T10:00:01Z\tapp.click\t{\"user\":\"lee\",\"nested\":{\"a\":[1,null]}}",
    ];
    assert_eq!(kept, expected);
}

#[test]
fn containers_have_their_names_in_their_tags() {
    let agent = Agent::start("containers", 0, &[]);
    let mut got = agent.printed(2);
    got.sort();
    let tag = format!("kubernetes.{}.containers.web-1_shop_web-0a1b.log", {
        let logs = agent.dir.path().join("logs");
        logs.to_str().expect("a name").trim_start_matches('/').replace('/', ".")
    });
    let fields = r#""node":"node-1","file":"web-1_shop_web-0a1b.log""#;
    assert_eq!(
        got,
        [
            format!("2026-03-01 10:00:00.123456789 +0000 {tag}: {{\"log\":\"hello\\n\",{fields}}}"),
            format!("2026-03-01 10:00:01.000000000 +0000 {tag}: {{\"log\":\"{{\\\"a\\\":1}}\\n\",{fields}}}"),
        ]
    );
}

#[test]
fn flat_options_of_old_versions() {
    prints("flat", false);
}

#[test]
fn in_ik_every_match_gets_the_records() {
    let agent = Agent::start("ik", 0, &["--compat", "ik"]);
    let printed = agent.printed(4);
    let mut rest: Vec<_> = printed.iter().map(|line| line.split_once(' ').expect("a time").1).collect();
    rest.sort_unstable();
    let (delta, alpha) = ("ik.lines: map[rest:eps word:delta]", "ik.lines: map[rest:beta gamma word:alpha]");
    assert_eq!(rest, [alpha, alpha, delta, delta]);
    let board = agent.ready.split_whitespace().find_map(|word| word.strip_prefix("status=http://"));
    let mut stream = TcpStream::connect(board.expect("a scoreboard")).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(b"POST /any HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("it takes it");
    let mut page = String::new();
    stream.read_to_string(&mut page).expect("an answer");
    assert!(page.starts_with("HTTP/1.1 200 OK") && page.contains("Ik Scoreboard"), "{page}");
    assert!(page.contains("<td>tail<td class=\"text\">Running"), "{page}");
}

#[test]
fn labelled_values_with_types_filtered_and_spread() {
    prints("ltsv", false);
}

#[test]
fn columns_with_types_and_injected_fields() {
    prints("csv", false);
}

#[test]
fn json_lines_over_tcp_made_into_new_records() {
    prints("tcp", true);
}

#[test]
fn labels_and_patterns_of_all_forms() {
    prints("labels", false);
}

#[test]
fn what_is_not_there_is_refused_with_its_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let conf = shape("queue").join("fluent.conf");
    let output = super::agent(dir.path(), &["run", "-c", conf.to_str().expect("a name")]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(told.contains("fluent.conf:9: there is no `kafka2` yet; send to a Fluentd"), "{told}");
}

#[test]
fn every_shape_is_converted_and_read_back_the_same() {
    let dir = tempfile::tempdir().expect("a directory");
    let all = [
        "nginx",
        "relay",
        "java",
        "syslog",
        "http",
        "containers",
        "flat",
        "ltsv",
        "csv",
        "tcp",
        "labels",
        "efk",
    ];
    for name in all {
        let convert = |file: &Path| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_sawlog-agent"));
            let output =
                command.arg("convert").arg(file).envs([("LOGS", "/logs"), ("PORT", "1234")]).output();
            let output = output.expect("the agent starts");
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).expect("text")
        };
        let once = convert(&shape(name).join("fluent.conf"));
        let path = dir.path().join(format!("{name}.toml"));
        std::fs::write(&path, &once).expect("a file");
        assert_eq!(convert(&path), once, "{name}");
        assert!(once.contains("[[input]]") && once.contains("[[output]]"), "{once}");
    }
}
