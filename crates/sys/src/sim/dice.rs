//! Random numbers that a seed repeats, the same on every machine (SplitMix64): good enough to choose faults and a test's
//! cases. Knows nothing of what they are chosen for.

/// The next number is decided by the one inside.
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 where that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.roll() % bound.max(1) as u64) as usize
    }

    /// One of them.
    ///
    /// # Panics
    /// Where there is none.
    pub fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// True half of the time.
    pub fn coin(&mut self) -> bool {
        self.roll() & 1 == 1
    }

    pub(super) fn fill(&mut self, into: &mut [u8]) {
        for bytes in into.chunks_mut(8) {
            bytes.copy_from_slice(&self.roll().to_le_bytes()[..bytes.len()]);
        }
    }

    /// Another die, which depends on this one's state and on `which`; this one stays as it was.
    pub(super) fn fork(&self, which: u64) -> Dice {
        let mut fork = Dice(self.0 ^ which.wrapping_mul(0xd6e8_feb8_6659_fd93));
        Dice(fork.roll())
    }
}
