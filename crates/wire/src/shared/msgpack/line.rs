//! msgpack to a line and its slots, with no value in between.

use sawlog_model::value::Line;

use super::item::{Item, Reader};
use super::read::event_time;
use super::{Measured, MsgpackError};

/// Writes the line of the value at the start of `bytes`, which `measured` is of. It is the line that
/// [`render`](sawlog_model::value::render) gives for what [`value`](super::value()) reads.
///
/// # Errors
/// [`MsgpackError`] where the bytes are not those that were measured; a part of the line was written.
pub fn line(bytes: &[u8], measured: &Measured, line: &mut Line<'_>) -> Result<(), MsgpackError> {
    let reader = Reader::new(&bytes[..measured.len]);
    Writer { reader, odd: &measured.odd, line }.value()
}

struct Writer<'r, 'l, 'o> {
    reader: Reader<'r>,
    /// Maps still to come that are written as pairs.
    odd: &'r [usize],
    line: &'l mut Line<'o>,
}

impl Writer<'_, '_, '_> {
    fn value(&mut self) -> Result<(), MsgpackError> {
        let start = self.reader.at();
        match self.reader.item()? {
            Item::Nil => self.line.nil(),
            Item::Bool(value) => self.line.bool(value),
            Item::Int(number) => self.line.int(number),
            Item::UInt(number) => self.line.uint(number),
            Item::F32(number) => self.line.float32(number),
            Item::F64(number) => self.line.float(number),
            Item::Str(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => self.line.str(text),
                Err(_) => self.line.bin(bytes),
            },
            Item::Bin(bytes) => self.line.bin(bytes),
            Item::Ext(kind, bytes) => match event_time(kind, bytes) {
                Some(nanos) => self.line.time(nanos),
                None => self.line.ext(kind, bytes),
            },
            Item::List(count) => {
                let whole = self.line.open_list();
                for index in 0..count as usize {
                    self.line.item(index);
                    self.value()?;
                }
                self.line.close_list(whole);
            }
            Item::Map(count) if self.odd.first() == Some(&start) => self.pairs(count)?,
            Item::Map(count) => self.map(count)?,
        }
        Ok(())
    }

    fn pairs(&mut self, count: u32) -> Result<(), MsgpackError> {
        self.odd = &self.odd[1..];
        let whole = self.line.open_pairs();
        for index in 0..count as usize {
            self.line.open_pair(index);
            self.value()?;
            self.line.item(1);
            self.value()?;
            self.line.close_pair();
        }
        self.line.close_pairs(whole);
        Ok(())
    }

    fn map(&mut self, count: u32) -> Result<(), MsgpackError> {
        let whole = self.line.open_map();
        for index in 0..count as usize {
            let at = self.reader.at();
            let Item::Str(key) = self.reader.item()? else { return Err(MsgpackError::Syntax(at)) };
            let key = std::str::from_utf8(key).map_err(|_| MsgpackError::Syntax(at))?;
            let name = self.line.key(index, key);
            self.value()?;
            self.line.end_value(name);
        }
        self.line.close_map(whole, count == 0);
        Ok(())
    }
}
