//! Feeds [`sawlog_wire::fuzz::templates`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::templates(bytes));
