//! How far an output has handed rows on: journal and files, for outputs that hold nothing themselves and whose positions the
//! journal keeps. Knows nothing of what they do.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sawlog_model::{Batch, KnownSource, SourceId};
use sawlog_pipeline::{Lsn, Origin};

#[derive(Default)]
struct State {
    cursor: Lsn,
    known: HashMap<SourceId, KnownSource>,
}

/// Positions.
#[derive(Default)]
pub struct Held(Mutex<State>);

impl Held {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The batch was handed on.
    pub fn passed(&self, batch: &Batch, origin: Origin) {
        let (position, next) = match origin {
            Origin::Replayable(position) => (Some(position), None),
            Origin::Journal { next, position, .. } => (position, Some(next)),
        };
        let mut state = self.state();
        if let Some(position) = position {
            let known = KnownSource { source: (*batch.source).clone(), position };
            state.known.insert(known.source.id, known);
        }
        state.cursor = next.unwrap_or(state.cursor);
    }

    /// Journal frames below were handed on.
    pub fn reached(&self, next: Lsn) {
        self.state().cursor = next;
    }

    /// Journal position below which all was handed on.
    pub fn cursor(&self) -> Lsn {
        self.state().cursor
    }

    /// The same for files.
    pub fn known(&self) -> Vec<KnownSource> {
        self.state().known.values().cloned().collect()
    }

    /// The same for one file: epoch and offset.
    pub fn committed(&self, source: SourceId) -> Option<(u32, u64)> {
        self.state().known.get(&source).map(|known| known.position.mark())
    }
}

#[cfg(test)]
mod tests {
    use sawlog_model::Position;

    use super::*;

    #[test]
    fn what_was_handed_on_is_held() {
        let (held, batch) = (Held::default(), Batch::default());
        let position = Position { epoch: 1, offset: 7, ..Position::default() };
        held.passed(&batch, Origin::Replayable(position));
        assert_eq!((held.committed(batch.source.id), held.cursor()), (Some((1, 7)), Lsn(0)));
        held.passed(&batch, Origin::Journal { at: Lsn(1), next: Lsn(9), position: None });
        assert_eq!((held.cursor(), held.known().len()), (Lsn(9), 1));
        held.reached(Lsn(12));
        assert_eq!(held.cursor(), Lsn(12));
    }
}
