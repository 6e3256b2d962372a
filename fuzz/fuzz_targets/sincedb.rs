//! Feeds [`sawlog_wire::fuzz::sincedb`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::sincedb(bytes));
