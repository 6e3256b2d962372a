//! Feeds [`sawlog_wire::fuzz::forward_ping`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::forward_ping(bytes));
