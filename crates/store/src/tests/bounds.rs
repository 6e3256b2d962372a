//! Much of one sort: field names, values, sources, tenants, and lines that are long. Each with few in the test command and with
//! as many as docs/benchmarks.md says where `SAWLOG_SLOW` is set; what it took is printed.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::AsArray;
use bytes::Bytes;
use sawlog_model::{
    Batch, Kind, Marks, Names, Position, Predicate, Row, Slot, Source, SourceId, Tenant, Test, TimeRange,
};
use sawlog_sys::{Open, Sys};

use crate::{Options, Order, Origin, ScanRequest, Store};

const T: Tenant = Tenant(0);

/// A store, and how long it has worked.
struct Bound {
    sys: Sys,
    dir: tempfile::TempDir,
    store: Store,
    name: &'static str,
    began: Duration,
}

/// `few`, or `many` where the full figure is wanted.
fn so_many(few: usize, many: usize) -> usize {
    if std::env::var_os("SAWLOG_SLOW").is_some() { many } else { few }
}

impl Bound {
    fn new(name: &'static str) -> Bound {
        let (sys, dir) = (Sys::real(), tempfile::tempdir().unwrap());
        let store = Store::open(&sys, dir.path(), Options::default()).unwrap();
        let began = sys.clock.monotonic();
        Bound { sys, dir, store, name, began }
    }

    fn append(&self, batch: Batch, at: u64) {
        let origin = Origin::Journal { at, next: at + 1, position: None };
        self.store.append(Arc::new(batch), origin).unwrap();
    }

    fn rows(&self, tenant: Tenant, predicate: Predicate) -> Vec<String> {
        self.read(tenant, predicate, Order::Newest)
    }

    fn read(&self, tenant: Tenant, predicate: Predicate, order: Order) -> Vec<String> {
        let columns = vec!["_raw".to_owned()];
        let request = ScanRequest { tenant, range: TimeRange::ALL, predicate, columns, order, limit: None };
        let batches = self.store.scan(&request).unwrap().map(|batch| batch.unwrap());
        let text = |raw: Option<&[u8]>| String::from_utf8(raw.unwrap().to_vec()).unwrap();
        batches
            .flat_map(|batch| batch.column(0).as_binary::<i32>().iter().map(text).collect::<Vec<_>>())
            .collect()
    }

    fn said(&self, what: &str) {
        let passed = self.sys.clock.monotonic() - self.began;
        println!("BOUND {}: {what} after {:.1} s, peak {} MiB", self.name, passed.as_secs_f64(), self.peak());
    }

    /// The most memory that the process ever had, MiB.
    fn peak(&self) -> u64 {
        let mut text = [0; 8192];
        let file = self.sys.fs.open(std::path::Path::new("/proc/self/status"), Open::Read).unwrap();
        let len = file.read_at(&mut text, 0).unwrap();
        let text = String::from_utf8_lossy(&text[..len]).into_owned();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) >> 10
    }

    /// Closes the store and opens it again.
    fn again(self) -> Bound {
        let Bound { sys, dir, store, name, began } = self;
        drop(store);
        let opening = sys.clock.monotonic();
        let store = Store::open(&sys, dir.path(), Options::default()).unwrap();
        let took = sys.clock.monotonic() - opening;
        println!("BOUND {name}: opened in {:.0} ms", took.as_secs_f64() * 1e3);
        Bound { sys, dir, store, name, began }
    }
}

/// Rows of `name=value` pairs with a blank between them, fields all.
fn pairs(tenant: Tenant, source: u128, first: u64, rows: &[Vec<(String, String)>]) -> Batch {
    let mut batch = Batch {
        tenant,
        source: Arc::new(Source { id: SourceId(source), ..Source::default() }),
        ..Batch::default()
    };
    let (mut names, mut buffer) = (Names::default(), Vec::new());
    for (number, row) in rows.iter().enumerate() {
        let start = buffer.len();
        for (name, value) in row {
            buffer.extend_from_slice(name.as_bytes());
            buffer.push(b'=');
            let name = names.intern(name);
            let (start, len) = (buffer.len() as u32, value.len() as u32);
            batch.slots.push(Slot { start, len, name, kind: Kind::Text, layout: 0 });
            buffer.extend_from_slice(value.as_bytes());
            buffer.push(b' ');
        }
        buffer.push(b'\n');
        let time = (first + number as u64) as i64 * 1_000_000;
        batch.rows.push(Row {
            start: start as u32,
            len: (buffer.len() - start) as u32,
            offset: first + number as u64,
            time,
            received: time,
            slots_end: batch.slots.len() as u32,
            marks: Marks::default(),
        });
    }
    batch.names = Arc::new(names);
    batch.buffer = Bytes::from(buffer);
    batch
}

fn is(field: &str, value: &str) -> Predicate {
    Predicate::Field(field.to_owned(), Test::Is(value.to_owned()))
}

#[test]
fn very_many_field_names() {
    const PER_ROW: usize = 100;
    let count = so_many(4_000, 100_000);
    let bound = Bound::new("field names");
    let name = |number: usize| format!("field{number}");
    let rows: Vec<Vec<(String, String)>> = (0..count / PER_ROW)
        .map(|row| (0..PER_ROW).map(|at| (name(row * PER_ROW + at), format!("v{}", row + at))).collect())
        .collect();
    for (number, part) in rows.chunks(100).enumerate() {
        bound.append(pairs(T, 1, number as u64 * 100, part), number as u64);
    }
    bound.store.flush().unwrap();
    bound.said("flushed");
    let check = |bound: &Bound| {
        // All are found; listed are the columns' and the first of the others.
        let listed = bound.store.fields(T, TimeRange::ALL).unwrap().len();
        assert!(listed == count || listed > 20_000 && listed < count, "{listed} of {count}");
        for number in [0, 1_999, 2_001, count - 1] {
            let value = format!("v{}", number / PER_ROW + number % PER_ROW);
            let found = bound.rows(T, is(&name(number), &value));
            assert_eq!(found.len(), 1, "{number}");
            assert!(found[0].contains(&format!("{}={value} ", name(number))));
            assert!(bound.rows(T, is(&name(number), "none")).is_empty());
        }
    };
    check(&bound);
    bound.store.compact(&mut |_, _| ()).unwrap();
    bound.said("compacted");
    let bound = bound.again();
    check(&bound);
    bound.said(&format!("{count} names found"));
}

#[test]
fn very_many_values_of_a_field() {
    let count = so_many(60_000, 10_000_000);
    let bound = Bound::new("values");
    // A different one for each row, in no order.
    let value = |row: usize| format!("{:016x}", (row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for (number, from) in (0..count).step_by(20_000).enumerate() {
        let rows: Vec<Vec<(String, String)>> = (from..(from + 20_000).min(count))
            .map(|row| vec![("id".to_owned(), value(row)), ("n".to_owned(), (row % 7).to_string())])
            .collect();
        bound.append(pairs(T, 1, from as u64, &rows), number as u64);
    }
    bound.store.flush().unwrap();
    bound.said("flushed");
    bound.store.compact(&mut |_, _| ()).unwrap();
    bound.said("compacted");
    for row in [0, 1, count / 2, count - 1] {
        assert_eq!(bound.rows(T, is("id", &value(row))), [format!("id={} n={} \n", value(row), row % 7)]);
    }
    assert!(bound.rows(T, is("id", &value(count))).is_empty());
    bound.said(&format!("{count} values, four of them found and one missed"));
    let stats = bound.store.stats();
    println!("BOUND values: {} MiB raw, {} MiB stored", stats.raw_bytes >> 20, stats.stored_bytes >> 20);
}

#[test]
fn very_many_sources() {
    let count = so_many(3_000, 1_000_000);
    let bound = Bound::new("sources");
    let line = |source: usize| vec![("file".to_owned(), format!("s{source}"))];
    for source in 0..count {
        let mut batch = pairs(T, source as u128 + 1, 0, &[line(source)]);
        batch.rows[0].time = source as i64 * 1_000_000;
        let position = Position { epoch: 0, offset: 100, ..Position::default() };
        bound.store.append(Arc::new(batch), Origin::Replayable(position)).unwrap();
    }
    bound.store.flush().unwrap();
    bound.said("flushed");
    bound.store.compact(&mut |_, _| ()).unwrap();
    bound.said("compacted");
    let bound = bound.again();
    assert_eq!(bound.store.sources().len(), count);
    for source in [0, count / 3, count - 1] {
        assert_eq!(bound.store.committed(SourceId(source as u128 + 1)), Some((0, 100)));
        assert_eq!(bound.rows(T, is("file", &format!("s{source}"))).len(), 1);
        let order = Order::Source(SourceId(source as u128 + 1));
        let rows = bound.read(T, Predicate::All, order).len();
        assert_eq!(rows, 1);
    }
    bound.said(&format!("{count} sources known again, three read"));
}

#[test]
fn lines_that_are_very_long() {
    let len = so_many(3 << 20, 64 << 20);
    let bound = Bound::new("long lines");
    for number in 0..3u64 {
        // Words of which none comes often.
        let mut line = String::with_capacity(len + 32);
        let mut word = number;
        while line.len() < len {
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            line.push_str(&format!("{:x} ", word >> 24));
        }
        line.push_str(&format!("end{number}"));
        bound.append(pairs(T, 1, number, &[vec![("text".to_owned(), line)]]), number);
    }
    bound.store.flush().unwrap();
    bound.said("flushed");
    let check = |bound: &Bound| {
        let word = Predicate::Any(Test::Phrase { text: "end1".to_owned(), fold: true });
        let found = bound.rows(T, word);
        assert_eq!(found.len(), 1);
        assert!(found[0].len() > len && found[0].ends_with("end1 \n"));
        let line = Predicate::Field("_line".to_owned(), Test::Part { text: "nd2 ".to_owned(), fold: false });
        assert_eq!(bound.rows(T, line).len(), 1);
    };
    check(&bound);
    bound.store.compact(&mut |_, _| ()).unwrap();
    bound.said("compacted");
    check(&bound);
    bound.said(&format!("three lines of {} MiB found", len >> 20));
}

#[test]
fn very_many_tenants_with_little_each() {
    let (count, rounds) = (so_many(400, 10_000), 12);
    let bound = Bound::new("tenants");
    for round in 0..rounds {
        for tenant in 0..count {
            let rows: Vec<_> =
                (0..10).map(|row| vec![("user".to_owned(), format!("u{tenant}x{round}x{row}"))]).collect();
            let at = (round * count + tenant) as u64;
            bound.append(pairs(Tenant(tenant as u32), 1, at * 10, &rows), at);
        }
        bound.store.flush().unwrap();
        while bound.store.maintain(0).unwrap() {}
    }
    bound.said("written");
    let segments = bound.store.segments().len();
    assert!(segments <= count * 8, "{segments} segments of {count} tenants");
    let bound = bound.again();
    for tenant in [0, count / 2, count - 1] {
        let whose = Tenant(tenant as u32);
        assert_eq!(bound.rows(whose, Predicate::All).len(), rounds * 10);
        assert_eq!(bound.rows(whose, is("user", &format!("u{tenant}x3x7"))).len(), 1);
        assert!(bound.rows(whose, is("user", "u0x0x0x")).is_empty());
        assert_eq!(bound.store.stats_of(whose).records, rounds as u64 * 10);
    }
    let began = bound.sys.clock.monotonic();
    let stored: u64 = (0..count).map(|tenant| bound.store.stats_of(Tenant(tenant as u32)).stored_bytes).sum();
    let took = bound.sys.clock.monotonic() - began;
    assert!(stored > 0);
    println!("BOUND tenants: {stored} bytes of {segments} segments, summed in {} ms", took.as_millis());
    bound.said(&format!("{count} tenants, three read"));
}

#[test]
fn nearly_all_bytes_are_encoded_at_most_twice() {
    // A small copy of a node: a memtable of an eighth of a segment, as by default (flushed when it is half full).
    let dir = tempfile::tempdir().unwrap();
    let options =
        Options { memory: 64 << 20, memtable_bytes: 512 << 10, segment_bytes: 2 << 20, ..Options::default() };
    let store = Store::open(&Sys::real(), dir.path(), options).unwrap();
    let mut written = 0;
    for round in 0..4_000u64 {
        // One tenant with most of the rows, two with fewer.
        for (tenant, rows) in [(1, 300), (2, 60), (3, 20)] {
            let rows: Vec<Vec<(String, String)>> = (0..rows)
                .map(|row| {
                    let id = (round * 977 + row).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    vec![("id".to_owned(), format!("{id:x}")), ("level".to_owned(), format!("l{}", row % 4))]
                })
                .collect();
            let batch = pairs(Tenant(tenant), u128::from(tenant), round * 1_000, &rows);
            written += batch.raw_len();
            let at = round * 4 + u64::from(tenant);
            store.append(Arc::new(batch), Origin::Journal { at, next: at + 1, position: None }).unwrap();
        }
        store.maintain(0).unwrap();
    }
    store.flush().unwrap();
    while store.maintain(0).unwrap() {}
    let stats = store.stats();
    assert_eq!((stats.raw_bytes, stats.flushed.raw_bytes), (written, written));
    let rewritten = stats.rewritten.raw_bytes as f64 / written as f64;
    println!(
        "BOUND amplification: {written} bytes, rewritten {rewritten:.3} times, {} segments",
        stats.segments
    );
    assert!(rewritten > 0.5, "it was compacted");
    // Each byte is flushed once. Were 5 % of them rewritten twice and all others once, it would be 1.05 times.
    assert!(rewritten <= 1.05, "bytes were rewritten {rewritten:.3} times");
}
