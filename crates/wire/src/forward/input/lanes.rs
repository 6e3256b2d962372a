//! Rows of another sawlog: they keep their addresses, and each source has a mark up to which all of it is here. Knows
//! nothing of connections; two of them may bring the same source.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use sawlog_model::{Batch, KnownSource, Position, SourceId};
use sawlog_pipeline::Intake;
use tokio::sync::Mutex;

use super::connection::{Fault, fault};

/// Epoch and offset.
type Mark = (u32, u64);

/// A batch of a lane as it came.
pub(super) struct Placed {
    /// Rows with their addresses.
    pub batch: Batch,
    /// Where the source stood before the batch, where the sender knows.
    pub from: Option<Mark>,
    /// Where it stands after it.
    pub to: Mark,
    /// The bytes that the batch was read from, but for its tenant.
    pub encoded: Bytes,
}

/// The marks of all sources. They are persisted with the rows: at the start they come from the pipeline.
pub(super) struct Lanes(std::sync::Mutex<HashMap<SourceId, Arc<Mutex<Option<Mark>>>>>);

/// What is to be done with a batch.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// All of it is new.
    Take,
    /// It is here already.
    Drop,
    /// Only rows from this offset on are new.
    From(u64),
    /// Rows before it are missing.
    Gap,
}

/// Where a batch stands to a mark.
fn judge(mark: Option<Mark>, from: Option<Mark>, to: Mark, first: Mark) -> Verdict {
    let Some(mark) = mark else { return Verdict::Take };
    if to <= mark {
        return Verdict::Drop;
    }
    if first < mark && first.0 == mark.0 {
        return Verdict::From(mark.1);
    }
    match from {
        Some(from) if from > mark && from.0 == mark.0 => Verdict::Gap,
        _ => Verdict::Take,
    }
}

impl Lanes {
    /// The marks of sources that are known.
    pub(super) fn new(known: &[KnownSource]) -> Self {
        let mark = |known: &KnownSource| Arc::new(Mutex::new(Some(known.position.mark())));
        Lanes(std::sync::Mutex::new(known.iter().map(|known| (known.source.id, mark(known))).collect()))
    }

    /// Delivers what is new of the batches, by one call, and moves the marks. Batches of one source stand in its order.
    ///
    /// # Errors
    /// [`Fault`] where they cannot be delivered, or rows before one are missing; nothing was taken then.
    pub(super) async fn take(&self, placed: Vec<Placed>, intake: &Intake) -> Result<(), Fault> {
        // Held over the delivery: another connection with the same rows waits, and then finds them here. Locked in the
        // order of the ids, so that no two wait for each other.
        let mut marks = BTreeMap::new();
        for source in placed.iter().map(|placed| placed.batch.source.id).collect::<BTreeSet<_>>() {
            let mark = lock(&self.0).entry(source).or_default().clone();
            marks.insert(source, mark.lock_owned().await);
        }
        let mut moved = HashMap::new();
        let mut batches = Vec::new();
        for Placed { mut batch, from, to, encoded } in placed {
            let source = batch.source.id;
            let mark = moved.get(&source).copied().or_else(|| *marks[&source]);
            let first = (batch.epoch, batch.rows.first().map_or(to.1, |row| row.offset));
            let encoded = match judge(mark, from, to, first) {
                Verdict::Drop => continue,
                Verdict::Take => Some(encoded),
                Verdict::From(offset) => {
                    trim(&mut batch, offset);
                    None
                }
                Verdict::Gap => {
                    let name = &batch.source.facts.name;
                    return Err(fault(
                        "gap",
                        format!("rows of {name} from {mark:?} to {from:?} are missing"),
                    ));
                }
            };
            moved.insert(source, to);
            batches.push((batch, Position { epoch: to.0, offset: to.1, ..Position::default() }, encoded));
        }
        intake.submit_encoded(batches).await.map_err(|error| fault("delivery", error))?;
        for (source, to) in moved {
            if let Some(mark) = marks.get_mut(&source) {
                **mark = Some(to);
            }
        }
        Ok(())
    }
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the rows below `offset`.
fn trim(batch: &mut Batch, offset: u64) {
    let rows = batch.rows.iter().take_while(|row| row.offset < offset).count();
    let slots = rows.checked_sub(1).map_or(0, |last| batch.rows[last].slots_end);
    batch.rows.drain(..rows);
    batch.slots.drain(..slots as usize);
    batch.rows.iter_mut().for_each(|row| row.slots_end -= slots);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_judged_by_the_mark() {
        let judge = |mark, from, to| judge(mark, from, to, from.unwrap_or((to.0, to.1 - 1)));
        assert_eq!(judge(None, Some((0, 50)), (0, 60)), Verdict::Take, "a new source may begin anywhere");
        let mark = Some((1, 100));
        assert_eq!(judge(mark, Some((1, 50)), (1, 100)), Verdict::Drop);
        assert_eq!(judge(mark, Some((0, 500)), (0, 600)), Verdict::Drop, "an older epoch");
        assert_eq!(judge(mark, Some((1, 50)), (1, 150)), Verdict::From(100));
        assert_eq!(judge(mark, Some((1, 100)), (1, 150)), Verdict::Take);
        assert_eq!(judge(mark, Some((1, 101)), (1, 150)), Verdict::Gap);
        assert_eq!(judge(mark, None, (1, 150)), Verdict::Take, "a sender that does not know");
        assert_eq!(judge(mark, Some((2, 0)), (2, 10)), Verdict::Take, "a new epoch");
    }
}
