//! What the routes need from the rest of a node, as traits that the binary implements over the pipeline. Knows nothing of
//! how they are done.

use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use futures::future::BoxFuture;
use sawlog_model::{Accepted, Batch, Delivery, IngestError, Nanos, Tenant};

/// Takes bodies of events.
pub trait Ingest: Send + Sync {
    /// Decodes and stores a body: JSON lines, a JSON array or object, or plain lines, plain or as gzip or zstd. Resolves
    /// when all of it is on stable storage.
    fn ingest(&self, delivery: Delivery) -> BoxFuture<'static, Result<Accepted, IngestError>>;

    /// How many outputs have not got yet all that stands in the journal below a position.
    fn waiting(&self, position: u64) -> usize;
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
    /// Rows from now on, of tags that fit a pattern as in configurations where `tags` is one. What the listener does not fetch in
    /// time is dropped and counted, never waited for.
    ///
    /// # Errors
    /// What is wrong with the pattern.
    fn subscribe(&self, tags: Option<&str>) -> Result<LiveStream, String>;
}

/// Which dead letters are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeadLetters {
    /// All.
    All,
    /// Those of an output.
    Of(String),
    /// Those with these numbers.
    Numbers(Vec<u64>),
}

/// A dead letter, for whoever its rows are of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetter {
    /// Tells it apart from the others of its node.
    pub number: u64,
    /// When it was written.
    pub time: Nanos,
    /// Name of the output that did not get it.
    pub output: String,
    /// `refused` or `given_up`.
    pub why: &'static str,
    /// In words, as the output said it.
    pub reason: String,
    /// Whose its rows are.
    pub tenant: Tenant,
    /// Its lines.
    pub lines: Vec<String>,
}

/// What became of dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadOutcome {
    /// Letters that it was done to.
    pub letters: u64,
    /// Their records.
    pub records: u64,
    /// In sentences, why others were left.
    pub left: Vec<String>,
}

/// What an administrator can ask a node to do.
pub trait Control: Send + Sync {
    /// Begins to stop the node and returns at once.
    fn shutdown(&self);
    /// Writes memtables to segments; resolves when they are on stable storage. The error is in words.
    fn flush(&self) -> BoxFuture<'static, Result<(), String>>;
    /// Reads the configuration again and lets it hold; in sentences, what has changed. The error is all that is wrong with it,
    /// a line each; then the one before holds.
    fn reload(&self) -> BoxFuture<'static, Result<Vec<String>, String>>;
    /// Dead letters, of one tenant or of all: at most so many, the oldest first. The error is in words.
    fn dead(
        &self,
        of: Option<Tenant>,
        which: DeadLetters,
        most: usize,
    ) -> BoxFuture<'static, Result<Vec<DeadLetter>, String>>;
    /// Sends dead letters, of one tenant or of all, on their way again; resolves when they are journaled. The error is in words.
    fn replay_dead(
        &self,
        of: Option<Tenant>,
        which: DeadLetters,
    ) -> BoxFuture<'static, Result<DeadOutcome, String>>;
    /// Lets go of dead letters, of one tenant or of all. The error is in words.
    fn drop_dead(
        &self,
        of: Option<Tenant>,
        which: DeadLetters,
    ) -> BoxFuture<'static, Result<DeadOutcome, String>>;
    /// Removes what is kept of tenants that are there no more; resolves when their bytes are gone from the disk, or with the names of
    /// outputs that are behind, until which some stand in the journal. The error is in words; it can be asked again.
    fn purge(&self) -> BoxFuture<'static, Result<Vec<String>, String>>;
}
