//! What the routes need from the rest of a node, as traits that the binary implements over the pipeline. Knows nothing of
//! how they are done.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use futures::future::BoxFuture;
use sawlog_model::{Batch, Tenant};

/// One body of events as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Whose events.
    pub tenant: Tenant,
    /// The body, still compressed where `content_encoding` says so; at most `Settings::body_bytes`.
    pub body: Bytes,
    /// `Content-Type` without its parameters, in lower case; empty where there was none.
    pub content_type: String,
    /// `Content-Encoding` in lower case; empty where there was none.
    pub content_encoding: String,
    /// `_tag` of the events: the parameter `tag`, else the header `X-Sawlog-Tag`.
    pub tag: Option<String>,
    /// `_host` of the events: the parameter `host`, else the header `X-Sawlog-Host`.
    pub host: Option<String>,
    /// The header `Idempotency-Key`: a body that comes again under its key is not to be stored again.
    pub idempotency_key: Option<String>,
}

/// What was taken, durably.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Records on stable storage.
    pub records: u64,
    /// Bytes of the body after decompression.
    pub bytes: u64,
}

/// A body was not taken; nothing of it is stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    /// It is not what it says it is: do not send it again (400).
    #[error("{0}")]
    Malformed(String),
    /// This type or encoding is not known: send another (415).
    #[error("{0}")]
    Unsupported(String),
    /// It is too large, as it came or decompressed: send less at once (413).
    #[error("{0}")]
    TooLarge(String),
    /// Not now: send it again later (503).
    #[error("{0}")]
    Later(String),
    /// The node cannot store anything (500).
    #[error("{0}")]
    Failed(String),
}

/// Takes bodies of events.
pub trait Ingest: Send + Sync {
    /// Decodes and stores a body: JSON lines, a JSON array or object, or plain lines, plain or as gzip or zstd. Resolves
    /// when all of it is on stable storage.
    fn ingest(&self, delivery: Delivery) -> BoxFuture<'static, Result<Accepted, IngestError>>;
}

/// What a subscriber of new rows gets.
#[derive(Clone, Debug)]
pub enum LiveEvent {
    /// Rows, of any tenant; the route picks.
    Rows(Arc<Batch>),
    /// The subscriber was too slow, and so many batches passed it.
    Missed(u64),
}

/// New rows as they come; ends when the node stops.
pub type LiveStream = Pin<Box<dyn Stream<Item = LiveEvent> + Send>>;

/// Where new rows can be listened to.
pub trait Live: Send + Sync {
    /// Rows from now on. What the listener does not fetch in time is dropped and counted, never waited for.
    fn subscribe(&self) -> LiveStream;
}

/// What an administrator can ask a node to do.
pub trait Control: Send + Sync {
    /// Begins to stop the node and returns at once.
    fn shutdown(&self);
    /// Writes memtables to segments; resolves when they are on stable storage. The error is in words.
    fn flush(&self) -> BoxFuture<'static, Result<(), String>>;
}
