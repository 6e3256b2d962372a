//! Feeds [`sawlog_wire::fuzz::rule_bases`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::rule_bases(bytes));
