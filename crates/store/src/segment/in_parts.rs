//! A word, phrase or part looked for in texts that are kept by their parts: a word stands within one of them, so that only the
//! parts that may hold it are read. Knows nothing of skeletons.

use sawlog_model::{Kind, Test, value};

use super::bits::Bits;
use super::framed::{Frame, Framed};
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
        let (mut found, mut maybe) = (Bits::none(framed.len()), Bits::none(framed.len()));
        for frame in 0..framed.frames.len() {
            let sure = self.in_parts_of(needle, column, framed, frame, reading)?;
            let values = framed.frames[frame].values();
            let mut open = Bits::none(values);
            if !needle.is_single() && self.crosses(needle, column, &framed.frames[frame], reading)? {
                open = Bits::all(values);
                open.subtract(&sure);
                for word in &words {
                    if !open.is_empty() {
                        open.and(&self.in_parts_of(&Needle::new(word), column, framed, frame, reading)?);
                    }
                }
            }
            if !sure.is_empty() || !open.is_empty() {
                for (rank, place) in framed.places(frame).enumerate() {
                    found.put(place, sure.has(rank));
                    maybe.put(place, open.has(rank));
                }
            }
        }
        if !maybe.is_empty() {
            let kind = self.read_as(column, reading);
            let texts = self.values(column)?;
            let mut bytes = Vec::new();
            for place in maybe.iter() {
                bytes.clear();
                self.append(texts, place, &mut bytes)?;
                found.put(place, needle.keeps(kind, &bytes));
            }
        }
        Ok(Some(found))
    }

    /// As what the values of a column are tested.
    fn read_as(&self, column: u32, reading: Reading) -> Kind {
        match reading {
            Reading::Decoded => self.body.fields[column as usize].role.kind(),
            Reading::Written => Kind::Text,
        }
    }

    /// Whether what is looked for may stand over the edge of a part of such texts: what stands there are the signs between
    /// parts, and the words beside them are in the parts beside.
    fn crosses(
        &self,
        needle: &Needle<'_>,
        column: u32,
        frame: &Frame,
        reading: Reading,
    ) -> Result<bool, StoreError> {
        let Some((text, fold)) = needle.text() else { return Ok(true) };
        let may_hold = |part: Option<u32>, piece: &str, word: &str| {
            let (Some(part), false) = (part, piece.is_empty()) else { return Ok(piece.is_empty()) };
            let word = Test::Part { text: word.to_owned(), fold };
            Ok::<bool, StoreError>(!self.heads.cannot_hold(part, &Needle::new(&word), reading)?)
        };
        let escaped = self.read_as(column, reading) == Kind::JsonText;
        let mut left = None;
        for at in 0..=frame.parts.len() {
            let right = frame.parts.get(at).map(|part| part.column);
            let written = if at == 0 { &frame.before } else { &frame.parts[at - 1].behind };
            let signs = if escaped { value::unescape(written[..].into()) } else { written[..].into() };
            if signs.is_empty() && left.is_some() && right.is_some() {
                return Ok(true);
            }
            for (before, after) in around(&signs, text) {
                let is_sign = |letter: char| !letter.is_ascii_alphanumeric() && letter != '_';
                let (last, first) = (before.rsplit(is_sign).next(), after.split(is_sign).next());
                if may_hold(left, before, last.unwrap_or_default())?
                    && may_hold(right, after, first.unwrap_or_default())?
                {
                    return Ok(true);
                }
            }
            left = right;
        }
        Ok(false)
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

/// What stands before and behind the signs where these, or the end or beginning of them that the text begins or ends with, stand
/// in a text.
fn around<'a>(signs: &[u8], text: &'a str) -> Vec<(&'a str, &'a str)> {
    let within = (1..signs.len()).map(|from| (0, &signs[from..]));
    let places = within.chain((0..text.len()).map(|at| (at, signs)));
    let around = places.filter_map(|(at, signs)| {
        let len = signs.len().min(text.len() - at);
        let stands = len > 0 && len < text.len() && text.as_bytes()[at..at + len] == signs[..len];
        if stands { Some((text.get(..at)?, text.get(at + len..)?)) } else { None }
    });
    around.collect()
}
