//! Real Fluentd clients send to a real node, and what they sent is searched: `fluent-logger` from PyPI and
//! `@fluent-org/logger` and `fluent-logger` from npm with acknowledgements, keys, users and TLS; the server of
//! `@fluent-org/logger` receives what a node follows. Their scripts stand in `crates/wire/clients/`.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::needs;
use crate::node::Node;
use crate::tally::Tally;

/// Runs every client; each prints nothing but what goes wrong and ends with 0 where all is well.
pub fn run(root: &Path, node: &Node, tally: &mut Tally) -> Result<()> {
    python(root, node, tally)?;
    javascript(root, node, tally)
}

fn python(root: &Path, node: &Node, tally: &mut Tally) -> Result<()> {
    let name = "fluent-logger (PyPI) sends, and its events are found";
    if !needs::has("python3") {
        tally.skip(name, "there is no python3");
        return Ok(());
    }
    let environment = root.join("target/clients-python");
    let python = environment.join("bin/python");
    if !environment.join(".complete").is_file() {
        needs::succeed(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        let mut pip = Command::new(&python);
        needs::succeed(pip.args(["-m", "pip", "install", "--quiet", "fluent-logger==0.11.1"]))?;
        std::fs::write(environment.join(".complete"), "")?;
    }
    let script = root.join("crates/wire/clients/fluent_logger.py");
    let mut client = Command::new(&python);
    client.arg(script).arg(node.forward_port.to_string()).arg(&node.http);
    tally.check(name, client.status()?.success());
    Ok(())
}

fn javascript(root: &Path, node: &Node, tally: &mut Tally) -> Result<()> {
    let name = "@fluent-org/logger (npm) sends with ack, and its events are found";
    if !needs::has("npm") {
        tally.skip(name, "there is no npm");
        return Ok(());
    }
    let folder = root.join("crates/wire/clients");
    needs::succeed(
        Command::new("npm").args(["ci", "--silent", "--no-audit", "--no-fund"]).current_dir(&folder),
    )?;
    let mut client = Command::new("node");
    client.arg(folder.join("fluent_logger.mjs")).arg(node.forward_port.to_string()).arg(&node.http);
    tally.check(name, client.status()?.success());
    let name =
        "fluent-logger and @fluent-org/logger (npm) with key, user, TLS and ack, as senders and as receiver";
    if !needs::has("openssl") {
        tally.skip(name, "there is no openssl to make a certificate with");
        return Ok(());
    }
    let mut client = Command::new("node");
    client.arg(folder.join("forward_secured.mjs")).arg(&node.binary);
    client.arg(root.join("target/test-nodes/secured"));
    tally.check(name, client.status()?.success());
    Ok(())
}
