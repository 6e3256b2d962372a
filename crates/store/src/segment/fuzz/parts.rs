//! Texts by their parts: frames are learned of texts of a make, then columns of such texts, some of them damaged, are cut,
//! written and read back. One execution is one column.

use sawlog_model::time::{self, SECOND};
use sawlog_model::{Kind, Nanos};
use sawlog_sys::sim::Dice;

use super::encodings::{Ran, compare, damage, read, slices, word};
use super::{check_cuts, cut_apart};
use crate::segment::cursor::Cursor;
use crate::segment::decode::{LedBy, Stream};
use crate::segment::encode::{self, Bodies, Copied, Input, Shared};
use crate::segment::fields::{Field, Role};
use crate::segment::frame::Frame;
use crate::segment::framed::{self, Framed};
use crate::segment::interner::Interner;
use crate::segment::leaders::Leaders;
use crate::segment::parts::{Known, cut_all};
use crate::segment::tokens::Tokens;

/// Columns of the texts of which frames were learned once.
const COLUMNS: usize = 16;
/// Texts of which a frame is learned.
const SAMPLE: usize = 40;
/// The time of the first row.
const START: Nanos = 1_795_176_000 * SECOND;

/// Frames of one make or two, and columns of texts of these.
pub(super) fn columns(dice: &mut Dice) -> Ran {
    let json = dice.coin();
    let mut makes = vec![Make::new(dice, json)];
    let (mut known, mut next) = (vec![Known::new(Frame::whole(), vec![1])], 2);
    if dice.below(4) == 0 {
        makes.push(Make::new(dice, json));
    }
    for make in &makes {
        let mut texts: Vec<Vec<u8>> = (0..SAMPLE).map(|at| make.text(dice, time_of(at))).collect();
        while dice.below(3) > 0 {
            damage(dice, &mut texts);
        }
        if let Some(frame) = cut_apart(&slices(&texts), json) {
            let end = next + frame.literals().len() as u32 - 1;
            known.push(Known::new(frame, (next..end).collect()));
            next = end;
        }
    }
    if known.len() == 1 {
        return Ran::from(false);
    }
    let fields = fields(next, if json { Kind::JsonText } else { Kind::Text });
    let mut ran = Ran::default();
    for _ in 0..COLUMNS {
        let mut texts: Vec<Vec<u8>> = (0..2 + dice.below(10))
            .map(|at| makes[dice.below(makes.len())].text(dice, time_of(at)))
            .collect();
        while dice.below(3) > 0 {
            damage(dice, &mut texts);
        }
        let texts = slices(&texts);
        known[1..].iter().for_each(|known| check_cuts(&known.frame, &texts, json));
        there_and_back(&mut known, &texts, &fields);
        ran += Ran::from(known[1..].iter().any(|known| !known.rows.is_empty()));
    }
    ran
}

fn time_of(row: usize) -> Nanos {
    START + row as Nanos * SECOND
}

/// How texts are made: signs that stand between what differs.
struct Make {
    signs: Vec<&'static str>,
    words: Vec<Vec<u8>>,
    /// Each begins with a time.
    timed: bool,
}

impl Make {
    fn new(dice: &mut Dice, json: bool) -> Make {
        let quote = if json { "\\\"" } else { "\"" };
        let signs: [&str; 12] = [" ", " - ", ", ", " [", "] ", quote, "=", ": ", " (", ") ", "\t", ";"];
        Make {
            signs: (0..2 + dice.below(5)).map(|_| signs[dice.below(signs.len())]).collect(),
            words: (0..6).map(|_| word(dice)).collect(),
            timed: dice.below(4) == 0,
        }
    }

    fn text(&self, dice: &mut Dice, time: Nanos) -> Vec<u8> {
        let mut text = Vec::new();
        if self.timed {
            text.extend_from_slice(time::rfc3339(time).as_bytes());
            text.push(b' ');
        }
        for sign in &self.signs {
            match dice.below(3) {
                0 => text.extend_from_slice(format!("10.0.{}.{}", dice.below(9), dice.below(300)).as_bytes()),
                1 => text.extend_from_slice(&self.words[dice.below(self.words.len())]),
                _ => text.extend_from_slice(format!("{:x}", dice.roll() >> 30).as_bytes()),
            }
            text.extend_from_slice(sign.as_bytes());
        }
        text.extend_from_slice(dice.pick(&[&b""[..], b"end", b"\\u00e9", b"\\", b"\xff"]));
        text
    }
}

/// The column of texts and those of their parts.
fn fields(count: u32, kind: Kind) -> Vec<Field> {
    let role = |number| if number == 0 { Role::Field(kind) } else { Role::Part(kind) };
    (0..count).map(|number| Field { name: "".into(), role: role(number), layout: 0 }).collect()
}

/// Cuts the texts, writes the column and those of its parts, and compares what is read.
fn there_and_back(known: &mut [Known], texts: &[&[u8]], fields: &[Field]) {
    let rows: Vec<u32> = (0..texts.len() as u32).collect();
    let times: Vec<Nanos> = rows.iter().map(|row| time_of(*row as usize)).collect();
    let kind = fields[0].role.kind();
    let cut = cut_all(known, texts, &rows, kind == Kind::JsonText);
    let mut out = Bodies::default();
    cut.put(&mut out);
    let head = bytes::Bytes::from(out.head).slice(2..);
    let framed =
        Framed::read(texts.len(), 0, &head, &Stream::of(out.numbers.into()), fields).expect("frames");
    let known: Vec<&Known> = known.iter().filter(|known| !known.rows.is_empty()).collect();
    assert_eq!(framed.frames.len(), known.len());
    let parts: Vec<Vec<Vec<&[u8]>>> =
        known.iter().map(|known| known.parts.iter().map(Copied::values).collect()).collect();
    let mut leaders = Leaders::new(rows.len());
    for ((frame, known), parts) in framed.frames.iter().zip(&known).zip(&parts) {
        for (number, (column, values)) in known.columns.iter().zip(parts).enumerate() {
            assert_eq!(frame.parts[number].column, *column);
            let (rows, family) = (&known.rows, known.columns[0]);
            let input = Input { number: *column, kind, values, rows, times: &times, nested: false, family };
            part_there_and_back(&input, frame, number, &mut leaders);
        }
    }
    let mut text = Vec::new();
    for (at, wanted) in texts.iter().enumerate() {
        text.clear();
        framed.append(at, &mut text).expect("a text");
        assert_eq!(text, *wanted, "text {at} of {texts:?}");
    }
}

/// Writes a part, reads it beside those before it, and keeps it where the frame looks for it.
fn part_there_and_back<'a>(
    input: &Input<'a>,
    frame: &framed::Frame,
    number: usize,
    leaders: &mut Leaders<'a>,
) {
    let (mut dictionary, mut shared, mut out) = (Interner::default(), Shared::default(), Bodies::default());
    encode::encode(input, &mut dictionary, &mut shared, leaders, &mut out, &mut Tokens::none());
    let mut head = Cursor::new(&out.head);
    let leader = head.varint().expect("a leader");
    let from = out.head.len() - head.remaining();
    let led = match leader {
        0 => LedBy::Nobody,
        1 => LedBy::Before,
        column => {
            let mut before = frame.parts[..number].iter();
            let before = before.find(|part| u64::from(part.column) + 2 == column).expect("a part before");
            LedBy::column(before.values.get().expect("it was read"), out.head[from]).expect("it leads")
        }
    };
    let times = input.rows.iter().map(|row| input.times[*row as usize]).collect();
    let column = read(input.values.len(), out, from, led, &dictionary, &shared.templates, times);
    compare(&column, input.values);
    frame.parts[number].values.set(column.into()).expect("it is read once");
}
