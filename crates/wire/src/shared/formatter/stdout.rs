//! `2017-11-28 11:43:13.814351757 +0900 tag: ` and the record in another format.

use sawlog_pipeline::Options;

use super::{Event, Format, make as make_format};
use crate::shared::strftime::{self, TimeFormat};

struct Stdout {
    time: TimeFormat,
    inner: Box<dyn Format>,
}

pub(super) fn make(options: &Options) -> Result<Box<dyn Format>, String> {
    let zone = strftime::zone(options.text("format.timezone"))?;
    let format = match options.text("format.time_format") {
        "" => "%Y-%m-%d %H:%M:%S.%N %z",
        format => format,
    };
    let inner = match options.text("format.output_type") {
        "" => "json",
        "stdout" => return Err("`output_type stdout` would be in itself".to_owned()),
        inner => inner,
    };
    Ok(Box::new(Stdout { time: TimeFormat::new(format, zone), inner: make_format(inner, options)? }))
}

impl Format for Stdout {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        self.time.write(event.row.row().time, out);
        out.push(b' ');
        out.extend_from_slice(event.tag.as_bytes());
        out.extend_from_slice(b": ");
        self.inner.write(event, out);
        if out.last() == Some(&b'\n') {
            out.pop();
        }
        if out.last() == Some(&b'\r') {
            out.pop();
        }
        out.push(b'\n');
    }
}
