//! Fields between tabs, as they are.

use sawlog_pipeline::Options;

use super::{Event, Format, delimiter, keys, line_end};
use crate::shared::record::Accessor;

struct Tsv {
    keys: Vec<Accessor>,
    delimiter: Vec<u8>,
    end: &'static [u8],
}

pub(super) fn make(options: &Options) -> Result<Box<dyn Format>, String> {
    let keys = keys(options, "tsv")?;
    Ok(Box::new(Tsv { keys, delimiter: delimiter(options, "\t"), end: line_end(options) }))
}

impl Format for Tsv {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        for (index, key) in self.keys.iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(&self.delimiter);
            }
            out.extend_from_slice(&event.text(key).unwrap_or_default());
        }
        out.extend_from_slice(self.end);
    }
}
