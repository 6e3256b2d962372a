//! `label:value` pairs between tabs.

use memchr::memmem::Finder;
use sawlog_pipeline::Options;

use super::{Event, Format, delimiter, line_end};
use crate::shared::record::plain_text;

struct Ltsv {
    delimiter: Vec<u8>,
    label_delimiter: Vec<u8>,
    /// Stands for a delimiter in a value.
    replacement: Vec<u8>,
    end: &'static [u8],
}

pub(super) fn make(options: &Options) -> Result<Box<dyn Format>, String> {
    let label_delimiter = match options.text("format.label_delimiter") {
        "" => b":".to_vec(),
        other => other.as_bytes().to_vec(),
    };
    let replacement = options.0.get("format.replacement").and_then(|list| list.first());
    let replacement = replacement.map_or_else(|| b" ".to_vec(), |text| text.as_bytes().to_vec());
    Ok(Box::new(Ltsv {
        delimiter: delimiter(options, "\t"),
        label_delimiter,
        replacement,
        end: line_end(options),
    }))
}

impl Format for Ltsv {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        let finder = Finder::new(&self.delimiter);
        for (index, (label, value)) in event.entries().iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(&self.delimiter);
            }
            out.extend_from_slice(&plain_text(label));
            out.extend_from_slice(&self.label_delimiter);
            let value = plain_text(value);
            let mut rest = &value[..];
            while let Some(at) = finder.find(rest) {
                out.extend_from_slice(&rest[..at]);
                out.extend_from_slice(&self.replacement);
                rest = &rest[at + self.delimiter.len()..];
            }
            out.extend_from_slice(rest);
        }
        out.extend_from_slice(self.end);
    }
}
