//! Feeds [`sawlog_wire::fuzz::gelf_stream`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::gelf_stream(bytes));
