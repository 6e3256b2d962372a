//! Values of one column of one row group as bytes: the writing half of [`super::column`]. What a reader must know first
//! goes to a head, numbers and text to bodies of their own, so that like stands beside like for the compressor.

use sawlog_model::{Kind, Nanos};
use xxhash_rust::xxh3::xxh3_64;

use super::ahead::fetched;
use super::cursor::{put_bytes, put_varint};
use super::interner::{IntMap, Interner};
use super::leaders::{Leaders, Led, Memory};
use super::printing::encode_stamps;
use super::template::{self, Cut, Vocabulary};
use super::variables::Variables;
use super::{Effort, counts, ints, tag, tokens};

/// Bytes of one shared dictionary, at most.
const DICTIONARY_BYTES: usize = 8 << 20;
/// Values of a sample.
const SAMPLE: usize = 512;
/// Most templates of a column.
const MOST_TEMPLATES: usize = 65_536;
/// A column of the group before has few templates where there is at most one for so many values.
const FEW_TEMPLATES: usize = 16;
/// Most bytes of the templates of a column.
const TEMPLATE_BYTES: usize = 8 << 20;
/// A column whose values are shorter on average is not cut into templates.
const SHORTEST_TEXT: usize = 12;

/// Where an encoded column goes.
#[derive(Default)]
pub(super) struct Bodies {
    /// Forms and parameters.
    pub(super) head: Vec<u8>,
    /// Planes of integers.
    pub(super) numbers: Vec<u8>,
    /// Text.
    pub(super) text: Vec<u8>,
    /// Numbers of templates.
    pub(super) templates: Vec<u8>,
    /// Lengths and codes of texts among variables.
    pub(super) lengths: Vec<u8>,
    /// Text that is digits.
    pub(super) digits: Vec<u8>,
    /// How often each code or template comes, where that is kept.
    pub(super) counts: Vec<(u32, u32)>,
}

impl Bodies {
    /// Elements of lists are not counted: they are not one for each row.
    fn count(&mut self, codes: &[i64], rows_per_code: usize, input: &Input<'_>) {
        if !input.nested {
            self.counts = counts::count(codes, rows_per_code);
        }
    }

    pub(super) fn integers(&mut self, values: &[i64]) {
        ints::encode(values, &mut self.head, &mut self.numbers);
    }

    /// The same among numbers that say where texts end.
    fn lengths(&mut self, values: &[i64]) {
        ints::encode(values, &mut self.head, &mut self.lengths);
    }
}

/// What a column shares over the groups of a segment.
#[derive(Default)]
pub(super) struct Shared {
    /// What is written is soon written anew.
    cheap: bool,
    /// Templates.
    pub(super) templates: Interner,
    vocabulary: Vocabulary,
    leader: Memory,
}

impl Shared {
    /// One of columns that are written with so much effort.
    pub(super) fn new(effort: Effort) -> Self {
        Shared { cheap: effort == Effort::Cheap, ..Shared::default() }
    }
}

/// A column of a row group that is to be written.
pub(super) struct Input<'a> {
    pub(super) number: u32,
    pub(super) kind: Kind,
    pub(super) values: &'a [&'a [u8]],
    /// The row of each value.
    pub(super) rows: &'a [u32],
    /// Times of all rows of the group.
    pub(super) times: &'a [Nanos],
    /// It is the elements of lists.
    pub(super) nested: bool,
    /// Which columns of parts it stands beside, value by value; 0 where it is no part.
    pub(super) family: u32,
}

/// The integer that prints as exactly these bytes.
pub(super) fn canonical_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.is_empty() || digits.len() > 18 || (digits[0] == b'0' && (digits.len() > 1 || negative)) {
        return None;
    }
    let value = decimal(digits)?;
    Some(if negative { -value } else { value })
}

/// The value of at most 18 digits.
fn decimal(digits: &[u8]) -> Option<i64> {
    let mut value = 0i64;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    Some(value)
}

/// Up to `most` of the values, spread evenly.
pub(super) fn sample<'a, 'b>(
    values: &'b [&'a [u8]],
    most: usize,
) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a, 'b> {
    values.iter().step_by(values.len().div_ceil(most).max(1)).copied()
}

/// All values as integers, and the width that they are padded to (0 where they are not).
fn as_integers(values: &[&[u8]]) -> Option<(Vec<i64>, usize)> {
    if let Some(numbers) = all_read(values, canonical_integer) {
        return Some((numbers, 0));
    }
    let width = values[0].len();
    if width == 0 || width > 18 || values.iter().any(|value| value.len() != width) {
        return None;
    }
    Some((all_read(values, decimal)?, width))
}

/// What `read` makes of each value, unless one is not so.
fn all_read(values: &[&[u8]], read: impl Fn(&[u8]) -> Option<i64>) -> Option<Vec<i64>> {
    read(values[0])?;
    let mut numbers = Vec::with_capacity(values.len());
    fetched(values).try_for_each(|value| {
        numbers.push(read(value)?);
        Some(())
    })?;
    Some(numbers)
}

fn put_integer_tag(width: usize, head: &mut Vec<u8>) {
    match width {
        0 => head.push(tag::INTEGERS),
        width => head.extend_from_slice(&[tag::PADDED, width as u8]),
    }
}

fn constant(value: &[u8], out: &mut Bodies) {
    out.head.push(tag::CONSTANT);
    put_varint(&mut out.head, value.len() as u64);
    out.text.extend_from_slice(value);
}

/// Lengths and bytes.
fn strings(values: &[&[u8]], flat: Flat, out: &mut Bodies) {
    let lengths: Vec<i64> = values.iter().map(|value| value.len() as i64).collect();
    put_varint(&mut out.head, lengths.iter().sum::<i64>() as u64);
    match flat {
        Flat::Variable => out.lengths(&lengths),
        Flat::Column | Flat::Digits => out.integers(&lengths),
    }
    let text = if flat == Flat::Digits { &mut out.digits } else { &mut out.text };
    fetched(values).for_each(|value| text.extend_from_slice(value));
}

/// What values that stand by themselves are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flat {
    /// A column, or some values of one.
    Column,
    /// A variable of a template.
    Variable,
    /// Either, of digits alone.
    Digits,
}

/// Hash and length of each different value of a sample.
fn distinct(values: &[&[u8]]) -> Vec<(u64, usize)> {
    let mut picked: Vec<_> = sample(values, SAMPLE).map(|value| (xxh3_64(value), value.len())).collect();
    picked.sort_unstable();
    picked.dedup();
    picked
}

/// Whether values come again so often that a dictionary is worth it: a sample says so, or all of them.
fn repeats(values: &[&[u8]]) -> bool {
    if distinct(values).len() * 2 <= values.len().min(SAMPLE) {
        return true;
    }
    let bytes: usize = sample(values, SAMPLE).map(<[u8]>::len).sum();
    if values.len() < SAMPLE || bytes < values.len().min(SAMPLE) * SHORTEST_TEXT {
        return false;
    }
    let mut seen: IntMap<()> = IntMap::default();
    for (index, value) in values.iter().enumerate() {
        seen.insert(xxh3_64(value) as i64, ());
        if seen.len() * 2 > values.len() || (index == values.len() / 4 && seen.len() * 10 > index * 9) {
            return false;
        }
    }
    true
}

/// Writes values that stand by themselves: nothing is shared with other groups.
pub(super) fn encode_flat(values: &[&[u8]], flat: Flat, out: &mut Bodies, tokens: &mut tokens::Tokens) {
    let first = values[0];
    if values.iter().all(|value| *value == first) {
        constant(first, out);
        tokens.add_text(first);
        return;
    }
    if let Some((numbers, width)) = as_integers(values) {
        put_integer_tag(width, &mut out.head);
        out.integers(&numbers);
        tokens.add_numbers(values, &numbers);
        return;
    }
    if values.len() >= 16 && repeats(values) {
        let mut dictionary = Interner::default();
        let codes: Vec<i64> = values.iter().map(|value| i64::from(dictionary.intern(value).0)).collect();
        if dictionary.len() * 2 <= values.len() {
            let entries: Vec<&[u8]> = dictionary.iter().collect();
            let is_variable = flat == Flat::Variable;
            out.head.push(if is_variable { tag::DICTIONARY_APART } else { tag::DICTIONARY });
            put_varint(&mut out.head, dictionary.len() as u64);
            strings(&entries, flat, out);
            if is_variable {
                out.lengths(&codes)
            } else {
                out.integers(&codes)
            }
            entries.iter().for_each(|entry| tokens.add_text(entry));
            return;
        }
    }
    let (tag, flat) = match flat {
        _ if values.iter().all(|value| template::is_all_digits(value)) => (tag::DIGITS, Flat::Digits),
        Flat::Variable => (tag::PLAIN_APART, flat),
        _ => (tag::PLAIN, flat),
    };
    out.head.push(tag);
    strings(values, flat, out);
    values.iter().for_each(|value| tokens.add_text(value));
}

/// Writes the values of a column whose kind is not a time.
pub(super) fn encode<'a>(
    input: &Input<'a>,
    dictionary: &mut Interner,
    shared: &mut Shared,
    leaders: &mut Leaders<'a>,
    out: &mut Bodies,
    tokens: &mut tokens::Tokens,
) {
    let tokens = tokens.of_kind(input.kind);
    let values = input.values;
    let is_text = matches!(input.kind, Kind::Text | Kind::JsonText | Kind::Json);
    if values.iter().all(|value| *value == values[0]) {
        out.head.push(0);
        constant(values[0], out);
        tokens.add_text(values[0]);
    } else if encode_equal(input, leaders, out, tokens) {
        return;
    } else if let Some((numbers, width)) = as_integers(values) {
        let led = lead(input, &numbers, shared, leaders);
        led.put_leader(&mut out.head);
        put_integer_tag(width, &mut out.head);
        led.put(&numbers, &mut out.head, &mut out.numbers);
        tokens.add_numbers(values, &numbers);
        if width == 0 {
            // No question asks for a range of parts of texts.
            let is_led = led.depth() > 0 && input.family == 0 && !shared.cheap;
            let rows_per_code = if is_led { counts::ROWS_PER_LED } else { counts::ROWS_PER_CODE };
            out.count(&numbers, rows_per_code, input);
        }
    } else {
        let done = encode_stamps(input, out, tokens)
            || encode_shared(input, dictionary, shared, leaders, out, tokens)
            || encode_lists(input, dictionary, shared, out, tokens)
            || (is_text && encode_templates(input, shared, leaders, out, tokens));
        if !done {
            out.head.push(0);
            encode_flat(values, Flat::Column, out, tokens);
        }
    }
    leaders.add_values(input);
}

/// Says who leads the codes of a column, and has them lead others. What is soon written anew is led by nobody: the search
/// would be for nothing.
fn lead<'a>(input: &Input<'a>, codes: &[i64], shared: &mut Shared, leaders: &mut Leaders<'a>) -> Led {
    if shared.cheap {
        return Led::Alone;
    }
    let led = leaders.lead(input, codes, &mut shared.leader);
    leaders.add(input, codes, led.depth());
    led
}

/// Writes which values differ from those of a column that has nearly the same.
fn encode_equal(
    input: &Input<'_>,
    leaders: &Leaders<'_>,
    out: &mut Bodies,
    tokens: &mut tokens::Tokens,
) -> bool {
    let Some((base, values)) = leaders.equal(input) else { return false };
    put_varint(&mut out.head, u64::from(base) + 2);
    out.head.push(tag::EQUAL);
    let differ = || input.values.iter().zip(values).enumerate().filter(|(_, (value, base))| value != base);
    let places: Vec<i64> = differ().map(|(place, _)| place as i64).collect();
    put_varint(&mut out.head, places.len() as u64);
    out.integers(&places);
    if !places.is_empty() {
        let other: Vec<&[u8]> = differ().map(|(_, (value, _))| *value).collect();
        encode_flat(&other, Flat::Column, out, tokens);
    }
    true
}

/// Writes codes of the shared dictionary where values come again often enough.
fn encode_shared<'a>(
    input: &Input<'a>,
    dictionary: &mut Interner,
    shared: &mut Shared,
    leaders: &mut Leaders<'a>,
    out: &mut Bodies,
    tokens: &mut tokens::Tokens,
) -> bool {
    let values = input.values;
    if values.len() < 16 {
        return false;
    }
    let size = sample(values, SAMPLE).len();
    let known = sample(values, SAMPLE).filter(|value| dictionary.find(value).is_some()).count();
    if known * 2 < size && !repeats(values) {
        return false;
    }
    let bytes: usize = distinct(values).iter().map(|(_, len)| len).sum();
    if dictionary.weight() + bytes * values.len() / size / 2 > DICTIONARY_BYTES {
        return false;
    }
    let before = dictionary.len();
    let mut seen = vec![false; before];
    let mut codes = Vec::with_capacity(values.len());
    fetched(values).for_each(|value| {
        let (code, new) = dictionary.intern(value);
        if new || (code as usize) < before && !std::mem::replace(&mut seen[code as usize], true) {
            tokens.add(value);
        }
        codes.push(i64::from(code));
    });
    let led = lead(input, &codes, shared, leaders);
    led.put_leader(&mut out.head);
    out.head.push(tag::SHARED);
    led.put(&codes, &mut out.head, &mut out.numbers);
    // Nobody counts by parts of texts.
    let is_asked = input.family == 0 && !shared.cheap;
    out.count(&codes, if is_asked { counts::ROWS_PER_SHARED } else { counts::ROWS_PER_CODE }, input);
    true
}

/// Writes JSON lists as how many elements each has and a column of the elements.
fn encode_lists(
    input: &Input<'_>,
    dictionary: &mut Interner,
    shared: &mut Shared,
    out: &mut Bodies,
    tokens: &mut tokens::Tokens,
) -> bool {
    if input.kind != Kind::Json || input.nested {
        return false;
    }
    let mut elements: Vec<&[u8]> = Vec::new();
    let mut counts = Vec::with_capacity(input.values.len());
    for value in input.values {
        let before = elements.len();
        if split_list(value, &mut elements) {
            counts.push((elements.len() - before) as i64);
        } else {
            elements.truncate(before);
            elements.push(value);
            counts.push(0);
        }
    }
    if elements.len() * 2 < input.values.len() * 3 {
        return false;
    }
    out.head.extend_from_slice(&[0, tag::LISTS]);
    out.integers(&counts);
    put_varint(&mut out.head, elements.len() as u64);
    let rows: Vec<u32> = (0..elements.len() as u32).collect();
    let nested = Input { values: &elements, rows: &rows, nested: true, ..*input };
    encode(&nested, dictionary, shared, &mut Leaders::new(elements.len()), out, tokens);
    true
}

/// Cuts a JSON list at the commas between its elements, so that joining these gives it back. `false` where it is none.
fn split_list<'a>(value: &'a [u8], into: &mut Vec<&'a [u8]>) -> bool {
    let Some(inner) = value.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) else { return false };
    let (mut depth, mut start, mut at) = (0u32, 0, 0);
    while at < inner.len() {
        match inner[at] {
            b'"' => {
                at += 1;
                while at < inner.len() && inner[at] != b'"' {
                    at += if inner[at] == b'\\' { 2 } else { 1 };
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return false,
            },
            b',' if depth == 0 => {
                into.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    into.push(&inner[start..]);
    depth == 0
}

/// Writes templates and their variables where a sample says that the text has some.
fn encode_templates<'a>(
    input: &Input<'a>,
    shared: &mut Shared,
    leaders: &mut Leaders<'a>,
    out: &mut Bodies,
    tokens: &mut tokens::Tokens,
) -> bool {
    let values = input.values;
    let kind = input.kind;
    let bytes: usize = values.iter().map(|value| value.len()).sum();
    if values.len() < 8 || bytes < values.len() * SHORTEST_TEXT {
        return false;
    }
    let known = shared.templates.len();
    let again = shared.cheap && known > 0 && known * FEW_TEMPLATES <= values.len();
    let most = if again { template::SAMPLE_AGAIN } else { template::SAMPLE };
    shared.vocabulary.learn(sample(values, most), kind);
    let mut cut = Cut::default();
    if !is_templated(kind, sample(values, most / 4), shared, again, &mut cut) {
        return false;
    }
    let all = cut_all(kind, values, shared, &mut cut, tokens);
    let led = lead(input, all.ids(), shared, leaders);
    led.put_leader(&mut out.head);
    out.head.push(tag::TEMPLATES);
    led.put(all.ids(), &mut out.head, &mut out.templates);
    out.count(all.ids(), counts::ROWS_PER_TEMPLATE, input);
    let all = all.arrange();
    tokens.of_parts(|tokens| {
        for (id, first) in all.templates() {
            let template = shared.templates.get(id);
            tokens.add_template(template);
            let columns = first..first + template::variables(template);
            columns.for_each(|column| encode_flat(&all.column(column), Flat::Variable, out, tokens));
        }
    });
    true
}

/// Values one after the other: a column is gone through several times, which takes long where its values are far apart.
#[derive(Default)]
pub(super) struct Copied {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Copied {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(super) fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len() as u32);
    }

    pub(super) fn values(&self) -> Vec<&[u8]> {
        let mut start = 0;
        self.ends
            .iter()
            .map(|end| &self.bytes[std::mem::replace(&mut start, *end as usize)..*end as usize])
            .collect()
    }
}

fn cut_all(
    kind: Kind,
    values: &[&[u8]],
    shared: &mut Shared,
    cut: &mut Cut,
    tokens: &mut tokens::Tokens,
) -> Variables {
    let mut all = Variables::default();
    let whole = shared.templates.intern(template::WHOLE).0;
    fetched(values).for_each(|value| {
        // A variable is a part of a word, and an address is four of them.
        tokens.add_addresses(value);
        shared.vocabulary.cut(value, kind, cut);
        let full = shared.templates.len() >= MOST_TEMPLATES || shared.templates.weight() > TEMPLATE_BYTES;
        let known = if full {
            shared.templates.find(&cut.template)
        } else {
            Some(shared.templates.intern(&cut.template).0)
        };
        match known {
            Some(id) => {
                all.push(id, cut.variables.iter().map(|(start, end)| &value[*start as usize..*end as usize]))
            }
            None => all.push(whole, std::iter::once(value)),
        }
    });
    all
}

/// Whether few templates and their literals make up much of a sample; `again`, those that are there already do not count.
fn is_templated<'a>(
    kind: Kind,
    picked: impl Iterator<Item = &'a [u8]>,
    shared: &Shared,
    again: bool,
    cut: &mut Cut,
) -> bool {
    let (mut texts, mut literals, mut bytes) = (0, 0, 0);
    let mut templates = Interner::default();
    for value in picked {
        shared.vocabulary.cut(value, kind, cut);
        if !again || shared.templates.find(&cut.template).is_none() {
            templates.intern(&cut.template);
        }
        texts += 1;
        bytes += value.len();
        literals += cut.template.len() - cut.variables.len();
    }
    templates.len() * 2 <= texts && literals * 8 > bytes
}

/// Appends a list of byte strings by themselves.
pub(super) fn put_strings<'a>(values: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    let values: Vec<&[u8]> = values.collect();
    let mut bodies = Bodies::default();
    strings(&values, Flat::Column, &mut bodies);
    put_varint(out, values.len() as u64);
    put_bytes(out, &bodies.head);
    put_bytes(out, &bodies.numbers);
    out.extend_from_slice(&bodies.text);
}
