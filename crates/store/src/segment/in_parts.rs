//! A word, phrase or part looked for in texts that are kept by their parts: a word stands within one of them, so that only the
//! parts that may hold it are read. Knows nothing of skeletons.

use sawlog_model::Kind;

use super::bits::Bits;
use super::framed::Framed;
use super::group::Group;
use super::needle::{Needle, Reading};
use crate::StoreError;

impl Group {
    /// Which of the texts of a column pass; `None` where parts do not tell.
    pub(super) fn find_in_parts(
        &self,
        needle: &Needle<'_>,
        column: u32,
        framed: &Framed,
        reading: Reading,
    ) -> Result<Option<Bits>, StoreError> {
        let words = needle.words();
        if !needle.is_single() && words.is_empty() {
            return Ok(None);
        }
        let mut found = Bits::none(framed.len());
        for frame in 0..framed.frames.len() {
            let values = framed.frames[frame].values();
            let passing = if needle.is_single() {
                self.in_parts_of(needle, column, framed, frame, reading)?
            } else {
                let mut all = Bits::all(values);
                for word in &words {
                    if !all.is_empty() {
                        all.and(&self.in_parts_of(&Needle::new(word), column, framed, frame, reading)?);
                    }
                }
                all
            };
            if !passing.is_empty() {
                let hits = framed.places(frame).enumerate().filter(|(rank, _)| passing.has(*rank));
                hits.for_each(|(_, place)| found.set(place));
            }
        }
        if needle.is_single() || found.is_empty() {
            return Ok(Some(found));
        }
        let kind = match reading {
            Reading::Decoded => self.body.fields[column as usize].role.kind(),
            Reading::Written => Kind::Text,
        };
        let texts = self.values(column)?;
        let mut kept = Bits::none(framed.len());
        let mut bytes = Vec::new();
        for place in found.iter() {
            bytes.clear();
            self.append(texts, place, &mut bytes)?;
            kept.put(place, needle.keeps(kind, &bytes));
        }
        Ok(Some(kept))
    }

    /// The values of a frame of which a part holds what is looked for.
    fn in_parts_of(
        &self,
        needle: &Needle<'_>,
        column: u32,
        framed: &Framed,
        frame: usize,
        reading: Reading,
    ) -> Result<Bits, StoreError> {
        let mut found = Bits::none(framed.frames[frame].values());
        for (number, part) in framed.frames[frame].parts.iter().enumerate() {
            if !self.heads.cannot_hold(part.column, needle, reading)? {
                let values = self.part(column, framed, frame, number)?;
                found.or(&self.find_in(needle, part.column, reading, values)?);
            }
        }
        Ok(found)
    }
}
