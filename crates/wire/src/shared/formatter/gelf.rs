//! A message of GELF 1.1 for each event, ended by a zero.

use sawlog_model::Value;
use sawlog_pipeline::Options;

use super::envelope::{Envelope, text};
use super::logstash::message;
use super::{Event, Format, line_end};
use crate::shared::record::{self, MESSAGE};

/// Longest `short_message`, in letters.
const SHORT: usize = 250;
/// "Informational", as syslog counts.
const LEVEL: i64 = 6;

struct Gelf {
    envelope: Envelope,
    end: &'static [u8],
}

pub(super) fn make(options: &Options) -> Result<Box<dyn Format>, String> {
    Ok(Box::new(Gelf { envelope: Envelope::new()?, end: line_end(options) }))
}

impl Format for Gelf {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        let full = String::from_utf8_lossy(&message(event.row, event.limits)).into_owned();
        let short: String = full.lines().next().unwrap_or_default().chars().take(SHORT).collect();
        let millis = event.row.row().time.div_euclid(1_000_000);
        let mut fields = vec![
            (text("version"), text("1.1")),
            (text("host"), text(self.envelope.host(event))),
            (text("short_message"), Value::Str(short)),
            (text("full_message"), Value::Str(full)),
            (text("timestamp"), Value::Float(millis as f64 / 1e3)),
            (text("level"), Value::Int(LEVEL)),
            (text("_file"), text(self.envelope.file(event))),
        ];
        for (key, value) in event.entries() {
            // GELF has no `_id`.
            match key.as_str() {
                Some(MESSAGE | "id") | None => {}
                Some(name) => record::set(&mut fields, Value::Str(format!("_{name}")), value),
            }
        }
        record::write_plain(&Value::Map(fields), out);
        out.push(0);
        out.extend_from_slice(self.end);
    }
}
