//! The memory of one question, as the engine asks for it: a leaf of the store's budget. What cannot be had there makes an
//! operator spill, or stops the question with words that name the limit and the remedy.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::AsArray;
use arrow::record_batch::RecordBatch;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use sawlog_store::{Held, Memory, Spill};

use crate::QueryError;

/// Of what all questions may hold, one may hold so much: another one finds something at any time.
const OF_ONE: (u64, u64) = (3, 4);
/// What the engine calls those who merge what a sort has spilled; each of its threads has one.
const MERGE_OF_SPILLED: &str = "ExternalSorterMerge";
/// What it calls the one who merges what the threads have sorted.
const LAST_MERGE: &str = "SortPreservingMergeExec";
/// Of what a question may hold, this part is left to operators that cannot spill, and is the most that the merge of what a
/// sort has spilled may hold.
const OF_FIXED: u64 = 3;

/// What one question may hold.
#[derive(Debug)]
pub(crate) struct Pool {
    share: Memory,
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    held: Held,
    /// Bytes of operators that cannot spill.
    fixed: u64,
    /// Operators that can.
    spilling: u64,
}

impl Pool {
    /// That of a question among those that share `all`.
    pub(crate) fn new(all: &Memory) -> Arc<Pool> {
        let share = all.share("a question", all.most() / OF_ONE.1 * OF_ONE.0, 0);
        let now = Now { held: share.hold(), fixed: 0, spilling: 0 };
        Arc::new(Pool { share, now: Mutex::new(now) })
    }

    /// Bytes that it may hold.
    pub(crate) fn most(&self) -> u64 {
        self.share.most()
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory of a question: {} bytes", self.share.most())
    }
}

impl MemoryPool for Pool {
    fn name(&self) -> &str {
        "a question"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.now().spilling += u64::from(consumer.can_spill());
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.now().spilling -= u64::from(consumer.can_spill());
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        if is_counted_elsewhere(reservation) {
            return;
        }
        let mut now = self.now();
        let bytes = now.held.bytes() + additional as u64;
        now.held.resize(bytes);
        if !reservation.consumer().can_spill() {
            now.fixed += additional as u64;
        }
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        if is_counted_elsewhere(reservation) {
            return;
        }
        let mut now = self.now();
        let bytes = now.held.bytes().saturating_sub(shrink as u64);
        now.held.resize(bytes);
        if !reservation.consumer().can_spill() {
            now.fixed = now.fixed.saturating_sub(shrink as u64);
        }
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if is_counted_elsewhere(reservation) {
            return Ok(());
        }
        let mut now = self.now();
        let additional = additional as u64;
        let exhausted = |words: String| DataFusionError::ResourcesExhausted(words);
        if reservation.consumer().can_spill() {
            // Those that can spill get equal parts of what those that cannot leave, of which a part is always left to them:
            // one that took all would leave the next nothing to spill or to merge with.
            let most = self.share.most();
            let part = most.saturating_sub(now.fixed.max(most / OF_FIXED)) / now.spilling.max(1);
            if reservation.size() as u64 + additional > part {
                return Err(exhausted(format!("{} may hold {part} bytes", reservation.consumer().name())));
            }
        }
        let bytes = now.held.bytes() + additional;
        // The merge of what was spilled takes what it can get, and does with two streams at a time where that is little; the
        // merge behind it does not.
        let part = self.share.most() / OF_FIXED;
        if reservation.consumer().name().starts_with(MERGE_OF_SPILLED)
            && reservation.size() as u64 + additional > part
        {
            return Err(exhausted(format!("{} may hold {part} bytes", reservation.consumer().name())));
        }
        now.held.try_resize(bytes).map_err(|full| exhausted(full.to_string()))?;
        if !reservation.consumer().can_spill() {
            now.fixed += additional;
        }
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.now().held.bytes() as usize
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.share.most() as usize)
    }
}

/// Whether what is reserved is held by others: the last merge has a few batches of each thread, which share their text with
/// what the threads hold, and takes each for the whole of that.
fn is_counted_elsewhere(reservation: &MemoryReservation) -> bool {
    reservation.consumer().name().starts_with(LAST_MERGE)
}

/// A batch as ones of at most so many bytes each, as far as rows allow: an operator that has no room for two whole ones could
/// not even begin to spill.
pub(crate) fn pieces(batch: RecordBatch, most: usize) -> Vec<RecordBatch> {
    let parts = batch.get_array_memory_size().div_ceil(most.max(1)).min(batch.num_rows());
    if parts < 2 {
        return vec![batch];
    }
    let rows = batch.num_rows().div_ceil(parts);
    let piece = |from: usize| {
        let piece = batch.slice(from, rows.min(batch.num_rows() - from));
        let columns = piece.columns().iter().map(|column| match column.as_string_view_opt() {
            // Without the text of the other rows, which a slice still has.
            Some(views) => Arc::new(views.gc()),
            None => column.clone(),
        });
        RecordBatch::try_new(piece.schema(), columns.collect()).unwrap_or(piece)
    };
    (0..batch.num_rows()).step_by(rows).map(piece).collect()
}

/// Whether memory or the disk for spilling is why a plan failed.
pub(crate) fn is_exhausted(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => true,
        // A full disk budget comes as an error of the file that is written: only its words tell it apart.
        _ => error.to_string().contains("max_temp_directory_size"),
    }
}

/// What is said where a question needs more than it may have of a share, which has the name of a limit where it is not that of all
/// questions.
pub(crate) fn exhausted(most: u64, share: &Memory, spill: &Spill) -> QueryError {
    let on_disk = match spill.most {
        0 => "nothing on disk, since store.spill is 0".to_owned(),
        bytes => format!("{} on disk with all others (store.spill)", size(bytes)),
    };
    QueryError::Budget(format!(
        "this question needs more memory than it may use: {} in memory ({}) and {on_disk}; ask \
         for a shorter time or fewer groups, or put a `limit` behind `sort`",
        size(most),
        if share.name() == "questions" { "its part of store.memory" } else { share.name() }
    ))
}

fn size(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{} KiB", bytes >> 10),
        0x10_0000..0x4000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}
