//! Changes in directories as they happen (inotify), so that who follows files sleeps while nothing changes. Knows
//! nothing of what is in the files; who is told looks for itself.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

/// What is read at once, bytes; holds at least 200 changes.
const BUFFER: usize = 64 << 10;

/// Something changed. Says where to look, not what happened: the same change is told once however often it came.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Change {
    /// A name in a watched directory was made, removed, renamed from or to, or its file was written to or truncated.
    Name {
        /// The directory as it was given to [`Watcher::add`].
        dir: PathBuf,
        /// The name in it.
        name: OsString,
    },
    /// The directory was removed or renamed and is no longer watched.
    Gone(PathBuf),
    /// More changed than the system could keep: look at everything.
    Overflow,
}

/// Watches directories, not those below them. A name that is a link to a file elsewhere is told of when the link
/// changes; to learn of writes, watch the directory of the file.
pub struct Watcher {
    inotify: OwnedFd,
    wake: Arc<OwnedFd>,
    /// The paths of each watch; two when two paths lead to one directory.
    dirs: Mutex<HashMap<i32, Vec<PathBuf>>>,
}

/// Ends a [`Watcher::wait`] early, from any thread.
#[derive(Clone)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// Ends the wait under way, or else the next one, at once.
    pub fn wake(&self) {
        // It can only fail where the counter is full, and then the wait ends as well.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}

impl Watcher {
    /// A watcher of nothing yet.
    ///
    /// # Errors
    /// As the system says; it allows each user a number of watchers (`fs.inotify.max_user_instances`).
    pub fn new() -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            .map_err(|errno| limit(errno, Errno::MFILE, "fs.inotify.max_user_instances"))?;
        let wake = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Watcher { inotify, wake: Arc::new(wake), dirs: Mutex::default() })
    }

    /// What ends a wait of this watcher early.
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.wake))
    }

    /// Watches a directory from now on; to miss nothing, look into it after this call. A second time changes nothing.
    ///
    /// # Errors
    /// As the system says: `NotFound`, `NotADirectory`; it allows each user a number of watches
    /// (`fs.inotify.max_user_watches`).
    pub fn add(&self, dir: &Path) -> io::Result<()> {
        let what = WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let mut dirs = self.dirs();
        let watch = inotify::add_watch(&self.inotify, dir, what)
            .map_err(|errno| limit(errno, Errno::NOSPC, "fs.inotify.max_user_watches"))?;
        let paths = dirs.entry(watch).or_default();
        if !paths.iter().any(|path| path == dir) {
            paths.push(dir.to_owned());
        }
        Ok(())
    }

    /// Watches a directory no longer; nothing happens where it was not watched.
    pub fn remove(&self, dir: &Path) {
        let mut dirs = self.dirs();
        dirs.retain(|watch, paths| {
            paths.retain(|path| path != dir);
            if paths.is_empty() {
                // It fails where the directory is gone, and then the watch is too.
                let _ = inotify::remove_watch(&self.inotify, *watch);
            }
            !paths.is_empty()
        });
    }

    /// Waits for changes, up to `timeout` (`None`: for ever), and gives those that came, each once. An empty list
    /// means that the time was up, somebody woke it, or nothing: ask again.
    ///
    /// # Errors
    /// As the system says.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<Vec<Change>> {
        let timeout = match timeout.map(Timespec::try_from) {
            Some(Ok(timeout)) => Some(timeout),
            // Longer than the system can count is for ever.
            Some(Err(_)) | None => None,
        };
        let mut ready = [
            PollFd::new(&self.inotify, PollFlags::IN),
            PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN),
        ];
        match rustix::event::poll(&mut ready, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
        self.take()
    }

    /// The changes that came so far, up to one buffer full: what is left ends the next wait at once.
    fn take(&self) -> io::Result<Vec<Change>> {
        let mut buffer = vec![MaybeUninit::uninit(); BUFFER];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        let mut changes = BTreeSet::new();
        let mut dirs = self.dirs();
        loop {
            match reader.next() {
                Ok(event) => {
                    if event.events().contains(ReadFlags::MOVE_SELF) {
                        // The watch would go on and name the old path.
                        let _ = inotify::remove_watch(&self.inotify, event.wd());
                    }
                    tell(&event, &mut dirs, &mut changes);
                }
                Err(Errno::AGAIN | Errno::INTR) => break,
                Err(errno) => return Err(errno.into()),
            }
            if reader.is_buffer_empty() {
                break;
            }
        }
        Ok(changes.into_iter().collect())
    }

    fn dirs(&self) -> MutexGuard<'_, HashMap<i32, Vec<PathBuf>>> {
        self.dirs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts what the system said into our words.
fn tell(event: &inotify::Event<'_>, dirs: &mut HashMap<i32, Vec<PathBuf>>, changes: &mut BTreeSet<Change>) {
    let flags = event.events();
    if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
        changes.insert(Change::Overflow);
    } else if flags.intersects(ReadFlags::IGNORED | ReadFlags::MOVE_SELF | ReadFlags::DELETE_SELF) {
        changes.extend(dirs.remove(&event.wd()).unwrap_or_default().into_iter().map(Change::Gone));
    } else if let Some(name) = event.file_name() {
        let name = OsStr::from_bytes(name.to_bytes()).to_owned();
        let paths = dirs.get(&event.wd()).map_or(&[][..], Vec::as_slice);
        changes.extend(paths.iter().map(|dir| Change::Name { dir: dir.clone(), name: name.clone() }));
    }
}

/// Names the setting where the system's own words for a limit mislead ("no space left on device").
fn limit(errno: Errno, at_limit: Errno, setting: &str) -> io::Error {
    let error = io::Error::from(errno);
    if errno != at_limit {
        return error;
    }
    io::Error::new(error.kind(), format!("the limit of {setting} is reached; raise it with sysctl"))
}

#[cfg(test)]
mod tests;
