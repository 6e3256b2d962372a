//! `[host] [2026-11-20T23:24:37.281Z] line`.

use sawlog_pipeline::Options;

use super::envelope::Envelope;
use super::logstash::message;
use super::{Event, Format, line_end};

struct Stamped {
    envelope: Envelope,
    end: &'static [u8],
}

pub(super) fn make(options: &Options) -> Result<Box<dyn Format>, String> {
    Ok(Box::new(Stamped { envelope: Envelope::new()?, end: line_end(options) }))
}

impl Format for Stamped {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        let head = format!("[{}] [{}] ", self.envelope.host(event), self.envelope.time(event));
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(&message(event.row, event.limits));
        out.extend_from_slice(self.end);
    }
}
