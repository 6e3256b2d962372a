//! A [`Reading`] as the conformance suite and the fuzzers see it: bytes of a connection in, the fields of its rows out.
//! Knows nothing of protocols.

use std::sync::Arc;

use bytes::BytesMut;
use sawlog_model::{FieldValue, Fields, Tenant, Value};
use sawlog_pipeline::{DecodeError, Decoder};

use super::super::cut::Cutter;
use super::super::gather::Gather;
use super::{Peer, Reading};

/// When everything came, as far as the suite can tell.
const RECEIVED: i64 = 1_795_000_000_000_000_000;

/// Reads one connection.
pub struct RowsDecoder {
    cutter: Cutter,
    reading: Box<dyn Reading>,
    peer: Arc<Peer>,
    buffer: BytesMut,
    gather: Gather,
}

impl RowsDecoder {
    /// A decoder at the start of a connection.
    pub fn new(cutter: Cutter, reading: Box<dyn Reading>) -> Self {
        let peer = Arc::new(Peer { host: "127.0.0.1".to_owned(), ..Peer::default() });
        RowsDecoder { cutter, reading, peer, buffer: BytesMut::new(), gather: Gather::default() }
    }
}

impl Decoder for RowsDecoder {
    fn feed(&mut self, bytes: &[u8], events: &mut dyn FnMut(&str, Value)) -> Result<(), DecodeError> {
        self.buffer.extend_from_slice(bytes);
        while let Some(piece) = self.cutter.cut(&mut self.buffer)? {
            let read = self.reading.read(&piece, &self.peer, RECEIVED, &mut self.gather);
            // One by one, since rows of several places are no longer in the order in which they came.
            for batch in self.gather.take(Tenant(0)) {
                let tag = batch.context.get("_tag").unwrap_or_default();
                batch.iter().for_each(|row| events(tag, fields(&row)));
            }
            read?;
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.buffer.len() + self.gather.weight()
    }
}

fn fields(row: &dyn Fields) -> Value {
    let mut fields = Vec::new();
    let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => Value::Str(text.to_owned()),
        Err(_) => Value::Bin(bytes.to_vec()),
    };
    row.each_slot(&mut |name, value, _| {
        let value = match &value {
            FieldValue::Bool(flag) => Value::Bool(*flag),
            other => other.text().map_or(Value::Nil, &text),
        };
        fields.push((Value::Str(name.to_owned()), value));
    });
    fields.push((Value::Str("_line".to_owned()), text(row.raw())));
    fields.push((Value::Str("_time".to_owned()), Value::Time(row.time())));
    Value::Map(fields)
}
