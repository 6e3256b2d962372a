//! Feeds [`sawlog_wire::fuzz::lines_stream`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::lines_stream(bytes));
