//! Who shares the memory of a store, and the directory for what questions cannot hold in theirs. Knows nothing of what
//! each does with it.

use std::path::{Path, PathBuf};

use sawlog_sys::Sys;

use crate::memory::{Memory, Usage};
use crate::{Options, StoreError};

/// The memory of a store by who may hold it. Rows and blocks have theirs whatever happens; compaction and questions share
/// what is left, and wait, spill or stop where it is not enough.
#[derive(Clone, Debug)]
pub struct Shares {
    /// All of it.
    pub all: Memory,
    /// Rows that are not in segments yet.
    pub rows: Memory,
    /// Decoded blocks that are kept for further questions.
    pub blocks: Memory,
    /// What compaction has decoded and not written.
    pub compaction: Memory,
    /// What questions hold.
    pub questions: Memory,
}

impl Shares {
    pub(crate) fn new(options: &Options) -> Shares {
        let all = Memory::new("the store (store.memory)", options.memory);
        let (rows, blocks) = (options.memtable_bytes as u64, options.cache_bytes as u64);
        let rest = options.memory.saturating_sub(rows + blocks);
        Shares {
            rows: all.share("rows", rows, rows),
            blocks: all.share("blocks", blocks, blocks),
            compaction: all.share("compaction", rest, 0),
            questions: all.share("questions", rest, 0),
            all,
        }
    }

    /// How much each holds.
    pub fn usage(&self) -> [Usage; 4] {
        [&self.rows, &self.blocks, &self.compaction, &self.questions].map(Usage::from)
    }
}

/// Sizes that fit into the memory.
pub(crate) fn fitting(mut options: Options) -> Options {
    options.memtable_bytes = options.memtable_bytes.min((options.memory / 2) as usize);
    options.cache_bytes = options.cache_bytes.min((options.memory / 4) as usize);
    options
}

/// Where questions put what they cannot hold in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spill {
    /// The directory, emptied when the store is opened and when it is closed; none where nothing may be written to the
    /// store's.
    pub dir: Option<PathBuf>,
    /// Bytes that all questions together may have there; 0: none.
    pub most: u64,
}

/// The directory for that in a store's.
pub(crate) fn spill_dir(dir: &Path) -> PathBuf {
    dir.join("spill")
}

/// Removes what a process that was killed left there.
pub(crate) fn clear(sys: &Sys, dir: &Path) -> Result<(), StoreError> {
    let dir = spill_dir(dir);
    match sys.fs.metadata(&dir) {
        Ok(_) => remove(sys, &dir),
        Err(_) => Ok(()),
    }
}

fn remove(sys: &Sys, dir: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::io(dir, error);
    for entry in sys.fs.list(dir).map_err(failed)? {
        match entry.is_dir {
            true => remove(sys, &entry.path)?,
            false => sys.fs.unlink(&entry.path).map_err(failed)?,
        }
    }
    sys.fs.remove_dir(dir).map_err(failed)
}
