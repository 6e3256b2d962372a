//! A node under test: started on free ports over a folder of its own, asked over HTTP, killed or shut down.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Binaries of another build, such as `target/release`, in the place of those that were built with the tests.
pub fn other_build(name: &str) -> Option<PathBuf> {
    std::env::var_os("SAWLOG_BINARIES").map(|folder| Path::new(&folder).join(name))
}

/// The binary's path.
pub fn program() -> PathBuf {
    other_build("sawlog").unwrap_or_else(|| env!("CARGO_BIN_EXE_sawlog").into())
}

/// The binary.
pub fn sawlog() -> Command {
    let mut command = Command::new(program());
    command.stdin(Stdio::null()).env("NO_COLOR", "1");
    command
}

/// Runs a command to its end.
pub fn output(command: &mut Command) -> Output {
    command.output().expect("the binary starts")
}

/// Runs a command that must succeed; gives its standard output.
pub fn succeed(command: &mut Command) -> Vec<u8> {
    let output = output(command);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {errors}", output.status);
    output.stdout
}

/// Port of the input of that name, in the line by which a node says that it is ready.
pub fn port(ready: &str, name: &str) -> Option<u16> {
    let address = ready.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?;
    address.rsplit(':').next()?.parse().ok()
}

/// A running node.
pub struct Node {
    child: Child,
    pub http: String,
    pub forward: u16,
    pub data: PathBuf,
    /// Where its state is shown beside everything else, where that is configured.
    pub status: Option<String>,
    /// What it said when it was ready.
    pub ready: String,
}

impl Node {
    /// Starts `sawlog run` over `data` with more arguments; returns when it says that it is ready.
    pub fn start(data: &Path, arguments: &[&str]) -> Node {
        Node::start_by(&mut sawlog(), data, arguments)
    }

    /// The same by a command that already has its environment and outputs.
    pub fn start_by(command: &mut Command, data: &Path, arguments: &[&str]) -> Node {
        command.args(["run", "--http", "127.0.0.1:0", "--data"]).arg(data);
        if !arguments.contains(&"--forward") {
            command.args(["--forward", "127.0.0.1:0"]);
        }
        command.args(arguments);
        Node::launch(command, data)
    }

    /// Starts a node over `data` by this command.
    pub fn launch(command: &mut Command, data: &Path) -> Node {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("sawlog starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        while !line.starts_with("sawlog ready") {
            line.clear();
            assert!(
                lines.read_line(&mut line).expect("its output") > 0,
                "the node ended before it was ready"
            );
        }
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        let word =
            |key: &str| line.split_whitespace().find_map(|word| word.strip_prefix(key)).map(str::to_owned);
        let http = word("http=").expect("an address");
        let forward = port(&line, "forward").unwrap_or(0);
        Node {
            child,
            http,
            forward,
            data: data.to_owned(),
            status: word("status="),
            ready: line.trim_end().to_owned(),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().expect("the node still runs");
        self.child.wait().expect("it ends");
    }

    /// Port of its input of that name.
    pub fn port(&self, name: &str) -> u16 {
        port(&self.ready, name).unwrap_or_else(|| panic!("no {name} in {}", self.ready))
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("its state").is_none()
    }

    /// Asks it to stop, by the command.
    pub fn shut_down(mut self) {
        succeed(sawlog().arg("shutdown").arg("--data").arg(&self.data));
        assert!(self.child.wait().expect("it ends").success());
    }

    /// The body of a GET; panics on any status but 2xx.
    pub fn get(&self, path: &str) -> String {
        let mut response = ureq::get(format!("{}{path}", self.http)).call().expect("an answer");
        let mut text = String::new();
        response.body_mut().as_reader().read_to_string(&mut text).expect("a body");
        text
    }

    /// The records that a query finds.
    pub fn search(&self, query: &str) -> Vec<Value> {
        let mut request = ureq::get(format!("{}/api/v1/search", self.http));
        request = request.query("query", query);
        let mut response = request.call().expect("an answer");
        let reader = BufReader::new(response.body_mut().as_reader());
        reader.lines().map(|line| serde_json::from_str(&line.expect("a line")).expect("JSON")).collect()
    }

    /// Waits until a query finds `count` records; panics after a minute.
    pub fn wait_for(&self, query: &str, count: usize) -> Vec<Value> {
        self.wait_for_within(query, count, Duration::from_secs(60))
    }

    /// Waits until a query finds `count` records; panics after `time`.
    pub fn wait_for_within(&self, query: &str, count: usize, time: Duration) -> Vec<Value> {
        let start = Instant::now();
        loop {
            let found = self.search(query);
            if found.len() >= count || start.elapsed() > time {
                assert_eq!(found.len(), count, "`{query}` finds another number of records");
                return found;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a body to the ingest route; gives status and answer.
    pub fn ingest(&self, parameters: &str, body: &[u8]) -> (u16, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = agent.post(format!("{}/api/v1/ingest{parameters}", self.http));
        let mut response =
            request.header("Content-Type", "application/x-ndjson").send(body).expect("an answer");
        let text = response.body_mut().read_to_string().expect("a body");
        (response.status().as_u16(), text)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder of real logs, or `None` with a loud line.
pub fn real_logs(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("SAWLOG_DATA").map(PathBuf::from).filter(|folder| folder.is_dir());
    if folder.is_none() {
        println!("SKIPPED {test}: SAWLOG_DATA names no folder of real logs");
    }
    folder
}
