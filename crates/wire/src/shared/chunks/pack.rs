//! A whole chunk as it is handed on, packed in memory. Knows nothing of where it goes.

use std::io::{self, Write};

use bytes::Bytes;
use sawlog_sys::{Open, Sys};
use xxhash_rust::xxh3::Xxh3;

use super::Whole;

/// Bytes that are read at a time.
const PIECE: usize = 256 << 10;

/// How chunks are packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pack {
    /// With gzip.
    Gzip,
    /// With zstd.
    Zstd,
    /// Not at all.
    Text,
}

impl Pack {
    /// By its name.
    pub fn named(name: &str) -> Option<Pack> {
        Some(match name {
            "" | "text" => Pack::Text,
            "gz" | "gzip" => Pack::Gzip,
            "zstd" => Pack::Zstd,
            _ => return None,
        })
    }

    /// The bytes of a chunk, and their sum before they were packed.
    ///
    /// # Errors
    /// Where the chunk cannot be read.
    pub fn packed(self, sys: &Sys, chunk: &Whole<'_>) -> io::Result<(Bytes, u64)> {
        let file = sys.fs.open(&chunk.path, Open::Read)?;
        let mut packer = match self {
            Pack::Gzip => {
                Packer::Gzip(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default()))
            }
            Pack::Zstd => Packer::Zstd(zstd::stream::write::Encoder::new(Vec::new(), 0)?),
            Pack::Text => Packer::Plain(Vec::new()),
        };
        let (mut at, mut sum) = (0, Xxh3::new());
        let mut piece = vec![0; PIECE];
        while at < chunk.len {
            let wanted = usize::try_from(chunk.len - at).unwrap_or(PIECE).min(PIECE);
            let read = file.read_at(&mut piece[..wanted], at)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            packer.write_all(&piece[..read])?;
            sum.update(&piece[..read]);
            at += read as u64;
        }
        Ok((packer.finish()?.into(), sum.digest()))
    }
}

/// Packs bytes in memory.
enum Packer {
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    Plain(Vec<u8>),
}

impl Packer {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Packer::Gzip(encoder) => encoder.write_all(bytes),
            Packer::Zstd(encoder) => encoder.write_all(bytes),
            Packer::Plain(out) => out.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Packer::Gzip(encoder) => encoder.finish(),
            Packer::Zstd(encoder) => encoder.finish(),
            Packer::Plain(out) => Ok(out),
        }
    }
}
