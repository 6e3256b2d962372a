//! Journals that earlier versions wrote: `crates/journal/fixtures/v<N>` is one of version N of the format, with `frames.txt`,
//! which says what is in it. `cargo xtask fixtures` makes the one of now again, as long as it is not frozen.

use std::path::{Path, PathBuf};

use sawlog_sys::{Open, Sys};

use super::{open, put};
use crate::format::VERSION;
use crate::{FrameKind, Journal, Lane, Options};

fn of_version(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/v{version}"))
}

/// Frames of both kinds, with a lane and without, in two files.
fn write(dir: &Path) {
    for round in 0..2u64 {
        let journal = open(dir);
        put(&journal, b"");
        put(&journal, &[b"a frame", &round.to_le_bytes()[..]].concat());
        put(&journal, &b"long ".repeat(700));
        let lane = Lane { producer: 0x0123_4567_89ab_cdef_u128 << 32, incarnation: 5, sequence: 9 + round };
        journal.append(FrameKind::Data, lane, |_, into| into.extend_from_slice(b"of a lane\xff")).unwrap();
        journal.append(FrameKind::Cursor, Lane::default(), |_, into| into.push(7)).unwrap();
    }
}

/// A line for each frame.
fn frames(dir: &Path) -> String {
    let frames = Journal::read_only(&Sys::real(), dir).expect("opens");
    let line = |frame: crate::Frame| {
        let payload = frame.payload.escape_ascii().to_string();
        format!("{:?} {:?} {:?} {payload}\n", frame.lsn, frame.kind, frame.lane)
    };
    frames.map(|frame| line(frame.expect("reads"))).collect()
}

fn put_file(path: &Path, bytes: &[u8]) {
    let fs = Sys::real().fs;
    fs.create_dir_all(path.parent().unwrap()).unwrap();
    if fs.metadata(path).is_ok() {
        fs.unlink(path).unwrap();
    }
    fs.open(path, Open::New).unwrap().write_at(bytes, 0).unwrap();
}

/// Copies the files of a journal.
fn copy(from: &Path, to: &Path) {
    let fs = Sys::real().fs;
    for entry in fs.list(from).unwrap() {
        if entry.path.extension().is_some_and(|extension| extension == "log") {
            put_file(&to.join(entry.path.file_name().unwrap()), &fs.read(&entry.path).unwrap());
        }
    }
}

/// With `SAWLOG_FIXTURES`, as `cargo xtask fixtures` sets it, it becomes the fixture.
#[test]
fn what_is_written_now_is_what_the_fixture_has() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    if std::env::var_os("SAWLOG_FIXTURES").is_none() {
        let wanted = Sys::real().fs.read(&of_version(VERSION).join("frames.txt")).unwrap();
        assert_eq!(frames(dir.path()), String::from_utf8(wanted).unwrap());
        return;
    }
    copy(dir.path(), &of_version(VERSION));
    put_file(&of_version(VERSION).join("frames.txt"), frames(dir.path()).as_bytes());
}

#[test]
fn every_version_is_read() {
    let sys = Sys::real();
    for version in 1..=VERSION {
        let wanted = sys.fs.read(&of_version(version).join("frames.txt")).unwrap();
        let dir = tempfile::tempdir().unwrap();
        copy(&of_version(version), dir.path());
        let read = frames(dir.path());
        assert_eq!(read, String::from_utf8(wanted).unwrap(), "version {version}");
        assert_eq!(read.lines().count(), 10);
        // And it is gone on with.
        let (journal, recovered) = Journal::open(&sys, dir.path(), Options::default()).unwrap();
        assert_eq!(recovered.dropped_bytes, 0);
        put(&journal, b"one more");
        drop(journal);
        assert_eq!(frames(dir.path()).lines().count(), 11);
    }
}

#[test]
fn version_0_is_refused_with_a_remedy() {
    let dir = tempfile::tempdir().unwrap();
    copy(&of_version(VERSION), dir.path());
    for entry in Sys::real().fs.list(dir.path()).unwrap() {
        let mut bytes = Sys::real().fs.read(&entry.path).unwrap();
        bytes[8..12].copy_from_slice(&0u32.to_le_bytes());
        let sum = crc32c::crc32c(&bytes[..20]).to_le_bytes();
        bytes[20..24].copy_from_slice(&sum);
        put_file(&entry.path, &bytes);
    }
    let error = Journal::open(&Sys::real(), dir.path(), Options::default()).err().expect("it is refused");
    let words = format!("{error} {error:?}");
    assert!(words.contains("has format 0") && words.contains("import the logs again"), "{words}");
}
