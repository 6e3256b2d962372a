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
