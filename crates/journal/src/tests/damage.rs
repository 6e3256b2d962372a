//! Frames as bytes: what is written is read, and damage costs what is after it and nothing before.

use std::path::Path;

use proptest::prelude::*;
use sawlog_sys::Open;
use sawlog_sys::sim::{Tail, World};

use crate::format::{self, Decoded, FILE_HEADER, FRAME_HEADER};
use crate::gather::{At, Gathered};
use crate::{Frame, FrameKind, Journal, Lane, Lsn, Options};

const DIR: &str = "/journal";

fn lane() -> impl Strategy<Value = Lane> {
    prop_oneof![
        Just(Lane::default()),
        any::<(u128, u64, u64)>().prop_map(|(producer, incarnation, sequence)| Lane {
            producer,
            incarnation,
            sequence
        }),
    ]
}

fn encoded(kind: FrameKind, lane: &Lane, payload: &[u8], lsn: Lsn) -> Vec<u8> {
    let mut bytes = Gathered::new(Vec::new());
    format::begin_frame(bytes.own(), kind, lane);
    bytes.own().extend_from_slice(payload);
    let len = bytes.len();
    format::seal_frame(&mut bytes, At::default(), len, lsn);
    bytes.into_buffer()
}

proptest! {
    #[test]
    fn a_frame_is_read_as_it_was_written_and_only_there(
        cursor: bool,
        lane in lane(),
        payload in proptest::collection::vec(any::<u8>(), 0..300),
        after in proptest::collection::vec(any::<u8>(), 0..50),
        lsn: u64,
        elsewhere: u64,
        flip: prop::sample::Index,
        bit in 0..8,
    ) {
        let kind = if cursor { FrameKind::Cursor } else { FrameKind::Data };
        let frame = encoded(kind, &lane, &payload, Lsn(lsn));
        let bytes = [&frame[..], &after].concat();
        let Decoded::Frame(span) = format::decode_frame(&bytes, Lsn(lsn)) else { panic!("no frame") };
        prop_assert_eq!((span.kind, span.lane), (kind, lane));
        prop_assert_eq!(&bytes[span.payload.clone()], &payload[..]);
        prop_assert_eq!(span.payload.end, frame.len());

        // Stale bytes of another place in the journal never pass.
        if elsewhere != lsn {
            prop_assert!(matches!(format::decode_frame(&bytes, Lsn(elsewhere)), Decoded::Bad(_)));
        }
        // Every prefix asks for more, and never for more than there is.
        for len in 0..frame.len() {
            let wanted = if len < FRAME_HEADER { FRAME_HEADER } else { frame.len() };
            prop_assert_eq!(format::decode_frame(&frame[..len], Lsn(lsn)), Decoded::Need(wanted));
        }
        // Any flipped bit shows.
        let mut damaged = frame.clone();
        damaged[flip.index(frame.len())] ^= 1_u8 << bit;
        prop_assert!(!matches!(format::decode_frame(&damaged, Lsn(lsn)), Decoded::Frame(_)));
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), lsn: u64) {
        let _ = format::decode_frame(&bytes, Lsn(lsn));
    }
}

/// A journal of one file with some frames, its path and frames.
fn one_file() -> (World, std::path::PathBuf, Vec<Frame>) {
    let world = World::new(1);
    let (journal, _) = open(&world);
    for (index, size) in [0, 5, 90, 200, 33, 120].into_iter().enumerate() {
        let lane =
            if index % 2 == 0 { Lane::default() } else { Lane { producer: 9, incarnation: 1, sequence: 4 } };
        let payload = vec![index as u8; size];
        journal.append(FrameKind::Data, lane, |_, into| into.extend_from_slice(&payload)).expect("appends");
    }
    let frames = read(&journal);
    assert_eq!(frames.len(), 6);
    (world.restart(Tail::Lost), format::file_path(Path::new(DIR), journal.start()), frames)
}

fn open(world: &World) -> (Journal, crate::Recovered) {
    Journal::open(&world.sys(), Path::new(DIR), Options::default()).expect("opens")
}

fn read(journal: &Journal) -> Vec<Frame> {
    journal.read(Lsn(0)).map(|frame| frame.expect("reads")).collect()
}

/// Checks that the first `kept` frames are there and that the journal goes on after them.
fn check(world: &World, frames: &[Frame], kept: usize, dropped: u64) {
    let (journal, recovered) = open(world);
    assert_eq!(read(&journal), frames[..kept]);
    assert_eq!((recovered.frames, recovered.dropped_bytes), (kept as u64, dropped));
    assert_eq!(recovered.reason.is_some(), dropped > 0);
    let end = journal.end();
    assert_eq!(end, frames.get(kept).map_or(frames[5].next, |frame| frame.lsn));
    let lsn = journal.append(FrameKind::Data, Lane::default(), |_, into| into.push(1)).expect("appends");
    assert_eq!(lsn, end);
    let (journal, recovered) = open(&world.restart(Tail::Lost));
    let again = read(&journal);
    assert_eq!((&again[..kept], again.len()), (&frames[..kept], kept + 1));
    // What was dropped is out of sight.
    assert_eq!((recovered.frames, recovered.dropped_bytes), (1, 0));
}

#[test]
fn a_flipped_byte_costs_the_frames_from_there_on() {
    let (clean, path, frames) = one_file();
    let bytes = clean.sys().fs.read(&path).expect("reads");
    let first = frames[0].lsn.0;
    for (at, byte) in bytes.iter().enumerate() {
        let world = clean.restart(Tail::Lost);
        let file = world.sys().fs.open(&path, Open::Write).expect("opens");
        file.write_at(&[byte ^ (1 << (at % 8))], at as u64).expect("writes");
        file.sync().expect("syncs");
        // Each frame proves itself, so damage to the file's header costs none.
        let position = at.checked_sub(FILE_HEADER).map(|at| at as u64 + first);
        let kept =
            position.map_or(6, |position| frames.iter().filter(|frame| frame.next.0 <= position).count());
        let dropped = frames.get(kept).map_or(0, |frame| frames[5].next.0 - frame.lsn.0);
        check(&world, &frames, kept, dropped);
    }
}

#[test]
fn a_cut_file_keeps_the_frames_before_the_cut() {
    let (clean, path, frames) = one_file();
    let len = clean.sys().fs.metadata(&path).expect("is known").len;
    let first = frames[0].lsn.0;
    for at in 0..len {
        let world = clean.restart(Tail::Lost);
        let file = world.sys().fs.open(&path, Open::Write).expect("opens");
        file.set_len(at).expect("cuts");
        file.sync().expect("syncs");
        let end = at.saturating_sub(FILE_HEADER as u64) + first;
        let kept = frames.iter().filter(|frame| frame.next.0 <= end).count();
        let dropped = end.saturating_sub(frames.get(kept).map_or(end, |frame| frame.lsn.0));
        check(&world, &frames, kept, dropped);
    }
}

#[test]
fn another_format_is_refused() {
    let (world, path, _) = one_file();
    let file = world.sys().fs.open(&path, Open::Write).expect("opens");
    let mut header = [0; FILE_HEADER];
    file.read_exact_at(&mut header, 0).expect("reads");
    header[8] = 77;
    let checksum = crc32c::crc32c(&header[..20]);
    header[20..].copy_from_slice(&checksum.to_le_bytes());
    file.write_at(&header, 0).expect("writes");
    let error = Journal::open(&world.sys(), Path::new(DIR), Options::default()).err().expect("is refused");
    assert!(error.to_string().contains("has format 77"), "{error}");
}

#[test]
fn damage_in_an_earlier_file_is_told_and_the_next_file_is_read() {
    let (world, path, frames) = one_file();
    let (journal, _) = open(&world);
    journal.append(FrameKind::Data, Lane::default(), |_, into| into.push(1)).expect("appends");
    let file = world.sys().fs.open(&path, Open::Write).expect("opens");
    let at = frames[3].lsn.0 - frames[0].lsn.0 + FILE_HEADER as u64 + 20;
    file.write_at(&[0xff], at).expect("writes");
    let found: Vec<_> = journal.read(Lsn(0)).map(Result::ok).collect();
    assert_eq!(found.len(), 5);
    assert!(found[..3].iter().flatten().eq(&frames[..3]));
    assert!(found[3].is_none() && found[4].as_ref().is_some_and(|frame| frame.lsn == frames[5].next));
}
