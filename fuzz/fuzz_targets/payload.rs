//! Feeds [`sawlog_pipeline::fuzz::payloads`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_pipeline::fuzz::payloads(bytes));
