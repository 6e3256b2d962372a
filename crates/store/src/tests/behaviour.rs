//! What a user of a store sees beside rows: order of arrival, bounds, locks, readers, damage, age.

use std::sync::Arc;
use std::time::Duration;

use sawlog_model::{Address, Position, Predicate, SourceId, Tenant, Test, TimeRange};
use sawlog_sys::sim::World;
use sawlog_sys::task;
use sawlog_sys::{Open, Sys};

use super::support::{Stage, batch, read, request};
use crate::{Options, Order, Origin, ScanRequest, Store, StoreError};

const T: Tenant = Tenant(0);

/// A store in a directory that goes with it.
pub(super) struct Place {
    pub(super) sys: Sys,
    pub(super) dir: tempfile::TempDir,
    pub(super) options: Options,
}

impl Place {
    pub(super) fn new(options: Options) -> Place {
        Place { sys: Sys::real(), dir: tempfile::tempdir().expect("a directory"), options }
    }

    pub(super) fn open(&self) -> Store {
        Store::open(&self.sys, self.dir.path(), self.options).expect("it opens")
    }

    pub(super) fn read_only(&self) -> Store {
        let options = Options { read_only: true, ..self.options };
        Store::open(&self.sys, self.dir.path(), options).expect("it opens")
    }
}

/// Appends lines `from..to` of a file whose line `n` has the time `n`.
pub(super) fn append(store: &Store, source: u128, from: u64, to: u64) -> Result<(), StoreError> {
    let lines: Vec<String> = (from..to).map(|n| format!("{n:09} info {source}\n")).collect();
    let width = lines.first().map_or(0, String::len) as u64;
    let placed: Vec<(u64, &str)> =
        lines.iter().zip(from..).map(|(line, n)| (n * width, line.as_str())).collect();
    let position = Position { epoch: 0, offset: to * width, ..Position::default() };
    store.append(Arc::new(batch(T, SourceId(source), 0, &placed)), Origin::Replayable(position))
}

pub(super) fn rows(store: &Store, order: Order) -> usize {
    read(store.scan(&request(T, order, None)).expect("a scan")).len()
}

#[test]
fn one_writer_any_number_of_readers() {
    let place = Place::new(Options::default());
    let store = place.open();
    let second = Store::open(&place.sys, place.dir.path(), place.options);
    assert!(matches!(second.err(), Some(StoreError::Locked(_))));
    let reader = place.read_only();
    assert_eq!(rows(&reader, Order::Newest), 0);
    for round in 0..10 {
        append(&store, 1, round * 100, round * 100 + 100).expect("it is taken");
        store.flush().expect("it flushes");
        assert_eq!(rows(&reader, Order::Newest), 100 * (round as usize + 1));
    }
    let slow = reader.scan(&request(T, Order::Newest, None)).expect("a scan");
    store.compact(&mut |_, _| ()).expect("it compacts");
    drop(store);
    assert_eq!(read(slow).len(), 1000, "files that are gone were opened before");
    assert_eq!(rows(&reader, Order::Oldest), 1000, "the newer manifest names others");
    assert_eq!(reader.count(T, TimeRange::ALL), Some(1000));
    assert!(reader.damage().is_empty(), "{:?}", reader.damage());
    append(&reader, 2, 0, 1).expect("rows to look at");
    assert_eq!(rows(&reader, Order::Oldest), 1001);
    assert!(matches!(reader.flush(), Err(StoreError::ReadOnly)));
    assert!(matches!(reader.compact(&mut |_, _| ()), Err(StoreError::ReadOnly)));
    assert!(!reader.maintain(0).expect("nothing to do"));
}

#[test]
fn memory_stays_within_its_budget() {
    let place = Place::new(Options { memtable_bytes: 100_000, ..Options::default() });
    let store = place.open();
    for round in 0..200 {
        append(&store, 1, round * 50, round * 50 + 50).expect("it is taken");
        assert!(store.stats().memtable_bytes <= 100_000);
    }
    assert!(store.stats().segments > 1);
    assert_eq!(rows(&store, Order::Any), 10_000);
    let stats = store.stats();
    assert_eq!((stats.records, stats.first_time, stats.last_time), (10_000, 0, 9_999));
    assert_eq!(stats.raw_bytes, 10_000 * "000000000 info 1\n".len() as u64);
}

#[test]
fn rows_have_half_of_their_memory_while_segments_are_merged() {
    let place = Place::new(Options { memtable_bytes: 100_000, ..Options::default() });
    let store = place.open();
    let most = |store: &Store, source: u128| {
        let one = |n| {
            append(store, source, n * 10, n * 10 + 10).expect("it is taken");
            store.stats().memtable_bytes
        };
        (0..200u64).map(one).max().unwrap_or(0)
    };
    assert!((50_001..=100_000).contains(&most(&store, 1)));
    store.flush().expect("a flush");
    let merge = store.shares().compaction.take(1 << 20).expect("memory");
    assert!((25_001..=50_000).contains(&most(&store, 2)));
    drop(merge);
    assert!(most(&store, 3) > 50_000);
    assert_eq!(store.stats().records, 6_000);
}

#[test]
fn the_journals_length_asks_for_a_flush_of_the_oldest() {
    let place = Place::new(Options { memtable_bytes: 1 << 20, ..Options::default() });
    let store = place.open();
    for (tenant, at) in [(0, 0), (1, 2_000_000)] {
        let lines = batch(Tenant(tenant), SourceId(1), 0, &[(at, "1 info one\n")]);
        store
            .append(Arc::new(lines), Origin::Journal { at, next: at + 100, position: None })
            .expect("it is taken");
    }
    assert!(!store.maintain(1000).expect("nothing to do"));
    assert_eq!(store.cursor(), 0);
    assert!(store.maintain(3_000_000).expect("it flushes"));
    assert_eq!(store.cursor(), 2_000_000, "the other tenant's row is young and stays in memory");
    assert_eq!(store.stats().segments, 1);
}

#[test]
fn a_full_disk_holds_back_and_loses_nothing() {
    let world = World::new(3);
    let options = Options { memtable_bytes: 20_000, ..Options::default() };
    let store = Store::open(&world.sys(), "/data".as_ref(), options).expect("it opens");
    world.set_space(Some(10_000));
    let mut taken = 0;
    let error = loop {
        match append(&store, 1, taken, taken + 20) {
            Ok(()) => taken += 20,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(&error, StoreError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull)
    );
    assert_eq!(rows(&store, Order::Newest), taken as usize, "what was taken is there and can be read");
    append(&store, 1, taken, taken + 20).expect_err("the disk is still full");
    let files = world.sys().fs.list("/data/t0".as_ref()).expect("a directory").len();
    assert_eq!(files as u64, store.stats().segments, "what was begun is gone");
    world.set_space(None);
    append(&store, 1, taken, taken + 20).expect("it goes on by itself");
    assert_eq!(rows(&store, Order::Oldest), taken as usize + 20);
}

#[test]
fn first_rows_come_at_once_and_stopping_early_reads_little() {
    let place = Place::new(Options::default());
    let store = place.open();
    for round in 0..20 {
        append(&store, 1, round * 1000, round * 1000 + 1000).expect("it is taken");
        store.flush().expect("it flushes");
    }
    let mut scan = store.scan(&request(T, Order::Newest, None)).expect("a scan");
    let first = scan.next().expect("a batch").expect("rows");
    assert_eq!(first.num_rows(), 256);
    assert_eq!(scan.read().0, 1000, "only the newest segment was opened");
    let mut scan = store.scan(&request(T, Order::Newest, Some(1500))).expect("a scan");
    let sizes: Vec<usize> = scan.by_ref().map(|batch| batch.expect("rows").num_rows()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 1500);
    assert_eq!(scan.read().0, 2000);
}

#[test]
fn rows_of_the_same_time_have_one_order() {
    let place = Place::new(Options::default());
    let store = place.open();
    for source in [3, 1, 2] {
        let lines: Vec<(u64, &str)> = (0..50).map(|n| (n * 9, "7 info x\n")).collect();
        let position = Position { epoch: 0, offset: 450, ..Position::default() };
        store
            .append(Arc::new(batch(T, SourceId(source), 0, &lines)), Origin::Replayable(position))
            .expect("it is taken");
        if source != 2 {
            store.flush().expect("it flushes");
        }
    }
    let addresses = |order| -> Vec<Address> {
        let lines = read(store.scan(&request(T, order, None)).expect("a scan"));
        lines.into_iter().map(|line| line.address).collect()
    };
    let oldest = addresses(Order::Oldest);
    assert_eq!(oldest.len(), 150);
    assert!(oldest.is_sorted());
    let mut newest = addresses(Order::Newest);
    newest.reverse();
    assert_eq!(newest, oldest);
}

#[test]
fn a_damaged_segment_is_reported_and_passed_over() {
    let place = Place::new(Options::default());
    let store = place.open();
    for round in 0..3 {
        append(&store, 1, round * 100, round * 100 + 100).expect("it is taken");
        store.flush().expect("it flushes");
    }
    drop(store);
    let segments = place.sys.fs.list(&place.dir.path().join("t0")).expect("a directory");
    assert_eq!(segments.len(), 3);
    let file = place.sys.fs.open(&segments[1].path, Open::Write).expect("a file");
    let len = file.metadata().expect("metadata").len;
    for at in 0..len {
        file.write_at(b"\xa5", at).expect("it can be written");
    }
    place.sys.fs.unlink(&segments[2].path).expect("it can go");
    let store = place.open();
    for order in [Order::Newest, Order::Oldest, Order::Any, Order::Source(SourceId(1))] {
        assert_eq!(rows(&store, order), 100, "{order:?}");
    }
    let damage = store.damage();
    assert_eq!(damage.len(), 2, "each once: {damage:?}");
    append(&store, 1, 300, 400).expect("it goes on");
    store.flush().expect("it flushes");
    store.compact(&mut |_, _| ()).expect("it compacts the others");
    assert_eq!(rows(&store, Order::Newest), 200);
    drop(store);
    assert_eq!(rows(&place.open(), Order::Newest), 200);
}

#[test]
fn files_that_no_manifest_names_go_at_the_start() {
    let place = Place::new(Options::default());
    let store = place.open();
    append(&store, 1, 0, 10).expect("it is taken");
    store.flush().expect("it flushes");
    drop(store);
    let stray = place.dir.path().join("t0/00000000000000000777.seg");
    place.sys.fs.open(&stray, Open::New).expect("a file");
    let store = place.open();
    assert!(place.sys.fs.metadata(&stray).is_err());
    assert_eq!(rows(&store, Order::Newest), 10);
}

#[test]
fn old_rows_are_hidden_at_once_and_go_later() {
    let world = World::new(5);
    let second = sawlog_model::time::SECOND;
    world.set_now(1000 * second);
    let options = Options { retention: 500 * second, ..Options::default() };
    let store = Store::open(&world.sys(), "/data".as_ref(), options).expect("it opens");
    let line = |time: i64| format!("{time} info x\n");
    for (index, time) in [600 * second, 800 * second, 900 * second].into_iter().enumerate() {
        let offset = index as u64 * 100;
        let position = Position { epoch: 0, offset: offset + 100, ..Position::default() };
        let rows = batch(T, SourceId(1), 0, &[(offset, &line(time))]);
        store.append(Arc::new(rows), Origin::Replayable(position)).expect("it is taken");
        if index < 2 {
            store.flush().expect("it flushes");
        }
    }
    assert_eq!(rows(&store, Order::Newest), 3);
    world.advance(Duration::from_secs(200));
    assert_eq!(rows(&store, Order::Newest), 2);
    assert_eq!(store.count(T, TimeRange::ALL), Some(2));
    assert_eq!(store.stats().segments, 2);
    assert!(store.maintain(0).expect("it expires"));
    assert_eq!(store.stats().segments, 1);
    // A clock that jumps hides, but deletes nothing.
    world.set_now(5000 * second);
    assert_eq!(rows(&store, Order::Newest), 0);
    assert!(!store.maintain(0).expect("nothing"));
    assert_eq!(store.stats().segments, 1);
    world.set_now(1200 * second);
    assert_eq!(rows(&store, Order::Newest), 2);
}

#[test]
fn searches_go_on_while_rows_come_in_and_are_written() {
    let place = Place::new(Options { memtable_bytes: 200_000, segment_bytes: 150_000, ..Options::default() });
    let store = place.open();
    let stop = task::Stop::default();
    let maintainer = {
        let (store, stop) = (store.clone(), stop.clone());
        task::spawn("maintain", move || {
            while !stop.requested() {
                store.wait(Duration::from_millis(5));
                store.maintain(0).expect("it maintains");
            }
        })
        .expect("a thread")
    };
    let writer = {
        let store = store.clone();
        task::spawn("write", move || {
            for round in 0..300 {
                append(&store, 1, round * 50, round * 50 + 50).expect("it is taken");
            }
        })
        .expect("a thread")
    };
    let mut seen = 0;
    while seen < 15_000 {
        let orders = [Order::Newest, Order::Any, Order::Source(SourceId(1)), Order::Oldest];
        let order = orders[seen % 4];
        let mut lines = read(store.scan(&request(T, order, None)).expect("a scan"));
        lines.sort();
        // Rows came in order: a scan sees a prefix of them, each once.
        assert!(lines.iter().zip(0..).all(|(line, n)| line.time == n), "{order:?}");
        assert!(lines.len() >= seen);
        seen = lines.len();
        if writer.is_finished() && seen < 15_000 {
            seen = seen.max(rows(&store, Order::Newest));
            assert_eq!(seen, 15_000);
        }
    }
    writer.join().expect("it ends well");
    stop.request();
    maintainer.join().expect("it ends well");
}

#[test]
fn fields_are_counted_in_memory_and_on_disk() {
    let place = Place::new(Options::default());
    let store = place.open();
    append(&store, 1, 0, 10).expect("it is taken");
    let in_memory = store.fields(T, TimeRange::ALL).expect("fields");
    store.flush().expect("it flushes");
    let on_disk = store.fields(T, TimeRange::ALL).expect("fields");
    assert_eq!(in_memory, on_disk);
    let level = on_disk.iter().find(|field| field.name == "level").expect("the field");
    assert_eq!(level.rows, 10);
}

#[test]
fn columns_may_be_none_and_predicates_are_kept_everywhere() {
    let place = Place::new(Options::default());
    let store = place.open();
    append(&store, 1, 0, 700).expect("it is taken");
    store.flush().expect("it flushes");
    append(&store, 2, 300, 1000).expect("it is taken");
    let mut asked = request(T, Order::Newest, None);
    asked.predicate = Predicate::Not(Box::new(Predicate::Field(
        "_source".into(),
        sawlog_model::Test::Is(SourceId(2).to_string()),
    )));
    assert_eq!(read(store.scan(&asked).expect("a scan")).len(), 700);
    asked.columns.clear();
    let rows: usize = store.scan(&asked).expect("a scan").map(|batch| batch.expect("rows").num_rows()).sum();
    assert_eq!(rows, 700);
}

#[test]
fn many_groups_keep_one_order_over_compaction() {
    let place = Place::new(Options::default());
    let mut stage = Stage::new(place.sys.clone(), place.dir.path(), place.options, 2);
    for (index, file) in stage.files.iter_mut().enumerate() {
        file.tenant = T;
        // Times of the two files interleave and go back now and then.
        file.epochs[0] =
            (0..68_000).map(|n| format!("{} info {n}\n", 100 + n * 2 - n % 17 * 3 + index * 5)).collect();
    }
    stage.open(false).expect("it opens");
    for file in 0..2 {
        stage.offer(file, 66_000).expect("it is taken");
        stage.store().flush().expect("it flushes");
        stage.offer(file, 2_000).expect("it is taken");
    }
    stage.check();
    let mut last = (0, 0);
    stage.store().compact(&mut |done, total| last = (done, total)).expect("it compacts");
    assert!(last.0 == last.1 && last.1 > 0, "{last:?}");
    stage.check();
    assert_eq!(stage.store().stats().segments, 1);
}

#[test]
fn what_is_counted_is_what_is_kept_in_memory_on_disk_and_where_age_hides_it() {
    let world = World::new(8);
    let second = sawlog_model::time::SECOND;
    world.set_now(2_000 * second);
    let options = Options { retention: 1_500 * second, ..Options::default() };
    let store = Store::open(&world.sys(), "/data".as_ref(), options).expect("it opens");
    let levels = ["info", "Warn", "ERROR", "10.0.3.4"];
    let words = [
        "took 17 ms",
        "Reset by peer",
        "r\u{e9}set by PEER 10.0.3.4",
        "RESET 10.0.3.45/24",
        "x10.0.3.4",
        "7.10.0.3.4 and 192.168.7.1",
        "10.0.3 .4 x=1.22.333.44:80",
    ];
    let mut batches = Vec::new();
    let mut offset = 0;
    for part in 0..3 {
        let mut lines = Vec::new();
        for index in 0..400_usize {
            // Some rows of each part are older than the store shows when it is asked.
            let time = (600 + (index as i64 * 7 + part * 13) % 900) * second;
            let line = format!("{time} {} {} {index}\n", levels[index % 4], words[index % 7]);
            lines.push((offset, line));
            offset += 100;
        }
        let lines: Vec<(u64, &str)> = lines.iter().map(|(offset, line)| (*offset, line.as_str())).collect();
        let rows = Arc::new(batch(T, SourceId(1), 0, &lines));
        let position = Position { epoch: 0, offset, ..Position::default() };
        store.append(rows.clone(), Origin::Replayable(position)).expect("it is taken");
        batches.push(rows);
        if part < 2 {
            store.flush().expect("it flushes");
        }
    }
    world.advance(Duration::from_secs(500));
    let horizon = 1_000 * second;
    let phrase = |text: &str, fold| Predicate::Any(Test::Phrase { text: text.to_owned(), fold });
    let level = |test| Predicate::Field("level".to_owned(), test);
    let asked = [
        Predicate::All,
        phrase("reset", true),
        phrase("Reset", false),
        phrase("r\u{e9}set", true),
        phrase("10.0.3.4", true),
        phrase("peer 10.0.3.4", true),
        phrase("info took", true),
        phrase("3", true),
        phrase("192.168.7.1", true),
        phrase("1.22.333.44", true),
        phrase("22.333.44", true),
        phrase("1.22.333.45", true),
        phrase("7.10.0.3", true),
        level(Test::Phrase { text: "10.0.3.4".to_owned(), fold: true }),
        Predicate::Any(Test::Part { text: "0.10.0.3.4".to_owned(), fold: false }),
        Predicate::Any(Test::Part { text: "=1.22.333.44:".to_owned(), fold: false }),
        Predicate::Any(Test::Part { text: "3.4".to_owned(), fold: false }),
        Predicate::Any(Test::regex("[Rr]eset.*[0-9]{3}", false).expect("an expression")),
        Predicate::Not(Box::new(phrase("warn", true))),
        Predicate::And(vec![phrase("peer", true), level(Test::Is("Warn".to_owned()))]),
        level(Test::Phrase { text: "error".to_owned(), fold: true }),
    ];
    let check = |when: &str| {
        for predicate in &asked {
            let rows = batches.iter().flat_map(|batch| batch.iter());
            let kept = rows.filter(|row| row.row().time >= horizon && predicate.keeps(row)).count() as u64;
            let asked = |order| ScanRequest { predicate: predicate.clone(), ..request(T, order, None) };
            let parts = store.scan_parts(&asked(Order::Any), 2).expect("scans");
            let counted: u64 = parts.into_iter().map(|scan| scan.count().expect("a count")).sum();
            assert_eq!(counted, kept, "{predicate:?} {when}");
            let read = store.scan(&asked(Order::Newest)).expect("a scan");
            let read: usize = read.map(|batch| batch.expect("rows").num_rows()).sum();
            assert_eq!(read as u64, kept, "{predicate:?} {when}");
        }
    };
    check("in memory and in segments");
    store.flush().expect("it flushes");
    store.compact(&mut |_, _| ()).expect("it compacts");
    check("after compaction");
}
