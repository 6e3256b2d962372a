//! What stands around a store: files that can be read again, a journal, and what has been delivered of them. Knows
//! nothing of the store's inside: it says what each scan must give.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, BinaryArray, StringViewArray, TimestampNanosecondArray, UInt32Array, UInt64Array};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use sawlog_model::{
    Address, Batch, Context, Kind, Marks, NameId, Names, Position, Predicate, Row, Slot, Source, SourceId,
    Tenant, TimeRange,
};
use sawlog_sys::Sys;

use crate::{Options, Order, Origin, ScanRequest, Store, StoreError};

/// A row as a scan gives it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Line {
    pub time: i64,
    pub address: Address,
    pub raw: String,
}

/// A file: the lines of its epochs. A line begins with its time.
pub struct LogFile {
    pub id: SourceId,
    pub tenant: Tenant,
    pub epochs: Vec<Vec<String>>,
    /// How far it has been delivered: epoch and lines of it.
    pub read: (usize, usize),
}

/// A frame of the journal.
#[derive(Clone)]
pub struct Frame {
    pub at: u64,
    pub next: u64,
    pub batches: Vec<(Arc<Batch>, Option<Position>)>,
}

/// Files, journal, store.
pub struct Stage {
    pub sys: Sys,
    pub dir: PathBuf,
    pub options: Options,
    pub store: Option<Store>,
    pub files: Vec<LogFile>,
    pub journal: Vec<Frame>,
    /// So often a call that failed is made again.
    pub retries: usize,
}

/// A batch of lines that stand at these offsets.
pub fn batch(tenant: Tenant, id: SourceId, epoch: u32, lines: &[(u64, &str)]) -> Batch {
    let mut source = Source { id, ..Source::default() };
    source.facts.name = format!("/log/{}", id.0);
    let mut names = Names::default();
    let level: NameId = names.intern("level");
    let mut buffer = Vec::new();
    let (mut rows, mut slots) = (Vec::new(), Vec::new());
    for (offset, line) in lines {
        let start = buffer.len() as u32;
        buffer.extend_from_slice(line.as_bytes());
        let mut words = line.split(' ');
        let time = words.next().and_then(|word| word.trim().parse().ok()).unwrap_or(0);
        // The second word is a field.
        if let Some(word) = words.next() {
            let at = start + (line.len() - line.split_once(' ').map_or(0, |(_, rest)| rest.len())) as u32;
            slots.push(Slot {
                start: at,
                len: word.trim_end().len() as u32,
                name: level,
                kind: Kind::Text,
                layout: 0,
            });
        }
        rows.push(Row {
            start,
            len: line.len() as u32,
            offset: *offset,
            time,
            received: time + 1,
            slots_end: slots.len() as u32,
            marks: Marks::default(),
        });
    }
    Batch {
        tenant,
        source: Arc::new(source),
        epoch,
        token: None,
        context: Arc::new(Context::new([("_host", format!("host{}", id.0))])),
        buffer: Bytes::from(buffer),
        names: Arc::new(names),
        rows,
        slots,
    }
}

impl LogFile {
    /// Offset of a line.
    fn offset(&self, epoch: usize, line: usize) -> u64 {
        self.epochs[epoch][..line].iter().map(|line| line.len() as u64).sum()
    }

    fn position(&self, (epoch, line): (usize, usize)) -> Position {
        let offset = self.offset(epoch, line);
        Position { epoch: epoch as u32, offset, resume: Bytes::from(format!("{epoch}:{line}")) }
    }

    /// Lines from one place up to another in the same epoch, as a batch.
    fn part(&self, epoch: usize, from: usize, to: usize) -> Batch {
        let lines: Vec<(u64, &str)> =
            (from..to).map(|line| (self.offset(epoch, line), self.epochs[epoch][line].as_str())).collect();
        batch(self.tenant, self.id, epoch as u32, &lines)
    }

    /// The place that a position means.
    fn place(&self, position: &Position) -> (usize, usize) {
        let epoch = position.epoch as usize;
        let line = (0..=self.epochs[epoch].len())
            .find(|line| self.offset(epoch, *line) == position.offset)
            .expect("positions stand at line ends");
        assert_eq!(position.resume, format!("{epoch}:{line}"), "the state belongs to the position");
        (epoch, line)
    }
}

impl Stage {
    pub fn new(sys: Sys, dir: &Path, options: Options, files: usize) -> Stage {
        let files = (0..files).map(|index| LogFile {
            id: SourceId(1000 - index as u128),
            tenant: Tenant(index as u32 % 2),
            epochs: vec![Vec::new()],
            read: (0, 0),
        });
        Stage {
            sys,
            dir: dir.to_owned(),
            options,
            store: None,
            files: files.collect(),
            journal: Vec::new(),
            retries: 0,
        }
    }

    /// Makes a call, again where it fails, as an input does that is held back.
    pub fn attempt(&self, call: impl Fn(&Store) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut left = self.retries;
        loop {
            match call(self.store()) {
                Err(_) if left > 0 => left -= 1,
                other => return other,
            }
        }
    }

    pub fn store(&self) -> &Store {
        self.store.as_ref().expect("it is open")
    }

    /// Opens the store, reads the journal again from the cursor (or from its beginning), then resumes the files.
    pub fn open(&mut self, whole_journal: bool) -> Result<(), StoreError> {
        self.store = None;
        let store = Store::open(&self.sys, &self.dir, self.options)?;
        let from = if whole_journal { 0 } else { store.cursor() };
        let known = store.sources();
        for file in &mut self.files {
            let committed = known.iter().find(|known| known.source.id == file.id);
            file.read = committed.map_or((0, 0), |known| file.place(&known.position));
        }
        for frame in self.journal.iter().filter(|frame| frame.at >= from) {
            for (index, (batch, position)) in frame.batches.iter().enumerate() {
                let next = if index + 1 == frame.batches.len() { frame.next } else { frame.at };
                let origin = Origin::Journal { at: frame.at, next, position: position.clone() };
                store.append(batch.clone(), origin)?;
                if let Some(file) = self.files.iter_mut().find(|file| file.id == batch.source.id) {
                    let place = file.place(position.as_ref().expect("a file's rows have one"));
                    file.read = file.read.max(place);
                }
            }
        }
        // A file that was read to the end of an epoch goes on with the next one.
        for file in &mut self.files {
            while file.read.0 + 1 < file.epochs.len() && file.read.1 == file.epochs[file.read.0].len() {
                file.read = (file.read.0 + 1, 0);
            }
        }
        self.store = Some(store);
        Ok(())
    }

    /// Delivers up to `count` lines of a file.
    pub fn offer(&mut self, file: usize, count: usize) -> Result<(), StoreError> {
        let of = &self.files[file];
        let (epoch, from) = of.read;
        let to = (from + count).min(of.epochs[epoch].len());
        let (batch, position) = (Arc::new(of.part(epoch, from, to)), of.position((epoch, to)));
        self.attempt(|store| store.append(batch.clone(), Origin::Replayable(position.clone())))?;
        self.files[file].read = (epoch, to);
        Ok(())
    }

    /// Where the next frame stands.
    fn journal_end(&self) -> u64 {
        self.journal.last().map_or(0, |frame| frame.next)
    }

    /// Journals what was delivered of a file and is not committed.
    pub fn settle(&mut self, index: usize) {
        let store = self.store().clone();
        let known = store.sources();
        let file = &self.files[index];
        let committed = known
            .iter()
            .find(|known| known.source.id == file.id)
            .map_or((0, 0), |known| file.place(&known.position));
        let (epoch, to) = file.read;
        let from = if committed.0 == epoch { committed.1 } else { 0 };
        if to == from {
            return;
        }
        let at = self.journal_end();
        let frame = Frame {
            at,
            next: at + 100,
            batches: vec![(Arc::new(file.part(epoch, from, to)), Some(file.position(file.read)))],
        };
        store.journaled(file.tenant, frame.at, frame.next);
        self.journal.push(frame);
    }

    /// Delivers the rest of a file, journals it, and begins the file anew.
    pub fn truncate(&mut self, index: usize) -> Result<(), StoreError> {
        self.offer(index, usize::MAX / 2)?;
        self.settle(index);
        let file = &mut self.files[index];
        file.epochs.push(Vec::new());
        file.read = (file.epochs.len() - 1, 0);
        Ok(())
    }

    /// Lines that come over a network: journaled first. The last batches may still be missing when this fails; they are
    /// in the journal.
    pub fn submit(&mut self, tenant: Tenant, batches: &[Vec<String>]) -> Result<(), StoreError> {
        let at = self.journal_end();
        let mut number = 0;
        let mut frame = Frame { at, next: at + 100, batches: Vec::new() };
        for (index, lines) in batches.iter().enumerate() {
            let lines: Vec<(u64, &str)> = lines
                .iter()
                .map(|line| {
                    number += 1;
                    (at + number, line.as_str())
                })
                .collect();
            let id = SourceId(5000 + index as u128);
            frame.batches.push((Arc::new(batch(tenant, id, 0, &lines)), None));
        }
        self.journal.push(frame.clone());
        for (index, (batch, _)) in frame.batches.iter().enumerate() {
            let next = if index + 1 == frame.batches.len() { frame.next } else { at };
            let origin = Origin::Journal { at, next, position: None };
            self.attempt(|store| store.append(batch.clone(), origin.clone()))?;
        }
        Ok(())
    }

    /// What the store must hold for a tenant, in the total order.
    pub fn expected(&self, tenant: Tenant) -> Vec<Line> {
        let mut lines = Vec::new();
        for file in self.files.iter().filter(|file| file.tenant == tenant) {
            for epoch in 0..=file.read.0 {
                let to = if epoch == file.read.0 { file.read.1 } else { file.epochs[epoch].len() };
                lines.extend(lines_of(&file.part(epoch, 0, to)));
            }
        }
        let network = self.journal.iter().flat_map(|frame| &frame.batches);
        for (batch, _) in network.filter(|(batch, position)| position.is_none() && batch.tenant == tenant) {
            lines.extend(lines_of(batch));
        }
        lines.sort();
        lines
    }

    /// Asks the store in every way and compares.
    pub fn check(&self) {
        for tenant in [Tenant(0), Tenant(1)] {
            let expected = self.expected(tenant);
            let mut newest = expected.clone();
            newest.reverse();
            assert_eq!(self.lines(tenant, Order::Oldest, None), expected, "oldest first");
            assert_eq!(self.lines(tenant, Order::Newest, None), newest, "newest first");
            let limit = expected.len() / 3 + 1;
            newest.truncate(limit);
            assert_eq!(self.lines(tenant, Order::Newest, Some(limit)), newest, "newest first, limited");
            let mut any = self.lines(tenant, Order::Any, None);
            any.sort();
            assert_eq!(any, expected, "in any order");
            assert_eq!(self.store().count(tenant, TimeRange::ALL), Some(expected.len() as u64));
            self.check_range(tenant, &expected);
            self.check_parts(tenant, &expected);
            for file in self.files.iter().filter(|file| file.tenant == tenant) {
                let mut of_file: Vec<Line> =
                    expected.iter().filter(|line| line.address.source == file.id).cloned().collect();
                of_file.sort_by_key(|line| line.address);
                assert_eq!(self.lines(tenant, Order::Source(file.id), None), of_file, "the file as it was");
            }
        }
        assert!(self.store().damage().is_empty(), "{:?}", self.store().damage());
    }

    fn check_range(&self, tenant: Tenant, expected: &[Line]) {
        let (Some(first), Some(last)) = (expected.first(), expected.last()) else { return };
        let third = (last.time - first.time) / 3;
        let range = TimeRange { start: first.time + third, end: last.time - third };
        let inside: Vec<Line> = expected.iter().filter(|line| range.contains(line.time)).cloned().collect();
        let request = ScanRequest { range, ..request(tenant, Order::Oldest, None) };
        assert_eq!(read(self.store().scan(&request).expect("a scan")), inside, "a range");
        assert_eq!(self.store().count(tenant, range), Some(inside.len() as u64));
    }

    fn check_parts(&self, tenant: Tenant, expected: &[Line]) {
        let parts = self.store().scan_parts(&request(tenant, Order::Any, None), 3).expect("scans");
        assert_eq!(parts.len(), 3);
        // By turns, as threads would.
        let mut parts: Vec<_> = parts.into_iter().map(Iterator::fuse).collect();
        let mut lines = Vec::new();
        loop {
            let before = lines.len();
            for part in &mut parts {
                lines.extend(
                    part.next().map(|batch| batch_lines(&batch.expect("a batch"))).unwrap_or_default(),
                );
            }
            if lines.len() == before {
                break;
            }
        }
        lines.sort();
        assert_eq!(lines, expected, "in parts");
    }

    /// What a scan gives.
    pub fn lines(&self, tenant: Tenant, order: Order, limit: Option<usize>) -> Vec<Line> {
        read(self.store().scan(&request(tenant, order, limit)).expect("a scan"))
    }
}

pub fn request(tenant: Tenant, order: Order, limit: Option<usize>) -> ScanRequest {
    ScanRequest {
        tenant,
        range: TimeRange::ALL,
        predicate: Predicate::All,
        columns: ["_time", "_source", "_epoch", "_offset", "_raw", "level", "_host"]
            .map(String::from)
            .to_vec(),
        order,
        limit,
    }
}

/// All rows of a scan.
pub fn read(scan: crate::Scan) -> Vec<Line> {
    scan.flat_map(|batch| batch_lines(&batch.expect("a batch"))).collect()
}

fn lines_of(batch: &Batch) -> Vec<Line> {
    batch
        .iter()
        .map(|row| Line {
            time: row.row().time,
            address: row.address(),
            raw: String::from_utf8_lossy(row.raw()).into_owned(),
        })
        .collect()
}

/// The rows of a record batch; checks that the fields belong to their lines.
fn batch_lines(batch: &RecordBatch) -> Vec<Line> {
    fn column<T: 'static>(batch: &RecordBatch, index: usize) -> &T {
        batch.column(index).as_any().downcast_ref().expect("the promised type")
    }
    let times: &TimestampNanosecondArray = column(batch, 0);
    let sources: &StringViewArray = column(batch, 1);
    let epochs: &UInt32Array = column(batch, 2);
    let offsets: &UInt64Array = column(batch, 3);
    let raw: &BinaryArray = column(batch, 4);
    let levels: &StringViewArray = column(batch, 5);
    let hosts: &StringViewArray = column(batch, 6);
    (0..batch.num_rows())
        .map(|row| {
            let source: SourceId = sources.value(row).parse().expect("an id");
            let raw = String::from_utf8(raw.value(row).to_vec()).expect("text");
            assert_eq!(levels.is_valid(row).then(|| levels.value(row)), raw.trim_end().split(' ').nth(1));
            assert_eq!(hosts.value(row), format!("host{}", source.0));
            let address = Address { source, epoch: epochs.value(row), offset: offsets.value(row) };
            Line { time: times.value(row), address, raw }
        })
        .collect()
}
