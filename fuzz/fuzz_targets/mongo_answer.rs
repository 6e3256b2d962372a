//! Feeds [`sawlog_wire::fuzz::mongo_answers`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::mongo_answers(bytes));
