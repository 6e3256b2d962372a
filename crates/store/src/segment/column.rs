//! Values of one column of one row group, read back: the reading half of [`super::encode`]. A column knows its values by
//! their numbers and gives their bytes; which row a value belongs to is not its business.

use std::sync::Arc;

use bytes::Bytes;
use sawlog_model::Nanos;
use sawlog_model::time::Layout;

use super::cursor::{Cursor, Damage};
use super::ints;
use super::template::VARIABLE;

/// First byte of a column's head.
pub(super) mod tag {
    pub(in super::super) const CONSTANT: u8 = 0;
    pub(in super::super) const INTEGERS: u8 = 1;
    pub(in super::super) const PADDED: u8 = 2;
    pub(in super::super) const DICTIONARY: u8 = 3;
    pub(in super::super) const SHARED: u8 = 4;
    pub(in super::super) const PLAIN: u8 = 5;
    pub(in super::super) const TEMPLATES: u8 = 6;
    pub(in super::super) const PRINTED: u8 = 7;
}

/// A list of byte strings on one buffer.
#[derive(Clone, Debug, Default)]
pub(super) struct Strings {
    pub(super) bytes: Bytes,
    pub(super) ends: Vec<u32>,
}

impl Strings {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn range(&self, index: usize) -> std::ops::Range<usize> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        start as usize..self.ends[index] as usize
    }

    pub(super) fn get(&self, index: usize) -> &[u8] {
        &self.bytes[self.range(index)]
    }

    /// Bytes of memory.
    pub(super) fn weight(&self) -> usize {
        self.bytes.len() + self.ends.len() * 4
    }

    /// Reads what [`super::encode::put_strings`] wrote.
    pub(super) fn read(bytes: &Bytes) -> Result<Strings, Damage> {
        let mut cursor = Cursor::new(bytes);
        let count = cursor.varint()? as usize;
        let mut head = Cursor::new(cursor.bytes()?);
        let mut numbers = Cursor::new(cursor.bytes()?);
        let text = bytes.slice(bytes.len() - cursor.remaining()..);
        let mut body = Text { bytes: text, at: 0 };
        read_strings(count, &mut head, &mut numbers, &mut body)
    }
}

/// A body of text that is cut into shares of one buffer.
pub(super) struct Text {
    pub(super) bytes: Bytes,
    pub(super) at: usize,
}

impl Text {
    fn take(&mut self, len: usize) -> Result<Bytes, Damage> {
        if len > self.bytes.len() - self.at {
            return Err(Damage("a text column ends too early"));
        }
        self.at += len;
        Ok(self.bytes.slice(self.at - len..self.at))
    }
}

/// What a column is read from.
pub(super) struct Sources<'a> {
    pub(super) head: Cursor<'a>,
    pub(super) numbers: Cursor<'a>,
    pub(super) templates: Cursor<'a>,
    pub(super) text: Text,
    /// Values of the segment's dictionary of this column.
    pub(super) dictionary: Option<Arc<Strings>>,
    /// Templates of the segment for this column.
    pub(super) table: Option<Arc<Strings>>,
    /// Times of the values, for a time column.
    pub(super) times: Option<(u8, Vec<Nanos>)>,
}

/// Decoded values.
#[derive(Debug)]
pub(super) enum Column {
    Constant { value: Bytes, count: usize },
    Integers(Vec<i64>),
    Padded { width: usize, values: Vec<i64> },
    Dictionary { entries: Arc<Strings>, codes: Vec<u32> },
    Plain(Strings),
    Templates(Templates),
    Printed(Printed),
}

/// Texts that are times of rows in a layout.
#[derive(Debug)]
pub(super) struct Printed {
    layout: Layout,
    times: Vec<Nanos>,
    /// From which value on which zone.
    zones: Vec<(u32, i32)>,
    /// Texts that are not what the layout prints.
    exceptions: Vec<(u32, Bytes)>,
}

/// Texts as templates and variables.
#[derive(Debug)]
pub(super) struct Templates {
    /// The templates of the segment.
    pub(super) table: Arc<Strings>,
    /// Index into `runs` of each value.
    pub(super) codes: Vec<u32>,
    /// Which of its template's values each value is.
    pub(super) ranks: Vec<u32>,
    /// Templates of this group, ascending.
    pub(super) runs: Vec<TemplateRun>,
}

/// One template with the variables of all its values.
#[derive(Debug)]
pub(super) struct TemplateRun {
    pub(super) template: u32,
    /// How many values have it.
    pub(super) values: usize,
    pub(super) variables: Vec<Column>,
}

fn read_strings(
    count: usize,
    head: &mut Cursor<'_>,
    numbers: &mut Cursor<'_>,
    text: &mut Text,
) -> Result<Strings, Damage> {
    let lengths = ints::decode(count, head, numbers)?;
    let mut end = 0u64;
    let mut ends = Vec::with_capacity(lengths.len());
    for length in lengths {
        end = end.saturating_add(length as u64);
        ends.push(u32::try_from(end).map_err(|_| Damage("a text column is too long"))?);
    }
    Ok(Strings { bytes: text.take(end as usize)?, ends })
}

/// Codes that must be below `limit`.
fn read_codes(
    count: usize,
    limit: usize,
    head: &mut Cursor<'_>,
    body: &mut Cursor<'_>,
) -> Result<Vec<u32>, Damage> {
    let codes = ints::decode(count, head, body)?;
    if codes.iter().any(|code| *code < 0 || *code as u64 >= limit as u64) {
        return Err(Damage("a code is not in its dictionary"));
    }
    Ok(codes.into_iter().map(|code| code as u32).collect())
}

impl Column {
    /// Reads a column of `count` values.
    pub(super) fn read(count: usize, from: &mut Sources<'_>) -> Result<Column, Damage> {
        match from.head.byte()? {
            tag::CONSTANT => {
                let len = from.head.varint()? as usize;
                Ok(Column::Constant { value: from.text.take(len)?, count })
            }
            tag::INTEGERS => Ok(Column::Integers(ints::decode(count, &mut from.head, &mut from.numbers)?)),
            tag::PADDED => {
                let width = usize::from(from.head.byte()?);
                Ok(Column::Padded { width, values: ints::decode(count, &mut from.head, &mut from.numbers)? })
            }
            tag::DICTIONARY => {
                let size = from.head.varint()? as usize;
                if size > count {
                    return Err(Damage("a dictionary is larger than its column"));
                }
                let entries =
                    Arc::new(read_strings(size, &mut from.head, &mut from.numbers, &mut from.text)?);
                let codes = read_codes(count, size, &mut from.head, &mut from.numbers)?;
                Ok(Column::Dictionary { entries, codes })
            }
            tag::SHARED => {
                let entries = from.dictionary.clone().ok_or(Damage("a dictionary is missing"))?;
                let codes = read_codes(count, entries.len(), &mut from.head, &mut from.numbers)?;
                Ok(Column::Dictionary { entries, codes })
            }
            tag::PLAIN => {
                Ok(Column::Plain(read_strings(count, &mut from.head, &mut from.numbers, &mut from.text)?))
            }
            tag::TEMPLATES => Ok(Column::Templates(Templates::read(count, from)?)),
            tag::PRINTED => Ok(Column::Printed(Printed::read(from)?)),
            _ => Err(Damage("a column has a form that is not known")),
        }
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Column::Constant { count, .. } => *count,
            Column::Integers(values) | Column::Padded { values, .. } => values.len(),
            Column::Dictionary { codes, .. } => codes.len(),
            Column::Plain(strings) => strings.len(),
            Column::Templates(templates) => templates.codes.len(),
            Column::Printed(printed) => printed.times.len(),
        }
    }

    /// Bytes of memory, without what it shares with the segment.
    pub(super) fn weight(&self) -> usize {
        match self {
            Column::Constant { value, .. } => value.len(),
            Column::Integers(values) | Column::Padded { values, .. } => values.len() * 8,
            Column::Dictionary { codes, .. } => codes.len() * 4,
            Column::Plain(strings) => strings.weight(),
            Column::Templates(templates) => {
                let variables = templates.runs.iter().flat_map(|run| &run.variables);
                templates.codes.len() * 8 + variables.map(|column| column.weight() + 64).sum::<usize>()
            }
            Column::Printed(printed) => printed.times.len() * 8,
        }
    }

    /// Appends the bytes of a value.
    pub(super) fn append(&self, index: usize, out: &mut Vec<u8>) {
        match self {
            Column::Constant { value, .. } => out.extend_from_slice(value),
            Column::Integers(values) => print(values[index], out),
            Column::Padded { width, values } => print_padded(values[index], *width, out),
            Column::Dictionary { entries, codes } => {
                out.extend_from_slice(entries.get(codes[index] as usize))
            }
            Column::Plain(strings) => out.extend_from_slice(strings.get(index)),
            Column::Templates(templates) => templates.append(index, out),
            Column::Printed(printed) => printed.append(index, out),
        }
    }

    /// All values on one buffer.
    pub(super) fn strings(&self) -> Strings {
        if let Column::Plain(strings) = self {
            return strings.clone();
        }
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(self.len());
        for index in 0..self.len() {
            self.append(index, &mut bytes);
            ends.push(bytes.len() as u32);
        }
        Strings { bytes: bytes.into(), ends }
    }
}

impl Printed {
    fn read(from: &mut Sources<'_>) -> Result<Printed, Damage> {
        let (layout, times) = from.times.take().ok_or(Damage("a printed time stands where none can"))?;
        let mut index = 0u32;
        let mut zones = Vec::new();
        for _ in 0..from.head.count()? {
            index = index.saturating_add(from.head.u32()?);
            zones.push((index, from.head.signed()? as i32));
        }
        index = 0;
        let mut exceptions = Vec::new();
        for _ in 0..from.head.count()? {
            index = index.saturating_add(from.head.u32()?);
            exceptions.push((index, Bytes::copy_from_slice(from.head.bytes()?)));
        }
        Ok(Printed { layout: Layout(layout), times, zones, exceptions })
    }

    fn append(&self, index: usize, out: &mut Vec<u8>) {
        let at = index as u32;
        if let Ok(found) = self.exceptions.binary_search_by_key(&at, |(at, _)| *at) {
            out.extend_from_slice(&self.exceptions[found].1);
            return;
        }
        let before = self.zones.partition_point(|(from, _)| *from <= at);
        let zone = if before == 0 { 0 } else { self.zones[before - 1].1 };
        self.layout.print(self.times[index], zone, out);
    }
}

impl Templates {
    fn read(count: usize, from: &mut Sources<'_>) -> Result<Templates, Damage> {
        let table = from.table.clone().ok_or(Damage("templates are missing"))?;
        let ids = read_codes(count, table.len(), &mut from.head, &mut from.templates)?;
        let mut counts = vec![0u32; table.len()];
        let ranks = ids
            .iter()
            .map(|id| {
                counts[*id as usize] += 1;
                counts[*id as usize] - 1
            })
            .collect();
        let mut code_of = vec![0u32; table.len()];
        let mut runs = Vec::new();
        for (template, values) in counts.iter().enumerate().filter(|(_, values)| **values > 0) {
            code_of[template] = runs.len() as u32;
            let positions = table.get(template).iter().filter(|byte| **byte == VARIABLE).count();
            let variables: Result<Vec<Column>, Damage> =
                (0..positions).map(|_| Column::read(*values as usize, from)).collect();
            runs.push(TemplateRun {
                template: template as u32,
                values: *values as usize,
                variables: variables?,
            });
        }
        let codes = ids.iter().map(|id| code_of[*id as usize]).collect();
        Ok(Templates { table, codes, ranks, runs })
    }

    /// Appends a text.
    pub(super) fn append(&self, index: usize, out: &mut Vec<u8>) {
        let run = &self.runs[self.codes[index] as usize];
        let rank = self.ranks[index] as usize;
        let mut rest = self.table.get(run.template as usize);
        for variable in &run.variables {
            let at = memchr::memchr(VARIABLE, rest).unwrap_or(rest.len());
            out.extend_from_slice(&rest[..at]);
            variable.append(rank, out);
            rest = rest.get(at + 1..).unwrap_or(&[]);
        }
        out.extend_from_slice(rest);
    }
}

/// Appends the shortest decimal form.
pub(super) fn print(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends decimal digits of one width.
fn print_padded(value: i64, width: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + width, b'0');
    let mut rest = value.unsigned_abs();
    for digit in out[start..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}
