//! What goes from a store, and what can be saved of it: the oldest, what is to be deleted, damaged segments, tenants.

use std::sync::Arc;

use sawlog_model::{Position, Predicate, SourceId, Tenant, Test, TimeRange};
use sawlog_sys::Open;

use super::behaviour::{Place, append, rows};
use super::support::{batch, read, request};
use crate::{Options, Order, Origin, ScanRequest, SegmentInfo, Store, StoreError};

const T: Tenant = Tenant(0);

#[test]
fn the_oldest_segments_go_where_there_are_too_many_bytes() {
    let place = Place::new(Options::default());
    let store = place.open();
    for (tenant, source) in [(0, 1), (0, 2), (1, 3), (0, 4), (1, 5)] {
        let lines: Vec<String> =
            (0..500_u64).map(|n| format!("{} info {}\n", source * 1000 + n, n * n)).collect();
        let placed: Vec<(u64, &str)> =
            lines.iter().zip(0..).map(|(line, n)| (n * 100, line.as_str())).collect();
        let rows = batch(Tenant(tenant), SourceId(source.into()), 0, &placed);
        let position = Position { epoch: 0, offset: 50_000, ..Position::default() };
        store.append(Arc::new(rows), Origin::Replayable(position)).expect("it is taken");
        store.flush().expect("it flushes");
    }
    let all = store.segments();
    assert_eq!(all.iter().map(|segment| segment.tenant.0).collect::<Vec<_>>(), [0, 0, 0, 1, 1]);
    let bytes = |segments: &[SegmentInfo]| segments.iter().map(|segment| segment.stored_bytes).sum::<u64>();
    drop(store);
    let kept = |options: Options| {
        let store = Store::open(&place.sys, place.dir.path(), options).expect("it opens");
        let went = store.maintain(0).expect("it maintains");
        let segments = store.segments();
        drop(store);
        for segment in &all {
            let stays = segments.contains(segment);
            assert_eq!(place.sys.fs.metadata(&segment.path).is_ok(), stays, "{segment:?}");
        }
        (went, segments)
    };
    assert_eq!(kept(Options { most_bytes: bytes(&all), ..place.options }), (false, all.clone()));
    // One tenant has a segment too many, the other has not.
    let of_tenant = Options { most_tenant_bytes: bytes(&all[..3]) - 1, ..place.options };
    assert_eq!(kept(of_tenant), (true, all[1..].to_vec()));
    // Of what is left the oldest go, whosever they are: sources 2 and 3.
    let of_all = Options { most_bytes: all[2].stored_bytes + all[4].stored_bytes, ..place.options };
    assert_eq!(kept(of_all), (true, vec![all[2].clone(), all[4].clone()]));
}

#[test]
fn rows_are_deleted_with_their_bytes() {
    for compacted in [false, true] {
        let place = Place::new(Options::default());
        let store = place.open();
        for round in 0..4 {
            append(&store, 1, round * 500, round * 500 + 500).expect("it is taken");
            append(&store, 2, round * 500, round * 500 + 500).expect("it is taken");
            if round < 3 {
                store.flush().expect("it flushes");
            }
        }
        let flushed = store.stats().flushed;
        assert_eq!(flushed.raw_bytes, 3_000 * 17);
        assert_eq!(flushed.bytes, store.segments().iter().map(|segment| segment.stored_bytes).sum::<u64>());
        if compacted {
            store.compact(&mut |_, _| ()).expect("it compacts");
        }
        let rewritten = if compacted { flushed.raw_bytes } else { 0 };
        assert_eq!((store.stats().flushed, store.stats().rewritten.raw_bytes), (flushed, rewritten));
        let nothing = Predicate::Any(Test::Phrase { text: "nothing".to_owned(), fold: true });
        assert_eq!(store.delete(T, TimeRange::ALL, &nothing).expect("it deletes"), 0);
        let before = store.segments();
        let slow = store.scan(&request(T, Order::Newest, None)).expect("a scan");
        let of_two = Predicate::Any(Test::Phrase { text: "2".to_owned(), fold: true });
        let range = TimeRange { start: 100, end: 1_800 };
        assert_eq!(store.delete(T, range, &of_two).expect("it deletes"), 1_700);
        assert_eq!(store.delete(T, range, &of_two).expect("it deletes"), 0);
        assert_eq!(read(slow).len(), 4_000, "a scan goes on with what it began with");
        let left = read(store.scan(&request(T, Order::Oldest, None)).expect("a scan"));
        let stays =
            |line: &super::support::Line| line.address.source == SourceId(1) || !range.contains(line.time);
        assert!(left.len() == 2_300 && left.iter().all(stays));
        assert_eq!(store.count(T, TimeRange::ALL), Some(2_300));
        assert_eq!(store.count(T, range), Some(1_700));
        assert_eq!(store.stats().records, 2_300);
        for (predicate, wanted) in [(Predicate::All, 2_300), (of_two, 300)] {
            let asked = ScanRequest { predicate, ..request(T, Order::Any, None) };
            let parts = store.scan_parts(&asked, 2).expect("scans");
            let counted: u64 = parts.into_iter().map(|scan| scan.count().expect("a count")).sum();
            assert_eq!(counted, wanted);
        }
        let effort = |segments: &[SegmentInfo]| segments.iter().any(|segment| segment.strong);
        assert_eq!(effort(&store.segments()), compacted);
        drop(store);
        for segment in before {
            assert!(place.sys.fs.metadata(&segment.path).is_err(), "{segment:?} is gone");
        }
        let store = place.open();
        assert_eq!(read(store.scan(&request(T, Order::Oldest, None)).expect("a scan")), left);
        let position = store.sources().into_iter().find(|known| known.source.id == SourceId(2));
        assert_eq!(position.expect("a source").position.offset, 2_000 * 17, "what was read stays read");
    }
}

#[test]
fn damage_is_found_and_what_can_be_read_is_saved() {
    let place = Place::new(Options::default());
    let store = place.open();
    // Text that does not shrink, so that each row group has chunks of its own.
    let mut state = 1_u64;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:016x}", state ^ state >> 29)
    };
    let long: Vec<String> =
        (0..30_000).map(|n| format!("{n} info {}\n", (0..24).map(|_| word()).collect::<String>())).collect();
    let placed: Vec<(u64, &str)> = long.iter().zip(0..).map(|(line, n)| (n * 1_000, line.as_str())).collect();
    let position = Position { epoch: 0, offset: 30_000_000, ..Position::default() };
    let of_file = Arc::new(batch(T, SourceId(9), 0, &placed));
    store.append(of_file, Origin::Replayable(position)).expect("it is taken");
    store.flush().expect("it flushes");
    for source in 0..2 {
        append(&store, source, 100_000, 101_000).expect("it is taken");
        store.flush().expect("it flushes");
    }
    assert!(store.verify(&mut |_, _| ()).expect("it is read").is_empty());
    let segments = store.segments();
    drop(store);
    let flip = |number: usize, at: u64| {
        let file = place.sys.fs.open(&segments[number].path, Open::Write).expect("a file");
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).expect("a byte");
        file.write_at(&[byte[0] ^ 0x40], at).expect("it is written");
    };
    flip(0, 40);
    flip(2, segments[2].stored_bytes - 40);
    let store = place.open();
    let mut last = (0, 0);
    let faults = store.verify(&mut |done, all| last = (done, all)).expect("it is read");
    assert!(last.0 == last.1 && last.0 > 11_000_000, "{last:?}");
    let numbers: Vec<u64> = faults.iter().map(|fault| fault.segment.number).collect();
    assert_eq!(numbers, [segments[0].number, segments[2].number]);
    assert!(matches!(place.read_only().repair(&mut |_, _| ()), Err(StoreError::ReadOnly)));
    let repaired = store.repair(&mut |_, _| ()).expect("it is repaired");
    let lost: u64 = repaired.iter().map(|repaired| repaired.lost).sum();
    assert_eq!(repaired[1].lost, 1_000, "without its footer nothing of it can be read");
    let of_first = repaired[0].lost;
    assert!(0 < of_first && of_first < 30_000, "the other has a group that can be read: {of_first}");
    for repaired in &repaired {
        let aside = repaired.aside.as_ref().expect("a file");
        assert!(place.sys.fs.metadata(aside).is_ok_and(|file| file.len == repaired.segment.stored_bytes));
    }
    assert!(store.verify(&mut |_, _| ()).expect("it is read").is_empty());
    assert_eq!(rows(&store, Order::Oldest) as u64, 32_000 - lost);
    drop(store);
    assert!(place.open().verify(&mut |_, _| ()).expect("it is read").is_empty());
}

#[test]
fn a_tenant_is_forgotten_with_all_its_bytes() {
    let place = Place::new(Options::default());
    let store = place.open();
    let put = |tenant: u32, source: u128, name: &str| {
        let mut rows =
            batch(Tenant(tenant), SourceId(source), 0, &[(0, "1 info one\n"), (11, "2 info two\n")]);
        Arc::make_mut(&mut rows.source).facts.name = name.to_owned();
        let position = Position { epoch: 0, offset: 22, ..Position::default() };
        store.append(Arc::new(rows), Origin::Replayable(position)).expect("it is taken");
    };
    put(3, 1, "http@3:quagmire");
    store.flush().expect("it flushes");
    put(3, 2, "http@3:quagmire too");
    put(33, 3, "http@33:another");
    put(0, 4, "/var/log/@3:file");
    let dir = place.dir.path().join("t3");
    assert!(place.sys.fs.metadata(&dir).is_ok() && store.tenants() == [0, 3, 33].map(Tenant));
    assert_eq!(store.sources_of(Tenant(3)).expect("read").len(), 2, "in memory and in a segment");
    store.forget(Tenant(3)).expect("forgotten");
    assert!(place.sys.fs.metadata(&dir).is_err() && store.tenants() == [0, 33].map(Tenant));
    let known = |store: &Store| {
        let mut known: Vec<String> =
            store.sources().into_iter().map(|known| known.source.facts.name).collect();
        known.sort();
        known
    };
    store.flush().expect("it flushes");
    assert_eq!(known(&store), ["/var/log/@3:file", "http@33:another"]);
    for entry in place.sys.fs.list(&place.dir.path().join("catalogue")).expect("a directory") {
        let bytes = place.sys.fs.read(&entry.path).expect("a manifest");
        assert!(!bytes.windows(8).any(|word| word == b"quagmire"), "{}", entry.path.display());
    }
    drop(store);
    let store = place.open();
    assert_eq!(
        (
            known(&store).len(),
            read(store.scan(&request(Tenant(33), Order::Any, None)).expect("a scan")).len()
        ),
        (2, 2)
    );
    store.forget(Tenant(3)).expect("there is nothing of it");
}

#[test]
fn a_tenant_may_have_a_size_of_its_own() {
    let place = Place::new(Options::default());
    let store = place.open();
    for round in 0..3 {
        append(&store, 1, round * 500, round * 500 + 500).expect("it is taken");
        store.flush().expect("it flushes");
    }
    let all = store.segments();
    assert!(!store.maintain(0).expect("nothing to do") || store.segments() == all);
    let two: u64 = all[1..].iter().map(|segment| segment.stored_bytes).sum();
    store.set_tenant_sizes([(T, two), (Tenant(9), 1)].into());
    store.maintain(0).expect("it maintains");
    assert_eq!(store.segments(), all[1..]);
}
