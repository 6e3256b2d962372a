//! What must hold for any bytes at all that stand in a journal's directory: `fuzz/` feeds it what a fuzzer finds, a test what
//! a second of seeded damage gives. Knows nothing of what payloads mean.

use std::path::Path;
use std::sync::Arc;

use sawlog_sys::sim::World;
use sawlog_sys::{Fs, Open, Sys};

use crate::format::{self, Decoded, FILE_HEADER};
use crate::scan::{Scan, Trouble};
use crate::{Frame, FrameKind, Journal, JournalError, Lane, Lsn, Options};

/// Position of the first frame of a new journal.
const FIRST: Lsn = Lsn(1);
/// Most frames that a journal is made of before it is damaged.
const FRAMES: usize = 64;

/// Files of a journal as somebody, or a dying disk, left them. The first byte says of what kind the rest is: the bytes of one
/// file; a journal that was written and then damaged; or several files whose names are part of the bytes.
///
/// # Panics
/// Where recovery or a reader breaks, holds more memory than the files have bytes, keeps less than the longest good prefix of
/// the last file, gives a frame that does not stand there, or cannot append afterwards.
pub fn recovery(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let world = World::new(7);
    let (sys, dir) = (world.sys(), Path::new("/journal"));
    must(sys.fs.create_dir_all(dir));
    match kind % 3 {
        0 => write(&*sys.fs, &format::file_path(dir, FIRST), bytes),
        1 => written_and_damaged(&sys, dir, bytes),
        _ => several(&*sys.fs, dir, bytes),
    }
    check(&sys, dir);
}

/// Panics on an error, which a world without faults does not make.
fn must<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

fn write(fs: &dyn Fs, path: &Path, bytes: &[u8]) {
    let file = must(fs.open(path, Open::Create));
    must(file.write_at(bytes, 0));
    must(file.sync());
}

/// Appends frames whose sizes and contents are in the bytes, then changes as many bytes of the last file as are left.
fn written_and_damaged(sys: &Sys, dir: &Path, mut bytes: &[u8]) {
    let options = Options { file_bytes: 4096, ..Options::default() };
    let (journal, _) = must(Journal::open(sys, dir, options));
    for _ in 0..FRAMES {
        let [size, sequence, rest @ ..] = bytes else { break };
        let (payload, rest) = rest.split_at(rest.len().min(usize::from(*size)));
        let lane = Lane { sequence: u64::from(*sequence), ..Lane::default() };
        let kind = if size % 2 == 0 { FrameKind::Data } else { FrameKind::Cursor };
        must(journal.append(kind, lane, |_, out| out.extend_from_slice(payload)));
        bytes = rest;
        if size % 16 == 0 {
            break;
        }
    }
    drop(journal);
    let Some(path) = logs(sys, dir).pop() else { return };
    let mut content = read(sys, &path);
    for change in bytes.chunks_exact(3) {
        let at = usize::from(change[0]) << 8 | usize::from(change[1]);
        match content.len() {
            0 => break,
            len if change[2] == 0 => content.truncate(at % len),
            len => content[at % len] ^= change[2],
        }
    }
    must(sys.fs.unlink(&path));
    write(&*sys.fs, &path, &content);
}

/// Each file: eight bytes of its first position, one of its length, its content.
fn several(fs: &dyn Fs, dir: &Path, mut bytes: &[u8]) {
    while let [p0, p1, p2, p3, p4, p5, p6, p7, len, rest @ ..] = bytes {
        let first = Lsn(u64::from_le_bytes([*p0, *p1, *p2, *p3, *p4, *p5, *p6, *p7]));
        let (content, rest) = rest.split_at(rest.len().min(usize::from(*len)));
        write(fs, &format::file_path(dir, first), content);
        bytes = rest;
    }
}

/// The journal's files, in order.
fn logs(sys: &Sys, dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = must(sys.fs.list(dir)).into_iter().map(|entry| entry.path);
    entries.filter(|path| format::first_of(path).is_some()).collect()
}

fn read(sys: &Sys, path: &Path) -> Vec<u8> {
    let file = must(sys.fs.open(path, Open::Read));
    let mut content = vec![0; must(file.metadata()).len as usize];
    must(file.read_exact_at(&mut content, 0));
    content
}

fn check(sys: &Sys, dir: &Path) {
    let files = logs(sys, dir);
    let last = files.last().and_then(|path| Some((format::first_of(path)?, read(sys, path))));
    let beside = Journal::read_only(sys, dir).map(|frames| frames.collect::<Vec<_>>());
    let opened = Journal::open(sys, dir, Options::default());
    let Ok((journal, recovered)) = opened else {
        assert!(beside.is_err(), "a reader opens what a writer does not");
        return;
    };
    let mut frames = gather(journal.read(Lsn::default()));
    assert_eq!(gather(must(beside).into_iter()), frames, "a reader beside it sees something else");
    if let Some((first, content)) = &last {
        let good = prefix(*first, content);
        assert_eq!(recovered.frames, good.len() as u64, "not the longest good prefix");
        let kept: Vec<&Frame> = frames.iter().filter(|frame| frame.lsn >= *first).collect();
        assert_eq!(kept, good.iter().collect::<Vec<_>>(), "not what stands there");
        bounded(sys, &format::file_path(dir, *first), *first, content.len());
    }
    let added = journal.append(FrameKind::Data, Lane::default(), |_, out| out.extend_from_slice(b"more"));
    let Ok(added) = added else { return };
    drop(journal);
    let (journal, _) = must(Journal::open(sys, dir, Options::default()));
    let again = gather(journal.read(Lsn::default()));
    frames.extend(again.last().cloned());
    assert_eq!(again, frames, "what was kept is not what is kept after a restart");
    assert_eq!(again.last().map(|frame| (frame.lsn, &frame.payload[..])), Some((added, &b"more"[..])));
}

fn gather(frames: impl Iterator<Item = Result<Frame, JournalError>>) -> Vec<Frame> {
    frames.filter_map(Result::ok).collect()
}

/// The good frames at the beginning of a file's content, read all at once.
fn prefix(first: Lsn, content: &[u8]) -> Vec<Frame> {
    let (mut frames, mut at) = (Vec::new(), FILE_HEADER);
    while let Some(rest) = content.get(at..) {
        let lsn = Lsn(first.0 + (at - FILE_HEADER) as u64);
        let Decoded::Frame(span) = format::decode_frame(rest, lsn) else { break };
        let next = Lsn(lsn.0 + span.payload.end as u64);
        let payload = bytes::Bytes::copy_from_slice(&rest[span.payload.clone()]);
        frames.push(Frame { lsn, next, kind: span.kind, lane: span.lane, payload });
        at += span.payload.end;
    }
    frames
}

/// Steps over the file and looks how much memory that takes: whatever a frame claims, no more than the file has.
fn bounded(sys: &Sys, path: &Path, first: Lsn, len: usize) {
    let fs: Arc<dyn Fs> = Arc::clone(&sys.fs);
    let mut scan = must(Scan::open(&*fs, path, Open::Read, first));
    let limit = must(scan.physical_end());
    let mut at = first;
    while at < limit {
        let next = scan.skip(at, limit);
        assert!(scan.held() <= len, "{} bytes are held of {len}", scan.held());
        at = match next {
            Ok(next) => next,
            Err(Trouble::End | Trouble::Bad(_)) => return,
            Err(Trouble::Io(error)) => panic!("{error}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sawlog_sys::sim::{Dice, withstand};

    use super::*;

    /// A file with three frames, the last of which is larger than what is read at once.
    fn file() -> Vec<u8> {
        let world = World::new(3);
        let (journal, _) = must(Journal::open(&world.sys(), Path::new("/j"), Options::default()));
        for payload in [b"one".to_vec(), b"another".repeat(900), vec![b'x'; 300 << 10]] {
            must(journal.append(FrameKind::Data, Lane::default(), |_, out| out.extend_from_slice(&payload)));
        }
        read(&world.sys(), &logs(&world.sys(), Path::new("/j"))[0])
    }

    fn seeds() -> Vec<Vec<u8>> {
        let small = [&[0], &file()[..7000]].concat();
        let frames: Vec<u8> = (0..200).map(|number: u8| number.wrapping_mul(37)).collect();
        let position =
            |first: u64, content: &[u8]| [&first.to_le_bytes()[..], &[content.len() as u8], content].concat();
        let whole = &file()[..FILE_HEADER + 15];
        let names = [position(1, whole), position(16, whole), position(u64::MAX, whole)].concat();
        vec![small, [&[0], &file()[..]].concat(), [&[1], &frames[..]].concat(), [&[2], &names[..]].concat()]
    }

    #[test]
    fn the_checks_see_what_is_there() {
        let frames = prefix(FIRST, &file());
        assert_eq!(frames.iter().map(|frame| frame.payload.len()).collect::<Vec<_>>(), [3, 6300, 300 << 10]);
    }

    #[test]
    fn seeded_damage_breaks_nothing() {
        withstand("recovery", recovery, &seeds(), &mut Dice(5), Duration::from_secs(1));
    }
}
