//! Scans on threads of their own: a scan blocks on files and computes for long, which a task must not. Knows nothing
//! of plans.

use std::pin::Pin;

use arrow::record_batch::RecordBatch;
use futures::{Stream, StreamExt, stream};
use sawlog_store::{Scan, StoreError};
use tokio::sync::mpsc;

/// Batches that wait for their reader; the scan stops for as long.
const WAITING: usize = 2;

/// Batches as a scan finds them.
pub(crate) type Batches<E> = Pin<Box<dyn Stream<Item = Result<RecordBatch, E>> + Send>>;

/// Runs the scan that `start` makes (`None`: there is nothing to read). Dropping the stream ends it at its next batch.
pub(crate) fn scan<F>(start: F) -> Batches<StreamError>
where
    F: FnOnce() -> Result<Option<Scan>, StoreError> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WAITING);
    let work = tokio::task::spawn_blocking(move || {
        let scan = match start() {
            Ok(None) => return,
            Ok(Some(scan)) => scan,
            Err(error) => return drop(sender.blocking_send(Err(StreamError::Store(error)))),
        };
        for batch in scan {
            if sender.blocking_send(batch.map_err(StreamError::Store)).is_err() {
                return;
            }
        }
    });
    stream::unfold((receiver, Some(work)), async |(mut receiver, mut work)| {
        if let Some(batch) = receiver.recv().await {
            return Some((batch, (receiver, work)));
        }
        // The end; but if the thread died, what came is not all there is.
        match work.take()?.await {
            Ok(()) => None,
            Err(error) => Some((Err(StreamError::Died(error.to_string())), (receiver, None))),
        }
    })
    .boxed()
}

/// A scan ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    /// The store says why.
    #[error(transparent)]
    Store(StoreError),
    /// Its thread died.
    #[error("reading the store ended in a fault: {0}")]
    Died(String),
}
