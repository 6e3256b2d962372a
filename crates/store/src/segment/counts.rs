//! How many rows of a group have which skeleton, and how many values of a column which code: where these are few they
//! are written once, so that rows can be counted without being looked at. Knows nothing of what codes stand for.

use std::borrow::Cow;
use std::ops::Range;

use super::cursor::{Cursor, Damage, put_varint};
use super::interner::IntMap;

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

/// Longer lists are taken apart each time they are asked for.
const LONG: usize = 1_024;

/// The number of the skeletons among what is counted; columns are their number plus one.
pub(super) const SKELETONS: u32 = 0;

/// Appends how often each code comes, unless there are too many different ones (or one that is no code).
pub(super) fn put(codes: &[i64], rows_per_code: usize, out: &mut Vec<u8>) {
    let most = MOST + codes.len() / rows_per_code;
    let mut counts: IntMap<u32> = IntMap::default();
    for run in codes.chunk_by(|a, b| a == b) {
        *counts.entry(run[0]).or_default() += run.len() as u32;
        if counts.len() > most || u32::try_from(run[0]).is_err() {
            return;
        }
    }
    let mut counts: Vec<(i64, u32)> = counts.into_iter().collect();
    counts.sort_unstable();
    put_varint(out, counts.len() as u64);
    let mut before = 0;
    for (code, _) in &counts {
        put_varint(out, (code - before) as u64);
        before = *code;
    }
    counts.iter().for_each(|(_, count)| put_varint(out, u64::from(*count)));
}

/// Codes with how often each comes, ascending.
type Counted = [(u32, u32)];

/// The counts of one group.
pub(super) struct Counts {
    lists: Vec<(u32, List)>,
    entries: Vec<(u32, u32)>,
    /// Lists as they are written.
    long: Vec<u8>,
}

/// Where a list stands.
enum List {
    Entries(Range<usize>),
    Long { codes: usize, bytes: Range<usize> },
}

impl Counts {
    /// Reads the stream: what is counted ascends.
    pub(super) fn read(bytes: &[u8]) -> Result<Counts, Damage> {
        let mut cursor = Cursor::new(bytes);
        let mut counts = Counts { lists: Vec::new(), entries: Vec::new(), long: Vec::new() };
        while cursor.remaining() > 0 {
            let what = cursor.u32()?;
            if counts.lists.last().is_some_and(|(last, _)| *last >= what) {
                return Err(Damage::Bytes("counts are not in order"));
            }
            let codes = cursor.count()?;
            let list = if codes > LONG {
                let at = bytes.len() - cursor.remaining();
                cursor.skip_varints(codes.saturating_mul(2))?;
                let start = counts.long.len();
                counts.long.extend_from_slice(&bytes[at..bytes.len() - cursor.remaining()]);
                List::Long { codes, bytes: start..counts.long.len() }
            } else {
                let start = counts.entries.len();
                read_list(&mut cursor, codes, &mut counts.entries)?;
                List::Entries(start..counts.entries.len())
            };
            counts.lists.push((what, list));
        }
        Ok(counts)
    }

    /// Codes with how often each comes.
    pub(super) fn of(&self, what: u32) -> Result<Option<Cow<'_, Counted>>, Damage> {
        let Ok(at) = self.lists.binary_search_by_key(&what, |(what, _)| *what) else { return Ok(None) };
        match &self.lists[at].1 {
            List::Entries(range) => Ok(Some(Cow::Borrowed(&self.entries[range.clone()]))),
            List::Long { codes, bytes } => {
                let mut entries = Vec::with_capacity(*codes);
                read_list(&mut Cursor::new(&self.long[bytes.clone()]), *codes, &mut entries)?;
                Ok(Some(Cow::Owned(entries)))
            }
        }
    }

    /// The same of a column of which `rows` rows have a value, where all of them are counted.
    pub(super) fn of_column(&self, column: u32, rows: u64) -> Result<Option<Cow<'_, Counted>>, Damage> {
        let Some(what) = column.checked_add(1) else { return Ok(None) };
        let is_all =
            |list: &Cow<'_, Counted>| list.iter().map(|(_, count)| u64::from(*count)).sum::<u64>() == rows;
        Ok(self.of(what)?.filter(is_all))
    }
}

/// Reads a list of so many codes.
fn read_list(cursor: &mut Cursor<'_>, codes: usize, entries: &mut Vec<(u32, u32)>) -> Result<(), Damage> {
    let start = entries.len();
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
        put_varint(&mut bytes, 0);
        put(&[5, 3, 5, 5, 0], ROWS_PER_CODE, &mut bytes);
        put_varint(&mut bytes, 7);
        put(&[2, 2], ROWS_PER_TEMPLATE, &mut bytes);
        let counts = Counts::read(&bytes).unwrap();
        let of = |what| counts.of(what).unwrap().map(Cow::into_owned);
        let of_column = |column, rows| counts.of_column(column, rows).unwrap().map(Cow::into_owned);
        assert_eq!(of(SKELETONS), Some(vec![(0, 1), (3, 1), (5, 3)]));
        assert_eq!(of_column(6, 2), Some(vec![(2, 2)]));
        assert_eq!(of_column(6, 3), None, "a value is not counted");
        assert_eq!(of_column(0, 2), None);
        let many: Vec<i64> = (0..1000).collect();
        for odd in [&many[..], &[-1, 5], &[1 << 32]] {
            let mut bytes = Vec::new();
            put(odd, ROWS_PER_CODE, &mut bytes);
            assert!(bytes.is_empty());
        }
    }
    #[test]
    fn long_lists_come_back_beside_short_ones() {
        let codes: Vec<i64> = (0..10_000).map(|code| code / 2 * 300).collect();
        let mut bytes = Vec::new();
        put_varint(&mut bytes, 3);
        put(&codes, 2, &mut bytes);
        put_varint(&mut bytes, 7);
        put(&[2, 2], ROWS_PER_CODE, &mut bytes);
        let counts = Counts::read(&bytes).unwrap();
        let expected: Vec<(u32, u32)> = (0..5_000).map(|code| (code * 300, 2)).collect();
        assert_eq!(counts.of_column(2, 10_000).unwrap().as_deref(), Some(&expected[..]));
        assert_eq!(counts.of_column(6, 2).unwrap().as_deref(), Some(&[(2, 2)][..]));
        // Wherever the bytes end, that is noticed, or the list is whole.
        for end in 0..bytes.len() {
            if let Ok(counts) = Counts::read(&bytes[..end]) {
                let whole = counts.of(3).unwrap().is_none_or(|list| *list == expected[..]);
                assert!(whole, "cut at {end}");
            }
        }
    }
}
