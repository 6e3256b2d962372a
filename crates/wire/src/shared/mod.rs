//! Encodings that several protocols share. Knows nothing of any one of them.

pub mod inflate;
pub mod msgpack;
