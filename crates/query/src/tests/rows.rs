//! Rows for tests: spelled out, or made from a seed; and a store that holds them.

use std::sync::Arc;

use sawlog_model::time::SECOND;
use sawlog_model::{
    Address, Batch, Context, Fields, Kind, Marks, Names, Nanos, Row, Slot, Source, SourceFacts, SourceId,
    Tenant, TimeRange,
};
use sawlog_store::{Options, Origin, Store};
use sawlog_sys::Sys;

use crate::{Engine, Request};

/// The time of the first row: 2026-11-20T12:00:00Z.
pub(super) const START: Nanos = 1_795_176_000 * SECOND;

/// A part of a line.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    /// Text between fields.
    Text(String),
    /// A field in the line.
    Field(String, Kind, String),
    /// A field beside the line.
    Beside(String, Kind, String),
}

/// A row to be.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) time: Nanos,
    pub(super) marks: Marks,
    pub(super) pieces: Vec<Piece>,
}

/// A line `key=value key=value`, which is what most tests need.
pub(super) fn logfmt(seconds: i64, text: &str) -> Line {
    let mut pieces = Vec::new();
    for word in text.split_inclusive(' ') {
        match word.trim_end().split_once('=') {
            None => pieces.push(Piece::Text(word.to_owned())),
            Some((name, value)) => {
                pieces.push(Piece::Text(format!("{name}=")));
                let kind = if crate::number::parse(value).is_some() { Kind::Number } else { Kind::Text };
                pieces.push(Piece::Field(name.to_owned(), kind, value.to_owned()));
                pieces.push(Piece::Text(word[word.trim_end().len()..].to_owned()));
            }
        }
    }
    Line { time: START + seconds * SECOND, marks: Marks::default(), pieces }
}

/// A line that is a JSON object of these members: name, kind, bytes as JSON has them between quotes or bare.
pub(super) fn json(seconds: i64, members: &[(&str, Kind, &str)]) -> Line {
    let mut pieces = vec![Piece::Text("{".into())];
    for (at, (name, kind, bytes)) in members.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        let quote = if *kind == Kind::JsonText { "\"" } else { "" };
        pieces.push(Piece::Text(format!("{comma}\"{name}\":{quote}")));
        pieces.push(Piece::Field((*name).to_owned(), *kind, (*bytes).to_owned()));
        pieces.push(Piece::Text(quote.into()));
    }
    pieces.push(Piece::Text("}".into()));
    Line { time: START + seconds * SECOND, marks: Marks::JSON, pieces }
}

/// A batch of these lines, with offsets from `offset` on.
pub(super) fn batch(source: u128, offset: u64, lines: &[Line]) -> Batch {
    let mut buffer = Vec::new();
    let mut names = Names::default();
    let (mut rows, mut slots) = (Vec::new(), Vec::new());
    let mut at = offset;
    for line in lines {
        let start = buffer.len() as u32;
        let mut beside = Vec::new();
        for piece in &line.pieces {
            match piece {
                Piece::Text(text) => buffer.extend_from_slice(text.as_bytes()),
                Piece::Field(name, kind, bytes) => {
                    slots.push(slot(&mut names, name, *kind, buffer.len(), bytes));
                    buffer.extend_from_slice(bytes.as_bytes());
                }
                Piece::Beside(name, kind, bytes) => beside.push((name, *kind, bytes)),
            }
        }
        buffer.push(b'\n');
        let len = buffer.len() as u32 - start;
        for (name, kind, bytes) in beside {
            slots.push(slot(&mut names, name, kind, buffer.len(), bytes));
            buffer.extend_from_slice(bytes.as_bytes());
        }
        let row = Row {
            start,
            len,
            offset: at,
            time: line.time,
            received: line.time + SECOND,
            slots_end: slots.len() as u32,
            marks: line.marks,
        };
        rows.push(row);
        at += u64::from(len);
    }
    let facts = SourceFacts { name: format!("source {source}"), ..SourceFacts::default() };
    Batch {
        tenant: Tenant::DEFAULT,
        source: Arc::new(Source { id: SourceId(source), facts }),
        epoch: 0,
        token: None,
        context: Arc::new(Context::new([
            ("_tag", format!("app.t{source}")),
            ("_host", format!("Host{source}")),
            ("dc", "berlin".to_owned()),
        ])),
        buffer: buffer.into(),
        names: Arc::new(names),
        rows,
        slots,
    }
}

fn slot(names: &mut Names, name: &str, kind: Kind, start: usize, bytes: &str) -> Slot {
    Slot { start: start as u32, len: bytes.len() as u32, name: names.intern(name), kind, layout: 0 }
}

/// A store in a directory of its own.
pub(super) struct Fixture {
    pub(super) store: Store,
    pub(super) engine: Engine,
    next: u64,
    _directory: tempfile::TempDir,
}

impl Fixture {
    pub(super) fn new() -> Fixture {
        Fixture::of(Options::default())
    }

    pub(super) fn of(options: Options) -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&Sys::real(), directory.path(), options).unwrap();
        Fixture { engine: Engine::new(store.clone()), store, next: 0, _directory: directory }
    }

    /// A store with these lines of one source.
    pub(super) fn with(lines: &[Line]) -> Fixture {
        let mut fixture = Fixture::new();
        fixture.append(batch(1, 0, lines));
        fixture
    }

    pub(super) fn append(&mut self, batch: Batch) {
        let (at, next) = (self.next, self.next + 1);
        self.next = next;
        self.store.append(Arc::new(batch), Origin::Journal { at, next, position: None }).unwrap();
    }
}

/// A request for all rows of all times.
pub(super) fn request(query: &str) -> Request {
    Request {
        tenant: Tenant::DEFAULT,
        query: query.to_owned(),
        range: TimeRange::ALL,
        limit: None,
        now: START + 3_600 * SECOND,
    }
}

/// The key by which rows are ordered.
pub(super) fn key(row: &dyn Fields) -> (Nanos, Address) {
    (row.time(), row.address())
}
