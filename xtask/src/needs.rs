//! What the tests need beside Rust: packages from the registries, and the real logs where they are at hand.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::tally::Tally;

/// The folder of unpacked real logs: `SAWLOG_DATA`, else the archives beside the project, unpacked once below `target`.
pub fn real_logs(root: &Path, tally: &mut Tally) -> Result<Option<PathBuf>> {
    if let Some(given) = std::env::var_os("SAWLOG_DATA") {
        return Ok(Some(given.into()));
    }
    let archives = root.join("../shared/data");
    if !archives.is_dir() {
        tally.skip("real logs", "neither SAWLOG_DATA nor ../shared/data is there");
        return Ok(None);
    }
    let into = root.join("target/real-logs");
    let done = into.join(".complete");
    if !done.is_file() {
        debian(&["zstd", "tar"], &["zstd", "tar"])?;
        std::fs::create_dir_all(&into)?;
        for entry in std::fs::read_dir(&archives)? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(".tar.zst") {
                let mut tar = Command::new("tar");
                succeed(tar.arg("--zstd").arg("-xf").arg(&path).arg("-C").arg(&into))?;
            }
        }
        std::fs::copy(archives.join("golden.tsv"), into.join("golden.tsv"))?;
        std::fs::write(done, "")?;
    }
    Ok(Some(into))
}

/// Makes sure that `programs` can be run, installing Debian's `packages` where one is missing.
pub fn debian(programs: &[&str], packages: &[&str]) -> Result<()> {
    if programs.iter().all(|program| has(program)) {
        return Ok(());
    }
    println!("installing {} from Debian's packages", packages.join(" "));
    succeed(Command::new("apt-get").args(["-qq", "update"]))?;
    install(packages)
}

/// The folder below `into` where a package of Debian is unpacked: one that cannot be installed beside another that is needed, too.
/// What it needs itself is installed.
pub fn unpacked(into: &Path, package: &str) -> Result<PathBuf> {
    let folder = into.join(package);
    let (tree, complete) = (folder.join("tree"), folder.join(".complete"));
    if complete.is_file() {
        return Ok(tree);
    }
    println!("unpacking {package} of Debian's packages");
    succeed(Command::new("apt-get").args(["-qq", "update"]))?;
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    succeed(Command::new("apt-get").args(["-qq", "download", package]).current_dir(&folder))?;
    let is_package = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "deb");
    let file = std::fs::read_dir(&folder)?.flatten().map(|entry| entry.path()).find(is_package);
    let file = file.with_context(|| format!("no package was fetched to {}", folder.display()))?;
    let told = Command::new("dpkg-deb").arg("-f").arg(&file).arg("Depends").output()?;
    let told = String::from_utf8(told.stdout)?;
    // Of alternatives the first; versions are those of the same release.
    let names = told.split(',').filter_map(|one| one.split(['|', '(']).next()).map(str::trim);
    install(&names.filter(|name| !name.is_empty()).collect::<Vec<_>>())?;
    succeed(Command::new("dpkg-deb").arg("-x").arg(&file).arg(&tree))?;
    std::fs::write(complete, "")?;
    Ok(tree)
}

fn install(packages: &[&str]) -> Result<()> {
    let mut install = Command::new("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive").args([
        "-qq",
        "-y",
        "--no-install-recommends",
        "install",
    ]);
    succeed(install.args(packages).stdout(Stdio::null()))
}

/// Makes sure that RabbitMQ and its tools are there; tests start servers of their own.
pub fn rabbitmq() -> Result<()> {
    debian(&["rabbitmq-server", "amqp-publish"], &["rabbitmq-server", "amqp-tools"])
}

/// Whether a program can be found.
pub fn has(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|dir| dir.join(program).is_file())
}

/// Runs a command that must succeed.
pub fn succeed(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
