//! Random bits, as an argument.

/// A source of random bits.
pub trait Random: Send + Sync {
    /// Fills `into`.
    fn fill(&self, into: &mut [u8]);

    /// 128 random bits.
    fn id(&self) -> u128 {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        u128::from_le_bytes(bytes)
    }
}
