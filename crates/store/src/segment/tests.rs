//! Whatever rows are written come back byte for byte, and a selection is exactly what the predicate itself keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, BinaryArray, StringViewArray, UInt64Array};
use proptest::prelude::*;
use sawlog_model::{Compare, Fields, Kind, Predicate, RowRef, Tenant, Test, TimeRange, time::Layout};
use sawlog_sys::task::Stop;
use sawlog_sys::{Open, Sys};

use self::chance::{batches, drafts, predicate};
pub(super) use self::made::lines;
use self::made::{Made, service_rows};
use super::column::Column;
use super::heads::Heads;
use super::needle::Needle;
use super::{Cache, Effort, Segment, SegmentWriter, TextCounts, literal};
use crate::StoreError;

mod chance;
mod made;

/// Writes groups of at most `size` rows and opens the file.
fn segment(rows: &[RowRef<'_>], size: usize, effort: Effort, dir: &Path) -> Result<Segment, StoreError> {
    let path = dir.join("segment");
    let open = |how| Sys::real().fs.open(&path, how).expect("a file");
    let file = open(Open::Create);
    file.set_len(0).expect("an empty file");
    let mut writer = SegmentWriter::new(Tenant(3), effort, file);
    rows.chunks(size).for_each(|group| writer.add_group(group));
    let finished = writer.finish().expect("bytes are written");
    let cache = Arc::new(Cache::new(1 << 20));
    let file = open(Open::Read);
    assert_eq!(file.metadata().expect("a size").len, finished.bytes);
    let segment = Segment::open(file.into(), "segment", cache)?;
    assert_eq!(*segment.meta(), finished.meta);
    Ok(segment)
}

/// What a row is, for comparison: all but the way its batch is laid out.
fn picture(row: RowRef<'_>) -> String {
    let slots: Vec<_> = row
        .slots()
        .iter()
        .map(|slot| {
            let at =
                if row.is_printed(slot) { i64::from(slot.start) - i64::from(row.row().start) } else { -1 };
            (row.batch.names.name(slot.name).clone(), slot.kind, slot.layout, at, row.slot(slot).to_vec())
        })
        .collect();
    let head = row.row();
    format!(
        "{:?} {:?} {:?} {} {} {:?} {:?} {:?}",
        row.raw(),
        slots,
        row.address(),
        head.time,
        head.received,
        head.marks,
        row.batch.context,
        row.batch.source.facts.name,
    )
}

pub(super) fn check_round_trip(rows: &[RowRef<'_>], size: usize, effort: Effort, dir: &Path) -> Segment {
    let segment = segment(rows, size, effort, dir).expect("a segment");
    let mut at = 0;
    for group in 0..segment.meta().groups.len() {
        let group = segment.group(group).expect("a group");
        let start = at;
        for batch in group.batches().expect("batches") {
            for row in batch.iter() {
                assert_eq!(picture(row), picture(rows[at]), "row {at}");
                let record = group.record((at - start) as u32).expect("a record");
                assert_eq!((&record.raw[..], record.address), (rows[at].raw(), rows[at].address()));
                assert_eq!(group.offset(at - start).expect("an offset"), rows[at].row().offset);
                at += 1;
            }
        }
        for run in &group.meta().runs {
            let of_run = run.start as usize..(run.start + run.rows) as usize;
            let find = |offset| group.row_at(of_run.clone(), offset).expect("offsets");
            let offset = |row: usize| rows[start + row].row().offset;
            let mut first = of_run.start;
            for row in of_run.clone() {
                first = if offset(row) == offset(first) { first } else { row };
                assert_eq!(find(offset(row)), Some(first));
            }
            assert_eq!(find(run.last.saturating_add(1)), None);
            assert!(run.first == 0 || find(run.first - 1).is_none());
        }
    }
    assert_eq!(at, rows.len());
    check_alone(rows, &dir.join("segment"));
    segment
}

/// Columns that are read without their rows against those that are read with them, and rows counted by the texts of each field
/// against what the rows say.
fn check_alone(rows: &[RowRef<'_>], path: &Path) {
    let file = Sys::real().fs.open(path, Open::Read).expect("a file");
    // Where columns are kept, one way would get what the other read.
    let cache = Arc::new(Cache::for_one_question(1 << 20));
    let segment = Segment::open(file.into(), "segment", cache).expect("a segment");
    let mut at = 0;
    for number in 0..segment.meta().groups.len() {
        let here = &rows[at..at + segment.meta().groups[number].rows as usize];
        at += here.len();
        let heads = Heads::open(segment.body.clone(), number).expect("heads");
        let group = segment.group(number).expect("a group");
        for (column, field) in segment.body.fields.iter().enumerate() {
            let values = heads.told().expect("counts").and_then(|told| told.values(column as u32));
            let alone = match values.filter(|values| *values > 0) {
                Some(values) => heads.column_alone(column as u32, values).expect("a column"),
                None => None,
            };
            if let Some(alone) = &alone {
                let with_rows = &group.values(column as u32).expect("a column").column;
                let texts = |column: &Column| column.strings().expect("values");
                assert_eq!(texts(alone).bytes, texts(with_rows).bytes, "{}", field.name);
                assert_eq!(texts(alone).ends, texts(with_rows).ends, "{}", field.name);
            }
            if let (Some(values), Some(alone)) = (values.filter(|values| *values > 0), &alone) {
                check_led(&heads, (column as u32, values), alone, field.role.kind());
            }
            let mut texts = TextCounts::default();
            let tallied = segment.tally(number, &field.name, &Predicate::All, TimeRange::ALL, &mut texts);
            if tallied.expect("counts") {
                let mut wanted: BTreeMap<Option<String>, u64> = BTreeMap::new();
                for row in here {
                    *wanted.entry(text_of(row, &field.name)).or_default() += 1;
                }
                let mut counted: BTreeMap<Option<String>, u64> = BTreeMap::new();
                texts.into_rows().for_each(|(text, rows)| *counted.entry(text).or_default() += rows);
                assert_eq!(counted, wanted, "{}", field.name);
            }
        }
    }
    check_steps(rows, &segment);
    let is_field = |field: &&super::fields::Field| matches!(field.role, super::fields::Role::Field(_));
    let names = segment.body.fields.iter().filter(is_field).map(|field| field.name.to_string());
    check_texts(rows, &segment, &names.collect());
}

/// Rows that have a field, counted in steps of time, against what the rows say.
fn check_steps(rows: &[RowRef<'_>], segment: &Segment) {
    let names = segment.body.fields.iter().map(|field| field.name.to_string());
    let fields = names.map(|name| Predicate::Field(name, Test::Exists)).collect::<Vec<_>>();
    for predicate in fields.iter().chain([&Predicate::All]) {
        let mut at = 0;
        for (number, group) in segment.meta().groups.iter().enumerate() {
            let here = &rows[at..at + group.rows as usize];
            at += here.len();
            let steps = segment.by_step(number, predicate, TimeRange::ALL, 1_000).expect("times");
            let mut wanted: BTreeMap<i64, u64> = BTreeMap::new();
            let kept = here.iter().filter(|row| predicate.keeps(*row));
            kept.for_each(|row| *wanted.entry(super::rounded(row.row().time, 1_000)).or_default() += 1);
            if let Some(steps) = steps {
                assert_eq!(steps, wanted.into_iter().collect::<Vec<_>>(), "{predicate:?}");
            } else {
                assert_ne!(*predicate, Predicate::All);
            }
        }
    }
}

/// Whatever number integers are compared with, those pass that pass one by one.
#[test]
fn integers_compare_with_numbers_that_are_none() {
    let values = vec![-1_000_000, -8, -7, -1, 0, 1, 6, 7, 8, 41, 42, 999_999_999_999_999_999];
    let column = Column::Integers(values.clone());
    let numbers = [
        "7",
        "7.0",
        "-7.5",
        "6.999999",
        "0",
        "-0.0",
        "4.1999999e1",
        "4.2e1",
        "1e-9",
        "1e18",
        "-1e30",
        "1e30",
        "x",
    ];
    for number in numbers {
        for compare in [Compare::Less, Compare::LessOrEqual, Compare::Greater, Compare::GreaterOrEqual] {
            let test = Test::Number(compare, number.to_owned());
            let found = Needle::new(&test).find(&column, Kind::Number).expect("values");
            let passes = |value: &i64| {
                let text = value.to_string().into_bytes();
                test.keeps_value(&sawlog_model::FieldValue::read(Kind::Number, text.into()))
            };
            let wanted: Vec<usize> = (0..values.len()).filter(|index| passes(&values[*index])).collect();
            assert_eq!(found.iter().collect::<Vec<_>>(), wanted, "{test:?}");
            let counted: Vec<(u32, u32)> =
                values.iter().filter_map(|value| Some((u32::try_from(*value).ok()?, 3))).collect();
            let passing = counted.iter().filter(|(value, _)| passes(&i64::from(*value))).count() as u64 * 3;
            assert_eq!(Needle::new(&test).count_integers(Kind::Number, &counted), passing, "{test:?}");
        }
    }
}

/// Values that pass, counted by the different ones, against those that are found among all.
fn check_led(heads: &Heads, (column, values): (u32, u64), alone: &Column, kind: Kind) {
    let all = alone.strings().expect("values");
    for index in [0, all.len() / 3, all.len() - 1] {
        let text = String::from_utf8_lossy(all.get(index)).into_owned();
        for test in [Test::Is(text.clone()), Test::Number(Compare::GreaterOrEqual, text)] {
            let needle = Needle::new(&test);
            let counted = heads.count_led(column, values, |different| needle.find(different, kind));
            if let Some(counted) = counted.expect("a count") {
                let found = needle.find(alone, kind).expect("values").count();
                assert_eq!(counted, found as u64, "{test:?}");
            }
        }
    }
}

/// Rows of a whole segment by the texts of each field against what the rows say.
fn check_texts(rows: &[RowRef<'_>], segment: &Segment, names: &BTreeSet<String>) {
    for name in names {
        for predicate in [Predicate::All, Predicate::Field(name.clone(), Test::Exists)] {
            let ask = || segment.tally_all(name, &predicate, TimeRange::ALL, usize::MAX, &Stop::default());
            let told = ask().expect("counts").expect("few texts");
            let again = ask().expect("counts").expect("few texts");
            let (mut texts, mut texts_again) = (TextCounts::default(), TextCounts::default());
            texts.add_segment(&told.texts);
            texts_again.add_segment(&again.texts);
            if told.left.is_empty() {
                let mut wanted: BTreeMap<Option<String>, u64> = BTreeMap::new();
                for row in rows.iter().filter(|row| predicate.keeps(*row)) {
                    *wanted.entry(text_of(row, name)).or_default() += 1;
                }
                let mut top: Vec<_> = wanted.clone().into_iter().collect();
                top.retain(|(text, _)| text.is_some());
                top.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
                let first: Vec<_> = texts.top(3).into_iter().map(|(text, rows)| (Some(text), rows)).collect();
                assert_eq!(first, top[..top.len().min(3)], "{name}");
                assert_eq!(texts.different(), top.len(), "{name}");
                assert_eq!(texts.rows(), wanted.values().sum::<u64>(), "{name}");
                assert_eq!(texts.into_rows().collect::<BTreeMap<_, _>>(), wanted, "{name}");
                assert_eq!(texts_again.into_rows().collect::<BTreeMap<_, _>>(), wanted, "{name}, again");
            }
        }
    }
}

/// The text of a row's field as columns show it.
fn text_of(row: &RowRef<'_>, name: &str) -> Option<String> {
    let text = row.field(name).and_then(|value| Some(value.text()?.to_vec()));
    text.map(|text| String::from_utf8_lossy(&text).into_owned())
}

pub(super) fn check_select(segment: &Segment, rows: &[RowRef<'_>], predicate: &Predicate, range: TimeRange) {
    let mut at = 0;
    for number in 0..segment.meta().groups.len() {
        let group = segment.group(number).expect("a group");
        let count = segment.meta().groups[number].rows as usize;
        let wanted: Vec<u32> = (0..count as u32)
            .filter(|row| {
                let row = &rows[at + *row as usize];
                range.contains(row.row().time) && predicate.keeps(row)
            })
            .collect();
        assert_eq!(
            group.select(predicate, range).expect("a selection"),
            wanted,
            "{predicate:?} in group {number}"
        );
        let counted = segment.count(number, predicate, range).expect("a count");
        assert_eq!(counted, wanted.len() as u64, "{predicate:?} is counted in group {number}");
        let again = segment.count(number, predicate, range).expect("a count");
        assert_eq!(again, counted, "{predicate:?} is counted again");
        if !wanted.is_empty() {
            assert!(
                segment.may_keep(number, predicate).expect("an index"),
                "{predicate:?} excludes group {number}"
            );
        }
        at += count;
    }
}

/// What `columns` gives against what the rows say.
pub(super) fn check_columns(segment: &Segment, rows: &[RowRef<'_>]) {
    let names = ["_raw", "_offset", "a", "b.c", "_line", "_tag", "_source", "missing"];
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut at = 0;
    for number in 0..segment.meta().groups.len() {
        let group = segment.group(number).expect("a group");
        let count = segment.meta().groups[number].rows;
        let picked: Vec<u32> = (0..count).rev().step_by(2).collect();
        let arrays = group.columns(&names, &picked).expect("arrays");
        for (place, row) in picked.iter().enumerate() {
            let row = rows[at + *row as usize];
            let raw = arrays[0].as_any().downcast_ref::<BinaryArray>().expect("binary");
            assert_eq!(raw.value(place), row.raw());
            let offset = arrays[1].as_any().downcast_ref::<UInt64Array>().expect("numbers");
            assert_eq!(offset.value(place), row.row().offset);
            for (name, array) in names.iter().zip(&arrays).skip(2) {
                let array = array.as_any().downcast_ref::<StringViewArray>().expect("text");
                let have = array.is_valid(place).then(|| array.value(place).to_owned());
                let value = row.field(name);
                let text = value.as_ref().and_then(|value| value.text());
                assert_eq!(have, text.map(|text| String::from_utf8_lossy(text).into_owned()), "{name}");
            }
        }
        at += count as usize;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn rows_come_back_and_are_found(
        drafts in drafts(),
        predicates in prop::collection::vec(predicate(), 1..12),
        size in prop::sample::select(vec![7usize, 50, 1000]),
        strong in any::<bool>(),
        from in any::<i32>(),
    ) {
        let dir = tempfile::tempdir().expect("a directory");
        let batches = batches(&drafts);
        let rows: Vec<RowRef<'_>> = batches.iter().map(|batch| batch.row(0)).collect();
        let effort = if strong { Effort::Strong } else { Effort::Cheap };
        let segment = check_round_trip(&rows, size, effort, dir.path());
        for predicate in &predicates {
            check_select(&segment, &rows, predicate, TimeRange::ALL);
            let range = TimeRange { start: i64::from(from) * 1_000_000, end: i64::MAX };
            check_select(&segment, &rows, predicate, range);
        }
        check_columns(&segment, &rows);
    }

    #[test]
    fn damaged_bytes_are_an_error_and_no_panic(drafts in drafts(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let batches = batches(&drafts);
        let rows: Vec<RowRef<'_>> = batches.iter().map(|batch| batch.row(0)).collect();
        let dir = tempfile::tempdir().expect("a directory");
        segment(&rows, 50, Effort::Cheap, dir.path()).expect("a segment");
        let file = Sys::real().fs.open(&dir.path().join("segment"), Open::Create).expect("a file");
        let at = at.index(file.metadata().expect("a size").len as usize) as u64;
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).expect("a byte");
        prop_assume!(byte[0] != to);
        file.write_at(&[to], at).expect("it is written");
        let read = || -> Result<(), StoreError> {
            let segment = Segment::open(file.into(), "segment", Arc::new(Cache::new(1 << 20)))?;
            for number in 0..segment.meta().groups.len() {
                segment.group(number)?.batches()?;
                let nothing = Predicate::Any(Test::Phrase { text: "nothing".to_owned(), fold: true });
                segment.may_keep(number, &nothing)?;
                segment.count(number, &Predicate::Not(Box::new(nothing)), TimeRange::ALL)?;
            }
            Ok(())
        };
        // The head of the file says again what its tail says, and is not read.
        prop_assert!(read().is_err() || at < 12);
    }
}

#[test]
fn literals_of_expressions_are_found() {
    let literals = |pattern: &str| format!("{:?}", literal::required(pattern));
    let parts = |parts: &[(&str, bool)]| {
        let test = |(text, fold): &(&str, bool)| Test::Part { text: (*text).to_owned(), fold: *fold };
        format!("{:?}", parts.iter().map(test).collect::<Vec<Test>>())
    };
    assert_eq!(literals("region.*1[0-9]{2}"), parts(&[("region", false)]));
    assert_eq!(literals("a(bcd)+e?fghij?"), parts(&[("fghi", false), ("bcd", false)]));
    assert_eq!(literals("(?i)GEt"), parts(&[("get", true)]));
    // The Kelvin sign is a k to a folding expression.
    assert_eq!(literals("(?i)make"), parts(&[("ma", true)]));
    assert_eq!(literals("abc|abd"), parts(&[]));
    assert_eq!(literals("x*|y"), parts(&[]));
}

#[test]
fn odd_lines_come_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let long = vec![b'x'; 9 << 20];
    let batch =
        lines(&[b"", b"\n", b"\r\n", b"\0\0\n", b"\xff\xfe\n", b"no end", &long, b"7", b"07", b"-0", b"\\"]);
    let rows: Vec<RowRef<'_>> = batch.iter().collect();
    check_round_trip(&rows, 100, Effort::Cheap, dir.path());
    check_round_trip(&rows, 1, Effort::Strong, dir.path());
}

#[test]
fn times_are_printed_and_not_stored() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut made = Made::new(["time"]);
    for index in 0..5_000i64 {
        let time = 1_700_000_000_000_000_000 + index * 7_919_000_000;
        let zone = if index < 2_500 { 3_600 } else { 7_200 };
        let layout = (1..=u8::MAX)
            .find(|layout| {
                let mut text = Vec::new();
                Layout(*layout).print(time, 0, &mut text) && text.ends_with(b"+00:00")
            })
            .expect("a layout with a zone");
        let mut text = Vec::new();
        assert!(Layout(layout).print(time, zone, &mut text));
        made.value(0, Kind::Time, layout, &text);
        made.text(b" tick\n");
        made.end_row(time);
    }
    let batch = made.done();
    let rows: Vec<RowRef<'_>> = batch.iter().collect();
    let segment = check_round_trip(&rows, 5_000, Effort::Cheap, dir.path());
    let file = Sys::real().fs.open(&dir.path().join("one group"), Open::New).expect("a file");
    let mut writer = SegmentWriter::new(Tenant(1), Effort::Cheap, file);
    writer.add_group(&rows);
    let bytes = writer.finish().expect("bytes are written").bytes;
    assert!(bytes < 1_000, "{bytes} bytes for times with a fixed step");
    for word in ["tick", "2023", "21", "01", "absent"] {
        check_select(
            &segment,
            &rows,
            &Predicate::Any(Test::Phrase { text: word.to_owned(), fold: true }),
            TimeRange::ALL,
        );
    }
}

#[test]
fn an_absent_word_is_known_to_be_absent() {
    let dir = tempfile::tempdir().expect("a directory");
    let texts: Vec<Vec<u8>> = (0..4_000u32)
        .map(|index| {
            format!("request {:08x} took {} ms\n", index.wrapping_mul(2_654_435_761), index % 97).into_bytes()
        })
        .collect();
    let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    let batch = lines(&texts);
    let rows: Vec<RowRef<'_>> = batch.iter().collect();
    let segment = segment(&rows, 500, Effort::Strong, dir.path()).expect("a segment");
    let may = |word: &str| {
        let predicate = Predicate::Any(Test::Phrase { text: word.to_owned(), fold: true });
        (0..8).filter(|group| segment.may_keep(*group, &predicate).expect("an index")).count()
    };
    let absent = (0..200).map(|index| may(&format!("nothing{index}"))).sum::<usize>();
    assert!(absent < 100, "{absent} of 1600");
    assert_eq!(may("request"), 8);
    assert!(may(&format!("{:08x}", 3_333u32.wrapping_mul(2_654_435_761))) < 4);
}

#[test]
fn words_over_the_edges_of_slots_are_found_in_rows_that_look_alike() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut made = Made::new(["a", "b.c"]);
    let values = ["", "x", "10", "3.4", "-", "y\r"];
    for around in [
        ["", " ", "\n"],
        ["k=", "\",\"", "}\n"],
        ["", "b ", "\n"],
        ["k", ".", "z\n"],
        ["", "", "\r\n"],
        ["7 ", " .", ""],
    ] {
        for pair in values.iter().flat_map(|first| values.map(|second| [*first, second])) {
            for (column, value) in pair.iter().enumerate() {
                made.text(around[column].as_bytes());
                made.value(column, Kind::Text, 0, value.as_bytes());
            }
            made.text(around[2].as_bytes());
            made.end_row(0);
        }
    }
    let batch = made.done();
    let rows: Vec<RowRef<'_>> = batch.iter().collect();
    for effort in [Effort::Cheap, Effort::Strong] {
        let segment = check_round_trip(&rows, 36, effort, dir.path());
        for word in [
            "x", "xb", "b", "10b", "kx", "k", "10.3.4", "3.4.10", "10.3.4z", "1010", "xx", "yb", "z",
            "3.4.3.4", "7",
        ] {
            let test = Test::Phrase { text: word.to_owned(), fold: true };
            check_select(&segment, &rows, &Predicate::Any(test), TimeRange::ALL);
        }
    }
}

#[test]
fn columns_that_follow_from_others_come_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let batch = service_rows(9_000);
    let rows: Vec<RowRef<'_>> = batch.iter().collect();
    for effort in [Effort::Cheap, Effort::Strong] {
        let segment = check_round_trip(&rows, 3_000, effort, dir.path());
        for word in [
            "agent",
            "10.0.3.17",
            "3.17",
            "line700",
            "user3",
            "never",
            "2023",
            "item/17",
            "absent",
            "-",
            "kind3",
            "nkind3",
            "ab",
            "y",
            "kind3 of",
        ] {
            let test = Test::Phrase { text: word.to_owned(), fold: true };
            check_select(&segment, &rows, &Predicate::Any(test.clone()), TimeRange::ALL);
            for field in ["client", "forwarded", "size", "sent", "message", "list"] {
                check_select(
                    &segment,
                    &rows,
                    &Predicate::Field(field.to_owned(), test.clone()),
                    TimeRange::ALL,
                );
            }
        }
        let equal = Test::Is("10.0.5.5".to_owned());
        check_select(&segment, &rows, &Predicate::Field("forwarded".to_owned(), equal), TimeRange::ALL);
        check_columns(&segment, &rows);
    }
}
