//! How much is read to answer: counted, not timed.

use std::path::Path;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use sawlog_model::{Address, Nanos, Position, Predicate, SourceId, Tenant, Test, TimeRange};
use sawlog_sys::Sys;
use sawlog_sys::sim::World;

use super::support::{batch, request};
use crate::{CountBy, CountKey, Options, Order, Origin, Read, Scan, Stats, Store};

const HOUR: Nanos = 3_600_000_000_000;
const HOURS: usize = 4;
const ROWS: usize = 300;

/// A store of a segment for each hour.
fn hours(dir: &Path) {
    let store = Store::open(&Sys::real(), dir, Options::default()).expect("it opens");
    for hour in 0..HOURS {
        let lines: Vec<String> = (0..ROWS)
            .map(|row| {
                let time = hour as Nanos * HOUR + row as Nanos * 1_000_000_000;
                let level = if row % 3 == 0 { "WARN" } else { "INFO" };
                format!(
                    "{time} {level} request {} took {}.{row} ms of {:x}\n",
                    row * 7919,
                    hour,
                    row * row * 104_729
                )
            })
            .collect();
        let lines: Vec<(u64, &str)> = lines
            .iter()
            .enumerate()
            .map(|(row, line)| ((hour * ROWS + row) as u64 * 1000, &**line))
            .collect();
        let rows = batch(Tenant(1), SourceId(3), 0, &lines);
        let position = Position { offset: (hour as u64 + 1) * ROWS as u64 * 1000, ..Position::default() };
        store.append(Arc::new(rows), Origin::Replayable(position)).expect("it is taken");
        store.flush().expect("it flushes");
    }
}

/// What `ask` makes of a scan, and what was read for that, of a store that was just opened.
fn asked<T>(dir: &Path, predicate: Predicate, ask: impl FnOnce(Scan) -> T) -> (T, Read) {
    let store = Store::open(&Sys::real(), dir, Options::default()).expect("it opens");
    assert_eq!(
        (store.stats().read, store.stats().open_segments),
        (Read::default(), 0),
        "a start reads no segment"
    );
    let mut wanted = request(Tenant(1), Order::Any, None);
    wanted.predicate = predicate;
    let answer = ask(store.scan(&wanted).expect("a scan"));
    (answer, store.stats().read)
}

#[test]
fn what_groups_say_of_themselves_is_counted_without_looking_at_rows() {
    let dir = tempfile::tempdir().expect("a directory");
    hours(dir.path());
    let (rows, read) = asked(dir.path(), Predicate::All, |scan| scan.count().expect("a count"));
    assert_eq!(
        (rows, read),
        ((HOURS * ROWS) as u64, Read::default()),
        "the catalogue knows how many rows there are"
    );

    let level = || CountBy::First(vec!["level".to_owned()]);
    let text = |level: &str| CountKey::Text(Some(level.to_owned()));
    for predicate in [Predicate::All, Predicate::Field("level".to_owned(), Test::Exists)] {
        let count = |scan: Scan| scan.tally(&[level()], 10).expect("readable").expect("few keys").into_rows();
        let (tally, read) = asked(dir.path(), predicate, count);
        assert_eq!(tally[&vec![text("WARN")]], (HOURS * ROWS / 3) as u64);
        assert_eq!(tally[&vec![text("INFO")]], (HOURS * ROWS * 2 / 3) as u64);
        assert_eq!((tally.len(), read.opened, read.columns), (2, HOURS as u64, 0));
    }

    // As the histogram above a list of events asks: other names for levels, which no row has.
    let names = ["severity", "level", "loglevel"].map(str::to_owned).to_vec();
    let by = [CountBy::Time(HOUR), CountBy::First(names)];
    let count = |by: &[CountBy]| {
        let by = by.to_owned();
        move |scan: Scan| scan.tally(&by, 100).expect("readable").expect("few keys").into_rows()
    };
    let (tally, read) = asked(dir.path(), Predicate::All, count(&by));
    for hour in 0..HOURS {
        let key = |level| vec![CountKey::Time(hour as Nanos * HOUR), text(level)];
        assert_eq!(tally[&key("WARN")], ROWS as u64 / 3);
        assert_eq!(tally[&key("INFO")], ROWS as u64 * 2 / 3);
    }
    assert_eq!((tally.len(), read.columns), (2 * HOURS, 0));

    // Where the steps cut a group, times and codes are looked at, and still no text.
    let by = [CountBy::Time(60_000_000_000), level()];
    let (tally, read) = asked(dir.path(), Predicate::All, count(&by));
    assert_eq!(tally.len(), 2 * HOURS * (ROWS / 60));
    assert_eq!(tally.values().sum::<u64>(), (HOURS * ROWS) as u64);
    assert!(read.columns > 0, "{read:?}");
    assert_eq!(read.texts, 0);
}

#[test]
fn rows_are_read_by_their_addresses() {
    let dir = tempfile::tempdir().expect("a directory");
    hours(dir.path());
    let store = Store::open(&Sys::real(), dir.path(), Options::default()).expect("it opens");
    let at = |row: usize| Address { source: SourceId(3), epoch: 0, offset: row as u64 * 1000 };
    let wanted =
        [at(ROWS + 7), at(HOURS * ROWS), Address { epoch: 1, ..at(ROWS) }, at(2 * ROWS - 1), at(ROWS)];
    let names = ["_offset", "level"].map(str::to_owned);
    let second = TimeRange { start: HOUR, end: 2 * HOUR };
    for (range, found) in [(second, vec![0, 3, 4]), (TimeRange { start: 2 * HOUR, ..second }, vec![])] {
        let (which, rows) = store.rows_at(Tenant(1), range, &wanted, &names).expect("rows");
        assert_eq!(which, found);
        let offsets = rows.column(0).as_primitive::<UInt64Type>();
        let levels = rows.column(1).as_string_view();
        for (place, which) in which.iter().enumerate() {
            let offset = wanted[*which as usize].offset;
            let level = if (offset / 1000 % ROWS as u64).is_multiple_of(3) { "WARN" } else { "INFO" };
            assert_eq!((offsets.value(place), levels.value(place)), (offset, level));
        }
        assert_eq!(rows.num_rows(), found.len());
    }
    assert_eq!(store.stats().read.opened, 1, "others are not even opened");
}

#[test]
fn what_was_counted_is_not_read_again() {
    let dir = tempfile::tempdir().expect("a directory");
    hours(dir.path());
    let options = Options { cache_bytes: 0, ..Options::default() };
    let store = Store::open(&Sys::real(), dir.path(), options).expect("a store");
    let count = |text: &str| {
        let mut wanted = request(Tenant(1), Order::Any, None);
        wanted.predicate = Predicate::Any(Test::Part { text: text.to_owned(), fold: false });
        let before = store.stats().read.unpacked;
        let rows = store.scan(&wanted).expect("a scan").count().expect("a count");
        (rows, store.stats().read.unpacked - before)
    };
    let (rows, unpacked) = count("ARN");
    assert_eq!(rows, (HOURS * ROWS / 3) as u64);
    assert!(unpacked > 0);
    assert_eq!(count("ARN"), (rows, 0));
    let (other, unpacked) = count("NFO");
    assert_eq!(other, 2 * rows);
    assert!(unpacked > 0, "another question is read for");
}

#[test]
fn of_text_only_the_groups_that_may_hold_a_word_are_read() {
    let dir = tempfile::tempdir().expect("a directory");
    hours(dir.path());
    let word = |text: &str| Predicate::Any(Test::Phrase { text: text.to_owned(), fold: true });
    let count = |scan: Scan| scan.count().expect("a count");
    let (rows, read) = asked(dir.path(), word("xyzzyplugh"), count);
    assert_eq!((rows, read.opened, read.columns), (0, HOURS as u64, 0));
    // The last word of one line.
    let needle = format!("{:x}", 299usize.pow(2) * 104_729);
    let (rows, read) = asked(dir.path(), word(&needle), count);
    assert_eq!(rows, HOURS as u64);
    assert!(read.columns <= 2 * HOURS as u64, "{read:?}");
}

#[test]
fn only_so_many_segments_stay_open() {
    let dir = tempfile::tempdir().expect("a directory");
    hours(dir.path());
    let options = Options { open_segments: 2, ..Options::default() };
    let store = Store::open(&Sys::real(), dir.path(), options).expect("it opens");
    let mut wanted = request(Tenant(1), Order::Oldest, None);
    wanted.predicate = Predicate::Field("level".to_owned(), Test::Is("WARN".to_owned()));
    let open = || -> Stats { store.stats() };
    for round in 1..=3 {
        let rows: usize =
            store.scan(&wanted).expect("a scan").map(|batch| batch.expect("readable").num_rows()).sum();
        assert_eq!(rows, HOURS * ROWS / 3);
        assert!(open().open_segments <= 2, "{} in round {round}", open().open_segments);
    }
    assert!(open().read.opened >= HOURS as u64, "{:?}", open().read);
    store.compact(&mut |_, _| ()).expect("it compacts");
    assert!(open().open_segments <= 2);
}

#[test]
fn a_thousand_segments_are_not_opened_at_a_start() {
    const SEGMENTS: usize = 1_000;
    // Each is written durably: in memory that is fast.
    let sim = World::new(1);
    let (sys, dir) = (sim.sys(), Path::new("/data"));
    let store = Store::open(&sys, dir, Options::default()).expect("it opens");
    for number in 0..SEGMENTS {
        let line = format!("{number} INFO number {number}\n");
        let rows = batch(Tenant(1), SourceId(3), 0, &[(number as u64 * 100, &line)]);
        let position = Position { offset: (number as u64 + 1) * 100, ..Position::default() };
        store.append(Arc::new(rows), Origin::Replayable(position)).expect("it is taken");
        store.flush().expect("it flushes");
    }
    drop(store);
    let store = Store::open(&sys, dir, Options::default()).expect("it opens");
    let stats = store.stats();
    assert_eq!((stats.segments, stats.records), (SEGMENTS as u64, SEGMENTS as u64));
    assert_eq!((stats.read, stats.open_segments), (Read::default(), 0));
    let rows = |predicate| {
        let mut wanted = request(Tenant(1), Order::Any, None);
        wanted.predicate = predicate;
        store.scan(&wanted).expect("a scan").count().expect("a count")
    };
    assert_eq!(rows(Predicate::Any(Test::Phrase { text: "number".to_owned(), fold: true })), SEGMENTS as u64);
    let stats = store.stats();
    assert_eq!(stats.read.opened, SEGMENTS as u64);
    assert!(stats.open_segments <= Options::default().open_segments as u64, "{}", stats.open_segments);
}

#[test]
fn few_groups_are_open_at_once_where_each_has_few_rows() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(&Sys::real(), dir.path(), Options::default()).expect("it opens");
    let groups = 30;
    for group in 0..groups {
        let lines: Vec<String> = (0..4).map(|row| format!("{row} WORD{row} of {group}\n")).collect();
        let lines: Vec<(u64, &str)> =
            lines.iter().enumerate().map(|(row, line)| (group * 1000 + row as u64 * 100, &**line)).collect();
        let position = Position { offset: (group + 1) * 1000, ..Position::default() };
        let rows = batch(Tenant(1), SourceId(3), 0, &lines);
        store.append(Arc::new(rows), Origin::Replayable(position)).expect("it is taken");
        store.flush().expect("it flushes");
    }
    let mut wanted = request(Tenant(1), Order::Any, None);
    wanted.predicate = Predicate::Any(Test::Phrase { text: "WORD2".to_owned(), fold: false });
    let scan = store.scan(&wanted).expect("a scan");
    let rows: Vec<usize> = scan.map(|batch| batch.expect("readable").num_rows()).collect();
    assert_eq!(rows.iter().sum::<usize>() as u64, groups);
    assert!(rows.iter().all(|rows| *rows < 12), "{rows:?}");
}
