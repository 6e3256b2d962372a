//! Which graph holds for which part of the journal: rows go by the graph that held when they were journaled, whichever output
//! reads them however late, so that a reload neither loses nor doubles. Knows nothing of why graphs change.

use std::sync::{Arc, RwLock};

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
        let graphs = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        graphs[graphs.len() - 1].1.clone()
    }

    /// The one that holds for the frame at `at`.
    pub fn at(&self, at: Lsn) -> Arc<Graph> {
        let graphs = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let after = graphs.partition_point(|(from, _)| *from <= at);
        graphs[after.saturating_sub(1)].1.clone()
    }
}
