//! Batches that are made for tests, row by row. Knows nothing of segments.

use std::sync::Arc;

use sawlog_model::{Batch, Kind, Marks, NameId, Names, Row, Slot, Source, SourceId};

/// A batch in the making.
pub(super) struct Made {
    batch: Batch,
    names: Names,
    columns: Vec<NameId>,
    buffer: Vec<u8>,
    /// Where the row that is being made begins.
    start: usize,
}

impl Made {
    /// One of a source, with slots of these names.
    pub(super) fn new<const N: usize>(names: [&str; N]) -> Made {
        let mut known = Names::default();
        let columns = names.map(|name| known.intern(name)).to_vec();
        let source = Source { id: SourceId(1), ..Source::default() };
        let batch = Batch { source: Arc::new(source), ..Batch::default() };
        Made { batch, names: known, columns, buffer: Vec::new(), start: 0 }
    }

    /// Text between slots.
    pub(super) fn text(&mut self, text: &[u8]) {
        self.buffer.extend_from_slice(text);
    }

    /// The value of the slot whose name is at `column`.
    pub(super) fn value(&mut self, column: usize, kind: Kind, layout: u8, value: &[u8]) {
        let (start, len) = (self.buffer.len() as u32, value.len() as u32);
        self.batch.slots.push(Slot { start, len, name: self.columns[column], kind, layout });
        self.text(value);
    }

    /// Ends the row.
    pub(super) fn end_row(&mut self, time: i64) {
        self.batch.rows.push(Row {
            start: self.start as u32,
            len: (self.buffer.len() - self.start) as u32,
            offset: self.start as u64,
            time,
            received: time,
            slots_end: self.batch.slots.len() as u32,
            marks: Marks::default(),
        });
        self.start = self.buffer.len();
    }

    pub(super) fn done(mut self) -> Batch {
        self.batch.buffer = self.buffer.into();
        self.batch.names = Arc::new(self.names);
        self.batch
    }
}

/// Text lines without slots.
pub(in crate::segment) fn lines(texts: &[&[u8]]) -> Batch {
    let mut made = Made::new([]);
    for text in texts {
        made.text(text);
        made.end_row(0);
    }
    made.done()
}

/// Rows of a made-up service: agents follow from clients, sizes from paths, one address repeats another, a second time is
/// close to the first.
pub(super) fn service_rows(count: i64) -> Batch {
    let mut made = Made::new(["client", "forwarded", "agent", "path", "size", "sent", "message", "list"]);
    for index in 0..count {
        let random = (index * 2_654_435_761) >> 7 & 0xffff;
        let client = format!("10.0.{}.{}", random % 7, random % 61);
        let forwarded = if random % 23 == 0 { "-".to_owned() } else { client.clone() };
        let path = format!("/item/{}", random % 211);
        let time = 1_700_000_000_000_000_000 + index * 1_000_000_000;
        let sent = if index == 77 {
            "never".to_owned()
        } else {
            sawlog_model::time::rfc3339(time + random * 1_000_000)
        };
        let message = format!("line{} of {} by user{}", index * 7, random % 3, random % 5);
        let (agent, size) =
            (format!("agent/{}.{}", random % 61, random % 7), (random % 211 * 977).to_string());
        let part = |index: i64| {
            format!("{{\"id\":{index},\"what\":\"a\\nkind{} of\",\"n\":[1,{index}]}}", index % 7)
        };
        let list = match index % 50 {
            0 => "[]".to_owned(),
            1 => "{}".to_owned(),
            2 => "[1,[2,\"x,y]\"],\"\\u0041b\"]".to_owned(),
            3 => "[1,2],[3]".to_owned(),
            _ => format!("[{},{}]", part(index), part(index * 3)),
        };
        let values = [client, forwarded, agent, path, size, sent, message, list];
        for (column, value) in values.iter().enumerate() {
            let kind = if column == 7 { Kind::Json } else { Kind::Text };
            made.value(column, kind, 0, value.as_bytes());
            made.text(b" ");
        }
        made.text(b"\n");
        made.end_row(time);
    }
    made.done()
}
