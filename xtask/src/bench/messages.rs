//! Messages of the forward protocol (PackedForward with a chunk, so that it is acknowledged), made of JSON lines. Knows
//! nothing of connections.

use anyhow::Result;
use rmp::encode;
use serde_json::{Map, Value};

/// The second of the first event.
const BEGIN: u32 = 1_767_225_600;

/// Makes messages one after the other.
#[derive(Default)]
pub(super) struct Packer {
    messages: u64,
    /// Milliseconds since [`BEGIN`].
    milli: u64,
}

impl Packer {
    /// The message of these lines, and the answer that acknowledges it.
    pub(super) fn pack(&mut self, lines: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
        let (mut entries, mut count) = (Vec::with_capacity(lines.len()), 0u64);
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            self.milli += 1;
            count += 1;
            encode::write_array_len(&mut entries, 2)?;
            encode::write_ext_meta(&mut entries, 8, 0)?;
            entries.extend_from_slice(&(BEGIN + (self.milli / 1000) as u32).to_be_bytes());
            entries.extend_from_slice(&(self.milli as u32 % 1000 * 1_000_000).to_be_bytes());
            value(&mut entries, &record(line))?;
        }
        self.messages += 1;
        let chunk = format!("{:032x}", self.messages);
        let mut message = Vec::with_capacity(entries.len() + 128);
        encode::write_array_len(&mut message, 3)?;
        encode::write_str(&mut message, "bench")?;
        encode::write_bin(&mut message, &entries)?;
        encode::write_map_len(&mut message, 2)?;
        encode::write_str(&mut message, "size")?;
        encode::write_uint(&mut message, count)?;
        encode::write_str(&mut message, "chunk")?;
        encode::write_str(&mut message, &chunk)?;
        let mut ack = Vec::new();
        encode::write_map_len(&mut ack, 1)?;
        encode::write_str(&mut ack, "ack")?;
        encode::write_str(&mut ack, &chunk)?;
        Ok((message, ack))
    }
}

/// The fields of a line, its time taken out; the whole line where it is no JSON.
fn record(line: &[u8]) -> Value {
    match serde_json::from_slice(line) {
        Ok(Value::Object(mut fields)) => {
            fields.shift_remove("_time");
            Value::Object(fields)
        }
        _ => {
            let text = String::from_utf8_lossy(line).into_owned();
            Value::Object(Map::from_iter([("message".to_owned(), Value::String(text))]))
        }
    }
}

fn value(out: &mut Vec<u8>, value: &Value) -> Result<()> {
    match value {
        Value::Null => encode::write_nil(out)?,
        Value::Bool(flag) => encode::write_bool(out, *flag)?,
        Value::String(text) => encode::write_str(out, text)?,
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => drop(encode::write_sint(out, number)?),
            (_, Some(number)) => drop(encode::write_uint(out, number)?),
            _ => encode::write_f64(out, number.as_f64().unwrap_or_default())?,
        },
        Value::Array(list) => {
            encode::write_array_len(out, list.len() as u32)?;
            list.iter().try_for_each(|element| self::value(out, element))?;
        }
        Value::Object(fields) => {
            encode::write_map_len(out, fields.len() as u32)?;
            for (name, field) in fields {
                encode::write_str(out, name)?;
                self::value(out, field)?;
            }
        }
    }
    Ok(())
}
