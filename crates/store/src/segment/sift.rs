//! Says of a column, before its values are read, that a word cannot be in it: by its form, by the letters that times
//! have, by one search over its text. Knows nothing of rows.

use sawlog_model::Kind;
use sawlog_model::time::Layout;

use super::cursor::{Cursor, Damage};
use super::fields::Role;
use super::heads::Heads;
use super::needle::{Absent, Needle, Probe, Reading};
use super::{fields, stream, tag, times, tokens};
use crate::StoreError;

impl Heads {
    /// Whether no value of the column, read so, can hold the needle.
    pub(super) fn cannot_hold(
        &self,
        column: u32,
        needle: &Needle<'_>,
        reading: Reading,
    ) -> Result<bool, StoreError> {
        let kind = self.body.fields[column as usize].role.kind();
        let Some(head) = self.of_column(column) else { return Ok(true) };
        let Some(whole) = needle.whole() else { return Ok(false) };
        // What is written as anything but true reads as false.
        if kind == Kind::Bool {
            return Ok(false);
        }
        if self.lacks_address(column, needle, reading)? {
            return Ok(true);
        }
        let escaped = matches!(kind, Kind::Json | Kind::JsonText);
        let looks = Looks {
            kind,
            reading,
            word: needle.probe(),
            whole: Some(whole).filter(|whole| !escaped || whole.is_never_escaped()),
            number: needle.may_be_number(),
            single: needle.is_single(),
        };
        self.cannot_look_so(column, head, &looks)
    }

    fn cannot_look_so(&self, column: u32, head: &[u8], looks: &Looks<'_>) -> Result<bool, StoreError> {
        let damaged = |damage| self.body.damaged(damage);
        let mut cursor = Cursor::new(head);
        let leader = cursor.varint().map_err(damaged)?;
        let tag = cursor.byte().map_err(damaged)?;
        let stream = |part| self.stream(stream::of_column(column, part));
        let no_text = |probe: &Probe<'_>| {
            if let Some(word) = &looks.word
                && self.is_in_no_index(column, word, looks.reading)?
            {
                return Ok(true);
            }
            if probe.may_be_in(looks.kind, &stream(stream::TEXT)?) {
                return Ok(false);
            }
            // What has other letters is not among digits.
            let lacks = !probe.is_all_digits() || !probe.may_be_in(looks.kind, &stream(stream::DIGITS)?);
            Ok::<bool, StoreError>(lacks)
        };
        let none_of = |probe: &Probe<'_>, column, part| {
            if let Some(word) = &looks.word
                && self.is_in_no_dictionary(column, word, looks.reading)?
            {
                return Ok(true);
            }
            let strings = self.body.strings(stream::of_column(column, part))?;
            Ok::<bool, StoreError>(strings.is_none_or(|all| !probe.may_be_in_any(looks.kind, &all)))
        };
        let owner = fields::dictionary(&self.body.fields, column);
        // Where values stand in one piece, all of the needle must be there.
        let piece = looks.whole.as_ref().or(looks.word.as_ref());
        Ok(match (tag, &looks.word, piece) {
            (tag::INTEGERS | tag::PADDED, word, _) => word.is_some() || !looks.number,
            (tag::PRINTED | tag::STAMPS, word, _) => {
                word.as_ref().is_some_and(|word| !self.times_may_hold(word))
                    || no_such_sign(cursor, looks).map_err(damaged)?
            }
            (tag::SHARED, _, Some(piece)) => none_of(piece, owner, stream::DICTIONARY)?,
            (tag::TEMPLATES, Some(word), _) => none_of(word, column, stream::TABLE)? && no_text(word)?,
            (tag::PARTS, word, _) => self.no_part_looks_so(column, looks, word.as_ref())?,
            (tag::LISTS, Some(word), _) => {
                none_of(word, column, stream::TABLE)?
                    && none_of(word, owner, stream::DICTIONARY)?
                    && no_text(word)?
            }
            (tag::EQUAL, word, Some(piece)) if word.is_some() || !looks.number => {
                let base = self.base(column, leader)?;
                let head = self.of_column(base).unwrap_or_default();
                no_text(piece)? && self.cannot_look_so(base, head, looks)?
            }
            (tag::CONSTANT | tag::DICTIONARY | tag::PLAIN | tag::DIGITS, _, Some(piece)) => no_text(piece)?,
            _ => false,
        })
    }

    /// Whether no part of the values of a column can look so: one of them must hold all of what stands within a word, and else the
    /// word.
    fn no_part_looks_so(
        &self,
        column: u32,
        looks: &Looks<'_>,
        word: Option<&Probe<'_>>,
    ) -> Result<bool, StoreError> {
        let of_word = word.map(|word| Looks {
            word: Some(Probe { bytes: word.bytes, is_token: word.is_token, search: word.search.clone() }),
            whole: None,
            number: false,
            single: true,
            ..*looks
        });
        let Some(looks) = (if looks.single { Some(looks) } else { of_word.as_ref() }) else {
            return Ok(false);
        };
        for part in self.parts_of(column)? {
            let head = self.of_column(part).unwrap_or_default();
            if !self.cannot_look_so(part, head, looks)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Of the tokens of the needle those that the index says the column's text does not have, by where they stand in it. What
    /// is all digits may stand as a number, of which the index does not know.
    pub(super) fn text_lacks(
        &self,
        column: u32,
        needle: &Needle<'_>,
        reading: Reading,
    ) -> Result<Absent, StoreError> {
        let mut absent = Absent::new();
        let Some(text) = needle.text.as_ref().filter(|_| self.is_indexed(column, reading)) else {
            return Ok(absent);
        };
        for ((token, whole), span) in text.tokens.iter().zip(&text.spans) {
            let wordy = *whole && !token.iter().all(u8::is_ascii_digit);
            if wordy && !self.body.may_be_in_text(self.number, token)? {
                absent.push(*span);
            }
        }
        Ok(absent)
    }

    /// Whether the index says that the group's text does not have the probe as a token.
    fn is_in_no_index(&self, column: u32, probe: &Probe<'_>, reading: Reading) -> Result<bool, StoreError> {
        let indexed = probe.is_token && self.is_indexed(column, reading);
        Ok(indexed && !self.body.may_be_in_text(self.number, probe.bytes)?)
    }

    /// The same of the group's dictionaries and templates.
    fn is_in_no_dictionary(
        &self,
        column: u32,
        probe: &Probe<'_>,
        reading: Reading,
    ) -> Result<bool, StoreError> {
        let indexed = probe.is_token && self.is_indexed(column, reading);
        Ok(indexed && !self.body.may_be_in_dictionaries(self.number, probe.bytes)?)
    }

    /// Whether the indexes know the column: they know the tokens of values as they are read; times and whole rows are not
    /// their business.
    fn is_indexed(&self, column: u32, reading: Reading) -> bool {
        match self.body.fields[column as usize].role {
            Role::Field(Kind::Text) | Role::Part(Kind::Text) | Role::Line => true,
            Role::Field(Kind::JsonText) | Role::Part(Kind::JsonText) => reading == Reading::Decoded,
            _ => false,
        }
    }

    /// Whether the needle has an address that no value of the column does.
    fn lacks_address(&self, column: u32, needle: &Needle<'_>, reading: Reading) -> Result<bool, StoreError> {
        let addresses = needle.text.as_ref().map_or(&[][..], |text| &text.addresses);
        if addresses.is_empty() || !self.is_indexed(column, reading) || self.is_addressed(column)? {
            return Ok(false);
        }
        for hash in addresses {
            if !self.body.may_hold_hash(self.number, *hash)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether values of the column may be addresses as a whole.
    fn is_addressed(&self, column: u32) -> Result<bool, StoreError> {
        if self.body.addressed.binary_search(&column).is_ok() {
            return Ok(true);
        }
        match self.form(column)? {
            Some((leader, tag::EQUAL)) => self.is_addressed(self.base(column, leader)?),
            Some((_, tag::PARTS)) => {
                let parts = self.parts_of(column)?;
                parts.into_iter().try_fold(false, |is, part| Ok(is || self.is_addressed(part)?))
            }
            _ => Ok(false),
        }
    }

    /// The column that one is nearly equal to.
    pub(super) fn base(&self, column: u32, leader: u64) -> Result<u32, StoreError> {
        let base = leader.checked_sub(2).filter(|base| *base < u64::from(column));
        let missing = || self.body.damaged(Damage::Bytes("a base is missing"));
        let base = base.filter(|base| self.of_column(*base as u32).is_some()).ok_or_else(missing)? as u32;
        // What is kept by parts is read from later columns.
        if self.is_in_parts(base)? { Err(missing()) } else { Ok(base) }
    }

    /// Whether a time may hold the probe: its digits and letters look like part of a token of a time.
    fn times_may_hold(&self, probe: &Probe<'_>) -> bool {
        let wanted = tokens::shape(probe.bytes);
        self.body.time_shapes.iter().any(|shape| memchr::memmem::find(shape, &wanted).is_some())
    }
}

/// What a value must look like.
struct Looks<'a> {
    kind: Kind,
    reading: Reading,
    /// A part of a token, not all digits.
    word: Option<Probe<'a>>,
    /// All of the needle, where values hold it as it is.
    whole: Option<Probe<'a>>,
    /// It may stand in a number.
    number: bool,
    /// It stands within a word.
    single: bool,
}

/// Whether the times of a column, whose head goes on at `head`, are all printed and have not all signs of the needle.
fn no_such_sign(mut head: Cursor<'_>, looks: &Looks<'_>) -> Result<bool, Damage> {
    let layout = Layout(head.byte()?);
    for _ in 0..head.count()? {
        head.varint()?;
        head.signed()?;
    }
    let exceptions = head.count()?;
    Ok(exceptions == 0
        && looks.whole.as_ref().is_some_and(|whole| times::has_foreign_sign(layout, whole.bytes)))
}
