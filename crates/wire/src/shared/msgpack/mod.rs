//! msgpack, in three steps: [`Scanner`] finds where a value ends in bytes that are still coming, [`measure`] checks whole
//! bytes against the limits, and [`Reader`], [`value`] and [`line`](line()) read what was checked. Nothing is allocated by a
//! length that the bytes claim. Knows nothing of what the values mean, but for Fluentd's EventTime (extension type 0).

mod item;
mod line;
mod old;
mod read;
mod scan;
#[cfg(test)]
mod tests;
mod write;

pub use item::{Item, Reader};
pub use line::line;
pub use old::write_old;
pub(crate) use read::event_time;
pub use read::value;
pub use scan::{Measured, Measurer, Scanner, measure};
pub use write::{write, write_bin, write_list, write_map, write_str, write_text, write_time};

/// Deepest nesting that is read, whatever [`Limits::depth`](sawlog_model::Limits::depth) says: what was checked is read by
/// recursion.
pub const DEPTH_MOST: usize = 512;

/// The bytes are not msgpack, or more than may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MsgpackError {
    /// A byte that begins nothing (0xc1), or bytes that end too early.
    #[error("not msgpack at byte {0}")]
    Syntax(usize),
    /// Nested deeper than the limit.
    #[error("lists and maps are nested deeper than {0}")]
    Deep(usize),
    /// Longer than the limit, or claims to be.
    #[error("a value of more than {0} bytes")]
    Long(usize),
}
