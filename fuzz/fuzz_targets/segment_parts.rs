//! Feeds [`sawlog_store::segment::fuzz::segment_parts`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_store::segment::fuzz::segment_parts(bytes));
