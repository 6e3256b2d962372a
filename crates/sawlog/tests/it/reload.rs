//! SIGHUP: a changed configuration takes the place of the one that runs, and connections stay.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::agent::Agent;
use crate::node::Node;

fn hang_up(pid: u32) {
    let sent = Command::new("kill").arg("-HUP").arg(pid.to_string()).status().expect("kill runs");
    assert!(sent.success());
}

fn append(path: &Path, text: &str) {
    let mut file = std::fs::File::options().append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn tail(paths: &[&Path]) -> String {
    let inputs = paths.iter().map(|path| format!("[[input]]\ntype = \"tail\"\npaths = {path:?}\n"));
    inputs.collect()
}

/// `["t", 1, {"m": WORD}]` of the forward protocol.
fn send(stream: &mut TcpStream, word: &str) {
    let mut message = vec![0x93, 0xa1, b't', 1, 0x81, 0xa1, b'm', 0xa0 + word.len() as u8];
    message.extend_from_slice(word.as_bytes());
    stream.write_all(&message).expect("the connection stays");
}

#[test]
fn a_node_reads_its_configuration_again_and_keeps_its_connections() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (one, two, config) = (path("one.log"), path("two.log"), path("sawlog.toml"));
    std::fs::write(&one, "alpha\n").unwrap();
    std::fs::write(&two, "beta\n").unwrap();
    std::fs::write(&config, tail(&[&one])).unwrap();
    let node = Node::start(&path("data"), &["--config", config.to_str().unwrap()]);
    let mut stream = TcpStream::connect(("127.0.0.1", node.forward)).unwrap();
    send(&mut stream, "gamma");
    node.wait_for("alpha", 1);
    node.wait_for("gamma", 1);

    std::fs::write(&config, "[[input]]\ntype = \"tial\"\n").unwrap();
    hang_up(node.pid());
    append(&one, "alpha\n");
    node.wait_for("alpha", 2);

    std::fs::write(&config, tail(&[&one, &two])).unwrap();
    hang_up(node.pid());
    node.wait_for("beta", 1);
    send(&mut stream, "delta");
    node.wait_for("delta", 1);
    append(&one, "alpha\n");
    node.wait_for("alpha", 3);
    node.shut_down();
}

#[test]
fn an_agent_reads_its_configuration_again_and_what_it_had_under_way_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (one, two) = (path("one.log"), path("two.log"));
    std::fs::write(&one, "alpha\n").unwrap();
    std::fs::write(&two, "beta\n").unwrap();
    let node = Node::start(&path("data"), &[]);
    let output = |ack| format!("[[output]]\ntype = \"forward\"\nto = \"127.0.0.1:{}\"\n{ack}", node.forward);
    let agent = Agent::start(&path("agent"), &(tail(&[&one]) + &output("")));
    node.wait_for_within("alpha", 1, Duration::from_secs(20));
    std::fs::write(path("agent").join("agent.toml"), tail(&[&one, &two]) + &output("ack_timeout = \"9s\"\n"))
        .unwrap();
    append(&one, "alpha\n");
    hang_up(agent.pid());
    node.wait_for_within("beta", 1, Duration::from_secs(20));
    append(&one, "alpha\n");
    node.wait_for_within("alpha", 3, Duration::from_secs(20));
}
