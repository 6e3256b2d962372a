//! A segment that counts: its entry in the catalogue, and the open file once somebody needed it. Also keeps the list of
//! what was found damaged. Knows nothing of what is in a segment.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sawlog_model::Tenant;
use sawlog_sys::{Open, Sys};

use crate::catalogue::SegmentEntry;
use crate::segment::{Cache, Segment};
use crate::{Memory, Options, StoreError};

/// What segments of a store share.
pub(crate) struct Shelf {
    pub sys: Sys,
    pub dir: PathBuf,
    pub cache: Arc<Cache>,
    damage: Mutex<Vec<StoreError>>,
    /// Segments that are open, those opened first in front.
    open: Mutex<VecDeque<Weak<Handle>>>,
    most_open: usize,
}

/// Digits of the number that names a segment's file.
pub(crate) const SEGMENT_DIGITS: usize = 20;
/// Most damaged things that are listed; the rest is counted by nobody, the list is for people.
const DAMAGE_LISTED: usize = 1000;

impl Shelf {
    pub fn new(sys: &Sys, dir: &Path, options: &Options, blocks: &Memory) -> Arc<Shelf> {
        let cache = match options.one_question {
            true => Cache::for_one_question(options.cache_bytes),
            false => Cache::new(options.cache_bytes),
        };
        Arc::new(Shelf {
            sys: sys.clone(),
            dir: dir.to_owned(),
            cache: Arc::new(cache.counted(blocks)),
            damage: Mutex::new(Vec::new()),
            open: Mutex::default(),
            // Without the directory's lock, an open file is what keeps it from being gone.
            most_open: if options.read_only { usize::MAX } else { options.open_segments.max(1) },
        })
    }

    /// Segments that are open.
    pub fn open_segments(&self) -> usize {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.iter().filter_map(Weak::upgrade).filter(|handle| handle.is_open()).count()
    }

    /// Counts a segment as open, and closes one that was not used for long where there are too many. Scans that read it have
    /// it open on their own.
    fn opened(&self, handle: &Arc<Handle>) {
        if self.most_open == usize::MAX {
            return;
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.push_back(Arc::downgrade(handle));
        while open.len() > self.most_open {
            let Some(oldest) = open.pop_front() else { break };
            let Some(oldest) = oldest.upgrade() else { continue };
            // What was used since it was looked at last may stay for one more round.
            if oldest.used.swap(false, Ordering::Relaxed) && !Arc::ptr_eq(&oldest, handle) {
                open.push_back(Arc::downgrade(&oldest));
            } else {
                oldest.close();
            }
        }
    }

    /// Notes damage.
    pub fn report(&self, error: StoreError) {
        let mut damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        if damage.len() < DAMAGE_LISTED {
            damage.push(error);
        }
    }

    /// What was found damaged so far.
    pub fn damage(&self) -> Vec<StoreError> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The directory of a tenant's segments.
    pub fn tenant_dir(&self, tenant: Tenant) -> PathBuf {
        self.dir.join(format!("t{tenant}"))
    }

    /// The file of a segment.
    pub fn path(&self, tenant: Tenant, number: u64) -> PathBuf {
        self.tenant_dir(tenant).join(format!("{number:0width$}.seg", width = SEGMENT_DIGITS))
    }
}

enum State {
    Closed,
    Open(Arc<Segment>),
    Damaged,
}

/// A segment of the store.
pub(crate) struct Handle {
    /// What the catalogue says of it.
    pub entry: SegmentEntry,
    shelf: Arc<Shelf>,
    state: Mutex<State>,
    used: AtomicBool,
}

impl Handle {
    /// One that is opened when it is needed.
    pub fn closed(shelf: &Arc<Shelf>, entry: SegmentEntry) -> Arc<Handle> {
        Handle::new(shelf, entry, State::Closed)
    }

    /// One that is open.
    pub fn open(shelf: &Arc<Shelf>, entry: SegmentEntry, segment: Arc<Segment>) -> Arc<Handle> {
        let handle = Handle::new(shelf, entry, State::Open(segment));
        shelf.opened(&handle);
        handle
    }

    fn new(shelf: &Arc<Shelf>, entry: SegmentEntry, state: State) -> Arc<Handle> {
        Arc::new(Handle {
            entry,
            shelf: shelf.clone(),
            state: Mutex::new(state),
            used: AtomicBool::new(false),
        })
    }

    /// Its file.
    pub fn path(&self) -> PathBuf {
        self.shelf.path(self.entry.tenant, self.entry.number)
    }

    /// The open segment; `None` where it is damaged, which was then reported.
    ///
    /// # Errors
    /// [`StoreError::Io`] where the disk failed in a way that may pass.
    pub fn segment(self: &Arc<Self>) -> Result<Option<Arc<Segment>>, StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Open(segment) => {
                self.used.store(true, Ordering::Relaxed);
                return Ok(Some(segment.clone()));
            }
            State::Damaged => return Ok(None),
            State::Closed => {}
        }
        match open_segment(&self.shelf, &self.path(), &self.entry, &self.shelf.cache) {
            Ok(segment) => {
                *state = State::Open(segment.clone());
                // Others are closed without a lock on this one.
                drop(state);
                self.shelf.opened(self);
                Ok(Some(segment))
            }
            Err(error) if error.is_damage() => {
                *state = State::Damaged;
                self.shelf.report(error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Opens the file once more, with a cache of its own.
    ///
    /// # Errors
    /// As the disk says, and [`StoreError::Damaged`].
    pub fn open_beside(&self, cache: &Arc<Cache>) -> Result<Arc<Segment>, StoreError> {
        open_segment(&self.shelf, &self.path(), &self.entry, cache)
    }

    fn is_open(&self) -> bool {
        matches!(*self.state.lock().unwrap_or_else(PoisonError::into_inner), State::Open(_))
    }

    /// Gives the open file up; it is opened again when it is needed.
    fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Open(_) = *state {
            *state = State::Closed;
        }
    }

    /// Whether its file is known to be damaged.
    pub fn is_damaged(&self) -> bool {
        matches!(*self.state.lock().unwrap_or_else(PoisonError::into_inner), State::Damaged)
    }

    /// Takes an error that reading gave: where the file is at fault, it is reported and not read again (`Ok`).
    ///
    /// # Errors
    /// The error itself where it may pass.
    pub fn quarantine(&self, error: StoreError) -> Result<(), StoreError> {
        if !error.is_damage() {
            return Err(error);
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*state, State::Damaged) {
            *state = State::Damaged;
            self.shelf.report(error);
        }
        Ok(())
    }
}

/// Opens a segment's file, what is read of which is kept in `cache`, and compares it with its entry.
pub(crate) fn open_segment(
    shelf: &Shelf,
    path: &Path,
    entry: &SegmentEntry,
    cache: &Arc<Cache>,
) -> Result<Arc<Segment>, StoreError> {
    let file = shelf.sys.fs.open(path, Open::Read).map_err(|error| StoreError::io(path, error))?;
    let segment = Segment::open(Arc::from(file), &path.display().to_string(), cache.clone())?;
    let meta = segment.meta();
    if (meta.tenant, meta.rows, meta.raw_bytes) != (entry.tenant, entry.rows, entry.raw_bytes) {
        return Err(StoreError::damaged(path, "it is not the segment that the catalogue names"));
    }
    Ok(Arc::new(segment))
}
