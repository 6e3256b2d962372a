//! One item of msgpack at a time: the head of a value, with the bytes of text, binary and extensions.

use rmp::Marker;

use super::MsgpackError;

/// An item. A list or map is only its head: the items in it come next, a map's by pairs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Item<'a> {
    /// nil
    Nil,
    /// bool
    Bool(bool),
    /// A whole number that fits i64.
    Int(i64),
    /// A whole number above `i64::MAX`.
    UInt(u64),
    /// A float of 32 bits.
    F32(f32),
    /// A float of 64 bits.
    F64(f64),
    /// Text, which need not be UTF-8.
    Str(&'a [u8]),
    /// Bytes.
    Bin(&'a [u8]),
    /// An extension type.
    Ext(i8, &'a [u8]),
    /// A list of so many items.
    List(u32),
    /// A map of so many pairs.
    Map(u32),
}

/// The fixed part of an item and what it announces.
pub(super) struct Head {
    pub marker: Marker,
    /// Bytes of the marker, the length and, of an extension, its type.
    pub len: usize,
    /// Bytes of the body that follows.
    pub body: usize,
    /// Items that follow.
    pub items: u64,
}

impl Head {
    /// Whether it is the head of text.
    pub fn is_str(&self) -> bool {
        matches!(self.marker, Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32)
    }

    /// Whether it is the head of a map.
    pub fn is_map(&self) -> bool {
        matches!(self.marker, Marker::FixMap(_) | Marker::Map16 | Marker::Map32)
    }

    /// The head at the start of `bytes`; `Ok(None)` where they end within it.
    ///
    /// # Errors
    /// `Err(())` where no value begins so.
    pub fn read(bytes: &[u8]) -> Result<Option<Head>, ()> {
        let Some(first) = bytes.first() else { return Ok(None) };
        let marker = Marker::from_u8(*first);
        let (length_bytes, body, items) = match marker {
            Marker::Reserved => return Err(()),
            Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::True | Marker::False => (0, 0, 0),
            Marker::U8 | Marker::I8 => (0, 1, 0),
            Marker::U16 | Marker::I16 => (0, 2, 0),
            Marker::U32 | Marker::I32 | Marker::F32 => (0, 4, 0),
            Marker::U64 | Marker::I64 | Marker::F64 => (0, 8, 0),
            Marker::FixStr(len) => (0, usize::from(len), 0),
            Marker::FixArray(len) => (0, 0, u64::from(len)),
            Marker::FixMap(len) => (0, 0, 2 * u64::from(len)),
            Marker::FixExt1 => return Ok(Some(Head { marker, len: 2, body: 1, items: 0 })),
            Marker::FixExt2 => return Ok(Some(Head { marker, len: 2, body: 2, items: 0 })),
            Marker::FixExt4 => return Ok(Some(Head { marker, len: 2, body: 4, items: 0 })),
            Marker::FixExt8 => return Ok(Some(Head { marker, len: 2, body: 8, items: 0 })),
            Marker::FixExt16 => return Ok(Some(Head { marker, len: 2, body: 16, items: 0 })),
            Marker::Str8 | Marker::Bin8 | Marker::Ext8 => (1, 0, 0),
            Marker::Str16 | Marker::Bin16 | Marker::Ext16 | Marker::Array16 | Marker::Map16 => (2, 0, 0),
            Marker::Str32 | Marker::Bin32 | Marker::Ext32 | Marker::Array32 | Marker::Map32 => (4, 0, 0),
        };
        if length_bytes == 0 {
            return Ok(Some(Head { marker, len: 1, body, items }));
        }
        let Some(length) = bytes.get(1..1 + length_bytes) else { return Ok(None) };
        let length = length.iter().fold(0u64, |length, byte| length << 8 | u64::from(*byte));
        let len = 1 + length_bytes;
        Ok(Some(match marker {
            Marker::Array16 | Marker::Array32 => Head { marker, len, body: 0, items: length },
            Marker::Map16 | Marker::Map32 => Head { marker, len, body: 0, items: 2 * length },
            Marker::Ext8 | Marker::Ext16 | Marker::Ext32 => {
                Head { marker, len: len + 1, body: length as usize, items: 0 }
            }
            _ => Head { marker, len, body: length as usize, items: 0 },
        }))
    }
}

/// Lengths of head and body where text begins so; most of what there is is text. `None` also where the bytes end within the head.
#[inline]
pub(super) fn text_head(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes {
        [first @ 0xa0..=0xbf, ..] => Some((1, usize::from(first & 0x1f))),
        [0xd9, len, ..] => Some((2, usize::from(len))),
        [0xda, high, low, ..] => Some((3, usize::from(high) << 8 | usize::from(low))),
        [0xdb, a, b, c, d, ..] => Some((5, u32::from_be_bytes([a, b, c, d]) as usize)),
        _ => None,
    }
}

/// Reads items one after the other from whole bytes.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0 }
    }

    /// Where it stands.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The bytes not read yet.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// The next `len` bytes, or all that are left.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let bytes = &self.rest()[..len.min(self.rest().len())];
        self.at += bytes.len();
        bytes
    }

    /// The next item.
    ///
    /// # Errors
    /// [`MsgpackError::Syntax`] where there is no whole one.
    pub fn item(&mut self) -> Result<Item<'a>, MsgpackError> {
        let wrong = MsgpackError::Syntax(self.at);
        let rest = self.rest();
        if let Some((head, body)) = text_head(rest) {
            let text = rest.get(head..head + body).ok_or(wrong)?;
            self.at += head + body;
            return Ok(Item::Str(text));
        }
        let head = Head::read(rest).ok().flatten().ok_or(wrong.clone())?;
        let body = rest.get(head.len..).and_then(|rest| rest.get(..head.body)).ok_or(wrong)?;
        self.at += head.len + head.body;
        let kind = rest[head.len - 1] as i8;
        Ok(read(&head, body, kind))
    }
}

/// The item of a head, its body and, where it is an extension, its type.
fn read<'a>(head: &Head, body: &'a [u8], kind: i8) -> Item<'a> {
    let unsigned = || body.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    match head.marker {
        Marker::Null | Marker::Reserved => Item::Nil,
        Marker::True => Item::Bool(true),
        Marker::False => Item::Bool(false),
        Marker::FixPos(number) => Item::Int(i64::from(number)),
        Marker::FixNeg(number) => Item::Int(i64::from(number)),
        Marker::U8 | Marker::U16 | Marker::U32 | Marker::U64 => {
            let number = unsigned();
            i64::try_from(number).map_or(Item::UInt(number), Item::Int)
        }
        Marker::I8 => Item::Int(i64::from(unsigned() as i8)),
        Marker::I16 => Item::Int(i64::from(unsigned() as i16)),
        Marker::I32 => Item::Int(i64::from(unsigned() as i32)),
        Marker::I64 => Item::Int(unsigned() as i64),
        Marker::F32 => Item::F32(f32::from_bits(unsigned() as u32)),
        Marker::F64 => Item::F64(f64::from_bits(unsigned())),
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => Item::Str(body),
        Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => Item::Bin(body),
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => Item::List(head.items as u32),
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => Item::Map((head.items / 2) as u32),
        Marker::FixExt1 | Marker::FixExt2 | Marker::FixExt4 | Marker::FixExt8 | Marker::FixExt16 => {
            Item::Ext(kind, body)
        }
        Marker::Ext8 | Marker::Ext16 | Marker::Ext32 => Item::Ext(kind, body),
    }
}
