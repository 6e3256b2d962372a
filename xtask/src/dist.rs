//! `cargo xtask dist`: the agent as one static executable, and as a Debian package with its units and the names of the
//! programs that it replaces. Knows nothing of what the agent does.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;

/// Names under which the agent takes other programs' flags.
const NAMES: &[&str] =
    &["flosculusd", "beaver", "ik", "ikb", "oxd", "oxview", "oxctl", "oxstore", "oxingest", "oxstash"];

/// Static, at a fixed address: nothing is relocated at the start, so that fewer pages are resident. What is the same twice is
/// there once.
const RUSTFLAGS: &str = "-C target-feature=+crt-static -C relocation-model=static -C link-arg=-Wl,--icf=all";

/// Strategies of zstd's higher levels, which the agent does not use: a third of that library.
const ZSTD_WITHOUT: [&str; 6] = ["GREEDY", "LAZY", "LAZY2", "BTLAZY2", "BTOPT", "BTULTRA"];

fn c_flags() -> String {
    let without = |name: &&str| format!("-DZSTD_EXCLUDE_{name}_BLOCK_COMPRESSOR");
    ZSTD_WITHOUT.iter().map(without).collect::<Vec<_>>().join(" ")
}

/// Where a file of the package goes, with which mode, and what it is made of.
struct Entry {
    path: &'static str,
    mode: u32,
    content: Vec<u8>,
}

/// Builds both into `target/dist`.
pub fn run(root: &Path) -> Result<bool> {
    let triple = host()?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    // Naming the target keeps the flag from build scripts and procedural macros, which cannot be static.
    let status = Command::new("cargo")
        .current_dir(root)
        .args(["build", "--profile", "dist", "-p", "sawlog-agent", "--target", &triple])
        .env("RUSTFLAGS", RUSTFLAGS)
        .env("CFLAGS", c_flags())
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the agent was not built");
    let built = target.join(&triple).join("dist/sawlog-agent");
    let program = std::fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
    ensure!(!has_interpreter(&program)?, "{} is not static: it names a loader", built.display());
    let out = target.join("dist");
    std::fs::create_dir_all(&out)?;
    let executable = out.join("sawlog-agent");
    std::fs::copy(&built, &executable).with_context(|| format!("cannot write {}", executable.display()))?;
    let version = env!("CARGO_PKG_VERSION");
    let package = out.join(format!("sawlog-agent_{version}_{}.deb", architecture(&triple)?));
    let bytes = deb(&control(version, architecture(&triple)?), &files(root, program)?)?;
    std::fs::write(&package, bytes).with_context(|| format!("cannot write {}", package.display()))?;
    for path in [&executable, &package] {
        println!("{}  {} bytes", path.display(), std::fs::metadata(path)?.len());
    }
    Ok(true)
}

/// The triple of this machine.
fn host() -> Result<String> {
    let said = Command::new("rustc").arg("-vV").output().context("cannot run rustc")?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let line = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("rustc -vV does not tell the host")?.to_owned())
}

/// What Debian calls the architecture of a triple.
fn architecture(triple: &str) -> Result<&'static str> {
    match triple.split('-').next() {
        Some("x86_64") => Ok("amd64"),
        Some("aarch64") => Ok("arm64"),
        Some("riscv64gc") => Ok("riscv64"),
        _ => bail!("no Debian architecture is known for {triple}"),
    }
}

/// Whether a 64-bit little-endian ELF file names a loader (a `PT_INTERP` program header), as dynamic ones do.
fn has_interpreter(elf: &[u8]) -> Result<bool> {
    let number = |at: usize, len: usize| -> Result<usize> {
        let bytes = elf.get(at..at + len).context("the ELF file is cut short")?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte)))
    };
    ensure!(elf.starts_with(b"\x7fELF\x02\x01"), "not a 64-bit little-endian ELF file");
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    for header in 0..count {
        if number(table + header * size, 4)? == 3 {
            return Ok(true);
        }
    }
    Ok(false)
}

fn control(version: &str, architecture: &str) -> String {
    format!(
        "Package: sawlog-agent\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: sawlog <sawlog@localhost>\n\
         Section: admin\nPriority: optional\nConflicts: ik, flosculus\nDescription: follows log files and forwards them\n \
         Follows log files, takes events over the forward protocol and others, and sends\n them on, losing and doubling \
         nothing. Takes the configurations of Fluentd, ik,\n Flosculus and Beaver as they are.\n"
    )
}

fn files(root: &Path, program: Vec<u8>) -> Result<Vec<Entry>> {
    let read = |name: &str| {
        let path = root.join("packaging").join(name);
        std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let license = std::fs::read(root.join("LICENSE")).context("cannot read LICENSE")?;
    let entry = |path, mode, content| Entry { path, mode, content };
    Ok(vec![
        entry("usr/bin/sawlog-agent", 0o755, program),
        entry("lib/systemd/system/sawlog-agent.service", 0o644, read("sawlog-agent.service")?),
        entry("etc/sawlog/agent.toml", 0o644, read("agent.toml")?),
        entry("usr/share/man/man1/sawlog-agent.1", 0o644, read("sawlog-agent.1")?),
        entry("usr/share/doc/sawlog-agent/copyright", 0o644, license),
    ])
}

/// A Debian package: an `ar` archive of a version and two tarballs (deb(5)).
fn deb(control: &str, files: &[Entry]) -> Result<Vec<u8>> {
    let mut about = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    append(&mut about, "control", 0o644, control.as_bytes())?;
    let kept = files.iter().filter(|file| file.path.starts_with("etc/"));
    let kept: String = kept.map(|file| format!("/{}\n", file.path)).collect();
    append(&mut about, "conffiles", 0o644, kept.as_bytes())?;
    let reload =
        "#!/bin/sh\nset -e\nif [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi\n";
    append(&mut about, "postinst", 0o755, reload.as_bytes())?;
    let stop = "#!/bin/sh\nset -e\nif [ \"$1\" = remove ] && [ -d /run/systemd/system ]; then\n    \
                systemctl disable --now sawlog-agent.service || true\nfi\n";
    append(&mut about, "prerm", 0o755, stop.as_bytes())?;

    let mut data = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for file in files {
        append(&mut data, file.path, file.mode, &file.content)?;
    }
    for name in NAMES {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_mode(0o777);
        header.set_size(0);
        data.append_link(&mut header, format!("usr/bin/{name}"), "sawlog-agent")?;
    }

    let mut out = b"!<arch>\n".to_vec();
    member(&mut out, "debian-binary", b"2.0\n")?;
    member(&mut out, "control.tar.gz", &about.into_inner()?.finish()?)?;
    member(&mut out, "data.tar.gz", &data.into_inner()?.finish()?)?;
    Ok(out)
}

/// Appends a file to a tarball, owned by root, without a time, so that the same input gives the same bytes.
fn append(tar: &mut tar::Builder<GzEncoder<Vec<u8>>>, path: &str, mode: u32, content: &[u8]) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_size(content.len() as u64);
    Ok(tar.append_data(&mut header, path, content)?)
}

/// Appends a member of an `ar` archive: a head of 60 bytes, the content, and a byte to make the length even.
fn member(out: &mut Vec<u8>, name: &str, content: &[u8]) -> Result<()> {
    writeln!(out, "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, 0, 100_644, content.len())?;
    out.extend_from_slice(content);
    if content.len() % 2 == 1 {
        out.push(b'\n');
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_read_by_debians_own_tool() {
        let files = vec![
            Entry { path: "usr/bin/sawlog-agent", mode: 0o755, content: b"program".to_vec() },
            Entry { path: "etc/sawlog/agent.toml", mode: 0o644, content: b"# odd".to_vec() },
        ];
        let bytes = deb(&control("1.2.3", "amd64"), &files).unwrap();
        assert_eq!(bytes, deb(&control("1.2.3", "amd64"), &files).unwrap(), "the same input, the same bytes");
        let path = std::env::temp_dir().join(format!("sawlog-deb-{}.deb", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        let ask = |flag: &str| Command::new("dpkg-deb").arg(flag).arg(&path).output();
        let Ok(contents) = ask("--contents") else {
            std::fs::remove_file(&path).unwrap();
            eprintln!("SKIPPED a_package_is_read_by_debians_own_tool: there is no dpkg-deb");
            return;
        };
        let (contents, info) = (contents.stdout, ask("--info").unwrap().stdout);
        std::fs::remove_file(&path).unwrap();
        let contents = String::from_utf8_lossy(&contents).into_owned();
        assert!(contents.contains("-rwxr-xr-x"), "{contents}");
        assert!(contents.contains("usr/bin/ik -> sawlog-agent"), "{contents}");
        assert!(contents.contains("etc/sawlog/agent.toml"), "{contents}");
        assert!(String::from_utf8_lossy(&info).contains("Version: 1.2.3"));
    }

    #[test]
    fn tells_static_programs_from_dynamic_ones() {
        let dynamic = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(has_interpreter(&dynamic).unwrap());
        assert!(has_interpreter(b"#!/bin/sh").is_err());
        assert!(has_interpreter(&dynamic[..70]).is_err());
    }
}
