//! Feeds [`sawlog_wire::fuzz::zmtp_sessions`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::zmtp_sessions(bytes));
