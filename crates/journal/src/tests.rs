//! Tests of the journal on the machine's own files.

mod crash;
mod damage;
mod fixtures;
mod group;

use std::path::Path;

use sawlog_sys::Sys;

use crate::{Frame, FrameKind, Journal, JournalError, Lane, Lsn, Options};

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

#[test]
fn bytes_of_others_stand_where_they_were_put() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = open(dir.path());
    let large = bytes::Bytes::from((0..100_000_u32).map(|at| (at / 7) as u8).collect::<Vec<u8>>());
    for _ in 0..2 {
        let made = journal.append_shared(FrameKind::Data, Lane::default(), |_, payload| {
            payload.bytes().extend_from_slice(b"before");
            payload.share(large.clone());
            payload.bytes().extend_from_slice(b"between");
            payload.share(large.slice(..10));
            payload.share(large.slice(50_000..));
        });
        made.expect("appends");
    }
    put(&journal, b"after");
    drop(journal);
    let one = [b"before", &large[..], b"between", &large[..10], &large[50_000..]].concat();
    assert_eq!(payloads(&open(dir.path()), Lsn(0)), [one.clone(), one, b"after".to_vec()]);
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

fn small(dir: &Path, options: Options) -> Journal {
    Journal::open(&Sys::real(), dir, options).expect("opens").0
}

fn cursor(journal: &Journal, payload: &[u8]) -> Result<Lsn, JournalError> {
    journal.append(FrameKind::Cursor, Lane::default(), |_, into| into.extend_from_slice(payload))
}

fn files(dir: &Path) -> usize {
    let entries = Sys::real().fs.list(dir).expect("lists");
    entries.iter().filter(|entry| entry.path.extension().is_some_and(|end| end == "log")).count()
}

#[test]
fn kinds_and_lanes_come_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = open(dir.path());
    let lane = Lane { producer: u128::MAX - 7, incarnation: 3, sequence: u64::MAX };
    let first =
        journal.append(FrameKind::Data, lane, |lsn, into| into.extend_from_slice(&lsn.0.to_le_bytes()));
    let first = first.expect("appends");
    cursor(&journal, b"at 5").expect("appends");
    let frames: Vec<Frame> = journal.read(Lsn(0)).map(|frame| frame.expect("reads")).collect();
    assert_eq!((frames[0].kind, frames[0].lane), (FrameKind::Data, lane));
    assert_eq!(frames[0].payload[..], first.0.to_le_bytes());
    assert_eq!((frames[1].kind, frames[1].lane), (FrameKind::Cursor, Lane::default()));
    assert_eq!((frames[0].next, frames[1].next), (frames[1].lsn, journal.end()));
}

#[test]
fn a_reader_at_the_end_goes_on_when_there_is_more() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = small(dir.path(), Options { file_bytes: 100, ..Options::default() });
    let mut frames = journal.read(Lsn(0));
    for index in 0..20_u8 {
        assert!(frames.next().is_none());
        put(&journal, &[index; 30]);
        assert_eq!(frames.next().expect("is there").expect("reads").payload[..], [index; 30]);
    }
    assert!(files(dir.path()) > 5);
}

#[test]
fn trimming_removes_whole_files_and_positions_only_grow() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options { file_bytes: 100, ..Options::default() };
    let journal = small(dir.path(), options);
    let lsns: Vec<Lsn> = (0..20_u8).map(|index| put(&journal, &[index; 30])).collect();
    journal.trim(lsns[7]).expect("trims");
    assert!(journal.start() <= lsns[7] && journal.start() > lsns[0]);
    let kept = payloads(&journal, Lsn(0));
    assert!(kept.ends_with(&(7..20_u8).map(|index| vec![index; 30]).collect::<Vec<_>>()));
    assert!(kept.len() < 16);

    journal.trim(Lsn(u64::MAX)).expect("trims");
    assert_eq!(files(dir.path()), 1);
    let end = journal.end();
    drop(journal);
    let journal = small(dir.path(), options);
    assert_eq!(journal.end(), end);
    assert_eq!(put(&journal, b"next"), end);
}

#[test]
fn a_full_journal_takes_cursors_and_after_trimming_rows() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = small(dir.path(), Options { file_bytes: 1 << 20, total_bytes: 4000 });
    let row = || journal.append(FrameKind::Data, Lane::default(), |_, into| into.resize(into.len() + 300, 1));
    let rows = (0..).take_while(|_| row().is_ok()).count();
    assert_eq!(rows, 4000 / 312);
    assert!(matches!(row(), Err(JournalError::Full(4000))));
    let end = journal.end();
    let cursors = (0..).take_while(|_| cursor(&journal, b"at the end").is_ok()).count();
    assert_eq!(cursors, (4000 + 4000 / 16 - rows * 312) / 22);
    // A frame that did not fit has left nothing.
    assert_eq!(journal.read(end).count(), cursors);
    journal.trim(end).expect("trims");
    row().expect("has room again");
}

#[test]
fn a_journal_that_one_frame_fills_goes_on_when_that_was_trimmed() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = small(dir.path(), Options { file_bytes: 4000, total_bytes: 4000 });
    for _ in 0..5 {
        put(&journal, &[7; 3000]);
        let full =
            journal.append(FrameKind::Data, Lane::default(), |_, into| into.extend_from_slice(&[7; 3000]));
        assert!(matches!(full, Err(JournalError::Full(_))));
        journal.trim(journal.end()).expect("trims");
    }
    assert_eq!(files(dir.path()), 1);
}

#[test]
fn one_process_at_a_time_writes() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = open(dir.path());
    let Err(JournalError::Io { source, .. }) = Journal::open(&Sys::real(), dir.path(), Options::default())
    else {
        panic!("opens twice");
    };
    assert_eq!(source.kind(), std::io::ErrorKind::WouldBlock);
    drop(journal);
    open(dir.path());
}

#[test]
fn a_frame_larger_than_a_file_has_its_own() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = small(dir.path(), Options { file_bytes: 1000, ..Options::default() });
    let sizes = [10, 5000, 20, 700_000, 30];
    sizes.iter().for_each(|size| {
        put(&journal, &vec![9; *size]);
    });
    assert_eq!(payloads(&journal, Lsn(0)).iter().map(Vec::len).collect::<Vec<_>>(), sizes);
}
