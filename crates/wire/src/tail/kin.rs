//! How a file that is not known by its inode relates to sources that are: the continuation of one whose own file is gone
//! (rotated and compressed, copied to another disk), a copy of one (copytruncate), or nothing to do with any. Told by
//! the bytes alone. Knows nothing of names, directories or time.

use std::io;

use sawlog_model::SourceId;

use super::follower::{Follower, read_full};
use super::hash::RunningHash;
use super::mark::{Anchor, Head, Mark};
use super::pack::{Content, Packing};
use super::sources::Known;

/// As many first bytes are compared while a file may still be written.
const GLANCE: u64 = 1 << 20;
const PIECE: usize = 256 << 10;

/// What a file is to known sources.
#[derive(Debug, PartialEq)]
pub(crate) enum Kin {
    /// A source of its own.
    New,
    /// More of this source, whose own file is gone.
    Continues(SourceId),
    /// A copy of a source's file, or of what was one: what it has beyond this mark is read as a source of its own.
    Copy(Box<Mark>),
    /// It says what a followed file says.
    Mirror,
    /// It is still being written: that cannot be told yet.
    Unclear,
}

/// A file to be told about.
pub(crate) struct Candidate<'a> {
    pub content: &'a Content,
    /// Length of the file itself.
    pub len: u64,
    /// It was not written to for a while.
    pub quiet: bool,
    /// Its first bytes.
    pub first: Vec<u8>,
}

enum Fit {
    Yes(RunningHash),
    No,
    Unclear,
}

impl Candidate<'_> {
    /// Whether it is worth finding out if the file of this source is gone.
    pub(crate) fn may_continue(&self, known: &Known) -> bool {
        let mark = &known.mark;
        let heads = mark.ended.iter().map(|ended| &ended.head).chain([&mark.head]);
        heads.into_iter().any(|head| self.first.len() < usize::from(head.len) || head.begins(&self.first))
    }

    /// Whether its first `len` bytes have this hash; the head decides most cases at once.
    fn begins_with(&self, len: u64, hash: u128, head: &Head) -> io::Result<Fit> {
        let short = if self.quiet { Fit::No } else { Fit::Unclear };
        if len == 0 {
            return Ok(Fit::No);
        }
        if !head.begins(&self.first) {
            return Ok(if self.first.len() < usize::from(head.len) { short } else { Fit::No });
        }
        if self.content.packing == Packing::Plain && self.len < len {
            return Ok(short);
        }
        Ok(match self.content.hash_of_first(len)? {
            Some(found) if found.value() == hash => Fit::Yes(found),
            Some(_) => Fit::No,
            None => short,
        })
    }

    /// The mark of a copy of `mark`'s epoch, up to its offset.
    fn copy_of(&self, mark: &Mark) -> io::Result<Option<Kin>> {
        let fit = self.begins_with(mark.offset, mark.hash.value(), &mark.head)?;
        self.as_copy(fit, mark.offset, mark.head)
    }

    fn as_copy(&self, fit: Fit, offset: u64, head: Head) -> io::Result<Option<Kin>> {
        Ok(match fit {
            Fit::Yes(hash) => {
                let bytes = before(self.content, offset)?;
                let anchor = Anchor::of(&bytes);
                Some(Kin::Copy(Box::new(Mark { offset, hash, head, anchor, ..Mark::default() })))
            }
            Fit::Unclear => Some(Kin::Unclear),
            Fit::No => None,
        })
    }

    fn copy_of_ended(&self, mark: &Mark) -> io::Result<Option<Kin>> {
        for ended in mark.ended.iter().rev() {
            let fit = self.begins_with(ended.len, ended.hash, &ended.head)?;
            if let Some(kin) = self.as_copy(fit, ended.len, ended.head)? {
                return Ok(Some(kin));
            }
        }
        Ok(None)
    }

    /// Whether it is, so far, byte for byte the beginning of the followed file.
    fn mirrors(&self, follower: &Follower) -> io::Result<bool> {
        let len = if self.quiet { self.len } else { self.len.min(GLANCE) };
        if self.content.packing != Packing::Plain || follower.metadata()?.len < len {
            return Ok(false);
        }
        let (mut mine, mut other) = (vec![0; PIECE], vec![0; PIECE]);
        let mut at = 0;
        while at < len {
            let size = PIECE.min((len - at) as usize);
            let read = read_full(&**self.content.file(), &mut mine[..size], at)?;
            let there = read_full(follower.file(), &mut other[..size], at)?;
            if read != there || mine[..read] != other[..read] {
                return Ok(false);
            }
            if read == 0 {
                break;
            }
            at += read as u64;
        }
        Ok(true)
    }
}

/// The bytes before `offset` of something that may be compressed, at most an anchor's length.
pub(crate) fn before(content: &Content, offset: u64) -> io::Result<Vec<u8>> {
    let len = offset.min(super::mark::ANCHOR as u64);
    let mut bytes = vec![0; len as usize];
    if content.packing == Packing::Plain {
        let read = read_full(&**content.file(), &mut bytes, offset - len)?;
        bytes.truncate(read);
        return Ok(bytes);
    }
    let mut stream = content.stream()?;
    stream.skip(offset - len)?;
    let read = stream.fill(&mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Tells what the candidate is to sources whose own file is gone and to files that are followed.
pub(crate) fn relate<'a>(
    candidate: &Candidate<'_>,
    gone: impl Iterator<Item = &'a Known>,
    followed: impl Iterator<Item = &'a Follower>,
) -> io::Result<Kin> {
    let mut unclear = false;
    for known in gone {
        match candidate.begins_with(known.mark.offset, known.mark.hash.value(), &known.mark.head)? {
            Fit::Yes(_) => return Ok(Kin::Continues(known.known.source.id)),
            Fit::Unclear => unclear = true,
            Fit::No => {}
        }
        match candidate.copy_of_ended(&known.mark)? {
            Some(Kin::Unclear) => unclear = true,
            Some(copy) => return Ok(copy),
            None => {}
        }
    }
    for follower in followed {
        match candidate.copy_of_ended(follower.mark())? {
            Some(Kin::Unclear) => unclear = true,
            Some(copy) => return Ok(copy),
            None => {}
        }
        let mark = follower.mark();
        let begins_alike = candidate.begins_with(mark.offset, mark.hash.value(), &mark.head)?;
        if candidate.mirrors(follower)? {
            return Ok(if candidate.quiet && candidate.len > 0 { Kin::Mirror } else { Kin::Unclear });
        }
        // Where it has what was read of the followed file and that has not, the truncation was not noticed yet.
        unclear |= !matches!(begins_alike, Fit::No) && follower.is_truncated()?;
    }
    Ok(if unclear { Kin::Unclear } else { Kin::New })
}

/// Tells whether the candidate is a copy of the epoch that stands at `mark` and is about to end, made before the file was
/// truncated.
pub(crate) fn is_copy_of(candidate: &Candidate<'_>, mark: &Mark) -> io::Result<Option<Box<Mark>>> {
    Ok(match candidate.copy_of(mark)? {
        Some(Kin::Copy(mark)) => Some(mark),
        _ => None,
    })
}
