//! Reads frames in order over all files, also while others are appended or trimmed. Knows nothing of writing.

use std::io;
use std::sync::Arc;

use sawlog_sys::Open;

use crate::group::{Inner, Place};
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
    place: Place,
    scan: Scan,
}

impl FrameIter {
    pub(crate) fn new(inner: Arc<Inner>, from: Lsn) -> Self {
        FrameIter { inner, at: from, file: None }
    }

    fn step(&mut self) -> Result<Option<Frame>, JournalError> {
        loop {
            if self.file.as_ref().is_none_or(|file| self.at >= file.place.limit) && !self.turn()? {
                return Ok(None);
            }
            let Some(file) = &mut self.file else { return Ok(None) };
            let place = file.place;
            let error = match file.scan.frame(self.at, place.limit) {
                Ok(frame) => {
                    self.at = frame.next;
                    return Ok(Some(frame));
                }
                // The files between are gone; the start said so.
                Err(Trouble::End) if !place.is_last => None,
                Err(Trouble::End) => Some(self.damaged("the file ends", place.first)),
                Err(Trouble::Bad(why)) => Some(self.damaged(why, place.first)),
                Err(Trouble::Io(error)) => Some(error),
            };
            self.at = place.limit;
            if let Some(error) = error {
                return Err(self.inner.failed(error));
            }
        }
    }

    fn damaged(&self, why: &str, first: Lsn) -> io::Error {
        let path = format::file_path(&self.inner.dir, first);
        let said = format!("{why} at position {} in {}", self.at.0, path.display());
        io::Error::new(io::ErrorKind::InvalidData, said)
    }

    /// Turns to the file that has the frame at `self.at`; false at the end.
    fn turn(&mut self) -> Result<bool, JournalError> {
        loop {
            let Some(place) = self.inner.place(&mut self.at) else { return Ok(false) };
            if let Some(file) = self.file.as_mut().filter(|file| file.place.first == place.first) {
                file.place = place;
                return Ok(true);
            }
            let path = format::file_path(&self.inner.dir, place.first);
            match Scan::open(&*self.inner.fs, &path, Open::Read, place.first) {
                Ok(scan) => {
                    self.file = Some(Opened { place, scan });
                    return Ok(true);
                }
                // It was trimmed since.
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.inner.start() > place.first => {
                }
                Err(error) => {
                    self.at = place.limit;
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
