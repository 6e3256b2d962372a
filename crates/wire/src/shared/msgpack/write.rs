//! Values to msgpack, each in its shortest form.

use rmp::encode;
use sawlog_model::Value;
use sawlog_model::time::SECOND;

/// Appends `value`. A time that an EventTime cannot hold (before 1970, after 2106) becomes msgpack's own timestamp
/// (extension type -1, 96 bits).
pub fn write(value: &Value, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail; what else the library calls an error is a length over u32, which no value has that a
    // decoder made.
    let _ = match value {
        Value::Nil => encode::write_nil(out).map_err(drop),
        Value::Bool(value) => encode::write_bool(out, *value).map_err(drop),
        Value::Int(number) => encode::write_sint(out, *number).map(drop).map_err(drop),
        Value::UInt(number) => encode::write_uint(out, *number).map(drop).map_err(drop),
        Value::Float(number) => encode::write_f64(out, *number).map_err(drop),
        Value::Float32(number) => encode::write_f32(out, *number).map_err(drop),
        Value::Str(text) => encode::write_str(out, text).map_err(drop),
        Value::Bin(bytes) => encode::write_bin(out, bytes).map_err(drop),
        Value::Time(nanos) => {
            write_time(*nanos, out);
            Ok(())
        }
        Value::Ext(kind, bytes) => {
            let head = encode::write_ext_meta(out, bytes.len() as u32, *kind).map(drop).map_err(drop);
            out.extend_from_slice(bytes);
            head
        }
        Value::List(list) => {
            write_list(list.len(), out);
            list.iter().for_each(|value| write(value, out));
            Ok(())
        }
        Value::Map(entries) => {
            write_map(entries.len(), out);
            for (key, value) in entries {
                write(key, out);
                write(value, out);
            }
            Ok(())
        }
    };
}

/// Appends the head of a list of `count` values.
pub fn write_list(count: usize, out: &mut Vec<u8>) {
    let _ = encode::write_array_len(out, count as u32);
}

/// Appends the head of a map of `count` pairs.
pub fn write_map(count: usize, out: &mut Vec<u8>) {
    let _ = encode::write_map_len(out, count as u32);
}

/// Appends text.
pub fn write_str(text: &str, out: &mut Vec<u8>) {
    let _ = encode::write_str(out, text);
}

/// Appends text that need not be UTF-8.
pub fn write_text(text: &[u8], out: &mut Vec<u8>) {
    let _ = encode::write_str_len(out, text.len() as u32);
    out.extend_from_slice(text);
}

/// Appends bytes.
pub fn write_bin(bytes: &[u8], out: &mut Vec<u8>) {
    let _ = encode::write_bin(out, bytes);
}

/// Appends a time as EventTime, or as a timestamp where that cannot hold it.
pub fn write_time(nanos: i64, out: &mut Vec<u8>) {
    let (seconds, part) = (nanos.div_euclid(SECOND), nanos.rem_euclid(SECOND) as u32);
    if let Ok(seconds) = u32::try_from(seconds) {
        out.extend_from_slice(&[0xd7, 0]);
        out.extend_from_slice(&seconds.to_be_bytes());
        out.extend_from_slice(&part.to_be_bytes());
    } else {
        out.extend_from_slice(&[0xc7, 12, 0xff]);
        out.extend_from_slice(&part.to_be_bytes());
        out.extend_from_slice(&seconds.to_be_bytes());
    }
}
