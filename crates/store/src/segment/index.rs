//! Which row groups hold a token: hashes of the tokens of values, cut to a few more bits than tell them apart, in pages,
//! each with the groups it is in. A hash that is not there proves that the token is in none; one that is there may be
//! another token's. Knows nothing of what a token is ([`super::tokens`]) or of predicates.

use super::cursor::{Cursor, Damage, put_varint};

/// Bits by which a hash is longer than needed to number all tokens: the chance that an absent one is found is one in
/// two to this.
const SPARE_BITS: u32 = 7;
/// Tokens of a page, on average.
const PAGE: u64 = 256;
/// Tokens that are put in order at a time, about.
const STRETCH: usize = 64 << 10;

/// Writes bits, lowest first.
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    held: u64,
    count: u32,
}

impl BitWriter {
    fn put(&mut self, value: u64, bits: u32) {
        for at in 0..bits {
            self.held |= (value >> at & 1) << self.count;
            self.count += 1;
            if self.count == 8 {
                self.bytes.push(self.held as u8);
                (self.held, self.count) = (0, 0);
            }
        }
    }

    /// So many ones, then a zero.
    fn put_unary(&mut self, value: u64) {
        for _ in 0..value {
            self.put(1, 1);
        }
        self.put(0, 1);
    }

    fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.bytes.push(self.held as u8);
        }
        self.bytes
    }
}

/// Reads them.
struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl BitReader<'_> {
    fn bit(&mut self) -> Result<u64, Damage> {
        let byte = self.bytes.get(self.at / 8).ok_or(Damage::Bytes("an index page ends too early"))?;
        let bit = byte >> (self.at % 8) & 1;
        self.at += 1;
        Ok(u64::from(bit))
    }

    fn get(&mut self, bits: u32) -> Result<u64, Damage> {
        (0..bits).try_fold(0, |value, at| Ok(value | self.bit()? << at))
    }

    fn unary(&mut self) -> Result<u64, Damage> {
        let mut value = 0;
        while self.bit()? == 1 {
            value += 1;
        }
        Ok(value)
    }
}

/// Bits that number `count` things.
fn bits_for(count: u64) -> u32 {
    64 - count.saturating_sub(1).leading_zeros()
}

/// Hashes with their groups (as `hash << 32 | group`), ascending, in so many stretches: all of them at once would take
/// several times the memory of what they are made of.
fn in_stretches(groups: &[Vec<u32>], stretches: u64, mut visit: impl FnMut(&[u64])) {
    let width = 32 - stretches.trailing_zeros();
    let mut rests: Vec<&[u32]> = groups.iter().map(Vec::as_slice).collect();
    let mut pairs = Vec::new();
    for stretch in 1..=stretches {
        pairs.clear();
        for (group, rest) in rests.iter_mut().enumerate() {
            let len = rest.partition_point(|hash| u64::from(*hash) < stretch << width);
            let (now, later) = rest.split_at(len);
            pairs.extend(now.iter().map(|hash| u64::from(*hash) << 32 | group as u64));
            *rest = later;
        }
        pairs.sort_unstable();
        visit(&pairs);
    }
}

/// Writes the index of a segment: the head for the footer, the pages as one stream. `groups` are the sorted hashes of
/// each row group's tokens.
pub(super) fn write(groups: &[Vec<u32>], head: &mut Vec<u8>) -> Vec<u8> {
    let count: usize = groups.iter().map(Vec::len).sum();
    let stretches = (count / STRETCH).next_power_of_two().min(1 << 16) as u64;
    let mut distinct = 0;
    in_stretches(groups, stretches, |pairs| {
        distinct += pairs.chunk_by(|a, b| a >> 32 == b >> 32).count() as u64;
    });
    let form = Form::new(distinct, groups.len());
    let (mut lengths, mut body) = (Vec::new(), Vec::new());
    let mut done = 0;
    // Every stretch is some whole pages.
    in_stretches(groups, stretches.min(1 << form.page_bits), |pairs| {
        for page in pairs.chunk_by(|a, b| form.page(*a) == form.page(*b)) {
            (done..form.page(page[0])).for_each(|_| put_varint(&mut lengths, 0));
            done = form.page(page[0]) + 1;
            let bytes = form.write_page(page);
            put_varint(&mut lengths, bytes.len() as u64);
            body.extend_from_slice(&bytes);
        }
    });
    (done..1 << form.page_bits).for_each(|_| put_varint(&mut lengths, 0));
    [form.bits, form.page_bits, form.rice].iter().for_each(|number| put_varint(head, u64::from(*number)));
    head.extend_from_slice(&lengths);
    body
}

/// How an index is written: bits of a hash, of those the ones that name its page, of differences that are not unary, and of the number
/// of a group.
struct Form {
    bits: u32,
    page_bits: u32,
    rice: u32,
    group_bits: u32,
    groups: usize,
}

impl Form {
    fn new(distinct: u64, groups: usize) -> Form {
        let needed = bits_for(distinct.max(1));
        let bits = (needed + SPARE_BITS).min(32);
        let page_bits = bits_for(distinct.div_ceil(PAGE).max(1)).min(bits);
        let rice = bits.saturating_sub(needed).saturating_sub(1);
        Form { bits, page_bits, rice, group_bits: bits_for(groups as u64), groups }
    }

    /// The page of a hash with a group.
    fn page(&self, pair: u64) -> u64 {
        pair.checked_shr(64 - self.page_bits).unwrap_or(0)
    }

    /// How far each hash of a page is from the one before, and its groups.
    fn write_page(&self, pairs: &[u64]) -> Vec<u8> {
        let mut writer = BitWriter::default();
        let mut before = 0;
        let mut list: Vec<u32> = Vec::new();
        for run in pairs.chunk_by(|a, b| a >> (64 - self.bits) == b >> (64 - self.bits)) {
            let within = (run[0] >> (64 - self.bits)) & ((1u64 << (self.bits - self.page_bits)) - 1);
            let delta = within - before;
            before = within;
            writer.put_unary(delta >> self.rice);
            writer.put(delta, self.rice);
            list.clear();
            list.extend(run.iter().map(|pair| *pair as u32));
            list.sort_unstable();
            list.dedup();
            put_groups(&list, self.groups, self.group_bits, &mut writer);
        }
        writer.finish()
    }
}

/// Writes which of `all` groups a token is in: the count in unary up to four, then their numbers or one bit for each.
fn put_groups(list: &[u32], all: usize, bits: u32, out: &mut BitWriter) {
    if list.len() <= 4 && list.len() < all {
        out.put_unary(list.len() as u64 - 1);
        for group in list {
            out.put(u64::from(*group), bits);
        }
        return;
    }
    out.put_unary(4);
    for group in 0..all as u32 {
        out.put(u64::from(list.binary_search(&group).is_ok()), 1);
    }
}

/// The head of an index.
#[derive(Debug, Default)]
pub(super) struct Index {
    bits: u32,
    page_bits: u32,
    rice: u32,
    /// Ends of the pages in the stream.
    ends: Vec<u32>,
}

impl Index {
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Index, Damage> {
        let (bits, page_bits, rice) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
        if bits == 0 || bits > 32 || page_bits > bits || rice > 32 {
            return Err(Damage::Bytes("the index has a width that cannot be"));
        }
        let mut end = 0u32;
        let mut ends = Vec::new();
        for _ in 0..1u64 << page_bits {
            end = end.saturating_add(cursor.u32()?);
            ends.push(end);
        }
        Ok(Index { bits, page_bits, rice, ends })
    }

    /// For each of `groups` whether it may hold the token of this hash. `pages` is the stream.
    pub(super) fn groups(&self, pages: &[u8], hash: u32, groups: usize) -> Result<Vec<bool>, Damage> {
        let short = u64::from(hash) >> (32 - self.bits);
        let page = (short >> (self.bits - self.page_bits)) as usize;
        let wanted = short & ((1u64 << (self.bits - self.page_bits)) - 1);
        let start = if page == 0 { 0 } else { self.ends[page - 1] as usize };
        let bytes =
            pages.get(start..self.ends[page] as usize).ok_or(Damage::Bytes("an index page is missing"))?;
        let mut reader = BitReader { bytes, at: 0 };
        let group_bits = bits_for(groups as u64);
        let mut found = vec![false; groups];
        let mut within = 0u64;
        let least = self.rice as usize + 2;
        let mut first = true;
        while reader.at + least <= bytes.len() * 8 {
            let delta = (reader.unary()? << self.rice) | reader.get(self.rice)?;
            // The bits that fill up the last byte read as a token that stands where the one before stands.
            if delta == 0 && !first {
                break;
            }
            first = false;
            within += delta;
            let hit = within == wanted;
            let count = reader.unary()?;
            if count >= 4 {
                for group in &mut found {
                    *group |= reader.bit()? == 1 && hit;
                }
            } else {
                for _ in 0..=count {
                    let group = reader.get(group_bits)? as usize;
                    if hit && group < groups {
                        found[group] = true;
                    }
                }
            }
            if within >= wanted {
                break;
            }
        }
        Ok(found)
    }
}
