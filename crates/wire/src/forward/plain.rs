//! Whole messages of one record, for programs that only send: a load generator. Knows nothing of connections.

use sawlog_model::Value;

use crate::shared::msgpack;

/// How a message holds its records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// `[tag, time, record]`; for one record.
    Message,
    /// `[tag, [[time, record], …]]`
    Forward,
    /// `[tag, bytes of [time, record] one after the other]`
    Packed,
}

/// A message with `count` times the record, at `seconds` since 1970; [`Form::Message`] holds it once whatever `count` says.
pub fn message(tag: &str, seconds: u32, record: &Value, count: usize, form: Form) -> Vec<u8> {
    let mut entry = Vec::new();
    if form != Form::Message {
        msgpack::write_list(2, &mut entry);
    }
    msgpack::write(&Value::UInt(seconds.into()), &mut entry);
    msgpack::write(record, &mut entry);
    let mut out = Vec::with_capacity(tag.len() + 16 + entry.len() * count);
    msgpack::write_list(if form == Form::Message { 3 } else { 2 }, &mut out);
    msgpack::write_str(tag, &mut out);
    match form {
        Form::Message => out.extend_from_slice(&entry),
        Form::Forward => {
            msgpack::write_list(count, &mut out);
            out.extend(entry.iter().copied().cycle().take(entry.len() * count));
        }
        Form::Packed => msgpack::write_bin(&entry.repeat(count), &mut out),
    }
    out
}

#[cfg(test)]
mod tests {
    use sawlog_model::Limits;

    use super::*;
    use crate::forward::decoder::ForwardDecoder;
    use sawlog_pipeline::Decoder;

    #[test]
    fn every_form_is_read_back() {
        let record = Value::Map(vec![(Value::Str("k".to_owned()), Value::Str("v".to_owned()))]);
        for (form, expected) in [(Form::Message, 1), (Form::Forward, 3), (Form::Packed, 3)] {
            let bytes = message("a.b", 1_441_588_984, &record, 3, form);
            let mut seen = Vec::new();
            let mut decoder = ForwardDecoder::new(Limits::default());
            decoder.feed(&bytes, &mut |tag, value| seen.push((tag.to_owned(), value))).unwrap();
            assert_eq!(seen.len(), expected, "{form:?}");
            assert!(seen.iter().all(|(tag, _)| tag == "a.b"), "{form:?}");
        }
        assert_eq!(message("a", 1, &record, 1, Form::Message)[..4], [0x93, 0xa1, b'a', 0x01]);
    }
}
