//! The catalogue: one chain of numbered manifests, each made durable before it is visible and never overwritten. One
//! commit is one manifest, and it is all there is between "not stored" and "stored". Knows nothing of rows, and of
//! segments only their entries.

use std::io;
use std::path::{Path, PathBuf};

use sawlog_model::KnownSource;
use sawlog_sys::{Open, Sys};

pub mod fuzz;
mod manifest;
mod state;
mod stored;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use manifest::FORMAT;
pub(crate) use manifest::{Change, JournalMark, Manifest, SegmentEntry};
pub(crate) use state::State;
pub(crate) use stored::StoredSource;

use crate::StoreError;

/// A manifest that holds everything is written after so many that hold changes: it bounds what a start has to read.
const CHECKPOINT_EVERY: u64 = 64;
/// A reader without lock begins again when files vanish under it, so many times.
const READ_ATTEMPTS: usize = 8;
const DIGITS: usize = 20;

/// The chain, as its one writer or a reader sees it.
pub(crate) struct Catalogue {
    sys: Sys,
    dir: PathBuf,
    /// What is committed.
    state: State,
    /// Highest number that may exist.
    number: u64,
    /// This writer's, or the highest seen.
    epoch: u64,
    /// Manifests since the last checkpoint.
    since_checkpoint: u64,
    /// The next commit must not depend on any before it: one of them is damaged or may not have become durable.
    must_checkpoint: bool,
    unsettled: bool,
    /// Numbers of the last checkpoint, and of files that exist.
    last_checkpoint: u64,
    files: Vec<u64>,
}

/// A catalogue as read from the disk.
pub(crate) struct Loaded {
    /// It.
    pub catalogue: Catalogue,
    /// Manifests that could not be read. Segments may then be in the directories that no manifest names.
    pub damage: Vec<StoreError>,
}

impl Catalogue {
    /// Reads the chain: the newest checkpoint that can be read and all after it.
    ///
    /// # Errors
    /// [`StoreError::Io`], and [`StoreError::Format`] where another version wrote it. Damage is no error.
    pub fn load(sys: &Sys, dir: &Path) -> Result<Loaded, StoreError> {
        let mut attempt = 1;
        loop {
            match Self::load_once(sys, dir) {
                Err(error) if error.is_missing() && attempt < READ_ATTEMPTS => attempt += 1,
                other => return other,
            }
        }
    }

    fn load_once(sys: &Sys, dir: &Path) -> Result<Loaded, StoreError> {
        let files = list(sys, dir)?;
        let mut damage = Vec::new();
        let mut chain: Vec<Manifest> = Vec::new();
        for number in files.iter().rev() {
            let path = dir.join(name(*number));
            let bytes = sys.fs.read(&path).map_err(|error| StoreError::io(&path, error))?;
            match Manifest::decode(&bytes.into(), &path) {
                Ok(manifest) if manifest.number != *number => {
                    damage.push(StoreError::damaged(&path, format!("it is manifest {}", manifest.number)));
                }
                Ok(manifest) => {
                    let is_checkpoint = manifest.checkpoint;
                    chain.push(manifest);
                    if is_checkpoint {
                        break;
                    }
                }
                Err(error @ StoreError::Damaged { .. }) => damage.push(error),
                Err(error) => return Err(error),
            }
        }
        chain.reverse();
        if let Some(first) = chain.first().filter(|first| !first.checkpoint) {
            let path = dir.join(name(first.number.saturating_sub(1)));
            damage.push(StoreError::damaged(&path, "no checkpoint stands before what follows"));
        }
        for pair in chain.windows(2).filter(|pair| pair[0].number + 1 != pair[1].number) {
            let missing = pair[0].number + 1;
            if !files.contains(&missing) {
                damage.push(StoreError::damaged(&dir.join(name(missing)), "it is missing"));
            }
        }
        Ok(Loaded { catalogue: Self::from_chain(sys, dir, files, &chain, !damage.is_empty()), damage })
    }

    fn from_chain(sys: &Sys, dir: &Path, files: Vec<u64>, chain: &[Manifest], damaged: bool) -> Self {
        let mut state = State::default();
        for manifest in chain {
            state.apply(&manifest.change);
        }
        Catalogue {
            sys: sys.clone(),
            dir: dir.to_owned(),
            state,
            number: files.last().copied().unwrap_or(0),
            epoch: chain.iter().map(|manifest| manifest.epoch).max().unwrap_or(0),
            since_checkpoint: chain.len() as u64,
            must_checkpoint: damaged || chain.is_empty(),
            unsettled: false,
            last_checkpoint: chain.first().map_or(0, |manifest| manifest.number),
            files,
        }
    }

    /// Becomes the writer: what it commits bears a new epoch. The caller holds the directory's lock.
    pub fn begin_writing(&mut self) {
        self.epoch += 1;
    }

    /// What is committed.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether the directory holds manifests that this one has not read.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn is_behind(&self) -> Result<bool, StoreError> {
        Ok(list(&self.sys, &self.dir)?.last().is_some_and(|last| *last > self.number))
    }

    /// Whether the last commit failed so late that it may be found at the next start.
    pub fn is_unsettled(&self) -> bool {
        self.unsettled
    }

    /// Bytes that the manifests take.
    pub fn stored_bytes(&self) -> u64 {
        self.files
            .iter()
            .filter_map(|number| self.sys.fs.metadata(&self.dir.join(name(*number))).ok())
            .map(|metadata| metadata.len)
            .sum()
    }

    /// Forgets sources; the next commit is a checkpoint that does not name them.
    pub fn forget(&mut self, gone: impl Fn(&KnownSource) -> bool) {
        self.state.sources.retain(|_, source| !gone(&source.known()));
        self.must_checkpoint = true;
    }

    /// Commits a change: it is durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the change does not count for this process, but may for the next one where the error came
    /// late; files that it names must therefore stay until a later commit succeeds. [`StoreError::Locked`] where
    /// somebody else wrote to the chain.
    pub fn commit(&mut self, change: &Change) -> Result<(), StoreError> {
        let checkpoint = self.must_checkpoint || self.since_checkpoint >= CHECKPOINT_EVERY;
        let number = self.number + 1;
        if checkpoint {
            let whole = self.state.with(change);
            self.publish(&Manifest { number, epoch: self.epoch, checkpoint, change: whole })?;
            self.state.apply(change);
            self.since_checkpoint = 1;
            self.must_checkpoint = false;
            let keep_from = std::mem::replace(&mut self.last_checkpoint, number);
            self.remove_below(keep_from);
        } else {
            self.publish(&Manifest { number, epoch: self.epoch, checkpoint, change: change.clone() })?;
            self.state.apply(change);
            self.since_checkpoint += 1;
        }
        Ok(())
    }

    /// Writes the file under a passing name, makes it durable, and only then gives it its number, which must be free.
    fn publish(&mut self, manifest: &Manifest) -> Result<(), StoreError> {
        let fs = &self.sys.fs;
        let passing = self.dir.join("new");
        let path = self.dir.join(name(manifest.number));
        let failed = |error| StoreError::io(&path, error);
        match fs.unlink(&passing) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let file = fs.open(&passing, Open::New).map_err(failed)?;
        file.write_at(&manifest.encode(), 0).map_err(failed)?;
        file.sync().map_err(failed)?;
        drop(file);
        let linked = fs.link(&passing, &path);
        if linked.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists) {
            return Err(StoreError::Locked(self.dir.display().to_string()));
        }
        // From here on the number may exist on the disk whatever the calls say, so it is never used again, and what
        // comes next must hold whether it does or not.
        self.number = manifest.number;
        let durable = linked.and_then(|()| {
            self.files.push(manifest.number);
            // A name that stays is removed by the next commit.
            let _ = fs.unlink(&passing);
            fs.sync_dir(&self.dir)
        });
        if let Err(error) = durable {
            self.must_checkpoint = true;
            self.unsettled = true;
            return Err(failed(error));
        }
        self.unsettled = false;
        Ok(())
    }

    /// Removes manifests that nothing needs: those before the last checkpoint but one. The last but one stays, so that
    /// one unreadable file does not cost the store.
    fn remove_below(&mut self, number: u64) {
        let (sys, dir) = (&self.sys, &self.dir);
        self.files.retain(|file| {
            *file >= number
                || sys
                    .fs
                    .unlink(&dir.join(name(*file)))
                    .is_err_and(|error| error.kind() != io::ErrorKind::NotFound)
        });
    }
}

/// The name of a manifest.
fn name(number: u64) -> String {
    format!("{number:0width$}", width = DIGITS)
}

/// Numbers of the manifests in `dir`, ascending.
fn list(sys: &Sys, dir: &Path) -> Result<Vec<u64>, StoreError> {
    let entries = match sys.fs.list(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io(dir, error)),
    };
    let mut numbers: Vec<u64> = entries
        .iter()
        .filter_map(|entry| entry.path.file_name()?.to_str())
        .filter(|name| name.len() == DIGITS && name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter_map(|name| name.parse().ok())
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}
