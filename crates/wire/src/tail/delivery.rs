//! Handing rows to the pipeline until it has them: a full disk or an output that is away stops the reading of files, not
//! the node. Knows nothing of files.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sawlog_model::{Batch, KnownSource, Nanos, Position, SourceId};
use sawlog_pipeline::{DeliveryError, Intake};
use sawlog_sys::Sys;
use sawlog_sys::task::Stop;

use super::cutter::Cutter;
use super::pool::Pool;

/// Shortest and longest wait before rows are offered again.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The node stops; whatever was not delivered is read again at the next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stopped;

/// The way into the pipeline.
pub(crate) struct Delivery {
    pub intake: Intake,
    pub stop: Stop,
    pub sys: Sys,
    /// What files are read into.
    pub buffers: Pool,
    /// Where it gives up at the first failure: the words of that, for who is to be told.
    pub failure: Option<Mutex<Option<String>>>,
}

impl Delivery {
    pub(crate) fn now(&self) -> Nanos {
        self.sys.clock.now()
    }

    pub(crate) fn monotonic(&self) -> Duration {
        self.sys.clock.monotonic()
    }

    pub(crate) fn offer(&self, batch: Option<Batch>, position: Position) -> Result<(), Stopped> {
        let Some(batch) = batch else { return Ok(()) };
        let batch = Arc::new(batch);
        self.insist(|| self.intake.offer_shared(batch.clone(), position.clone()))
    }

    pub(crate) fn settle(&self, source: SourceId) -> Result<(), Stopped> {
        self.insist(|| self.intake.settle(source))
    }

    pub(crate) fn record(&self, sources: Vec<KnownSource>) -> Result<(), Stopped> {
        self.insist(|| self.intake.record(sources.clone()))
    }

    /// Counts the lines that were left out since they are not of the configured form, and those that are not of the encoding.
    pub(crate) fn tell(&self, cutter: &mut Cutter) {
        let ((dropped, last), invalid) = (cutter.take_dropped(), cutter.take_invalid());
        let path = &cutter.origin.source.facts.path;
        if dropped > 0 {
            let text = format!("{path}: no match: {}", String::from_utf8_lossy(&last));
            self.intake.count_errors("unmatched", dropped, &text);
        }
        if invalid > 0 {
            self.intake.count_errors(
                "encoding",
                invalid,
                &format!("{path}: not of its encoding, left as it is"),
            );
        }
    }

    fn insist(&self, deliver: impl Fn() -> Result<(), DeliveryError>) -> Result<(), Stopped> {
        let mut wait = RETRY.0;
        loop {
            match deliver() {
                Ok(()) => return Ok(()),
                Err(DeliveryError::Stopping) => return Err(Stopped),
                Err(error) if let Some(failure) = &self.failure => {
                    *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                    return Err(Stopped);
                }
                Err(error) => self.intake.count_error("delivery", &error.to_string()),
            }
            if self.stop.wait(wait) {
                return Err(Stopped);
            }
            wait = (wait * 2).min(RETRY.1);
        }
    }
}
