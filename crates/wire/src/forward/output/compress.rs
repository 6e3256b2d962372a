//! Compression of payloads, with memory that is kept from one to the next while there is much to send. Knows nothing of what
//! is in them.

use std::io::{self, Write};

/// How payloads are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Compress {
    Text,
    Gzip,
    Zstd,
    /// One block behind its length decompressed; only another sawlog reads that.
    Lz4,
}

impl Compress {
    /// As the option `compressed` of a message has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Compress::Text => "text",
            Compress::Gzip => "gzip",
            Compress::Zstd => "zstd",
            Compress::Lz4 => "lz4",
        }
    }
}

/// A level that costs little: a forwarder is measured by its processor time.
const ZSTD_LEVEL: i32 = 1;

/// After a payload below this, bytes, nothing is kept: a node with little to send is to be small.
const KEPT_FROM: usize = 128 << 10;

/// Compresses one payload after the other.
pub(super) struct Compressor {
    how: Compress,
    plain: Vec<u8>,
    packed: Vec<u8>,
    zstd: Option<zstd::bulk::Compressor<'static>>,
}

impl Compressor {
    /// One that has nothing yet.
    pub(super) fn new(how: Compress) -> Self {
        Compressor { how, plain: Vec::new(), packed: Vec::new(), zstd: None }
    }

    /// How it compresses.
    pub(super) fn how(&self) -> Compress {
        self.how
    }

    /// Bytes of memory that it keeps for the next payload, but for the compressor's own tables.
    #[cfg(test)]
    fn kept(&self) -> usize {
        self.plain.capacity() + self.packed.capacity()
    }

    /// Compresses what `write` appends, which is about `len` bytes. What it gives is valid until the next call.
    ///
    /// # Errors
    /// As the compressor says.
    pub(super) fn compress(&mut self, len: usize, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<&[u8]> {
        if len < KEPT_FROM {
            *self = Compressor::new(self.how);
        }
        self.plain.clear();
        self.packed.clear();
        self.plain.reserve(len);
        write(&mut self.plain);
        match self.how {
            Compress::Text => self.packed.extend_from_slice(&self.plain),
            Compress::Gzip => {
                let level = flate2::Compression::fast();
                let mut encoder = flate2::write::GzEncoder::new(&mut self.packed, level);
                encoder.write_all(&self.plain)?;
                encoder.finish()?;
            }
            Compress::Zstd => {
                let zstd = match &mut self.zstd {
                    Some(zstd) => zstd,
                    none => none.insert(zstd::bulk::Compressor::new(ZSTD_LEVEL)?),
                };
                self.packed.reserve(zstd::zstd_safe::compress_bound(self.plain.len()));
                zstd.compress_to_buffer(&self.plain, &mut self.packed)?;
            }
            Compress::Lz4 => self.lz4()?,
        }
        Ok(&self.packed)
    }

    fn lz4(&mut self) -> io::Result<()> {
        let len = u32::try_from(self.plain.len()).map_err(io::Error::other)?;
        let most = lz4_flex::block::get_maximum_output_size(self.plain.len());
        self.packed.resize(4 + most, 0);
        self.packed[..4].copy_from_slice(&len.to_le_bytes());
        let written = lz4_flex::block::compress_into(&self.plain, &mut self.packed[4..]);
        self.packed.truncate(4 + written.map_err(io::Error::other)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::inflate::{Compression, inflate};

    #[test]
    fn payloads_come_back_and_memory_is_given_back() {
        for (how, back) in [
            (Compress::Gzip, Compression::Gzip),
            (Compress::Zstd, Compression::Zstd),
            (Compress::Lz4, Compression::Lz4),
        ] {
            let mut compressor = Compressor::new(how);
            for len in [0, 1, 1000, KEPT_FROM, 3 * KEPT_FROM, KEPT_FROM / 2] {
                let plain: Vec<u8> = (0..len).map(|at| (at * at / 7) as u8).collect();
                let packed = compressor.compress(len, |out| out.extend_from_slice(&plain)).expect("packs");
                assert_eq!(inflate(packed, back, len), Ok(plain), "{how:?} of {len}");
            }
            assert!(compressor.kept() < 2 * KEPT_FROM, "{how:?}");
        }
    }
}
