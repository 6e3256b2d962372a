//! A real node for the tests that come from outside: the built binary on free ports of the loopback, over a fresh
//! directory, following a file that the tests append to. It is ended by its own command, or killed when dropped.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::needs;

/// A running node.
pub struct Node {
    child: Child,
    /// Base of its HTTP addresses, without a slash at the end.
    pub http: String,
    /// The file it follows.
    pub followed: PathBuf,
    binary: PathBuf,
    folder: PathBuf,
}

impl Node {
    /// Starts an empty node over a fresh directory below `target` that bears `name`.
    pub fn start(root: &Path, name: &str) -> Result<Node> {
        let binary = built(root, "sawlog")?;
        let folder = root.join("target/test-nodes").join(name);
        if folder.is_dir() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(folder.join("logs"))?;
        let data = folder.join("data");
        let followed = folder.join("logs/app.log");
        std::fs::write(&followed, "")?;
        let mut run = Command::new(&binary);
        run.args(["run", "--http", "127.0.0.1:0", "--forward", "127.0.0.1:0", "--data"]).arg(&data);
        run.arg("--tail").arg(folder.join("logs/*.log"));
        let mut child =
            run.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("start of sawlog run")?;
        let output = child.stdout.take().context("output of sawlog run")?;
        let http = read_start(BufReader::new(output)).inspect_err(|_| drop(child.kill()))?;
        Ok(Node { child, http, followed, binary, folder })
    }

    /// Where it keeps its data.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Asks it to shut down and waits for its end.
    pub fn stop(mut self) -> Result<()> {
        needs::succeed(Command::new(&self.binary).arg("shutdown").arg("--data").arg(self.data()))?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the node ended with {status} after `sawlog shutdown`");
        }
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Both fail where it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary of a package, built.
pub fn built(root: &Path, package: &str) -> Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    needs::succeed(cargo.args(["build", "--locked", "--package", package]).current_dir(root))?;
    Ok(root.join("target/debug").join(package))
}

/// The address of the line `sawlog ready  http=http://127.0.0.1:1  …`; the rest of the output is read and passed on by a
/// thread, so that the node never blocks on it.
fn read_start(mut output: impl BufRead + Send + 'static) -> Result<String> {
    let mut line = String::new();
    while !line.starts_with("sawlog ready") {
        line.clear();
        if output.read_line(&mut line)? == 0 {
            bail!("sawlog run ended before it was ready");
        }
    }
    std::thread::spawn(move || {
        output.lines().map_while(Result::ok).for_each(|line| println!("node: {line}"))
    });
    let http = line.split_whitespace().find_map(|word| word.strip_prefix("http="));
    Ok(http.context("no http= in the start line")?.to_owned())
}
