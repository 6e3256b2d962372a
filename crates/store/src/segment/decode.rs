//! Columns from bytes: the reading half of [`super::encode`]. Streams are fetched when a value of them is needed first.
//! Knows nothing of rows.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use sawlog_model::Nanos;
use sawlog_model::time::Layout;

use super::column::{Column, Found, Lists, Printed, Strings, TemplateRun, Templates, Variable, Variables};
use super::cursor::{Cursor, Damage};
use super::follow::{self, Leader};
use super::template;
use super::{ints, tag};

/// How to get a stream.
pub(super) type Fetch = Box<dyn Fn() -> Result<Bytes, Damage> + Send + Sync>;

/// A stream that is fetched when it is needed.
pub(super) struct Stream {
    fetch: Option<Fetch>,
    bytes: OnceLock<Bytes>,
}

impl Stream {
    pub(super) fn new(fetch: Fetch) -> Self {
        Stream { fetch: Some(fetch), bytes: OnceLock::new() }
    }

    /// One that is there already.
    pub(super) fn of(bytes: Bytes) -> Self {
        Stream { fetch: None, bytes: OnceLock::from(bytes) }
    }

    pub(super) fn bytes(&self) -> Result<&Bytes, Damage> {
        match (self.bytes.get(), &self.fetch) {
            (Some(bytes), _) => Ok(bytes),
            (None, Some(fetch)) => {
                let bytes = fetch()?;
                Ok(self.bytes.get_or_init(|| bytes))
            }
            (None, None) => Err(Damage::Bytes("a stream is missing")),
        }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream({:?})", self.bytes.get().map(Bytes::len))
    }
}

/// Where in the streams of a column something begins.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    head: u32,
    numbers: u32,
    lengths: u32,
    pub(super) text: u32,
    pub(super) digits: u32,
}

/// The streams of a column that its values and variables are in.
#[derive(Debug)]
pub(super) struct Streams {
    pub(super) numbers: Stream,
    /// Numbers that say where texts among variables end, or which they are.
    pub(super) lengths: Stream,
    pub(super) text: Stream,
    /// Text that is digits.
    pub(super) digits: Stream,
}

impl Streams {
    /// Numbers and text that are there already, of what has no others.
    fn of(numbers: Bytes, text: Bytes) -> Streams {
        let (lengths, digits) = (Stream::of(Bytes::new()), Stream::of(Bytes::new()));
        Streams { numbers: Stream::of(numbers), lengths, text: Stream::of(text), digits }
    }
}

/// What follows so many bytes behind; where that cannot be, what is read there does not exist.
fn behind(place: u32, len: usize) -> u32 {
    place.saturating_add(u32::try_from(len).unwrap_or(u32::MAX))
}

/// Who leads the codes of a column.
pub(super) enum LedBy {
    Nobody,
    /// The code before.
    Before,
    /// Codes of another column, beside each value, and how many different ones there are.
    Codes(Vec<u32>, usize),
    /// The column that this one is nearly equal to.
    Base(Arc<Column>),
}

/// What leads has no codes.
pub(super) const NO_CODES: Damage = Damage::Bytes("a column is led by one without codes");

pub(super) const NOT_LED: Damage = Damage::Bytes("codes do not follow from their leader");

impl LedBy {
    /// By the values of a column that stand beside those of the column of this form.
    pub(super) fn column(values: &Arc<Column>, tag: u8) -> Result<LedBy, Damage> {
        if tag == tag::EQUAL {
            return Ok(LedBy::Base(values.clone()));
        }
        let (numbers, different) = values.numbers().ok_or(NO_CODES)?;
        Ok(LedBy::Codes(numbers.into_owned(), different))
    }

    /// What leads codes, if anything.
    fn of_codes(&self) -> Result<Option<Leader<'_>>, Damage> {
        match self {
            LedBy::Nobody => Ok(None),
            LedBy::Before => Ok(Some(Leader::Before)),
            LedBy::Codes(codes, different) => Ok(Some(Leader::Codes(codes, *different))),
            LedBy::Base(_) => Err(Damage::Bytes("codes are led by values")),
        }
    }
}

/// What a column is read from.
pub(super) struct Sources {
    /// Its head, behind the number of its leader.
    pub(super) head: Bytes,
    pub(super) streams: Streams,
    pub(super) templates: Stream,
    /// Values of the segment's dictionary of this column.
    pub(super) dictionary: Option<Arc<Strings>>,
    /// Templates of the segment for this column.
    pub(super) table: Option<Arc<Strings>>,
    /// Times of the rows of the values, where they are needed.
    pub(super) times: Vec<Nanos>,
    pub(super) leader: LedBy,
}

/// Reads a column part by part.
pub(super) struct Reading<'a> {
    head: Cursor<'a>,
    numbers: &'a Stream,
    streams: &'a Streams,
    at: Place,
}

/// Where texts stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Texts {
    /// Numbers and text beside all others.
    Beside,
    /// Numbers among those of texts.
    Apart,
    /// Text among digits.
    Digits,
}

impl<'a> Reading<'a> {
    pub(super) fn new(head: &'a [u8], streams: &'a Streams, at: Place) -> Result<Self, Damage> {
        let rest = head.get(at.head as usize..).ok_or(Damage::Bytes("a column's head is too short"))?;
        Ok(Reading { head: Cursor::new(rest), numbers: &streams.numbers, streams, at })
    }

    fn integers(&mut self, count: usize) -> Result<Vec<i64>, Damage> {
        let size = ints::size(count, &mut self.head.clone())?;
        let planes = if size == 0 { &[][..] } else { self.planes(size)? };
        ints::decode(count, &mut self.head, &mut Cursor::new(planes))
    }

    /// The next bytes of the numbers.
    fn planes(&mut self, size: usize) -> Result<&'a [u8], Damage> {
        let start = self.at.numbers as usize;
        self.at.numbers = behind(self.at.numbers, size);
        self.numbers
            .bytes()?
            .get(start..start.saturating_add(size))
            .ok_or(Damage::Bytes("numbers end too early"))
    }

    /// The same where they must be below `limit`.
    fn codes_alone(&mut self, count: usize, limit: usize) -> Result<Vec<u32>, Damage> {
        let size = ints::size(count, &mut self.head.clone())?;
        let planes = if size == 0 { &[][..] } else { self.planes(size)? };
        ints::decode_below(limit, count, &mut self.head, &mut Cursor::new(planes))
    }

    fn skip_integers(&mut self, count: usize) -> Result<(), Damage> {
        self.at.numbers = behind(self.at.numbers, ints::size(count, &mut self.head)?);
        Ok(())
    }

    /// Reads from where the numbers of such texts are.
    fn with_numbers_of<T>(&mut self, texts: Texts, read: impl FnOnce(&mut Self) -> T) -> T {
        if texts != Texts::Apart {
            return read(self);
        }
        let (numbers, at) = (self.numbers, self.at.numbers);
        (self.numbers, self.at.numbers) = (&self.streams.lengths, self.at.lengths);
        let result = read(self);
        self.at.lengths = self.at.numbers;
        (self.numbers, self.at.numbers) = (numbers, at);
        result
    }

    fn text(&mut self, texts: Texts, len: usize) -> Result<Bytes, Damage> {
        if len == 0 {
            return Ok(Bytes::new());
        }
        let (bytes, at) = match texts {
            Texts::Digits => (self.streams.digits.bytes()?, &mut self.at.digits),
            Texts::Beside | Texts::Apart => (self.streams.text.bytes()?, &mut self.at.text),
        };
        let start = *at as usize;
        *at = behind(*at, len);
        let end = start.saturating_add(len);
        if end > bytes.len() {
            return Err(Damage::Bytes("a text column ends too early"));
        }
        Ok(bytes.slice(start..end))
    }

    fn strings(&mut self, texts: Texts, count: usize) -> Result<Strings, Damage> {
        let total = self.head.varint()?;
        let lengths = self.with_numbers_of(texts, |reading| reading.integers(count))?;
        let mut end = 0u64;
        let mut ends = Vec::with_capacity(lengths.len());
        for length in lengths {
            end = end.saturating_add(length as u64);
            ends.push(u32::try_from(end).map_err(|_| Damage::Bytes("a text column is too long"))?);
        }
        if end != total {
            return Err(Damage::Bytes("lengths of texts do not fit their sum"));
        }
        Ok(Strings { bytes: self.text(texts, end as usize)?, ends, found: Found::default() })
    }

    fn skip_strings(&mut self, texts: Texts, count: usize) -> Result<(), Damage> {
        let total = self.head.varint()?;
        let at = if texts == Texts::Digits { &mut self.at.digits } else { &mut self.at.text };
        *at = behind(*at, total as usize);
        self.with_numbers_of(texts, |reading| reading.skip_integers(count))
    }

    /// The form of a column, and where its texts stand.
    fn form(&mut self) -> Result<(u8, Texts), Damage> {
        Ok(match self.head.byte()? {
            tag::DIGITS => (tag::PLAIN, Texts::Digits),
            tag::PLAIN_APART => (tag::PLAIN, Texts::Apart),
            tag::DICTIONARY_APART => (tag::DICTIONARY, Texts::Apart),
            form => (form, Texts::Beside),
        })
    }

    /// A column that stands by itself.
    pub(super) fn flat(&mut self, count: usize) -> Result<Column, Damage> {
        let (form, texts) = self.form()?;
        match form {
            tag::CONSTANT => {
                let len = self.head.varint()? as usize;
                Ok(Column::Constant { value: self.text(texts, len)?, count })
            }
            tag::INTEGERS => Ok(Column::Integers(self.integers(count)?)),
            tag::PADDED => {
                let width = self.width()?;
                Ok(Column::Padded { width, values: self.integers(count)? })
            }
            tag::DICTIONARY => {
                let size = self.dictionary_size(count)?;
                let entries = Arc::new(self.strings(texts, size)?);
                let codes = self.with_numbers_of(texts, |reading| reading.codes_alone(count, size))?;
                Ok(Column::Dictionary { entries, codes })
            }
            tag::PLAIN => Ok(Column::Plain(self.strings(texts, count)?)),
            _ => Err(Damage::Bytes("a column has a form that is not known")),
        }
    }

    /// Whether the column here is of integers of which none is below 0.
    pub(super) fn unsigned(mut self) -> Result<bool, Damage> {
        match self.head.byte()? {
            tag::PADDED => Ok(true),
            tag::INTEGERS => Ok(ints::least(&mut self.head)? >= 0),
            _ => Ok(false),
        }
    }

    fn width(&mut self) -> Result<usize, Damage> {
        Ok(usize::from(self.head.byte()?))
    }

    fn dictionary_size(&mut self, count: usize) -> Result<usize, Damage> {
        let size = self.head.varint()? as usize;
        if size > count { Err(Damage::Bytes("a dictionary is larger than its column")) } else { Ok(size) }
    }

    /// Passes over such a column.
    fn skip(&mut self, count: usize) -> Result<(), Damage> {
        let (form, texts) = self.form()?;
        match form {
            tag::CONSTANT => {
                let len = self.head.varint()? as usize;
                self.at.text = behind(self.at.text, len);
                Ok(())
            }
            tag::INTEGERS => self.skip_integers(count),
            tag::PADDED => {
                self.width()?;
                self.skip_integers(count)
            }
            tag::DICTIONARY => {
                let size = self.dictionary_size(count)?;
                self.skip_strings(texts, size)?;
                self.with_numbers_of(texts, |reading| reading.skip_integers(count))
            }
            tag::PLAIN => self.skip_strings(texts, count),
            _ => Err(Damage::Bytes("a column has a form that is not known")),
        }
    }

    /// Codes that are the values themselves, as their leader says.
    fn codes(&mut self, count: usize, leader: &LedBy) -> Result<Vec<i64>, Damage> {
        let Some(leader) = leader.of_codes()? else { return self.integers(count) };
        let symbols = self.planes(count)?;
        let exceptions = self.integers(follow::exceptions(symbols))?;
        follow::decode(symbols, &exceptions, leader).ok_or(NOT_LED)
    }

    /// Codes below `limit`, as their leader says.
    fn codes_below(&mut self, limit: usize, count: usize, leader: &LedBy) -> Result<Vec<u32>, Damage> {
        let Some(leader) = leader.of_codes()? else { return self.codes_alone(count, limit) };
        let symbols = self.planes(count)?;
        let exceptions = self.codes_alone(follow::exceptions(symbols), limit)?;
        follow::decode(symbols, &exceptions, leader).ok_or(NOT_LED)
    }

    /// Times in a layout: `times` are those of the rows; with `stamps` the differences to them are written.
    fn printed(&mut self, count: usize, mut times: Vec<Nanos>, stamps: bool) -> Result<Column, Damage> {
        if times.len() != count {
            return Err(Damage::Bytes("a printed time has no time"));
        }
        let layout = Layout(self.head.byte()?);
        let mut index = 0u32;
        let mut zones = Vec::new();
        for _ in 0..self.head.count()? {
            index = index.saturating_add(self.head.u32()?);
            zones.push((index, self.head.signed()? as i32));
        }
        index = 0;
        let mut exceptions = Vec::new();
        for _ in 0..self.head.count()? {
            index = index.saturating_add(self.head.u32()?);
            if index as usize >= count {
                return Err(Damage::Bytes("an exception stands behind the last time"));
            }
            exceptions.push((index, Bytes::copy_from_slice(self.head.bytes()?)));
        }
        if stamps {
            let differences = self.integers(count)?;
            times.iter_mut().zip(differences).for_each(|(time, more)| *time = time.wrapping_add(more));
        }
        Ok(Column::Printed(Printed { layout, times, zones, exceptions }))
    }

    fn equal(&mut self, count: usize, leader: &LedBy) -> Result<Column, Damage> {
        let LedBy::Base(base) = leader else { return Err(Damage::Bytes("a base is missing")) };
        let differ = self.head.varint()? as usize;
        if base.len() != count || differ > count {
            return Err(Damage::Bytes("a column does not fit its base"));
        }
        let places = self.codes_alone(differ, count)?;
        let other = if differ == 0 { None } else { Some(Box::new(self.flat(differ)?)) };
        Ok(Column::Equal { base: base.clone(), places, other })
    }
}

impl Column {
    /// Reads a column of `count` values.
    pub(super) fn read(count: usize, from: Sources) -> Result<Column, Damage> {
        Column::read_at(count, from, Place::default(), false)
    }

    /// Reads the column that begins at `at`; `nested` where it is the elements of lists.
    fn read_at(count: usize, mut from: Sources, at: Place, nested: bool) -> Result<Column, Damage> {
        let times = std::mem::take(&mut from.times);
        let mut reading = Reading::new(&from.head, &from.streams, at)?;
        let mut ahead = reading.head;
        let tag = ahead.byte()?;
        let is_flat = matches!(tag, tag::CONSTANT | tag::DICTIONARY | tag::PLAIN | tag::DIGITS..);
        if !is_flat {
            reading.head = ahead;
        }
        match tag {
            tag::INTEGERS => Ok(Column::Integers(reading.codes(count, &from.leader)?)),
            tag::PADDED => {
                let width = reading.width()?;
                Ok(Column::Padded { width, values: reading.codes(count, &from.leader)? })
            }
            tag::SHARED => {
                let entries = from.dictionary.clone().ok_or(Damage::Bytes("a dictionary is missing"))?;
                let codes = reading.codes_below(entries.len(), count, &from.leader)?;
                Ok(Column::Dictionary { entries, codes })
            }
            tag::TEMPLATES => {
                let table = from.table.clone().ok_or(Damage::Bytes("templates are missing"))?;
                let mut ids = Reading { numbers: &from.templates, ..reading };
                ids.at.numbers = 0;
                let codes = ids.codes_below(table.len(), count, &from.leader)?;
                let start = Place { head: narrow(from.head.len() - ids.head.remaining())?, ..at };
                Ok(Column::Templates(Box::new(Templates::read(codes, table, start, from))))
            }
            tag::PRINTED => reading.printed(count, times, false),
            tag::STAMPS => reading.printed(count, times, true),
            tag::EQUAL => reading.equal(count, &from.leader),
            tag::LISTS if !nested => Column::read_lists(count, reading.counts(count)?, from),
            _ => reading.flat(count),
        }
    }

    /// Reads the elements of lists.
    fn read_lists(count: usize, lists: ListHead, mut from: Sources) -> Result<Column, Damage> {
        let ListHead { starts, bare, leader, at } = lists;
        from.leader = match leader {
            0 => LedBy::Nobody,
            1 => LedBy::Before,
            _ => return Err(Damage::Bytes("elements are led by another column")),
        };
        let elements = starts.get(count).copied().unwrap_or(0) as usize;
        let elements = Box::new(Column::read_at(elements, from, at, true)?);
        Ok(Column::Lists(Lists { starts, bare, elements }))
    }
}

/// What stands before the elements of lists.
struct ListHead {
    starts: Vec<u32>,
    bare: Vec<u32>,
    /// Who leads the elements.
    leader: u64,
    at: Place,
}

impl Reading<'_> {
    fn counts(&mut self, count: usize) -> Result<ListHead, Damage> {
        let head = self.head.remaining();
        let at = self.at;
        let counts = self.integers(count)?;
        let elements = self.head.varint()?;
        let mut bare = Vec::new();
        let mut starts = vec![0u32];
        let mut next = 0u64;
        for (index, count) in counts.into_iter().enumerate() {
            if count == 0 {
                bare.push(index as u32);
            }
            next = next.saturating_add((count as u64).max(1));
            starts.push(u32::try_from(next).map_err(|_| Damage::Bytes("lists have too many elements"))?);
        }
        if next != elements {
            return Err(Damage::Bytes("lists have another number of elements than they say"));
        }
        let leader = self.head.varint()?;
        // The tag of the list stands before what was read here.
        let head = narrow(at.head as usize + 1 + head - self.head.remaining())?;
        Ok(ListHead { starts, bare, leader, at: Place { head, ..self.at } })
    }
}

impl Templates {
    /// Texts of which `list` says how many have which template; which rows they are of stays unread, so that they have no codes. `led`
    /// says whether another column leads the templates.
    pub(super) fn of_runs(list: &[(u32, u32)], led: bool, from: Sources) -> Result<Templates, Damage> {
        let table = from.table.clone().ok_or(Damage::Bytes("templates are missing"))?;
        if list.iter().any(|(template, _)| *template as usize >= table.len()) {
            return Err(Damage::Bytes("a code is not in its dictionary"));
        }
        let some = list.iter().filter(|(_, values)| *values > 0);
        let runs: Vec<TemplateRun> = some
            .map(|(template, values)| TemplateRun { template: *template, values: *values as usize })
            .collect();
        let mut head = Cursor::new(&from.head);
        head.byte()?;
        // The first of codes that are led is always an exception, so that there are some.
        ints::size(if led { 1 } else { runs.iter().map(|run| run.values).sum() }, &mut head)?;
        let start = Place { head: narrow(from.head.len() - head.remaining())?, ..Place::default() };
        Ok(Templates::with_runs(Vec::new(), runs, table, start, from))
    }

    /// Texts with these templates; the head of their variables begins at `start`.
    fn read(mut ids: Vec<u32>, table: Arc<Strings>, start: Place, from: Sources) -> Templates {
        let mut counts = vec![0u32; table.len()];
        ids.iter().for_each(|id| counts[*id as usize] += 1);
        let mut code_of = vec![0u32; table.len()];
        let mut runs = Vec::new();
        for (template, values) in counts.iter().enumerate().filter(|(_, values)| **values > 0) {
            code_of[template] = runs.len() as u32;
            runs.push(TemplateRun { template: template as u32, values: *values as usize });
        }
        ids.iter_mut().for_each(|id| *id = code_of[*id as usize]);
        Templates::with_runs(ids, runs, table, start, from)
    }

    fn with_runs(
        codes: Vec<u32>,
        runs: Vec<TemplateRun>,
        table: Arc<Strings>,
        start: Place,
        from: Sources,
    ) -> Templates {
        let Sources { head, streams, .. } = from;
        let (ranks, variables) = (OnceLock::new(), OnceLock::new());
        Templates { table, codes, runs, ranks, variables, start, head, streams }
    }

    /// Where the variables of each run stand.
    pub(super) fn read_variables(&self) -> Result<Variables, Damage> {
        let mut reading = Reading::new(&self.head, &self.streams, self.start)?;
        let counts = self.runs.iter().map(|run| template::variables(self.table.get(run.template as usize)));
        let counts: Vec<usize> = counts.collect();
        let mut all = Vec::with_capacity(counts.iter().sum());
        let mut ends = Vec::with_capacity(self.runs.len());
        for (run, count) in self.runs.iter().zip(counts) {
            for _ in 0..count {
                reading.at.head = narrow(self.head.len() - reading.head.remaining())?;
                let place = reading.at;
                reading.skip(run.values)?;
                all.push(Variable { place, end: reading.at, column: OnceLock::new() });
            }
            ends.push(narrow(all.len())?);
        }
        Ok(Variables { all, ends })
    }
}

/// A place in a stream, none of which is that long.
fn narrow(place: usize) -> Result<u32, Damage> {
    u32::try_from(place).map_err(|_| Damage::Bytes("a column is too long"))
}

impl Strings {
    /// Reads what [`super::encode::put_strings`] wrote.
    pub(super) fn read(bytes: &Bytes) -> Result<Strings, Damage> {
        let mut cursor = Cursor::new(bytes);
        let count = cursor.varint()? as usize;
        let head = cursor.bytes()?;
        let numbers = Bytes::copy_from_slice(cursor.bytes()?);
        let text = bytes.slice(bytes.len() - cursor.remaining()..);
        let streams = Streams::of(numbers, text);
        Reading::new(head, &streams, Place::default())?.strings(Texts::Beside, count)
    }
}
