//! Time, tag and record between tabs.

use sawlog_pipeline::Options;

use super::{Event, Format, line_end};
use crate::shared::strftime::{self, TimeFormat};

struct OutFile {
    time: Option<TimeFormat>,
    tag: bool,
    delimiter: u8,
    end: &'static [u8],
}

pub(super) fn make(options: &Options) -> Result<Box<dyn Format>, String> {
    let named = options.text("format.delimiter").to_ascii_uppercase();
    let delimiter = if named.contains("SPACE") {
        b' '
    } else if named.contains("COMMA") {
        b','
    } else {
        b'\t'
    };
    let zone = strftime::zone(options.text("format.timezone"))?;
    let time = match options.text("format.time_format") {
        "" => TimeFormat::iso8601(zone),
        format => TimeFormat::new(format, zone),
    };
    Ok(Box::new(OutFile {
        time: (options.text("format.output_time") != "false").then_some(time),
        tag: options.text("format.output_tag") != "false",
        delimiter,
        end: line_end(options),
    }))
}

impl Format for OutFile {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        if let Some(time) = &self.time {
            time.write(event.row.row().time, out);
            out.push(self.delimiter);
        }
        if self.tag {
            out.extend_from_slice(event.tag.as_bytes());
            out.push(self.delimiter);
        }
        event.json(out);
        out.extend_from_slice(self.end);
    }
}
