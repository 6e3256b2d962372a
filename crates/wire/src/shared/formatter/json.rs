//! The record as a line of JSON.

use sawlog_pipeline::Options;

use super::{Event, Format, line_end};

struct Json(&'static [u8]);

pub(super) fn make(options: &Options) -> Result<Box<dyn Format>, String> {
    Ok(Box::new(Json(line_end(options))))
}

impl Format for Json {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        event.json(out);
        out.extend_from_slice(self.0);
    }
}
