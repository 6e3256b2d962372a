//! What must hold of a manifest's file whatever its bytes are: `fuzz/` feeds this what a fuzzer finds, a test a moment of seeded
//! damage. Knows nothing of chains.

use std::path::Path;

use super::manifest::{BODY_AT, CRC_LEN, Manifest};

/// The body of a manifest, in a file whose head and checksum are right: it is read or refused, and what is read is written and read
/// back the same.
///
/// # Panics
/// Where that does not hold.
pub fn manifest(body: &[u8]) {
    let mut bytes = Manifest { number: 7, epoch: 3, checkpoint: false, change: Default::default() }.encode();
    bytes.truncate(BODY_AT);
    bytes[BODY_AT - size_of::<u64>()..].copy_from_slice(&(body.len() as u64).to_le_bytes());
    bytes.extend_from_slice(body);
    let crc: [u8; CRC_LEN] = crc32c::crc32c(&bytes).to_le_bytes();
    bytes.extend_from_slice(&crc);
    let path = Path::new("fuzzed");
    let Ok(read) = Manifest::decode(&bytes.into(), path) else { return };
    read.change.positions.iter().for_each(|source| assert_eq!(source.known().source.id, source.id()));
    let again = Manifest::decode(&read.encode().into(), path).expect("what was written is read");
    assert_eq!(again, read);
}
