//! What is told without looking at rows is what looking at them tells.

use std::sync::Arc;

use sawlog_model::{Batch, Compare, Kind, Marks, Names, Predicate, Row, RowRef, Slot, Test, TimeRange};

use crate::segment::Effort;
use crate::segment::First;
use crate::segment::heads::Heads;
use crate::segment::tests::{check_round_trip, check_select, lines};

/// Rows with a value of each of these fields.
fn rows_of(fields: [(&str, Kind); 2], count: usize, values: impl Fn(usize) -> [String; 2]) -> Batch {
    let mut names = Names::default();
    let fields = fields.map(|(name, kind)| (names.intern(name), kind));
    let mut batch = lines(&[]);
    let mut buffer: Vec<u8> = Vec::new();
    for index in 0..count {
        let start = buffer.len();
        for (((name, kind), value), behind) in fields.into_iter().zip(values(index)).zip([": ", "\n"]) {
            let (from, len) = (buffer.len() as u32, value.len() as u32);
            batch.slots.push(Slot { start: from, len, name, kind, layout: 0 });
            buffer.extend_from_slice(value.as_bytes());
            buffer.extend_from_slice(behind.as_bytes());
        }
        batch.rows.push(Row {
            start: start as u32,
            len: (buffer.len() - start) as u32,
            offset: start as u64,
            time: index as i64,
            received: index as i64,
            slots_end: batch.slots.len() as u32,
            marks: Marks::default(),
        });
    }
    batch.buffer = buffer.into();
    batch.names = Arc::new(names);
    batch
}

/// Rows with a level and a message of few templates.
fn plain_rows(count: usize) -> Batch {
    rows_of([("level", Kind::Text), ("message", Kind::Text)], count, |index| {
        let messages = [
            format!("connection {index} was reset by peer"),
            format!("took {index} ms to flush"),
            "nothing to do for now, waiting".to_owned(),
        ];
        [["info", "warn", "info", "error"][index % 4].to_owned(), messages[index % 3].clone()]
    })
}

/// Numbers that follow from another column are written with how often each comes, so that neither is read for a range.
#[test]
fn a_range_of_numbers_that_follow_from_a_text_reads_no_column() {
    let dir = tempfile::tempdir().expect("a directory");
    let fields = [("path", Kind::Text), ("size", Kind::Number)];
    let batch = rows_of(fields, 12_000, |index| {
        let file = index * index % 2_003;
        [format!("/a/file/{file}.html"), (file * 7_919 % 1_000_003).to_string()]
    });
    let rows: Vec<RowRef<'_>> = batch.iter().collect();
    let segment = check_round_trip(&rows, 6_000, Effort::Strong, dir.path());
    let size = segment.body.fields.iter().position(|field| &*field.name == "size").expect("a column") as u32;
    for number in ["0", "500000.5", "990000", "1000003"] {
        for compare in [Compare::Less, Compare::LessOrEqual, Compare::Greater, Compare::GreaterOrEqual] {
            let predicate = Predicate::Field("size".to_owned(), Test::Number(compare, number.to_owned()));
            let before = segment.body.cache.read().columns;
            for group in 0..2 {
                let heads = Heads::open(segment.body.clone(), group).expect("heads");
                assert!(
                    heads.form(size).expect("a head").expect("a column").0 > 1,
                    "the paths lead the sizes"
                );
                let wanted =
                    rows[group * 6_000..][..6_000].iter().filter(|row| predicate.keeps(*row)).count();
                assert_eq!(heads.count(&predicate).expect("counts"), Some(wanted as u64), "{predicate:?}");
            }
            assert_eq!(segment.body.cache.read().columns, before, "{predicate:?}");
        }
    }
    let mut sizes: Vec<i64> = (0..12_000).map(|index| (index * index % 2_003) * 7_919 % 1_000_003).collect();
    for least_first in [true, false] {
        sizes.sort_unstable_by(|a, b| if least_first { a.cmp(b) } else { b.cmp(a) });
        for rows in [1, 7, 100, 6_500, 12_000, 12_001] {
            let mut first = First::new(least_first, rows as u64);
            for group in 0..2 {
                assert!(segment.first_integers(group, "size", &mut first).expect("counts"));
            }
            assert_eq!(first.last(), sizes.get(rows - 1).copied(), "{rows} {least_first}");
        }
        assert!(!segment.first_integers(0, "path", &mut First::new(least_first, 1)).expect("counts"));
    }
}

/// Numbers that nothing leads tell the first of them, too.
#[test]
fn the_first_numbers_are_told_where_nothing_leads_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let number = |index: usize| index as i64 * 7_919 % 10_007 - 5_000;
    let fields = [("odd", Kind::Number), ("same", Kind::Number)];
    let batch = rows_of(fields, 3_000, |index| [number(index).to_string(), "42".to_owned()]);
    let rows: Vec<RowRef<'_>> = batch.iter().collect();
    let segment = check_round_trip(&rows, 3_000, Effort::Strong, dir.path());
    let mut numbers: Vec<i64> = (0..3_000).map(number).collect();
    numbers.sort_unstable();
    let first = |field, least_first, rows| {
        let mut first = First::new(least_first, rows);
        assert!(segment.first_integers(0, field, &mut first).expect("counts"));
        first.last()
    };
    assert_eq!(first("odd", true, 100), Some(numbers[99]));
    assert_eq!(first("odd", false, 100), Some(numbers[2_900]));
    assert_eq!(first("same", false, 100), Some(42));
    assert_eq!(first("absent", false, 100), None);
}

#[test]
fn words_of_templates_and_dictionaries_are_counted_without_rows() {
    let dir = tempfile::tempdir().expect("a directory");
    let batch = plain_rows(6_000);
    let rows: Vec<RowRef<'_>> = batch.iter().collect();
    let phrase = |text: &str| Test::Phrase { text: text.to_owned(), fold: true };
    let part = |text: &str| Test::Part { text: text.to_owned(), fold: false };
    let field = |name: &str, test| Predicate::Field(name.to_owned(), test);
    let told = [
        (Predicate::All, true),
        (Predicate::Any(phrase("flush")), true),
        (Predicate::Any(phrase("reset by peer")), true),
        (Predicate::Any(phrase("was reset")), true),
        (Predicate::Any(phrase("warn")), true),
        (Predicate::Any(phrase("absent")), true),
        (Predicate::Not(Box::new(Predicate::Any(phrase("ms to flush")))), true),
        (field("level", Test::Is("error".to_owned())), true),
        (field("level", Test::regex("^(info|warn)$", false).expect("an expression")), true),
        (field("level", Test::Exists), true),
        (field("missing", Test::Exists), true),
        // Variables, and across the edges of one.
        (Predicate::Any(phrase("4711")), true),
        (Predicate::Any(phrase("took 7")), true),
        (field("message", Test::regex("took [0-9]*7 ms", false).expect("an expression")), true),
        // Parts of lines, in one column, in the text between columns, in two columns.
        (field("_line", part("arn")), true),
        (field("_line", part("onnectio")), true),
        (field("_line", part("eset by p")), true),
        (field("_line", part("471")), true),
        (field("_line", part("xyz")), true),
        (field("_line", part("r")), false),
        // Across the edge of a slot.
        (Predicate::Any(phrase("info: took")), false),
    ];
    for effort in [Effort::Cheap, Effort::Strong] {
        let segment = check_round_trip(&rows, 2_500, effort, dir.path());
        for (predicate, is_told) in &told {
            check_select(&segment, &rows, predicate, TimeRange::ALL);
            let heads = Heads::open(segment.body.clone(), 0).expect("heads");
            let counted = heads.count(predicate).expect("counts");
            assert_eq!(counted.is_some(), *is_told, "{predicate:?}");
        }
    }
}
