//! First bytes of the heads of columns: in which form the values are. docs/format.md draws them.

/// All values are the same.
pub(super) const CONSTANT: u8 = 0;
/// Integers as they are printed.
pub(super) const INTEGERS: u8 = 1;
/// Digits of one width.
pub(super) const PADDED: u8 = 2;
/// Codes of a dictionary that stands before them.
pub(super) const DICTIONARY: u8 = 3;
/// Codes of the segment's dictionary of the column.
pub(super) const SHARED: u8 = 4;
/// Lengths and bytes.
pub(super) const PLAIN: u8 = 5;
/// Templates and their variables.
pub(super) const TEMPLATES: u8 = 6;
/// The rows' own times, printed.
pub(super) const PRINTED: u8 = 7;
/// Times near the rows' own, printed.
pub(super) const STAMPS: u8 = 8;
/// The values of another column, and those that differ.
pub(super) const EQUAL: u8 = 9;
/// JSON lists: how many elements each has, and the elements.
pub(super) const LISTS: u8 = 10;
