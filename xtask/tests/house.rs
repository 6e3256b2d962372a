//! The rules of the house as tests: which crate may name which, one version of the engine's libraries, files that say
//! what they are for, no rooms for odds and ends.
#![expect(clippy::disallowed_methods, reason = "reads the working tree itself")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crate, and those of ours that it may depend on. What is not listed is forbidden.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("sys", &[]),
    ("journal", &["sys"]),
    ("store", &["model", "sys"]),
    ("query", &["model", "sys", "store"]),
    ("pipeline", &["model", "sys", "journal"]),
    ("wire", &["model", "sys", "pipeline"]),
    ("connect", &["model", "sys", "pipeline", "wire"]),
    ("server", &["model", "sys", "store", "query"]),
    ("client", &[]),
    ("agent", &["model", "sys", "journal", "pipeline", "wire"]),
    (
        "sawlog",
        &["model", "sys", "journal", "store", "query", "pipeline", "wire", "connect", "server", "client"],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn tracked(pattern: &str) -> Vec<PathBuf> {
    let listed = Command::new("git").args(["ls-files", pattern]).current_dir(root()).output().unwrap();
    let files = String::from_utf8(listed.stdout).unwrap();
    assert!(!files.is_empty(), "git lists no {pattern}");
    files.lines().map(|file| root().join(file)).filter(|file| file.is_file()).collect()
}

fn manifest(crate_name: &str) -> toml::Table {
    let path = root().join("crates").join(crate_name).join("Cargo.toml");
    fs::read_to_string(path).unwrap().parse().unwrap()
}

#[test]
fn crates_name_only_those_they_may() {
    let mut folders: Vec<String> = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let mut known: Vec<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    assert_eq!(folders, known, "each folder of crates/ has its arrows here");
    for (name, allowed) in ARROWS {
        // Only what is built into the crate counts: tests may look wherever they need.
        let dependencies = manifest(name).remove("dependencies").unwrap_or(toml::Table::new().into());
        for dependency in dependencies.as_table().unwrap().keys() {
            let Some(ours) = dependency.strip_prefix("sawlog-") else { continue };
            assert!(allowed.contains(&ours), "{name} must not name {ours}");
        }
    }
}

#[test]
fn cargo_run_means_sawlog() {
    let workspace: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let members = workspace["workspace"]["default-members"].as_array().unwrap();
    let folder = |member: &toml::Value| member.as_str().unwrap().strip_prefix("crates/").unwrap().to_owned();
    let meant =
        members.iter().filter_map(|member| manifest(&folder(member))["package"].get("default-run").cloned());
    assert_eq!(meant.collect::<Vec<_>>(), ["sawlog".into()], "the README's first command names no program");
}

#[test]
fn protocols_do_not_name_their_siblings() {
    for crate_name in ["wire", "connect"] {
        let source = root().join("crates").join(crate_name).join("src");
        let folders: Vec<String> = fs::read_dir(&source)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_type().unwrap().is_dir())
            .map(|entry| entry.file_name().into_string().unwrap())
            .filter(|name| !["shared", "format", "fuzz"].contains(&name.as_str()))
            .collect();
        for file in tracked(&format!("crates/{crate_name}/src/*.rs")) {
            let text = fs::read_to_string(&file).unwrap();
            let own = file.strip_prefix(&source).unwrap().components().next().unwrap();
            let own = own.as_os_str().to_string_lossy().into_owned();
            // These are lists of what there is.
            if ["lib.rs", "fuzz.rs", "fuzz"].contains(&own.as_str()) {
                continue;
            }
            for sibling in folders.iter().filter(|folder| **folder != own) {
                assert!(!text.contains(&format!("crate::{sibling}::")), "{} names {sibling}", file.display());
            }
        }
    }
}

#[test]
fn the_engine_and_its_libraries_have_one_version() {
    let lock: toml::Table = fs::read_to_string(root().join("Cargo.lock")).unwrap().parse().unwrap();
    for library in ["arrow", "arrow-array", "object_store", "datafusion", "tokio"] {
        let packages = lock["package"].as_array().unwrap().iter();
        let versions = packages.filter(|package| package["name"].as_str() == Some(library)).count();
        assert_eq!(versions, 1, "{library} is in Cargo.lock {versions} times");
    }
}

#[test]
fn every_dependency_is_justified() {
    let text = fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    let workspace: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    for name in workspace["workspace"]["dependencies"].as_table().unwrap().keys() {
        if !name.starts_with("sawlog-") {
            assert!(text.contains(&format!("`{name}`")), "docs/dependencies.md says nothing of `{name}`");
        }
    }
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    for file in tracked("*.rs") {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//!"), "{} does not open with //!", file.display());
    }
}

#[test]
fn there_is_no_room_for_odds_and_ends() {
    for file in tracked("*.rs") {
        for part in file.strip_prefix(root()).unwrap().iter() {
            let stem = Path::new(part).file_stem().unwrap().to_string_lossy().into_owned();
            assert!(
                !["util", "utils", "common", "helpers", "helper", "misc"].contains(&stem.as_str()),
                "{} is a room for odds and ends; name it after what it does",
                file.display()
            );
        }
    }
}

#[test]
fn nothing_is_left_unfinished() {
    // Spelled in two halves, so that this file does not find itself.
    let marks =
        [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("FIX", "ME"), concat!("XX", "X:")];
    for file in tracked("*.rs") {
        let text = fs::read_to_string(&file).unwrap();
        for mark in marks {
            assert!(!text.contains(mark), "{} has a {mark}", file.display());
        }
    }
}
