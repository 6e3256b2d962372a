//! Byte strings, each kept once and known by a number: skeletons, templates, dictionaries. Knows nothing of files.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64;

/// A map from integers, which need no strong hash: they come from files that only cost time where they collide.
pub(super) type IntMap<V> = HashMap<i64, V, BuildHasherDefault<IntHasher>>;

/// Hashes one integer.
#[derive(Default)]
pub(super) struct IntHasher(u64);

impl Hasher for IntHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_i64(&mut self, value: i64) {
        self.write_u64(value as u64);
    }

    fn write_u64(&mut self, value: u64) {
        let mixed = (self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }
}

const EMPTY: u32 = u32::MAX;

/// A set of byte strings, numbered in the order in which they came.
#[derive(Default)]
pub(super) struct Interner {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    hashes: Vec<u64>,
    table: Vec<u32>,
}

impl Interner {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all together.
    pub(super) fn weight(&self) -> usize {
        self.bytes.len()
    }

    /// The string of this number.
    pub(super) fn get(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.bytes[start..self.ends[id]]
    }

    /// All, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len() as u32).map(|id| self.get(id))
    }

    /// The number of the string, if it is known.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<u32> {
        if self.table.is_empty() {
            return None;
        }
        let id = self.table[self.slot(bytes, xxh3_64(bytes))];
        (id != EMPTY).then_some(id)
    }

    /// The number of the string, and whether it is new.
    pub(super) fn intern(&mut self, bytes: &[u8]) -> (u32, bool) {
        if self.ends.len() * 2 >= self.table.len() {
            self.grow();
        }
        let hash = xxh3_64(bytes);
        let slot = self.slot(bytes, hash);
        if self.table[slot] != EMPTY {
            return (self.table[slot], false);
        }
        let id = self.ends.len() as u32;
        self.table[slot] = id;
        self.hashes.push(hash);
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len());
        (id, true)
    }

    /// Where the string stands in the table, or would.
    fn slot(&self, bytes: &[u8], hash: u64) -> usize {
        let mask = self.table.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let id = self.table[slot];
            if id == EMPTY || (self.hashes[id as usize] == hash && self.get(id) == bytes) {
                return slot;
            }
            slot = (slot + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let size = (self.table.len() * 2).max(16);
        self.table.clear();
        self.table.resize(size, EMPTY);
        for (id, hash) in self.hashes.iter().enumerate() {
            let mut slot = *hash as usize & (size - 1);
            while self.table[slot] != EMPTY {
                slot = (slot + 1) & (size - 1);
            }
            self.table[slot] = id as u32;
        }
    }
}
