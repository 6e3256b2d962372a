//! Feeds [`sawlog_wire::fuzz::batch_frame`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::batch_frame(bytes));
