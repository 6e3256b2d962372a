//! Servers that nodes dispatch to, as their makers publish them: from Maven's artifacts with a launcher of ours, put together once
//! below `target`. Knows nothing of what is tested with them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::needs;

/// The folder of a server of `xtask/servers/`, with its launcher and its jars in `lib`.
pub fn jars(root: &Path, name: &str) -> Result<PathBuf> {
    needs::debian(&["java", "mvn"], &["default-jdk-headless", "maven"])?;
    let from = root.join("xtask/servers").join(name);
    let into = root.join("target/servers").join(name);
    let wanted = std::fs::read_to_string(from.join("pom.xml"))?;
    std::fs::create_dir_all(&into)?;
    std::fs::copy(from.join("Start.java"), into.join("Start.java"))?;
    let complete = into.join(".complete");
    if std::fs::read_to_string(&complete).is_ok_and(|installed| installed == wanted) {
        return Ok(into);
    }
    println!("fetching the jars of {name} from Maven Central");
    // What another list named must not be beside what this one names.
    let _ = std::fs::remove_dir_all(into.join("lib"));
    std::fs::write(into.join("pom.xml"), &wanted)?;
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"]);
    needs::succeed(maven.current_dir(&into))?;
    std::fs::write(complete, wanted)?;
    Ok(into)
}
