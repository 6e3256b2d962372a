//! Scans on threads of their own: a scan blocks on files and computes for long, which a task must not. Knows nothing
//! of plans.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::record_batch::RecordBatch;
use futures::{Stream, StreamExt, stream};
use sawlog_store::{Scan, StoreError};
use sawlog_sys::task::Stop;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Batches that wait for their reader; the scan stops for as long.
const WAITING: usize = 2;

/// Batches as a scan finds them.
pub(crate) type Batches<E> = Pin<Box<dyn Stream<Item = Result<RecordBatch, E>> + Send>>;

/// Runs the scan that `start` makes (`None`: there is nothing to read). Dropping the stream ends it.
pub(crate) fn scan<F>(start: F) -> Batches<StreamError>
where
    F: FnOnce() -> Result<Option<Scan>, StoreError> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WAITING);
    let ended = Ended::default();
    let stop = ended.0.clone();
    let work = tokio::task::spawn_blocking(move || {
        let scan = match start() {
            Ok(None) => return,
            Ok(Some(scan)) => scan,
            Err(error) => return drop(sender.blocking_send(Err(StreamError::Store(error)))),
        };
        stop.follow(&scan);
        for batch in scan {
            if sender.blocking_send(batch.map_err(StreamError::Store)).is_err() {
                return;
            }
        }
    });
    let reader = Reader { receiver, work: Some(work), _ended: ended };
    stream::unfold(reader, |mut reader| async {
        let batch = reader.next().await?;
        Some((batch, reader))
    })
    .boxed()
}

/// What `work` makes of each scan, on threads of their own. Dropping the future ends the scans.
pub(crate) async fn each<T, F>(scans: Vec<Scan>, work: F) -> Result<Vec<T>, StreamError>
where
    T: Send + 'static,
    F: Fn(Scan) -> Result<T, StoreError> + Clone + Send + 'static,
{
    let working = scans.into_iter().map(|scan| {
        let ended = Ended::default();
        ended.0.follow(&scan);
        let work = work.clone();
        let thread = tokio::task::spawn_blocking(move || work(scan));
        async move {
            let made = thread.await.map_err(|died| StreamError::Died(died.to_string()))?;
            drop(ended);
            made.map_err(StreamError::Store)
        }
    });
    futures::future::try_join_all(working).await
}

/// What is left of a scan on its thread.
struct Reader {
    receiver: mpsc::Receiver<Result<RecordBatch, StreamError>>,
    work: Option<JoinHandle<()>>,
    _ended: Ended,
}

impl Reader {
    async fn next(&mut self) -> Option<Result<RecordBatch, StreamError>> {
        if let Some(batch) = self.receiver.recv().await {
            return Some(batch);
        }
        // The end; but if the thread died, what came is not all there is.
        let died = self.work.take()?.await.err()?;
        Some(Err(StreamError::Died(died.to_string())))
    }
}

/// Stops the scan when it is dropped, also one that starts only then.
#[derive(Default)]
struct Ended(Arc<Link>);

/// What the reader's end and the scan's thread share.
#[derive(Default)]
struct Link(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Waiting,
    Running(Stop),
    Dropped,
}

impl Link {
    /// Ties the scan to the reader.
    fn follow(&self, scan: &Scan) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Dropped => scan.stopper().request(),
            _ => *state = State::Running(scan.stopper()),
        }
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Running(stop) = &*state {
            stop.request();
        }
        *state = State::Dropped;
    }
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
