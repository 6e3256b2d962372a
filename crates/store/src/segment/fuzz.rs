//! What must hold for any bytes at all: `fuzz/` feeds these functions what a fuzzer finds, a test what a moment of seeded
//! damage gives. Each panics where something does not hold.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use sawlog_model::{
    Batch, Kind, Marks, NameId, Names, Predicate, Row, RowRef, Slot, Source, Tenant, Test, TimeRange, token,
    value,
};
use sawlog_sys::sim::World;
use sawlog_sys::{File, Open};
use zstd::bulk::Compressor;

use super::cache::Cache;
use super::column::{Column, Strings};
use super::decode::{LedBy, Sources, Stream, Streams};
use super::frame::Frame;
use super::needle::Needle;
use super::reader::Body;
use super::{Effort, Segment, SegmentWriter, TextCounts, footer, tokens};

pub mod encodings;
mod parts;
#[cfg(test)]
mod tests;

/// A function that takes bytes.
pub type Target = fn(&[u8]);

/// All, by the names that they have in `fuzz/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("segment_file", segment_file),
    ("segment_column", segment_column),
    ("segment_lines", segment_lines),
    ("segment_parts", segment_parts),
];

/// Values of a damaged column that are looked at together.
const MOST_BYTES: usize = 1 << 20;

/// A file on a disk in memory.
fn file(bytes: &[u8]) -> Arc<dyn File> {
    let file = World::new(0).sys().fs.open(Path::new("/fuzzed"), Open::New).expect("the disk is empty");
    file.write_at(bytes, 0).expect("there is room");
    file.into()
}

/// A segment of row groups, as a file on a disk in memory.
fn written<'a>(groups: impl Iterator<Item = &'a [RowRef<'a>]>, effort: Effort) -> Arc<dyn File> {
    let sys = World::new(0).sys();
    let open = |how| sys.fs.open(Path::new("/written"), how).expect("a file in memory");
    let mut writer = SegmentWriter::new(Tenant(1), effort, open(Open::New));
    groups.for_each(|group| writer.add_group(group));
    writer.finish().expect("there is room");
    open(Open::Read).into()
}

/// What is asked of every segment.
fn questions() -> Vec<Predicate> {
    let phrase = |text: &str, fold| Predicate::Any(Test::Phrase { text: text.to_owned(), fold });
    let part = |text: &str, fold| Predicate::Any(Test::Part { text: text.to_owned(), fold });
    let field = |name: &str, test| Predicate::Field(name.to_owned(), test);
    vec![
        phrase("10.0.0.1", true),
        phrase("a", true),
        phrase("A", false),
        phrase("\u{e9}", true),
        phrase("b 17", true),
        part("7", false),
        part("a b", true),
        Predicate::Not(Box::new(phrase("17", true))),
        field("a", Test::Is("17".to_owned())),
        field("b", Test::Exists),
        field("_line", Test::Part { text: "1".to_owned(), fold: false }),
    ]
}

/// Two bytes of length, so much of a footer before it is packed, and the chunks: no panic, whatever they say, and memory
/// only for what is there.
pub fn segment_file(bytes: &[u8]) {
    let Some((len, rest)) = bytes.split_first_chunk::<2>() else { return };
    let Some((footer, chunks)) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len))) else { return };
    let mut whole = footer::head();
    whole.extend_from_slice(chunks);
    whole.extend(footer::seal(footer, &mut Compressor::default()));
    let Ok(mut body) = Body::open(file(&whole), "fuzzed", Arc::new(Cache::new(1 << 20))) else { return };
    if body.accept_checksums().is_err() {
        return;
    }
    let segment = Segment { body: Arc::new(body) };
    for number in 0..segment.meta().groups.len().min(4) {
        if segment.meta().groups[number].rows > 4_096 {
            continue;
        }
        for question in questions() {
            let _may = segment.may_keep(number, &question);
            let _counted = segment.count(number, &question, TimeRange::ALL);
        }
        let mut texts = TextCounts::default();
        let _tallied = segment.tally(number, "a", &Predicate::All, TimeRange::ALL, &mut texts);
        let Ok(group) = segment.group(number) else { continue };
        let _times = group.times();
        let _offsets = [0, 4_000].map(|row| group.offset(row));
        let _record = group.record(0);
    }
}

/// A column from any head and streams: it is read or refused, its values are read or refused, searches end.
pub fn segment_column(bytes: &[u8]) {
    let Some(([count, kind, leader, head, numbers, text, templates, strings], rest)) =
        bytes.split_first_chunk()
    else {
        return;
    };
    let count = usize::from(*count) * 3;
    let mut rest = Bytes::copy_from_slice(rest);
    let mut take = |len: &u8| rest.split_to(rest.len().min(usize::from(*len)));
    let (head, numbers, text, templates) = (take(head), take(numbers), take(text), take(templates));
    let strings = Strings::read(&take(strings)).ok().map(Arc::new);
    let sources = Sources {
        head,
        streams: Streams {
            numbers: Stream::of(numbers.clone()),
            lengths: Stream::of(numbers),
            text: Stream::of(text.clone()),
            digits: Stream::of(text),
        },
        templates: Stream::of(templates),
        dictionary: strings.clone(),
        table: strings,
        times: vec![1_700_000_000_000_000_000; count],
        leader: match leader % 4 {
            0 => LedBy::Nobody,
            1 => LedBy::Before,
            2 => LedBy::Codes((0..count as u32).map(|row| row % 3).collect(), 3),
            _ => LedBy::Base(Arc::new(Column::Constant { value: Bytes::from_static(b"a"), count })),
        },
    };
    let Ok(column) = Column::read(count, sources) else { return };
    assert_eq!(column.len(), count);
    let mut values = Vec::new();
    for index in 0..count {
        if column.append(index, &mut values).is_err() || values.len() > MOST_BYTES {
            return;
        }
    }
    let kind = Kind::from_u8(kind % 7).unwrap_or(Kind::Text);
    for question in questions() {
        if let Predicate::Any(test) = question {
            let _found = Needle::new(&test).find(&column, kind);
        }
    }
}

/// Lines, of which the words with a sign before them are fields: they come back as they were, and are found where looking
/// at each finds them.
pub fn segment_lines(bytes: &[u8]) {
    let batch = batch_of(bytes);
    let rows: Vec<RowRef<'_>> = batch.iter().collect();
    if rows.is_empty() {
        return;
    }
    let effort = if bytes.len().is_multiple_of(2) { Effort::Cheap } else { Effort::Strong };
    let size = rows.len().div_ceil(2);
    let cache = Arc::new(Cache::new(1 << 20));
    let segment =
        Segment::open(written(rows.chunks(size), effort), "fuzzed", cache).expect("what was written is read");
    for (number, rows) in rows.chunks(size).enumerate() {
        let group = segment.group(number).expect("a group");
        for (at, row) in rows.iter().enumerate() {
            let record = group.record(at as u32).expect("a record");
            assert_eq!((&record.raw[..], record.address), (row.raw(), row.address()), "row {at}");
        }
        for question in questions() {
            let wanted: Vec<u32> =
                (0..rows.len() as u32).filter(|row| question.keeps(&rows[*row as usize])).collect();
            let found = group.select(&question, TimeRange::ALL).expect("a selection");
            assert_eq!(found, wanted, "{question:?}");
            let counted = segment.count(number, &question, TimeRange::ALL).expect("a count");
            assert_eq!(counted, wanted.len() as u64, "{question:?} is counted");
        }
    }
}

/// A byte that says whether lines are escaped, and lines: those that have the frame of most of them are cut where no word, no
/// address and no escape is.
pub fn segment_parts(bytes: &[u8]) {
    let Some((json, text)) = bytes.split_first() else { return };
    let texts: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    cut_apart(&texts, json % 2 == 1);
}

/// Learns a frame of texts and cuts them; gives it, if there is one.
fn cut_apart(texts: &[&[u8]], json: bool) -> Option<Frame> {
    let frame = Frame::learn(texts, json)?;
    check_cuts(&frame, texts, json);
    Some(frame)
}

/// What the frame cuts is cut where no word, no address and no escape is.
fn check_cuts(frame: &Frame, texts: &[&[u8]], json: bool) {
    let literals = frame.literals();
    let mut spans = Vec::new();
    for text in texts {
        spans.clear();
        if !frame.cut(text, json, &mut spans) {
            continue;
        }
        assert_eq!(spans.len() + 1, literals.len());
        let read = |text: &[u8]| match json {
            true => value::unescape(text.into()).into_owned(),
            false => text.to_vec(),
        };
        let mut pieces: Vec<Vec<u8>> = vec![literals[0].clone()];
        for ((start, end), behind) in spans.iter().zip(&literals[1..]) {
            pieces.extend([text[*start as usize..*end as usize].to_vec(), behind.clone()]);
        }
        assert_eq!(pieces.concat(), *text, "the parts are the text");
        let read_pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| read(piece)).collect();
        assert_eq!(read_pieces.concat(), read(text), "no escape is cut: {pieces:?}");
        let whole = read(text);
        let said = |texts: &[&[u8]]| {
            let (mut words, mut addresses) = (Vec::new(), Vec::new());
            for text in texts {
                token::tokens(text, |word| words.push(word.to_vec()));
                tokens::addresses(text, |hash, _| addresses.push(hash));
            }
            (words, addresses)
        };
        let read_pieces: Vec<&[u8]> = read_pieces.iter().map(Vec::as_slice).collect();
        assert_eq!(said(&read_pieces), said(&[&whole]), "no word is cut: {pieces:?}");
        let written: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        assert_eq!(said(&written), said(&[text]), "nor as it is written: {pieces:?}");
    }
}

/// A row for each line; a word behind `=` is a value of `a`, one behind `:` of `b`.
fn batch_of(bytes: &[u8]) -> Batch {
    let mut names = Names::default();
    let (a, b): (NameId, NameId) = (names.intern("a"), names.intern("b"));
    let mut batch = Batch {
        tenant: Tenant(1),
        source: Arc::new(Source::default()),
        buffer: Bytes::copy_from_slice(bytes),
        names: Arc::new(names),
        ..Batch::default()
    };
    let mut start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let mut at = 0;
        while let Some(sign) = line[at..].iter().position(|byte| matches!(byte, b'=' | b':')) {
            let from = at + sign + 1;
            let is_end = |byte: &u8| matches!(byte, b' ' | b'\n' | b',');
            let len = line[from..].iter().position(is_end).unwrap_or(line.len() - from);
            let name = if line[from - 1] == b'=' { a } else { b };
            let (start, len) = ((start + from) as u32, len as u32);
            batch.slots.push(Slot { start, len, name, kind: Kind::Text, layout: 0 });
            at = from + len as usize;
        }
        batch.rows.push(Row {
            start: start as u32,
            len: line.len() as u32,
            offset: start as u64,
            time: start as i64,
            received: start as i64,
            slots_end: batch.slots.len() as u32,
            marks: Marks::default(),
        });
        start += line.len();
    }
    batch
}
