//! The simulated file system as [`Fs`]: counts each call, lets it fail or crash, and leaves the rest to the disk.

use std::io;
use std::path::{Path, PathBuf};

use super::disk::Id;
use super::{Fate, Fault, State, World, crash};
use crate::{Entry, File, Fs, Lock, Metadata, Open};

pub(super) struct SimFs(pub World);

struct SimFile {
    world: World,
    id: Id,
    writable: bool,
}

struct SimLock {
    world: World,
    id: Id,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.world.state().locked.remove(&self.id);
    }
}

impl SimFile {
    fn check_writable(&self) -> io::Result<()> {
        // EBADF, as the system says it.
        if self.writable { Ok(()) } else { Err(io::Error::from_raw_os_error(9)) }
    }
}

impl File for SimFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.world.state();
        state.enter_read()?;
        let bytes = state.disk.bytes(self.id)?;
        let there = bytes.get(offset as usize..).unwrap_or_default();
        let len = there.len().min(into.len());
        into[..len].copy_from_slice(&there[..len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.world.state();
        let fate = state.enter()?;
        self.check_writable()?;
        let (written, result) = match fate {
            Fate::Crash => (bytes.len(), Err(crash())),
            Fate::Fail(fault) => (state.dice.below(bytes.len() + 1), Err(fault.error())),
            Fate::Do => {
                let fits =
                    fitting(&state, self.id, offset + bytes.len() as u64)?.saturating_sub(offset) as usize;
                if fits < bytes.len() { (fits, Err(Fault::NoSpace.error())) } else { (bytes.len(), Ok(())) }
            }
        };
        let now = state.now;
        state.disk.write(self.id, offset as usize, &bytes[..written], now);
        result
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.world.state();
        match state.enter()? {
            Fate::Do => state.disk.sync(self.id),
            Fate::Crash => return Err(crash()),
            Fate::Fail(fault) => {
                let visible = state.dice.coin();
                state.disk.drop_unsynced(self.id, visible);
                return Err(fault.error());
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.world.state();
        if fitting(&state, self.id, len)? < len {
            state.enter_read()?;
            return Err(Fault::NoSpace.error());
        }
        self.check_writable()?;
        state.change(|disk, now| {
            disk.set_len(self.id, len as usize, now);
            Ok(())
        })
    }

    fn metadata(&self) -> io::Result<Metadata> {
        let mut state = self.world.state();
        state.enter_read()?;
        Ok(state.disk.metadata(self.id))
    }
}

/// The length, up to `wanted`, that the space of the disk allows a file; what it has now it keeps.
fn fitting(state: &State, file: Id, wanted: u64) -> io::Result<u64> {
    let now = state.disk.bytes(file)?.len() as u64;
    let free = state.space.map_or(u64::MAX, |space| space.saturating_sub(state.disk.used()));
    Ok(wanted.min(now.saturating_add(free)))
}

impl Fs for SimFs {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn File>> {
        let mut state = self.0.state();
        let id = state.change(|disk, now| match (disk.find(path), how) {
            (Ok(_), Open::New) => Err(io::ErrorKind::AlreadyExists.into()),
            (Ok(dir), Open::Write | Open::Create) if disk.is_dir(dir) => {
                Err(io::ErrorKind::IsADirectory.into())
            }
            (Err(error), Open::Create | Open::New) if error.kind() == io::ErrorKind::NotFound => {
                disk.make_file(path, now)
            }
            (found, _) => found,
        })?;
        Ok(Box::new(SimFile { world: self.0.clone(), id, writable: how != Open::Read }))
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let mut state = self.0.state();
        state.enter_read()?;
        let id = state.disk.find(path)?;
        Ok(state.disk.metadata(id))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let mut state = self.0.state();
        state.enter_read()?;
        let names = state.disk.names(state.disk.find(dir)?)?;
        let mut entries: Vec<Entry> = names
            .iter()
            .map(|(name, id)| Entry { path: dir.join(name), is_dir: state.disk.is_dir(*id) })
            .collect();
        entries.sort();
        Ok(entries)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.0.state();
        let missing: Vec<PathBuf> = dir
            .ancestors()
            .take_while(|above| state.disk.find(above).is_err())
            .map(Path::to_path_buf)
            .collect();
        if missing.is_empty() {
            state.enter_read()?;
            state.disk.names(state.disk.find(dir)?)?;
        }
        for dir in missing.iter().rev() {
            // It is durable when the call returns, so at a crash in the call it is not there yet.
            state.enter_read()?;
            let now = state.now;
            state.disk.make_dir(dir, now)?;
        }
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.state().change(|disk, _| disk.link(from, to))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.state().change(|disk, _| disk.rename(from, to))
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.0.state().change(|disk, _| disk.unlink(path))
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.state().change(|disk, _| disk.remove_dir(dir))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.0.state();
        let fate = state.enter()?;
        let id = state.disk.find(dir)?;
        match fate {
            Fate::Do => state.disk.sync_dir(id),
            Fate::Crash => Err(crash()),
            Fate::Fail(fault) => {
                state.disk.drop_unsynced_names(id);
                Err(fault.error())
            }
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let mut state = self.0.state();
        let id = state.change(|disk, now| match disk.find(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => disk.make_file(path, now),
            found => found,
        })?;
        let free = state.locked.insert(id);
        Ok(free.then(|| -> Box<dyn Lock> { Box::new(SimLock { world: self.0.clone(), id }) }))
    }

    fn free(&self, path: &Path) -> io::Result<u64> {
        let mut state = self.0.state();
        state.enter_read()?;
        state.disk.find(path)?;
        Ok(state.space.unwrap_or(1 << 40).saturating_sub(state.disk.used()))
    }
}
