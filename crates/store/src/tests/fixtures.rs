//! Stores that earlier versions wrote: `crates/store/fixtures/v<N>` is one whose segments are of version N, with every encoding,
//! and `rows.txt` what is in it. A version that was released stays there and stays readable; `cargo xtask fixtures` makes the
//! one of now again, as long as it is not frozen.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{TimestampNanosecondType, UInt8Type, UInt32Type, UInt64Type};
use bytes::Bytes;
use sawlog_model::{
    Batch, Compare, Context, Kind, Marks, Names, Position, Predicate, Row, Slot, Source, SourceId, Tenant,
    Test, TimeRange, time,
};
use sawlog_sys::{Open, Sys};

use crate::catalogue::FORMAT;
use crate::engine::lock;
use crate::segment::{VERSION, tag};
use crate::{Options, Order, Origin, ScanRequest, Store, StoreError};

/// Times of rows begin here.
const START: i64 = 1_795_176_000_000_000_000;
/// Rows of the tenant with several row groups.
const MANY: u64 = 150_000;

fn of_version(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/v{version}"))
}

/// A row in the making.
#[derive(Default)]
struct Maker {
    batch: Batch,
    names: Names,
    buffer: Vec<u8>,
    /// Slots of the row, with their values where these are not in the line.
    slots: Vec<(Slot, Option<Vec<u8>>)>,
    start: usize,
}

impl Maker {
    fn new(tenant: u32, source: u128, context: &[(&str, &str)]) -> Maker {
        let mut known = Source { id: SourceId(source), ..Source::default() };
        known.facts.name = format!("/log/{source}.log");
        let context = context.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let batch = Batch {
            tenant: Tenant(tenant),
            source: Arc::new(known),
            epoch: 2,
            context: Arc::new(Context::new(context)),
            ..Batch::default()
        };
        Maker { batch, ..Maker::default() }
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.buffer.extend_from_slice(text.as_bytes());
        self
    }

    /// A field of the line, behind these words.
    fn field(&mut self, before: &str, name: &str, kind: Kind, layout: u8, value: &str) -> &mut Self {
        self.text(before);
        let (start, len) = (self.buffer.len() as u32, value.len() as u32);
        self.slots.push((Slot { start, len, name: self.names.intern(name), kind, layout }, None));
        self.text(value)
    }

    /// A field that a filter added.
    fn unprinted(&mut self, name: &str, value: &str) -> &mut Self {
        let name = self.names.intern(name);
        let slot = Slot { start: 0, len: value.len() as u32, name, kind: Kind::Text, layout: 0 };
        self.slots.push((slot, Some(value.as_bytes().to_vec())));
        self
    }

    fn end(&mut self, offset: u64, time: i64, received: i64, marks: u8) {
        let (start, len) = (self.start as u32, (self.buffer.len() - self.start) as u32);
        for (mut slot, value) in std::mem::take(&mut self.slots) {
            if let Some(value) = value {
                slot.start = self.buffer.len() as u32;
                self.buffer.extend_from_slice(&value);
            }
            self.batch.slots.push(slot);
        }
        let slots_end = self.batch.slots.len() as u32;
        let marks = Marks(marks);
        self.batch.rows.push(Row { start, len, offset, time, received, slots_end, marks });
        self.start = self.buffer.len();
    }

    fn done(mut self) -> Batch {
        self.batch.names = Arc::new(self.names);
        self.batch.buffer = Bytes::from(self.buffer);
        self.batch
    }
}

/// A number without order.
fn mixed(number: u64) -> u64 {
    let mixed = (number ^ 0x5bd1_e995).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

/// A line of an access log, or now and then what is none.
fn access(n: u64) -> String {
    let word = |salt: u64| ["alpha", "beta", "gamma", "delta", "kappa"][(mixed(n * 7 + salt) % 5) as usize];
    if n.is_multiple_of(90) {
        return format!("no answer to {} [{}", word(1), word(2));
    }
    format!(
        "10.1.{}.7 - - [20/Nov/2026:12:{:02}:{:02} +0000] \"GET /{}/{}/{} HTTP/1.{}\" 200 {} \"-\" \"Agent ({}; {})\"",
        mixed(n + 12) % 90,
        n / 60,
        n % 60,
        word(3),
        word(4),
        mixed(n + 13) % 700,
        n % 2,
        mixed(n + 14) % 9_000,
        word(5),
        word(6),
    )
}

/// Rows with a column of each form.
fn of_every_form() -> Batch {
    let mut maker = Maker::new(1, 7, &[("_tag", "app.web"), ("_host", "h1"), ("dc", "berlin")]);
    let layout_of = |text: &str| time::read(text.as_bytes()).map(|stamp| stamp.layout).unwrap_or_default();
    let (clock, stamp) = (layout_of("2026-11-20T12:04:00Z"), layout_of("2026-11-20 12:04:00"));
    let print = |layout: time::Layout, at: i64| {
        let mut text = Vec::new();
        layout.print(at, 0, &mut text);
        String::from_utf8(text).unwrap()
    };
    let words = ["info", "warn", "error", "debug", "trace", "fatal", "notice", "audit"];
    let mut state = 1;
    for n in 0..1_200u64 {
        state = (state * 5 + 1 + u64::from(mixed(n + 11).is_multiple_of(8))) % 97;
        let at = START + n as i64 * 1_000_000_000;
        let word = words[(mixed(n) % 8) as usize];
        let agent = format!("agent{}", mixed(n + 9) % 90);
        let other = if n % 50 == 0 { format!("other{n}") } else { agent.clone() };
        let written = if n % 97 == 0 { "unknown".to_owned() } else { print(clock, at) };
        let lists = format!("[\"t{}\",{},\"x\"]", n % 5, mixed(n + 10) % 9_000);
        let list = if n % 40 == 0 { "{}" } else { lists.as_str() };
        maker
            .field("", "time", Kind::Time, clock.0, &written)
            .field(" ", "app", Kind::Text, 0, "shop")
            .field(" n=", "n", Kind::Number, 0, &(mixed(n) % 100_000).to_string())
            .field(" no=", "no", Kind::Text, 0, &format!("{:06}", mixed(n + 1) % 1_000_000))
            .field(" ", "level", Kind::Text, 0, word)
            // What follows from the level, and what follows from the one before.
            .field(" ", "code", Kind::Text, 0, &format!("c{}", word.len() * 31 + word.as_bytes()[0] as usize))
            .field(" ", "state", Kind::Text, 0, &format!("s{state}"))
            .field(" ", "id", Kind::Text, 0, &format!("{:x}-{:x}", mixed(n + 2), mixed(n + 3) >> 40))
            .field(" ", "key", Kind::Text, 0, &format!("k{:x}", mixed(n + 15) >> 40))
            .field(" ", "agent", Kind::Text, 0, &agent)
            .field(" ", "client", Kind::Text, 0, &other)
            .field(" ", "sent", Kind::Text, 0, &print(stamp, at - (mixed(n) % 900) as i64 * 1_000_000_000))
            .field(" ", "tags", Kind::Json, 0, list)
            .field(" ", "ok", Kind::Bool, 0, if n % 3 == 0 { "true" } else { "false" })
            .field(
                " \"",
                "message",
                Kind::JsonText,
                0,
                &format!(
                    "request {:x} key Z{:x}q of user{} took {} ms \\u00e9 on {}",
                    mixed(n + 4) >> 44,
                    mixed(n + 16) >> 40,
                    n % 60,
                    mixed(n + 5) % 3_000,
                    words[(mixed(n + 6) % 4) as usize]
                ),
            )
            .field("\" <", "access", Kind::Text, 0, &access(n))
            .field("> from ", "ip", Kind::Text, 0, &format!("10.0.{}.{}", n % 3, mixed(n + 7) % 250))
            .text(if n % 7 == 0 { " tail of some words\r\n" } else { "\n" });
        if n % 4 == 0 {
            maker.unprinted("added", &format!("by{}", n % 2));
        }
        let marks = [0, Marks::MADE.0, Marks::JSON.0 | Marks::MAP.0, Marks::CONTINUES.0][(n % 4) as usize];
        maker.end(n * 400 + n / 100 * 13, at, at + (mixed(n + 8) % 5_000_000) as i64, marks);
    }
    let mut batch = maker.done();
    // Offsets by length, with a gap now and then.
    let mut offset = 1_000;
    for (n, row) in batch.rows.iter_mut().enumerate() {
        row.offset = offset;
        offset += u64::from(row.len) + if n % 100 == 99 { 17 } else { 0 };
    }
    batch
}

/// Rows with more names than a segment has columns for, bytes that are no text, and an empty line.
fn odd() -> Batch {
    let mut maker = Maker::new(1, 9, &[("_tag", "odd")]);
    for n in 0..30u64 {
        for at in 0..100 {
            let name = format!("f{}", n * 100 + at);
            maker.field(if at == 0 { "" } else { "," }, &name, Kind::Number, 0, &(n * at).to_string());
        }
        maker.text("\n").end(n, START + n as i64, START, 0);
    }
    maker.buffer.extend_from_slice(b"\xff\x00\xfe raw \n");
    maker.end(30, START + 31, START, Marks::NO_TIME.0 | Marks::UNPARSED.0);
    maker.text("\n").end(31, START + 32, START, Marks::NO_TIME.0);
    maker.text("without an end").end(32, i64::MIN / 2, i64::MAX / 2, 0);
    maker.done()
}

/// Rows of several groups, so that there are pages of an index.
fn many() -> Vec<Batch> {
    let part = |from: u64| {
        let mut maker = Maker::new(2, 11, &[]);
        for n in from..(from + 10_000).min(MANY) {
            let word = if n % 30_000 == 17 { format!("rare{n}") } else { "usual".to_owned() };
            maker.text("job ").field("", "job", Kind::Text, 0, &format!("j{}", n / 2_000)).text(" ");
            // Of sizes there are so many that how often each comes is a long list.
            maker.text(&word).text(" ").field("", "size", Kind::Number, 0, &(n / 10 % 400).to_string());
            maker.text("\n").end(n, START + n as i64 * 1_000_000, START, 0);
        }
        maker.done()
    };
    (0..MANY).step_by(10_000).map(part).collect()
}

/// Writes the store of now.
fn write(dir: &Path) {
    let store = Store::open(&Sys::real(), dir, Options::default()).unwrap();
    let mut at = 0;
    let mut journaled = |batch: Batch| {
        at += 100;
        store.append(Arc::new(batch), Origin::Journal { at, next: at + 100, position: None }).unwrap();
    };
    many().into_iter().for_each(&mut journaled);
    journaled(odd());
    store.flush().unwrap();
    // What was written by compaction stands beside what was written by flushing.
    store.compact(&mut |_, _| ()).unwrap();
    let batch = of_every_form();
    let offset = batch.rows.last().map_or(0, |row| row.offset + u64::from(row.len));
    let position = Position { epoch: 2, offset, resume: Bytes::from_static(b"state") };
    store.append(Arc::new(batch), Origin::Replayable(position)).unwrap();
    store.flush().unwrap();
}

/// Every row of a tenant: a line for so many, with the first of them and a checksum over all.
fn rows(store: &Store, tenant: u32) -> String {
    let names = ["_time", "_received", "_source", "_epoch", "_offset", "_marks", "_raw", "_fields"];
    let request = ScanRequest {
        tenant: Tenant(tenant),
        range: TimeRange::ALL,
        predicate: Predicate::All,
        columns: names.map(str::to_owned).to_vec(),
        order: Order::Oldest,
        limit: None,
    };
    let mut lines = Vec::new();
    for batch in store.scan(&request).unwrap() {
        let batch = batch.unwrap();
        let column = |at: usize| batch.column(at);
        for row in 0..batch.num_rows() {
            lines.push(format!(
                "{} {} {} {} {} {} {} {}",
                column(0).as_primitive::<TimestampNanosecondType>().value(row),
                column(1).as_primitive::<TimestampNanosecondType>().value(row),
                column(2).as_string_view().value(row),
                column(3).as_primitive::<UInt32Type>().value(row),
                column(4).as_primitive::<UInt64Type>().value(row),
                column(5).as_primitive::<UInt8Type>().value(row),
                column(6).as_binary::<i32>().value(row).escape_ascii(),
                column(7).as_string_view().value(row),
            ));
        }
    }
    let step = if lines.len() < 2_000 { 25 } else { 1_000 };
    let mut text = String::new();
    for (number, part) in lines.chunks(step).enumerate() {
        let sum = crc32c::crc32c(part.join("\n").as_bytes());
        writeln!(text, "{tenant} {step} rows from {} on, sum {sum:08x}: {}", number * step, part[0]).unwrap();
    }
    text
}

fn all_rows(store: &Store) -> String {
    [1, 2].map(|tenant| rows(store, tenant)).concat()
}

/// Files of a directory and below it, with their bytes.
fn files(sys: &Sys, dir: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in sys.fs.list(dir).unwrap() {
        match entry.is_dir {
            true => files(sys, &entry.path, found),
            false => found.push((entry.path.clone(), sys.fs.read(&entry.path).unwrap())),
        }
    }
}

fn put(sys: &Sys, path: &Path, bytes: &[u8]) {
    sys.fs.create_dir_all(path.parent().unwrap()).unwrap();
    sys.fs.open(path, Open::New).unwrap().write_at(bytes, 0).unwrap();
}

/// A copy of the fixture of a version, to be opened by a writer.
fn copy(sys: &Sys, version: u32) -> tempfile::TempDir {
    let (from, to) = (of_version(version).join("store"), tempfile::tempdir().unwrap());
    let mut found = Vec::new();
    files(sys, &from, &mut found);
    assert!(!found.is_empty(), "there is no {}", from.display());
    for (path, bytes) in &found {
        put(sys, &to.path().join(path.strip_prefix(&from).unwrap()), bytes);
    }
    to
}

/// With `SAWLOG_FIXTURES`, as `cargo xtask fixtures` sets it, it becomes the fixture.
#[test]
fn what_is_written_now_has_the_rows_of_the_fixture() {
    let (sys, dir) = (Sys::real(), tempfile::tempdir().unwrap());
    write(dir.path());
    let store = Store::open(&sys, dir.path(), Options::default()).unwrap();
    let text = all_rows(&store);
    drop(store);
    let to = of_version(VERSION);
    if std::env::var_os("SAWLOG_FIXTURES").is_none() {
        let wanted = String::from_utf8(sys.fs.read(&to.join("rows.txt")).unwrap()).unwrap();
        let differs = text.lines().zip(wanted.lines()).find(|(have, wanted)| have != wanted);
        assert_eq!((differs, text.lines().count()), (None, wanted.lines().count()));
        return;
    }
    let mut old = Vec::new();
    if sys.fs.metadata(&to).is_ok() {
        files(&sys, &to, &mut old);
    }
    old.iter().for_each(|(path, _)| sys.fs.unlink(path).unwrap());
    let mut made = Vec::new();
    files(&sys, dir.path(), &mut made);
    for (path, bytes) in made.iter().filter(|(path, _)| !path.ends_with("store.lock")) {
        put(&sys, &to.join("store").join(path.strip_prefix(dir.path()).unwrap()), bytes);
    }
    put(&sys, &to.join("rows.txt"), text.as_bytes());
}

#[test]
fn every_version_is_read() {
    let sys = Sys::real();
    for version in 1..=VERSION {
        let wanted = sys.fs.read(&of_version(version).join("rows.txt")).unwrap();
        let wanted = String::from_utf8(wanted).unwrap();
        let dir = copy(&sys, version);
        let store = Store::open(&sys, dir.path(), Options::default()).unwrap();
        let same = |store: &Store| {
            let have = all_rows(store);
            let differs = have.lines().zip(wanted.lines()).find(|(have, wanted)| have != wanted);
            assert_eq!(differs, None, "version {version}");
            assert_eq!(have.lines().count(), wanted.lines().count(), "version {version}");
        };
        same(&store);
        assert!(store.damage().is_empty());
        assert!(store.verify(&mut |_, _| ()).unwrap().is_empty());
        // The index finds what is there.
        let word = |text: &str| Predicate::Any(Test::Phrase { text: text.to_owned(), fold: true });
        let request = |tenant, predicate| ScanRequest {
            tenant: Tenant(tenant),
            range: TimeRange::ALL,
            predicate,
            columns: Vec::new(),
            order: Order::Any,
            limit: None,
        };
        let count = |tenant, predicate| store.scan(&request(tenant, predicate)).unwrap().count().unwrap();
        assert_eq!((count(2, word("rare60017")), count(2, word("rare1"))), (1, 0));
        assert_eq!(count(1, word("without an end")), 1);
        let sizes = |compare| Predicate::Field("size".into(), Test::Number(compare, "100".to_owned()));
        // Rows of versions before the fourth have none.
        let wanted_sizes = if version < 4 { (0, 0) } else { (38_000, MANY - 38_000) };
        let found = (count(2, sizes(Compare::Less)), count(2, sizes(Compare::GreaterOrEqual)));
        assert_eq!(found, wanted_sizes, "version {version}");
        // Positions, and what is written on from there.
        let known = store.sources();
        let position = &known.iter().find(|known| known.source.id == SourceId(7)).unwrap().position;
        assert_eq!((position.epoch, &position.resume[..]), (2, &b"state"[..]));
        assert!(store.cursor() > 0);
        store.compact(&mut |_, _| ()).unwrap();
        same(&store);
    }
}

/// The lines of a tenant, sorted.
fn sorted_lines(store: &Store, tenant: u32) -> Vec<Vec<u8>> {
    let request = ScanRequest {
        tenant: Tenant(tenant),
        range: TimeRange::ALL,
        predicate: Predicate::All,
        columns: vec!["_raw".to_owned()],
        order: Order::Any,
        limit: None,
    };
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for batch in store.scan(&request).unwrap() {
        let batch = batch.unwrap();
        lines.extend(batch.column(0).as_binary::<i32>().iter().flatten().map(<[u8]>::to_vec));
    }
    lines.sort();
    lines
}

#[test]
fn segments_of_two_versions_become_one() {
    let sys = Sys::real();
    for version in 1..=VERSION {
        let dir = copy(&sys, version);
        let store = Store::open(&sys, dir.path(), Options::default()).unwrap();
        let mut batch = of_every_form();
        Arc::make_mut(&mut batch.source).id = SourceId(8);
        let mut wanted = sorted_lines(&store, 1);
        wanted.extend(batch.iter().map(|row| row.raw().to_vec()));
        wanted.sort();
        let at = store.cursor() + 100;
        store.append(Arc::new(batch), Origin::Journal { at, next: at + 100, position: None }).unwrap();
        store.flush().unwrap();
        assert!(sorted_lines(&store, 1) == wanted, "version {version}, beside one another");
        store.compact(&mut |_, _| ()).unwrap();
        assert_eq!(lock(&store.engine.live).segments[&Tenant(1)].len(), 1);
        assert!(sorted_lines(&store, 1) == wanted, "version {version}, merged");
    }
}

#[test]
fn the_fixture_of_now_has_every_form() {
    let sys = Sys::real();
    let dir = copy(&sys, VERSION);
    let store = Store::open(&sys, dir.path(), Options::default()).unwrap();
    let (mut forms, mut leaders, mut efforts) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut long_lists = 0;
    let live = lock(&store.engine.live);
    for handle in live.segments.values().flat_map(|list| list.iter()) {
        efforts.insert(handle.entry.strong);
        let segment = handle.segment().unwrap().unwrap();
        for (leader, form) in segment.forms() {
            leaders.insert(leader.min(2));
            forms.insert(form);
        }
        long_lists += segment.sizes().iter().filter(|(name, _)| name.ends_with(" counts")).count();
    }
    let mut wanted: BTreeSet<u8> = (tag::CONSTANT..=tag::DIGITS).collect();
    // It stands only in templates and behind equal columns.
    wanted.remove(&tag::DICTIONARY);
    assert_eq!(forms, wanted);
    assert!(leaders.contains(&0) && leaders.contains(&2), "{leaders:?}");
    assert_eq!(efforts, [false, true].into());
    assert!(long_lists > 0, "no column has a list of counts of its own");
    let mut found = Vec::new();
    files(&sys, &of_version(VERSION), &mut found);
    let bytes: usize = found.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes < 300 << 10, "the fixture has {bytes} bytes");
}

#[test]
fn version_0_is_refused_with_a_remedy() {
    let sys = Sys::real();
    let dir = copy(&sys, VERSION);
    let mut found = Vec::new();
    files(&sys, &dir.path().join("catalogue"), &mut found);
    for (path, mut bytes) in found {
        let end = bytes.len() - 4;
        bytes[8..12].copy_from_slice(&0u32.to_le_bytes());
        let sum = crc32c::crc32c(&bytes[..end]).to_le_bytes();
        bytes[end..].copy_from_slice(&sum);
        sys.fs.unlink(&path).unwrap();
        put(&sys, &path, &bytes);
    }
    let error = Store::open(&sys, dir.path(), Options::default()).err().expect("it is refused");
    assert!(matches!(error, StoreError::Format { found: 0, known: FORMAT, .. }), "{error}");
    assert!(error.to_string().contains("import the logs again"), "{error}");
    // A segment of version 0 in a catalogue of now.
    let dir = copy(&sys, VERSION);
    let mut found = Vec::new();
    files(&sys, &dir.path().join("t2"), &mut found);
    let (path, mut bytes) = found.swap_remove(0);
    let at = bytes.len() - 12;
    assert_eq!(bytes[at..at + 4], VERSION.to_le_bytes());
    bytes[at..at + 4].copy_from_slice(&0u32.to_le_bytes());
    sys.fs.unlink(&path).unwrap();
    put(&sys, &path, &bytes);
    let store = Store::open(&sys, dir.path(), Options::default()).unwrap();
    let faults = store.verify(&mut |_, _| ()).unwrap();
    assert!(matches!(faults[0].error, StoreError::Format { found: 0, .. }), "{:?}", faults[0].error);
}
