//! Each encoding at full speed: values that ask for it, or nearly, are written and read back, and must come back as they
//! were. One execution is one column of a few values (of rows: one small row group).

use std::ops::AddAssign;
use std::sync::Arc;

use bytes::Bytes;
use sawlog_model::time::{self, Layout, SECOND};
use sawlog_model::{Batch, Context, Kind, Nanos, RowRef};
use sawlog_sys::sim::Dice;

use super::{batch_of, parts, written};
use crate::segment::cache::Cache;
use crate::segment::column::{Column, Strings};
use crate::segment::cursor::Cursor;
use crate::segment::decode::{LedBy, Sources, Stream, Streams};
use crate::segment::encode::{self, Bodies, Flat, Input, Shared};
use crate::segment::follow::{self, Leader};
use crate::segment::interner::Interner;
use crate::segment::leaders::Leaders;
use crate::segment::printing;
use crate::segment::{Effort, Segment, ints, tag, tokens};

/// One execution, or some that share what takes long to make.
pub type Execute = fn(&mut Dice) -> Ran;

/// How many executions there were.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
pub struct Ran {
    /// Those that were of the encoding that they are for.
    pub taken: u64,
    /// All.
    pub tries: u64,
}

impl From<bool> for Ran {
    fn from(taken: bool) -> Ran {
        Ran { taken: u64::from(taken), tries: 1 }
    }
}

impl AddAssign for Ran {
    fn add_assign(&mut self, more: Ran) {
        *self = Ran { taken: self.taken + more.taken, tries: self.tries + more.tries };
    }
}

/// Row groups of a segment at most.
const GROUPS: usize = 16;

/// All encodings, by the names that docs/format.md gives them, without commas: these stand between names.
pub const ENCODINGS: &[(&str, Execute)] = &[
    ("constant", |dice| column(dice, tag::CONSTANT).into()),
    ("integers", |dice| column(dice, tag::INTEGERS).into()),
    ("padded", |dice| column(dice, tag::PADDED).into()),
    ("dictionary", |dice| flat(dice, Flat::Column, tag::DICTIONARY).into()),
    ("shared", |dice| column(dice, tag::SHARED).into()),
    ("plain", |dice| column(dice, tag::PLAIN).into()),
    ("templates", |dice| column(dice, tag::TEMPLATES).into()),
    ("printed", |dice| column(dice, tag::PRINTED).into()),
    ("stamps", |dice| column(dice, tag::STAMPS).into()),
    ("equal", |dice| column(dice, tag::EQUAL).into()),
    ("lists", |dice| column(dice, tag::LISTS).into()),
    ("parts", parts::columns),
    ("digits", |dice| column(dice, tag::DIGITS).into()),
    ("plain apart", |dice| flat(dice, Flat::Variable, tag::PLAIN_APART).into()),
    ("dictionary apart", |dice| flat(dice, Flat::Variable, tag::DICTIONARY_APART).into()),
    ("led by the code before", |dice| led(dice, false).into()),
    ("led by another column", |dice| led(dice, true).into()),
    ("planes of integers", |dice| planes(dice).into()),
    ("rows", rows),
];

/// Times as they are written, and the nanoseconds that they tell apart.
const TIMES: [(&[u8], Nanos); 8] = [
    (b"2026-11-20T12:04:00Z", SECOND),
    (b"2026-11-20T12:04:00.123456789Z", 1),
    (b"2026-11-20T12:04:00.123+01:00", SECOND / 1_000),
    (b"2026-11-20 12:04:00,123", SECOND / 1_000),
    (b"2026-11-20 12:04:00", SECOND),
    (b"20/Nov/2026:12:04:00 +0100", SECOND),
    (b"Nov 20 12:04:00", SECOND),
    (b"Fri Nov 20 12:04:00 2026", SECOND),
];

/// A column that asks for a form, now and then damaged so that it only nearly does.
fn column(dice: &mut Dice, form: u8) -> bool {
    let mut times = vec![1_795_176_000_000_000_000 + (dice.roll() >> 20) as Nanos];
    let mut layout = Layout::default();
    let mut kind = Kind::Text;
    let mut values: Vec<Vec<u8>> = match form {
        tag::CONSTANT => vec![word(dice); 1 + dice.below(6)],
        tag::INTEGERS => (0..2 + dice.below(8)).map(|_| integer(dice).to_string().into_bytes()).collect(),
        tag::PADDED => {
            let width = 1 + dice.below(18);
            let most = 10u64.pow(width as u32);
            (0..2 + dice.below(8)).map(|_| format!("{:0width$}", dice.roll() % most).into_bytes()).collect()
        }
        tag::SHARED => chosen(dice, 16),
        tag::TEMPLATES => texts(dice),
        tag::PRINTED | tag::STAMPS => {
            let (sample, unit) = TIMES[dice.below(TIMES.len())];
            layout = time::read(sample).map(|stamp| stamp.layout).unwrap_or_default();
            let count = 8 + dice.below(8);
            let step = unit * [1, 2, 60, 37_001][dice.below(4)];
            let first = times[0] / unit * unit;
            times = (0..count).map(|at| first + at as Nanos * step).collect();
            kind = if form == tag::PRINTED { Kind::Time } else { Kind::Text };
            let apart = if form == tag::STAMPS { unit * dice.below(1_000) as Nanos } else { 0 };
            printed(dice, layout, &times, apart)
        }
        tag::EQUAL => chosen(dice, 32),
        tag::DIGITS => (0..2 + dice.below(6)).map(|_| format!("{:x}", dice.roll()).into_bytes()).collect(),
        tag::LISTS => {
            kind = Kind::Json;
            (0..2 + dice.below(6)).map(|_| list(dice)).collect()
        }
        _ => (0..2 + dice.below(6)).map(|_| word(dice)).collect(),
    };
    let base: Option<Vec<Vec<u8>>> = (form == tag::EQUAL).then(|| values.clone());
    while dice.below(4) == 0 {
        damage(dice, &mut values);
    }
    times.resize(values.len(), times[0]);
    let asked = Asked { values: &values, base: base.as_deref(), kind, times: &times, layout };
    asked.there_and_back() == form
}

/// What is written.
struct Asked<'a> {
    values: &'a [Vec<u8>],
    /// Those of a column before it.
    base: Option<&'a [Vec<u8>]>,
    kind: Kind,
    times: &'a [Nanos],
    layout: Layout,
}

impl Asked<'_> {
    /// Writes the column and compares what is read; returns the form in which it was written.
    fn there_and_back(&self) -> u8 {
        let values = slices(self.values);
        let base = slices(self.base.unwrap_or_default());
        let rows: Vec<u32> = (0..values.len() as u32).collect();
        let (mut dictionary, mut shared) = (Interner::default(), Shared::default());
        let mut leaders = Leaders::new(rows.len());
        let mut tokens = tokens::Tokens::none();
        let of = |number, values| Input {
            number,
            kind: self.kind,
            values,
            rows: &rows,
            times: self.times,
            nested: false,
            family: 0,
        };
        if !base.is_empty() {
            let mut out = Bodies::default();
            let (dictionary, shared) = (&mut Interner::default(), &mut Shared::default());
            encode::encode(&of(0, &base), dictionary, shared, &mut leaders, &mut out, &mut tokens);
        }
        let (input, mut out) = (of(1, &values), Bodies::default());
        match self.kind {
            Kind::Time => printing::encode_times(self.layout.0, &input, &mut out, &mut tokens),
            _ => encode::encode(&input, &mut dictionary, &mut shared, &mut leaders, &mut out, &mut tokens),
        }
        let mut head = Cursor::new(&out.head);
        let leader = match head.varint().expect("a leader") {
            0 => LedBy::Nobody,
            1 => LedBy::Before,
            _ => LedBy::Base(Arc::new(plain(&base))),
        };
        let from = out.head.len() - head.remaining();
        let form = out.head[from];
        let column =
            read(values.len(), out, from, leader, &dictionary, &shared.templates, self.times.to_vec());
        compare(&column, &values);
        form
    }
}

/// A column as it is read.
pub(super) fn read(
    count: usize,
    out: Bodies,
    from: usize,
    leader: LedBy,
    dictionary: &Interner,
    table: &Interner,
    times: Vec<Nanos>,
) -> Column {
    let strings = |all: &Interner| {
        let mut bytes = Vec::new();
        encode::put_strings(all.iter(), &mut bytes);
        (all.len() > 0).then(|| Arc::new(Strings::read(&bytes.into()).expect("a dictionary")))
    };
    let sources = Sources {
        head: Bytes::from(out.head).slice(from..),
        streams: Streams {
            numbers: Stream::of(out.numbers.into()),
            lengths: Stream::of(out.lengths.into()),
            text: Stream::of(out.text.into()),
            digits: Stream::of(out.digits.into()),
        },
        templates: Stream::of(out.templates.into()),
        dictionary: strings(dictionary),
        table: strings(table),
        times,
        leader,
    };
    Column::read(count, sources).expect("what was written is read")
}

pub(super) fn compare(column: &Column, values: &[&[u8]]) {
    assert_eq!(column.len(), values.len());
    let mut text = Vec::new();
    for (at, value) in values.iter().enumerate() {
        text.clear();
        column.append(at, &mut text).expect("a value");
        assert_eq!(text, *value, "value {at} of {values:?}");
    }
    let strings = column.strings().expect("all values");
    for (at, value) in values.iter().enumerate() {
        assert_eq!(strings.get(at), *value, "value {at} of {values:?} among all");
    }
}

/// The values as a column of lengths and bytes.
fn plain(values: &[&[u8]]) -> Column {
    let mut bytes = Vec::new();
    encode::put_strings(values.iter().copied(), &mut bytes);
    Column::Plain(Strings::read(&bytes.into()).expect("strings"))
}

/// Values that stand by themselves: variables of templates, and what differs from another column.
fn flat(dice: &mut Dice, flat: Flat, wanted: u8) -> bool {
    let mut values = match wanted {
        tag::PLAIN_APART => (0..2 + dice.below(6)).map(|_| word(dice)).collect(),
        _ => chosen(dice, 16),
    };
    while dice.below(4) == 0 {
        damage(dice, &mut values);
    }
    let mut out = Bodies::default();
    let values = slices(&values);
    encode::encode_flat(&values, flat, &mut out, &mut tokens::Tokens::none());
    let form = out.head[0];
    let none = Interner::default();
    compare(&read(values.len(), out, 0, LedBy::Nobody, &none, &none, Vec::new()), &values);
    form == wanted
}

/// Codes that others lead.
fn led(dice: &mut Dice, by_column: bool) -> bool {
    let different = 1 + dice.below(9) as i64;
    let far = if dice.coin() { 1 } else { dice.roll() as i64 >> 3 };
    let count = 1 + dice.below(40);
    let codes: Vec<i64> = (0..count).map(|_| (dice.roll() as i64 % different).wrapping_mul(far)).collect();
    let leaders: Vec<u32> = (0..count).map(|_| dice.below(4) as u32).collect();
    let leader = || if by_column { Leader::Codes(&leaders, 4) } else { Leader::Before };
    let (symbols, exceptions) = follow::encode(&codes, leader());
    let back: Vec<i64> = follow::decode(&symbols, &exceptions, leader()).expect("codes");
    assert_eq!(back, codes);
    true
}

/// Integers in each of their forms.
fn planes(dice: &mut Dice) -> bool {
    let count = 1 + dice.below(24);
    let (least, step) = (integer(dice), integer(dice));
    let width = dice.below(64);
    let values: Vec<i64> = (0..count as i64)
        .map(|at| {
            let noise = if width == 0 { 0 } else { (dice.roll() >> (64 - width)) as i64 };
            match dice.below(8) {
                0 => dice.roll() as i64,
                _ => least.wrapping_add(step.wrapping_mul(at)).wrapping_add(noise),
            }
        })
        .collect();
    let (mut head, mut body) = (Vec::new(), Vec::new());
    ints::encode(&values, &mut head, &mut body);
    let back = ints::decode(count, &mut Cursor::new(&head), &mut Cursor::new(&body)).expect("integers");
    assert_eq!(back, values);
    true
}

/// Rows: skeletons, offsets, times and contexts with everything above, in row groups of one segment.
fn rows(dice: &mut Dice) -> Ran {
    let mut batches: Vec<Batch> = (0..1 + dice.below(GROUPS)).map(|_| small_group(dice)).collect();
    batches.sort_by_key(|batch| batch.rows[0].time);
    let groups: Vec<Vec<RowRef<'_>>> = batches.iter().map(|batch| batch.iter().collect()).collect();
    let effort = if dice.below(8) == 0 { Effort::Strong } else { Effort::Cheap };
    let file = written(groups.iter().map(Vec::as_slice), effort);
    // Of many segments nothing stays in memory.
    let cache = Arc::new(Cache::new(if dice.coin() { 0 } else { 1 << 20 }));
    let segment = Segment::open(file, "fuzzed", cache).expect("what was written is read");
    assert_eq!(segment.meta().groups.len(), groups.len());
    for (number, rows) in groups.iter().enumerate() {
        let back = segment.group(number).and_then(|group| group.batches()).expect("rows");
        let back: Vec<RowRef<'_>> = back.iter().flat_map(|batch| batch.iter()).collect();
        assert_eq!(back.len(), rows.len());
        back.iter().zip(rows).for_each(|(have, row)| assert_same(have, row));
    }
    Ran { taken: groups.len() as u64, tries: groups.len() as u64 }
}

/// A few rows of one source.
fn small_group(dice: &mut Dice) -> Batch {
    let mut text = Vec::new();
    for value in texts(dice) {
        text.extend_from_slice(dice.pick(&[&b"a="[..], b"b:", b"", b"x "]));
        text.extend_from_slice(&value);
        text.extend_from_slice(dice.pick(&[&b"\n"[..], b"\r\n", b" a=1\n"]));
    }
    let mut batch = batch_of(&text);
    let mut offset = dice.roll() >> 20;
    for row in &mut batch.rows {
        row.offset = offset;
        offset += if dice.below(5) == 0 { dice.roll() >> 40 } else { u64::from(row.len) };
        row.time = integer(dice) / 2;
        row.received = if dice.coin() { row.time } else { integer(dice) / 2 };
    }
    if dice.coin() {
        batch.context = Arc::new(Context::new([("_tag", dice.pick(&["fuzz", "other"]).to_string())]));
    }
    batch
}

fn assert_same(have: &RowRef<'_>, row: &RowRef<'_>) {
    assert_eq!((have.raw(), have.address()), (row.raw(), row.address()));
    assert_eq!((have.row().time, have.row().received), (row.row().time, row.row().received));
    assert_eq!(have.batch.context, row.batch.context);
    let slots = |row: &RowRef<'_>| -> Vec<(String, Vec<u8>)> {
        let slots = row.slots().iter();
        slots.map(|slot| (row.batch.names.name(slot.name).to_string(), row.slot(slot).to_vec())).collect()
    };
    assert_eq!(slots(have), slots(row), "{:?}", row.raw());
}

pub(super) fn slices(values: &[Vec<u8>]) -> Vec<&[u8]> {
    values.iter().map(Vec::as_slice).collect()
}

/// A short text, of letters or of any bytes.
pub(super) fn word(dice: &mut Dice) -> Vec<u8> {
    let len = dice.below(14);
    let any = dice.below(4) == 0;
    (0..len).map(|_| if any { dice.roll() as u8 } else { b"abcdeABC0129._-/ \""[dice.below(18)] }).collect()
}

fn integer(dice: &mut Dice) -> i64 {
    let value = dice.roll() as i64;
    value >> (4 + dice.below(60))
}

/// At least `least` values, few of them different.
fn chosen(dice: &mut Dice, least: usize) -> Vec<Vec<u8>> {
    let words: Vec<Vec<u8>> = (0..2 + dice.below(4)).map(|_| word(dice)).collect();
    (0..least + dice.below(8)).map(|_| words[dice.below(words.len())].clone()).collect()
}

/// Texts with much in common.
fn texts(dice: &mut Dice) -> Vec<Vec<u8>> {
    let (before, after) = (word(dice), word(dice));
    let line = |dice: &mut Dice| {
        let mut line = b"request ".to_vec();
        line.extend_from_slice(&before);
        line.extend_from_slice(format!(" took {} ms ", dice.below(5_000)).as_bytes());
        line.extend_from_slice(&after);
        line.extend_from_slice(format!(" for user{}", dice.below(50)).as_bytes());
        line
    };
    (0..8 + dice.below(6)).map(|_| line(dice)).collect()
}

/// Times near those of the rows.
fn printed(dice: &mut Dice, layout: Layout, times: &[Nanos], apart: Nanos) -> Vec<Vec<u8>> {
    let zone = [0, 0, 3_600, -12_600][dice.below(4)];
    let print = |time: &Nanos| {
        let mut text = Vec::new();
        layout.print(time - apart, zone, &mut text);
        text
    };
    times.iter().map(print).collect()
}

fn list(dice: &mut Dice) -> Vec<u8> {
    let mut list = b"[".to_vec();
    for at in 0..dice.below(6) {
        if at > 0 {
            list.push(b',');
        }
        match dice.below(4) {
            0 => list.extend_from_slice(format!("{{\"k\":[{}]}}", dice.below(9)).as_bytes()),
            1 => list.extend_from_slice(format!("\"a,]{}\\\"\"", dice.below(9)).as_bytes()),
            _ => list.extend_from_slice(dice.below(1_000).to_string().as_bytes()),
        }
    }
    list.push(b']');
    list
}

/// Changes a value.
pub(super) fn damage(dice: &mut Dice, values: &mut [Vec<u8>]) {
    let at = dice.below(values.len());
    let value = &mut values[at];
    let place = dice.below(value.len() + 1);
    match dice.below(5) {
        0 => value.truncate(place),
        1 => value.insert(place, dice.roll() as u8),
        2 if place < value.len() => value[place] = dice.roll() as u8,
        3 => *value = word(dice),
        _ => *value = integer(dice).to_string().into_bytes(),
    }
}
