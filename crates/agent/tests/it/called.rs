//! The names of the programs that the agent replaces, with their flags as their documentation shows them.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const LINE: &str = "127.0.0.1 - - [03/Dec/2013:16:29:19 +0700] \"GET /favicon.ico HTTP/1.1\" 404 198 \"-\" \"Mozilla/5.0 (X11)\"\n";

fn command(dir: &Path, name: &str, arguments: &[&str]) -> Command {
    let link = dir.join(name);
    if std::fs::symlink_metadata(&link).is_err() {
        symlink(env!("CARGO_BIN_EXE_sawlog-agent"), &link).unwrap();
    }
    let mut command = Command::new(link);
    command.current_dir(dir).args(arguments).env_remove("STATE_DIRECTORY");
    command
}

fn run(dir: &Path, name: &str, arguments: &[&str]) -> Output {
    command(dir, name, arguments).output().expect("it starts")
}

/// A program that goes on, killed at the end of its test; its lines come one by one.
struct Going {
    child: Child,
    lines: Receiver<String>,
}

impl Going {
    fn start(mut command: Command) -> Going {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let out: ChildStdout = child.stdout.take().unwrap();
        let (send, lines) = channel();
        #[expect(clippy::disallowed_methods, reason = "a test's own thread")]
        std::thread::spawn(move || {
            BufReader::new(out).lines().map_while(Result::ok).try_for_each(|l| send.send(l))
        });
        Going { child, lines }
    }

    fn next(&self) -> String {
        self.next_within(Duration::from_secs(60)).expect("a line within a minute")
    }

    fn next_within(&self, time: Duration) -> Option<String> {
        self.lines.recv_timeout(time).ok()
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// ik with an input forward and an output stdout, and the port where it listens.
fn ik(dir: &Path) -> (Going, String) {
    let conf = "<source>\n  type forward\n  listen 127.0.0.1\n  port 0\n</source>\n<match **>\n  type stdout\n</match>\n";
    std::fs::write(dir.join("ik.conf"), conf).unwrap();
    std::fs::create_dir_all(dir.join("ik-data")).unwrap();
    let mut command = command(dir, "ik", &["-c", "ik.conf"]);
    command.env("STATE_DIRECTORY", dir.join("ik-data"));
    let going = Going::start(command);
    let ready = going.next();
    let port = ready.split("forward=127.0.0.1:").nth(1).and_then(|rest| rest.split(' ').next());
    let port = port.unwrap_or_else(|| panic!("no port in {ready}")).to_owned();
    (going, port)
}

#[test]
fn flosculusd_sends_what_its_ini_names_and_ik_prints_it() {
    let dir = tempfile::tempdir().unwrap();
    let (ik, port) = ik(dir.path());
    let log = dir.path().join("access.log");
    std::fs::write(&log, LINE).unwrap();
    let ini = format!(
        "[flosculus]\nremote_host = 127.0.0.1\nremote_port = {port}\n\n[log:{}]\ntag = example.api.access\nformat = nginx\n",
        log.display()
    );
    std::fs::write(dir.path().join("f.ini"), ini).unwrap();
    let sender = Going::start(command(dir.path(), "flosculusd", &["-c", "f.ini"]));
    assert!(sender.next().starts_with("sawlog-agent ready"));
    // It begins at the end of a file that is there at its first start, and may not have looked yet: lines come until one is
    // seen.
    let more = format!("{}garbage\n", LINE.replace("favicon.ico", "second"));
    let said = (0..40).find_map(|_| {
        let mut file = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
        file.write_all(more.as_bytes()).unwrap();
        ik.next_within(Duration::from_millis(500))
    });
    let said = said.expect("a line within 20 seconds");
    // 16:29:19 at +07:00, by the remote address that the section inherits.
    assert!(said.starts_with("1386062959 example.api.access: map["), "{said}");
    assert!(said.contains("path:/second") && said.contains("code:404"), "{said}");
}

#[test]
fn ikb_counts_what_it_sends() {
    let dir = tempfile::tempdir().unwrap();
    let (ik, port) = ik(dir.path());
    for arguments in [
        vec!["-multi", "10", "-concurrent", "2"],
        vec!["-multi=5", "-no-packed"],
        vec!["-data", "{\"message\": \"test\"}"],
    ] {
        let host = format!("127.0.0.1:{port}");
        let all = [&["-host", host.as_str()], arguments.as_slice(), &["my.tag", "200"]].concat();
        let sent = run(dir.path(), "ikb", &all);
        let said = String::from_utf8_lossy(&sent.stdout).into_owned();
        assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
        assert!(said.contains("100 records sent ("), "{said}");
        assert!(said.contains("Number of Records Submitted: 200\n"), "{said}");
        for _ in 0..200 {
            let line = ik.next();
            assert!(line.ends_with(" my.tag: map[message:test]"), "{line}");
        }
    }
    let wrong = run(dir.path(), "ikb", &["-multi", "3", "my.tag", "200"]);
    assert!(!wrong.status.success());
}

#[test]
fn flags_mean_what_the_originals_say() {
    let dir = tempfile::tempdir().unwrap();
    let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let init = run(dir.path(), "flosculusd", &["--init"]);
    assert!(init.status.success() && text(&init).contains("[log:/var/log/nginx/access.log]"));
    for name in ["flosculusd", "beaver"] {
        let version = run(dir.path(), name, &["-v"]);
        assert!(version.status.success() && text(&version).starts_with(name), "{}", text(&version));
    }
    assert_eq!(run(dir.path(), "ik", &["-h"]).status.code(), Some(255));
    let missing = run(dir.path(), "ik", &["-c", "nowhere.conf"]);
    assert!(!missing.status.success(), "the original ended with 0");
    let refused = run(dir.path(), "beaver", &["-t", "mqtt", "-f", "a.log", "b.log"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("there is no transport `mqtt` yet"), "{said}");
}

#[test]
fn beaver_follows_the_files_of_its_flags() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.log"), "").unwrap();
    let path = dir.path().join("a.log").display().to_string();
    let beaver = Going::start(command(dir.path(), "beaver", &["-f", &path, "-t", "stdout"]));
    assert!(beaver.next().starts_with("sawlog-agent ready"));
    let mut lines = String::new();
    let said = (0..40).find_map(|_| {
        lines.push_str("hello\n");
        std::fs::write(dir.path().join("a.log"), &lines).unwrap();
        beaver.next_within(Duration::from_millis(500))
    });
    assert!(said.as_deref().is_some_and(|said| said.contains("hello")), "{said:?}");
}
