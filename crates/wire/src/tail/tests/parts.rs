//! The parts by themselves: hash, marks, names, patterns.

use std::collections::BTreeSet;

use proptest::prelude::*;
use sawlog_model::Position;

use super::super::glob::Pattern;
use super::super::hash::RunningHash;
use super::super::mark::{Anchor, Ended, Head, Mark};
use super::super::names::{family, is_packed, is_rotation};
use super::*;

fn hash(bytes: &[u8]) -> RunningHash {
    let mut hash = RunningHash::default();
    hash.update(bytes);
    hash
}

proptest! {
    #[test]
    fn the_running_hash_is_the_same_however_it_is_cut(bytes: Vec<u8>, cut: usize, flip: usize) {
        let cut = cut % (bytes.len() + 1);
        let mut saved = Vec::new();
        hash(&bytes[..cut]).save(&mut saved);
        let mut pieces = RunningHash::load(saved[..].try_into().unwrap());
        pieces.update(&bytes[cut..]);
        let whole = hash(&bytes);
        prop_assert_eq!(pieces, whole);
        prop_assert_eq!(whole.len(), bytes.len() as u64);
        if !bytes.is_empty() {
            let mut other = bytes.clone();
            other[flip % bytes.len()] ^= 1;
            prop_assert_ne!(hash(&other).value(), whole.value());
            prop_assert_ne!(hash(&bytes[1..]).value(), whole.value());
        }
        let longer = [&bytes[..], &[0]].concat();
        prop_assert_ne!(hash(&longer).value(), whole.value());
    }

    #[test]
    fn no_bytes_make_reading_a_mark_panic(resume: Vec<u8>, offset: u64) {
        let position = Position { epoch: 1, offset, resume: resume.into() };
        prop_assert!(Mark::read(&position).is_none_or(|mark| mark.offset == offset));
    }
}

#[test]
fn a_mark_survives_being_a_position() {
    let ended = Ended { len: 7, hash: 5 << 100, head: Head::of(b"begin") };
    let mark = Mark {
        epoch: 3,
        offset: 11,
        hash: hash(b"eleven byte"),
        anchor: Anchor::of(b"byte"),
        head: Head::of(b"eleven"),
        ended: vec![ended],
        format: b"state"[..].into(),
        done: true,
    };
    let position = mark.position();
    assert!(position.resume.len() < 200);
    assert_eq!(Mark::read(&position), Some(mark));
    let other = Position { offset: 12, ..position };
    assert_eq!(Mark::read(&other), None, "the hash is of another length");
}

#[test]
fn a_hundred_epochs_keep_a_mark_small() {
    let mut mark = Mark::default();
    for _ in 0..100 {
        mark.offset = 1;
        mark = mark.next_epoch();
    }
    assert_eq!((mark.epoch, mark.ended.len()), (100, 4));
}

#[test]
fn rotated_names_have_one_family() {
    for name in [
        "app.log",
        "app.log.1",
        "app.log.12.gz",
        "app.log-20260101",
        "app.log-20260101.zst",
        "app-20260101.log",
        "app.log.2026-01-01",
        "app.log.2026-01-01-10.xz",
        "app.1.log",
        "app-20260101-1030.log.bz2",
    ] {
        assert_eq!(family(name), "app.log", "{name}");
    }
    for name in ["app", "2026", "app.log.old", "v2.log", "x86_64", "app-1.log"] {
        assert_eq!(family(name), name);
    }
    assert!(is_packed("a.gz") && !is_packed("a.log"));
    assert!(is_rotation("app.log.1") && is_rotation("app-20260101.log") && is_rotation("app.log.gz"));
    assert!(!is_rotation("app.log") && !is_rotation("app.2.log"));
}

#[test]
fn patterns_match_what_shells_match() {
    let one = |pattern: &str, path: &str| {
        Pattern::parse(pattern).unwrap().iter().any(|pattern| pattern.matches(Path::new(path)))
    };
    for (pattern, path) in [
        ("/a/*.log", "/a/b.log"),
        ("/a/**/*.log", "/a/b.log"),
        ("/a/**/*.log", "/a/b/c/d.log"),
        ("/a/**", "/a/b/c"),
        ("/a/{b,c/d}/*.{log,txt}", "/a/c/d/x.txt"),
        ("/a/b?[0-9][!x].log", "/a/bc1y.log"),
        ("/a/b", "/a/b"),
        ("/a/b", "/a/b/below/it"),
        ("/a/*/.hidden", "/a/b/.hidden"),
        ("/a/a*b*c", "/a/aXbXbXc"),
        (r"/a/\*", "/a/*"),
    ] {
        assert!(one(pattern, path), "{pattern} {path}");
    }
    for (pattern, path) in [
        ("/a/*.log", "/a/b/c.log"),
        ("/a/*.log", "/a/.b.log"),
        ("/a/**/*.log", "/a/.b/c.log"),
        ("/a/{b,c}/x", "/a/d/x"),
        ("/a/[0-9]", "/a/x"),
        ("/a/*/b", "/a/b"),
        ("/a/**", "/a"),
        ("/a/a*b*c", "/a/aXbXbX"),
        (r"/a/\*", "/a/b"),
    ] {
        assert!(!one(pattern, path), "{pattern} {path}");
    }
    assert!(Pattern::parse("/a/{b").is_err());
    assert!(Pattern::parse("/a/[b").is_err());
    assert!(Pattern::parse("/").is_err());
}

#[test]
fn a_walk_finds_what_matches_and_the_directories_to_watch() {
    let node = Node::new();
    for name in ["a.log", "b.txt", "x/c.log", "x/y/d.log", "x/.z/e.log"] {
        node.sys.fs.create_dir_all(node.log(name).parent().unwrap()).unwrap();
        node.append(name, "x");
    }
    std::os::unix::fs::symlink(node.log("x"), node.log("x/y/loop")).unwrap();
    let find = |pattern: &str| {
        let (mut files, mut dirs) = (BTreeSet::new(), BTreeSet::new());
        for pattern in Pattern::parse(&path_text(&node.log(pattern))).unwrap() {
            pattern.walk(&*node.sys.fs, &mut files, &mut dirs);
        }
        let short = |paths: BTreeSet<PathBuf>| -> Vec<String> {
            paths.iter().map(|path| path_text(path.strip_prefix(node.log("")).unwrap())).collect()
        };
        (short(files), short(dirs))
    };
    let strings = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    assert_eq!(find("*.log"), (strings(&["a.log"]), strings(&[""])));
    assert_eq!(find("**/*.log"), (strings(&["a.log", "x/c.log", "x/y/d.log"]), strings(&["", "x", "x/y"])));
    assert_eq!(find("x"), (strings(&["x/c.log", "x/y/d.log"]), strings(&["", "x", "x/y"])));
    assert_eq!(find("x/{c,y/d}.log").0, strings(&["x/c.log", "x/y/d.log"]));
}
