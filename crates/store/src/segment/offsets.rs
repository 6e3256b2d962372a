//! Offsets of the rows of a group: most follow from the row before. Knows nothing of predicates.

use std::sync::Arc;

use super::cursor::{Cursor, Damage};
use super::group::{Group, once};
use super::{GroupMeta, ints, stream};
use crate::StoreError;

/// How offsets follow from each other.
pub(super) struct OffsetRules {
    by_length: Vec<bool>,
    /// Rows whose offset is not what the rule says, and by how much.
    exceptions: Vec<(usize, u64)>,
}

impl Group {
    /// Offsets of all rows.
    ///
    /// # Errors
    /// As the disk says.
    pub fn offsets(&self) -> Result<Arc<Vec<u64>>, StoreError> {
        once(&self.offsets, || {
            let mut offsets = Vec::with_capacity(self.rows());
            let body = self.body.stream(stream::OFFSETS, self.number as u32 + 1)?;
            let mut head = Cursor::new(&self.heads.bytes()[self.heads.places().offsets..]);
            let rules = OffsetRules::read(self.meta(), &mut head, &mut Cursor::new(&body));
            let rules = rules.map_err(|damage| self.body.damaged(damage))?;
            let mut exceptions = rules.exceptions.iter().peekable();
            let mut line = Vec::new();
            for (run, by_length) in self.meta().runs.iter().zip(&rules.by_length) {
                let mut next = run.first;
                for row in run.start as usize..(run.start + run.rows) as usize {
                    if let Some((_, difference)) = exceptions.next_if(|(at, _)| *at == row) {
                        next = next.wrapping_add(*difference);
                    }
                    offsets.push(next);
                    let length = if *by_length {
                        line.clear();
                        self.render(row, &mut line)?;
                        line.len() as u64
                    } else {
                        1
                    };
                    next = next.wrapping_add(length);
                }
            }
            Ok(Arc::new(offsets))
        })
        .cloned()
    }
}

impl OffsetRules {
    /// Passes over them.
    pub(super) fn skip(meta: &GroupMeta, head: &mut Cursor<'_>) -> Result<(), Damage> {
        head.take(meta.runs.len())?;
        let count = head.varint()? as usize;
        ints::size(count, head)?;
        ints::size(count, head)?;
        Ok(())
    }

    fn read(meta: &GroupMeta, head: &mut Cursor<'_>, body: &mut Cursor<'_>) -> Result<OffsetRules, Damage> {
        let by_length =
            meta.runs.iter().map(|_| Ok(head.byte()? != 0)).collect::<Result<Vec<_>, Damage>>()?;
        let count = head.varint()? as usize;
        if count > meta.rows as usize {
            return Err(Damage::Bytes("more offsets than rows"));
        }
        let at = ints::decode(count, head, body)?;
        let differences = ints::decode(count, head, body)?;
        let mut row = 0usize;
        let exceptions = at
            .into_iter()
            .zip(differences)
            .map(|(step, difference)| {
                row = row.wrapping_add(step as usize);
                (row, difference as u64)
            })
            .collect();
        Ok(OffsetRules { by_length, exceptions })
    }
}
