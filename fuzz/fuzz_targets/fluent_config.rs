//! Feeds [`sawlog_wire::fuzz::fluent_config`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::fluent_config(bytes));
