//! Feeds [`sawlog_wire::fuzz::value_parse`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::value_parse(bytes));
