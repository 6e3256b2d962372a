//! The store as one more output of the pipeline. Knows nothing of how either works inside: it passes batches and positions
//! on.

use std::sync::Arc;

use anyhow::Result;
use sawlog_journal::Lsn;
use sawlog_model::{Batch, KnownSource, SourceId, Tenant};
use sawlog_pipeline::config::Section;
use sawlog_pipeline::wiring::Builtin;
use sawlog_pipeline::{ConfigError, Origin, Output, OutputError, Protocol};
use sawlog_store::{Store, StoreError};

/// What configurations call it. A node has one store: it is given to the graph by the node, not made from options.
pub(crate) const PROTOCOL: Protocol = Protocol {
    name: "store",
    summary: "The store of this node; first in line for all rows unless it is listed.",
    private: |_| true,
    output: Some(|_, _| Err(ConfigError("this node keeps no store".to_owned()))),
    ..Protocol::EMPTY
};

/// Gives the store where a configuration lists it.
pub(crate) fn builtin(store: &Store) -> Builtin {
    let store = store.clone();
    Arc::new(move |section, _| {
        let made = || Ok(Arc::new(StoreOutput::new(store.clone())) as Arc<dyn Output>);
        (section.kind == PROTOCOL.name).then(made)
    })
}

/// The section of a store that no configuration lists.
pub(crate) fn section() -> Section {
    Section { kind: PROTOCOL.name.to_owned(), name: PROTOCOL.name.to_owned(), ..Section::default() }
}

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
