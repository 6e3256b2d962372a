//! Texts that are kept by their parts: which frame each has, and the columns of the parts, read when they are asked for. The
//! reading half of [`super::parts`]. Knows nothing of rows.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use sawlog_model::Nanos;

use super::column::Column;
use super::cursor::{Cursor, Damage};
use super::decode::{LedBy, Stream};
use super::fields::{Field, Role};
use super::group::once;
use super::heads::Heads;
use super::{ints, stream, tag};
use crate::StoreError;

const NOT_READ: Damage = Damage::Bytes("a part of a text was not read");

/// What stands beside the values of a column: all that is needed to read it but its own bytes.
pub(super) trait Beside {
    /// The time of the row of each value.
    fn times(&self) -> Result<Vec<Nanos>, StoreError>;
    /// What leads a column of this number and form that has a value for each of these, by the number in its head.
    fn led(&self, leader: u32, column: u32, tag: u8) -> Result<LedBy, StoreError>;
}

/// Texts by their parts.
#[derive(Debug)]
pub(super) struct Framed {
    count: usize,
    pub(super) frames: Vec<Frame>,
    /// The frame of each value; empty where there is but one.
    codes: Vec<u32>,
    /// Which of the values of its frame each is.
    ranks: Vec<u32>,
}

/// What texts of one make have in common.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) before: Bytes,
    pub(super) parts: Vec<Part>,
    /// How many values have it.
    values: usize,
}

/// A part and the signs behind it.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) column: u32,
    pub(super) behind: Bytes,
    pub(super) values: OnceLock<Arc<Column>>,
}

impl Frame {
    /// How many values have it.
    pub(super) fn values(&self) -> usize {
        self.values
    }
}

impl Framed {
    /// Reads which values have which frame, of the head behind its form. A frame's columns are parts of such texts, and none
    /// comes before the column itself.
    pub(super) fn read(
        count: usize,
        column: u32,
        head: &Bytes,
        numbers: &Stream,
        fields: &[Field],
    ) -> Result<Framed, Damage> {
        let mut cursor = Cursor::new(head);
        let place = |cursor: &Cursor<'_>, len: usize| {
            let end = head.len() - cursor.remaining();
            head.slice(end - len..end)
        };
        let kind = fields.get(column as usize).map(|field| field.role.kind());
        let is_part = |part: u32| {
            let field = fields.get(part as usize).filter(|_| part > column);
            field.is_some_and(|field| matches!(field.role, Role::Part(of) if Some(of) == kind))
        };
        let mut frames = Vec::new();
        for _ in 0..cursor.count()? {
            let parts = cursor.count()?;
            let len = cursor.bytes()?.len();
            let before = place(&cursor, len);
            let parts = (0..parts).map(|_| {
                let column = cursor.u32()?;
                let len = cursor.bytes()?.len();
                let behind = place(&cursor, len);
                match is_part(column) {
                    true => Ok(Part { column, behind, values: OnceLock::new() }),
                    false => Err(Damage::Bytes("a part of a text is no column of parts")),
                }
            });
            let parts = parts.collect::<Result<Vec<Part>, Damage>>()?;
            frames.push(Frame { before, parts, values: count });
        }
        let mut framed = Framed { count, frames, codes: Vec::new(), ranks: Vec::new() };
        match framed.frames.len() {
            0 => Err(Damage::Bytes("texts have no frame")),
            1 => Ok(framed),
            different => {
                let size = ints::size(count, &mut cursor.clone())?;
                let planes = if size == 0 { Bytes::new() } else { numbers.bytes()?.clone() };
                framed.codes = ints::decode_below(different, count, &mut cursor, &mut Cursor::new(&planes))?;
                framed.rank();
                Ok(framed)
            }
        }
    }

    fn rank(&mut self) {
        let mut next = vec![0u32; self.frames.len()];
        let rank = |code: &u32| {
            let next = &mut next[*code as usize];
            *next += 1;
            *next - 1
        };
        self.ranks = self.codes.iter().map(rank).collect();
        self.frames.iter_mut().zip(next).for_each(|(frame, values)| frame.values = values as usize);
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Bytes of memory, with those of the parts that were read.
    pub(super) fn weight(&self) -> usize {
        let parts = self.frames.iter().flat_map(|frame| &frame.parts);
        let columns = parts.filter_map(|part| part.values.get()).map(|column| column.weight());
        self.codes.len() * 8 + columns.sum::<usize>()
    }

    /// The frame of a value, and which of its values it is.
    fn place(&self, index: usize) -> (usize, usize) {
        match self.codes.get(index) {
            Some(code) => (*code as usize, self.ranks[index] as usize),
            None => (0, index),
        }
    }

    /// The places of the values of a frame, ascending.
    pub(super) fn places(&self, frame: usize) -> impl Iterator<Item = usize> {
        (0..self.count).filter(move |index| self.place(*index).0 == frame)
    }

    /// Of what stands beside all values, that which stands beside those of a frame.
    fn of_frame<T: Copy>(&self, frame: usize, beside: Vec<T>) -> Vec<T> {
        if self.codes.is_empty() {
            return beside;
        }
        beside
            .into_iter()
            .zip(&self.codes)
            .filter(|(_, code)| **code as usize == frame)
            .map(|(one, _)| one)
            .collect()
    }

    /// Appends a text; all parts of its frame must have been read.
    pub(super) fn append(&self, index: usize, out: &mut Vec<u8>) -> Result<(), Damage> {
        let (frame, rank) = self.place(index);
        let frame = &self.frames[frame];
        out.extend_from_slice(&frame.before);
        for part in &frame.parts {
            part.values.get().ok_or(NOT_READ)?.append(rank, out)?;
            out.extend_from_slice(&part.behind);
        }
        Ok(())
    }
}

impl Heads {
    /// Which frames the `count` values of a column have; `None` where it is of another form.
    pub(super) fn framed(&self, column: u32, count: usize) -> Result<Option<Framed>, StoreError> {
        let Some(place) = self.place(column) else { return Ok(None) };
        let damaged = |damage| self.body.damaged(damage);
        let mut cursor = Cursor::new(&self.bytes()[place.clone()]);
        cursor.varint().map_err(damaged)?;
        if cursor.byte().map_err(damaged)? != tag::PARTS {
            return Ok(None);
        }
        let head = self.bytes().slice(place.end - cursor.remaining()..place.end);
        let numbers = self.lazy(column, stream::NUMBERS);
        Framed::read(count, column, &head, &numbers, &self.body.fields).map(Some).map_err(damaged)
    }

    /// The columns of the parts of the values of a column.
    pub(super) fn parts_of(&self, column: u32) -> Result<Vec<u32>, StoreError> {
        // The heads of frames stand before what says which value has which.
        let framed = self.framed(column, 0)?;
        let frames = framed.iter().flat_map(|framed| &framed.frames);
        Ok(frames.flat_map(|frame| frame.parts.iter().map(|part| part.column)).collect())
    }

    /// The values of a part of a frame.
    pub(super) fn part<'a>(
        &self,
        framed: &'a Framed,
        frame: usize,
        part: usize,
        beside: &dyn Beside,
    ) -> Result<&'a Arc<Column>, StoreError> {
        let Frame { parts, values, .. } = &framed.frames[frame];
        once(&parts[part].values, || {
            let beside = BesideParts { heads: self, framed, frame, part, beside };
            let column = self.read_column(parts[part].column, *values, &beside)?;
            // Where two frames name the same column, one of them may have more values.
            match column.len() == *values {
                true => Ok(column),
                false => Err(self
                    .body
                    .damaged(Damage::Bytes("a part has another number of values than its texts"))),
            }
        })
    }

    /// Reads all parts.
    pub(super) fn read_parts(&self, framed: &Framed, beside: &dyn Beside) -> Result<(), StoreError> {
        for (number, frame) in framed.frames.iter().enumerate() {
            for part in 0..frame.parts.len() {
                self.part(framed, number, part, beside)?;
            }
        }
        Ok(())
    }
}

/// What stands beside the values of a part.
struct BesideParts<'a> {
    heads: &'a Heads,
    framed: &'a Framed,
    frame: usize,
    part: usize,
    /// What stands beside the texts.
    beside: &'a dyn Beside,
}

impl Beside for BesideParts<'_> {
    fn times(&self) -> Result<Vec<Nanos>, StoreError> {
        Ok(self.framed.of_frame(self.frame, self.beside.times()?))
    }

    fn led(&self, leader: u32, column: u32, tag: u8) -> Result<LedBy, StoreError> {
        let before = &self.framed.frames[self.frame].parts[..self.part];
        match before.iter().position(|part| u64::from(part.column) + 2 == u64::from(leader)) {
            Some(part) => {
                let values = self.heads.part(self.framed, self.frame, part, self.beside)?;
                LedBy::column(values, tag).map_err(|damage| self.heads.body.damaged(damage))
            }
            None => Ok(match self.beside.led(leader, column, tag)? {
                LedBy::Codes(codes, different) => {
                    LedBy::Codes(self.framed.of_frame(self.frame, codes), different)
                }
                led => led,
            }),
        }
    }
}
