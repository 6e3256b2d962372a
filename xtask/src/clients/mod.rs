//! Real clients send to real nodes, and what they sent is looked for record by record; and a server of theirs receives what a
//! node follows. They come from PyPI, npm and Debian; their scripts stand in `crates/wire/clients/`, and each starts the nodes
//! that it needs on free ports of the loopback.

mod script;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::needs;
use crate::node;
use crate::servers;
use crate::tally::Tally;

/// Scripts in Python, and the programs of Debian that they run: names of programs and of packages.
const PYTHON: &[(&str, &[&str], &[&str])] = &[
    ("fluent_logger.py", &[], &[]),
    ("gelf_senders.py", &[], &[]),
    ("logstash_senders.py", &[], &[]),
    ("syslog_senders.py", &["logger", "rsyslogd"], &["bsdutils", "rsyslog", "rsyslog-gnutls"]),
    ("tenant_senders.py", &["logger", "rsyslogd", "curl"], &["bsdutils", "rsyslog", "curl"]),
    ("flosculus_beside.py", &[], &[]),
    ("beaver_ini.py", &["redis-server"], &["redis-server"]),
    ("beaver_beside.py", &[], &[]),
    ("blueox_programs.py", &[], &[]),
    ("rabbitmq_senders.py", &["rabbitmq-server", "amqp-publish"], &["rabbitmq-server", "amqp-tools"]),
    ("dispatch.py", &[], &[]),
    ("blueox_machines.py", &["ip", "nsenter"], &["iproute2", "util-linux"]),
];

/// Runs every client.
pub fn run(root: &Path, tally: &mut Tally) -> Result<()> {
    let node = node::built(root, "sawlog")?;
    // The one beside it is found by name.
    node::built(root, "sawlog-agent")?;
    python(root, &node, tally)?;
    javascript(root, &node, tally)
}

fn python(root: &Path, node: &Path, tally: &mut Tally) -> Result<()> {
    let skip = |tally: &mut Tally, why: &str| {
        PYTHON.iter().for_each(|(name, ..)| tally.skip(&format!("clients in Python: {name}"), why));
    };
    if !needs::has("python3") {
        skip(tally, "there is no python3");
        return Ok(());
    }
    let folder = root.join("crates/wire/clients");
    let python = match environment(root, &folder) {
        Ok(python) => python,
        Err(error) => {
            skip(tally, &format!("its environment cannot be made ({error:#})"));
            return Ok(());
        }
    };
    // Installed it would take the place of rsyslog.
    let syslog_ng =
        needs::unpacked(&root.join("target/unpacked"), "syslog-ng-core").unwrap_or_else(|error| {
            println!("no syslog-ng: {error:#}");
            PathBuf::new()
        });
    let jars = ["opensearch", "mongo", "hdfs"].map(|name| {
        let jars = servers::jars(root, name).unwrap_or_else(|error| {
            println!("no {name}: {error:#}");
            PathBuf::new()
        });
        (name.to_uppercase(), jars)
    });
    for (name, programs, packages) in PYTHON {
        if let Err(error) = needs::debian(programs, packages) {
            // The script itself tells which of its checks cannot be made.
            println!("{name}: {error:#}");
        }
        let mut script = Command::new(&python);
        script.arg(folder.join(name)).arg(node).arg(root.join("target/test-nodes"));
        script.env("PYTHONDONTWRITEBYTECODE", "1");
        script.envs(jars.iter().map(|(name, jars)| (name, jars))).env("WEED", python.with_file_name("weed"));
        script.env("SYSLOG_NG", &syslog_ng);
        script::run(&format!("clients in Python: {name}"), &mut script, tally)?;
    }
    Ok(())
}

/// A virtual environment with what the scripts need; made again when that changes. What names other things than it needs, or
/// such as cannot be installed, is installed without them.
pub(crate) fn environment(root: &Path, folder: &Path) -> Result<PathBuf> {
    let lists = [("requirements.txt", None), ("requirements-alone.txt", Some("--no-deps"))];
    let lists = lists.map(|(name, how)| (folder.join(name), how));
    let environment = root.join("target/clients-python");
    let python = environment.join("bin/python");
    let texts =
        lists.iter().map(|(list, _)| std::fs::read_to_string(list)).collect::<std::io::Result<Vec<_>>>()?;
    let wanted = texts.concat();
    let complete = environment.join(".complete");
    if std::fs::read_to_string(&complete).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    needs::succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
    for (list, how) in lists {
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(how);
        needs::succeed(pip.arg("--requirement").arg(&list))?;
    }
    std::fs::write(complete, wanted)?;
    Ok(python)
}

fn javascript(root: &Path, node: &Path, tally: &mut Tally) -> Result<()> {
    let names = ["fluent_logger.mjs", "forward_secured.mjs"];
    let missing = if !needs::has("npm") {
        Some("there is no npm")
    } else if !needs::has("openssl") {
        Some("there is no openssl to make a certificate with")
    } else {
        None
    };
    if let Some(why) = missing {
        names.iter().for_each(|name| tally.skip(&format!("clients in JavaScript: {name}"), why));
        return Ok(());
    }
    let folder = root.join("crates/wire/clients");
    needs::succeed(
        Command::new("npm").args(["ci", "--silent", "--no-audit", "--no-fund"]).current_dir(&folder),
    )?;
    for name in names {
        let mut script = Command::new("node");
        script.arg(folder.join(name)).arg(node).arg(root.join("target/test-nodes").join(name));
        script::run(&format!("clients in JavaScript: {name}"), &mut script, tally)?;
    }
    Ok(())
}
