//! Outputs that hand rows on at once and hold nothing themselves: how far they are, in the journal and in files, which the
//! journal keeps for them. Knows nothing of where rows go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sawlog_model::{Batch, KnownSource, SourceId, Tenant};
use sawlog_pipeline::{Lsn, Origin, Output, OutputError};

/// What an output does with a batch, where it does it at once.
pub trait HandOn: Send + Sync {
    /// Hands the rows on; may be none.
    ///
    /// # Errors
    /// [`OutputError::Later`]: the same batch comes again. [`OutputError::Refused`]: those that were refused do not; the others
    /// were handed on.
    fn hand_on(&self, batch: &Batch) -> Result<(), OutputError>;
}

/// An output that hands rows on at once.
pub struct AtOnce<T> {
    name: Arc<str>,
    does: T,
    held: Held,
}

impl<T> AtOnce<T> {
    /// An output of this name, as [`sawlog_pipeline::Env::name`] has it.
    pub fn new(name: &Arc<str>, does: T) -> Self {
        AtOnce { name: name.clone(), does, held: Held::default() }
    }
}

impl<T: HandOn> Output for AtOnce<T> {
    fn name(&self) -> &str {
        &self.name
    }

    fn take(&self, batch: Arc<Batch>, origin: Origin) -> Result<(), OutputError> {
        let handed = self.does.hand_on(&batch);
        // What is refused of a file's rows comes again from the journal; until it is there, the file has to be read again.
        let is_held = match &handed {
            Ok(()) => true,
            Err(OutputError::Later(_)) => false,
            Err(_) => matches!(origin, Origin::Journal { .. }),
        };
        if is_held {
            self.held.passed(&batch, origin);
        }
        handed
    }

    fn journaled(&self, _tenant: Tenant, _at: Lsn, next: Lsn) {
        self.held.reached(next);
    }

    fn cursor(&self) -> Lsn {
        self.held.state().cursor
    }

    fn known_sources(&self) -> Vec<KnownSource> {
        self.held.state().known.values().cloned().collect()
    }

    fn committed(&self, source: SourceId) -> Option<(u32, u64)> {
        self.held.state().known.get(&source).map(|known| known.position.mark())
    }

    fn keeps_positions(&self) -> bool {
        false
    }

    fn flush(&self) -> Result<(), OutputError> {
        Ok(())
    }
}

/// What became of the rows of a batch that an output could not take whole, until it comes again.
#[derive(Default)]
pub struct Progress(Mutex<Settled>);

/// What became of the rows of one batch.
#[derive(Default)]
pub struct Settled {
    /// Tells the batch from others.
    mark: u128,
    /// By row: it is there, or refused.
    settled: Vec<bool>,
    refused: Vec<usize>,
    reason: String,
}

impl Progress {
    /// What became of this batch's rows; of none yet, where another batch came before.
    pub fn of(&self, batch: &Batch) -> MutexGuard<'_, Settled> {
        let mut settled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mark = mark(batch);
        if settled.mark != mark || settled.settled.len() != batch.rows.len() {
            *settled = Settled { mark, settled: vec![false; batch.rows.len()], ..Settled::default() };
        }
        settled
    }
}

impl Settled {
    /// Whether nothing is to be done for the row at this place any more.
    pub fn is_settled(&self, row: usize) -> bool {
        self.settled.get(row).copied().unwrap_or(false)
    }

    /// These are there.
    pub fn settle(&mut self, rows: impl IntoIterator<Item = usize>) {
        rows.into_iter().for_each(|row| self.settled[row] = true);
    }

    /// These are refused for good.
    pub fn refuse(&mut self, rows: impl IntoIterator<Item = usize>, reason: &str) {
        for row in rows {
            self.settled[row] = true;
            self.refused.push(row);
        }
        reason.clone_into(&mut self.reason);
    }

    /// What the pipeline is told when every row is settled.
    ///
    /// # Errors
    /// [`OutputError::Refused`] and [`OutputError::RefusedRows`].
    pub fn finish(&mut self) -> Result<(), OutputError> {
        let Settled { settled, mut refused, reason, .. } = std::mem::take(self);
        refused.sort_unstable();
        match refused.len() {
            0 => Ok(()),
            all if all == settled.len() => Err(OutputError::Refused(reason)),
            _ => Err(OutputError::RefusedRows { reason, rows: refused }),
        }
    }
}

/// What tells a batch from another one.
fn mark(batch: &Batch) -> u128 {
    let first = batch.rows.first().map_or(0, |row| row.offset);
    let last = batch.rows.last().map_or(0, |row| row.offset);
    let mut facts = batch.source.id.0.to_le_bytes().to_vec();
    for number in [u64::from(batch.epoch), first, last, batch.rows.len() as u64] {
        facts.extend_from_slice(&number.to_le_bytes());
    }
    xxhash_rust::xxh3::xxh3_128(&facts)
}

#[derive(Default)]
struct State {
    cursor: Lsn,
    known: HashMap<SourceId, KnownSource>,
}

#[derive(Default)]
struct Held(Mutex<State>);

impl Held {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The batch was handed on.
    fn passed(&self, batch: &Batch, origin: Origin) {
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
    fn reached(&self, next: Lsn) {
        self.state().cursor = next;
    }
}

#[cfg(test)]
mod tests {
    use sawlog_model::Position;

    use super::*;

    struct Answers(fn() -> Result<(), OutputError>);

    impl HandOn for Answers {
        fn hand_on(&self, _batch: &Batch) -> Result<(), OutputError> {
            (self.0)()
        }
    }

    #[test]
    fn what_was_handed_on_is_held() {
        let (output, batch) = (AtOnce::new(&"o".into(), Answers(|| Ok(()))), Arc::new(Batch::default()));
        let position = Position { epoch: 1, offset: 7, ..Position::default() };
        output.take(batch.clone(), Origin::Replayable(position)).unwrap();
        assert_eq!((output.committed(batch.source.id), output.cursor()), (Some((1, 7)), Lsn(0)));
        output.take(batch, Origin::Journal { at: Lsn(1), next: Lsn(9), position: None }).unwrap();
        assert_eq!((output.cursor(), output.known_sources().len()), (Lsn(9), 1));
        output.journaled(Tenant::DEFAULT, Lsn(9), Lsn(12));
        assert_eq!((output.cursor(), output.keeps_positions(), output.name()), (Lsn(12), false, "o"));
    }

    #[test]
    fn later_moves_nothing_and_refused_goes_on() {
        let origin = || Origin::Journal { at: Lsn(1), next: Lsn(9), position: None };
        let later = AtOnce::new(&"o".into(), Answers(|| Err(OutputError::Later(String::new()))));
        assert!(later.take(Arc::default(), origin()).is_err());
        assert_eq!(later.cursor(), Lsn(0));
        let refused = AtOnce::new(&"o".into(), Answers(|| Err(OutputError::Refused(String::new()))));
        assert!(refused.take(Arc::default(), origin()).is_err());
        assert_eq!(refused.cursor(), Lsn(9));
        let position = Position { epoch: 1, offset: 7, ..Position::default() };
        assert!(refused.take(Arc::default(), Origin::Replayable(position)).is_err());
        assert!(refused.known_sources().is_empty(), "a file's rows come again, by the journal");
    }
}
