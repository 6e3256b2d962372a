//! Feeds [`sawlog_wire::fuzz::ini_config`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::ini_config(bytes));
