//! First bytes of the heads of columns: in which form the values are. docs/format.md draws them.

/// All values are the same.
pub(crate) const CONSTANT: u8 = 0;
/// Integers as they are printed.
pub(crate) const INTEGERS: u8 = 1;
/// Digits of one width.
pub(crate) const PADDED: u8 = 2;
/// Codes of a dictionary that stands before them.
pub(crate) const DICTIONARY: u8 = 3;
/// Codes of the segment's dictionary of the column.
pub(crate) const SHARED: u8 = 4;
/// Lengths and bytes.
pub(crate) const PLAIN: u8 = 5;
/// Templates and their variables.
pub(crate) const TEMPLATES: u8 = 6;
/// The rows' own times, printed.
pub(crate) const PRINTED: u8 = 7;
/// Times near the rows' own, printed.
pub(crate) const STAMPS: u8 = 8;
/// The values of another column, and those that differ.
pub(crate) const EQUAL: u8 = 9;
/// JSON lists: how many elements each has, and the elements.
pub(crate) const LISTS: u8 = 10;
/// Texts by their parts, which are columns of their own.
pub(crate) const PARTS: u8 = 11;
/// Lengths and bytes, all of them digits, letters from a to f and signs of addresses: these stand in a stream of their own.
pub(crate) const DIGITS: u8 = 12;
/// As [`PLAIN`], with the lengths in a stream that has only such.
pub(crate) const PLAIN_APART: u8 = 13;
/// As [`DICTIONARY`], with lengths and codes there.
pub(crate) const DICTIONARY_APART: u8 = 14;
