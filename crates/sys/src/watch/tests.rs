//! Tests of the watcher on real directories.

use std::time::Duration;

use crate::{Open, Sys};

use super::*;

const LONG: Option<Duration> = Some(Duration::from_secs(20));

fn name(dir: &Path, name: &str) -> Change {
    Change::Name { dir: dir.to_owned(), name: name.into() }
}

#[test]
fn tells_each_name_that_changed_once() {
    let (sys, dir) = (Sys::real(), tempfile::tempdir().expect("a directory"));
    let watcher = Watcher::new().expect("a watcher");
    watcher.add(dir.path()).expect("watches");
    watcher.add(dir.path()).expect("watches again");

    let file = sys.fs.open(&dir.path().join("a"), Open::New).expect("makes a file");
    file.write_at(b"line\n", 0).expect("writes");
    file.write_at(b"line\n", 5).expect("writes");
    sys.fs.rename(&dir.path().join("a"), &dir.path().join("b")).expect("renames");
    assert_eq!(watcher.wait(LONG).expect("waits"), [name(dir.path(), "a"), name(dir.path(), "b")]);

    file.set_len(0).expect("truncates");
    assert_eq!(watcher.wait(LONG).expect("waits"), [name(dir.path(), "b")]);
    assert_eq!(watcher.wait(Some(Duration::ZERO)).expect("waits"), []);

    watcher.remove(dir.path());
    sys.fs.unlink(&dir.path().join("b")).expect("removes");
    assert_eq!(watcher.wait(Some(Duration::ZERO)).expect("waits"), []);
}

#[test]
fn a_removed_or_renamed_directory_is_told_once_and_forgotten() {
    let (sys, dir) = (Sys::real(), tempfile::tempdir().expect("a directory"));
    let (gone, moved) = (dir.path().join("gone"), dir.path().join("moved"));
    let watcher = Watcher::new().expect("a watcher");
    for dir in [&gone, &moved] {
        sys.fs.create_dir_all(dir).expect("makes a directory");
        watcher.add(dir).expect("watches");
    }
    sys.fs.remove_dir(&gone).expect("removes");
    let elsewhere = dir.path().join("elsewhere");
    sys.fs.rename(&moved, &elsewhere).expect("renames");
    assert_eq!(watcher.wait(LONG).expect("waits"), [Change::Gone(gone), Change::Gone(moved)]);

    sys.fs.open(&elsewhere.join("x"), Open::New).expect("makes a file");
    assert_eq!(watcher.wait(Some(Duration::ZERO)).expect("waits"), []);
}

#[test]
fn waking_ends_the_wait_under_way_or_else_the_next() {
    let watcher = Watcher::new().expect("a watcher");
    let waker = watcher.waker();
    waker.wake();
    waker.wake();
    assert_eq!(watcher.wait(None).expect("waits"), []);
    let other = crate::task::spawn("waker", move || waker.wake()).expect("starts");
    assert_eq!(watcher.wait(None).expect("waits"), []);
    other.join();
}

#[test]
fn only_a_directory_can_be_watched() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    Sys::real().fs.open(&file, Open::New).expect("makes a file");
    let watcher = Watcher::new().expect("a watcher");
    assert_eq!(watcher.add(&file).expect_err("is no directory").kind(), io::ErrorKind::NotADirectory);
    let missing = watcher.add(&dir.path().join("none")).expect_err("is missing");
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
}
