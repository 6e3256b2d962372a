//! Questions: the query language and SQL become DataFusion plans over the store. Knows nothing of HTTP or terminals.

use std::pin::Pin;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use futures::Stream;
use sawlog_model::{Nanos, Predicate, Tenant, TimeRange};
use sawlog_store::Store;

mod keeps;
mod number;
mod parse;
mod pipe;

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
    #[error("{message} (at character {start})")]
    Syntax {
        /// First character (in bytes) that is wrong.
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

/// A value with its count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueCount {
    /// The value.
    pub value: String,
    /// Rows.
    pub rows: u64,
}

/// Answers questions over a store. The engine behind it is made at the first question.
#[derive(Clone)]
pub struct Engine {
    _store: Store,
}

impl Engine {
    /// An engine over a store.
    pub fn new(_store: Store) -> Self {
        todo!()
    }

    /// Starts a search with its pipes.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn search(&self, _request: Request) -> Result<Answer, QueryError> {
        todo!()
    }

    /// Starts an SQL statement over the table `logs`.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn sql(&self, _tenant: Tenant, _statement: &str, _now: Nanos) -> Result<Answer, QueryError> {
        todo!()
    }

    /// Rows per `step` nanoseconds and level.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn hits(&self, _request: Request, _step: Nanos) -> Result<Vec<Bar>, QueryError> {
        todo!()
    }

    /// Most frequent values of a field among the rows of the query.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn values(
        &self,
        _request: Request,
        _field: &str,
        _limit: usize,
    ) -> Result<Vec<ValueCount>, QueryError> {
        todo!()
    }
}

/// Appends the rows of a batch as lines of JSON: `_time` as RFC 3339, `_fields` merged in, NULLs left out.
pub fn write_ndjson(_batch: &RecordBatch, _out: &mut Vec<u8>) {
    todo!()
}
