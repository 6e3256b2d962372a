//! One field by itself: the line of what was a line.

use sawlog_pipeline::Options;

use super::{Event, Format, line_end};
use crate::shared::record::{Accessor, MESSAGE};

struct SingleValue {
    key: Accessor,
    end: &'static [u8],
}

pub(super) fn make(options: &Options) -> Result<Box<dyn Format>, String> {
    let key = Some(options.text("format.message_key")).filter(|key| !key.is_empty()).unwrap_or(MESSAGE);
    Ok(Box::new(SingleValue { key: Accessor::parse(key)?, end: line_end(options) }))
}

impl Format for SingleValue {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(&event.text(&self.key).unwrap_or_default());
        out.extend_from_slice(self.end);
    }
}
