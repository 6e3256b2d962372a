//! The record as Ruby shows a hash: `{"a"=>1, "b"=>nil}`.

use sawlog_model::Value;
use sawlog_pipeline::Options;

use super::{Event, Format, line_end};
use crate::shared::record::write_plain;

struct Hash(&'static [u8]);

pub(super) fn make(options: &Options) -> Result<Box<dyn Format>, String> {
    Ok(Box::new(Hash(line_end(options))))
}

impl Format for Hash {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        show(&Value::Map(event.entries()), out);
        out.extend_from_slice(self.0);
    }
}

fn show(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Nil => out.extend_from_slice(b"nil"),
        Value::Str(text) => quote(text, out),
        Value::Bin(bytes) => quote(&String::from_utf8_lossy(bytes), out),
        Value::List(list) => {
            out.push(b'[');
            for (index, item) in list.iter().enumerate() {
                if index > 0 {
                    out.extend_from_slice(b", ");
                }
                show(item, out);
            }
            out.push(b']');
        }
        Value::Map(entries) => {
            out.push(b'{');
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.extend_from_slice(b", ");
                }
                show(key, out);
                out.extend_from_slice(b"=>");
                show(value, out);
            }
            out.push(b'}');
        }
        other => write_plain(other, out),
    }
}

fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\u{1b}' => out.extend_from_slice(b"\\e"),
            '#' if matches!(letters.peek(), Some('{' | '$' | '@')) => out.extend_from_slice(b"\\#"),
            control if control.is_control() => {
                out.extend_from_slice(format!("\\x{:02X}", u32::from(control)).as_bytes());
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}
