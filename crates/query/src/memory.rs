//! The memory of one question, as the engine asks for it: a leaf of the store's budget. What cannot be had there makes an
//! operator spill, or stops the question with words that name the limit and the remedy.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use arrow::array::AsArray;
use arrow::record_batch::RecordBatch;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use futures::task::AtomicWaker;
use sawlog_store::{Held, Memory, Spill};

use crate::QueryError;

/// Of what all questions may hold, one may hold so much: another one finds something at any time.
const OF_ONE: (u64, u64) = (3, 4);
/// What the engine calls those who merge what a sort has spilled; each of its threads has one.
const MERGE_OF_SPILLED: &str = "ExternalSorterMerge";
/// What it calls the one who merges what the threads have sorted.
const LAST_MERGE: &str = "SortPreservingMergeExec";
/// What it calls those who hand rows from one thread to the others.
const BETWEEN_THREADS: &str = "RepartitionExec[";
/// For each of its threads what a question may hold may wait so many times between them. Twice was seen where two have equal
/// parts of the rows.
const BETWEEN_OF_THREAD: u64 = 4;
/// Of what a question may hold, this part is left to operators that cannot spill, and is the most that the merge of what a
/// sort has spilled may hold.
const OF_FIXED: u64 = 3;

/// What one question may hold.
#[derive(Debug)]
pub(crate) struct Pool {
    share: Memory,
    /// How many times what it may hold may wait between threads, as these are counted.
    between_most: u64,
    now: Mutex<Now>,
    /// Who hears that too much waits between threads.
    stopped: AtomicWaker,
}

#[derive(Debug)]
struct Now {
    held: Held,
    /// Bytes of operators that cannot spill.
    fixed: u64,
    /// Operators that can.
    spilling: u64,
    /// Bytes that wait between threads.
    between: u64,
    /// Whether these were more than there is room for.
    over: bool,
}

impl Pool {
    /// That of a question with so many threads among those that share `all`.
    pub(crate) fn new(all: &Memory, threads: usize) -> Arc<Pool> {
        let share = all.share("a question", all.most() / OF_ONE.1 * OF_ONE.0, 0);
        let now = Now { held: share.hold(), fixed: 0, spilling: 0, between: 0, over: false };
        let between_most = BETWEEN_OF_THREAD * threads as u64;
        Arc::new(Pool { share, between_most, now: Mutex::new(now), stopped: AtomicWaker::new() })
    }

    /// Bytes that it may hold.
    pub(crate) fn most(&self) -> u64 {
        self.share.most()
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The batches of the question that has this memory; an error, and nothing more, once too much waits between its threads.
    pub(crate) fn bound(
        self: Arc<Pool>,
        batches: SendableRecordBatchStream,
    ) -> BoxStream<'static, Result<RecordBatch>> {
        let mut batches = Some(batches);
        let next = move |context: &mut Context<'_>| {
            let Some(running) = &mut batches else { return Poll::Ready(None) };
            self.stopped.register(context.waker());
            if self.now().over {
                batches = None;
                let words = "too much waits between the threads of a question".to_owned();
                return Poll::Ready(Some(Err(DataFusionError::ResourcesExhausted(words))));
            }
            running.poll_next_unpin(context)
        };
        stream::poll_fn(next).boxed()
    }

    /// What waits between threads is never refused, as it would be spilled then: in the engine's release 55 threads that do
    /// so at the same time may wait for each other for ever (apache/datafusion#24883). It is not counted as held either: a
    /// thread that is ahead waits, and the few batches there are share their text with what others hold, while each is taken
    /// for the whole of that. Where one thread gets nearly all rows they are many, and the question is stopped.
    fn pass_on(&self, now: &mut Now, additional: u64) {
        now.between += additional;
        if now.between > self.share.most().saturating_mul(self.between_most) && !now.over {
            now.over = true;
            self.stopped.wake();
        }
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
        self.now().spilling += u64::from(spills(consumer));
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.now().spilling -= u64::from(spills(consumer));
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        if is_counted_elsewhere(reservation) {
            return;
        }
        let mut now = self.now();
        if is_between(reservation.consumer()) {
            return self.pass_on(&mut now, additional as u64);
        }
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
        if is_between(reservation.consumer()) {
            now.between = now.between.saturating_sub(shrink as u64);
            return;
        }
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
        if is_between(reservation.consumer()) {
            self.pass_on(&mut now, additional);
            return Ok(());
        }
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

/// Whether it hands rows from one thread to the others.
fn is_between(consumer: &MemoryConsumer) -> bool {
    consumer.can_spill() && consumer.name().starts_with(BETWEEN_THREADS)
}

/// Whether it spills where it is refused memory, as those between threads are not.
fn spills(consumer: &MemoryConsumer) -> bool {
    consumer.can_spill() && !is_between(consumer)
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
