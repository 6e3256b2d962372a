//! As ik prints events: seconds since 1970, tag, and the record as Go shows a map, `map[a:1 b:x]`.

use sawlog_model::{SECOND, Value};
use sawlog_pipeline::Options;

use super::{Event, Format};
use crate::shared::record::plain_text;

struct Ik;

pub(super) fn make(_options: &Options) -> Result<Box<dyn Format>, String> {
    Ok(Box::new(Ik))
}

impl Format for Ik {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(event.row.row().time.div_euclid(SECOND).to_string().as_bytes());
        out.push(b' ');
        out.extend_from_slice(event.tag.as_bytes());
        out.extend_from_slice(b": ");
        show(&Value::Map(event.entries()), out);
        out.push(b'\n');
    }
}

fn show(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Nil => out.extend_from_slice(b"<nil>"),
        Value::Bin(bytes) => out.extend_from_slice(format!("{bytes:?}").replace(',', "").as_bytes()),
        Value::List(list) => {
            out.push(b'[');
            for (index, item) in list.iter().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                show(item, out);
            }
            out.push(b']');
        }
        Value::Map(entries) => {
            let mut sorted: Vec<_> = entries.iter().map(|(key, value)| (plain_text(key), value)).collect();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            out.extend_from_slice(b"map[");
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                out.extend_from_slice(&key);
                out.push(b':');
                show(value, out);
            }
            out.push(b']');
        }
        other => out.extend_from_slice(&plain_text(other)),
    }
}
