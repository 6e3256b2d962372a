//! Steps through the frames of one file with a buffer of bounded size. Knows nothing of the other files.

use std::io;
use std::path::Path;

use bytes::Bytes;
use sawlog_sys::{File, Fs, Open};

use crate::format::{self, Decoded, FILE_HEADER, FRAME_HEADER};
use crate::{Frame, Lsn};

/// How much is read at once, bytes; a larger frame is read alone.
const CHUNK: u64 = 256 << 10;
/// A payload up to this size, bytes, is copied, so that whoever keeps it does not keep a whole chunk.
const COPIED: usize = 4 << 10;

/// Why there is no next frame.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The disk said no.
    Io(io::Error),
    /// The bytes are no frame.
    Bad(&'static str),
    /// The file ends there.
    End,
}

/// A place in a file.
pub(crate) struct Scan {
    pub file: Box<dyn File>,
    first: Lsn,
    chunk: Bytes,
    /// Position of the first byte of `chunk`.
    chunk_at: Lsn,
}

impl Scan {
    /// Opens the file that begins at `first`.
    pub(crate) fn open(fs: &dyn Fs, path: &Path, how: Open, first: Lsn) -> io::Result<Self> {
        let file = fs.open(path, how)?;
        let mut header = [0; FILE_HEADER];
        match file.read_exact_at(&mut header, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(error),
        }
        if let Some(version) = format::foreign_version(&header) {
            let said = format!(
                "{} has format {version}, which this version cannot read; use the one that wrote it to empty the \
                 journal, or move the file away and import the logs again",
                path.display()
            );
            return Err(io::Error::new(io::ErrorKind::Unsupported, said));
        }
        Ok(Scan { file, first, chunk: Bytes::new(), chunk_at: first })
    }

    /// Position after the last byte of the file.
    pub(crate) fn physical_end(&self) -> io::Result<Lsn> {
        Ok(format::end_of_file(self.first, self.file.metadata()?.len))
    }

    /// Bytes of the file that it holds.
    pub(crate) fn held(&self) -> usize {
        self.chunk.len()
    }

    /// The frame at `at`; none of its bytes lies at or after `limit`.
    pub(crate) fn frame(&mut self, at: Lsn, limit: Lsn) -> Result<Frame, Trouble> {
        let (start, span) = self.locate(at, limit)?;
        let payload = start + span.payload.start..start + span.payload.end;
        let payload = if payload.len() <= COPIED {
            Bytes::copy_from_slice(&self.chunk[payload])
        } else {
            self.chunk.slice(payload)
        };
        let next = Lsn(at.0 + span.payload.end as u64);
        Ok(Frame { lsn: at, next, kind: span.kind, lane: span.lane, payload })
    }

    /// Where the frame at `at` ends.
    pub(crate) fn skip(&mut self, at: Lsn, limit: Lsn) -> Result<Lsn, Trouble> {
        let (_, span) = self.locate(at, limit)?;
        Ok(Lsn(at.0 + span.payload.end as u64))
    }

    /// The frame at `at` and its beginning in the chunk.
    fn locate(&mut self, at: Lsn, limit: Lsn) -> Result<(usize, format::Span), Trouble> {
        loop {
            let start = at.0.checked_sub(self.chunk_at.0).filter(|start| *start <= self.chunk.len() as u64);
            let start = match start {
                Some(start) => start as usize,
                None => {
                    self.fill(at, limit, FRAME_HEADER)?;
                    0
                }
            };
            match format::decode_frame(&self.chunk[start..], at) {
                Decoded::Frame(span) => return Ok((start, span)),
                Decoded::Need(bytes) => self.fill(at, limit, bytes)?,
                Decoded::Bad(why) => return Err(Trouble::Bad(why)),
            }
        }
    }

    /// Reads a chunk that begins at `at` and has `need` bytes or more. The file may end before `limit`.
    fn fill(&mut self, at: Lsn, limit: Lsn, need: usize) -> Result<(), Trouble> {
        let left = limit.0 - at.0;
        let offset = at.0 - self.first.0 + FILE_HEADER as u64;
        let mut chunk = vec![0; left.min(CHUNK.max(need as u64)) as usize];
        let mut read = 0;
        while read < chunk.len() {
            match self.file.read_at(&mut chunk[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Trouble::Io(error)),
            }
        }
        if read < need {
            return Err(if read == 0 { Trouble::End } else { Trouble::Bad("a frame is cut off") });
        }
        chunk.truncate(read);
        self.chunk = chunk.into();
        self.chunk_at = at;
        Ok(())
    }
}
