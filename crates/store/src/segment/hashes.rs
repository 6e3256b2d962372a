//! A set of hashes, open addressing: the words of a row group, the frequent words of a column. Knows nothing of what they are hashes of.

/// Entries of the first table.
const FEWEST: usize = 64;

/// Hashes, each once.
#[derive(Default)]
pub(super) struct Hashes<H> {
    /// A power of two of them, or none; zero where there is none.
    table: Vec<H>,
    len: usize,
    has_zero: bool,
}

impl<H: Copy + Default + Ord + Into<u64>> Hashes<H> {
    /// Where the hash stands, or would stand: the table has a free place.
    fn slot(&self, hash: H) -> usize {
        let mask = self.table.len() - 1;
        let mut slot = hash.into() as usize & mask;
        while self.table[slot] != H::default() && self.table[slot] != hash {
            slot = (slot + 1) & mask;
        }
        slot
    }

    pub(super) fn has(&self, hash: H) -> bool {
        if hash == H::default() {
            return self.has_zero;
        }
        !self.table.is_empty() && self.table[self.slot(hash)] == hash
    }

    pub(super) fn insert(&mut self, hash: H) {
        if hash == H::default() {
            self.has_zero = true;
            return;
        }
        if (self.len + 1) * 2 > self.table.len() {
            let larger = vec![H::default(); (self.table.len() * 2).max(FEWEST)];
            let old = std::mem::replace(&mut self.table, larger);
            for hash in old.into_iter().filter(|hash| *hash != H::default()) {
                let slot = self.slot(hash);
                self.table[slot] = hash;
            }
        }
        let slot = self.slot(hash);
        self.len += usize::from(self.table[slot] != hash);
        self.table[slot] = hash;
    }

    /// All of them, ascending.
    pub(super) fn sorted(self) -> Vec<H> {
        let mut all = self.table;
        all.retain(|hash| *hash != H::default());
        if self.has_zero {
            all.push(H::default());
        }
        all.sort_unstable();
        // It stands in the memory of the table, and may stay long.
        all.shrink_to_fit();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hash_is_there_once_also_zero() {
        let mut hashes = Hashes::<u32>::default();
        assert!(!hashes.has(0) && !hashes.has(7));
        // Many that would stand at the same place.
        let all: Vec<u32> = (0..500).map(|number| number << 12).chain(0..500).collect();
        all.iter().chain(&all).for_each(|hash| hashes.insert(*hash));
        assert!(all.iter().all(|hash| hashes.has(*hash)));
        assert!(!hashes.has(501) && !hashes.has(u32::MAX));
        let mut expected = all;
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(hashes.sorted(), expected);
    }
}
