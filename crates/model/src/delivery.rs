//! A body of events that came over HTTP, and what becomes of it: the words between the server that takes it and the codec that
//! reads it, which do not know each other.

use std::sync::Arc;

use bytes::Bytes;

use crate::{Over, Tenant};

/// Name in the context of rows that may leave this node over TLS only. It is one of ours: what a sender calls so is kept by another
/// name.
pub const ENCRYPTED: &str = "_encrypted";

/// One body of events as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Whose events.
    pub tenant: Tenant,
    /// Id of the token that they come with.
    pub token: Option<Arc<str>>,
    /// The body, still compressed where `content_encoding` says so.
    pub body: Bytes,
    /// `Content-Type` without its parameters, in lower case; empty where there was none.
    pub content_type: String,
    /// `Content-Encoding` in lower case; empty where there was none.
    pub content_encoding: String,
    /// `_tag` of the events.
    pub tag: Option<String>,
    /// `_host` of the events.
    pub host: Option<String>,
    /// `Idempotency-Key`: a body that comes again under its key is not stored again.
    pub idempotency_key: Option<String>,
    /// Whether the events may leave this node over TLS only: see [`ENCRYPTED`].
    pub encrypted: bool,
}

/// What is on stable storage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Records.
    pub records: u64,
    /// Those of them that are not what the body should be; they are kept whole.
    pub invalid: u64,
    /// Bytes of the body after decompression.
    pub bytes: u64,
    /// A position of the journal below which all of it stands.
    pub position: u64,
}

/// A body was not taken; nothing of it is stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    /// It is not what it says it is: it is not to be sent again.
    #[error("{0}")]
    Malformed(String),
    /// This type or encoding is not known: another is to be sent.
    #[error("{0}")]
    Unsupported(String),
    /// It is too large, as it came or decompressed: less is to be sent at once.
    #[error("{0}")]
    TooLarge(String),
    /// Its tenant is at a limit: it is to be sent again after a while.
    #[error("{0}")]
    Limited(Over),
    /// Not now: it is to be sent again later.
    #[error("{0}")]
    Later(String),
    /// The node cannot store anything.
    #[error("{0}")]
    Failed(String),
}
