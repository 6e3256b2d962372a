//! Feeds [`sawlog_wire::fuzz::redis_answers`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::redis_answers(bytes));
