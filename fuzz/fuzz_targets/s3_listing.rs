//! Feeds [`sawlog_wire::fuzz::s3_listing`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::s3_listing(bytes));
