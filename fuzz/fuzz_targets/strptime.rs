//! Feeds [`sawlog_wire::fuzz::time_formats`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::time_formats(bytes));
