//! The parts of a store together: the catalogue, the segments that count, the memtables, and the order in which their
//! locks are taken. Knows nothing of how rows are written, merged or read; the modules that do are `impl Engine` too.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sawlog_model::{KnownSource, Nanos, SourceId, Tenant};
use sawlog_sys::{Lock, Sys};

use crate::catalogue::{Catalogue, Change, SegmentEntry, StoredSource};
use crate::handle::{Handle, SEGMENT_DIGITS, Shelf};
use crate::memtable::Memtable;
use crate::shares::{self, Shares, Spill};
use crate::{Options, StoreError, Written};

/// How long a file stays after the last commit that named it: another process may be about to open it.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// Segments by tenant; a scan holds the list it began with.
pub(crate) type Segments = BTreeMap<Tenant, Arc<Vec<Arc<Handle>>>>;

/// What scans pin, under one lock.
pub(crate) struct Live {
    /// Segments that count.
    pub segments: Segments,
    /// Rows that are in none.
    pub memtable: Memtable,
}

/// A file that no manifest names any more.
pub(crate) struct Dead {
    /// The segment.
    pub handle: Arc<Handle>,
    /// Since when, on the monotonic clock.
    pub since: Duration,
}

/// A store. Locks are taken in the order of the fields that hold them.
pub(crate) struct Engine {
    pub sys: Sys,
    pub options: Options,
    pub shelf: Arc<Shelf>,
    pub shares: Shares,
    /// One compaction or retention run at a time; holds when, on the monotonic clock, the next merge may be tried.
    pub merging: Mutex<Duration>,
    /// One flush at a time.
    pub flushing: Mutex<()>,
    pub catalogue: Mutex<Catalogue>,
    pub live: Mutex<Live>,
    /// Signals that memtables are half full.
    pub filled: Condvar,
    pub dead: Mutex<Vec<Dead>>,
    pub next_segment: AtomicU64,
    /// What flushes wrote, and what was written anew.
    pub written: Mutex<(Written, Written)>,
    /// Bytes that segments of single tenants may take, where it is not what holds for all.
    pub tenant_sizes: Mutex<HashMap<Tenant, u64>>,
    /// Wall clock and monotonic clock at the start: they tell a jump of the former.
    pub started: (Nanos, Duration),
    _lock: Option<Box<dyn Lock>>,
}

/// Locks a mutex. A panic elsewhere leaves no half-made state behind that another thread could not go on from: every
/// change under these locks is a single step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    pub fn open(sys: &Sys, dir: &Path, options: Options) -> Result<Engine, StoreError> {
        let manifests = dir.join("catalogue");
        let mut held = None;
        if options.read_only {
            sys.fs.metadata(dir).map_err(|error| StoreError::io(dir, error))?;
        } else {
            sys.fs.create_dir_all(&manifests).map_err(|error| StoreError::io(&manifests, error))?;
            let path = dir.join("store.lock");
            held = sys.fs.lock(&path).map_err(|error| StoreError::io(&path, error))?;
            if held.is_none() {
                return Err(StoreError::Locked(dir.display().to_string()));
            }
        }
        let loaded = Catalogue::load(sys, &manifests)?;
        let mut catalogue = loaded.catalogue;
        let options = shares::fitting(options);
        let shares = Shares::new(&options);
        let shelf = Shelf::new(sys, dir, &options, &shares.blocks);
        if !options.read_only {
            shares::clear(sys, dir)?;
            catalogue.begin_writing();
            tidy(&shelf, &catalogue, !loaded.damage.is_empty())?;
        }
        loaded.damage.into_iter().for_each(|error| shelf.report(error));
        let state = catalogue.state();
        let live = Live {
            segments: arrange(&shelf, state.segments.values()),
            memtable: Memtable::new(state, shares.rows.hold()),
        };
        let next_segment = AtomicU64::new(state.next_segment);
        Ok(Engine {
            sys: sys.clone(),
            options,
            shelf,
            shares,
            merging: Mutex::default(),
            flushing: Mutex::new(()),
            catalogue: Mutex::new(catalogue),
            live: Mutex::new(live),
            filled: Condvar::new(),
            dead: Mutex::new(Vec::new()),
            next_segment,
            written: Mutex::default(),
            tenant_sizes: Mutex::default(),
            started: (sys.clock.now(), sys.clock.monotonic()),
            _lock: held,
        })
    }

    /// Bytes of rows that may be in memory now. While segments are merged it is half: what a merge holds is as much again, and a flush
    /// beside it comes on top of both.
    pub fn rows_budget(&self) -> usize {
        let budget = self.options.memtable_bytes;
        if self.shares.compaction.held() > 0 { budget / 2 } else { budget }
    }

    /// Commits `change`, whose added segments are `added`, and makes it visible to scans together with what `install`
    /// does to the memtable.
    pub fn commit(
        &self,
        mut change: Change,
        added: Vec<Arc<Handle>>,
        install: impl FnOnce(&mut Memtable),
    ) -> Result<(), StoreError> {
        let mut catalogue = lock(&self.catalogue);
        let entries = &catalogue.state().segments;
        let removed_of: HashSet<Tenant> = change
            .removed
            .iter()
            .filter_map(|number| entries.get(number))
            .map(|entry| entry.tenant)
            .collect();
        change.added = added.iter().map(|handle| handle.entry).collect();
        change.next_segment = self.next_segment.load(Ordering::SeqCst);
        if let Err(error) = catalogue.commit(&change) {
            // The change may still be found at the next start: its files stay until a later commit is durable.
            drop(catalogue);
            self.bury(added);
            return Err(error);
        }
        let mut gone = Vec::new();
        {
            let mut live = lock(&self.live);
            let removed: HashSet<u64> = change.removed.iter().copied().collect();
            for tenant in &removed_of {
                let Some(list) = live.segments.get_mut(tenant) else { continue };
                let (out, stay): (Vec<_>, Vec<_>) =
                    list.iter().cloned().partition(|handle| removed.contains(&handle.entry.number));
                *list = Arc::new(stay);
                gone.extend(out);
            }
            for handle in added {
                let list = live.segments.entry(handle.entry.tenant).or_default();
                Arc::make_mut(list).push(handle);
            }
            for tenant in removed_of {
                if live.segments.get(&tenant).is_some_and(|list| list.is_empty()) {
                    live.segments.remove(&tenant);
                }
            }
            install(&mut live.memtable);
        }
        drop(catalogue);
        self.bury(gone);
        Ok(())
    }

    /// Bytes that segments of single tenants may take, where that is not what holds for all.
    pub fn set_tenant_sizes(&self, sizes: HashMap<Tenant, u64>) {
        *lock(&self.tenant_sizes) = sizes;
    }

    /// Hands files over to be removed some time.
    fn bury(&self, handles: Vec<Arc<Handle>>) {
        let since = self.sys.clock.monotonic();
        lock(&self.dead).extend(handles.into_iter().map(|handle| Dead { handle, since }));
    }

    /// Removes files that no manifest names, that no scan holds and whose grace has passed; of `which`, grace or not.
    pub fn remove_dead(&self, which: impl Fn(&SegmentEntry) -> bool) -> bool {
        // After a commit that may or may not be durable, the files it names wait for one that is.
        if lock(&self.catalogue).is_unsettled() {
            return false;
        }
        let now = self.sys.clock.monotonic();
        let mut dead = lock(&self.dead);
        let before = dead.len();
        dead.retain(|dead| {
            let waits = Arc::strong_count(&dead.handle) > 1
                || !which(&dead.handle.entry) && now.saturating_sub(dead.since) < GRACE;
            waits
                || self
                    .sys
                    .fs
                    .unlink(&dead.handle.path())
                    .is_err_and(|e| e.kind() != std::io::ErrorKind::NotFound)
        });
        dead.len() < before
    }

    pub fn sources(&self) -> Vec<KnownSource> {
        lock(&self.catalogue).state().sources.values().map(StoredSource::known).collect()
    }

    /// The committed mark of one source.
    pub fn committed(&self, source: SourceId) -> Option<(u32, u64)> {
        lock(&self.catalogue).state().sources.get(&source).map(|stored| stored.mark)
    }

    /// Where questions put what they cannot hold in memory.
    pub fn spill(&self) -> Spill {
        let dir = (!self.options.read_only).then(|| shares::spill_dir(&self.shelf.dir));
        Spill { dir, most: self.options.spill_bytes }
    }

    /// Rows older than this are not shown.
    pub fn horizon(&self) -> Nanos {
        match self.options.retention {
            0 => Nanos::MIN,
            age => self.sys.clock.now().saturating_sub(age),
        }
    }

    /// Where the store was opened read only: takes in what the writer has committed since.
    pub fn refresh(&self) -> Result<(), StoreError> {
        if !self.options.read_only {
            return Ok(());
        }
        let mut catalogue = lock(&self.catalogue);
        if !catalogue.is_behind()? {
            return Ok(());
        }
        let loaded = Catalogue::load(&self.sys, &self.shelf.dir.join("catalogue"))?;
        *catalogue = loaded.catalogue;
        let mut live = lock(&self.live);
        let open: BTreeMap<u64, Arc<Handle>> = live
            .segments
            .values()
            .flat_map(|list| list.iter())
            .map(|h| (h.entry.number, h.clone()))
            .collect();
        let mut segments = Segments::new();
        for entry in catalogue.state().segments.values() {
            let handle =
                open.get(&entry.number).cloned().unwrap_or_else(|| Handle::closed(&self.shelf, *entry));
            Arc::make_mut(segments.entry(entry.tenant).or_default()).push(handle);
        }
        live.segments = segments;
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if !self.options.read_only {
            self.remove_dead(|_| true);
            // What cannot be removed now is at the next start.
            let _ = shares::clear(&self.sys, &self.shelf.dir);
        }
    }
}

/// Handles of these segments, by tenant.
fn arrange<'a>(
    shelf: &Arc<Shelf>,
    entries: impl Iterator<Item = &'a crate::catalogue::SegmentEntry>,
) -> Segments {
    let mut segments = Segments::new();
    for entry in entries {
        Arc::make_mut(segments.entry(entry.tenant).or_default()).push(Handle::closed(shelf, *entry));
    }
    segments
}

/// Removes segment files that no manifest names: a crash left them. Where a manifest is damaged they may be all there
/// is of a commit, so they are set aside for people to look at.
fn tidy(shelf: &Shelf, catalogue: &Catalogue, damaged: bool) -> Result<(), StoreError> {
    let fs = &shelf.sys.fs;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| StoreError::io(&path, error)
    };
    let segments = &catalogue.state().segments;
    for dir in fs.list(&shelf.dir).map_err(failed(&shelf.dir))? {
        let Some(tenant) = tenant_of(&dir.path).filter(|_| dir.is_dir) else { continue };
        for file in fs.list(&dir.path).map_err(failed(&dir.path))? {
            let Some(number) = number_of(&file.path) else { continue };
            if number.is_some_and(|number| segments.get(&number).is_some_and(|known| known.tenant == tenant))
            {
                continue;
            }
            if !damaged {
                fs.unlink(&file.path).map_err(failed(&file.path))?;
                continue;
            }
            let aside = shelf.dir.join("quarantine").join(dir.path.file_name().unwrap_or_default());
            fs.create_dir_all(&aside).map_err(failed(&aside))?;
            let to = aside.join(file.path.file_name().unwrap_or_default());
            fs.rename(&file.path, &to).map_err(failed(&to))?;
            shelf.report(StoreError::damaged(&to, "no manifest that can be read names it; it was set aside"));
        }
    }
    Ok(())
}

/// The tenant whose directory it is.
fn tenant_of(path: &Path) -> Option<Tenant> {
    let name = path.file_name()?.to_str()?;
    name.strip_prefix('t')?.parse().ok().map(Tenant)
}

/// The number in the name of a segment's file: none in that of another file, and `Some(None)` where it has no number.
fn number_of(path: &Path) -> Option<Option<u64>> {
    let name = path.file_name()?.to_str()?.strip_suffix(".seg")?;
    Some((name.len() == SEGMENT_DIGITS).then(|| name.parse().ok()).flatten())
}
