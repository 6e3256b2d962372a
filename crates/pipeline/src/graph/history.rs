//! Which graph holds for which part of the journal: rows go by the graph that held when they were journaled, whichever output
//! reads them however late, so that a reload neither loses nor doubles. Knows nothing of why graphs change.

use std::sync::{Arc, PoisonError, RwLock};

use sawlog_journal::Lsn;

use super::Graph;

/// Graphs with the frame from which on each holds, oldest first. The first also holds for all before.
pub(crate) struct Graphs(RwLock<Vec<(Lsn, Arc<Graph>)>>);

impl Graphs {
    pub fn new(graph: Arc<Graph>) -> Self {
        Graphs(RwLock::new(vec![(Lsn(0), graph)]))
    }

    /// The one that holds now.
    pub fn current(&self) -> Arc<Graph> {
        let graphs = self.0.read().unwrap_or_else(PoisonError::into_inner);
        graphs[graphs.len() - 1].1.clone()
    }

    /// From the frame at `from` on another one holds.
    pub fn change(&self, from: Lsn, graph: Arc<Graph>) {
        let mut graphs = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // One that no frame was written under is no longer asked for.
        graphs.retain(|(have, _)| *have < from || *have == Lsn(0));
        graphs.push((from, graph));
    }

    /// No frame below `lsn` is read any more.
    pub fn trim(&self, lsn: Lsn) {
        let mut graphs = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let last = graphs.partition_point(|(from, _)| *from <= lsn);
        graphs.drain(..last.saturating_sub(1));
    }

    /// The one that holds for the frame at `at`.
    pub fn at(&self, at: Lsn) -> Arc<Graph> {
        let graphs = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let after = graphs.partition_point(|(from, _)| *from <= at);
        graphs[after.saturating_sub(1)].1.clone()
    }
}
