//! Feeds [`sawlog_journal::fuzz::recovery`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_journal::fuzz::recovery(bytes));
