//! Each encoding at full speed: values that ask for it, or nearly, are written and read back, and must come back as they
//! were. One execution is one column of a few values (of rows: one small segment).

use std::sync::Arc;

use bytes::Bytes;
use sawlog_model::time::{self, Layout, SECOND};
use sawlog_model::{Context, Kind, Nanos, RowRef};
use sawlog_sys::sim::Dice;

use super::{batch_of, written};
use crate::segment::cache::Cache;
use crate::segment::column::{Column, Strings};
use crate::segment::cursor::Cursor;
use crate::segment::decode::{LedBy, Sources, Stream};
use crate::segment::encode::{self, Bodies, Input, Shared};
use crate::segment::follow::{self, Leader};
use crate::segment::interner::Interner;
use crate::segment::leaders::Leaders;
use crate::segment::printing;
use crate::segment::{Effort, Segment, ints, tag, tokens};

/// One execution; whether it was of the encoding that it is for.
pub type Execute = fn(&mut Dice) -> bool;

/// All encodings, by the names that docs/format.md gives them.
pub const ENCODINGS: &[(&str, Execute)] = &[
    ("constant", |dice| column(dice, tag::CONSTANT)),
    ("integers", |dice| column(dice, tag::INTEGERS)),
    ("padded", |dice| column(dice, tag::PADDED)),
    ("dictionary", |dice| flat(dice)),
    ("shared", |dice| column(dice, tag::SHARED)),
    ("plain", |dice| column(dice, tag::PLAIN)),
    ("templates", |dice| column(dice, tag::TEMPLATES)),
    ("printed", |dice| column(dice, tag::PRINTED)),
    ("stamps", |dice| column(dice, tag::STAMPS)),
    ("equal", |dice| column(dice, tag::EQUAL)),
    ("lists", |dice| column(dice, tag::LISTS)),
    ("parts", parts),
    ("led by the code before", |dice| led(dice, false)),
    ("led by another column", |dice| led(dice, true)),
    ("planes of integers", planes),
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
        let column = read(values.len(), out, from, leader, &dictionary, &shared.templates, self.times);
        compare(&column, &values);
        form
    }
}

/// A column as it is read.
fn read(
    count: usize,
    out: Bodies,
    from: usize,
    leader: LedBy,
    dictionary: &Interner,
    table: &Interner,
    times: &[Nanos],
) -> Column {
    let strings = |all: &Interner| {
        let mut bytes = Vec::new();
        encode::put_strings(all.iter(), &mut bytes);
        (all.len() > 0).then(|| Arc::new(Strings::read(&bytes.into()).expect("a dictionary")))
    };
    let sources = Sources {
        head: Bytes::from(out.head).slice(from..),
        numbers: Stream::of(out.numbers.into()),
        text: Stream::of(out.text.into()),
        templates: Stream::of(out.templates.into()),
        dictionary: strings(dictionary),
        table: strings(table),
        times: times.to_vec(),
        leader,
    };
    Column::read(count, sources).expect("what was written is read")
}

fn compare(column: &Column, values: &[&[u8]]) {
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
fn flat(dice: &mut Dice) -> bool {
    let mut values = chosen(dice, 16);
    while dice.below(4) == 0 {
        damage(dice, &mut values);
    }
    let mut out = Bodies::default();
    let values = slices(&values);
    encode::encode_flat(&values, &mut out, &mut tokens::Tokens::none());
    let form = out.head[0];
    let none = Interner::default();
    compare(&read(values.len(), out, 0, LedBy::Nobody, &none, &none, &[]), &values);
    form == tag::DICTIONARY
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

/// Texts of a make, some of them damaged; whether they have a frame.
fn parts(dice: &mut Dice) -> bool {
    let json = dice.coin();
    let quote = if json { "\\\"" } else { "\"" };
    let signs: Vec<&str> = (0..2 + dice.below(5))
        .map(|_| dice.pick(&[" ", " - ", ", ", " [", "] ", quote, "=", ": ", " (", ") ", "\t", ";"]))
        .collect();
    let words: Vec<Vec<u8>> = (0..6).map(|_| word(dice)).collect();
    let mut texts: Vec<Vec<u8>> = (0..40)
        .map(|_| {
            let mut text = Vec::new();
            for sign in &signs {
                match dice.below(3) {
                    0 => text
                        .extend_from_slice(format!("10.0.{}.{}", dice.below(9), dice.below(300)).as_bytes()),
                    1 => text.extend_from_slice(&words[dice.below(words.len())]),
                    _ => text.extend_from_slice(format!("{:x}", dice.roll() >> 30).as_bytes()),
                }
                text.extend_from_slice(sign.as_bytes());
            }
            text.extend_from_slice(dice.pick(&[&b""[..], b"end", b"\\u00e9", b"\\", b"\xff"]));
            text
        })
        .collect();
    while dice.below(3) > 0 {
        damage(dice, &mut texts);
    }
    super::cut_apart(&slices(&texts), json)
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

/// Rows: skeletons, offsets, times and contexts with everything above.
fn rows(dice: &mut Dice) -> bool {
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
        batch.context = Arc::new(Context::new([("_tag", "fuzz".to_owned())]));
    }
    let rows: Vec<RowRef<'_>> = batch.iter().collect();
    let effort = if dice.below(8) == 0 { Effort::Strong } else { Effort::Cheap };
    let cache = Arc::new(Cache::new(0));
    let segment =
        Segment::open(written(&rows, rows.len(), effort), "fuzzed", cache).expect("what was written is read");
    let back = segment.group(0).and_then(|group| group.batches()).expect("rows");
    let back: Vec<RowRef<'_>> = back.iter().flat_map(|batch| batch.iter()).collect();
    assert_eq!(back.len(), rows.len());
    for (have, row) in back.iter().zip(&rows) {
        assert_eq!((have.raw(), have.address()), (row.raw(), row.address()));
        assert_eq!((have.row().time, have.row().received), (row.row().time, row.row().received));
        let slots = |row: &RowRef<'_>| -> Vec<(String, Vec<u8>)> {
            let slots = row.slots().iter();
            slots.map(|slot| (row.batch.names.name(slot.name).to_string(), row.slot(slot).to_vec())).collect()
        };
        assert_eq!(slots(have), slots(row), "{:?}", row.raw());
    }
    true
}

fn slices(values: &[Vec<u8>]) -> Vec<&[u8]> {
    values.iter().map(Vec::as_slice).collect()
}

/// A short text, of letters or of any bytes.
fn word(dice: &mut Dice) -> Vec<u8> {
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
fn damage(dice: &mut Dice, values: &mut [Vec<u8>]) {
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
