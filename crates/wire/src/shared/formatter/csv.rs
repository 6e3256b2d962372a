//! Fields between commas, in quotes.

use sawlog_pipeline::Options;

use super::{Event, Format, delimiter, keys, line_end};
use crate::shared::record::Accessor;

struct Csv {
    keys: Vec<Accessor>,
    delimiter: Vec<u8>,
    force_quotes: bool,
    end: &'static [u8],
}

pub(super) fn make(options: &Options) -> Result<Box<dyn Format>, String> {
    Ok(Box::new(Csv {
        keys: keys(options, "csv")?,
        delimiter: delimiter(options, ","),
        force_quotes: options.text("format.force_quotes") != "false",
        end: line_end(options),
    }))
}

impl Csv {
    fn needs_quotes(&self, field: &[u8]) -> bool {
        let blank = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b' ' | b'\t'));
        self.force_quotes
            || field.is_empty()
            || blank(field.first())
            || blank(field.last())
            || field.iter().any(|byte| matches!(byte, b'"' | b'\n' | b'\r'))
            || field.windows(self.delimiter.len()).any(|window| window == self.delimiter)
    }
}

impl Format for Csv {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        for (index, key) in self.keys.iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(&self.delimiter);
            }
            match event.text(key) {
                None if !self.force_quotes => {}
                None => out.extend_from_slice(b"\"\""),
                Some(field) if self.needs_quotes(&field) => {
                    out.push(b'"');
                    for byte in field.iter() {
                        if *byte == b'"' {
                            out.push(b'"');
                        }
                        out.push(*byte);
                    }
                    out.push(b'"');
                }
                Some(field) => out.extend_from_slice(&field),
            }
        }
        out.extend_from_slice(self.end);
    }
}
