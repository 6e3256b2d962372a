//! `-d --pid FILE`.

use std::path::Path;
use std::time::{Duration, Instant};

use super::agent;

const RUN: &[&str] =
    &["run", "--tail", "*.log", "--to", "127.0.0.1:1", "--data", "data", "-d", "--pid", "pid"];

fn pid(dir: &Path) -> Option<String> {
    std::fs::read_to_string(dir.join("pid")).ok().map(|text| text.trim().to_owned())
}

#[test]
fn it_goes_on_in_the_background_and_ends_when_told() {
    let dir = tempfile::tempdir().unwrap();
    let started = agent(dir.path(), RUN);
    let said = String::from_utf8_lossy(&started.stdout).into_owned();
    assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
    assert!(said.starts_with("sawlog-agent ready"), "{said}");
    let number = pid(dir.path()).expect("a pid file once it is ready");
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).expect("it runs");
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    assert_eq!(fields[3], number, "it leads a session of its own");

    let second = agent(dir.path(), RUN);
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains(&number) && said.contains("runs already"), "{said}");

    let ended = std::process::Command::new("kill").arg(&number).status().unwrap();
    assert!(ended.success());
    let until = Instant::now() + Duration::from_secs(60);
    while pid(dir.path()).is_some() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(pid(dir.path()), None, "the pid file goes with the process");
}

#[test]
fn what_keeps_it_from_starting_is_told_at_the_prompt() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    std::fs::write(dir.path().join("data/journal"), "not a directory").unwrap();
    let output = agent(dir.path(), RUN);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("journal"), "{said}");
    assert_eq!(pid(dir.path()), None);
}
