//! Reads the small integers and byte strings that segments are made of, from bytes that may be damaged: every read is
//! checked against what is there. Knows nothing of what they mean.

use crate::StoreError;

pub(super) use sawlog_model::frame::{put_bytes, put_signed, put_varint};

/// Something cannot be read.
#[derive(Clone, Debug)]
pub(super) enum Damage {
    /// The bytes are not what a segment's writer writes; names the part.
    Bytes(&'static str),
    /// What was needed on the way could not be had.
    Store(StoreError),
}

/// A place in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Cursor { rest: bytes }
    }

    /// Bytes left.
    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn byte(&mut self) -> Result<u8, Damage> {
        let (&first, rest) = self.rest.split_first().ok_or(Damage::Bytes("a part ends too early"))?;
        self.rest = rest;
        Ok(first)
    }

    pub(super) fn varint(&mut self) -> Result<u64, Damage> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Damage::Bytes("an integer is too long"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, Damage> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Damage> {
        u32::try_from(self.varint()?).map_err(|_| Damage::Bytes("an integer is out of range"))
    }

    /// A count of things that take a byte or more each, so that no memory is taken for what is not there.
    pub(super) fn count(&mut self) -> Result<usize, Damage> {
        let count = self.varint()?;
        if count > self.rest.len() as u64 {
            return Err(Damage::Bytes("a count is larger than what follows"));
        }
        Ok(count as usize)
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Damage> {
        if len > self.rest.len() {
            return Err(Damage::Bytes("a part ends too early"));
        }
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        Ok(taken)
    }

    /// A length and so many bytes.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Damage> {
        let len = self.count()?;
        self.take(len)
    }

    /// The same as text.
    pub(super) fn text(&mut self) -> Result<&'a str, Damage> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Damage::Bytes("a name is not UTF-8"))
    }
}
