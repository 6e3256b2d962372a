//! What rows have in common: the literal text between their slots, which columns the slots are of, and the marks. Knows
//! nothing of values.

use bytes::Bytes;
use sawlog_model::Marks;

use super::cursor::{Cursor, Damage, put_varint};

/// A token runs over the edge of a slot, so that words of the line cannot be told from its parts.
const GLUED: u8 = 1;
/// The row is kept whole: its columns are [`super::fields::Role::Raw`] and [`super::fields::Role::Rest`].
const WHOLE: u8 = 2;

/// A part of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Item {
    /// Text that all rows of the skeleton have here.
    Literal(Bytes),
    /// The next value of a column; printed where it is part of the line.
    Slot { column: u32, printed: bool },
}

/// The shape of rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Skeleton {
    pub(super) marks: Marks,
    pub(super) glued: bool,
    pub(super) whole: bool,
    pub(super) items: Vec<Item>,
}

/// The bytes of a skeleton, made item by item. Kept and cleared between rows.
#[derive(Default)]
pub(super) struct Outline {
    pub(super) bytes: Vec<u8>,
    /// A dot between digits stands at the edge of a slot.
    pub(super) dotted: bool,
    /// Slots that are printed.
    pub(super) printed: usize,
}

impl Outline {
    pub(super) fn begin(&mut self, marks: Marks) {
        self.bytes.clear();
        self.dotted = false;
        self.printed = 0;
        self.bytes.extend_from_slice(&[0, marks.0]);
    }

    pub(super) fn literal(&mut self, text: &[u8]) {
        if !text.is_empty() {
            put_varint(&mut self.bytes, (text.len() as u64) << 1);
            self.bytes.extend_from_slice(text);
        }
    }

    pub(super) fn slot(&mut self, column: u32, printed: bool) {
        self.printed += usize::from(printed);
        put_varint(&mut self.bytes, u64::from(column) << 2 | u64::from(printed) << 1 | 1);
    }

    pub(super) fn glued(&mut self) {
        self.bytes[0] |= GLUED;
    }

    pub(super) fn is_glued(&self) -> bool {
        self.bytes[0] & GLUED != 0
    }

    pub(super) fn whole(&mut self) {
        self.bytes[0] |= WHOLE;
    }
}

impl Skeleton {
    /// Reads what an [`Outline`] holds; columns must be below `columns`.
    pub(super) fn read(bytes: &Bytes, columns: usize) -> Result<Skeleton, Damage> {
        let mut cursor = Cursor::new(bytes);
        let flags = cursor.byte()?;
        let marks = Marks(cursor.byte()?);
        let mut items = Vec::new();
        while cursor.remaining() > 0 {
            let head = cursor.varint()?;
            if head & 1 == 0 {
                let start = bytes.len() - cursor.remaining();
                let len = cursor.take((head >> 1) as usize)?.len();
                items.push(Item::Literal(bytes.slice(start..start + len)));
            } else if head >> 2 < columns as u64 {
                items.push(Item::Slot { column: (head >> 2) as u32, printed: head & 2 != 0 });
            } else {
                return Err(Damage::Bytes("a skeleton names a column that is not there"));
            }
        }
        Ok(Skeleton { marks, glued: flags & GLUED != 0, whole: flags & WHOLE != 0, items })
    }

    /// Bytes of memory, without the literals.
    pub(super) fn weight(&self) -> usize {
        std::mem::size_of::<Skeleton>() + self.items.len() * std::mem::size_of::<Item>()
    }

    /// Whether bare words search the values of such rows and not the line.
    pub(super) fn is_by_value(&self) -> bool {
        self.marks.has(Marks::JSON) || self.marks.has(Marks::MAP)
    }

    /// The literal texts.
    pub(super) fn literals(&self) -> impl Iterator<Item = &Bytes> {
        self.items.iter().filter_map(|item| match item {
            Item::Literal(text) => Some(text),
            Item::Slot { .. } => None,
        })
    }

    /// The columns that a row of it has values in, in the order of its slots.
    pub(super) fn columns(&self) -> impl Iterator<Item = u32> + '_ {
        self.items.iter().filter_map(|item| match item {
            Item::Slot { column, .. } => Some(*column),
            Item::Literal(_) => None,
        })
    }
}
