//! Beginning to follow a file: whether it is known, how it relates to files that are, where it is read on from. Knows
//! nothing of notices.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sawlog_model::{KnownSource, SECOND, Source, SourceFacts, SourceId};
use sawlog_sys::{Metadata, Open};

use super::cutter::{Cutter, Origin};
use super::delivery::Stopped;
use super::follower::{Follower, read_full, verify};
use super::kin::{self, Candidate, Kin};
use super::mark::{Anchor, Head, Mark};
use super::names::{family, is_packed, is_rotation};
use super::pack::{Content, Packing};
use super::pos_file::Place;
use super::sources::{Family, FileId, Known, family_of, is_gone};
use super::unpacking::Unpacking;
use super::watch::{LET_GO, Tail};

/// A file that was not written to for so long is taken to be whole, nanoseconds.
const WHOLE: i64 = 2 * SECOND;

/// The last lines of a file are looked for among so many bytes.
const LAST: u64 = 8 << 20;

/// Bytes in which lines are counted at once.
const COUNTED: usize = 256 << 10;

/// A file that is open, and what is known of it.
struct Opened {
    path: PathBuf,
    metadata: Metadata,
    content: Content,
    quiet: bool,
}

impl Opened {
    fn id(&self) -> FileId {
        FileId::of(&self.metadata)
    }

    fn candidate(&self) -> io::Result<Candidate<'_>> {
        let (len, quiet) = (self.metadata.len, self.quiet);
        let first = match self.content.first() {
            Ok(first) => first,
            // A compressed file that is being written ends in the middle.
            Err(_) if !quiet => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(Candidate { content: &self.content, len, quiet, first })
    }
}

impl Tail {
    fn open(&self, path: &Path) -> io::Result<Opened> {
        let file = self.delivery.sys.fs.open(path, Open::Read)?;
        let metadata = file.metadata()?;
        let quiet = metadata.modified < self.delivery.now() - WHOLE;
        Ok(Opened { path: path.to_owned(), metadata, content: Content::of(file)?, quiet })
    }

    /// Looks at a file that is asked for and not followed, and follows it where that is right.
    pub(crate) fn adopt(&mut self, path: &Path) -> Result<(), Stopped> {
        let opened = match self.open(path) {
            Ok(opened) => opened,
            // It was there a moment ago; there will be another notice.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return self.cannot_open(path, &error),
        };
        if let Some(known) = self.sources.of_file(&opened.id()) {
            let id = known.known.source.id;
            return self.resume(id, opened);
        }
        match self.kin(&opened) {
            Ok(kin) => self.follow_kin(opened, kin),
            Err(error) => self.cannot_open(path, &error),
        }
    }

    fn cannot_open(&self, path: &Path, error: &io::Error) -> Result<(), Stopped> {
        self.delivery.intake.count_error("open", &format!("{}: {error}", path.display()));
        Ok(())
    }

    /// What a file that is not known by its inode is.
    fn kin(&self, opened: &Opened) -> io::Result<Kin> {
        let name = opened.path.file_name().unwrap_or_default().to_string_lossy();
        let of = family_of(&opened.path);
        let packed = opened.content.packing != Packing::Plain || is_packed(&name);
        if packed && (!opened.quiet || self.lingers(&opened.path)) {
            return Ok(Kin::Unclear);
        }
        // A file under the name that is not a rotation's is never a continuation: it is what rotation leaves behind.
        if !packed && family(&name) == name {
            return Ok(Kin::New);
        }
        let (candidate, fs) = (opened.candidate()?, &*self.delivery.sys.fs);
        let kin = self.sources.of_family(&of);
        let gone = kin.filter(|known| candidate.may_continue(known) && is_gone(fs, known));
        let followed = self.followers.values().filter(|follower| family_of(&follower.path) == of);
        kin::relate(&candidate, gone, followed)
    }

    fn follow_kin(&mut self, opened: Opened, kin: Kin) -> Result<(), Stopped> {
        match kin {
            Kin::New => {
                let Some(mark) = self.first_mark(&opened) else { return Ok(()) };
                let source = self.new_source(&opened);
                self.record_and_start(source, mark, opened)
            }
            Kin::Copy(mark) => {
                let source = self.new_source(&opened);
                self.record_and_start(source, *mark, opened)
            }
            Kin::Continues(id) => {
                let Some(known) = self.sources.take(id) else { return Ok(()) };
                if opened.content.ends_at(known.mark.offset) {
                    self.unpacked.insert(opened.id());
                    self.sources.add(known);
                    return Ok(());
                }
                let mut source = known.known.source;
                let name = std::mem::take(&mut source.facts.name);
                source.facts = SourceFacts { name, ..facts(&opened) };
                self.record_and_start(source, known.mark, opened)
            }
            Kin::Mirror => {
                self.mirrors.insert(opened.path);
                Ok(())
            }
            Kin::Unclear => {
                self.unclear.insert(opened.path);
                Ok(())
            }
        }
    }

    /// Where a file is read from that is new here: where another program stopped, else from its beginning or its end.
    fn first_mark(&self, opened: &Opened) -> Option<Mark> {
        if opened.content.packing == Packing::Plain
            && let Some(place) = self.positions.place(&opened.path, &opened.metadata)
        {
            return match place {
                Place::Byte(offset) => self.mark_at(opened, offset),
                Place::Line(count) => match line_start(opened, count) {
                    Ok(offset) => self.mark_at(opened, offset),
                    Err(error) => {
                        self.cannot_open(&opened.path, &error).ok()?;
                        None
                    }
                },
            };
        }
        // What came after the watch began is new from its first byte on.
        let came = opened.metadata.birth >= self.began;
        if self.options.from_beginning || came {
            return Some(Mark::default());
        }
        self.mark_at(opened, last_lines(opened, self.options.tail_lines))
    }

    /// The mark of a place in a file whose bytes before it are not to be read.
    fn mark_at(&self, opened: &Opened, offset: u64) -> Option<Mark> {
        let content = &opened.content;
        if content.packing != Packing::Plain {
            return None;
        }
        let found = || -> io::Result<Mark> {
            let hash = content.hash_of_first(offset)?.unwrap_or_default();
            let bytes = kin::before(content, hash.len())?;
            let head = Head::of(&content.first()?);
            Ok(Mark { offset: hash.len(), hash, head, anchor: Anchor::of(&bytes), ..Mark::default() })
        };
        found().map_err(|error| self.cannot_open(&opened.path, &error)).ok()
    }

    fn new_source(&self, opened: &Opened) -> Source {
        Source { id: SourceId(self.delivery.sys.random.id()), facts: facts(opened) }
    }

    /// Reads on a file that is known by its inode; a new epoch where its bytes are not those that were read.
    fn resume(&mut self, id: SourceId, opened: Opened) -> Result<(), Stopped> {
        let Some(known) = self.sources.take(id) else { return Ok(()) };
        let mut source = known.known.source.clone();
        source.facts.path = opened.path.display().to_string();
        if opened.content.packing != Packing::Plain {
            if opened.content.ends_at(known.mark.offset) {
                self.unpacked.insert(opened.id());
                self.sources.add(known);
                return Ok(());
            }
            return self.start(source, known.mark, opened);
        }
        match verify(&**opened.content.file(), opened.metadata.len, &known.mark) {
            Ok(Some(_)) => self.start(source, known.mark, opened),
            Ok(None) => {
                let path = opened.path.clone();
                let mark = known.mark.next_epoch();
                self.record_and_start(source, mark, opened)?;
                self.follow_copies(&path, &known.mark).map(|_| ())
            }
            Err(error) => {
                let path = opened.path.clone();
                self.sources.add(known);
                self.cannot_open(&path, &error)
            }
        }
    }

    fn record_and_start(&mut self, source: Source, mark: Mark, opened: Opened) -> Result<(), Stopped> {
        self.delivery.record(vec![KnownSource { source: source.clone(), position: mark.position() }])?;
        self.start(source, mark, opened)
    }

    fn start(&mut self, source: Source, mark: Mark, opened: Opened) -> Result<(), Stopped> {
        let (id, path) = (opened.id(), opened.path.clone());
        let settings = self.options.lines.settings(opened.metadata.modified, opened.metadata.modified);
        let context = Arc::new(self.options.lines.context(&source.facts.name));
        let name = source.facts.name.clone();
        let origin = Origin { tenant: self.tenant, source: Arc::new(source), context };
        let before = match opened.content.packing {
            Packing::Plain => kin::before(&opened.content, mark.offset),
            _ => Ok(Vec::new()),
        };
        let mut cutter = Cutter::new(origin, settings, self.limits, mark);
        cutter.set_encoding(self.options.lines.encoding);
        if !self.options.lines.path_key.is_empty() {
            cutter.add_field(&self.options.lines.path_key, &name);
        }
        match before {
            Ok(bytes) => cutter.set_bytes_before(&bytes),
            Err(error) => return self.cannot_open(&path, &error),
        }
        if opened.content.packing == Packing::Plain {
            let follower = Follower::new(
                path,
                opened.content.file().clone(),
                cutter,
                self.options.quiet,
                self.options.rate,
            );
            self.add(id, follower);
        } else {
            self.unpacking.push(Unpacking::new(id, path, opened.content, cutter));
        }
        Ok(())
    }

    /// Follows copies of the epoch that stood at `mark` of the file at `path`; whether there was one.
    pub(crate) fn follow_copies(&mut self, path: &Path, mark: &Mark) -> Result<bool, Stopped> {
        let of = family_of(path);
        let mut found = false;
        for entry in self.delivery.sys.fs.list(&of.0).unwrap_or_default() {
            if entry.is_dir || entry.path == path || family_of(&entry.path) != of {
                continue;
            }
            let Ok(mut opened) = self.open(&entry.path) else { continue };
            let id = opened.id();
            if self.followers.contains_key(&id) || self.sources.of_file(&id).is_some() {
                continue;
            }
            // The file was truncated, so its copy is complete.
            opened.quiet = true;
            let copy = opened.candidate().and_then(|candidate| kin::is_copy_of(&candidate, mark));
            if let Ok(Some(copy)) = copy {
                found = true;
                self.unclear.remove(&entry.path);
                self.mirrors.remove(&entry.path);
                self.follow_kin(opened, Kin::Copy(copy))?;
            }
        }
        Ok(found)
    }

    /// Whether a file that is not asked for by its name must once have borne one that is: it is a rotation of such a name,
    /// and younger than a file of that rotation that was read, or than this watch. So nothing is lost of what was rotated
    /// away before it was seen, as long as the node was down or busy.
    pub(crate) fn was_missed(&self, path: &Path, metadata: &Metadata) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let of = family_of(path);
        if !is_rotation(&name) || !self.options.wants(&of.0.join(&of.1)) || self.options.excludes(path) {
            return false;
        }
        let since = |time: i64| time != 0 && metadata.birth > time && metadata.modified > time;
        let followed = self.followers.values().filter(|follower| family_of(&follower.path) == of);
        since(self.began)
            || self.sources.of_family(&of).any(|known| since(known.known.source.facts.birth))
            || followed.map(Follower::known).any(|known| since(known.source.facts.birth))
    }

    /// Finds, at the start, files whose names are not asked for and that have something to read all the same: they were
    /// renamed after they were seen, or came and went while the node was down.
    pub(crate) fn find_rotated(&mut self) -> Result<(), Stopped> {
        let known = self.sources.iter().map(|known| known.known.source.facts.clone());
        let followed = self.followers.values().map(|follower| follower.known().source.facts);
        let asked = known.chain(followed).filter(|facts| self.options.wants(Path::new(&facts.name)));
        let families: BTreeSet<Family> = asked.map(|facts| family_of(Path::new(&facts.path))).collect();
        let dirs: BTreeSet<&PathBuf> = families.iter().map(|(dir, _)| dir).collect();
        let mut missed = Vec::new();
        for dir in dirs {
            for entry in self.delivery.sys.fs.list(dir).unwrap_or_default() {
                if entry.is_dir
                    || !families.contains(&family_of(&entry.path))
                    || self.options.wants(&entry.path)
                {
                    continue;
                }
                let Ok(metadata) = self.delivery.sys.fs.metadata(&entry.path) else { continue };
                let id = FileId::of(&metadata);
                if self.followers.contains_key(&id) || self.is_unpacked(id) {
                    continue;
                }
                match self.sources.of_file(&id) {
                    Some(known) => {
                        let known = known.clone();
                        self.resume_renamed(&known, &entry.path)?;
                    }
                    // Adopted later: until all were looked at, nothing may change of what they are compared with.
                    None if self.was_missed(&entry.path, &metadata) => missed.push(entry.path),
                    None => {}
                }
            }
        }
        missed.iter().try_for_each(|path| self.adopt(path))
    }

    fn resume_renamed(&mut self, known: &Known, path: &Path) -> Result<(), Stopped> {
        let Ok(opened) = self.open(path) else { return Ok(()) };
        let read = known.mark.done || opened.metadata.len == known.mark.offset;
        if read && opened.metadata.modified < self.delivery.now() - LET_GO {
            return Ok(());
        }
        self.resume(known.known.source.id, opened)
    }
}

/// Where the line begins that so many stand before; the file's beginning where it has fewer, since it was truncated then.
fn line_start(opened: &Opened, count: u64) -> io::Result<u64> {
    let (mut left, mut at, mut bytes) = (count, 0, vec![0; COUNTED]);
    while left > 0 {
        let read = read_full(&**opened.content.file(), &mut bytes, at)?;
        if read == 0 {
            return Ok(0);
        }
        let ends =
            memchr::memchr_iter(b'\n', &bytes[..read]).take(usize::try_from(left).unwrap_or(usize::MAX));
        let (count, last) = ends.fold((0, None), |(count, _), end| (count + 1, Some(end)));
        left -= count;
        at += if left == 0 { last.map_or(0, |end| end as u64 + 1) } else { read as u64 };
    }
    Ok(at)
}

/// Where the last so many lines of a file begin, as far as they are among its last bytes; its end where none are asked for.
fn last_lines(opened: &Opened, count: u64) -> u64 {
    let len = opened.metadata.len;
    if count == 0 || opened.content.packing != Packing::Plain {
        return len;
    }
    let from = len.saturating_sub(LAST);
    let mut bytes = vec![0; (len - from) as usize];
    let Ok(read) = read_full(&**opened.content.file(), &mut bytes, from) else { return len };
    let ended = bytes[..read].last() == Some(&b'\n');
    let ends = memchr::memrchr_iter(b'\n', &bytes[..read]);
    let begin = usize::try_from(count).ok().and_then(|count| ends.skip(usize::from(ended)).nth(count - 1));
    from + begin.map_or(0, |end| end as u64 + 1)
}

fn facts(opened: &Opened) -> SourceFacts {
    let path = opened.path.display().to_string();
    let FileId { filesystem, inode, generation, birth } = opened.id();
    SourceFacts { name: path.clone(), path, filesystem, inode, generation, birth }
}
