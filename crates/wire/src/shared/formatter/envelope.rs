//! What is said of a line beside it: machine, file, time. Knows nothing of any format.

use sawlog_model::Value;

use super::Event;
use crate::shared::strftime::{self, TimeFormat};

/// The same for all events of a format.
pub(super) struct Envelope {
    host: String,
    time: TimeFormat,
}

impl Envelope {
    pub fn new() -> Result<Envelope, String> {
        let time = TimeFormat::new("%Y-%m-%dT%H:%M:%S.%LZ", strftime::zone("UTC")?);
        Ok(Envelope { host: sawlog_sys::host_name(), time })
    }

    /// The machine that the row names, else this one.
    pub fn host<'a>(&'a self, event: &Event<'a>) -> &'a str {
        event.row.batch.context.get("_host").unwrap_or(&self.host)
    }

    /// The path of the row's file; empty where it is of none.
    pub fn file<'a>(&self, event: &Event<'a>) -> &'a str {
        event.row.batch.context.get("_path").unwrap_or_default()
    }

    /// The time of the row, in UTC, to the millisecond.
    pub fn time(&self, event: &Event<'_>) -> String {
        self.time.text(event.row.row().time)
    }
}

/// Text as a value.
pub(super) fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}
