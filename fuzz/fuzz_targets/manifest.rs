//! Feeds [`sawlog_store::catalogue::fuzz::manifest`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_store::catalogue::fuzz::manifest(bytes));
