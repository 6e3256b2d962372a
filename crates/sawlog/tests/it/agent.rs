//! The binary of leaf nodes in front of a node: files and events arrive there, also when either side is killed.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::node::{Node, other_build, port};

/// A running agent.
pub struct Agent {
    child: Child,
    /// Port of its forward input, 0 where it has none.
    pub forward: u16,
    ready: String,
}

/// The agent's binary: cargo builds it beside ours when the workspace is built; alone, this builds it.
pub fn program() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        if let Some(path) = other_build("sawlog-agent") {
            return path;
        }
        let path = Path::new(env!("CARGO_BIN_EXE_sawlog")).with_file_name("sawlog-agent");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "sawlog-agent"]).stdin(Stdio::null());
        assert!(build.status().expect("cargo runs").success());
        path
    };
    BUILT.get_or_init(build).clone()
}

impl Agent {
    /// An agent with that configuration, in `agent.toml` of its folder.
    pub fn start(data: &Path, config: &str) -> Agent {
        std::fs::create_dir_all(data).unwrap();
        let file = data.join("agent.toml");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(program());
        command.arg("run").arg("-c").arg(&file).arg("--data").arg(data.join("data"));
        Agent::launch(command)
    }

    /// An agent by this command; returns when it says that it is ready.
    pub fn launch(mut command: Command) -> Agent {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the agent starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("sawlog-agent ready"), "{line}");
        let forward = port(&line, "forward").unwrap_or(0);
        Agent { child, forward, ready: line }
    }

    /// Port of its input of that name.
    pub fn port(&self, name: &str) -> u16 {
        port(&self.ready, name).unwrap_or_else(|| panic!("no {name} in {}", self.ready))
    }

    /// An agent that takes forward and passes it on to a port.
    pub fn relay(data: &Path, to: u16, lane: &str) -> Agent {
        let config = format!(
            "[[input]]\ntype = \"forward\"\nlisten = \"127.0.0.1:0\"\n\n\
             [[output]]\ntype = \"forward\"\nto = \"127.0.0.1:{to}\"\nlane = {lane}\n"
        );
        Agent::start(data, &config)
    }

    /// An agent that follows files and forwards them.
    pub fn follow(data: &Path, glob: &str, to: u16) -> Agent {
        let config = format!(
            "[[input]]\ntype = \"tail\"\npaths = \"{glob}\"\n\n\
             [[output]]\ntype = \"forward\"\nto = \"127.0.0.1:{to}\"\n"
        );
        Agent::start(data, &config)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and a good end.
    pub fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_an_agent_follows_arrives_once_with_its_addresses_over_kills_of_both() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    std::fs::create_dir(&logs).unwrap();
    let glob = logs.join("*.log").to_string_lossy().into_owned();
    let mut file = std::fs::File::create(logs.join("app.log")).unwrap();
    let (data, agent_data) = (folder.path().join("data"), folder.path().join("agent"));
    // The node needs a port that stays the same over its lives.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = format!("127.0.0.1:{port}");
    let mut written = 0;
    let mut write = |lines: usize| {
        for _ in 0..lines {
            writeln!(file, "2026-11-20 10:00:00,000 INFO  agent line {written} of the test").unwrap();
            written += 1;
        }
        written
    };
    let mut node = Node::start(&data, &["--forward", &listen]);
    let mut agent = Agent::follow(&agent_data, &glob, port);
    for round in 0..12 {
        write(200);
        std::thread::sleep(Duration::from_millis(40 * (round % 4)));
        if round % 2 == 0 {
            node.kill();
            write(100);
            node = Node::start(&data, &["--forward", &listen]);
        } else {
            agent.kill();
            write(100);
            agent = Agent::follow(&agent_data, &glob, port);
        }
    }
    let lines = write(10);
    let found = node.wait_for_within("agent line", lines, Duration::from_secs(60));
    let mut offsets: Vec<u64> = found.iter().map(|record| record["_offset"].as_u64().unwrap()).collect();
    offsets.sort_unstable();
    offsets.dedup();
    assert_eq!(offsets.len(), lines, "each line stands at its own offset of the file");
    assert!(found.iter().all(|record| record["_path"].as_str().unwrap().ends_with("/app.log")));
    assert!(found.iter().all(|record| record["level"] == "INFO"));
    agent.stop();
    node.shut_down();
}
