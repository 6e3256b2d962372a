//! Feeds [`sawlog_store::segment::fuzz::segment_lines`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_store::segment::fuzz::segment_lines(bytes));
