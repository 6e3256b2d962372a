//! Feeds [`sawlog_wire::fuzz::transcoded_lines`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::transcoded_lines(bytes));
