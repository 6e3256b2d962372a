//! The sources that are known and not followed right now, and how a file is recognised among them: by its inode with
//! what tells a reused one apart, or as the continuation of a source under a rotation of its name. Knows nothing of
//! reading.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sawlog_model::{KnownSource, SourceFacts, SourceId};
use sawlog_sys::{Fs, Metadata};

use super::mark::Mark;
use super::names::family;

/// What a file is, whatever its name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct FileId {
    pub filesystem: u64,
    pub inode: u64,
    pub generation: u64,
    pub birth: i64,
}

impl FileId {
    pub(crate) fn of(metadata: &Metadata) -> FileId {
        let Metadata { filesystem, inode, generation, birth, .. } = *metadata;
        FileId { filesystem, inode, generation, birth }
    }

    /// Whether the facts are of this very file: a generation or birth time that either side does not know says nothing.
    pub(crate) fn is_of(&self, facts: &SourceFacts) -> bool {
        let same = |a: u64, b: u64| a == b || a == 0 || b == 0;
        self.filesystem == facts.filesystem
            && self.inode == facts.inode
            && same(self.generation, facts.generation)
            && same(self.birth as u64, facts.birth as u64)
    }
}

/// A source that is known, and how far it was read.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub known: KnownSource,
    pub mark: Mark,
}

/// The directory and the family of names that a file belongs to.
pub(crate) type Family = (PathBuf, String);

/// Directory and family of a path.
pub(crate) fn family_of(path: &Path) -> Family {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    (path.parent().unwrap_or(Path::new("")).to_owned(), family(&name))
}

/// Whether the file of a known source is neither where it was nor under another name of its family.
pub(crate) fn is_gone(fs: &dyn Fs, known: &Known) -> bool {
    let facts = &known.known.source.facts;
    let path = Path::new(&facts.path);
    let leads_there =
        |path: &Path| fs.metadata(path).is_ok_and(|metadata| FileId::of(&metadata).is_of(facts));
    if leads_there(path) {
        return false;
    }
    let of = family_of(path);
    let entries = fs.list(&of.0).unwrap_or_default();
    !entries.iter().any(|entry| !entry.is_dir && family_of(&entry.path) == of && leads_there(&entry.path))
}

/// Known sources.
#[derive(Default)]
pub(crate) struct Sources {
    all: HashMap<SourceId, Known>,
    inodes: HashMap<(u64, u64), Vec<SourceId>>,
    families: HashMap<Family, Vec<SourceId>>,
}

impl Sources {
    /// Of what the pipeline knows; sources that were not files are left out.
    pub(crate) fn new(known: Vec<KnownSource>) -> Self {
        let mut sources = Sources::default();
        for known in known {
            if let Some(mark) = Mark::read(&known.position) {
                sources.add(Known { known, mark });
            }
        }
        sources
    }

    pub(crate) fn add(&mut self, known: Known) {
        let facts = &known.known.source.facts;
        let id = known.known.source.id;
        if facts.inode != 0 {
            self.inodes.entry((facts.filesystem, facts.inode)).or_default().push(id);
        }
        self.families.entry(family_of(Path::new(&facts.path))).or_default().push(id);
        self.all.insert(id, known);
    }

    /// The source of this very file, if it is known.
    pub(crate) fn of_file(&self, file: &FileId) -> Option<&Known> {
        let ids = self.inodes.get(&(file.filesystem, file.inode))?;
        // Where several match for want of better facts, the one seen last is the likeliest.
        ids.iter().rev().filter_map(|id| self.all.get(id)).find(|known| file.is_of(&known.known.source.facts))
    }

    /// Sources whose file was in this family.
    pub(crate) fn of_family<'a>(&'a self, family: &Family) -> impl Iterator<Item = &'a Known> {
        let ids = self.families.get(family).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| self.all.get(id))
    }

    /// Takes out a source, to follow it.
    pub(crate) fn take(&mut self, id: SourceId) -> Option<Known> {
        let known = self.all.remove(&id)?;
        let facts = &known.known.source.facts;
        if let Some(ids) = self.inodes.get_mut(&(facts.filesystem, facts.inode)) {
            ids.retain(|other| *other != id);
        }
        if let Some(ids) = self.families.get_mut(&family_of(Path::new(&facts.path))) {
            ids.retain(|other| *other != id);
        }
        Some(known)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Known> {
        self.all.values()
    }
}
