//! Decides a predicate over a row group: every condition becomes a set of rows, found on skeletons and columns where
//! they can tell, and by putting rows together where they cannot. Knows nothing of Arrow.

use sawlog_model::{FieldValue, Kind, Predicate, Test, TimeRange, strip_terminator, token};

use super::bits::Bits;
use super::column::Column;
use super::fields::Role;
use super::group::Group;
use super::index::Index;
use super::literal;
use super::needle::{Needle, Reading};
use super::reader::Body;
use super::row::Taken;
use super::shape::{Shape, ShapeSlot};
use super::{stream, tokens};
use crate::StoreError;

/// Fields that are computed and stand in no column.
pub(super) const OWN: [&str; 7] = ["_line", "_time", "_received", "_source", "_epoch", "_offset", "_tenant"];

impl Group {
    /// The rows that the predicate keeps and whose time is in the range, ascending: exactly those for which
    /// [`Predicate::keeps`] holds.
    ///
    /// # Errors
    /// As the disk says.
    pub fn select(&self, predicate: &Predicate, range: TimeRange) -> Result<Vec<u32>, StoreError> {
        Ok(self.kept(predicate, range)?.iter().map(|row| row as u32).collect())
    }

    /// How many rows [`Group::select`] gives.
    ///
    /// # Errors
    /// As the disk says.
    pub fn count(&self, predicate: &Predicate, range: TimeRange) -> Result<u64, StoreError> {
        Ok(self.kept(predicate, range)?.count() as u64)
    }

    fn kept(&self, predicate: &Predicate, range: TimeRange) -> Result<Bits, StoreError> {
        let mut rows = Bits::all(self.rows());
        if !range.covers(self.meta().first_time, self.meta().last_time) {
            rows = Bits::none(self.rows());
            let times = self.times()?;
            times
                .iter()
                .enumerate()
                .filter(|(_, time)| range.contains(**time))
                .for_each(|(row, _)| rows.set(row));
        }
        self.evaluate(predicate, rows)
    }

    /// Which of `rows` are kept.
    fn evaluate(&self, predicate: &Predicate, rows: Bits) -> Result<Bits, StoreError> {
        if rows.is_empty() {
            return Ok(rows);
        }
        match predicate {
            Predicate::All => Ok(rows),
            Predicate::And(all) => all.iter().try_fold(rows, |rows, one| self.evaluate(one, rows)),
            Predicate::Or(any) => {
                let mut left = rows;
                let mut kept = Bits::none(self.rows());
                for one in any {
                    let found = self.evaluate(one, left.clone())?;
                    left.subtract(&found);
                    kept.or(&found);
                }
                Ok(kept)
            }
            Predicate::Not(one) => {
                let mut kept = rows.clone();
                kept.subtract(&self.evaluate(one, rows)?);
                Ok(kept)
            }
            Predicate::Any(test) => self.any(predicate, test, rows),
            Predicate::Field(name, test) => self.field(predicate, name, test, rows),
        }
    }

    /// Puts each row together and asks the predicate itself.
    fn one_by_one(&self, predicate: &Predicate, rows: &Bits) -> Result<Bits, StoreError> {
        let with_offset = matches!(predicate, Predicate::Field(name, _) if name == "_offset");
        let mut taken = Taken::default();
        let mut kept = Bits::none(self.rows());
        for row in rows.iter() {
            self.take(row, &mut taken)?;
            if predicate.keeps(&self.view(row, &taken, with_offset)?) {
                kept.set(row);
            }
        }
        Ok(kept)
    }

    /// Rows of the shapes for which `which` holds.
    fn of_shapes(&self, rows: &Bits, which: impl Fn(usize, &Shape) -> bool) -> Bits {
        let wanted: Vec<bool> =
            self.shapes.iter().enumerate().map(|(code, shape)| which(code, shape)).collect();
        if wanted.iter().all(|wanted| *wanted) {
            return rows.clone();
        }
        if !wanted.iter().any(|wanted| *wanted) {
            return Bits::none(self.rows());
        }
        let mut found = Bits::of(self.rows(), |row| wanted[self.codes[row] as usize]);
        found.and(rows);
        found
    }

    /// [`Predicate::Field`].
    fn field(&self, predicate: &Predicate, name: &str, test: &Test, rows: Bits) -> Result<Bits, StoreError> {
        let slots = self.last_named(name);
        let own = OWN.contains(&name);
        let lines = name == "_line";
        let slow = self
            .of_shapes(&rows, |code, shape| shape.skeleton.whole || (own && !lines && slots[code].is_none()));
        let mut kept = self.one_by_one(predicate, &slow)?;
        if lines {
            let bare = self.of_shapes(&rows, |code, shape| !shape.skeleton.whole && slots[code].is_none());
            kept.or(&self.line(test, bare)?);
        }
        if !own {
            let bare = self.of_shapes(&rows, |code, shape| !shape.skeleton.whole && slots[code].is_none());
            kept.or(&self.by_context(&bare, |context| {
                let text = |text: &str| FieldValue::Text(text.as_bytes().to_vec().into());
                context.get(name).is_some_and(|value| test.keeps_value(&text(value)))
            })?);
        }
        let mut columns: Vec<u32> = slots.iter().flatten().map(|(column, _)| *column).collect();
        columns.sort_unstable();
        columns.dedup();
        for column in columns {
            let here = self.of_shapes(&rows, |code, _| slots[code].is_some_and(|(have, _)| have == column));
            kept.or(&self.by_value(column, &here, test, &|code| slots[code].map(|(_, which)| which))?);
        }
        Ok(kept)
    }

    /// Of `rows`, those whose value in the column passes; `which` of the row's values it is goes by its shape.
    fn by_value(
        &self,
        column: u32,
        rows: &Bits,
        test: &Test,
        which: &dyn Fn(usize) -> Option<u32>,
    ) -> Result<Bits, StoreError> {
        let mut kept = Bits::none(self.rows());
        if rows.is_empty() {
            return Ok(kept);
        }
        let kind = self.body.fields[column as usize].role.kind();
        match (test, kind) {
            (Test::Null, _) => return Ok(if kind == Kind::Null { rows.clone() } else { kept }),
            (_, Kind::Null) => return Ok(kept),
            (Test::Exists, _) => return Ok(rows.clone()),
            _ => {}
        }
        let mut narrowed = None;
        for part in literals(test) {
            narrowed = Some(self.by_value(column, narrowed.as_ref().unwrap_or(rows), &part, which)?);
        }
        let rows = narrowed.as_ref().unwrap_or(rows);
        let needle = Needle::new(test);
        if self.heads.cannot_hold(column, &needle, Reading::Decoded)? {
            return Ok(kept);
        }
        let places = self.places(column);
        if rows.count() * 8 < places.count() {
            let values = self.values(column)?;
            let mut bytes = Vec::new();
            for row in rows.iter() {
                let Some(which) = which(self.codes[row] as usize) else { continue };
                bytes.clear();
                self.append(values, values.start(row) + which as usize, &mut bytes)?;
                if needle.keeps(kind, &bytes) {
                    kept.set(row);
                }
            }
            return Ok(kept);
        }
        let found = self.find_as(&needle, column, Reading::Decoded)?;
        if !found.is_empty() {
            for row in rows.iter() {
                let hit = which(self.codes[row] as usize)
                    .is_some_and(|which| found.has(places.start(row) + which as usize));
                if hit {
                    kept.set(row);
                }
            }
        }
        Ok(kept)
    }

    /// [`Predicate::Any`].
    fn any(&self, predicate: &Predicate, test: &Test, mut rows: Bits) -> Result<Bits, StoreError> {
        let mut kept = self.by_context(&rows, |context| {
            context.get("_tag").is_some_and(|tag| test.keeps_text(tag.as_bytes()))
        })?;
        rows.subtract(&kept);
        let whole = self.of_shapes(&rows, |_, shape| shape.skeleton.whole);
        kept.or(&self.one_by_one(predicate, &whole)?);
        rows.subtract(&whole);
        let lines = self.of_shapes(&rows, |_, shape| !shape.skeleton.is_by_value());
        // Of text lines only what is not printed is tested value by value.
        let needle = Needle::new(test);
        kept.or(&self.any_value(&needle, &rows, |shape, printed| {
            (shape.skeleton.is_by_value() || !printed).then_some(Reading::Decoded)
        })?);
        let mut left = lines;
        left.subtract(&kept);
        kept.or(&self.line(test, left)?);
        Ok(kept)
    }

    /// Of `rows`, those with a value that passes; `read` says which slots count and how they are read.
    fn any_value(
        &self,
        needle: &Needle<'_>,
        rows: &Bits,
        read: impl Fn(&Shape, bool) -> Option<Reading>,
    ) -> Result<Bits, StoreError> {
        let mut kept = Bits::none(self.rows());
        let present = self.present_shapes(rows);
        let mut columns: Vec<(u32, Reading)> = Vec::new();
        for shape in present.iter().map(|code| &self.shapes[*code]) {
            columns.extend(
                shape.slots.iter().filter_map(|slot| Some((slot.column, read(shape, slot.printed)?))),
            );
        }
        columns.sort_unstable();
        columns.dedup();
        for (column, reading) in columns {
            let kind = self.body.fields[column as usize].role.kind();
            if self.heads.cannot_hold(column, needle, reading)? {
                continue;
            }
            if kind == Kind::Null && reading == Reading::Decoded && !needle.keeps(kind, b"null") {
                continue;
            }
            let of_rows = self.places(column);
            let found = self.find_as(needle, column, reading)?;
            if found.is_empty() {
                continue;
            }
            let places: Vec<Vec<u32>> = self
                .shapes
                .iter()
                .map(|shape| {
                    let counts = |printed| read(shape, printed) == Some(reading);
                    let slots =
                        shape.slots.iter().filter(|slot| slot.column == column && counts(slot.printed));
                    slots.map(|slot| slot.which).collect()
                })
                .collect();
            // Where every row has just this value, what is found are rows.
            if of_rows.is_one_each() && places.iter().all(|places| places[..] == [0]) {
                let mut found = found;
                found.and(rows);
                kept.or(&found);
                continue;
            }
            for row in rows.iter() {
                let start = of_rows.start(row);
                if places[self.codes[row] as usize].iter().any(|which| found.has(start + *which as usize)) {
                    kept.set(row);
                }
            }
        }
        Ok(kept)
    }

    /// Shapes that some of `rows` have.
    pub(super) fn present_shapes(&self, rows: &Bits) -> Vec<usize> {
        if rows.count() == self.rows() {
            return (0..self.shapes.len()).collect();
        }
        let mut seen = vec![false; self.shapes.len()];
        rows.iter().for_each(|row| seen[self.codes[row] as usize] = true);
        (0..self.shapes.len()).filter(|code| seen[*code]).collect()
    }

    /// Of `rows`, those whose line passes.
    fn line(&self, test: &Test, mut rows: Bits) -> Result<Bits, StoreError> {
        for part in literals(test) {
            rows = self.line(&part, rows)?;
        }
        let needle = Needle::new(test);
        let mut kept = Bits::none(self.rows());
        if needle.is_text() {
            let parts = self.of_shapes(&rows, |_, shape| !shape.skeleton.whole && !shape.skeleton.glued);
            rows.subtract(&parts);
            let (found, maybe) = self.line_by_parts(&needle, parts)?;
            kept = found;
            rows.or(&maybe);
        }
        let mut line = Vec::new();
        for row in rows.iter() {
            line.clear();
            self.render(row, &mut line)?;
            if test.keeps_text(strip_terminator(&line)) {
                kept.set(row);
            }
        }
        Ok(kept)
    }

    /// Of `rows`, those of which a part holds the needle, and those that have to be put together to see it.
    fn line_by_parts(&self, needle: &Needle<'_>, rows: Bits) -> Result<(Bits, Bits), StoreError> {
        if needle.is_single() {
            return Ok((self.in_parts(needle, &rows)?, Bits::none(self.rows())));
        }
        let found = self.in_parts(needle, &rows)?;
        let mut left = rows;
        left.subtract(&found);
        let mut maybe = Bits::none(self.rows());
        let mut from_text = Vec::new();
        for code in self.present_shapes(&left) {
            for crossing in self.heads.crossings(&self.shapes[code], needle)? {
                let Some(slot) = crossing.left else {
                    from_text.push(code);
                    continue;
                };
                let here = self.of_shapes(&left, |other, _| other == code);
                maybe.or(&self.slot_holds(slot, &Needle::new(&crossing.before), &here)?);
            }
        }
        let mut with_words = self.of_shapes(&left, |code, _| from_text.contains(&code));
        for word in needle.words() {
            if !with_words.is_empty() {
                with_words = self.in_parts(&Needle::new(&word), &with_words)?;
            }
        }
        maybe.or(&with_words);
        Ok((found, maybe))
    }

    /// Of `rows`, those whose slot holds the needle as it is written.
    fn slot_holds(&self, slot: ShapeSlot, needle: &Needle<'_>, rows: &Bits) -> Result<Bits, StoreError> {
        let mut kept = Bits::none(self.rows());
        let of_rows = self.places(slot.column);
        let found = self.find_as(needle, slot.column, Reading::Written)?;
        if !found.is_empty() {
            let hits = rows.iter().filter(|row| found.has(of_rows.start(*row) + slot.which as usize));
            hits.for_each(|row| kept.set(row));
        }
        Ok(kept)
    }

    /// The values of a column that pass when they are read so.
    fn find_as(&self, needle: &Needle<'_>, column: u32, reading: Reading) -> Result<Bits, StoreError> {
        if let Some(framed) = self.framed(column)?
            && let Some(found) = self.find_in_parts(needle, column, framed, reading)?
        {
            return Ok(found);
        }
        self.find_in(needle, column, reading, &self.values(column)?.column)
    }

    /// Of the values of a column those that pass when they are read so.
    pub(super) fn find_in(
        &self,
        needle: &Needle<'_>,
        column: u32,
        reading: Reading,
        values: &Column,
    ) -> Result<Bits, StoreError> {
        let kind = self.body.fields[column as usize].role.kind();
        let absent = self.heads.text_lacks(column, needle, reading)?;
        let found = match reading {
            Reading::Decoded => needle.find_knowing(values, kind, &absent),
            // Templates of escaped text are cut at the escapes; its written form knows other words.
            Reading::Written if kind == Kind::JsonText => {
                let written = values.strings().map(Column::Plain);
                written.and_then(|written| needle.find(&written, Kind::Text))
            }
            Reading::Written => needle.find_knowing(values, Kind::Text, &absent),
        };
        found.map_err(|damage| self.body.damaged(damage))
    }

    /// Of `rows`, those with a part of the line (a literal or a value as written) that holds the needle.
    fn in_parts(&self, needle: &Needle<'_>, rows: &Bits) -> Result<Bits, StoreError> {
        let mut kept =
            self.of_shapes(rows, |_, shape| shape.skeleton.literals().any(|text| needle.is_in(text)));
        let mut left = rows.clone();
        left.subtract(&kept);
        kept.or(&self.any_value(needle, &left, |_, printed| printed.then_some(Reading::Written))?);
        Ok(kept)
    }
}

impl Body {
    /// Whether rows of the group may be kept, as far as footer and index know.
    pub(super) fn may_keep(&self, group: usize, predicate: &Predicate) -> Result<bool, StoreError> {
        match predicate {
            Predicate::All | Predicate::Not(_) => Ok(true),
            Predicate::And(all) => {
                for one in all {
                    if !self.may_keep(group, one)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Predicate::Or(any) => {
                for one in any {
                    if self.may_keep(group, one)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Predicate::Any(test) => {
                let tagged = |context: &sawlog_model::Context| {
                    context.get("_tag").is_some_and(|tag| test.keeps_text(tag.as_bytes()))
                };
                Ok(self.contexts.iter().any(|context| tagged(context)) || self.may_hold(group, test)?)
            }
            Predicate::Field(name, test) => {
                if OWN.contains(&&**name) || self.contexts.iter().any(|context| context.get(name).is_some()) {
                    return Ok(true);
                }
                let known = |field: &super::fields::Field| field.role == Role::Rest || &*field.name == name;
                Ok(self.fields.iter().any(known) && self.may_hold(group, test)?)
            }
        }
    }

    /// Whether a value or line of the group may pass.
    fn may_hold(&self, group: usize, test: &Test) -> Result<bool, StoreError> {
        for part in literals(test) {
            if !self.may_hold(group, &part)? {
                return Ok(false);
            }
        }
        // Where a column has values that are addresses as a whole, columns must be asked.
        if self.addressed.is_empty() {
            for hash in Needle::new(test).text.map(|text| text.addresses).unwrap_or_default() {
                if !self.may_hold_hash(group, hash)? {
                    return Ok(false);
                }
            }
        }
        let Some(alternatives) = needed_tokens(test) else { return Ok(true) };
        for tokens in alternatives {
            let mut all = true;
            for token in tokens {
                if !self.may_hold_token(group, token)? {
                    all = false;
                    break;
                }
            }
            if all {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn may_hold_token(&self, group: usize, token: &[u8]) -> Result<bool, StoreError> {
        let Some(hash) = tokens::hash(token) else { return Ok(true) };
        // A number too long for an integer is text, and indexed.
        let number = std::str::from_utf8(token).ok().and_then(|token| token.parse::<u64>().ok());
        let in_range = |number: u64| self.ranges[group].0 <= number && number <= self.ranges[group].1;
        if number.is_some_and(in_range) {
            return Ok(true);
        }
        if self.time_shapes.contains(&tokens::shape(token)) {
            return Ok(true);
        }
        self.may_hold_hash(group, hash)
    }

    /// Whether the indexes have the hash for this group.
    pub(super) fn may_hold_hash(&self, group: usize, hash: u32) -> Result<bool, StoreError> {
        Ok(self.is_in_pages(&self.index, stream::INDEX, hash, group)?
            || self.is_in_pages(&self.text_index, stream::TEXT_INDEX, hash, group)?)
    }

    /// Whether the text of the group (what stands in no dictionary and no template) may have the token, not all digits.
    pub(super) fn may_be_in_text(&self, group: usize, token: &[u8]) -> Result<bool, StoreError> {
        let Some(hash) = tokens::hash(token) else { return Ok(true) };
        self.is_in_pages(&self.text_index, stream::TEXT_INDEX, hash, group)
    }

    /// Whether a dictionary or template of the group may have the token, not all digits.
    pub(super) fn may_be_in_dictionaries(&self, group: usize, token: &[u8]) -> Result<bool, StoreError> {
        let Some(hash) = tokens::hash(token) else { return Ok(true) };
        self.is_in_pages(&self.index, stream::INDEX, hash, group)
    }

    fn is_in_pages(&self, index: &Index, pages: u32, hash: u32, group: usize) -> Result<bool, StoreError> {
        let groups = self.lookups.try_get((pages, hash), || {
            let groups = index.groups(&self.stream(pages, 0)?, hash, self.meta.groups.len());
            groups.map_err(|damage| self.damaged(damage))
        })?;
        Ok(groups.get(group).copied().unwrap_or(true))
    }
}

/// What an expression needs to match, as tests of their own.
fn literals(test: &Test) -> Vec<Test> {
    match test {
        Test::Regex(regex) => literal::required(regex.as_str()),
        _ => Vec::new(),
    }
}

/// Tokens that a text which passes must hold: all those of one of the lists. `None` where nothing can be said.
fn needed_tokens(test: &Test) -> Option<Vec<Vec<&[u8]>>> {
    match test {
        Test::Phrase { text, fold } if text.is_ascii() || !fold => Some(vec![inner_tokens(text, true, true)]),
        Test::Part { text, fold } if text.is_ascii() || !fold => Some(vec![inner_tokens(text, false, false)]),
        Test::Is(text) => Some(vec![value_tokens(text)?]),
        Test::In(list) => list.iter().map(|text| value_tokens(text)).collect(),
        Test::Glob { pattern, fold } if pattern.is_ascii() || !fold => {
            let pieces: Vec<&str> = pattern.split('*').collect();
            let last = pieces.len() - 1;
            let pieces = pieces.into_iter().enumerate();
            Some(vec![pieces.flat_map(|(at, piece)| inner_tokens(piece, at == 0, at == last)).collect()])
        }
        _ => None,
    }
}

/// Tokens of a text that a value must be. `None` where a number written otherwise is as good.
fn value_tokens(text: &str) -> Option<Vec<&[u8]>> {
    let numeric = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE_, ".contains(&byte));
    (!numeric).then(|| inner_tokens(text, true, true))
}

/// The tokens of `text`; the first and last only where the text is known to begin or end there.
fn inner_tokens(text: &str, from_start: bool, to_end: bool) -> Vec<&[u8]> {
    let bytes = text.as_bytes();
    let edges = |token: &&[u8]| {
        let start = token.as_ptr() as usize - bytes.as_ptr() as usize;
        (from_start || start > 0) && (to_end || start + token.len() < bytes.len())
    };
    bytes.split(|byte| !token::is_token_byte(*byte)).filter(|token| !token.is_empty()).filter(edges).collect()
}
