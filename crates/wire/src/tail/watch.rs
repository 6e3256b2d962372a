//! The thread that follows files: sleeps until a directory changes, looks at what changed, and lets each file read.
//! Knows nothing of how rows are found in bytes, nor of how a file is recognised.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sawlog_model::{Limits, SECOND, Tenant};
use sawlog_sys::task;
use sawlog_sys::watch::{Change, Watcher};

use super::delivery::{Delivery, Stopped};
use super::follower::{Follower, Read};
use super::options::TailOptions;
use super::pos_file::PosFile;
use super::sources::{FileId, Known, Sources, family_of};
use super::unpacking::Unpacking;
use crate::format::More;

/// A file without a name is read for so long after its last new byte.
const LINGER: Duration = Duration::from_secs(5);
/// A file under a name that is not asked for is let go after so long without a new byte, nanoseconds.
pub(crate) const LET_GO: i64 = 600 * SECOND;
/// Where something must be looked at again without being told, it is after so long.
const POLL: Duration = Duration::from_secs(1);
/// After a pass that found less than this, so long is waited for more, so that who writes many short lines does not wake
/// us for each.
const LITTLE: usize = 64 << 10;
const GATHER: Duration = Duration::from_millis(10);
/// A file with so many bytes to be read is read beside others.
const MUCH: u64 = 2 << 20;

/// One tail input.
pub(crate) struct Tail {
    pub options: TailOptions,
    pub delivery: Delivery,
    pub limits: Limits,
    pub tenant: Tenant,
    pub watcher: Watcher,
    pub sources: Sources,
    pub followers: HashMap<FileId, Follower>,
    /// Compressed files that are being read.
    pub unpacking: Vec<Unpacking>,
    /// Compressed files that were read.
    pub unpacked: BTreeSet<FileId>,
    /// Where another program stopped.
    pub positions: PosFile,
    /// Files that are followed, by their names.
    by_path: HashMap<PathBuf, FileId>,
    /// Names that are links, by the path of what they lead to.
    links: HashMap<PathBuf, BTreeSet<PathBuf>>,
    /// Files to be read now.
    pub dirty: BTreeSet<FileId>,
    /// Files with a time at which something is to be done.
    timed: BTreeSet<FileId>,
    /// Names of which it cannot be told yet what they are.
    pub unclear: BTreeSet<PathBuf>,
    /// When those were last looked at.
    looked: Duration,
    /// Names that say what a followed file says.
    pub mirrors: BTreeSet<PathBuf>,
    watched: BTreeSet<PathBuf>,
    /// When the watch began.
    pub began: i64,
    /// Directories that cannot be watched are looked into now and then.
    polls: bool,
}

impl Tail {
    pub(crate) fn new(
        options: TailOptions,
        delivery: Delivery,
        limits: Limits,
        tenant: Tenant,
        watcher: Watcher,
    ) -> Self {
        let sources = Sources::new(delivery.intake.known_sources());
        let began = delivery.now();
        let positions = read_positions(&options, &delivery);
        Tail {
            options,
            delivery,
            limits,
            tenant,
            watcher,
            sources,
            followers: HashMap::new(),
            unpacking: Vec::new(),
            unpacked: BTreeSet::new(),
            positions,
            by_path: HashMap::new(),
            links: HashMap::new(),
            dirty: BTreeSet::new(),
            timed: BTreeSet::new(),
            unclear: BTreeSet::new(),
            looked: Duration::ZERO,
            mirrors: BTreeSet::new(),
            watched: BTreeSet::new(),
            began,
            polls: false,
        }
    }

    /// The thread.
    pub(crate) fn run(mut self) {
        // It ends by saying that it stops; whatever was not delivered is read again.
        let Err(Stopped) = self.follow();
    }

    fn follow(&mut self) -> Result<std::convert::Infallible, Stopped> {
        self.scan()?;
        self.find_rotated()?;
        let mut scanned = self.delivery.monotonic();
        loop {
            let bytes = self.pass()?;
            let busy = !self.dirty.is_empty() || !self.unpacking.is_empty();
            if bytes < LITTLE && bytes > 0 && self.delivery.stop.wait(GATHER) {
                return Err(Stopped);
            }
            let now = self.delivery.monotonic();
            let timeout = if busy { Duration::ZERO } else { self.next_time(scanned).saturating_sub(now) };
            let changes = self.watcher.wait(Some(timeout)).unwrap_or_else(|error| self.cannot_wait(&error));
            if self.delivery.stop.requested() {
                return Err(Stopped);
            }
            let mut all = false;
            for change in changes {
                match change {
                    Change::Name { dir, name } => self.look_at_all(&dir.join(name))?,
                    Change::Gone(dir) => {
                        self.watched.remove(&dir);
                        all = true;
                    }
                    Change::Overflow => {
                        self.dirty.extend(self.followers.keys());
                        all = true;
                    }
                }
            }
            let now = self.delivery.monotonic();
            if all || now >= scanned + self.options.rescan {
                self.scan()?;
                self.let_go()?;
                scanned = now;
            }
            if self.polls {
                self.dirty.extend(self.followers.keys());
            }
            if now >= self.looked + POLL {
                self.looked = now;
                for path in std::mem::take(&mut self.unclear) {
                    self.look_at(&path)?;
                }
            }
        }
    }

    fn cannot_wait(&self, error: &io::Error) -> Vec<Change> {
        self.delivery.intake.count_error("watch", &error.to_string());
        self.delivery.stop.wait(POLL);
        vec![Change::Overflow]
    }

    /// When something is to be done, if nothing changes before.
    fn next_time(&self, scanned: Duration) -> Duration {
        let mut next = scanned + self.options.rescan;
        if self.polls {
            next = next.min(self.delivery.monotonic() + POLL);
        }
        if !self.unclear.is_empty() {
            next = next.min(self.looked + POLL);
        }
        for id in &self.timed {
            if let Some(follower) = self.followers.get(id) {
                let linger = follower.unlinked_since.map(|since| since + LINGER);
                let then = follower.resume_at.or(linger);
                next = follower.quiet_at.into_iter().chain(then).fold(next, Duration::min);
            }
        }
        next
    }

    /// Lets each file that changed read its turn, and does what is due; bytes read.
    fn pass(&mut self) -> Result<usize, Stopped> {
        let mut bytes = 0;
        let mut dirty = std::mem::take(&mut self.dirty);
        if dirty.len() > 1 {
            bytes += self.read_together(&mut dirty)?;
        }
        for id in dirty {
            bytes += self.read(id)?;
        }
        for mut unpacking in std::mem::take(&mut self.unpacking) {
            match unpacking.turn(&self.delivery)? {
                Some(read) => {
                    bytes += read;
                    self.unpacking.push(unpacking);
                }
                None => self.unpacked_whole(unpacking)?,
            }
        }
        let now = self.delivery.monotonic();
        for id in self.timed.clone() {
            let Some(follower) = self.followers.get_mut(&id) else {
                self.timed.remove(&id);
                continue;
            };
            if follower.quiet_at.is_some_and(|at| at <= now) {
                follower.give_held(&self.delivery, More::Pause)?;
            }
            if let Some(at) = follower.resume_at {
                self.dirty.extend((at <= now).then_some(id));
            } else if follower.unlinked_since.is_some_and(|since| since + LINGER <= now) {
                self.finish(id)?;
            } else if follower.quiet_at.is_none() && follower.unlinked_since.is_none() {
                self.timed.remove(&id);
            }
        }
        Ok(bytes)
    }

    fn read(&mut self, id: FileId) -> Result<usize, Stopped> {
        let Some(follower) = self.followers.get_mut(&id) else { return Ok(0) };
        let read = follower.read(&self.delivery)?;
        self.was_read(id, read)
    }

    /// Lets those of the files that have much to read do so at once, and takes them out; bytes read.
    fn read_together(&mut self, dirty: &mut BTreeSet<FileId>) -> Result<usize, Stopped> {
        let large: Vec<(FileId, &mut Follower)> = self
            .followers
            .iter_mut()
            .filter(|(id, follower)| dirty.contains(id) && follower.backlog() >= MUCH)
            .map(|(id, follower)| (*id, follower))
            .collect();
        let threads = task::cores().min(large.len());
        if threads < 2 {
            return Ok(0);
        }
        dirty.retain(|id| large.iter().all(|(other, _)| other != id));
        let mut shares: Vec<Vec<(FileId, &mut Follower)>> = (0..threads).map(|_| Vec::new()).collect();
        large.into_iter().enumerate().for_each(|(number, one)| shares[number % threads].push(one));
        let delivery = &self.delivery;
        let jobs = shares.into_iter().map(|share| {
            move || share.into_iter().map(|(id, follower)| (id, follower.read(delivery))).collect::<Vec<_>>()
        });
        let all = match task::together("tail-reader", jobs.collect()) {
            Ok(all) => all,
            Err(error) => {
                // They are read one after the other.
                self.delivery.intake.count_error("threads", &error.to_string());
                self.delivery.stop.wait(POLL);
                self.dirty.extend(self.followers.keys());
                return Ok(0);
            }
        };
        let mut bytes = 0;
        for (id, read) in all.into_iter().flatten().flatten() {
            bytes += self.was_read(id, read?)?;
        }
        Ok(bytes)
    }

    /// What follows from how a file was read; bytes read.
    fn was_read(&mut self, id: FileId, read: io::Result<Read>) -> Result<usize, Stopped> {
        let Some(follower) = self.followers.get_mut(&id) else { return Ok(0) };
        let (read, more, unlinked) = match read {
            Ok(Read::Bytes { read, more, unlinked }) => (read, more, unlinked),
            Ok(Read::Truncated) => return self.restart(id).map(|()| 0),
            Err(error) => {
                let text = format!("{}: {error}", follower.path.display());
                self.delivery.intake.count_error("read", &text);
                self.delivery.settle(follower.source())?;
                self.release(id);
                return Ok(0);
            }
        };
        if unlinked && (follower.unlinked_since.is_none() || read > 0) {
            follower.unlinked_since = Some(self.delivery.monotonic());
        }
        let times = [follower.quiet_at, follower.unlinked_since, follower.resume_at];
        if times.iter().any(Option::is_some) {
            self.timed.insert(id);
        }
        if more {
            self.dirty.insert(id);
        }
        Ok(read)
    }

    /// A file began again from nothing. Where a copy was made of it before, that is read to its end first.
    fn restart(&mut self, id: FileId) -> Result<(), Stopped> {
        let Some(follower) = self.followers.get(&id) else { return Ok(()) };
        let (path, mark) = (follower.path.clone(), follower.mark().clone());
        // A copy is taken to have been read so far: what was read must be durable before that is.
        self.delivery.settle(follower.source())?;
        let copied = self.follow_copies(&path, &mark)?;
        let Some(follower) = self.followers.get_mut(&id) else { return Ok(()) };
        if copied {
            // An unfinished line stands whole in the copy.
            follower.drop_held();
        }
        follower.restart(&self.delivery)?;
        self.dirty.insert(id);
        // What says the same as this file did may be a copy of it.
        self.unclear.append(&mut self.mirrors);
        Ok(())
    }

    /// A file without a name and without new bytes: nothing more comes of it.
    fn finish(&mut self, id: FileId) -> Result<(), Stopped> {
        // There are no notices of what is written to a file without a name.
        if self.read(id)? > 0 || self.dirty.contains(&id) {
            return Ok(());
        }
        let Some(follower) = self.followers.get_mut(&id) else { return Ok(()) };
        if follower.resume_at.is_some() {
            return Ok(());
        }
        follower.finish(&self.delivery)?;
        self.release(id);
        Ok(())
    }

    /// Follows a file no longer; it is known where it was.
    fn release(&mut self, id: FileId) {
        self.timed.remove(&id);
        self.dirty.remove(&id);
        self.by_path.retain(|_, other| *other != id);
        if let Some(follower) = self.followers.remove(&id) {
            self.sources.add(Known { known: follower.known(), mark: follower.mark().clone() });
        }
    }

    /// Lets go of files that were rotated away and have long been quiet.
    fn let_go(&mut self) -> Result<(), Stopped> {
        let now = self.delivery.now();
        let old: Vec<FileId> = self
            .followers
            .iter()
            .filter(|(_, follower)| !self.options.wants(&follower.path) && follower.resume_at.is_none())
            .filter(|(_, follower)| {
                follower.metadata().is_ok_and(|metadata| metadata.modified < now - LET_GO)
            })
            .map(|(id, _)| *id)
            .collect();
        for id in old {
            if let Some(follower) = self.followers.get_mut(&id) {
                follower.give_held(&self.delivery, More::Pause)?;
                self.delivery.settle(follower.source())?;
            }
            self.release(id);
        }
        Ok(())
    }

    /// Looks at everything.
    pub(crate) fn scan(&mut self) -> Result<(), Stopped> {
        if let Err(error) = self.options.date(self.delivery.now()) {
            self.delivery.intake.count_error("paths", &error.to_string());
        }
        self.polls = false;
        let files = self.walk(Path::new(""));
        for path in &files {
            self.look_at(path)?;
        }
        let lost: Vec<PathBuf> = self.by_path.keys().filter(|path| !files.contains(*path)).cloned().collect();
        for path in lost {
            self.look_at(&path)?;
        }
        Ok(())
    }

    /// The files at and below `under` that are asked for; their directories are watched. What is made in a directory before it
    /// is watched is told by nobody, so that all is walked anew until no directory is new.
    fn walk(&mut self, under: &Path) -> BTreeSet<PathBuf> {
        loop {
            let (mut files, mut dirs) = (BTreeSet::new(), BTreeSet::new());
            for pattern in &self.options.paths {
                pattern.walk(&*self.delivery.sys.fs, &mut files, &mut dirs);
            }
            let new = dirs.iter().filter(|dir| dir.starts_with(under)).filter(|dir| self.watch(dir)).count();
            if new == 0 {
                files.retain(|path| path.starts_with(under));
                return files;
            }
        }
    }

    /// Watches a directory; whether that is new.
    fn watch(&mut self, dir: &Path) -> bool {
        if self.watched.contains(dir) {
            return false;
        }
        match self.watcher.add(dir) {
            Ok(()) => self.watched.insert(dir.to_owned()),
            Err(error) => {
                self.polls = true;
                let text = format!("{} cannot be watched: {error}", dir.display());
                self.delivery.intake.count_error("watch", &text);
                false
            }
        }
    }

    /// Looks at a path that changed, and at the names that are links to it.
    fn look_at_all(&mut self, path: &Path) -> Result<(), Stopped> {
        self.look_at(path)?;
        for link in self.links.get(path).cloned().unwrap_or_default() {
            self.look_at(&link)?;
        }
        Ok(())
    }

    /// Looks at what a name leads to now.
    fn look_at(&mut self, path: &Path) -> Result<(), Stopped> {
        let metadata = self.delivery.sys.fs.metadata(path).ok();
        if metadata.as_ref().is_some_and(|metadata| metadata.is_dir) {
            return if self.watched.contains(path) { Ok(()) } else { self.scan_new_dir(path) };
        }
        let metadata = metadata.filter(|metadata| metadata.is_file);
        let id = metadata.as_ref().map(FileId::of);
        let before = self.by_path.get(path).copied();
        if before != id
            && let Some(before) = before
        {
            self.by_path.remove(path);
            self.lost_name(before)?;
        }
        let (Some(id), Some(metadata)) = (id, metadata) else { return Ok(()) };
        if self.followers.contains_key(&id) {
            if before != Some(id) {
                self.found_name(id, path)?;
            }
            self.dirty.insert(id);
            return Ok(());
        }
        let recent = i64::try_from(self.options.recent.as_nanos()).unwrap_or(i64::MAX);
        if recent > 0 && metadata.modified < self.delivery.now() - recent {
            return Ok(());
        }
        if !self.is_unpacked(id) && (self.options.wants(path) || self.was_missed(path, &metadata)) {
            self.adopt(path)?;
        }
        Ok(())
    }

    /// A directory that is new: files may be in it already.
    fn scan_new_dir(&mut self, dir: &Path) -> Result<(), Stopped> {
        for path in self.walk(dir) {
            self.look_at(&path)?;
        }
        Ok(())
    }

    /// A followed file no longer bears a name: what it has given is made durable, since it may go at any time.
    fn lost_name(&mut self, id: FileId) -> Result<(), Stopped> {
        if let Some(follower) = self.followers.get(&id) {
            self.delivery.settle(follower.source())?;
            self.dirty.insert(id);
        }
        Ok(())
    }

    /// A followed file bears another name.
    fn found_name(&mut self, id: FileId, path: &Path) -> Result<(), Stopped> {
        let Some(follower) = self.followers.get_mut(&id) else { return Ok(()) };
        let leads_here = |path: &Path| {
            self.delivery.sys.fs.metadata(path).is_ok_and(|metadata| FileId::of(&metadata) == id)
        };
        if follower.path != path && !leads_here(&follower.path) {
            let old = follower.path.clone();
            follower.renamed(path.to_owned());
            self.delivery.settle(follower.source())?;
            self.by_path.remove(&old);
        }
        self.by_path.insert(path.to_owned(), id);
        Ok(())
    }

    /// Begins to follow.
    pub(crate) fn add(&mut self, id: FileId, follower: Follower) {
        let path = follower.path.clone();
        if let Ok(target) = self.delivery.sys.fs.resolve(&path)
            && target != path
        {
            if let Some(dir) = target.parent() {
                self.watch(dir);
            }
            self.links.entry(target).or_default().insert(path.clone());
        }
        self.by_path.insert(path, id);
        self.followers.insert(id, follower);
        self.dirty.insert(id);
    }

    /// Whether this compressed file was read, or is being.
    pub(crate) fn is_unpacked(&self, id: FileId) -> bool {
        self.unpacked.contains(&id) || self.unpacking.iter().any(|unpacking| unpacking.id == id)
    }

    fn unpacked_whole(&mut self, unpacking: Unpacking) -> Result<(), Stopped> {
        let known = unpacking.known();
        self.delivery.settle(known.known.source.id)?;
        self.unpacked.insert(unpacking.id);
        self.sources.add(known);
        Ok(())
    }

    /// Whether a file of the family of `path` has lost its name and is still read.
    pub(crate) fn lingers(&self, path: &Path) -> bool {
        let family = family_of(path);
        self.followers
            .values()
            .any(|follower| follower.unlinked_since.is_some() && family_of(&follower.path) == family)
    }
}

/// What the position file of another program says; nothing where there is none.
fn read_positions(options: &TailOptions, delivery: &Delivery) -> PosFile {
    if options.pos_file.is_empty() {
        return PosFile::default();
    }
    match delivery.sys.fs.read(Path::new(&options.pos_file)) {
        Ok(bytes) => PosFile::read(&bytes),
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                delivery.intake.count_error("pos_file", &format!("{}: {error}", options.pos_file));
            }
            PosFile::default()
        }
    }
}
