//! The bounds that every decoder is given. Knows nothing of who decodes what: a decoder that would pass a bound stops
//! with an error that names it.

/// Bounds for decoders, in bytes or counts. One struct, so that no decoder can forget that there is a bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The longest event (a line, a joined stack trace, a record) in bytes; what is longer goes on in a row marked
    /// [`continues`](crate::Marks::CONTINUES), or is refused where it came as a message.
    pub event: usize,
    /// The longest message of a protocol (a forward chunk, an HTTP body), in bytes after decompression.
    pub message: usize,
    /// Deepest nesting of lists and maps.
    pub depth: usize,
    /// Most fields in one event; what is over stays in the line and is found as text.
    pub fields: usize,
    /// Most distinct field names that one parser keeps.
    pub names: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { event: 64 << 20, message: 256 << 20, depth: 128, fields: 2_000, names: 20_000 }
    }
}
