//! What the simulated disk holds: of each file and directory what is seen, what is durable, and the changes between.
//! Knows nothing of calls that fail or crash.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path};

use super::Dice;
use super::Tail;
use crate::Metadata;

/// Bytes that reach the disk together or not at all.
const SECTOR: usize = 512;
const ROOT: Id = Id(0);

/// A file or directory, for ever; its inode number may be given to another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Id(u64);

#[derive(Clone)]
pub(super) struct Disk {
    nodes: BTreeMap<Id, Node>,
    last_id: u64,
    /// Order of all changes.
    last_change: u64,
}

#[derive(Clone)]
struct Node {
    number: u64,
    links: u64,
    birth: i64,
    modified: i64,
    body: Body,
}

#[derive(Clone)]
enum Body {
    File { seen: Vec<u8>, durable: Vec<u8>, pending: Vec<(u64, Change)> },
    Dir { seen: Names, durable: Names, pending: Vec<(u64, OsString, Option<Id>)> },
}

type Names = BTreeMap<OsString, Id>;

#[derive(Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Len(usize),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Change::Len(len) => to.resize(*len, 0),
            Change::Write { at, bytes } => put(to, *at, bytes),
        }
    }
}

fn put(to: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if to.len() < end {
        to.resize(end, 0);
    }
    to[at..end].copy_from_slice(bytes);
}

fn error(kind: io::ErrorKind) -> io::Error {
    kind.into()
}

impl Default for Disk {
    fn default() -> Self {
        let root = Node { number: 2, links: 1, birth: 0, modified: 0, body: Disk::empty_dir() };
        Disk { nodes: BTreeMap::from([(ROOT, root)]), last_id: 0, last_change: 0 }
    }
}

impl Disk {
    fn empty_dir() -> Body {
        Body::Dir { seen: Names::new(), durable: Names::new(), pending: Vec::new() }
    }

    /// The file or directory at a path.
    pub(super) fn find(&self, path: &Path) -> io::Result<Id> {
        let mut at = ROOT;
        for part in path.components() {
            match part {
                Component::Normal(name) => {
                    at = *self.names(at)?.get(name).ok_or_else(|| error(io::ErrorKind::NotFound))?;
                }
                Component::RootDir | Component::CurDir => {}
                _ => return Err(error(io::ErrorKind::Unsupported)),
            }
        }
        Ok(at)
    }

    /// The directory of a path and the name in it.
    fn parent(&self, path: &Path) -> io::Result<(Id, OsString)> {
        let name = path.file_name().ok_or_else(|| error(io::ErrorKind::InvalidInput))?;
        let parent = self.find(path.parent().unwrap_or(Path::new("")))?;
        self.names(parent)?;
        Ok((parent, name.to_owned()))
    }

    /// The names seen in a directory.
    pub(super) fn names(&self, dir: Id) -> io::Result<&Names> {
        match &self.nodes[&dir].body {
            Body::Dir { seen, .. } => Ok(seen),
            Body::File { .. } => Err(error(io::ErrorKind::NotADirectory)),
        }
    }

    pub(super) fn is_dir(&self, id: Id) -> bool {
        matches!(self.nodes[&id].body, Body::Dir { .. })
    }

    /// The bytes seen in a file.
    pub(super) fn bytes(&self, file: Id) -> io::Result<&[u8]> {
        match &self.nodes[&file].body {
            Body::File { seen, .. } => Ok(seen),
            Body::Dir { .. } => Err(error(io::ErrorKind::IsADirectory)),
        }
    }

    pub(super) fn metadata(&self, id: Id) -> Metadata {
        let node = &self.nodes[&id];
        let is_dir = self.is_dir(id);
        Metadata {
            len: self.bytes(id).map_or(0, |bytes| bytes.len() as u64),
            is_dir,
            is_file: !is_dir,
            filesystem: 1,
            inode: node.number,
            generation: id.0 + 1,
            birth: node.birth,
            modified: node.modified,
            links: node.links,
        }
    }

    /// Bytes of all files that have a name.
    pub(super) fn used(&self) -> u64 {
        let named = self.nodes.iter().filter(|(_, node)| node.links > 0);
        named.map(|(id, _)| self.bytes(*id).map_or(0, |bytes| bytes.len() as u64)).sum()
    }

    /// The lowest inode number that is free, as ext4 gives it.
    fn free_number(&self) -> u64 {
        let taken: BTreeSet<u64> =
            self.nodes.values().filter(|node| node.links > 0).map(|node| node.number).collect();
        (11..).find(|number| !taken.contains(number)).unwrap_or_default()
    }

    fn make(&mut self, body: Body, now: i64) -> Id {
        let number = self.free_number();
        self.last_id += 1;
        let id = Id(self.last_id);
        self.nodes.insert(id, Node { number, links: 0, birth: now, modified: now, body });
        id
    }

    fn node(&mut self, id: Id) -> &mut Node {
        self.nodes.get_mut(&id).expect("a node is never removed while the machine runs")
    }

    fn next_change(&mut self) -> u64 {
        self.last_change += 1;
        self.last_change
    }

    /// Lets a name lead to `to`, unsynced.
    fn name(&mut self, change: u64, dir: Id, name: &OsString, to: Option<Id>) {
        let Body::Dir { seen, pending, .. } = &mut self.node(dir).body else { return };
        let before = match to {
            Some(to) => seen.insert(name.clone(), to),
            None => seen.remove(name),
        };
        pending.push((change, name.clone(), to));
        if let Some(before) = before {
            self.node(before).links -= 1;
        }
        if let Some(to) = to {
            self.node(to).links += 1;
        }
    }

    pub(super) fn make_file(&mut self, path: &Path, now: i64) -> io::Result<Id> {
        let (dir, name) = self.parent(path)?;
        let file = self.make(Body::File { seen: Vec::new(), durable: Vec::new(), pending: Vec::new() }, now);
        let change = self.next_change();
        self.name(change, dir, &name, Some(file));
        Ok(file)
    }

    /// Makes a directory, durably.
    pub(super) fn make_dir(&mut self, path: &Path, now: i64) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        let made = self.make(Self::empty_dir(), now);
        self.node(made).links = 1;
        if let Body::Dir { seen, durable, .. } = &mut self.node(parent).body {
            seen.insert(name.clone(), made);
            durable.insert(name, made);
        }
        Ok(())
    }

    pub(super) fn link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let file = self.find(from)?;
        self.bytes(file)?;
        let (dir, name) = self.parent(to)?;
        if self.names(dir)?.contains_key(&name) {
            return Err(error(io::ErrorKind::AlreadyExists));
        }
        let change = self.next_change();
        self.name(change, dir, &name, Some(file));
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let moved = self.find(from)?;
        let ((from_dir, from_name), (to_dir, to_name)) = (self.parent(from)?, self.parent(to)?);
        if let Some(there) = self.names(to_dir)?.get(&to_name).copied() {
            match (self.is_dir(moved), self.is_dir(there)) {
                _ if there == moved => return Ok(()),
                (true, false) => return Err(error(io::ErrorKind::NotADirectory)),
                (false, true) => return Err(error(io::ErrorKind::IsADirectory)),
                (true, true) if !self.names(there)?.is_empty() => {
                    return Err(error(io::ErrorKind::DirectoryNotEmpty));
                }
                _ => {}
            }
        }
        let change = self.next_change();
        self.name(change, to_dir, &to_name, Some(moved));
        self.name(change, from_dir, &from_name, None);
        Ok(())
    }

    pub(super) fn unlink(&mut self, path: &Path) -> io::Result<()> {
        self.bytes(self.find(path)?)?;
        self.remove_name(path)
    }

    pub(super) fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        if !self.names(self.find(path)?)?.is_empty() {
            return Err(error(io::ErrorKind::DirectoryNotEmpty));
        }
        self.remove_name(path)
    }

    fn remove_name(&mut self, path: &Path) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        let change = self.next_change();
        self.name(change, dir, &name, None);
        Ok(())
    }

    pub(super) fn write(&mut self, file: Id, at: usize, bytes: &[u8], now: i64) {
        self.change(file, Change::Write { at, bytes: bytes.to_vec() }, now);
    }

    pub(super) fn set_len(&mut self, file: Id, len: usize, now: i64) {
        self.change(file, Change::Len(len), now);
    }

    fn change(&mut self, file: Id, change: Change, now: i64) {
        let order = self.next_change();
        let node = self.node(file);
        node.modified = now;
        if let Body::File { seen, pending, .. } = &mut node.body {
            change.apply(seen);
            pending.push((order, change));
        }
    }

    /// Makes a file's bytes durable.
    pub(super) fn sync(&mut self, file: Id) {
        if let Body::File { durable, pending, .. } = &mut self.node(file).body {
            for (_, change) in pending.drain(..) {
                change.apply(durable);
            }
        }
    }

    /// Forgets a file's unsynced bytes, as a failed sync does; they may still be `visible` until the machine stops.
    pub(super) fn drop_unsynced(&mut self, file: Id, visible: bool) {
        if let Body::File { seen, durable, pending } = &mut self.node(file).body {
            pending.clear();
            if !visible {
                seen.clone_from(durable);
            }
        }
    }

    /// Makes a directory's names durable. A rename into or out of it is durable at its other end too.
    pub(super) fn sync_dir(&mut self, dir: Id) -> io::Result<()> {
        self.names(dir)?;
        let Body::Dir { durable, pending, .. } = &mut self.node(dir).body else { return Ok(()) };
        let synced = std::mem::take(pending);
        for (_, name, to) in &synced {
            point(durable, name, *to);
        }
        let changes: BTreeSet<u64> = synced.iter().map(|(change, ..)| *change).collect();
        for node in self.nodes.values_mut() {
            let Body::Dir { durable, pending, .. } = &mut node.body else { continue };
            let other_ends: Vec<_> =
                pending.iter().filter(|(change, ..)| changes.contains(change)).cloned().collect();
            for (at, name, to) in other_ends {
                point(durable, &name, to);
                pending.retain(|(change, other, _)| *change > at || *other != name);
            }
        }
        Ok(())
    }

    /// Forgets that a directory's names changed, as a failed sync does; they are seen until the machine stops.
    pub(super) fn drop_unsynced_names(&mut self, dir: Id) {
        if let Body::Dir { pending, .. } = &mut self.node(dir).body {
            pending.clear();
        }
    }

    /// The disk as the next start finds it.
    pub(super) fn after_crash(&self, tail: Tail, dice: &mut Dice) -> Disk {
        let mut disk = self.clone();
        let last_write = self.last_write();
        let mut survives = BTreeMap::new();
        for node in disk.nodes.values_mut() {
            match &mut node.body {
                Body::File { seen, durable, pending } => {
                    let pending = std::mem::take(pending);
                    let len = seen.len();
                    settle(durable, &pending, tail, last_write, dice);
                    // The new length may have reached the disk without the bytes.
                    if tail == Tail::Subset && !pending.is_empty() && durable.len() < len && dice.coin() {
                        durable.resize(len, 0);
                    }
                    seen.clone_from(durable);
                }
                Body::Dir { seen, durable, pending } => {
                    for (change, name, to) in std::mem::take(pending) {
                        let kept = match tail {
                            Tail::Lost => false,
                            Tail::Subset => *survives.entry(change).or_insert_with(|| dice.coin()),
                            Tail::Kept | Tail::Torn | Tail::Garbage => true,
                        };
                        if kept {
                            point(durable, &name, to);
                        }
                    }
                    seen.clone_from(durable);
                }
            }
        }
        disk.keep_reachable();
        disk
    }

    /// The last unsynced write of all files.
    fn last_write(&self) -> Option<u64> {
        let pending = self.nodes.values().filter_map(|node| match &node.body {
            Body::File { pending, .. } => Some(pending),
            Body::Dir { .. } => None,
        });
        let writes = pending.flatten().filter(|(_, change)| matches!(change, Change::Write { .. }));
        writes.map(|(order, _)| *order).max()
    }

    /// Removes what no name leads to and counts names anew.
    fn keep_reachable(&mut self) {
        let mut links: BTreeMap<Id, u64> = BTreeMap::from([(ROOT, 1)]);
        let mut to_visit = vec![ROOT];
        while let Some(id) = to_visit.pop() {
            let Ok(names) = self.names(id) else { continue };
            for below in names.values() {
                *links.entry(*below).or_insert(0) += 1;
                to_visit.push(*below);
            }
        }
        self.nodes.retain(|id, _| links.contains_key(id));
        for (id, node) in &mut self.nodes {
            node.links = links[id];
        }
    }
}

fn point(names: &mut Names, name: &OsString, to: Option<Id>) {
    match to {
        Some(to) => names.insert(name.clone(), to),
        None => names.remove(name),
    };
}

/// Applies to a file's durable bytes what a crash leaves of the pending changes.
fn settle(
    durable: &mut Vec<u8>,
    pending: &[(u64, Change)],
    tail: Tail,
    last_write: Option<u64>,
    dice: &mut Dice,
) {
    for (order, change) in pending {
        match (tail, change) {
            (Tail::Lost, _) => {}
            (Tail::Subset, Change::Len(_)) => {
                if dice.coin() {
                    change.apply(durable);
                }
            }
            (Tail::Subset, Change::Write { at, bytes }) => put_some_sectors(durable, *at, bytes, dice),
            (Tail::Torn, Change::Write { at, bytes }) if Some(*order) == last_write => {
                put(durable, *at, &bytes[..dice.below(bytes.len() + 1)]);
            }
            (Tail::Garbage, Change::Write { at, bytes }) => {
                let mut garbage = vec![0; bytes.len()];
                dice.fill(&mut garbage);
                put(durable, *at, &garbage);
            }
            (Tail::Kept | Tail::Torn | Tail::Garbage, _) => change.apply(durable),
        }
    }
}

fn put_some_sectors(to: &mut Vec<u8>, at: usize, bytes: &[u8], dice: &mut Dice) {
    let mut done = 0;
    while done < bytes.len() {
        let end = bytes.len().min(done + SECTOR - (at + done) % SECTOR);
        if dice.coin() {
            put(to, at + done, &bytes[done..end]);
        }
        done = end;
    }
}
