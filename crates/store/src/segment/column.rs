//! Values of one column of one row group in memory. A column knows its values by their numbers and gives their bytes;
//! which row a value belongs to is not its business, nor how it was written.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use sawlog_model::Nanos;
use sawlog_model::time::Layout;

use super::bits::Bits;
use super::cursor::Damage;
use super::decode::{Place, Reading, Streams};
use super::follow;
use super::framed::Framed;
use super::lately::Lately;
use super::template::{self, VARIABLE};

/// A list of byte strings on one buffer.
#[derive(Clone, Debug, Default)]
pub(super) struct Strings {
    pub(super) bytes: Bytes,
    pub(super) ends: Vec<u32>,
    /// What was looked for lately.
    pub(super) found: Found,
}

/// The strings that passed the last tests: a dictionary is asked the same for one row group after the other.
pub(super) type Found = Lately<String, Bits>;

impl Strings {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn range(&self, index: usize) -> Range<usize> {
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
}

/// Decoded values.
#[derive(Debug)]
pub(super) enum Column {
    Constant {
        value: Bytes,
        count: usize,
    },
    Integers(Vec<i64>),
    /// Digits of one width.
    Padded {
        width: usize,
        values: Vec<i64>,
    },
    Dictionary {
        entries: Arc<Strings>,
        codes: Vec<u32>,
    },
    Plain(Strings),
    Templates(Box<Templates>),
    Printed(Printed),
    /// Texts by their parts, all of which were read.
    Parts(Arc<Framed>),
    /// JSON lists.
    Lists(Lists),
    /// The values of `base`, but for those at `places`.
    Equal {
        base: Arc<Column>,
        places: Vec<u32>,
        other: Option<Box<Column>>,
    },
}

/// JSON lists, by their elements.
#[derive(Debug)]
pub(super) struct Lists {
    /// First element of each value, and the end of the last.
    pub(super) starts: Vec<u32>,
    /// Values that are no list, and stand as one element.
    pub(super) bare: Vec<u32>,
    pub(super) elements: Box<Column>,
}

/// Texts that are times in a layout.
#[derive(Debug)]
pub(super) struct Printed {
    pub(super) layout: Layout,
    pub(super) times: Vec<Nanos>,
    /// From which value on which zone.
    pub(super) zones: Vec<(u32, i32)>,
    /// Texts that are not what the layout prints.
    pub(super) exceptions: Vec<(u32, Bytes)>,
}

/// Texts as templates and variables.
#[derive(Debug)]
pub(super) struct Templates {
    /// The templates of the segment.
    pub(super) table: Arc<Strings>,
    /// Index into `runs` of each value; empty where the values are not told apart.
    pub(super) codes: Vec<u32>,
    /// Templates of this group, ascending.
    pub(super) runs: Vec<TemplateRun>,
    /// Which of its template's values each value is, once that is asked.
    pub(super) ranks: OnceLock<Vec<u32>>,
    /// The variables of all runs, once they are asked for.
    pub(super) variables: OnceLock<Variables>,
    /// Where they begin.
    pub(super) start: Place,
    pub(super) head: Bytes,
    pub(super) streams: Streams,
}

/// One template that values have.
#[derive(Debug)]
pub(super) struct TemplateRun {
    pub(super) template: u32,
    /// How many values have it.
    pub(super) values: usize,
}

/// The variables of all runs of a column.
#[derive(Debug)]
pub(super) struct Variables {
    pub(super) all: Vec<Variable>,
    /// The end of those of each run.
    pub(super) ends: Vec<u32>,
}

/// A variable, read when it is needed.
#[derive(Debug)]
pub(super) struct Variable {
    pub(super) place: Place,
    /// Where the next one begins.
    pub(super) end: Place,
    pub(super) column: OnceLock<Box<Column>>,
}

impl Variable {
    /// Where in the text of the column its own stands.
    pub(super) fn text(&self) -> Range<usize> {
        self.place.text as usize..self.end.text as usize
    }

    /// The same of the text that is digits.
    pub(super) fn digits(&self) -> Range<usize> {
        self.place.digits as usize..self.end.digits as usize
    }
}

impl Column {
    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Column::Constant { count, .. } => *count,
            Column::Integers(values) | Column::Padded { values, .. } => values.len(),
            Column::Dictionary { codes, .. } => codes.len(),
            Column::Plain(strings) => strings.len(),
            Column::Templates(templates) => templates.codes.len(),
            Column::Printed(printed) => printed.times.len(),
            Column::Parts(framed) => framed.len(),
            Column::Lists(lists) => lists.starts.len() - 1,
            Column::Equal { base, .. } => base.len(),
        }
    }

    /// Bytes of memory, without what it shares with the segment or another column.
    pub(super) fn weight(&self) -> usize {
        match self {
            Column::Constant { value, .. } => value.len(),
            Column::Integers(values) | Column::Padded { values, .. } => values.len() * 8,
            Column::Dictionary { codes, .. } => codes.len() * 4,
            Column::Plain(strings) => strings.weight(),
            Column::Templates(templates) => templates.weight(),
            Column::Printed(printed) => printed.times.len() * 8,
            Column::Parts(framed) => framed.weight(),
            Column::Lists(lists) => lists.starts.len() * 4 + lists.elements.weight(),
            Column::Equal { places, other, .. } => {
                places.len() * 4 + other.as_ref().map_or(0, |other| other.weight())
            }
        }
    }

    /// Numbers that stand for the values, where equal values have equal ones, and what all are below.
    pub(super) fn numbers(&self) -> Option<(Cow<'_, [u32]>, usize)> {
        let anew = |(numbers, different)| (Cow::Owned(numbers), different);
        match self {
            Column::Integers(values) | Column::Padded { values, .. } => {
                Some(anew(follow::number(values.iter().copied())))
            }
            // What is known of each number takes memory.
            Column::Dictionary { entries, codes } if entries.len() > codes.len() => {
                Some(anew(follow::number(codes.iter().map(|code| i64::from(*code)))))
            }
            Column::Dictionary { entries, codes } => Some((Cow::Borrowed(codes), entries.len())),
            Column::Templates(templates) => Some((Cow::Borrowed(&templates.codes), templates.runs.len())),
            _ => None,
        }
    }

    /// The same without regard to how many that are.
    pub(super) fn codes(&self) -> Option<(Cow<'_, [u32]>, usize)> {
        match self {
            Column::Dictionary { entries, codes } => Some((Cow::Borrowed(codes), entries.len())),
            _ => self.numbers(),
        }
    }

    /// Appends the bytes of a value.
    pub(super) fn append(&self, index: usize, out: &mut Vec<u8>) -> Result<(), Damage> {
        match self {
            Column::Constant { value, .. } => out.extend_from_slice(value),
            Column::Integers(values) => print(values[index], out),
            Column::Padded { width, values } => print_padded(values[index], *width, out),
            Column::Dictionary { entries, codes } => {
                out.extend_from_slice(entries.get(codes[index] as usize))
            }
            Column::Plain(strings) => out.extend_from_slice(strings.get(index)),
            Column::Templates(templates) => templates.append(index, out)?,
            Column::Printed(printed) => printed.append(index, out),
            Column::Parts(framed) => framed.append(index, out)?,
            Column::Lists(lists) => lists.append(index, out)?,
            Column::Equal { base, places, other } => match (places.binary_search(&(index as u32)), other) {
                (Ok(place), Some(other)) => other.append(place, out)?,
                _ => base.append(index, out)?,
            },
        }
        Ok(())
    }

    /// All values on one buffer.
    pub(super) fn strings(&self) -> Result<Strings, Damage> {
        if let Column::Plain(strings) = self {
            return Ok(strings.clone());
        }
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(self.len());
        for index in 0..self.len() {
            self.append(index, &mut bytes)?;
            ends.push(bytes.len() as u32);
        }
        Ok(Strings { bytes: bytes.into(), ends, found: Found::default() })
    }
}

impl Lists {
    /// Appends a list.
    pub(super) fn append(&self, index: usize, out: &mut Vec<u8>) -> Result<(), Damage> {
        let (start, end) = (self.starts[index] as usize, self.starts[index + 1] as usize);
        if self.bare.binary_search(&(index as u32)).is_ok() {
            return self.elements.append(start, out);
        }
        out.push(b'[');
        for element in start..end {
            if element > start {
                out.push(b',');
            }
            self.elements.append(element, out)?;
        }
        out.push(b']');
        Ok(())
    }
}

impl Printed {
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
    /// Which of its template's values each value is.
    pub(super) fn ranks(&self) -> &[u32] {
        self.ranks.get_or_init(|| {
            let mut next = vec![0u32; self.runs.len()];
            let rank = |code: &u32| {
                let next = &mut next[*code as usize];
                *next += 1;
                *next - 1
            };
            self.codes.iter().map(rank).collect()
        })
    }

    /// The variables of a run.
    pub(super) fn variables(&self, run: usize) -> Result<&[Variable], Damage> {
        let variables = match self.variables.get() {
            Some(variables) => variables,
            None => {
                let variables = self.read_variables()?;
                self.variables.get_or_init(|| variables)
            }
        };
        let start = if run == 0 { 0 } else { variables.ends[run - 1] };
        Ok(&variables.all[start as usize..variables.ends[run] as usize])
    }

    /// The values of a variable of a run.
    pub(super) fn variable<'a>(&self, run: usize, variable: &'a Variable) -> Result<&'a Column, Damage> {
        match variable.column.get() {
            Some(column) => Ok(column),
            None => {
                let mut reading = Reading::new(&self.head, &self.streams, variable.place)?;
                let column = Box::new(reading.flat(self.runs[run].values)?);
                Ok(variable.column.get_or_init(|| column))
            }
        }
    }

    /// Whether a variable is of digits alone, as integers are written that are never below 0.
    fn has_no_sign(&self, variable: &Variable) -> Result<bool, Damage> {
        Reading::new(&self.head, &self.streams, variable.place)?.unsigned()
    }

    /// Appends a text.
    pub(super) fn append(&self, index: usize, out: &mut Vec<u8>) -> Result<(), Damage> {
        self.append_text(self.codes[index] as usize, self.ranks()[index] as usize, false, out)
    }

    /// Appends one of the texts of a run; with `past_numbers`, any digit stands for a whole number, which is then not read.
    pub(super) fn append_text(
        &self,
        run: usize,
        rank: usize,
        past_numbers: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Damage> {
        let mut rest = self.table.get(self.runs[run].template as usize);
        for variable in self.variables(run)? {
            let at = memchr::memchr(VARIABLE, rest).unwrap_or(rest.len());
            out.extend_from_slice(&rest[..at]);
            match past_numbers && self.has_no_sign(variable)? {
                true => out.push(b'0'),
                false => self.variable(run, variable)?.append(rank, out)?,
            }
            rest = rest.get(at + 1..).unwrap_or(&[]);
        }
        out.extend_from_slice(rest);
        Ok(())
    }

    /// Bytes of memory, roughly, once all is read.
    fn weight(&self) -> usize {
        let variables = |run: &TemplateRun| template::variables(self.table.get(run.template as usize));
        let of_run = |run: &TemplateRun| variables(run) * (run.values * 8 + 150);
        self.codes.len() * 8 + self.runs.iter().map(of_run).sum::<usize>() + self.head.len()
    }
}

/// Appends the shortest decimal form.
fn print(value: i64, out: &mut Vec<u8>) {
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
