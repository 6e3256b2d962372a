//! The running hash of a source's bytes: as fast as memory for our purpose, and small enough to be saved with every
//! position, so that hashing goes on after a restart without reading the file again. Not for use against forgers. Knows
//! nothing of files.

/// Odd numbers without structure, one for each lane.
const FACTORS: [u64; 2] = [0x9e6c_63d0_876a_3f6b, 0xd1b5_4a32_d192_ed03];
const SEEDS: [u64; 2] = [0x2d35_8dcc_aa6c_78a5, 0x8bb8_4b93_962e_acc9];

/// Bytes taken at a time.
const BLOCK: usize = 16;

/// The hash of all bytes so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RunningHash {
    lanes: [u64; 2],
    /// Bytes that do not fill a block yet.
    part: [u8; BLOCK],
    len: u64,
}

impl Default for RunningHash {
    fn default() -> Self {
        RunningHash { lanes: SEEDS, part: [0; BLOCK], len: 0 }
    }
}

/// Both halves of the product, folded.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

impl RunningHash {
    /// How many bytes it has seen.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    fn held(&self) -> usize {
        (self.len % BLOCK as u64) as usize
    }

    fn block(lanes: &mut [u64; 2], block: &[u8; BLOCK]) {
        for (lane, factor) in FACTORS.iter().enumerate() {
            let word = u64::from_le_bytes(block[lane * 8..][..8].try_into().expect("eight bytes"));
            // The word is added again, so that a product of zero does not forget it.
            lanes[lane] = fold(lanes[lane] ^ word, *factor).wrapping_add(word);
        }
    }

    /// Goes on with `bytes`.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        let held = self.held();
        self.len += bytes.len() as u64;
        if held > 0 {
            let take = bytes.len().min(BLOCK - held);
            self.part[held..held + take].copy_from_slice(&bytes[..take]);
            bytes = &bytes[take..];
            if held + take < BLOCK {
                return;
            }
            Self::block(&mut self.lanes, &self.part);
        }
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        let mut lanes = self.lanes;
        for block in blocks {
            Self::block(&mut lanes, block);
        }
        self.lanes = lanes;
        self.part = [0; BLOCK];
        self.part[..rest.len()].copy_from_slice(rest);
    }

    /// The hash.
    pub(crate) fn value(&self) -> u128 {
        let mut lanes = self.lanes;
        Self::block(&mut lanes, &self.part);
        let first = fold(lanes[0] ^ self.len, FACTORS[1]) ^ lanes[1].rotate_left(32);
        let second = fold(lanes[1] ^ first, FACTORS[0]) ^ lanes[0];
        u128::from(first) << 64 | u128::from(second)
    }

    /// What [`RunningHash::load`] goes on from.
    pub(crate) fn save(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.len.to_le_bytes());
        for lane in self.lanes {
            out.extend_from_slice(&lane.to_le_bytes());
        }
        out.extend_from_slice(&self.part);
    }

    /// Bytes that [`RunningHash::save`] writes.
    pub(crate) const SAVED: usize = 8 + 16 + BLOCK;

    /// Goes on from what was saved.
    pub(crate) fn load(saved: &[u8; Self::SAVED]) -> Self {
        let word = |at: usize| u64::from_le_bytes(saved[at..at + 8].try_into().expect("eight bytes"));
        let mut hash = RunningHash { len: word(0), lanes: [word(8), word(16)], part: [0; BLOCK] };
        hash.part.copy_from_slice(&saved[24..]);
        hash
    }
}
