//! Reads frames in order over all files, also while others are appended or trimmed. Knows nothing of writing.

use std::io;
use std::sync::Arc;

use sawlog_sys::Open;

use crate::group::Inner;
use crate::scan::{Scan, Trouble};
use crate::{Frame, JournalError, Lsn, format};

/// Durable frames in order, with a buffer of 256 KiB or one frame. Ends at what is durable at that moment and may be
/// asked again later. After an error it goes on with the next file. See [`crate::Journal::read`].
pub struct FrameIter {
    inner: Arc<Inner>,
    at: Lsn,
    file: Option<Opened>,
}

struct Opened {
    first: Lsn,
    /// Frames below it are durable in this file.
    limit: Lsn,
    scan: Scan,
}

impl FrameIter {
    pub(crate) fn new(inner: Arc<Inner>, from: Lsn) -> Self {
        FrameIter { inner, at: from, file: None }
    }

    fn step(&mut self) -> Result<Option<Frame>, JournalError> {
        if self.file.as_ref().is_none_or(|file| self.at >= file.limit) && !self.turn()? {
            return Ok(None);
        }
        let Some(file) = &mut self.file else { return Ok(None) };
        match file.scan.frame(self.at, file.limit) {
            Ok(frame) => {
                self.at = frame.next;
                Ok(Some(frame))
            }
            Err(trouble) => {
                let error = match trouble {
                    Trouble::Io(error) => error,
                    Trouble::Bad(why) => {
                        let path = format::file_path(&self.inner.dir, file.first);
                        let said = format!("{why} at position {} in {}", self.at.0, path.display());
                        io::Error::new(io::ErrorKind::InvalidData, said)
                    }
                };
                self.at = file.limit;
                Err(self.inner.failed(error))
            }
        }
    }

    /// Turns to the file that has the frame at `self.at`; false at the end.
    fn turn(&mut self) -> Result<bool, JournalError> {
        loop {
            let Some((first, limit)) = self.inner.file_at(&mut self.at) else { return Ok(false) };
            if let Some(file) = self.file.as_mut().filter(|file| file.first == first) {
                file.limit = limit;
                return Ok(true);
            }
            let path = format::file_path(&self.inner.dir, first);
            match Scan::open(&*self.inner.fs, &path, Open::Read, first) {
                Ok(scan) => {
                    self.file = Some(Opened { first, limit, scan });
                    return Ok(true);
                }
                // It was trimmed since.
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.inner.start() > first => {}
                Err(error) => {
                    self.at = limit;
                    return Err(self.inner.failed(error));
                }
            }
        }
    }
}

impl Iterator for FrameIter {
    type Item = Result<Frame, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
