//! How many rows of a group have which skeleton, and how many values of a column which code: where these are few they
//! are written once, so that rows can be counted without being looked at. Knows nothing of what codes stand for.

use std::ops::Range;

use super::cursor::{Cursor, Damage, put_bytes, put_varint};
use super::interner::IntMap;
use super::ints;

/// Most different codes that are counted, beside a share of the rows.
const MOST: usize = 32;
/// One more for so many rows.
pub(super) const ROWS_PER_CODE: usize = 128;
/// One more for so many rows where codes are templates, of which words are counted.
pub(super) const ROWS_PER_TEMPLATE: usize = 32;

/// One more for so many rows where codes are integers that follow from another column: without their counts both columns are read to
/// know which of them are in a range, or are the largest.
pub(super) const ROWS_PER_LED: usize = 2;

/// One more for so many rows where codes are of a dictionary that all groups share: addresses and the like, of which is asked how many there are, and
/// which come most often.
pub(super) const ROWS_PER_SHARED: usize = 6;

/// Lists of so many codes and more stand in a stream of their column, so that who asks for one reads no others.
pub(super) const LONG: usize = 256;

/// The number of the skeletons among what is counted; columns are their number plus one.
pub(super) const SKELETONS: u32 = 0;

/// What can be a code of a list.
const CODES: Range<i64> = 0..u32::MAX as i64;

/// Codes with how often each comes, ascending.
pub(super) type Counted = [(u32, u32)];

/// How often each code comes; empty where there are too many different ones, or one that is no code.
pub(super) fn count(codes: &[i64], rows_per_code: usize) -> Vec<(u32, u32)> {
    let most = MOST + codes.len() / rows_per_code;
    let mut counts: IntMap<u32> = IntMap::default();
    for run in codes.chunk_by(|a, b| a == b) {
        *counts.entry(run[0]).or_default() += run.len() as u32;
        if counts.len() > most || !CODES.contains(&run[0]) {
            return Vec::new();
        }
    }
    let mut counts: Vec<(u32, u32)> = counts.into_iter().map(|(code, count)| (code as u32, count)).collect();
    counts.sort_unstable();
    counts
}

/// Appends a list to those of its group.
pub(super) fn put(what: u32, list: &Counted, out: &mut Vec<u8>) {
    put_varint(out, u64::from(what));
    put_varint(out, list.len() as u64);
    let mut before = 0;
    for (code, _) in list {
        put_varint(out, u64::from(code - before));
        before = *code;
    }
    list.iter().for_each(|(_, count)| put_varint(out, u64::from(*count)));
}

/// Appends a list that stands alone: its codes and its counts as planes of integers, which unpack in a fraction of the time.
pub(super) fn put_alone(list: &Counted, out: &mut Vec<u8>) {
    let (mut head, mut body) = (Vec::new(), Vec::new());
    let codes: Vec<i64> = list.iter().map(|(code, _)| i64::from(*code)).collect();
    ints::encode(&codes, &mut head, &mut body);
    let counts: Vec<i64> = list.iter().map(|(_, count)| i64::from(*count)).collect();
    ints::encode(&counts, &mut head, &mut body);
    put_varint(out, list.len() as u64);
    put_bytes(out, &head);
    out.extend_from_slice(&body);
}

/// The lists of one group that stand together.
pub(super) struct Counts {
    lists: Vec<(u32, Range<usize>)>,
    entries: Vec<(u32, u32)>,
}

impl Counts {
    /// Reads the stream: what is counted ascends.
    pub(super) fn read(bytes: &[u8]) -> Result<Counts, Damage> {
        let mut cursor = Cursor::new(bytes);
        let mut counts = Counts { lists: Vec::new(), entries: Vec::new() };
        while cursor.remaining() > 0 {
            let what = cursor.u32()?;
            if counts.lists.last().is_some_and(|(last, _)| *last >= what) {
                return Err(Damage::Bytes("counts are not in order"));
            }
            let start = counts.entries.len();
            read_list(&mut cursor, &mut counts.entries)?;
            counts.lists.push((what, start..counts.entries.len()));
        }
        Ok(counts)
    }

    /// Codes with how often each comes.
    pub(super) fn of(&self, what: u32) -> Option<&Counted> {
        let at = self.lists.binary_search_by_key(&what, |(what, _)| *what).ok()?;
        Some(&self.entries[self.lists[at].1.clone()])
    }
}

/// Reads a list that stands alone, of at most `most` codes; `None` where there is none.
pub(super) fn read_alone(bytes: &[u8], most: usize) -> Result<Option<Vec<(u32, u32)>>, Damage> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let mut body = Cursor::new(bytes);
    let different = body.varint()?;
    if different > most as u64 {
        return Err(Damage::Bytes("more codes are counted than a group has rows"));
    }
    let different = different as usize;
    let mut head = Cursor::new(body.bytes()?);
    let codes = ints::decode_below(u32::MAX as usize, different, &mut head, &mut body)?;
    let counts = ints::decode_below(u32::MAX as usize, different, &mut head, &mut body)?;
    if head.remaining() + body.remaining() > 0 || !codes.is_sorted() {
        return Err(Damage::Bytes("a list of counts is not as it says"));
    }
    Ok(Some(codes.into_iter().zip(counts).collect()))
}

/// Reads a list: how many codes, the codes, how often each comes.
fn read_list(cursor: &mut Cursor<'_>, entries: &mut Vec<(u32, u32)>) -> Result<(), Damage> {
    let (start, codes) = (entries.len(), cursor.count()?);
    entries.reserve(codes);
    let mut code = 0u32;
    for _ in 0..codes {
        code = code.checked_add(cursor.u32()?).ok_or(Damage::Bytes("a counted code is too large"))?;
        entries.push((code, 0));
    }
    for (_, count) in &mut entries[start..] {
        *count = cursor.u32()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_back_where_they_are_few() {
        let mut bytes = Vec::new();
        put(SKELETONS, &count(&[5, 3, 5, 5, 0], ROWS_PER_CODE), &mut bytes);
        put(7, &count(&[2, 2], ROWS_PER_TEMPLATE), &mut bytes);
        let counts = Counts::read(&bytes).unwrap();
        assert_eq!(counts.of(SKELETONS), Some(&[(0, 1), (3, 1), (5, 3)][..]));
        assert_eq!(counts.of(7), Some(&[(2, 2)][..]));
        assert_eq!(counts.of(1), None);
        let many: Vec<i64> = (0..1000).collect();
        for odd in [&many[..], &[-1, 5], &[CODES.end]] {
            assert!(count(odd, ROWS_PER_CODE).is_empty());
        }
    }

    #[test]
    fn a_list_that_stands_alone_is_whole_or_damaged() {
        let codes: Vec<i64> = (0..10_000).map(|code| code / 2 * (code / 2 % 7 + 300)).collect();
        let list = count(&codes, 1);
        let mut bytes = Vec::new();
        put_alone(&list, &mut bytes);
        assert_eq!(read_alone(&bytes, 5_000).unwrap(), Some(list));
        assert_eq!(read_alone(&[], 5_000).unwrap(), None);
        assert!(read_alone(&bytes, 4_000).is_err());
        for end in 1..bytes.len() {
            assert!(read_alone(&bytes[..end], 5_000).is_err(), "cut at {end}");
        }
        bytes.push(0);
        assert!(read_alone(&bytes, 5_000).is_err());
    }
}
