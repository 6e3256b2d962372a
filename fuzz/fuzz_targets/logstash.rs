//! Feeds [`sawlog_wire::fuzz::logstash_stream`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::logstash_stream(bytes));
