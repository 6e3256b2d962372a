//! The file of a segment in the making, written from its beginning to its end as bytes come. Knows nothing of what they
//! mean.

use std::io;

use sawlog_sys::File;

/// So many bytes are gathered before they are written.
const GATHERED: usize = 256 << 10;

/// A file that is written on and on. What fails is told at the end, since nothing can be done about it before.
pub(super) struct Out {
    file: Box<dyn File>,
    gathered: Vec<u8>,
    /// Where the gathered bytes begin.
    at: u64,
    failed: Option<io::Error>,
}

impl Out {
    /// One over an empty file.
    pub(super) fn new(file: Box<dyn File>) -> Out {
        Out { file, gathered: Vec::new(), at: 0, failed: None }
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> u64 {
        self.at + self.gathered.len() as u64
    }

    /// Appends bytes.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        if self.gathered.len() + bytes.len() > GATHERED {
            self.write();
        }
        self.gathered.extend_from_slice(bytes);
    }

    fn write(&mut self) {
        if self.failed.is_none() {
            self.failed = self.file.write_at(&self.gathered, self.at).err();
        }
        self.at += self.gathered.len() as u64;
        self.gathered.clear();
    }

    /// Makes all of it durable; gives its length.
    ///
    /// # Errors
    /// Of the first that failed.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.write();
        match self.failed {
            Some(error) => Err(error),
            None => self.file.sync().map(|()| self.at),
        }
    }
}
