//! Feeds [`sawlog_client::fuzz::answer`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_client::fuzz::answer(bytes));
