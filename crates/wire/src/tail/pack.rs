//! The bytes of a file, compressed or not: told apart by its first bytes, decompressed as they are read, in bounded
//! memory. Knows nothing of lines.

use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sawlog_sys::File;

use super::follower::read_full;
use super::hash::RunningHash;
use super::mark::HEAD;

/// Compressed bytes read at once.
const BUFFER: usize = 256 << 10;
/// Largest window of zstd as a power of two (128 MiB): what `zstd` without `--long` needs at most, whatever its level.
const ZSTD_WINDOW: u32 = 27;

/// How a file is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// gzip, of one or more members.
    Gzip,
    /// zstd, of one or more frames.
    Zstd,
    /// bzip2, of one or more streams.
    Bzip2,
    /// xz, of one or more streams.
    Xz,
}

impl Packing {
    /// By the first bytes of the file.
    pub fn of(first: &[u8]) -> Packing {
        // A frame that zstd readers skip may come first (pzstd, seekable files); its number is 0x184D2A50 to 5F.
        let skippable = first.len() >= 4 && first[0] & 0xf0 == 0x50 && first[1..4] == [0x2a, 0x4d, 0x18];
        match first {
            [0x1f, 0x8b, 0x08, ..] => Packing::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
            _ if skippable => Packing::Zstd,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..] => Packing::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0x00, ..] => Packing::Xz,
            _ => Packing::Plain,
        }
    }
}

/// A file whose bytes can be read from the beginning, any number of times.
#[derive(Clone)]
pub(crate) struct Content {
    file: Arc<dyn File>,
    pub packing: Packing,
}

/// Reads a file from its beginning, and counts.
struct FileReader {
    file: Arc<dyn File>,
    at: u64,
    count: Arc<AtomicU64>,
}

impl Read for FileReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.at)?;
        self.at += read as u64;
        self.count.store(self.at, Ordering::Relaxed);
        Ok(read)
    }
}

/// The bytes of a file as a stream.
pub(crate) struct Stream {
    reader: Box<dyn Read + Send>,
    count: Arc<AtomicU64>,
}

impl Stream {
    /// Bytes of the file itself that were read so far.
    pub(crate) fn read_of_file(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Fills as much of `into` as there is.
    pub(crate) fn fill(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < into.len() {
            match self.reader.read(&mut into[done..]) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What came before the damage is given first.
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// Goes on to `offset`; the hash of the bytes before it, `None` where there are not so many.
    pub(crate) fn skip(&mut self, offset: u64) -> io::Result<Option<RunningHash>> {
        let mut hash = RunningHash::default();
        let mut buffer = vec![0; BUFFER.min(offset as usize)];
        while hash.len() < offset {
            let want = buffer.len().min((offset - hash.len()) as usize);
            let read = self.fill(&mut buffer[..want])?;
            if read == 0 {
                return Ok(None);
            }
            hash.update(&buffer[..read]);
        }
        Ok(Some(hash))
    }
}

impl Content {
    /// Of an open file.
    pub(crate) fn of(file: Box<dyn File>) -> io::Result<Content> {
        let mut first = [0; 8];
        let read = read_full(&*file, &mut first, 0)?;
        Ok(Content { packing: Packing::of(&first[..read]), file: file.into() })
    }

    pub(crate) fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// Whether the trailer of a compressed file says that it holds `offset` bytes, so that nothing is left to be read
    /// from there. Most compressed files are one member of gzip, which tells.
    pub(crate) fn ends_at(&self, offset: u64) -> bool {
        let len = self.file.metadata().map_or(0, |metadata| metadata.len);
        let mut trailer = [0; 4];
        self.packing == Packing::Gzip
            && len > 18
            && self.file.read_exact_at(&mut trailer, len - 4).is_ok()
            && u32::from_le_bytes(trailer) == offset as u32
    }

    /// The bytes from the beginning.
    pub(crate) fn stream(&self) -> io::Result<Stream> {
        let count = Arc::new(AtomicU64::new(0));
        let file = FileReader { file: self.file.clone(), at: 0, count: count.clone() };
        let packed = |file| BufReader::with_capacity(BUFFER, file);
        let reader: Box<dyn Read + Send> = match self.packing {
            Packing::Plain => Box::new(file),
            Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed(file))),
            Packing::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(packed(file))?;
                decoder.window_log_max(ZSTD_WINDOW)?;
                Box::new(decoder)
            }
            Packing::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(packed(file))),
            Packing::Xz => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(packed(file))),
        };
        Ok(Stream { reader, count })
    }

    /// The first bytes, at most [`HEAD`].
    pub(crate) fn first(&self) -> io::Result<Vec<u8>> {
        let mut first = vec![0; HEAD];
        let read = self.stream()?.fill(&mut first)?;
        first.truncate(read);
        Ok(first)
    }

    /// The hash of the first `len` bytes; `None` where there are not so many.
    pub(crate) fn hash_of_first(&self, len: u64) -> io::Result<Option<RunningHash>> {
        self.stream()?.skip(len)
    }
}
