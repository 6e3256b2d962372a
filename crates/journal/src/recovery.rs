//! Finds the end of a journal after a clean stop or a crash. Knows nothing of appending.
//!
//! Only the last file is searched: a file is begun at the end of what is durable, so all before it was whole then (of
//! the others the length is looked at). In the last file the longest prefix of good frames is kept. Nothing is written over or cut: the next append begins a
//! new file at the end of that prefix, and the beginning of a file ends the one before it. That holds at every crash
//! point: before the new file's name is durable the old one is found again as it was, and after it the dropped bytes
//! are out of sight, whatever the disk makes of them.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use sawlog_sys::{Fs, Open};

use crate::scan::{Scan, Trouble};
use crate::{Lsn, Recovered, format};

/// Where the first frame of a new journal stands, so that zero can mean "from the beginning".
const ORIGIN: Lsn = Lsn(1);

/// The files of a journal by their first positions, its end, and what was dropped.
pub(crate) struct Found {
    pub files: VecDeque<Lsn>,
    pub end: Lsn,
    pub recovered: Recovered,
}

/// Looks into `dir`; with [`Open::Read`] as what it is, without changing anything there.
pub(crate) fn recover(fs: &dyn Fs, dir: &Path, how: Open) -> io::Result<Found> {
    let mut files: Vec<Lsn> =
        fs.list(dir)?.iter().filter_map(|entry| format::first_of(&entry.path)).collect();
    files.sort_unstable();
    let (mut end, mut recovered) = (ORIGIN, Recovered::default());
    if let Some(&last) = files.last() {
        (end, recovered) = search(fs, dir, last, how)?;
        for pair in files.windows(2) {
            find_hole(fs, dir, pair[0], pair[1], &mut recovered)?;
        }
        if how != Open::Read {
            // What was found is about to be shown and built upon, so it must not go with the next loss of power.
            fs.sync_dir(dir)?;
        }
    }
    Ok(Found { files: files.into(), end, recovered })
}

/// Says where a file ends before the next one begins. It takes a disk that forgets what it said was durable: frames
/// are gone, or a file that was trimmed is back.
fn find_hole(fs: &dyn Fs, dir: &Path, first: Lsn, next: Lsn, recovered: &mut Recovered) -> io::Result<()> {
    let path = format::file_path(dir, first);
    let len = match fs.metadata(&path) {
        Ok(metadata) => metadata.len,
        // Its writer trimmed it since; this is a reader beside it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let end = format::end_of_file(first, len);
    if end < next {
        recovered.dropped_bytes += next.0 - end.0;
        recovered.reason =
            Some(format!("nothing is kept between {} and position {}", path.display(), next.0));
    }
    Ok(())
}

/// The end of the good frames of the last file.
fn search(fs: &dyn Fs, dir: &Path, first: Lsn, how: Open) -> io::Result<(Lsn, Recovered)> {
    let path = format::file_path(dir, first);
    let mut scan = Scan::open(fs, &path, how, first)?;
    let limit = scan.physical_end()?;
    let (mut end, mut recovered) = (first, Recovered::default());
    while end < limit {
        match scan.skip(end, limit) {
            Ok(next) => {
                end = next;
                recovered.frames += 1;
            }
            Err(Trouble::Io(error)) => return Err(error),
            Err(trouble @ (Trouble::Bad(_) | Trouble::End)) => {
                let why = if let Trouble::Bad(why) = trouble { why } else { "the file ends" };
                recovered.dropped_bytes = limit.0 - end.0;
                recovered.reason = Some(format!("{why} at position {} in {}", end.0, path.display()));
                break;
            }
        }
    }
    if how != Open::Read {
        scan.file.sync()?;
    }
    Ok((end, recovered))
}
