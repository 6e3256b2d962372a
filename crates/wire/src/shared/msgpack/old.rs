//! Values to msgpack as readers of before 2013 know it: text and bytes are one family without a length of 8 bits, and there are
//! no extension types. Knows nothing of who still reads that.

use rmp::encode;
use sawlog_model::Value;

use super::{write, write_list, write_map};

/// Appends `value`; a time becomes seconds, an extension its bytes.
pub fn write_old(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Str(text) => raw(text.as_bytes(), out),
        Value::Bin(bytes) | Value::Ext(_, bytes) => raw(bytes, out),
        Value::Time(nanos) => {
            // Writing to a Vec cannot fail.
            let _ = encode::write_f64(out, *nanos as f64 / 1e9);
        }
        Value::List(list) => {
            write_list(list.len(), out);
            list.iter().for_each(|value| write_old(value, out));
        }
        Value::Map(entries) => {
            write_map(entries.len(), out);
            for (key, value) in entries {
                write_old(key, out);
                write_old(value, out);
            }
        }
        other => write(other, out),
    }
}

fn raw(bytes: &[u8], out: &mut Vec<u8>) {
    match bytes.len() {
        len @ ..32 => out.push(0xa0 | len as u8),
        len @ ..0x1_0000 => {
            out.push(0xda);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(0xdb);
            out.extend_from_slice(&(len as u32).to_be_bytes());
        }
    }
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old(value: Value) -> Vec<u8> {
        let mut out = Vec::new();
        write_old(&value, &mut out);
        out
    }

    #[test]
    fn text_and_bytes_are_one_family() {
        assert_eq!(old(Value::Str("ab".into())), b"\xa2ab");
        assert_eq!(old(Value::Bin(vec![0xff])), b"\xa1\xff");
        assert_eq!(old(Value::Ext(5, vec![1])), b"\xa1\x01");
        assert_eq!(old(Value::Str("x".repeat(32)))[..4], *b"\xda\0\x20x");
        assert_eq!(old(Value::Str("x".repeat(65_536)))[..6], *b"\xdb\0\x01\0\0x");
        assert_eq!(old(Value::Str("x".repeat(31)))[0], 0xbf);
        let nested = Value::Map(vec![(Value::Bin(b"k".to_vec()), Value::List(vec![Value::Int(200)]))]);
        assert_eq!(old(nested), b"\x81\xa1k\x91\xcc\xc8");
        assert_eq!(old(Value::Time(1_500_000_000)), b"\xcb\x3f\xf8\0\0\0\0\0\0");
    }
}
