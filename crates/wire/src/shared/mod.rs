//! Encodings that several protocols share. Knows nothing of any one of them.

pub mod budget;
pub mod inflate;
pub mod msgpack;
pub mod sources;
pub(crate) mod window;
