//! The record as msgpack.

use sawlog_model::Value;
use sawlog_pipeline::Options;

use super::{Event, Format};
use crate::shared::{msgpack, record};

struct Msgpack;

pub(super) fn make(_options: &Options) -> Result<Box<dyn Format>, String> {
    Ok(Box::new(Msgpack))
}

impl Format for Msgpack {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        if event.injected.is_empty() {
            return record::write_msgpack(event.row, event.limits, out);
        }
        msgpack::write(&Value::Map(event.entries()), out);
    }
}
