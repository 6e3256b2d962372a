//! The first of a few bytes.

/// Bytes that end a field.
pub(in super::super) struct Until {
    set: Box<[bool; 256]>,
    /// Up to three of them.
    few: [u8; 3],
    count: u8,
}

impl Until {
    pub fn new(bytes: &[u8]) -> Until {
        let at = |index: usize| bytes.get(index).copied().unwrap_or_default();
        let count = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
        Until { set: super::set(bytes), few: [at(0), at(1), at(2)], count }
    }

    pub fn has(&self, byte: u8) -> bool {
        self.set[usize::from(byte)]
    }

    /// Where the first of them stands.
    #[inline]
    pub fn find(&self, line: &[u8], at: usize) -> Option<usize> {
        let rest = &line[at..];
        let [one, two, three] = self.few;
        let found = match self.count {
            1 => memchr::memchr(one, rest),
            2 => memchr::memchr2(one, two, rest),
            3 => memchr::memchr3(one, two, three, rest),
            _ => rest.iter().position(|byte| self.has(*byte)),
        };
        found.map(|len| at + len)
    }
}
