//! The store as one more output of the pipeline. Knows nothing of how either works inside: it passes batches and positions
//! on.

use std::sync::Arc;

use anyhow::Result;
use sawlog_journal::Lsn;
use sawlog_model::{Batch, KnownSource, SourceId, Tenant};
use sawlog_pipeline::{Origin, Output, OutputError};
use sawlog_store::{Store, StoreError};

/// The adapter.
pub(crate) struct StoreOutput {
    store: Store,
}

impl StoreOutput {
    pub(crate) fn new(store: Store) -> Self {
        StoreOutput { store }
    }
}

fn later(error: StoreError) -> OutputError {
    OutputError::Later(error.to_string())
}

fn origin(from: Origin) -> sawlog_store::Origin {
    match from {
        Origin::Replayable(position) => sawlog_store::Origin::Replayable(position),
        Origin::Journal { at, next, position } => {
            sawlog_store::Origin::Journal { at: at.0, next: next.0, position }
        }
    }
}

impl Output for StoreOutput {
    fn name(&self) -> &str {
        "store"
    }

    fn take(&self, batch: Arc<Batch>, from: Origin) -> Result<(), OutputError> {
        self.store.append(batch, origin(from)).map_err(later)
    }

    fn journaled(&self, tenant: Tenant, at: Lsn, next: Lsn) {
        self.store.journaled(tenant, at.0, next.0);
    }

    fn cursor(&self) -> Lsn {
        Lsn(self.store.cursor())
    }

    fn known_sources(&self) -> Vec<KnownSource> {
        self.store.sources()
    }

    fn committed(&self, source: SourceId) -> Option<(u32, u64)> {
        self.store.committed(source)
    }

    fn flush(&self) -> Result<(), OutputError> {
        self.store.flush().map_err(later)
    }
}
