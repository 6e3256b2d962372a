//! Questions: the query language and SQL become DataFusion plans over the store. Knows nothing of HTTP or terminals.

use std::pin::Pin;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use futures::Stream;
use sawlog_model::{Nanos, Tenant, TimeRange};

mod count;
mod engine;
mod keeps;
mod largest;
mod late;
mod memory;
mod ndjson;
mod number;
mod parse;
mod pipe;
mod session;
mod sql;
mod stream;
mod table;
#[cfg(test)]
mod tests;

pub use engine::Engine;
pub use ndjson::write_ndjson;
pub use parse::predicate;
pub use parse::time::moment;

/// A question in words, and what bounds the answer.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whose rows.
    pub tenant: Tenant,
    /// The query language's text: a search, then pipes.
    pub query: String,
    /// Times; `_time:[a, b]` in the query narrows it further.
    pub range: TimeRange,
    /// At most so many rows.
    pub limit: Option<usize>,
    /// What "now" is for relative times.
    pub now: Nanos,
}

/// A query that cannot be run, with where and why.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueryError {
    /// Wrong text.
    #[error("{message} (at byte {start})")]
    Syntax {
        /// First byte that is wrong.
        start: usize,
        /// One after the last.
        end: usize,
        /// What is wrong and what would do.
        message: String,
    },
    /// Memory or time ran out; says which bound and how to ask for less.
    #[error("{0}")]
    Budget(String),
    /// The store or the engine failed.
    #[error("{0}")]
    Failed(String),
}

/// Rows of an answer as they are found; dropping it stops the work.
pub struct Answer {
    /// Names and types. A search without pipes has the columns `_time`, `_source`, `_epoch`, `_offset`, `_line`, `_fields`.
    pub schema: SchemaRef,
    /// Whether it is a search without pipes that change the shape of rows.
    pub records: bool,
    /// The rows.
    pub batches: Pin<Box<dyn Stream<Item = Result<RecordBatch, QueryError>> + Send>>,
}

/// A bar of a histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// First time of it.
    pub time: Nanos,
    /// Rows by level (empty text: none), largest first.
    pub counts: Vec<(String, u64)>,
}

/// Values of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// The most frequent ones.
    pub values: Vec<ValueCount>,
    /// Rows among which they were counted.
    pub rows: u64,
    /// Whether these were all rows of the query.
    pub complete: bool,
}

/// A value with its count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueCount {
    /// The value.
    pub value: String,
    /// Rows.
    pub rows: u64,
}
