//! Where inputs deliver.

use std::net::SocketAddr;
use std::sync::Arc;

use sawlog_model::{Access, Batch, KnownSource, Limits, Position, SourceId};
use sawlog_sys::Sys;
use sawlog_sys::task::Stop;

/// What an input is given beside its options.
#[derive(Clone)]
pub struct Env {
    /// The outside.
    pub sys: Sys,
    /// Where it may start asynchronous tasks.
    pub runtime: tokio::runtime::Handle,
    /// Bounds for what it decodes.
    pub limits: Limits,
    /// When to stop.
    pub stop: Stop,
    /// Who may send.
    pub access: Arc<dyn Access>,
}

/// An input, ready to be started.
pub trait Input: Send {
    /// Starts it: takes its socket or files and goes on in threads or tasks of its own until `env.stop`.
    ///
    /// # Errors
    /// In words, with the remedy.
    fn start(self: Box<Self>, intake: Intake, env: Env) -> Result<Running, String>;
}

/// A started input.
pub struct Running {
    /// The address it listens on, where it does.
    pub address: Option<SocketAddr>,
    /// Waits until it has stopped, after `env.stop` was requested.
    pub join: Box<dyn FnOnce() + Send>,
}

/// Delivery failed: the rows are not acknowledged.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DeliveryError {
    /// The node stops.
    #[error("this node is stopping; send again later")]
    Stopping,
    /// The journal cannot be written.
    #[error("{0}")]
    Journal(#[from] sawlog_journal::JournalError),
    /// An output refuses.
    #[error("{0}")]
    Output(String),
}

/// The entrance of the pipeline; cheap to clone. It also counts: protocols count nothing by hand but errors.
#[derive(Clone)]
pub struct Intake {
    _core: Arc<()>,
}

impl Intake {
    /// Delivers rows of a file that can be read again from its committed position. Blocks while the pipeline is behind.
    /// Rows not committed within a second are journaled by the pipeline.
    ///
    /// # Errors
    /// [`DeliveryError`]; the rows may be offered again.
    pub fn offer(&self, _batch: Batch, _position: Position) -> Result<(), DeliveryError> {
        todo!()
    }

    /// Makes durable what was offered of a source (its file was renamed, unlinked or truncated); blocks until it is.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub fn settle(&self, _source: SourceId) -> Result<(), DeliveryError> {
        todo!()
    }

    /// Delivers rows that cannot be read again; they are on stable storage when it returns, and only then may the sender
    /// be told so. Offsets are given here, from the journal's position.
    ///
    /// # Errors
    /// [`DeliveryError`]; nothing is acknowledged.
    pub async fn submit(&self, _batches: Vec<Batch>) -> Result<(), DeliveryError> {
        todo!()
    }

    /// Sources that are known, with the position from which each is to be read on.
    pub fn known_sources(&self) -> Vec<KnownSource> {
        todo!()
    }

    /// Counts something that went wrong with what a peer or file gave; `reason` is one of few fixed words (it becomes a
    /// label of `/metrics`), `detail` the last one's words.
    pub fn count_error(&self, _reason: &'static str, _detail: &str) {
        todo!()
    }
}
