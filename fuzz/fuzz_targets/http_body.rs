//! Feeds [`sawlog_wire::fuzz::http_body`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::http_body(bytes));
