//! Values of one column of one row group as bytes: the writing half of [`super::column`]. What a reader must know first
//! goes to a head, numbers and text to bodies of their own, so that like stands beside like for the compressor.

use std::collections::HashSet;

use sawlog_model::time::Layout;
use sawlog_model::{Kind, Nanos};

use super::column::tag;
use super::cursor::{put_bytes, put_signed, put_varint};
use super::interner::Interner;
use super::template::{self, Cut, Vocabulary};
use super::{index, ints};

/// Bytes of one shared dictionary, at most.
const DICTIONARY_BYTES: usize = 4 << 20;
/// Values of a sample.
const SAMPLE: usize = 512;
/// Most templates of a column.
const MOST_TEMPLATES: usize = 65_536;
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
}

impl Bodies {
    fn integers(&mut self, values: &[i64]) {
        ints::encode(values, &mut self.head, &mut self.numbers);
    }
}

/// What a column shares over the groups of a segment.
#[derive(Default)]
pub(super) struct Shared {
    /// Values that come again.
    pub(super) dictionary: Interner,
    /// Templates.
    pub(super) templates: Interner,
    vocabulary: Vocabulary,
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

/// Up to [`SAMPLE`] of the values, spread evenly.
fn sample<'a, 'b>(
    values: &'b [&'a [u8]],
    most: usize,
) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a, 'b> {
    values.iter().step_by(values.len().div_ceil(most).max(1)).copied()
}

/// Writes values that stand by themselves: nothing is shared with other groups.
fn encode_flat(values: &[&[u8]], out: &mut Bodies, tokens: &mut index::Tokens) {
    let first = values[0];
    if values.iter().all(|value| *value == first) {
        constant(first, out);
        tokens.add(first);
        return;
    }
    if encode_numbers(values, out, tokens) {
        return;
    }
    if values.len() >= 16 {
        let picked: HashSet<&[u8]> = sample(values, SAMPLE).collect();
        if picked.len() * 2 <= values.len().min(SAMPLE) {
            let mut dictionary = Interner::default();
            let codes: Vec<i64> = values.iter().map(|value| i64::from(dictionary.intern(value).0)).collect();
            if dictionary.len() * 2 <= values.len() {
                out.head.push(tag::DICTIONARY);
                put_varint(&mut out.head, dictionary.len() as u64);
                let entries: Vec<&[u8]> = dictionary.iter().collect();
                strings(&entries, out);
                out.integers(&codes);
                entries.iter().for_each(|entry| tokens.add(entry));
                return;
            }
        }
    }
    out.head.push(tag::PLAIN);
    strings(values, out);
    values.iter().for_each(|value| tokens.add(value));
}

fn constant(value: &[u8], out: &mut Bodies) {
    out.head.push(tag::CONSTANT);
    put_varint(&mut out.head, value.len() as u64);
    out.text.extend_from_slice(value);
}

/// Lengths and bytes.
fn strings(values: &[&[u8]], out: &mut Bodies) {
    let lengths: Vec<i64> = values.iter().map(|value| value.len() as i64).collect();
    out.integers(&lengths);
    for value in values {
        out.text.extend_from_slice(value);
    }
}

/// Writes the values as integers where they all are, in one way or the other.
fn encode_numbers(values: &[&[u8]], out: &mut Bodies, tokens: &mut index::Tokens) -> bool {
    let Some(numbers) = values.iter().map(|value| canonical_integer(value)).collect::<Option<Vec<i64>>>()
    else {
        return encode_padded(values, out, tokens);
    };
    out.head.push(tag::INTEGERS);
    out.integers(&numbers);
    values.iter().for_each(|value| tokens.add_number(value));
    true
}

/// Writes digits of one width.
fn encode_padded(values: &[&[u8]], out: &mut Bodies, tokens: &mut index::Tokens) -> bool {
    let width = values[0].len();
    if width == 0 || width > 18 || values.iter().any(|value| value.len() != width) {
        return false;
    }
    let Some(numbers) = values.iter().map(|value| decimal(value)).collect::<Option<Vec<i64>>>() else {
        return false;
    };
    out.head.push(tag::PADDED);
    out.head.push(width as u8);
    out.integers(&numbers);
    values.iter().for_each(|value| tokens.add_number(value));
    true
}

/// Writes the values of a column whose kind is not a time.
pub(super) fn encode(
    kind: Kind,
    values: &[&[u8]],
    shared: &mut Shared,
    out: &mut Bodies,
    tokens: &mut index::Tokens,
) {
    let first = values[0];
    let constant = values.iter().all(|value| *value == first);
    let tokens = tokens.of_kind(kind);
    if constant || encode_shared(values, shared, out, tokens) {
        if constant {
            self::constant(first, out);
            tokens.add(first);
        }
        return;
    }
    if matches!(kind, Kind::Text | Kind::JsonText | Kind::Json)
        && encode_templates(kind == Kind::JsonText, values, shared, out, tokens)
    {
        return;
    }
    encode_flat(values, out, tokens);
}

/// Writes codes of the shared dictionary where values come again often enough.
fn encode_shared(
    values: &[&[u8]],
    shared: &mut Shared,
    out: &mut Bodies,
    tokens: &mut index::Tokens,
) -> bool {
    if values.len() < 16 || canonical_integer(values[0]).is_some() {
        return false;
    }
    let mut known = 0;
    let picked: HashSet<&[u8]> = sample(values, SAMPLE)
        .inspect(|value| known += usize::from(shared.dictionary.find(value).is_some()))
        .collect();
    let size = values.len().min(SAMPLE);
    if picked.len() * 2 > size && known * 2 < size {
        return false;
    }
    let bytes: usize = picked.iter().map(|value| value.len()).sum();
    if shared.dictionary.weight() + bytes * values.len() / size > DICTIONARY_BYTES {
        return false;
    }
    out.head.push(tag::SHARED);
    let before = shared.dictionary.len();
    let mut seen = vec![false; before];
    let mut codes = Vec::with_capacity(values.len());
    for value in values {
        let (code, new) = shared.dictionary.intern(value);
        if new || (code as usize) < before && !std::mem::replace(&mut seen[code as usize], true) {
            tokens.add(value);
        }
        codes.push(i64::from(code));
    }
    out.integers(&codes);
    true
}

/// Writes templates and their variables where a sample says that the text has some.
fn encode_templates(
    json: bool,
    values: &[&[u8]],
    shared: &mut Shared,
    out: &mut Bodies,
    tokens: &mut index::Tokens,
) -> bool {
    let bytes: usize = values.iter().map(|value| value.len()).sum();
    if values.len() < 8 || bytes < values.len() * SHORTEST_TEXT {
        return false;
    }
    shared.vocabulary.learn(sample(values, template::SAMPLE), json);
    let mut cut = Cut::default();
    if !is_templated(json, values, &shared.vocabulary, &mut cut) {
        return false;
    }
    let mut ids = Vec::with_capacity(values.len());
    let mut starts = Vec::with_capacity(values.len() + 1);
    let mut variables: Vec<(u32, u32)> = Vec::new();
    let whole = shared.templates.intern(template::WHOLE).0;
    for value in values {
        starts.push(variables.len());
        shared.vocabulary.cut(value, json, &mut cut);
        let full = shared.templates.len() >= MOST_TEMPLATES || shared.templates.weight() > TEMPLATE_BYTES;
        let id = if full {
            shared.templates.find(&cut.template)
        } else {
            Some(shared.templates.intern(&cut.template).0)
        };
        match id {
            Some(id) => {
                ids.push(i64::from(id));
                variables.extend_from_slice(&cut.variables);
            }
            None => {
                ids.push(i64::from(whole));
                variables.push((0, value.len() as u32));
            }
        }
    }
    out.head.push(tag::TEMPLATES);
    ints::encode(&ids, &mut out.head, &mut out.templates);
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    order.sort_by_key(|index| ids[*index as usize]);
    let mut column: Vec<&[u8]> = Vec::new();
    for run in order.chunk_by(|a, b| ids[*a as usize] == ids[*b as usize]) {
        let template = shared.templates.get(ids[run[0] as usize] as u32);
        tokens.add_template(template);
        for position in 0..template.iter().filter(|byte| **byte == template::VARIABLE).count() {
            column.clear();
            column.extend(run.iter().map(|index| {
                let (start, end) = variables[starts[*index as usize] + position];
                &values[*index as usize][start as usize..end as usize]
            }));
            encode_flat(&column, out, tokens);
        }
    }
    true
}

/// Whether few templates and their literals make up much of a sample.
fn is_templated(json: bool, values: &[&[u8]], vocabulary: &Vocabulary, cut: &mut Cut) -> bool {
    let picked = sample(values, SAMPLE);
    let (mut texts, mut literals, mut bytes) = (0, 0, 0);
    let mut templates = Interner::default();
    for value in picked {
        vocabulary.cut(value, json, cut);
        templates.intern(&cut.template);
        texts += 1;
        bytes += value.len();
        literals += cut.template.len() - cut.variables.len();
    }
    templates.len() * 2 <= texts && literals * 8 > bytes
}

/// Writes the texts of a time column: only those that printing the row's time does not give back, and where the zone in
/// which it is printed changes.
pub(super) fn encode_times(layout: u8, values: &[&[u8]], times: &[Nanos], out: &mut Bodies) {
    let mut printed = Vec::new();
    let mut exceptions: Vec<(usize, &[u8])> = Vec::new();
    let mut zones: Vec<(usize, i32)> = Vec::new();
    let mut zone = 0;
    for (index, (value, time)) in values.iter().zip(times).enumerate() {
        printed.clear();
        if Layout(layout).print(*time, zone, &mut printed) && printed == *value {
            continue;
        }
        match Layout(layout).find_zone(*time, value) {
            Some(found) => {
                zone = found;
                zones.push((index, zone));
            }
            None => exceptions.push((index, value)),
        }
    }
    if (exceptions.len() + zones.len()) * 4 > values.len() + 8 {
        encode_flat(values, out, &mut index::Tokens::none());
        return;
    }
    out.head.push(tag::PRINTED);
    put_varint(&mut out.head, zones.len() as u64);
    let mut before = 0;
    for (index, zone) in zones {
        put_varint(&mut out.head, (index - before) as u64);
        put_signed(&mut out.head, i64::from(zone));
        before = index;
    }
    put_varint(&mut out.head, exceptions.len() as u64);
    before = 0;
    for (index, text) in exceptions {
        put_varint(&mut out.head, (index - before) as u64);
        put_bytes(&mut out.head, text);
        before = index;
    }
}

/// Appends a list of byte strings by themselves.
pub(super) fn put_strings<'a>(values: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    let values: Vec<&[u8]> = values.collect();
    let mut bodies = Bodies::default();
    strings(&values, &mut bodies);
    put_varint(out, values.len() as u64);
    put_bytes(out, &bodies.head);
    put_bytes(out, &bodies.numbers);
    out.extend_from_slice(&bodies.text);
}
