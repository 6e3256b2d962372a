//! A row has the same columns whether it is in memory, in a fresh segment or in a merged one.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use sawlog_model::{Batch, Context, Kind, Marks, Names, Position, Row, Slot, Source, SourceId, Tenant};
use sawlog_sys::Sys;

use super::support::request;
use crate::{Options, Order, Origin, Store};

/// A row: its line, slots in it as (part of the line, name, kind), and unprinted ones.
struct Sample {
    line: &'static [u8],
    slots: &'static [(&'static [u8], &'static str, Kind)],
    unprinted: &'static [(&'static [u8], &'static str, Kind)],
    marks: Marks,
}

const SAMPLES: &[Sample] = &[
    Sample { line: b"plain\r\n", slots: &[], unprinted: &[], marks: Marks::NO_TIME },
    Sample {
        line: b"GET /a 200 x=007 -\n",
        slots: &[
            (b"GET", "method", Kind::Text),
            (b"/a", "path", Kind::Text),
            (b"200", "status", Kind::Number),
            (b"007", "x", Kind::Number),
        ],
        unprinted: &[(b"web1", "_host", Kind::Text), (b"3.5e2", "took", Kind::Number)],
        marks: Marks(0),
    },
    Sample {
        line: b"{\"a\":\"q\\\"\\u00e4\\n\",\"b\":null,\"c\":[1,{\"d\":2}],\"e\":true,\"a\":\"last\",\"n\":-0.0}\n",
        slots: &[
            (b"q\\\"\\u00e4\\n", "a", Kind::JsonText),
            (b"null", "b", Kind::Null),
            (b"[1,{\"d\":2}]", "c", Kind::Json),
            (b"true", "e", Kind::Bool),
            (b"last", "a", Kind::JsonText),
            (b"-0.0", "n", Kind::Number),
        ],
        unprinted: &[],
        marks: Marks::JSON,
    },
    Sample {
        line: b"\xff\xfe status=\xe4 _line=mine\n",
        slots: &[(b"\xe4", "status", Kind::Text), (b"mine", "_line", Kind::Text)],
        unprinted: &[(b"null", "took", Kind::Null), (b"shown", "took", Kind::Text)],
        marks: Marks::CONTINUES,
    },
    Sample { line: b"", slots: &[], unprinted: &[], marks: Marks(0) },
];

fn put(batch: &mut Batch, names: &mut Names, buffer: &mut Vec<u8>, index: usize, sample: &Sample) {
    let start = buffer.len();
    buffer.extend_from_slice(sample.line);
    let mut from = 0;
    for (part, name, kind) in sample.slots {
        let at = from + memchr::memmem::find(&sample.line[from..], part).expect("a part of the line");
        from = at + part.len();
        let slot = Slot {
            start: (start + at) as u32,
            len: part.len() as u32,
            name: names.intern(name),
            kind: *kind,
            layout: 0,
        };
        batch.slots.push(slot);
    }
    for (part, name, kind) in sample.unprinted {
        let at = buffer.len();
        buffer.extend_from_slice(part);
        let slot = Slot {
            start: at as u32,
            len: part.len() as u32,
            name: names.intern(name),
            kind: *kind,
            layout: 0,
        };
        batch.slots.push(slot);
    }
    batch.rows.push(Row {
        start: start as u32,
        len: sample.line.len() as u32,
        offset: index as u64 * 1000,
        time: 1_700_000_000_000_000_000 + index as i64 * 1_500_000,
        received: 1_800_000_000_000_000_000,
        slots_end: batch.slots.len() as u32,
        marks: sample.marks,
    });
}

fn samples() -> Batch {
    let mut batch = Batch {
        tenant: Tenant(4),
        source: Arc::new(Source { id: SourceId(9), ..Source::default() }),
        epoch: 3,
        context: Arc::new(Context::new([("_tag", "app.web"), ("status", "of the context"), ("_host", "h")])),
        ..Batch::default()
    };
    let (mut names, mut buffer) = (Names::default(), Vec::new());
    for (index, sample) in SAMPLES.iter().cycle().take(SAMPLES.len() * 7).enumerate() {
        put(&mut batch, &mut names, &mut buffer, index, sample);
    }
    batch.buffer = Bytes::from(buffer);
    batch.names = Arc::new(names);
    batch
}

fn all_columns(store: &Store) -> RecordBatch {
    let mut asked = request(Tenant(4), Order::Oldest, None);
    asked.columns = [
        "_time",
        "_received",
        "_offset",
        "_epoch",
        "_raw",
        "_marks",
        "_fields",
        "_line",
        "_source",
        "_tag",
        "_host",
        "_path",
        "_tenant",
        "method",
        "path",
        "status",
        "x",
        "took",
        "a",
        "b",
        "c",
        "e",
        "n",
        "absent",
    ]
    .map(String::from)
    .to_vec();
    let mut scan = store.scan(&asked).expect("a scan");
    let schema = scan.schema();
    let batch = scan.next().expect("rows").expect("readable");
    assert_eq!(batch.schema(), schema);
    assert!(scan.next().is_none());
    batch
}

#[test]
fn memory_and_segments_give_the_same_columns() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(&Sys::real(), dir.path(), Options::default()).expect("it opens");
    let batch = samples();
    let position = Position { epoch: 3, offset: 1_000_000, ..Position::default() };
    store.append(Arc::new(batch), Origin::Replayable(position)).expect("it is taken");
    let in_memory = all_columns(&store);
    assert_eq!(in_memory.num_rows(), SAMPLES.len() * 7);
    let fields_in_memory = store.fields(Tenant(4), sawlog_model::TimeRange::ALL).expect("fields");
    store.flush().expect("it flushes");
    let check = |when: &str| {
        let on_disk = all_columns(&store);
        for (index, field) in in_memory.schema().fields().iter().enumerate() {
            assert_eq!(in_memory.column(index), on_disk.column(index), "{} {when}", field.name());
        }
    };
    check("after a flush");
    assert_eq!(store.fields(Tenant(4), sawlog_model::TimeRange::ALL).expect("fields"), fields_in_memory);
    store.compact(&mut |_, _| ()).expect("it compacts");
    check("after compaction");
}
