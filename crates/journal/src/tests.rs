//! Tests of the journal on the machine's own files.

use std::path::Path;

use sawlog_sys::Sys;

use crate::{FrameKind, Journal, Lane, Lsn, Options};

fn open(dir: &Path) -> Journal {
    Journal::open(&Sys::real(), dir, Options::default()).expect("opens").0
}

fn put(journal: &Journal, payload: &[u8]) -> Lsn {
    journal
        .append(FrameKind::Data, Lane::default(), |_, into| into.extend_from_slice(payload))
        .expect("appends")
}

#[test]
fn a_reader_beside_the_writer_sees_what_is_durable_and_changes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = open(dir.path());
    put(&journal, b"one");
    let read = || -> Vec<Vec<u8>> {
        let frames = Journal::read_only(&Sys::real(), dir.path()).expect("opens beside the writer");
        frames.map(|frame| frame.expect("reads").payload.to_vec()).collect()
    };
    assert_eq!(read(), [b"one".to_vec()]);
    put(&journal, b"two");
    assert_eq!(read(), [b"one".to_vec(), b"two".to_vec()]);
}

fn payloads(journal: &Journal, from: Lsn) -> Vec<Vec<u8>> {
    journal.read(from).map(|frame| frame.expect("reads").payload.to_vec()).collect()
}

#[test]
fn frames_come_back_in_order_also_after_reopening() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = open(dir.path());
    let first = put(&journal, b"one");
    let second = put(&journal, &vec![7; 600_000]);
    assert_eq!(first, journal.start());
    assert_eq!(payloads(&journal, Lsn(0)), [b"one".to_vec(), vec![7; 600_000]]);
    drop(journal);
    let journal = open(dir.path());
    put(&journal, b"three");
    assert_eq!(payloads(&journal, second), [vec![7; 600_000], b"three".to_vec()]);
}
