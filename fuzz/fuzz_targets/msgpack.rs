//! Feeds [`sawlog_wire::fuzz::msgpack_value`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sawlog_wire::fuzz::msgpack_value(bytes));
