//! Puts batches of frames on stable storage: into the file at hand, or into a new one. Knows nothing of the threads
//! that wait for them.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use sawlog_sys::{File, Fs, Open};

use crate::Lsn;
use crate::format::{self, FILE_HEADER};
use crate::gather::{At, Gathered};

/// Writes the journal's files; used by one thread at a time.
pub(crate) struct Writer {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    file_bytes: u64,
    /// The file that takes the next batch. Every byte of it is on stable storage. `None` at the start (a file of an
    /// earlier run is never written again) and after a failure.
    current: Option<Current>,
}

struct Current {
    file: Box<dyn File>,
    len: u64,
}

impl Writer {
    pub(crate) fn new(fs: Arc<dyn Fs>, dir: PathBuf, file_bytes: u64) -> Self {
        Writer { fs, dir, file_bytes, current: None }
    }

    /// Lets the file at hand be: what comes next stands in another.
    pub(crate) fn leave(&mut self) {
        self.current = None;
    }

    /// Makes a batch durable. `bytes` are room for a file's header, then frames, the first of which stands at `first`,
    /// the end of all that is durable. Says whether a new file was begun.
    ///
    /// A file in which a write or fsync failed may hold anything after its last durable frame, and the system forgets
    /// that it could not write: so it is left for ever, and the batch is written anew, with the same positions, to a
    /// file that begins at `first`. The beginning of a file ends the one before it, so what the failed file holds from
    /// there on is never read again.
    pub(crate) fn commit(&mut self, bytes: &mut Gathered, first: Lsn) -> io::Result<bool> {
        let had_file = self.current.is_some();
        match self.attempt(bytes, first) {
            Err(_) if had_file => self.attempt(bytes, first),
            result => result,
        }
    }

    fn attempt(&mut self, bytes: &mut Gathered, first: Lsn) -> io::Result<bool> {
        let frames = (bytes.len() - FILE_HEADER) as u64;
        if let Some(mut current) = self.current.take()
            && current.len + frames <= self.file_bytes
        {
            let mut header = FILE_HEADER;
            let slices = bytes.slices(At::default()).map(|slice| {
                // The header's room is never of others: it is the beginning of the first slice.
                let slice = &slice[header..];
                header = 0;
                slice
            });
            write_all(&*current.file, slices, current.len)?;
            current.file.sync()?;
            current.len += frames;
            self.current = Some(current);
            return Ok(false);
        }
        self.begin_file(bytes, first)?;
        Ok(true)
    }

    /// Begins a file with a batch.
    fn begin_file(&mut self, bytes: &mut Gathered, first: Lsn) -> io::Result<()> {
        let path = format::file_path(&self.dir, first);
        // What bears this name is a beginning that failed: a frame that counts would have moved `first`.
        match self.fs.unlink(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = self.fs.open(&path, Open::New)?;
        format::write_file_header(&mut bytes.own_from(At::default())[..FILE_HEADER], first);
        let written = write_all(&*file, bytes.slices(At::default()), 0)
            .and_then(|()| file.sync())
            .and_then(|()| self.fs.sync_dir(&self.dir));
        if let Err(error) = written {
            drop(file);
            // Gives a full disk its bytes back; where it fails, the next beginning removes it.
            let _ = self.fs.unlink(&path);
            return Err(error);
        }
        self.current = Some(Current { file, len: bytes.len() as u64 });
        Ok(())
    }
}

/// Writes the slices one after the other, from `at` on.
fn write_all<'a>(file: &dyn File, slices: impl Iterator<Item = &'a [u8]>, mut at: u64) -> io::Result<()> {
    for slice in slices.filter(|slice| !slice.is_empty()) {
        file.write_at(slice, at)?;
        at += slice.len() as u64;
    }
    Ok(())
}
