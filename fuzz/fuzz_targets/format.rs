//! Feeds [`sawlog_wire::fuzz::format_lines`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::format_lines(bytes));
