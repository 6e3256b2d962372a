//! Tests of the machine's own files.

use std::path::PathBuf;

use crate::{Open, Sys};

fn place() -> (Sys, tempfile::TempDir) {
    (Sys::real(), tempfile::tempdir().expect("a directory"))
}

#[test]
fn generation_follows_the_inode_and_not_its_number() {
    let (sys, dir) = place();
    let (path, renamed) = (dir.path().join("a.log"), dir.path().join("a.log.1"));
    let file = sys.fs.open(&path, Open::New).expect("makes a file");
    let by_handle = file.metadata().expect("is known");
    assert_eq!(sys.fs.metadata(&path).expect("is known"), by_handle);
    if by_handle.generation == 0 {
        println!(
            "SKIPPED generation_follows_the_inode_and_not_its_number: no file handles in {}",
            dir.path().display()
        );
        return;
    }
    sys.fs.rename(&path, &renamed).expect("renames");
    file.write_at(b"more", 0).expect("writes");
    assert_eq!(sys.fs.metadata(&renamed).expect("is known").generation, by_handle.generation);

    // ext4 hands out the number of a removed inode again at once.
    drop(file);
    let mut seen = vec![by_handle.generation];
    for _ in 0..8 {
        sys.fs.unlink(&renamed).expect("removes");
        let file = sys.fs.open(&renamed, Open::New).expect("makes a file");
        seen.push(file.metadata().expect("is known").generation);
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 9);
}

#[test]
fn opens_as_asked() {
    let (sys, dir) = place();
    let path = dir.path().join("file");
    let kind = |how| sys.fs.open(&path, how).err().map(|error| error.kind());
    assert_eq!(kind(Open::Read), Some(std::io::ErrorKind::NotFound));
    assert_eq!(kind(Open::Write), Some(std::io::ErrorKind::NotFound));
    assert_eq!(kind(Open::Create), None);
    assert_eq!(kind(Open::Create), None);
    assert_eq!(kind(Open::New), Some(std::io::ErrorKind::AlreadyExists));

    let file = sys.fs.open(&path, Open::Write).expect("opens");
    file.write_at(b"0123456789", 0).expect("writes");
    file.sync().expect("syncs");
    file.set_len(4).expect("cuts");
    assert_eq!(sys.fs.read(&path).expect("reads"), b"0123");
    let short = file.read_exact_at(&mut [0; 5], 0).expect_err("is too short");
    assert_eq!(short.kind(), std::io::ErrorKind::UnexpectedEof);
    assert!(sys.fs.open(&path, Open::Read).expect("opens").write_at(b"x", 0).is_err());
}

#[test]
fn names_are_listed_linked_renamed_and_removed() {
    let (sys, dir) = place();
    let [one, two, below] = ["one", "two", "below/deep"].map(|name| dir.path().join(name));
    sys.fs.create_dir_all(&below).expect("makes directories");
    sys.fs.create_dir_all(&below).expect("has them already");
    sys.fs.open(&one, Open::New).expect("makes a file");
    sys.fs.link(&one, &two).expect("links");
    assert_eq!(sys.fs.metadata(&two).expect("is known").links, 2);
    let taken = sys.fs.link(&one, &two).expect_err("is taken");
    assert_eq!(taken.kind(), std::io::ErrorKind::AlreadyExists);

    let listed = || -> Vec<(PathBuf, bool)> {
        let entries = sys.fs.list(dir.path()).expect("lists");
        entries.into_iter().map(|entry| (entry.path, entry.is_dir)).collect()
    };
    let parent = dir.path().join("below");
    assert_eq!(listed(), [(parent.clone(), true), (one.clone(), false), (two.clone(), false)]);
    sys.fs.unlink(&one).expect("removes");
    sys.fs.remove_dir(&below).expect("removes");
    sys.fs.rename(&two, &below).expect("renames");
    sys.fs.sync_dir(&parent).expect("syncs");
    assert_eq!(listed(), [(parent, true)]);
}

#[test]
fn a_lock_is_held_until_dropped() {
    let (sys, dir) = place();
    let path = dir.path().join("lock");
    let held = sys.fs.lock(&path).expect("locks");
    assert!(held.is_some());
    assert!(sys.fs.lock(&path).expect("asks").is_none());
    drop(held);
    assert!(sys.fs.lock(&path).expect("locks").is_some());
    assert!(sys.fs.free(dir.path()).expect("is known") > 0);
}
