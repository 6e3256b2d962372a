//! Decompression that ends at a limit. Knows nothing of what the bytes mean.

use std::io::Read;

/// A compression.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    /// One or more gzip members.
    Gzip,
    /// A zlib stream.
    Zlib,
    /// One or more zstd frames.
    Zstd,
    /// One block of LZ4 behind its length decompressed, four bytes, little-endian.
    Lz4,
}

/// The bytes cannot be decompressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// They are not what they should be.
    #[error("cannot be decompressed: {0}")]
    Broken(String),
    /// They are more than the limit once decompressed.
    #[error("more than {0} bytes once decompressed")]
    Long(usize),
}

/// Largest window of zstd, as a power of two: a few bytes can ask for this much memory. 32 MiB is enough for all levels
/// but the ultra ones.
const ZSTD_WINDOW_LOG: u32 = 25;

/// Most that LZ4 makes of a byte: what a few bytes claim to become is not believed.
const LZ4_RATIO: usize = 255;

/// Decompresses all of `bytes`, at most `most` of them.
///
/// # Errors
/// [`InflateError`].
pub fn inflate(bytes: &[u8], compression: Compression, most: usize) -> Result<Vec<u8>, InflateError> {
    let broken = |error: std::io::Error| InflateError::Broken(error.to_string());
    let reader: Box<dyn Read> = match compression {
        Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(bytes)),
        Compression::Zlib => Box::new(flate2::read::ZlibDecoder::new(bytes)),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(broken)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(broken)?;
            Box::new(decoder)
        }
        Compression::Lz4 => return inflate_lz4(bytes, most),
    };
    let mut out = Vec::new();
    reader.take(most as u64 + 1).read_to_end(&mut out).map_err(broken)?;
    if out.len() > most { Err(InflateError::Long(most)) } else { Ok(out) }
}

fn inflate_lz4(bytes: &[u8], most: usize) -> Result<Vec<u8>, InflateError> {
    let broken = |what: &dyn std::fmt::Display| InflateError::Broken(what.to_string());
    let (size, block) = lz4_flex::block::uncompressed_size(bytes).map_err(|error| broken(&error))?;
    if size > most {
        return Err(InflateError::Long(most));
    }
    if size > block.len().saturating_mul(LZ4_RATIO) {
        return Err(broken(&"it says that it is longer than it can be"));
    }
    let mut out = vec![0; size];
    let written = lz4_flex::block::decompress_into(block, &mut out).map_err(|error| broken(&error))?;
    if written == size { Ok(out) } else { Err(broken(&"it is shorter than it says")) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn members_and_frames_follow_each_other() {
        let members = [gzip(b"one "), gzip(b""), gzip(b"two")].concat();
        assert_eq!(inflate(&members, Compression::Gzip, 7), Ok(b"one two".to_vec()));
        let frames =
            [zstd::encode_all(&b"one "[..], 3).unwrap(), zstd::encode_all(&b"two"[..], 3).unwrap()].concat();
        assert_eq!(inflate(&frames, Compression::Zstd, 7), Ok(b"one two".to_vec()));
    }

    #[test]
    fn a_bomb_ends_at_the_limit() {
        let zeros = vec![0; 10 << 20];
        assert_eq!(inflate(&gzip(&zeros), Compression::Gzip, 1000), Err(InflateError::Long(1000)));
        let frame = zstd::encode_all(&zeros[..], 3).unwrap();
        assert_eq!(inflate(&frame, Compression::Zstd, 1000), Err(InflateError::Long(1000)));
    }

    #[test]
    fn a_block_of_lz4_is_believed_only_what_can_be() {
        let text = b"one two one two one two".repeat(50);
        let block = lz4_flex::block::compress_prepend_size(&text);
        assert_eq!(inflate(&block, Compression::Lz4, text.len()), Ok(text.clone()));
        assert_eq!(
            inflate(&block, Compression::Lz4, text.len() - 1),
            Err(InflateError::Long(text.len() - 1))
        );
        let claims = |size: u32| [&size.to_le_bytes(), &block[4..]].concat();
        for size in [0, text.len() as u32 - 1, text.len() as u32 + 1, 1 << 30] {
            let inflated = inflate(&claims(size), Compression::Lz4, 2 << 30);
            assert!(matches!(inflated, Err(InflateError::Broken(_))), "{size}");
        }
        for end in 0..block.len() {
            let cut = inflate(&block[..end], Compression::Lz4, text.len());
            assert!(matches!(cut, Err(InflateError::Broken(_))), "{end}");
        }
    }

    #[test]
    fn what_is_cut_or_damaged_is_named() {
        let whole = gzip(b"some text that is long enough to be cut");
        for end in 1..whole.len() {
            assert!(
                matches!(inflate(&whole[..end], Compression::Gzip, 1000), Err(InflateError::Broken(_))),
                "{end}"
            );
        }
        assert!(matches!(inflate(b"plain", Compression::Zstd, 1000), Err(InflateError::Broken(_))));
    }
}
