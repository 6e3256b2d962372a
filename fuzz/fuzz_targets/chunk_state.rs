//! Feeds [`sawlog_wire::fuzz::chunk_state`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::chunk_state(bytes));
