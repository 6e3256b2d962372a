//! Says of a column, before its values are read, that a word cannot be in it: by its form, by the letters that times
//! have, by one search over its text. Knows nothing of rows.

use sawlog_model::Kind;

use super::cursor::{Cursor, Damage};
use super::group::Group;
use super::needle::Probe;
use super::{fields, index, stream, tag};
use crate::StoreError;

impl Group {
    /// Whether no value of the column can hold the probe, be it as it is written or as it is read.
    pub(super) fn cannot_hold(&self, column: u32, probe: &Probe<'_>) -> Result<bool, StoreError> {
        let kind = self.body.fields[column as usize].role.kind();
        let Some(head) = self.head(column) else { return Ok(true) };
        let mut cursor = Cursor::new(head);
        let leader = cursor.varint().map_err(|damage| self.body.damaged(damage))?;
        let tag = cursor.byte().map_err(|damage| self.body.damaged(damage))?;
        // What is written as anything but true reads as false.
        if kind == Kind::Bool {
            return Ok(false);
        }
        let in_text = || self.body.stream(stream::of_column(column, stream::TEXT), self.number as u32 + 1);
        let in_table = |column, part| self.body.strings(stream::of_column(column, part));
        let absent = |bytes: &[u8]| !probe.may_be_in(kind, bytes);
        let no_text = || Ok::<bool, StoreError>(absent(&in_text()?));
        let none_of = |column, part| {
            Ok::<bool, StoreError>(in_table(column, part)?.is_none_or(|all| absent(&all.bytes)))
        };
        let owner = fields::dictionary(&self.body.fields, column);
        match tag {
            tag::INTEGERS | tag::PADDED => Ok(true),
            tag::PRINTED | tag::STAMPS => Ok(!self.times_may_hold(probe)),
            tag::SHARED => none_of(owner, stream::DICTIONARY),
            tag::TEMPLATES => Ok(none_of(column, stream::TABLE)? && no_text()?),
            tag::LISTS => {
                Ok(none_of(column, stream::TABLE)? && none_of(owner, stream::DICTIONARY)? && no_text()?)
            }
            tag::EQUAL => {
                let base = leader.checked_sub(2).filter(|base| *base < u64::from(column));
                let base = base.ok_or_else(|| self.body.damaged(Damage::Bytes("a base is missing")))?;
                Ok(no_text()? && self.cannot_hold(base as u32, probe)?)
            }
            _ => no_text(),
        }
    }

    /// Whether a time may hold the probe: its digits and letters look like part of a token of a time.
    fn times_may_hold(&self, probe: &Probe<'_>) -> bool {
        let wanted = index::shape(probe.bytes);
        self.body.time_shapes.iter().any(|shape| memchr::memmem::find(shape, &wanted).is_some())
    }
}
